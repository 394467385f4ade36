"""The loop of kernels that work row by row: rows dealt to cores, the next rows loaded while one is worked on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from archsim.kernels.assembly import HART, Assembly, Value
from archsim.kernels.base import LOAD_BARRIERS, STORE_BARRIERS, STREAM_BARRIERS, Kernel, Placement
from archsim.kernels.target import Target

ROW_BARRIERS = (*STREAM_BARRIERS, *LOAD_BARRIERS)
"""One for each of up to four input buffers."""
_DEPTHS = (4, 2, 1)
_PART_ROWS = 16
"""Rows per core that show how fast a tiling is."""

RowWork = Callable[[str, int], None]


class RowKernel(Kernel):
    """A kernel of rows; its tiling is how many rows of input have buffers. There are up to two of output."""

    rows: int

    def tilings(self) -> Sequence[int]:
        each = -(-self.rows // self.target.cores)
        return [depth for depth in _DEPTHS if depth <= each]

    def part(self) -> RowKernel:
        """Some rows per core."""
        rows = _PART_ROWS * self.target.cores
        return replace(self, rows=rows) if rows < self.rows else self  # type: ignore[type-var]

    def nest(self, tiling: int) -> list[str]:
        return [
            f"for row in 0..{self.rows - 1}: {self.target.cores} cores deal them out",
            f"  load what it reads, {tiling - 1} rows ahead",
            f"  {type(self).__name__.lower()} on the vector unit",
            "  store",
        ]

    def loaded(self, tiling: int, **sizes: int) -> dict[str, int]:
        """Sizes of the input buffers: each name with the buffer's number."""
        return {f"{name}{index}": size for index in range(tiling) for name, size in sizes.items()}

    def stored(self, tiling: int, **sizes: int) -> dict[str, int]:
        """Sizes of the output buffers."""
        return self.loaded(min(2, tiling), **sizes)

    def outlet(self, tiling: int, buffer: int) -> tuple[int, int]:
        """Output buffer and store barrier of the row in an input buffer."""
        number = buffer % min(2, tiling)
        return number, STORE_BARRIERS[number]


def each_row(asm: Assembly, target: Target, rows: int, depth: int, load: RowWork, work: RowWork) -> None:
    """Emit the loop over rows hart, hart + cores, ... below `rows`, and wait for all stores at its end.

    Args:
        depth: input buffers: depth - 1 rows are loaded ahead.
        load: load(row register, buffer) starts the transfers of a row on barrier ROW_BARRIERS[buffer].
        work: work(row register, buffer) computes on it once it is there, and stores.
    """
    with asm.registers("row ahead end") as (row, ahead, end):
        done, loop = asm.label("rows_done"), asm.label("rows")
        asm("mv", row, HART)
        asm.li(end, rows)
        for buffer in range(max(1, depth - 1)):
            asm.add(ahead, row, buffer * target.cores)
            with asm.unless("bge", ahead, end):
                load(ahead, buffer)
        asm.run_deferred()
        asm.jump_if("bge", row, end, done)
        asm.place(loop)
        for buffer in range(depth):
            if depth > 1:
                asm.add(ahead, row, (depth - 1) * target.cores)
                with asm.unless("bge", ahead, end):
                    load(ahead, (buffer + depth - 1) % depth)
            asm.wait(ROW_BARRIERS[buffer])
            work(row, buffer)
            asm.add(row, row, target.cores)
            if depth > 1:
                asm.jump_if("bge", row, end, done)
        if depth == 1 and rows > target.cores:
            asm.jump_if("bge", row, end, done)
            asm.wait(STORE_BARRIERS[0])
            load(row, 0)
        if rows > target.cores:
            asm("j", loop)
        asm.place(done)
    asm.wait(*STORE_BARRIERS)


def load_row(asm: Assembly, barrier: int, base: int, row: str, row_bytes: int, pad: int, pitch: int = 0) -> None:
    """Start the load of a row of an array at `base` to a scratchpad offset; pitch 0: rows adjoin."""
    _move(asm, "qt.dma.ld", barrier, base, row, row_bytes, pad, pitch)


def store_row(asm: Assembly, barrier: int, base: int, row: str, row_bytes: int, pad: int, pitch: int = 0) -> None:
    """Start the store of a row."""
    _move(asm, "qt.dma.st", barrier, base, row, row_bytes, pad, pitch)


def _move(
    asm: Assembly, mnemonic: str, barrier: int, base: int, row: str, row_bytes: int, pad: int, pitch: int
) -> None:
    with asm.registers("dram pad") as (dram, local):
        asm.element(dram, base, row, pitch or row_bytes)
        asm.pad(local, pad)
        asm.shape(1, row_bytes)
        asm(mnemonic, f"b{barrier}", dram, local)


def load_array(asm: Assembly, barrier: int, base: int, nbytes: Value, pad: int) -> None:
    """Start the load of a contiguous array to a scratchpad offset."""
    with asm.registers("dram pad") as (dram, local):
        asm.li(dram, base)
        asm.pad(local, pad)
        asm.shape(1, nbytes)
        asm("qt.dma.ld", f"b{barrier}", dram, local)


def vector(asm: Assembly, mnemonic: str, *pads: int) -> None:
    """A row instruction whose operands are scratchpad offsets (target first)."""
    with asm.registers(" ".join(f"p{index}" for index in range(len(pads)))) as registers:
        known: dict[int, str] = {}
        for register, pad in zip(registers, pads, strict=True):
            if pad not in known:
                known[pad] = register
                asm.pad(register, pad)
        asm(mnemonic, *(known[pad] for pad in pads))


def quantise(asm: Assembly, *, source: int, features: int, codes: int, largest: int, scale: int) -> None:
    """Quantise a float32 row to int8: codes, absolute maximum, and scale = maximum x (1 / 127)."""
    asm.csr("qvl", features)
    vector(asm, "qv.amax", largest, source)
    vector(asm, "qv.quant", codes, source, largest)
    asm.csr("qvl", 1)
    vector(asm, "qv.muls", scale, largest, asm.constant(1 / 127))


def quantise_and_store(
    asm: Assembly, place: Placement, row: str, *, source: int, features: int, number: int, barrier: int
) -> None:
    """Quantise a row into output buffer `number`, free by now, and send codes and scale to the arrays of that name."""
    pads = place.pads
    codes, scale = pads[f"codes{number}"], pads[f"scale{number}"]
    quantise(asm, source=source, features=features, codes=codes, largest=pads["largest"], scale=scale)
    store_row(asm, barrier, place.dram["codes"], row, features, codes)
    store_row(asm, barrier, place.dram["scales"], row, 4, scale)
