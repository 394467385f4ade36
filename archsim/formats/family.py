"""A family of formats: names that one rule reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from archsim.formats.format import Format


class Family(NamedTuple):
    """A rule for names.

    Attributes:
        grammar: how its names are made, for people.
        about: what they are, in a line.
        examples: names, from which the nearest to a misspelt one is found; the first stands for the family.
        parse: the format of a name, or None if the name is not of the family; raises InputError where it is, but is
            wrong.
    """

    grammar: str
    about: str
    examples: tuple[str, ...]
    parse: Callable[[str], Format | None]
