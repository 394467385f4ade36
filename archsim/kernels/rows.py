"""The loop of kernels that work row by row: rows dealt to cores, the next row loaded while one is worked on."""

from __future__ import annotations

from collections.abc import Callable

from archsim.kernels.assembly import HART, Assembly, Value
from archsim.kernels.base import LOAD_BARRIERS
from archsim.kernels.target import Target


def double_buffered(rows: int, target: Target) -> bool:
    """Whether any core has more than one row."""
    return rows > target.cores


def each_row(
    asm: Assembly,
    target: Target,
    rows: int,
    depth: int,
    load: Callable[[str, int], None],
    work: Callable[[str, int], None],
) -> None:
    """Emit the loop over rows hart, hart + cores, ... below `rows`.

    Args:
        depth: buffers per input: 1 or 2.
        load: load(row register, buffer number) starts the transfers of a row on barrier LOAD_BARRIERS[buffer].
        work: work(row register, buffer number) computes on it once it is there, and stores.
    """
    with asm.registers("row next end") as (row, after, end):
        done = asm.label("rows_done")
        asm("mv", row, HART)
        asm.li(end, rows)
        with asm.unless("bge", row, end):
            load(row, 0)
        asm.run_deferred()
        asm.jump_if("bge", row, end, done)
        loop = asm.label("rows")
        asm.place(loop)
        for buffer in range(depth):
            asm.add(after, row, target.cores)
            if depth > 1:
                with asm.unless("bge", after, end):
                    load(after, 1 - buffer)
            asm.wait(LOAD_BARRIERS[buffer])
            work(row, buffer)
            asm("mv", row, after)
            if depth > 1:
                asm.jump_if("bge", row, end, done)
        if depth > 1:
            asm("j", loop)
        elif double_buffered(rows, target):
            with asm.unless("bge", row, end):
                load(row, 0)
                asm("j", loop)
        asm.place(done)


def load_row(
    asm: Assembly, barrier: int, base: int, row: str, row_bytes: int, pad: int, stride: int | None = None
) -> None:
    """Start the load of a row of an array at `base` to a scratchpad offset."""
    _move(asm, "qt.dma.ld", barrier, base, row, row_bytes, pad, stride)


def store_row(
    asm: Assembly, barrier: int, base: int, row: str, row_bytes: int, pad: int, stride: int | None = None
) -> None:
    """Start the store of a row."""
    _move(asm, "qt.dma.st", barrier, base, row, row_bytes, pad, stride)


def _move(
    asm: Assembly, mnemonic: str, barrier: int, base: int, row: str, row_bytes: int, pad: int, stride: int | None
) -> None:
    with asm.registers("dram pad") as (dram, local):
        asm.element(dram, base, row, row_bytes if stride is None else stride)
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
