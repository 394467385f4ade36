"""IEEE 754 arithmetic in integers: every format, rounding mode and flag. What compiled operations call, by subject.

The slow path beside hostfloat, and the only one of 16-bit formats. Formats, rounding modes and flags are described in
softfloat_round.
"""

from archsim.machine.softfloat_arithmetic import soft_add, soft_div, soft_fma, soft_mul, soft_sqrt, soft_sub
from archsim.machine.softfloat_compare import (
    soft_class,
    soft_eq,
    soft_le,
    soft_leq,
    soft_lt,
    soft_ltq,
    soft_max,
    soft_maxm,
    soft_min,
    soft_minm,
    soft_sgnj,
)
from archsim.machine.softfloat_convert import (
    soft_convert,
    soft_fcvtmod,
    soft_fli,
    soft_from_int,
    soft_round,
    soft_to_int,
)
from archsim.machine.softfloat_round import soft_is_nan

__all__ = [
    "soft_add", "soft_class", "soft_convert", "soft_div", "soft_eq", "soft_fcvtmod", "soft_fli", "soft_fma",
    "soft_from_int", "soft_is_nan", "soft_le", "soft_leq", "soft_lt", "soft_ltq", "soft_max", "soft_maxm", "soft_min",
    "soft_minm", "soft_mul", "soft_round", "soft_sgnj", "soft_sqrt", "soft_sub", "soft_to_int",
]  # fmt: skip
