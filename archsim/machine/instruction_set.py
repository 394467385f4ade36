"""Which extensions a program runs with: those of its design, and for ELF files everything standard beside them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from archsim.common.resources import shipped
from archsim.isa.load import load_isa
from archsim.isa.program import Program
from archsim.isa.spec import Isa

STANDARD = (
    "m", "a", "f", "d", "c", "zicsr", "zicntr", "zifencei", "zicond", "zicbom", "zicbop", "zicboz", "zihintpause",
    "zacas", "zabha", "zawrs", "zba", "zbb", "zbc", "zbs", "zbkb", "zbkc", "zbkx", "zcb", "zfh", "zfa", "zfbfmin", "v",
    "zvfh", "zvfbfmin", "zvfbfwma", "zvbb", "zvbc", "sm",
)  # fmt: skip
"""What ELF files may use, as far as it ships."""
VLEN = 128
_BASE = re.compile(r"rv(32|64)[a-z].*")
_VECTOR_LENGTH = re.compile(r"zvl(\d+)b")


def instruction_set_for(program: Program, design: Any, extra: Sequence[str] = (), vlen: int | None = None) -> Isa:
    """The instruction set that an ELF program runs with on a design.

    Args:
        program: out of an ELF file; its width of registers decides on the base.
        design: a Design; its extensions that are not a base, and its parameters, hold.
        extra: more extensions, by name or file.
        vlen: bits of a vector register; default: what the design says or else 128, or what the program was compiled
            for if that is more.

    Raises:
        InputError: an extension is unknown or does not fit the others.
    """
    own = [name for name in design.isa if not is_base(name)] if program.xlen == 64 else []
    parameters = dict(design.parameters)
    needed = max((int(length) for length in _VECTOR_LENGTH.findall(program.arch or "")), default=0)
    parameters["VLEN"] = vlen or max(parameters.get("VLEN", VLEN), needed)
    return load_isa(standard_name(program.xlen), *own, *extra, parameters=parameters)


def is_base(name: str) -> bool:
    """Whether a name is that of a base, with extensions perhaps: rv64im."""
    return _BASE.fullmatch(name) is not None


def standard_name(xlen: int) -> str:
    """The name of a base with every standard extension that ships."""
    known = shipped("isa", ".yaml")
    return f"rv{xlen}i" + "_".join(["", *(name for name in STANDARD if name in known)])
