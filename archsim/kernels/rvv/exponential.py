"""Exponentials of float32 vectors, taken in float64 and rounded to float32.

x = n ln 2 + r with |r| <= ln 2 / 2, the product by parts (Cody and Waite, Software Manual for the Elementary Functions,
1980; the two parts of ln 2 are those of fdlibm's e_exp.c). e^r is Taylor's series to the power 13: what it leaves out
is below r^14 / 14! < 5e-18, less than a tenth of a float64's last place. All in all the error stays below one place of
float64, so that the float32 is the correctly rounded one unless e^x lies within 2^-28 of a float32's place from a tie.
"""

from __future__ import annotations

from math import e, factorial, log, log2

from archsim.kernels.assembly import SCRATCH, Assembly
from archsim.kernels.rvv.emit import double_constant, retype

_DEGREE = 13
_SERIES = [f"ft{number}" for number in range(12)] + ["fs0"]
"""Registers of 1 / k! for k from 1 to 13; that of 1 serves for k = 0, too."""
_LOG2_E, _LN2_HIGH, _LN2_LOW, _LEAST, _MOST = "fs1", "fs2", "fs3", "fs4", "fs5"
_BOUND = 256.0
"""Beyond it results of both signs are 0 or infinity in float32, and 2^n still is a float64."""


def prepare(asm: Assembly) -> None:
    """Constants into ft0 to ft11 and fs0 to fs5, where they stay."""
    for power, register in enumerate(_SERIES, 1):
        double_constant(asm, register, 1 / factorial(power))
    double_constant(asm, _LOG2_E, log2(e))
    double_constant(asm, _LN2_HIGH, 6.93147180369123816490e-01)
    double_constant(asm, _LN2_LOW, 1.90821492927058770002e-10)
    double_constant(asm, _LEAST, -_BOUND)
    double_constant(asm, _MOST, _BOUND)


def prepare_powers_of_two(asm: Assembly) -> None:
    """The same for powers_of_two: ln 2 is one number."""
    prepare(asm)
    double_constant(asm, _LN2_HIGH, log(2))


def exponentials(asm: Assembly, register: str) -> None:
    """e^x of float32 in a group of two registers, in place; vtype is e32, m2. It takes v16 to v31."""
    _widen(asm, register)
    asm("vfmul.vf", "v20", "v16", _LOG2_E)
    asm("vfcvt.x.f.v", "v20", "v20")
    asm("vfcvt.f.x.v", "v24", "v20")
    asm("vfnmsac.vf", "v16", _LN2_HIGH, "v24")
    asm("vfnmsac.vf", "v16", _LN2_LOW, "v24")
    _series(asm, register)


def powers_of_two(asm: Assembly, register: str) -> None:
    """2^x, likewise."""
    _widen(asm, register)
    asm("vfcvt.x.f.v", "v20", "v16")
    asm("vfcvt.f.x.v", "v24", "v20")
    asm("vfsub.vv", "v16", "v16", "v24")
    asm("vfmul.vf", "v16", "v16", _LN2_HIGH)
    _series(asm, register)


def _widen(asm: Assembly, register: str) -> None:
    asm("vfwcvt.f.f.v", "v16", register)
    retype(asm, 64, "m4")
    asm("vfmax.vf", "v16", "v16", _LEAST)
    asm("vfmin.vf", "v16", "v16", _MOST)


def _series(asm: Assembly, register: str) -> None:
    """e^v16 times 2^v20, rounded."""
    asm("vfmv.v.f", "v24", _SERIES[-1])
    for constant in [*_SERIES[-2::-1], _SERIES[0]]:
        asm("vfmv.v.f", "v28", constant)
        asm("vfmadd.vv", "v24", "v16", "v28")
    with asm.registers("bias") as (bias,):
        asm.li(bias, 1023)
        asm("vadd.vx", "v20", "v20", bias)
    asm.li(SCRATCH, 52)
    asm("vsll.vx", "v20", "v20", SCRATCH)
    asm("vfmul.vv", "v24", "v24", "v20")
    retype(asm, 32, "m2")
    asm("vfncvt.f.f.w", register, "v24")
