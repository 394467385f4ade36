"""What the YAML of a vector instruction says beside its operation."""

from __future__ import annotations

import re
from collections.abc import Collection

from archsim.common.errors import InputError
from archsim.common.yamlfile import YamlMap
from archsim.isa.schema import check_keys
from archsim.isa.spec import VectorFacts

ELEMENT_WIDTHS = (8, 16, 32, 64)
KINDS = (
    "alu", "multiply", "float", "compare", "divide", "convert", "reduce", "float_reduce", "float_reduce_ordered",
    "slide", "slide_one", "gather", "mask", "move", "load", "store",
)  # fmt: skip
"""What is done with the elements, as far as time goes. float: additions, products, fused ones; compare: of floating
point, also minimum, maximum and signs; divide: also square roots; slide_one: by one place; gather: any source element
to any place; mask: on mask bits; move: between element 0 and a scalar register."""
ACCESSES = ("unit", "strided", "indexed")
"""How elements of a load or store lie in memory: side by side, at a stride, where an index register says."""
_SEW_ITEM = re.compile(r"(\d+)(?: if (\w+))?")


def parse_vector(entry: YamlMap, what: str, extensions: Collection[str]) -> VectorFacts | None:
    """The `vector:` mapping of an instruction; None where there is none.

    Args:
        extensions: those loaded: an element width may depend on one ("16 if Zvfh").
    """
    facts = entry.get("vector")
    if facts is None:
        return None
    check_keys(facts, "vector", f"vector of {what}")
    widths = []
    for item in facts.get("sew", []):
        match = _SEW_ITEM.fullmatch(str(item))
        if match is None or int(match[1]) not in ELEMENT_WIDTHS:
            raise InputError(
                f"sew of {what} has {item!r}", **facts.where("sew"), remedy="write 8, 16, 32, 64 or '16 if Zvfh'"
            )
        if match[2] is None or match[2] in extensions:
            widths.append(int(match[1]))
    least = int(facts.get("least", 0))
    kind, access = str(facts.get("kind", "")), str(facts.get("access", "unit"))
    for key, value, known in (("kind", kind or "alu", KINDS), ("access", access, ACCESSES)):
        if value not in known:
            raise InputError(
                f"{key} of {what} is {value!r}", **facts.where(key), remedy=f"use one of {', '.join(known)}"
            )
    return VectorFacts(
        facts.get("loop", True),
        tuple(width for width in widths if width >= least),
        tuple(str(name) for name in facts.get("disjoint", [])),
        facts.get("restarts", True),
        str(facts.get("count", "")),
        kind,
        access,
    )
