"""Names of number formats.

To add a family, write a module with a FAMILY and list it in FAMILIES: nothing else knows what families there are.
"""

from __future__ import annotations

import difflib
from itertools import chain

from archsim.common.errors import InputError
from archsim.formats import (
    cast,
    codebook,
    gguf_blocks,
    integer,
    microscaling,
    minifloat,
    normal_float,
    sign,
    turboquant,
)
from archsim.formats.family import Family
from archsim.formats.format import Format

FAMILIES: tuple[Family, ...] = tuple(
    module.FAMILY
    for module in (integer, sign, minifloat, microscaling, normal_float, codebook, turboquant, gguf_blocks, cast)
)


def parse_format(name: str) -> Format:
    """The format of a name.

    Raises:
        InputError: there is none (says which are near), or its group is no power of two in range.
    """
    text = str(name)
    for family in FAMILIES:
        form = family.parse(text)
        if form is not None:
            return form
    near = difflib.get_close_matches(text.lower(), list(chain(*(f.examples for f in FAMILIES))), n=3, cutoff=0.6)
    guess = f"did you mean {near[0]!r}? " if near else ""
    others = f"also near: {', '.join(near[1:])}; " if near[1:] else ""
    raise InputError(f"unknown format {text!r}", remedy=f"{guess}{others}`archsim formats list` shows all")
