"""The program of a product in RVV: for each block of columns all rows of C, two at a time.

Codes are loaded in batches, the next but one while one is worked on: a vector load waits for main memory, and the
instructions that a vector unit holds are too few to wait with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

from archsim.kernels.assembly import SCRATCH, Assembly
from archsim.kernels.base import Placement
from archsim.kernels.rvv.emit import retype, shape
from archsim.kernels.rvv.matmul import MatMul
from archsim.kernels.rvv.target import STEP

_CHUNK = 32
"""Products of int8 and int4, at most 127 x 8 each, that a sum of 16 bits holds."""


@dataclass(frozen=True)
class Registers:
    """First registers of what is held for some rows of C.

    Attributes:
        results: float32 (m4), a group for each row.
        sums: in 32 bits (m4), likewise.
        short: sums in 16 bits (m2): for each row those of low halves and of high halves, or of both.
        low, high: halves of a register of codes.
        scales: float16 (m2).
        wide: scales as float32 (m4), when short sums are no longer needed.
        codes: registers of a row of codes each.
    """

    results: tuple[int, ...]
    sums: tuple[int, ...]
    short: tuple[tuple[int, int], ...]
    low: int
    high: int
    scales: int
    wide: int
    codes: range


_REGISTERS = (
    Registers((0,), (4,), ((8, 10),), 12, 13, 14, 8, range(16, 32)),
    Registers((0, 4), (8, 12), ((16, 16), (18, 18)), 20, 21, 22, 16, range(24, 32)),
)
"""For one row and for two, which take all 32."""


class MatMulWriter:
    """Emits a MatMul."""

    def __init__(self, kernel: MatMul, asm: Assembly, place: Placement) -> None:
        self.kernel, self.asm, self.place, self.layout = kernel, asm, place, kernel.layout()
        self.out_row = 4 * (kernel.width or kernel.out_features)
        self.size = self.layout.group or self.layout.in_features
        self.length = min(self.size, STEP)
        self.chunk = gcd(_CHUNK, self.length, self.size % self.length)

    def emit(self) -> None:
        asm, dram, layout = self.asm, self.place.dram, self.layout
        with asm.registers("codes scales out columns left") as (codes, scales, out, columns, left):
            asm.li(codes, dram["weights"])
            asm.li(scales, dram["weights"] + layout.code_bytes)
            asm.li(out, dram["out"] + 4 * self.kernel.first)
            asm.li(left, layout.out_features)
            again = asm.label("block")
            asm.place(again)
            asm.minimum(columns, left, layout.columns)
            self._all_rows(codes, scales, out, columns)
            for pointer, size in ((codes, layout.code_rows), (scales, 2 * layout.groups), (out, 4)):
                asm.mul(SCRATCH, columns, size)
                asm("add", pointer, pointer, SCRATCH)
            asm("sub", left, left, columns)
            asm.jump_if("bnez", left, again)

    def _all_rows(self, codes: str, scales: str, out: str, columns: str) -> None:
        """A block's columns of all rows of C."""
        asm, kernel = self.asm, self.kernel
        most = len(_REGISTERS)
        with asm.registers("a row_scale target left") as (a, row_scale, target, left):
            asm.li(a, self.place.dram["codes"])
            asm.li(row_scale, self.place.dram["scales"])
            asm("mv", target, out)
            if kernel.rows >= most:
                with asm.times(left, kernel.rows // most):
                    self._rows(_REGISTERS[most - 1], a, row_scale, target, codes, scales, columns)
            if kernel.rows % most:
                self._rows(_REGISTERS[kernel.rows % most - 1], a, row_scale, target, codes, scales, columns)

    def _rows(
        self, held: Registers, a: str, row_scale: str, target: str, codes: str, scales: str, columns: str
    ) -> None:
        """A block's columns of some rows; `a`, `row_scale` and `target` go on behind them."""
        asm, layout, rows = self.asm, self.layout, len(held.results)
        with asm.registers("scale groups second code end") as (scale, groups, second, code, end):
            asm("mv", code, codes)
            asm("mv", scale, scales)
            asm.mul(end, columns, layout.code_rows)
            asm("add", end, end, code)
            if rows > 1:
                asm.add(second, a, layout.in_features)
            shape(asm, columns, 32, "m4")
            for register in held.results:
                asm("vmv.v.i", f"v{register}", 0)
            writer = Pieces(self, held, [a, second][:rows], code, end, columns)
            writer.start()
            with asm.times(groups, layout.groups):
                retype(asm, 16, "m2")
                asm("vle16.v", f"v{held.scales}", f"({scale})")
                asm("slli", SCRATCH, columns, 1)
                asm("add", scale, scale, SCRATCH)
                self._group(writer)
            asm.add(a, a, (rows - 1) * layout.in_features)
        for row, register in enumerate(held.results):
            asm("flw", "fa0", f"{4 * row}({row_scale})")
            asm("vfmul.vf", f"v{register}", f"v{register}", "fa0")
            asm("vse32.v", f"v{register}", f"({target})")
            asm.add(target, target, self.out_row)
        asm.add(row_scale, row_scale, 4 * rows)

    def _group(self, writer: Pieces) -> None:
        """Products of a group, in pieces that are summed before they meet the scale."""
        pieces, rest = divmod(self.size, self.length)
        with self.asm.registers("pieces") as (left,):
            if pieces > 1:
                with self.asm.times(left, pieces):
                    writer.piece(self.length)
            else:
                writer.piece(self.length)
        if rest:
            writer.piece(rest)


class Pieces:
    """Emits products of pieces, for some rows of C.

    Args:
        inputs: pointers to the rows' activations.
        code, end: pointer to the codes that are loaded next, and their end.
    """

    def __init__(
        self, parent: MatMulWriter, held: Registers, inputs: list[str], code: str, end: str, columns: str
    ) -> None:
        self.asm, self.held, self.inputs, self.chunk = parent.asm, held, inputs, parent.chunk
        self.code, self.end, self.columns, self.bits = code, end, columns, parent.layout.bits
        self.count = self.chunk * self.bits // 8
        batch = min(len(held.codes) // 2, max(1, self.count // 2))
        self.batches = [held.codes[first : first + batch] for first in range(0, min(2 * batch, self.count), batch)]

    def start(self) -> None:
        """Load the first batches."""
        retype(self.asm, 8, "m1")
        for batch in self.batches:
            self._load(batch)

    def _load(self, batch: range) -> None:
        for register in batch:
            self.asm("vle8.v", f"v{register}", f"({self.code})")
            self.asm("add", self.code, self.code, self.columns)

    def piece(self, length: int) -> None:
        """Results += sum of so many products x scale; vtype is e32, m4 behind it."""
        asm, held = self.asm, self.held
        retype(asm, 32, "m4")
        for sums in held.sums:
            asm("vmv.v.i", f"v{sums}", 0)
        with asm.registers("chunks") as (left,), asm.times(left, length // self.chunk):
            self._chunk()
        retype(asm, 16, "m2")
        asm("vfwcvt.f.f.v", f"v{held.wide}", f"v{held.scales}")
        retype(asm, 32, "m4")
        for sums, results in zip(held.sums, held.results, strict=True):
            asm("vfcvt.f.x.v", f"v{sums}", f"v{sums}")
            asm("vfmul.vv", f"v{sums}", f"v{sums}", f"v{held.wide}")
            asm("vfadd.vv", f"v{results}", f"v{results}", f"v{sums}")

    def _chunk(self) -> None:
        """Sums += products of `chunk` inputs."""
        asm, held = self.asm, self.held
        retype(asm, *((8, "m1") if self.bits == 4 else (16, "m2")))
        size = len(self.batches[0])
        for first in range(0, self.count, size):
            batch = self.batches[first // size % len(self.batches)]
            for place, register in enumerate(batch, first):
                (self._nibbles if self.bits == 4 else self._bytes)(place, register)
            with asm.unless("bge", self.code, self.end):
                self._load(batch)
        for pointer in self.inputs:
            asm.add(pointer, pointer, self.chunk)
        if self.bits == 4:
            retype(asm, 16, "m2")
            for sums, short in zip(held.sums, held.short, strict=True):
                for part in dict.fromkeys(short):
                    asm("vwadd.wv", f"v{sums}", f"v{sums}", f"v{part}")

    def _nibbles(self, place: int, codes: int) -> None:
        """Products with a register of int4, of two inputs, into sums of 16 bits."""
        asm, held = self.asm, self.held
        low, high = f"v{held.low}", f"v{held.high}"
        with asm.registers("x0 x1 y0 y1") as scalars:
            for row, pointer in enumerate(self.inputs):
                for half in (0, 1):
                    asm("lb", scalars[2 * row + half], f"{2 * place + half}({pointer})")
            asm("vsll.vi", low, f"v{codes}", 4)
            asm("vsra.vi", high, f"v{codes}", 4)
            asm("vsra.vi", low, low, 4)
            for half, source in enumerate((low, high)):
                for row, short in enumerate(held.short):
                    # the first product replaces what was there
                    fresh = place == 0 and (half == 0 or short[0] != short[1])
                    operands = (source, scalars[2 * row + half]) if fresh else (scalars[2 * row + half], source)
                    asm("vwmul.vx" if fresh else "vwmacc.vx", f"v{short[half]}", *operands)

    def _bytes(self, place: int, codes: int) -> None:
        """Products with a register of int8, of one input, into sums of 32 bits."""
        asm, held = self.asm, self.held
        # registers of short sums are free: products of int8 are summed in 32 bits
        wide = f"v{held.wide + 2 * (place % 2)}"
        with asm.registers("x y") as scalars:
            for scalar, pointer in zip(scalars, self.inputs, strict=False):
                asm("lb", scalar, f"{place}({pointer})")
            asm("vsext.vf2", wide, f"v{codes}")
            for scalar, sums in zip(scalars, held.sums, strict=False):
                asm("vwmacc.vx", f"v{sums}", scalar, wide)
