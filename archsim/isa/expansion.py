"""`expands: "addi xd, xd, imm"`: a short instruction as the one that it abbreviates."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, NoReturn

from archsim.common.errors import InputError, unknown
from archsim.common.yamlfile import YamlMap
from archsim.isa.encoding import operand_range
from archsim.isa.lexing import split_operands
from archsim.isa.problems import Problems
from archsim.isa.spec import Expansion, Extension, Instruction, State, Variable
from archsim.isa.template import parse_template
from archsim.isa.templates import expand_templates

_NUMBER = re.compile(r"-?\d+")
_OPERAND = re.compile(r"([-\w.]*)(?:\((\w+)\))?", re.ASCII)


def expand_all(
    extensions: dict[str, Extension], trees: dict[str, YamlMap], state: dict[str, State], problems: Problems
) -> None:
    """Give every instruction with `expands:` its expansion, and the unit of the instruction that it stands for.

    Args:
        extensions: loaded together; their instructions are replaced in place.
        trees: their files, by the same names.
        state: of all of them.
        problems: takes errors.

    Raises:
        InputError: there is no such instruction, or it cannot be given these operands.
    """
    known = {name: found for extension in extensions.values() for name, found in extension.instructions.items()}
    for extension in extensions.values():
        if all(instruction.operation is not None for instruction in extension.instructions.values()):
            continue
        entries = expand_templates(trees[extension.name]["instructions"])
        for name, instruction in extension.instructions.items():
            entry = entries[name]
            if "expands" in entry:
                with problems.caught():
                    where = entry.where("expands")
                    target, expansion = _Expander(instruction, state, where).run(str(entry["expands"]), known)
                    extension.instructions[name] = replace(instruction, unit=target.unit, expansion=expansion)


class _Expander:
    def __init__(self, instruction: Instruction, state: dict[str, State], where: dict[str, Any]) -> None:
        self.instruction, self.state, self.where = instruction, state, where
        self.own = {variable.name: variable for variable in instruction.variables}

    def run(self, text: str, known: dict[str, Instruction]) -> tuple[Instruction, Expansion]:
        mnemonic, _, rest = text.strip().partition(" ")
        target = known.get(mnemonic)
        if target is None or target.operation is None:
            full = [name for name, found in known.items() if found.operation is not None]
            raise unknown(f"instruction that {self.instruction.name} expands to", mnemonic, full, **self.where)
        template, pieces = parse_template(target.assembly), split_operands(rest)
        if len(template) != len(pieces):
            self.fail(f"{text!r} has {len(pieces)} operands", f"write it as {mnemonic} {target.assembly}")
        variables = {variable.name: variable for variable in target.variables}
        # suffixes and the like that the text does not give
        operands: dict[str, int | str] = {
            name: variable.default or 0
            for name, variable in variables.items()
            if variable.suffix or variable.default is not None
        }
        for operand, piece in zip(template, pieces, strict=True):
            match = _OPERAND.fullmatch(piece)
            if match is None or bool(operand.base) != bool(match[2]):
                self.fail(f"{piece!r} is not of the form {operand}", f"write it as {mnemonic} {target.assembly}")
            for name, part in ((operand.name, match[1]), (operand.base, match[2])):
                if name in variables:
                    operands[name] = self.value(variables[name], part or "0")
        return target, Expansion(mnemonic, operands)

    def value(self, variable: Variable, text: str) -> int | str:
        """What a variable of the full instruction gets: a variable of the short one, a register, or a number."""
        if text in self.own:
            self.fit(variable, self.own[text])
            return text
        if variable.register is not None:
            names = list(self.state[variable.register].names)
            if text not in names:
                raise unknown(f"operand {variable.name} of the expansion", text, [*self.own, *names], **self.where)
            return names.index(text)
        if not _NUMBER.fullmatch(text):
            raise unknown(f"operand {variable.name} of the expansion", text, self.own, **self.where)
        low, high, step = operand_range(variable)
        if not low <= int(text) <= high or int(text) % step:
            self.fail(f"{variable.name} is {text}", f"use {low} to {high}")
        return int(text)

    def fit(self, variable: Variable, own: Variable) -> None:
        if own.register != variable.register:
            found = f"selects from {own.register}" if own.register else "is an immediate"
            self.fail(f"{own.name} {found}, {variable.name} does not", "use another")
        low, high, step = operand_range(variable)
        least, most, own_step = operand_range(own)
        wraps = own.written_bits == variable.width and not variable.signed and not variable.left_shift
        if (least < low or most > high or own_step % step) and not wraps:
            self.fail(f"{own.name} is {least} to {most}, {variable.name} holds {low} to {high}", "make it narrower")

    def fail(self, message: str, remedy: str) -> NoReturn:
        raise InputError(f"expansion of {self.instruction.name}: {message}", **self.where, remedy=remedy)
