"""Names in an assembly source: labels, numeric local labels, constants set by .equ."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from archsim.isa.expressions import evaluate


@dataclass(slots=True)
class Place:
    """Where something stands: section, byte in it, and its number in the order of the source."""

    section: str
    offset: int
    order: int


@dataclass
class Symbols:
    """All names. Addresses become known when `bases` gets the address of every section.

    Attributes:
        labels: name -> place.
        local: number -> places in order of the source (1:, 1b, 1f).
        constants: name -> its values in order of the source: from where it holds, and what (a place if an address).
        bases: section -> address.
    """

    labels: dict[str, Place] = field(default_factory=dict)
    local: dict[str, list[Place]] = field(default_factory=dict)
    constants: dict[str, list[tuple[int, int | Place]]] = field(default_factory=dict)
    bases: dict[str, int] = field(default_factory=dict)

    def names(self) -> Iterable[str]:
        """All but local labels, for suggestions."""
        return [*self.labels, *self.constants]

    def address(self, place: Place) -> int:
        return self.bases[place.section] + place.offset

    def value(self, text: str, here: Place) -> int:
        """The value of an expression at a place.

        Raises:
            ExpressionError: it is none.
            KeyError: with the name that is unknown.
        """
        return evaluate(text, lambda name: self.symbol(name, here))

    def early(self, text: str, here: Place) -> int | Place:
        """The value of an expression before the sections have addresses: a constant, or a place in a section.

        Raises:
            ExpressionError: it is none.
            KeyError: with a name that is not defined yet.
            ValueError: it depends on addresses in another way.
        """
        if not self.labels and not self.local and "." not in text:
            return self.value(text, here)
        known = self.bases
        low, high = 1 << 60, 1 << 61
        weights = {257**index: section for index, section in enumerate(known)}
        try:
            # evaluated with two sets of bases, the value tells which base it contains, and how often
            values = []
            for step in (low, high):
                self.bases = {section: step * weight for weight, section in weights.items()}
                values.append(self.value(text, here))
        finally:
            self.bases = known
        weight, rest = divmod(values[1] - values[0], high - low)
        if rest or (weight and weight not in weights):
            raise ValueError(text)
        return Place(weights[weight], values[0] - low * weight, here.order) if weight else values[0]

    def symbol(self, name: str, here: Place) -> int:
        """The value of a name at a place: an address, or a constant.

        Raises:
            KeyError: there is none.
        """
        if name == ".":
            return self.address(here)
        if name in self.constants:
            values = self.constants[name]
            index = bisect_right(values, here.order, key=lambda entry: entry[0])
            value = values[max(index - 1, 0)][1]
            return value if isinstance(value, int) else self.address(value)
        if name in self.labels:
            return self.address(self.labels[name])
        if name[:-1].isdigit() and name[-1] in "bf":
            return self.address(self.numeric(name, here))
        raise KeyError(name)

    def numeric(self, name: str, here: Place) -> Place:
        """The place of 1b (the nearest before) or 1f (the nearest after)."""
        places = self.local.get(name[:-1], [])
        index = bisect_right(places, here.order, key=lambda place: place.order) - (name[-1] == "b")
        if not 0 <= index < len(places):
            raise KeyError(name)
        return places[index]
