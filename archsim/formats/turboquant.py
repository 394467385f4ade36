"""TurboQuant: rotated vectors, coordinate by coordinate quantised with the optimal codebook of a random direction.

Zandieh, Daliri, Hadian and Mirrokni, TurboQuant: online vector quantization with near-optimal distortion rate (arXiv
2504.19874). A row is a vector: the key or value of one token and head. Outlier channels are a vector of their own
(section 4.3): how many have how many bits is said by the name, and bits per weight are counted, not named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from archsim.common.errors import InputError
from archsim.formats.family import Family
from archsim.formats.format import Format, Packed, Stored
from archsim.formats.matrix import Matrix
from archsim.formats.packing import unpack_bits
from archsim.formats.turboquant_vector import Variant, VectorCodec

SMALLEST, LARGEST = 8, 4096
"""Coordinates of a vector; those that are no power of two are rotated by dense matrices."""


class Part(NamedTuple):
    """Channels that make one vector: `bits` for each; `width` of them, where that is 0 an equal share of the row."""

    bits: int
    width: int = 0


@dataclass(frozen=True)
class TurboQuantFormat(Format):
    """Codes of rotated unit vectors, and their lengths.

    Attributes:
        bits: of a code, in the first part.
        parts: the row as one; or outlier channels and then the others: the outliers are those of most energy in the
            matrix, and their indices are stored once.
    """

    name: str
    bits: int
    parts: tuple[Part, ...]
    variant: Variant

    def codecs(self, columns: int) -> list[VectorCodec]:
        """One for each part.

        Raises:
            InputError: the parts make no such row, or one is too short or too long for a rotation.
        """
        widths = [part.width or columns // len(self.parts) for part in self.parts]
        if sum(widths) != columns:
            raise InputError(f"format {self.name!r} is for rows of {sum(widths)}, not {columns}", remedy="split others")
        if min(widths) < SMALLEST or max(widths) > LARGEST:
            raise InputError(
                f"format {self.name!r} would rotate vectors of {' and '.join(map(str, widths))}",
                remedy=f"give rows, such as heads of tokens, that make vectors of {SMALLEST} to {LARGEST}",
            )
        return [VectorCodec(p.bits, width, self.variant) for p, width in zip(self.parts, widths, strict=True)]

    def storage(self, rows: int, columns: int) -> dict[str, Stored]:
        codecs = self.codecs(columns)
        total: dict[str, Stored] = {}
        for codec in codecs:
            for name, (count, dtype) in codec.storage().items():
                before = total[name].shape[1] if name in total else 0
                total[name] = Stored((rows, before + count), dtype)
        return total | ({"outliers": Stored((1, codecs[0].width), np.uint16)} if self.shared else {})

    @property
    def shared(self) -> frozenset[str]:
        return frozenset({"outliers"}) if len(self.parts) > 1 else frozenset()

    def learn(self, matrix: Matrix) -> dict[str, np.ndarray]:
        if not self.shared:
            return {}
        energy = sum(np.square(block, dtype=np.float64).sum(0) for block in matrix.blocks())
        first = np.argsort(-np.asarray(energy), kind="stable")[: self.codecs(matrix.shape[1])[0].width]
        return {"outliers": np.sort(first).astype(np.uint16)[None]}

    def encode(self, block: np.ndarray, shared: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        channels = self._channels(shared, block.shape[1])
        codecs = self.codecs(block.shape[1])
        parts = [c.encode(np.ascontiguousarray(block[:, own])) for c, own in zip(codecs, channels, strict=True)]
        return {name: np.concatenate([part[name] for part in parts if name in part], axis=1) for name in parts[0]}

    def decode(self, arrays: Mapping[str, np.ndarray], out: np.ndarray) -> None:
        channels = self._channels(arrays, out.shape[1])
        for own, (codec, part) in zip(channels, self._split(arrays, out.shape[1]), strict=True):
            out[:, own] = codec.decode(part)

    def read_codes(self, packed: Packed) -> np.ndarray:
        """Indices of the codebook, of rotated coordinates: those of the outliers first."""
        if any(part.bits == self.variant.inner_product for part in self.parts):
            raise InputError(f"format {self.name!r} has signs instead of codes", remedy="read its array of signs")
        split = self._split(packed.arrays, packed.shape[1])
        return np.concatenate([unpack_bits(part["codes"], c.code_bits, c.width) for c, part in split], axis=1)

    def _split(self, arrays: Mapping[str, np.ndarray], columns: int) -> Iterator[tuple[VectorCodec, dict]]:
        """Each part's codec and arrays."""
        at: dict[str, int] = {}
        for codec in self.codecs(columns):
            part = {}
            for name, (count, _) in codec.storage().items():
                start = at.get(name, 0)
                part[name], at[name] = arrays[name][:, start : start + count], start + count
            yield codec, part

    def _channels(self, arrays: Mapping[str, np.ndarray], columns: int) -> list[np.ndarray]:
        """Indices of the channels of each part."""
        every = np.arange(columns)
        if not self.shared:
            return [every]
        outliers = arrays["outliers"][0].astype(np.intp)
        return [outliers, np.setdiff1d(every, outliers)]


_COUNT = "[1-9][0-9]{0,3}"
_NAME = re.compile(
    rf"turboquant-(?:([1-5])|([1-4])\.5|([2-5])x({_COUNT})-([1-4])x({_COUNT}))(-nc|-ip|-ip-orthogonal)?(-haar)?"
)


def _parse(name: str) -> TurboQuantFormat | None:
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    if match[1]:
        parts: tuple[Part, ...] = (Part(int(match[1])),)
    elif match[2]:
        parts = (Part(int(match[2]) + 1), Part(int(match[2])))
    else:
        parts = (Part(int(match[3]), int(match[4])), Part(int(match[5]), int(match[6])))
        if parts[0].bits <= parts[1].bits:
            raise InputError(f"format {name!r} gives outliers no more bits", remedy="write as turboquant-3x32-2x96")
    ending = match[7] or ""
    variant = Variant(
        inner_product=ending.startswith("-ip"),
        corrected=ending == "-nc",
        turn="haar" if match[8] else "hadamard",
        projection="orthogonal" if ending.endswith("orthogonal") else "gaussian",
    )
    return TurboQuantFormat(name, parts[0].bits, parts, variant)


FAMILY = Family(
    "turboquant-B[.5] | turboquant-BxN-CxM [-nc | -ip | -ip-orthogonal] [-haar]",
    "KV vectors rotated, optimal codebook of 1 to 5 bits, norms; BxN-CxM: B bits for N outlier channels, C for M "
    "others; .5: halves; -nc: corrected norm; -ip: unbiased inner products, by QJL; -haar: no Hadamard rotation",
    tuple(
        f"turboquant-{bits}{end}"
        for end in ("", "-ip", "-nc", "-ip-orthogonal", "-haar")
        for bits in ("3", "4", "2", "2.5", "3.5", "1", "5")
    ),
    _parse,
)
