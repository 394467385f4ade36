"""GGUF's tensor types as formats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from archsim.common.errors import InputError
from archsim.formats import gguf_k, gguf_legacy
from archsim.formats.family import Family
from archsim.formats.format import Format, Packed, Stored
from archsim.formats.gguf_types import GGUF_TYPES, GgufType

_CODECS = {**gguf_legacy.CODECS, **gguf_k.CODECS}


@dataclass(frozen=True)
class GgufFormat(Format):
    """Blocks of codes and scales together, as they stand in a GGUF file: `codes` is uint8 [rows, bytes]."""

    name: str
    bits: int
    kind: GgufType

    def storage(self, rows: int, columns: int) -> dict[str, Stored]:
        if columns % self.kind.block:
            raise InputError(
                f"blocks of {self.kind.block} of format {self.name!r} do not divide rows of {columns}",
                remedy="use a format with smaller blocks, such as q8_0" if self.kind.block > 32 else "fill the rows",
            )
        return {"codes": Stored((rows, columns // self.kind.block * self.kind.nbytes), np.uint8)}

    def encode(self, block: np.ndarray, shared: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        encode, _ = _CODECS[self.name]
        return {"codes": encode(block.reshape(-1, self.kind.block)).reshape(len(block), -1)}

    def decode(self, arrays: Mapping[str, np.ndarray], out: np.ndarray) -> None:
        _, decode = _CODECS[self.name]
        blocks = np.ascontiguousarray(arrays["codes"]).reshape(-1, self.kind.nbytes)
        decode(blocks, out.reshape(-1, self.kind.block))

    def read_codes(self, packed: Packed) -> np.ndarray:
        raise InputError(
            f"codes and scales of format {self.name!r} lie together in blocks", remedy="use packed or dequantize()"
        )


_BITS = {"tq1_0": 2, "tq2_0": 2, "gguf-mxfp4": 4, "iq4_nl": 4}
_FORMATS = {name: GgufFormat(name, _BITS.get(name) or int(name[1]), kind) for name, kind in GGUF_TYPES.items()}
FAMILY = Family(" | ".join(_FORMATS), "blocks of GGUF files, byte for byte", tuple(_FORMATS), _FORMATS.get)
