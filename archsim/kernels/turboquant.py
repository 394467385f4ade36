"""KV vectors to TurboQuant's codes and norms and back, row by row, to the bit as archsim.formats has them.

The arithmetic is that of archsim/formats/turboquant_vector.py with the Hadamard rotation. A cache holds per KV head and
token head_dim codes of `bits` bits, packed as the format packs them, and a float16 norm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archsim.common.errors import InputError
from archsim.kernels.assembly import Assembly
from archsim.kernels.base import STREAM_BARRIERS, Array, Placement
from archsim.kernels.rows import ROW_BARRIERS, RowKernel, each_row, load_array, load_row, store_row, vector
from archsim.kernels.target import Target
from archsim.kernels.weight_code import CODES

LARGEST_BLOCK = 1024
"""Of qv.had."""
MOST_BITS = 5
"""Of qv.code and qv.look."""
CODE_FORMATS = {bits: CODES.index(f"cb{bits}") for bits in (4, 3, 2)}
"""Numbers in qfmt.wfmt of codes that tiles multiply, by bits."""


@dataclass(frozen=True)
class CodedCache:
    """The shape of a cache of codes.

    Attributes:
        bits: of a code, 1 to 5.
        head_dim: coordinates of a vector, a power of two of 8 to 1024.
        capacity: tokens the cache has room for.

    Raises:
        InputError: there are no instructions for such vectors.
    """

    bits: int
    head_dim: int
    kv_heads: int
    capacity: int

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= MOST_BITS or self.head_dim.bit_count() != 1 or not 8 <= self.head_dim <= LARGEST_BLOCK:
            raise InputError(
                f"no kernel for TurboQuant's vectors of {self.head_dim} with {self.bits} bits",
                remedy=f"give vectors of 8 to {LARGEST_BLOCK}, a power of two, and 1 to {MOST_BITS} bits; "
                "a model with other heads has a cache of int8",
            )

    def require(self, name: str, tokens: int) -> None:
        """Refuse an op on more tokens than there is room for.

        Raises:
            InputError: there are more.
        """
        if tokens > self.capacity:
            raise InputError(
                f"op {name!r} reaches token {tokens} of a cache of {self.capacity}", remedy="raise its capacity"
            )

    @property
    def code_bytes(self) -> int:
        """Bytes of a vector's codes."""
        return self.head_dim * self.bits // 8

    @property
    def sign_bytes(self) -> int:
        return self.head_dim // 8

    @property
    def width(self) -> int:
        """Numbers of a token's vectors."""
        return self.kv_heads * self.head_dim

    @property
    def log_head_dim(self) -> int:
        return self.head_dim.bit_length() - 1

    def arrays(self, *, written: bool) -> dict[str, Array]:
        """codes uint8 [kv_heads, capacity, code_bytes], norms float16 [kv_heads, capacity]."""
        return {
            "codes": Array((self.kv_heads, self.capacity, self.code_bytes), "u1", written),
            "norms": Array((self.kv_heads, self.capacity), "f2", written),
        }

    def constants(self) -> dict[str, Array]:
        """signs uint8 [head_dim / 8], a bit of 1 for +1, the first lowest; levels float32 [2**bits], ascending."""
        return {"signs": Array((self.sign_bytes,), "u1"), "levels": Array((1 << self.bits,), "f4")}


def load_constants(asm: Assembly, cache: CodedCache, place: Placement, barrier: int, copies: int) -> None:
    """Start the loads of levels, and of the signs so many times, for as many vectors in one instruction."""
    load_array(asm, barrier, place.dram["levels"], 4 << cache.bits, place.pads["levels"])
    with asm.registers("dram pad") as (dram, pad):
        asm.li(dram, place.dram["signs"])
        asm.pad(pad, place.pads["signs"])
        asm.shape(copies, cache.sign_bytes, 0, cache.sign_bytes)
        asm("qt.dma.ld", f"b{barrier}", dram, pad)


def load_chunk(
    asm: Assembly, place: Placement, buffer: int, streams: Sequence[tuple[str, str, int]], left: str, chunk: int
) -> None:
    """Start the load of the next chunk of a cache into a buffer, if there is one.

    Args:
        streams: name of the buffers, register with the address, and bytes of a token, of each array.
        left: register with the tokens that are not loaded yet.
        chunk: most tokens.
    """
    with asm.unless("blez", left), asm.registers("tokens pad size") as (tokens, pad, size):
        asm.minimum(tokens, left, chunk)
        for name, source, each in streams:
            asm.mul(size, tokens, each)
            asm.pad(pad, place.pads[f"{name}{buffer}"])
            asm.shape(1, size)
            asm("qt.dma.ld", f"b{STREAM_BARRIERS[buffer]}", source, pad)
            asm.add(source, source, chunk * each)
        asm.add(left, left, -chunk)


def with_bits(asm: Assembly, mnemonic: str, bits: int, *pads: int) -> None:
    """qv.code or qv.look: target, source, codebook."""
    with asm.registers("p0 p1 p2") as registers:
        for register, pad in zip(registers, pads, strict=True):
            asm.pad(register, pad)
        asm(mnemonic, *registers, bits)


@dataclass(frozen=True)
class EncodeVectors(RowKernel):
    """x float32 [rows, kv_heads * head_dim] to codes and norms of the tokens from `position` on.

    Attributes:
        corrected: the norm is divided by the length of the vector of levels (-nc).
    """

    name: str
    target: Target
    rows: int
    cache: CodedCache
    position: int = 0
    corrected: bool = False

    def __post_init__(self) -> None:
        self.cache.require(self.name, self.position + self.rows)

    def arrays(self) -> dict[str, Array]:
        x = Array((self.rows, self.cache.width), "f4")
        return {"x": x, **self.cache.constants(), **self.cache.arrays(written=True)}

    def buffers(self, tiling: int) -> dict[str, int]:
        cache = self.cache
        heads = cache.kv_heads
        sizes = {"signs": heads * cache.sign_bytes, "levels": 4 << cache.bits, "scaled": heads * (4 << cache.bits)}
        sizes |= {"lengths": 4 * heads}
        if self.corrected:
            sizes |= {"coded": 4 * cache.head_dim, "coded_lengths": 4 * heads}
        sizes |= self.loaded(tiling, x=4 * cache.width)
        return sizes | self.stored(tiling, codes=heads * cache.code_bytes, norms=2 * heads)

    def emit(self, asm: Assembly, tiling: int, place: Placement) -> None:
        load_constants(asm, self.cache, place, ROW_BARRIERS[0], self.cache.kv_heads)
        size = 4 * self.cache.width

        def load(row: str, buffer: int) -> None:
            load_row(asm, ROW_BARRIERS[buffer], place.dram["x"], row, size, place.pads[f"x{buffer}"])

        def work(row: str, buffer: int) -> None:
            number, barrier = self.outlet(tiling, buffer)
            asm.wait(barrier)
            self._encode(asm, place.pads, place.pads[f"x{buffer}"], number)
            self._store(asm, place, row, number, barrier)

        each_row(asm, self.target, self.rows, tiling, load, work)
        asm.wait(ROW_BARRIERS[0])

    def _encode(self, asm: Assembly, pads: dict[str, int], x: int, number: int) -> None:
        cache, lengths = self.cache, pads["lengths"]
        size, table = 4 * cache.head_dim, 4 << cache.bits
        heads = range(cache.kv_heads)
        codes = pads[f"codes{number}"]
        asm.csr("qvl", cache.head_dim)
        for head in heads:
            vector(asm, "qv.sumsq", lengths + 4 * head, x + size * head)
        asm.csr("qvl", cache.kv_heads)
        vector(asm, "qv.sqrt", lengths, lengths)
        asm.csr("qvl", cache.width)
        vector(asm, "qv.flip", x, x, pads["signs"])
        transform(asm, cache, x)
        # the nearest of levels times length: a table is shorter than a vector
        asm.csr("qvl", 1 << cache.bits)
        for head in heads:
            vector(asm, "qv.muls", pads["scaled"] + table * head, pads["levels"], lengths + 4 * head)
        asm.csr("qvl", cache.head_dim)
        for head in heads:
            target = codes + cache.code_bytes * head
            with_bits(asm, "qv.code", cache.bits, target, x + size * head, pads["scaled"] + table * head)
        if self.corrected:
            self._correct(asm, pads, codes)
        asm.csr("qvl", cache.kv_heads)
        vector(asm, "qv.f2h", pads[f"norms{number}"], lengths)

    def _correct(self, asm: Assembly, pads: dict[str, int], codes: int) -> None:
        cache, found = self.cache, pads["coded_lengths"]
        for head in range(cache.kv_heads):
            with_bits(asm, "qv.look", cache.bits, pads["coded"], codes + cache.code_bytes * head, pads["levels"])
            vector(asm, "qv.sumsq", found + 4 * head, pads["coded"])
        asm.csr("qvl", cache.kv_heads)
        vector(asm, "qv.sqrt", found, found)
        asm.csr("qvl", 1)
        for head in range(cache.kv_heads):
            length = pads["lengths"] + 4 * head
            vector(asm, "qv.divs", length, length, found + 4 * head)

    def _store(self, asm: Assembly, place: Placement, row: str, number: int, barrier: int) -> None:
        """Send a token's codes and norms to the places of its heads."""
        for name, size in (("codes", self.cache.code_bytes), ("norms", 2)):
            _move(asm, "qt.dma.st", barrier, self.cache, place, name, row, self.position, size, f"{name}{number}")


@dataclass(frozen=True)
class DecodeVectors(RowKernel):
    """Codes and norms of the tokens from `position` on to x float32 [rows, kv_heads * head_dim]."""

    name: str
    target: Target
    rows: int
    cache: CodedCache
    position: int = 0

    def __post_init__(self) -> None:
        self.cache.require(self.name, self.position + self.rows)

    def arrays(self) -> dict[str, Array]:
        x = Array((self.rows, self.cache.width), "f4", written=True)
        return {**self.cache.constants(), **self.cache.arrays(written=False), "x": x}

    def buffers(self, tiling: int) -> dict[str, int]:
        cache = self.cache
        heads = cache.kv_heads
        sizes = {"signs": heads * cache.sign_bytes, "levels": 4 << cache.bits, "lengths": 4 * heads}
        sizes |= self.loaded(tiling, codes=heads * cache.code_bytes, norms=2 * heads)
        return sizes | self.stored(tiling, x=4 * cache.width)

    def emit(self, asm: Assembly, tiling: int, place: Placement) -> None:
        cache, pads = self.cache, place.pads
        load_constants(asm, cache, place, ROW_BARRIERS[0], cache.kv_heads)

        def load(row: str, buffer: int) -> None:
            for name, size in (("codes", cache.code_bytes), ("norms", 2)):
                barrier = ROW_BARRIERS[buffer]
                _move(asm, "qt.dma.ld", barrier, cache, place, name, row, self.position, size, f"{name}{buffer}")

        def work(row: str, buffer: int) -> None:
            number, barrier = self.outlet(tiling, buffer)
            x = pads[f"x{number}"]
            asm.wait(barrier)
            asm.csr("qvl", cache.kv_heads)
            vector(asm, "qv.h2f", pads["lengths"], pads[f"norms{buffer}"])
            asm.csr("qvl", cache.head_dim)
            for head in range(cache.kv_heads):
                own, codes = x + 4 * cache.head_dim * head, pads[f"codes{buffer}"] + cache.code_bytes * head
                with_bits(asm, "qv.look", cache.bits, own, codes, pads["levels"])
                vector(asm, "qv.muls", own, own, pads["lengths"] + 4 * head)
            asm.csr("qvl", cache.width)
            transform(asm, cache, x)
            vector(asm, "qv.flip", x, x, pads["signs"])
            store_row(asm, barrier, place.dram["x"], row, 4 * cache.width, x)

        each_row(asm, self.target, self.rows, tiling, load, work)
        asm.wait(ROW_BARRIERS[0])


def transform(asm: Assembly, cache: CodedCache, x: int) -> None:
    """Walsh-Hadamard transform in place of the `qvl` numbers at a scratchpad offset, vector by vector."""
    with asm.registers("p0") as (register,):
        asm.pad(register, x)
        asm("qv.had", register, register, cache.log_head_dim)


def _move(
    asm: Assembly,
    mnemonic: str,
    barrier: int,
    cache: CodedCache,
    place: Placement,
    name: str,
    row: str,
    position: int,
    size: int,
    pad: str,
) -> None:
    """Start the transfer of a token's entries of all heads, `size` bytes each."""
    with asm.registers("dram local") as (dram, local):
        asm.element(dram, place.dram[name] + position * size, row, size)
        asm.pad(local, place.pads[pad])
        asm.shape(cache.kv_heads, size, cache.capacity * size, size)
        asm(mnemonic, f"b{barrier}", dram, local)
