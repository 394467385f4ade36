"""Functions of float32 rows whose result stays float32: what general graphs take between products."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from archsim.kernels.assembly import Assembly
from archsim.kernels.base import Array, Placement
from archsim.kernels.rows import ROW_BARRIERS, RowKernel, each_row, load_array, vector
from archsim.kernels.target import Target

_BLOCKS = (32, 16, 8, 4, 2)
_BLOCK = 2048
"""Elements of a block of rows: some hundred cycles of a vector unit, where starting takes some ten."""

Emit = Callable[[Assembly, int, int, int], None]
"""Of an assembly, and scratchpad offsets of the result, the row, and a number beside it."""


def _unary(mnemonic: str) -> Emit:
    return lambda asm, out, row, number: vector(asm, mnemonic, out, row)


def _softmax(asm: Assembly, out: int, row: int, number: int) -> None:
    """exp(x - max) / sum, as attention takes it."""
    vector(asm, "qv.max", number, row)
    vector(asm, "qv.exps", out, row, number)
    vector(asm, "qv.sum", number, out)
    vector(asm, "qv.divs", out, out, number)


UNARY: dict[str, Emit] = {
    "relu": _unary("qv.relu"),
    "gelu_tanh": _unary("qv.gelu"),
    "gelu_erf": _unary("qv.gelue"),
    "silu": _unary("qv.silu"),
    "softmax": _softmax,
}
BINARY = {"add": "qv.add", "sub": "qv.sub", "mul": "qv.mul"}


@dataclass(frozen=True)
class RowFunction(RowKernel):
    """out float32 [rows, features] = f(x), or x combined with `other`; rows of all lie apart as a product's do.

    Attributes:
        function: one of UNARY or BINARY.
        other_rows: rows of `other`: row r meets row r modulo this; 0: there is none.
    """

    name: str
    target: Target
    rows: int
    features: int
    function: str
    other_rows: int = 0

    @property
    def block(self) -> int:
        """Rows that are one for the vector unit, which starts seldom then: where elements meet those of their place."""
        if self.function == "softmax" or self.other_rows not in (0, self.rows):
            return 1
        most = min(_BLOCK // self.features, self.rows // self.target.cores)
        return max((size for size in _BLOCKS if size <= most and self.rows % size == 0), default=1)

    @property
    def pitch(self) -> int:
        return self.target.pitch(4 * self.features)

    def arrays(self) -> dict[str, Array]:
        x = Array((self.rows, self.features), "f4", pitch=self.pitch)
        arrays = {"x": x, "out": Array(x.shape, "f4", written=True, pitch=self.pitch)}
        if self.other_rows:
            arrays["other"] = Array((self.other_rows, self.features), "f4", pitch=self.pitch)
        return arrays

    def buffers(self, tiling: int) -> dict[str, int]:
        row = 4 * self.features * self.block
        own = {"number": 4} | ({"other": row} if self.other_rows == 1 else {})
        inputs = {"x": row} | ({"other": row} if self.other_rows > 1 else {})
        return own | self.loaded(tiling, **inputs) | self.stored(tiling, row=row)

    def tilings(self) -> Sequence[int]:
        blocks = -(-self.rows // self.block // self.target.cores)
        return [depth for depth in super().tilings() if depth <= blocks]

    def emit(self, asm: Assembly, tiling: int, place: Placement) -> None:
        dram, pads, count = place.dram, place.pads, self.block * self.features
        if self.other_rows == 1:
            load_array(asm, ROW_BARRIERS[0], dram["other"], 4 * self.features, pads["other"])

        def load(row: str, buffer: int) -> None:
            self._move(asm, "qt.dma.ld", ROW_BARRIERS[buffer], dram["x"], row, pads[f"x{buffer}"])
            if self.other_rows > 1:
                self._load_other(asm, place, row, buffer)

        def work(row: str, buffer: int) -> None:
            number, barrier = self.outlet(tiling, buffer)
            asm.wait(barrier)
            asm.csr("qvl", count)
            x, out = pads[f"x{buffer}"], pads[f"row{number}"]
            if self.function in UNARY:
                UNARY[self.function](asm, out, x, pads["number"])
            else:
                other = pads["other" if self.other_rows == 1 else f"other{buffer}"]
                vector(asm, BINARY[self.function], out, x, other)
            self._move(asm, "qt.dma.st", barrier, dram["out"], row, out)

        each_row(asm, self.target, self.rows // self.block, tiling, load, work)
        asm.wait(ROW_BARRIERS[0])

    def _move(self, asm: Assembly, mnemonic: str, barrier: int, base: int, number: str, pad: int) -> None:
        """Start the transfer of a block of rows."""
        size = 4 * self.features
        with asm.registers("dram local") as (dram, local):
            asm.element(dram, base, number, self.block * self.pitch)
            asm.pad(local, pad)
            asm.shape(self.block, size, self.pitch, size)
            asm(mnemonic, f"b{barrier}", dram, local)

    def _load_other(self, asm: Assembly, place: Placement, row: str, buffer: int) -> None:
        pad = place.pads[f"other{buffer}"]
        with asm.registers("number") as (number,):
            asm("mv", number, row)
            if self.other_rows < self.rows:
                asm.li(number, self.other_rows)
                asm("remu", number, row, number)
            self._move(asm, "qt.dma.ld", ROW_BARRIERS[buffer], place.dram["other"], number, pad)
