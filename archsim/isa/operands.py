"""Operands of an instruction in assembly text to the values that encode() takes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

from archsim.common.errors import InputError, nearest
from archsim.isa.encoding import operand_range
from archsim.isa.expressions import ExpressionError, evaluate
from archsim.isa.spec import Instruction, Isa, Variable
from archsim.isa.symbols import Place, Symbols
from archsim.isa.template import Operand, parse_template

_ADDRESS = re.compile(r"(.*?)\(\s*([\w.$]+)\s*\)")
_RELOCATION = re.compile(r"%(\w+)\s*\((.*)\)")
_RELOCATIONS = ("hi", "lo", "pcrel_hi", "pcrel_lo")
_Plan = tuple[tuple[Operand, Variable | None, Variable | None], ...]


def _combined(variable: Variable, text: str) -> int | None:
    """The value of parts written as words in their order, such as "e32, m4, ta, ma"; parts left out are 0.

    None if the text starts with no such word.
    """
    words = [word.strip() for word in text.split(",")]
    known = [[word for word in part.values if word is not None] for part in variable.parts]
    if len(words) == 1 and not any(words[0] in names for names in known):
        return None
    value = 0
    for part in variable.parts:
        if words and words[0] in part.values:
            value |= part.values.index(words.pop(0)) << part.low
    if words:
        forms = ", ".join("|".join(names) for names in known)
        raise InputError(f"{words[0]!r} does not belong there", remedy=f"write {forms}")
    return value


@dataclass
class OperandReader:
    """Reads operands; raises InputError without a place, which the assembler adds.

    Attributes:
        isa, symbols: what names mean.
        high: address of an instruction with %pcrel_hi -> the address that it asks for.
    """

    isa: Isa
    symbols: Symbols
    high: dict[int, int] = field(default_factory=dict)
    _plans: dict[str, _Plan] = field(default_factory=dict)
    _csrs: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._csrs = {name: state.address for name, state in self.isa.state.items() if state.kind == "csr"}

    def read(self, instruction: Instruction, texts: list[str], here: Place) -> dict[str, int]:
        """Values by variable name.

        Args:
            texts: one per operand of the instruction's template.
            here: where the instruction stands.

        Raises:
            InputError: wrong number of operands, or one that means nothing.
        """
        plan = self._plan(instruction)
        result: dict[str, int] = {}
        for (operand, variable, base), text in zip(plan, self._filled(instruction, plan, texts), strict=True):
            if text is None:
                assert variable is not None and variable.default is not None
                result[variable.name] = variable.default
                continue
            if operand.base is not None:
                match = _ADDRESS.fullmatch(text)
                if not match:
                    raise InputError(f"{text!r} is no address", remedy=f"write it as {operand}")
                text = match[1].strip() or "0"
                self._base(base, operand.base, match[2], result)
            if variable is not None:
                relative = instruction.unit == "branch" and base is None
                result[variable.name] = self.value(instruction, variable, text, here, relative)
            elif operand.name is not None:
                self._same(operand.name, text)
            elif text != "0":
                raise InputError(f"{text!r} is an offset, {instruction.name} takes none", remedy="leave it out")
        return result

    def _filled(self, instruction: Instruction, plan: _Plan, texts: list[str]) -> list[str | None]:
        """One text per operand: None for those left out at the end, parts of the last one joined."""
        last = plan[-1][1] if plan else None
        if last is not None and last.parts and len(texts) > len(plan):
            texts = [*texts[: len(plan) - 1], ",".join(texts[len(plan) - 1 :])]
        missing = len(plan) - len(texts)
        optional = [variable is not None and variable.default is not None for _, variable, _ in plan]
        if missing >= 0 and all(optional[len(texts) :]):
            return [*texts, *[None] * missing]
        count = f"{len(plan)} operand{'s' if len(plan) != 1 else ''}"
        form = f"{instruction.name} {instruction.assembly}".rstrip()
        raise InputError(f"{instruction.name} takes {count}, not {len(texts)}", remedy=f"write it as {form}")

    def _base(self, variable: Variable | None, name: str, text: str, result: dict[str, int]) -> None:
        if variable is None:
            self._same(name, text)
        else:
            result[variable.name] = self.register(variable, text)

    def _same(self, name: str, text: str) -> None:
        """Check an operand that is always the same register."""
        for numbers in self.isa.register_numbers.values():
            if name in numbers and numbers.get(text) == numbers[name]:
                return
        raise InputError(f"{text!r} stands where only {name} may", remedy=f"write {name}")

    def value(self, instruction: Instruction, variable: Variable, text: str, here: Place, relative: bool) -> int:
        """Value of an operand: a register, words, or an immediate."""
        if variable.register is not None:
            return self.register(variable, text)
        if text in variable.values:
            return variable.values.index(text)
        if variable.parts and (combined := _combined(variable, text)) is not None:
            return combined
        value = self.immediate(instruction, variable, text, here, relative)
        if variable.written_bits:
            half = 1 << variable.written_bits - 1
            return value - 2 * half if half <= value < 2 * half else value
        return value

    def _plan(self, instruction: Instruction) -> _Plan:
        plan = self._plans.get(instruction.name)
        if plan is None:
            by_name = {variable.name: variable for variable in instruction.variables}
            plan = tuple(
                (operand, by_name.get(operand.name or ""), by_name.get(operand.base or ""))
                for operand in parse_template(instruction.assembly)
            )
            self._plans[instruction.name] = plan
        return plan

    def register(self, variable: Variable, text: str) -> int:
        """Number of a register by its name in the file of a variable."""
        numbers = self.isa.register_numbers[str(variable.register)]
        if text in numbers:
            return numbers[text]
        near = nearest(text, numbers)
        names = self.isa.state[str(variable.register)].names
        span = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
        raise InputError(
            f"{text!r} is no register of {variable.register}",
            remedy=f"did you mean {near!r}?" if near else f"use {span}",
        )

    def immediate(self, instruction: Instruction, variable: Variable, text: str, here: Place, relative: bool) -> int:
        """Value of an immediate: an expression, %reloc(...), a CSR's name, or letters.

        Where `relative`, an expression with a symbol in it is an address, and the value its distance.
        """
        if variable.name == "csr" and text in self._csrs:
            return self._csrs[text]
        if variable.letters and text and not set(text) - set(variable.letters):
            return sum(1 << len(variable.letters) - 1 - variable.letters.index(letter) for letter in set(text))
        match = _RELOCATION.fullmatch(text) if "%" in text else None
        if match:
            return self.relocate(match[1], match[2], here)
        named: list[str] = []

        def symbol(name: str) -> int:
            named.append(name)
            return self.symbols.symbol(name, here)

        value = self.evaluate(text, symbol)
        if relative and named:
            return self.distance(instruction, variable, text, value, here)
        return value - (1 << 64) if value >= 1 << 63 else value

    def distance(self, instruction: Instruction, variable: Variable, text: str, target: int, here: Place) -> int:
        """Bytes from an instruction to an address that it jumps to."""
        distance = target - self.symbols.address(here)
        low, high, step = operand_range(variable)
        if not low <= distance <= high:
            raise InputError(
                f"{text} is {distance} bytes away from {instruction.name}",
                remedy=f"it reaches {low} to {high}: branch the other way around a j, or use call or tail",
            )
        if distance % step:
            raise InputError(f"{text} is no multiple of {step} bytes away", remedy="align it")
        return distance

    def relocate(self, kind: str, text: str, here: Place) -> int:
        """Upper 20 or lower 12 bits of an address: %hi, %lo, %pcrel_hi, %pcrel_lo(the label of the %pcrel_hi)."""
        if kind not in _RELOCATIONS:
            near = nearest(kind, _RELOCATIONS)
            raise InputError(
                f"unknown relocation %{kind}", remedy=f"did you mean %{near}?" if near else "use %hi or %lo"
            )
        value = self.number(text, here)
        if kind == "pcrel_lo":
            if value not in self.high:
                raise InputError(
                    f"there is no %pcrel_hi at {text}", remedy="name the label of the auipc, not of the data"
                )
            value = self.high[value] - value
        elif kind == "pcrel_hi":
            value -= self.symbols.address(here)
        low = (value + 2048) % 4096 - 2048
        if kind in ("lo", "pcrel_lo"):
            return low
        if not -(2**31) <= value - low < 2**31:
            raise InputError(f"{text} is {value}, too far for %{kind}", remedy="use what lies within 2 GiB")
        return (value - low) >> 12 & 0xFFFFF

    def number(self, text: str, here: Place) -> int:
        """Value of an expression."""
        return self.evaluate(text, lambda name: self.symbols.symbol(name, here))

    def evaluate(self, text: str, symbol: Callable[[str], int]) -> int:
        try:
            return evaluate(text, symbol)
        except KeyError as error:
            self.unknown(str(error.args[0]))
        except ExpressionError as error:
            raise InputError(str(error), remedy="write a number, a symbol, or an expression of them") from None

    def unknown(self, name: str) -> NoReturn:
        """Raise the error for a symbol that is not there."""
        near = nearest(name, [*self.symbols.names(), *self._csrs])
        raise InputError(
            f"unknown symbol {name!r}", remedy=f"did you mean {near!r}?" if near else "define it as a label or by .equ"
        )
