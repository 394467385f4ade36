"""Pieces of vector code: loops over strips and rows, constants in registers, the sum over 16 lanes.

Vector loads and stores take main memory as it is; loads of the hart go through its caches.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from archsim.kernels.assembly import SCRATCH, Assembly, Value

LANES = 16
"""Of a sum: element i is added to lane i modulo 16, then lanes in order."""


def float_constant(asm: Assembly, register: str, value: float) -> None:
    """register = a float32."""
    (bits,) = struct.unpack("<i", struct.pack("<f", value))
    asm.li(SCRATCH, bits)
    asm("fmv.w.x", register, SCRATCH)


def double_constant(asm: Assembly, register: str, value: float) -> None:
    """register = a float64."""
    (bits,) = struct.unpack("<q", struct.pack("<d", value))
    asm.li(SCRATCH, bits)
    asm("fmv.d.x", register, SCRATCH)


def shape(asm: Assembly, count: Value, sew: int, lmul: str) -> None:
    """vl = count (at most what registers hold), elements of `sew` bits in groups of `lmul` registers."""
    if isinstance(count, int) and count < 32:
        asm("vsetivli", "zero", count, f"e{sew}", lmul, "tu", "ma")
        return
    register = SCRATCH if isinstance(count, int) else count
    if isinstance(count, int):
        asm.li(SCRATCH, count)
    asm("vsetvli", "zero", register, f"e{sew}", lmul, "tu", "ma")


def whole(asm: Assembly, sew: int, lmul: str) -> None:
    """vl = all that registers hold."""
    asm("vsetvli", SCRATCH, "zero", f"e{sew}", lmul, "tu", "ma")


def retype(asm: Assembly, sew: int, lmul: str) -> None:
    """Another width of elements, of as many."""
    asm("vsetvli", "zero", "zero", f"e{sew}", lmul, "tu", "ma")


@contextmanager
def strips(asm: Assembly, count: Value, sew: int, lmul: str, pointers: Mapping[str, int]) -> Iterator[None]:
    """The block runs for each strip of `count` (>= 1) elements.

    Args:
        pointers: registers that go on behind each strip, and the bytes of an element there.
    """
    with asm.registers("left length") as (left, length):
        if isinstance(count, int):
            asm.li(left, count)
        else:
            asm("mv", left, count)
        again = asm.label("strip")
        asm.place(again)
        asm("vsetvli", length, left, f"e{sew}", lmul, "tu", "ma")
        yield
        asm("sub", left, left, length)
        for pointer, size in pointers.items():
            asm.mul(SCRATCH, length, size)
            asm("add", pointer, pointer, SCRATCH)
        asm.jump_if("bnez", left, again)


@contextmanager
def each_row(asm: Assembly, rows: int) -> Iterator[str]:
    """The block runs for rows 0 to `rows` - 1; gives the register that counts them."""
    with asm.registers("row") as (row,):
        asm.li(row, 0)
        again = asm.label("row")
        asm.place(again)
        yield row
        asm.add(row, row, 1)
        asm.li(SCRATCH, rows)
        asm.jump_if("blt", row, SCRATCH, again)


def lane_sum(asm: Assembly, pointer: str, count: Value, target: str, *, square: bool = False) -> None:
    """Float register target = sum of float32 at a pointer, or of their squares; the pointer goes behind them.

    It takes v30 and v31.
    """
    shape(asm, LANES, 32, "m1")
    asm("vmv.v.i", "v30", 0)

    def part() -> None:
        asm("vle32.v", "v31", f"({pointer})")
        if square:
            asm("vfmul.vv", "v31", "v31", "v31")
        asm("vfadd.vv", "v30", "v30", "v31")

    def full() -> None:
        part()
        asm.add(pointer, pointer, 4 * LANES)

    with asm.registers("left") as (left,):
        if isinstance(count, int):
            if count >= LANES:
                with asm.times(left, count // LANES):
                    full()
            if count % LANES:
                shape(asm, count % LANES, 32, "m1")
                part()
                asm.add(pointer, pointer, 4 * (count % LANES))
        else:
            asm("srli", left, count, LANES.bit_length() - 1)
            with asm.unless("beqz", left), asm.times(left, left):
                full()
            asm("andi", left, count, LANES - 1)
            with asm.unless("beqz", left):
                shape(asm, left, 32, "m1")
                part()
                asm("slli", left, left, 2)
                asm("add", pointer, pointer, left)
    shape(asm, LANES, 32, "m1")
    asm("vmv.s.x", "v31", "zero")
    asm("vfredosum.vs", "v31", "v30", "v31")
    asm("vfmv.f.s", target, "v31")
