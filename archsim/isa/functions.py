"""What operations may call: functions with their types. All else that they can do is arithmetic and declared state."""

from __future__ import annotations

# name -> (argument types, result). "num" takes ints or floats alike and gives the same; "const" is an int known when
# the operation is compiled, such as a width; "" is no result.
FUNCTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "sext": (("int", "int"), "int"),
    "zext": (("int", "int"), "int"),
    "shr": (("int", "int"), "int"),
    "ltu": (("int", "int"), "int"),
    "mulh": (("int", "int"), "int"),
    "mulhu": (("int", "int"), "int"),
    "mulhsu": (("int", "int"), "int"),
    "div": (("int", "int"), "int"),
    "divu": (("int", "int"), "int"),
    "rem": (("int", "int"), "int"),
    "remu": (("int", "int"), "int"),
    **dict.fromkeys(("clz", "ctz", "rev8", "clmul"), (("int", "int"), "int")),
    **dict.fromkeys(("cpop", "orc_b", "brev8", "zip_bits", "unzip_bits"), (("int",), "int")),
    **dict.fromkeys(("clmulh", "clmulr"), (("int", "int", "int"), "int")),
    "min": (("num", "num"), "num"),
    "max": (("num", "num"), "num"),
    "abs": (("num",), "num"),
    "clip": (("num", "num", "num"), "num"),
    "round_shift": (("int", "int"), "int"),
    "f32": (("any",), "f32"),
    "f64": (("any",), "f64"),
    "rint": (("float",), "int"),
    "exp": (("float",), "float"),
    "exp2": (("float",), "float"),
    "sqrt": (("float",), "float"),
    "is_nan": (("float",), "bool"),
    **dict.fromkeys(("to_f16", "to_bf16", "to_tf32"), (("float",), "f32")),
    **dict.fromkeys(("to_e4m3", "to_e5m2"), (("float", "int"), "f32")),
    "as_f32": (("int",), "f32"),
    "as_int": (("f32",), "int"),
    **{f"load_{kind}": (("int",), "int") for kind in ("i8", "u8", "i16", "u16", "i32", "u32", "i64")},
    "load_f32": (("int",), "f32"),
    "load_f16": (("int",), "f32"),
    **{f"store_{bits}": (("int", "int"), "") for bits in (8, 16, 32, 64)},
    "store_f32": (("int", "f32"), ""),
    "store_f16": (("int", "f32"), ""),
    "csr_read": (("int",), "int"),
    "csr_write": (("int", "int"), ""),
    "jump": (("int",), ""),
    "copy": (("int", "int", "int", "int", "int", "int"), ""),
    "trap": (("int",), ""),
    "illegal": ((), ""),
    "ecall": ((), ""),
    "ebreak": ((), ""),
    "fence": ((), ""),
    "fence_i": ((), ""),
    "misaligned": (("int",), ""),
    "reserve": (("int",), ""),
    "reserved": (("int",), "bool"),
    "release": ((), ""),
    "barrier": ((), ""),
    "mret": ((), ""),
    "wfi": ((), ""),
    "load": (("const", "int"), "int"),
    "store": (("const", "int", "int"), ""),
    "rounding": (("int",), "int"),
    "box": (("const", "int"), "int"),
    "unbox": (("const", "int"), "int"),
    **dict.fromkeys(("fadd", "fsub", "fmul", "fdiv"), (("const", "int", "int", "int"), "int")),
    "fsqrt": (("const", "int", "int"), "int"),
    "fma": (("const", "int", "int", "int", "int"), "int"),
    **dict.fromkeys(("feq", "flt", "fle", "fmin", "fmax"), (("const", "int", "int"), "int")),
    "fclass": (("const", "int"), "int"),
    "fcvt": (("const", "const", "int", "int"), "int"),
    "to_int": (("const", "int", "int", "int", "int"), "int"),
    "from_int": (("const", "int", "int", "int"), "int"),
    "fcvt_odd": (("const", "const", "int"), "int"),
    "frec7": (("const", "int", "int"), "int"),
    "frsqrt7": (("const", "int"), "int"),
    "set_vtype": (("int", "int"), "int"),
    "set_vl": (("int",), ""),
    "active": (("int",), "bool"),
    "mask_bit": (("int",), "int"),
    "span": (("int",), "int"),
    "load_row": (("const", "int", "int"), "int"),
    "store_row": (("const", "int", "int", "int"), ""),
    "accessible": (("int", "int"), "bool"),
    **{f"sat_{name}": (("const", "int", "int"), "int") for name in ("add", "addu", "sub", "subu")},
    **{f"avg_{name}": (("const", "int", "int", "int"), "int") for name in ("add", "addu", "sub", "subu")},
    "frac_mul": (("const", "int", "int", "int"), "int"),
    "round_shr": (("int", "int", "int"), "int"),
    "round_shru": (("const", "int", "int", "int"), "int"),
    "narrow_clip": (("const", "int", "int", "int"), "int"),
    "narrow_clipu": (("const", "int", "int", "int"), "int"),
}
FIXED_POINT = frozenset(
    {name for name in FUNCTIONS if name.startswith(("sat_", "avg_", "round_shr"))}
    | {"frac_mul", "narrow_clip", "narrow_clipu"}
)
"""Fixed-point functions: compiled ones take the width, where there is one, behind their two operands."""
CONTEXT_FUNCTIONS = frozenset(
    {
        "reserved", "rounding", "box", "unbox", "fadd", "fsub", "fmul", "fdiv", "fsqrt", "fma", "feq", "flt", "fle",
        "fmin", "fmax", "fclass", "fcvt", "to_int", "from_int", "fcvt_odd", "frec7", "frsqrt7", "accessible",
    }
)  # fmt: skip
"""Functions with a value that work on the hart: on its flags, its reservation, its rounding mode."""
CSR_WRITERS = frozenset({"csr_write", "set_vtype", "set_vl", "mret"})
"""Functions that change CSRs other than those of floating point."""
VECTOR_FUNCTIONS = frozenset({"active", "mask_bit", "span", "load_row", "store_row"})
"""Functions of elements of the vector at work: only instructions with `vector:` have one."""
