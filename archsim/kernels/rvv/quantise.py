"""Rows of float32 to int8 codes: 127 stands for the largest magnitude (reference.quantize)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from archsim.kernels.assembly import Assembly, Value
from archsim.kernels.rvv.emit import float_constant, retype, strips, whole


@dataclass(frozen=True)
class Source:
    """Where numbers come from, strip by strip; they are read twice.

    Attributes:
        start: puts the pointers at the first number.
        pointers: that go on, and bytes per number.
        load: puts the next strip, float32, into v8 to v11.
    """

    start: Callable[[], None]
    pointers: Mapping[str, int]
    load: Callable[[], None]


def row_at(asm: Assembly, pointer: str, start: Callable[[], None]) -> Source:
    """Numbers that lie in memory."""
    return Source(start, {pointer: 4}, lambda: asm("vle32.v", "v8", f"({pointer})"))


def quantise(asm: Assembly, count: Value, source: Source, codes: str, largest: str = "fa0") -> None:
    """Codes to the pointer `codes`, which goes behind them; the largest magnitude stays in a float register.

    It takes v8 to v15, v24 to v28, fa1 and fa7.
    """
    largest_magnitude(asm, count, source, largest)
    inverse_of(asm, largest, "fa1")
    store_codes(asm, count, source, codes, "fa1")


def largest_magnitude(asm: Assembly, count: Value, source: Source, target: str) -> None:
    """Float register target = largest magnitude."""
    whole(asm, 32, "m4")
    asm("vmv.v.i", "v24", 0)
    source.start()
    with strips(asm, count, 32, "m4", source.pointers):
        source.load()
        asm("vfsgnjx.vv", "v8", "v8", "v8")
        asm("vfmax.vv", "v24", "v24", "v8")
    whole(asm, 32, "m4")
    asm("vfredmax.vs", "v28", "v24", "v24")
    asm("vfmv.f.s", target, "v28")


def inverse_of(asm: Assembly, largest: str, target: str) -> None:
    """target = 127 / largest. It takes fa7.

    Where that is 0, so are all numbers, and 127 does as well: no branch depends on values, so that time does not.
    """
    asm("fmv.w.x", target, "zero")
    with asm.registers("nothing") as (nothing,):
        asm("feq.s", nothing, largest, target)
        asm("fcvt.s.w", target, nothing)
    asm("fadd.s", target, target, largest)
    float_constant(asm, "fa7", 127.0)
    asm("fdiv.s", target, "fa7", target)


def store_codes(asm: Assembly, count: Value, source: Source, codes: str, inverse: str) -> None:
    """Numbers times an inverse, rounded to integers of -127 to 127."""
    source.start()
    with asm.registers("least") as (least,):
        asm.li(least, -127)
        with strips(asm, count, 32, "m4", {**source.pointers, codes: 1}):
            source.load()
            asm("vfmul.vf", "v8", "v8", inverse)
            asm("vfcvt.x.f.v", "v8", "v8")
            asm("vmax.vx", "v8", "v8", least)
            retype(asm, 16, "m2")
            asm("vnclip.wi", "v12", "v8", 0)
            retype(asm, 8, "m1")
            asm("vnclip.wi", "v14", "v12", 0)
            asm("vse8.v", "v14", f"({codes})")


def scale_of(asm: Assembly, largest: str, target: str) -> None:
    """target = largest x (1 / 127), the scale of the codes."""
    float_constant(asm, target, 1 / 127)
    asm("fmul.s", target, largest, target)
