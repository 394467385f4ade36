"""An include file of assembler macros for an extension, so that stock GNU as and clang assemble its mnemonics.

Both assemblers take dots in the names of macros, and the same operands as archsim's assembler. Registers and words
become numbers by symbols, `.set .LXqt_t_t3, 3`; a base register in parentheses stays as it is, for `.insn` to read.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from archsim.common.errors import unknown
from archsim.isa.encoding import bit_runs, operand_range
from archsim.isa.spec import Extension, Instruction, Isa, Variable
from archsim.isa.template import Operand, parse_template

_BASE = (19, 18, 17, 16, 15)
_TARGET = (11, 10, 9, 8, 7)
_NUMBERED = 5
"""Widest field, in bits, whose numbers stand for themselves beside its words."""

_HEAD = """\
# {title}. Made by archsim from {file}.
# .include it in front of a source for GNU as or clang: its mnemonics are macros that make their words.
# Operands are written as for archsim, {exceptions}.
"""
_WITH_BASE = """\
.macro .L{name}_with_base opcode, funct3, target, upper, address
.set .L{name}_upper, (((\\upper) & 0xfff) ^ 0x800) - 0x800
.irp number, {numbers}
.if (\\target) == \\number
.insn i \\opcode, \\funct3, x\\number, .L{name}_upper+0\\address
.endif
.endr
.endm
"""


def insn_macros(isa: Isa, extension: str) -> str:
    """Macros for every instruction of an extension, one for each mnemonic with a suffix.

    Args:
        isa: holds the extension and those it requires.
        extension: its name, such as "Xqt".

    Raises:
        InputError: the Isa has no such extension.
    """
    if extension not in isa.extensions:
        raise unknown("extension", extension, isa.extensions)
    found = isa.extensions[extension]
    symbols = _Symbols(found.name)
    macros = [
        _Macro(isa, symbols, instruction, given).text(mnemonic)
        for mnemonic, (instruction, given) in isa.mnemonics.items()
        if instruction.extension == extension
    ]
    parts = [_head(found), *symbols.lines()]
    if any("_with_base" in macro for macro in macros):
        parts.append(_WITH_BASE.format(name=found.name, numbers=",".join(map(str, range(32)))))
    csrs = [f".equ {name}, {state.address:#x}" for name, state in found.state.items() if state.kind == "csr"]
    if csrs:
        parts += ["# CSRs: csrr a0, +NAME (GNU as takes NAME, too)", *csrs, ""]
    return "\n".join([*parts, *macros])


def has_split_address(instruction: Instruction) -> bool:
    """Whether the macro takes an operand such as imm(xs1) as two, imm and xs1: `.insn` has no form for it."""
    return any(
        operand.name and operand.base and _address_form(instruction, operand) is None
        for operand in parse_template(instruction.assembly)
    )


def _head(extension: Extension) -> str:
    branches = any(_is_distance(one, v) for one in extension.instructions.values() for v in one.variables)
    exceptions = ["an offset in front of a base even where it is 0"]
    if any(has_split_address(instruction) for instruction in extension.instructions.values()):
        exceptions.append("where the macro has imm, xs1 for imm(xs1) as two operands")
    if branches:
        exceptions.append("and a branch's target as its distance in bytes")
    title = f"{extension.name} {extension.version}".rstrip() + f": {extension.long_name}"
    return _HEAD.format(title=title, file=extension.file.name, exceptions=", ".join(exceptions))


def _is_distance(instruction: Instruction, variable: Variable) -> bool:
    return instruction.unit == "branch" and variable.register is None and variable.left_shift > 0


@dataclass
class _Symbols:
    """Names of registers and words as symbols: content -> prefix."""

    extension: str
    sets: dict[tuple[tuple[str, int], ...], str] = field(default_factory=dict)

    def prefix(self, name: str, numbers: dict[str, int]) -> str:
        """What stands before a name to make it a symbol that has its number."""
        content = tuple(numbers.items())
        if content not in self.sets:
            wanted = f".L{self.extension}_{name}_"
            while wanted in self.sets.values():
                wanted = f"{wanted[:-1]}x_"
            self.sets[content] = wanted
        return self.sets[content]

    def lines(self) -> list[str]:
        return [
            "\n".join(f".set {prefix}{name}, {number}" for name, number in content) + "\n"
            for content, prefix in self.sets.items()
        ]


def _words(variable: Variable) -> dict[str, int]:
    """Word -> value, the empty one for what may be left out."""
    words = {word: value for value, word in enumerate(variable.values) if word is not None}
    if variable.letters:
        count = len(variable.letters)
        words = {
            "".join(c for i, c in enumerate(variable.letters) if value >> (count - 1 - i) & 1) or "0": value
            for value in range(1 << count)
        }
    if variable.default is not None:
        words[""] = variable.default
    numbers = range(1 << variable.width) if variable.width <= _NUMBERED else ()
    return words | {str(number): number for number in numbers if str(number) not in words}


def _address_form(instruction: Instruction, operand: Operand) -> str | None:
    """How `.insn` can take imm(xs1) or (xs1) as a whole: "i", "s", "base", or None."""
    variables = {variable.name: variable for variable in instruction.variables}
    base = variables.get(operand.base or "")
    if base is None or base.register != "X" or base.bits != _BASE or instruction.width != 32:
        return None
    if operand.name is None:
        return "base"
    offset = variables.get(operand.name)
    others = [v for v in instruction.variables if v.name not in operand.variables]
    if offset is None or offset.register or not offset.signed or offset.left_shift or offset.values:
        return None
    if "-" in instruction.match[-7:] + instruction.match[17:20] or any(v.register not in ("X", "F") for v in others):
        return None
    if offset.bits == tuple(range(31, 19, -1)):
        return (
            "i" if all(v.bits == _TARGET for v in others) and (others or "-" not in instruction.match[20:25]) else None
        )
    if offset.bits == (*range(31, 24, -1), *_TARGET):
        return "s" if all(v.bits == tuple(range(24, 19, -1)) for v in others) else None
    return None


class _Macro:
    """One macro: its parameters, the checks of their values, and what makes the word."""

    def __init__(self, isa: Isa, symbols: _Symbols, instruction: Instruction, given: dict[str, int]) -> None:
        self.isa, self.symbols, self.instruction = isa, symbols, instruction
        self.variables = {variable.name: variable for variable in instruction.variables}
        self.parameters: list[str] = []
        self.checks: list[str] = []
        self.terms: dict[str, str] = {name: str(value) for name, value in given.items()}
        self.address: tuple[str, str, Operand] | None = None
        for operand in parse_template(instruction.assembly):
            self.operand(operand)

    def text(self, mnemonic: str) -> str:
        lines = [f".macro {mnemonic} {', '.join(self.parameters)}".rstrip(), *self.checks, self.body(), ".endm", ""]
        return "\n".join(lines)

    def operand(self, operand: Operand) -> None:
        form = _address_form(self.instruction, operand) if operand.base else None
        if form is not None:
            name = operand.name or str(operand.base)
            self.parameters.append(name)
            self.address = form, f"\\{name}", operand
            return
        for name in operand.variables:
            if name in self.variables:
                self.value(self.variables[name])
            else:
                self.same(name)

    def same(self, name: str) -> None:
        """An operand that is always the same register."""
        self.parameters.append(name)
        self.checks += [f".ifnc \\{name}, {name}", f'.error "{self.instruction.name} takes {name} only"', ".endif"]

    def value(self, variable: Variable) -> None:
        name = variable.name
        if variable.parts:
            self.parts(variable)
            return
        default = variable.default is not None
        if variable.register is not None:
            prefix = self.symbols.prefix(variable.register, self.isa.register_numbers[variable.register])
            self.terms[name] = f"{prefix}\\{name}"
            largest = self.isa.state[variable.register].count - 1
            self.check(variable, self.terms[name], 0, largest)
        elif variable.values or variable.letters:
            self.terms[name] = f"{self.symbols.prefix(name, _words(variable))}\\{name}"
            self.check(variable, self.terms[name], 0, (1 << variable.width) - 1)
        else:
            self.terms[name] = f"(\\{name})"
            if not _is_distance(self.instruction, variable):
                self.check(variable, self.terms[name], -(1 << 62), 1 << 62)
            if default:
                name = f"{name}={variable.default}"
                default = False
        self.parameters.append(f"{name}=" if default else name)

    def parts(self, variable: Variable) -> None:
        """Words of pieces, each a parameter that may be left out."""
        terms = []
        for index, part in enumerate(variable.parts):
            words = {word: value for value, word in enumerate(part.values) if word is not None}
            name = f"{variable.name}{index}"
            prefix = self.symbols.prefix(name, words | {"": 0})
            terms.append(f"({prefix}\\{name}<<{part.low})")
            self.parameters.append(f"{name}=")
        self.terms[variable.name] = f"({'|'.join(terms)})"

    def check(self, variable: Variable, term: str, least: int, most: int) -> None:
        """Raise an error in the assembler for values from least to most that the field cannot hold."""
        low, high, step = operand_range(variable)
        if variable.written_bits:
            high = (1 << variable.written_bits) - 1
        wrong = [f"({term} < {low})"] if least < low else []
        wrong += [f"({term} > {high})"] if most > high else []
        wrong += [f"(({term} - {low}) & {step - 1})"] if step > 1 else []
        wrong += [f"({term} == {value})" for value in sorted(variable.forbidden) if least <= value <= most]
        if wrong:
            multiple = f" in steps of {step}" if step > 1 else ""
            text = f"{variable.name} of {self.instruction.name}: use {low} to {high}{multiple}"
            if variable.forbidden:
                text += ", some values excepted"
            self.checks += [f".if {' || '.join(wrong)}", f'.error "{text}"', ".endif"]

    def body(self) -> str:
        instruction = self.instruction
        if self.address is None:
            return f".{instruction.width // 8}byte {self.word()}"
        form, text, operand = self.address
        opcode = f"{instruction.value & 0x7F:#x}"
        others = [variable for variable in instruction.variables if variable.name not in operand.variables]
        if form == "base":
            # the word's fields around the base, as an immediate, a target and a function code
            upper, target, function = (self.word(*piece) for piece in ((20, 32), (7, 12), (12, 15)))
            return f".L{instruction.extension}_with_base {opcode}, {function}, {target}, {upper}, {text}"
        other = f"\\{others[0].name}" if others else f"x{instruction.value >> (7 if form == 'i' else 20) & 31}"
        return f".insn {form} {opcode}, {instruction.value >> 12 & 7}, {other}, {text}"

    def word(self, low: int = 0, high: int = 32) -> str:
        """The word, or its bits from low to below high, as an expression without spaces."""
        terms = [f"{instruction_bits(self.instruction, low, high):#x}"]
        for variable in self.instruction.variables:
            term = self.terms.get(variable.name)
            if term is None:
                continue
            if variable.add:
                term = f"({term}-{variable.add})"
            for first, mask, bit in bit_runs(variable):
                start, end = max(bit, low), min(bit + mask.bit_length(), high)
                if start < end:
                    terms.append(f"((({term}>>{first + start - bit})&{(1 << end - start) - 1:#x})<<{start - low})")
        return "|".join(terms)


def instruction_bits(instruction: Instruction, low: int, high: int) -> int:
    """Fixed bits of an encoding from low to below high."""
    return instruction.value >> low & (1 << high - low) - 1
