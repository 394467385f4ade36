"""XuanTie's matrix instructions in numpy, written from the table of the proposal and the head of our extension."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import ml_dtypes
import numpy as np

KINDS = {
    "b": np.dtype(np.int8), "h": np.dtype(np.int16), "w": np.dtype(np.int32), "d": np.dtype(np.int64),
}  # fmt: skip
FLOATS = {
    "e4": np.dtype(ml_dtypes.float8_e4m3fn), "e5": np.dtype(ml_dtypes.float8_e5m2), "h": np.dtype(np.float16),
    "bf16": np.dtype(ml_dtypes.bfloat16), "s": np.dtype(np.float32), "d": np.dtype(np.float64),
}  # fmt: skip
F64 = np.float64
LARGEST = {"e4": 448.0, "e5": 57344.0}


def unsigned(kind: np.dtype) -> np.dtype:
    return np.dtype(f"u{kind.itemsize}")


@dataclass
class Reference:
    """State: eight registers of rows of bytes; tr0 to tr3, then acc0 to acc3.

    Attributes:
        m: uint8 [8, rows, bytes].
    """

    tlen: int
    trlen: int
    elen: int
    tile_m: int = 1
    tile_n: int = 1
    tile_k: int = 1
    saten: int = 0
    xrm: int = 0
    sat: int = 0
    m: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.rows = self.tlen // self.trlen
        self.arlen = self.rows * self.elen
        self.m = np.zeros((8, self.rows, max(self.trlen, self.arlen) // 8), np.uint8)

    def size(self, register: int) -> int:
        """Bytes of a row."""
        return (self.trlen if register < 4 else self.arlen) // 8

    def view(self, register: int, kind: np.dtype) -> np.ndarray:
        """[rows, columns] of a register."""
        return self.m[register, :, : self.size(register)].view(kind)

    def depth(self, bits: int) -> int:
        return min(self.tile_k, self.trlen // bits)

    # -- memory

    def shape(self, matrix: str, width: int) -> tuple[int, int]:
        if matrix == "c":
            return self.tile_m, self.tile_n
        return (self.tile_m if matrix == "a" else self.tile_n), self.depth(width)

    def load(self, name: str, md: int, memory: np.ndarray, stride: int) -> None:
        _, matrix, turned, width = parts(name)
        rows, columns = self.shape(matrix, width)
        kind = np.dtype(f"u{width // 8}")
        for i in range(rows):
            for j in range(columns):
                at = j * stride + i * width // 8 if turned else i * stride + j * width // 8
                self.m[md].view(kind)[i, j] = memory[at : at + width // 8].view(kind)[0]

    def store(self, name: str, md: int, memory: np.ndarray, stride: int) -> None:
        _, matrix, turned, width = parts(name)
        rows, columns = self.shape(matrix, width)
        kind = np.dtype(f"u{width // 8}")
        for i in range(rows):
            for j in range(columns):
                at = j * stride + i * width // 8 if turned else i * stride + j * width // 8
                memory[at : at + width // 8] = self.m[md].view(kind)[i, j : j + 1].view(np.uint8)

    # -- multiplies

    def integers(self, register: int, bits: int, signed: bool, rows: int) -> np.ndarray:
        """Python integers [rows, K] of a tile."""
        raw = self.m[register, :rows, : self.trlen // 8]
        if bits == 4:
            values = np.stack([raw & 15, raw >> 4], axis=-1).reshape(rows, -1).astype(np.int64)
            values = np.where(values > 7, values - 16, values) if signed else values
        else:
            values = raw.view(np.dtype(f"{'i' if signed else 'u'}{bits // 8}")).astype(np.int64)
        return values[:, : self.depth(bits)].astype(object)

    def multiply_integers(self, name: str, md: int, ms2: int, ms1: int) -> None:
        packed, signs, to, _ = re.fullmatch(r"(p?)mmacc(u|us|su|)\.([wd])\.([bh]p?)", name).groups()  # type: ignore[union-attr]
        bits = 4 if packed else 16 if to == "d" else 8
        first, second = {"": (1, 1), "u": (0, 0), "us": (0, 1), "su": (1, 0)}[signs]
        a = self.integers(ms1, bits, bool(first), self.tile_m)
        b = self.integers(ms2, bits, bool(second), self.tile_n)
        width = 64 if to == "d" else 32
        block = self.m[md].view(KINDS[to])[: self.tile_m, : self.tile_n]
        total = block.astype(object) + a @ b.T
        low, high = -(2 ** (width - 1)), 2 ** (width - 1) - 1
        if self.saten:
            kept = np.clip(total, low, high)
            self.sat |= int(np.any(kept != total))
            total = kept
        block[:] = ((total - low) % 2**width + low).astype(KINDS[to])

    def multiply_floats(self, name: str, md: int, ms2: int, ms1: int) -> None:
        to, _, source = name.removeprefix("mfmacc.").partition(".")
        source = source or to
        kind = FLOATS.get(source, np.dtype(np.float32))
        depth = self.depth(8 * kind.itemsize)
        a, b = (self.m[number].view(kind)[:, :depth] for number in (ms1, ms2))
        if source == "tf32":
            a, b = ((x.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32) for x in (a, b))
        a, b = a[: self.tile_m].astype(F64), b[: self.tile_n].astype(F64)
        block = self.m[md].view(FLOATS[to])[: self.tile_m, : self.tile_n]
        total = block.astype(F64)
        for k in range(depth):
            total = total + a[:, k, None] * b[None, :, k]
        block[:] = total.astype(FLOATS[to])

    # -- moves

    def zero(self, md: int, count: int) -> None:
        self.m[md : md + count + 1] = 0

    def move(self, md: int, ms1: int) -> None:
        size = min(self.size(md), self.size(ms1))
        self.m[md, :, :size] = self.m[ms1, :, :size]

    def pack(self, halves: str, md: int, ms2: int, ms1: int) -> None:
        half = self.size(md) // 2
        high, low = {"": (0, 0), "hl": (1, 0), "hh": (1, 1)}[halves]
        one = self.m[ms1, :, low * half : low * half + half].copy()
        two = self.m[ms2, :, high * half : high * half + half].copy()
        self.m[md, :, :half], self.m[md, :, half : 2 * half] = one, two

    def slide_rows(self, up: bool, md: int, ms1: int, count: int) -> None:
        old, size = self.m[ms1].copy(), self.size(md)
        for i in range(self.rows):
            source = i - count if up else i + count
            self.m[md, i, :size] = old[source, :size] if 0 <= source < self.rows else 0

    def slide_columns(self, up: bool, kind: np.dtype, md: int, ms1: int, count: int) -> None:
        size = self.size(md)
        old = self.m[ms1, :, :size].copy().view(kind)
        new = np.zeros_like(old)
        columns = old.shape[1]
        if count < columns:
            if up:
                new[:, count:] = old[:, : columns - count]
            else:
                new[:, : columns - count] = old[:, count:]
        self.m[md, :, :size] = new.view(np.uint8)

    def broadcast_row(self, md: int, ms1: int, row: int) -> None:
        self.m[md, :, : self.size(md)] = self.m[ms1, row, : self.size(md)].copy()

    def broadcast_column(self, kind: np.dtype, md: int, ms1: int, column: int) -> None:
        size = self.size(md)
        one = self.m[ms1, :, :size].copy().view(kind)[:, column]
        self.m[md, :, :size].view(kind)[:] = one[:, None]

    # -- element-wise

    def convert_floats(self, name: str, md: int, ms1: int) -> None:
        which, to, source = re.fullmatch(r"mfcvt([lh])\.(\w+)\.(\w+)", name).groups()  # type: ignore[union-attr]
        into, out_of = FLOATS[to], FLOATS[source]
        if into.itemsize > out_of.itemsize:
            count = self.size(md) // into.itemsize
            first = count if which == "h" else 0
            values = self.m[ms1].view(out_of)[:, first : first + count].astype(F64)
            target = slice(0, count)
        else:
            count = self.size(ms1) // out_of.itemsize
            values = self.m[ms1].view(out_of)[:, :count].astype(F64)
            first = count if which == "h" else 0
            target = slice(first, first + count)
        if self.saten and to in LARGEST:
            values = np.clip(values, -LARGEST[to], LARGEST[to])
        self.m[md].view(into)[:, target] = values.astype(into)

    def clip(self, name: str, md: int, ms2: int, shifts: np.ndarray) -> None:
        which, is_unsigned = re.match(r"mn4clip([lh])(u?)", name).groups()  # type: ignore[union-attr]
        values = self.view(ms2, unsigned(KINDS["w"]) if is_unsigned else KINDS["w"]).astype(object)
        low, high = (0, 255) if is_unsigned else (-128, 127)
        result = np.zeros(values.shape, np.int64)
        for place, value in np.ndenumerate(values):
            amount = int(shifts[place]) & 31
            down, rest = value >> amount, value & (1 << amount) - 1
            half = (1 << amount) / 2
            if amount and self.xrm == 0:
                down += rest >= half
            elif amount and self.xrm == 1:
                down += rest > half or (rest == half and down % 2 == 1)
            elif self.xrm == 3:
                down |= int(rest != 0)
            result[place] = min(max(down, low), high)
            self.sat |= int(result[place] != down)
        columns = values.shape[1]
        first = columns if which == "h" else 0
        self.m[md][:, first : first + columns] = result.astype(np.uint8 if is_unsigned else np.int8).view(np.uint8)

    def element_wise(self, md: int, result: np.ndarray, kind: np.dtype) -> None:
        """Write results of the tile's shape; the rest of an accumulator is 0."""
        whole = np.zeros((self.rows, self.arlen // 8 // kind.itemsize), kind)
        part = (slice(0, self.tile_m), slice(0, self.tile_n))
        whole[part] = result[part]
        self.m[md, :, : self.arlen // 8] = whole.view(np.uint8)


def parts(name: str) -> tuple[str, str, bool, int]:
    """("l" or "s", matrix, whether transposed, width) of a load or store."""
    found = re.fullmatch(r"m([ls])([abc])(t?)e(\d+)", name)
    assert found is not None
    return found[1], found[2], bool(found[3]), int(found[4])
