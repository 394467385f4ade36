"""Assembly text to a Program, in two passes: place every line, then encode with all labels known."""

from __future__ import annotations

from typing import NoReturn

from archsim.common.errors import InputError, nearest
from archsim.isa import pseudo
from archsim.isa.directives import directive
from archsim.isa.encoding import encode
from archsim.isa.expressions import ExpressionError
from archsim.isa.lexing import Statement, split_operands, statements
from archsim.isa.operands import OperandReader
from archsim.isa.program import TEXT_BASE, Program
from archsim.isa.sections import SECTIONS, Fill, Section, lay_out, segments
from archsim.isa.spec import Isa
from archsim.isa.symbols import Place, Symbols
from archsim.isa.template import parse_template


def assemble(isa: Isa, source: str, file: str = "<string>") -> Program:
    """Assemble source text in the syntax of GNU as.

    A number as the target of a branch is a distance in bytes; anything with a symbol in it is an address.

    Args:
        isa: supplies mnemonics, register and CSR names.
        source: assembly text; `.text` starts at TEXT_BASE, `.rodata`, `.data` and `.bss` follow, aligned to 64 bytes.
        file: what errors and `Program.lines` name.

    Returns:
        Program whose entry is the symbol `_start`, else the start of `.text`.

    Raises:
        InputError: with file and line.
    """
    assembler = Assembler(isa, file)
    try:
        return assembler.run(source)
    except InputError as error:
        raise InputError(error.message, file=file, line=assembler.line, remedy=error.remedy) from None


class Assembler:
    """The state of assembling one source; `line` is the one at work."""

    def __init__(self, isa: Isa, file: str) -> None:
        self.isa, self.file = isa, file
        self.sections = {name: Section(name) for name in SECTIONS}
        self.section = self.sections[".text"]
        self.symbols = Symbols(bases=dict.fromkeys((*SECTIONS, ""), 0))
        self.reader = OperandReader(isa, self.symbols)
        self.line = 0
        self.order = 0
        self.highs: list[tuple[Place, str]] = []

    def run(self, source: str) -> Program:
        for number, line in enumerate(source.splitlines(), 1):
            self.line = number
            for statement in statements(line):
                self.place(statement)
        self.symbols.bases.update(lay_out(self.sections))
        self.find_highs()
        lines: dict[int, tuple[str, int]] = {}
        for section in self.sections.values():
            for fill in section.fills:
                self.line = fill.line
                self.fill(section, fill)
                if fill.instruction is not None:
                    lines[self.symbols.address(fill.place)] = (self.file, fill.line)
        names = {name: self.symbols.address(place) for name, place in self.symbols.labels.items() if place.section}
        return Program(
            segments(self.sections, self.symbols.bases), names.get("_start", TEXT_BASE), names, lines, self.file
        )

    # -- first pass

    def place(self, statement: Statement) -> None:
        for label in statement.labels:
            self.define_label(label)
        if statement.name.startswith("."):
            directive(self, statement.name, statement.rest)
        elif statement.name:
            self.instruction(statement.name, split_operands(statement.rest))

    def here(self) -> Place:
        """The place of what comes next."""
        self.order += 1
        return Place(self.section.name, self.section.size, self.order)

    def define_label(self, name: str) -> None:
        if name.isdigit():
            self.symbols.local.setdefault(name, []).append(self.here())
            return
        if name[0].isdigit():
            raise InputError(f"{name!r} is no label", remedy="start it with a letter, _ or .")
        if name in self.symbols.labels or name in self.symbols.constants:
            raise InputError(f"label {name!r} is already there", remedy="rename one")
        self.symbols.labels[name] = self.here()

    def define_constant(self, name: str, text: str) -> None:
        """`.equ NAME, VALUE`; a later one holds from there on."""
        if name in self.symbols.labels:
            raise InputError(f"{name!r} is already a label", remedy="rename one")
        value = self.early(text)
        self.symbols.constants.setdefault(name, []).append((self.order, value))

    def early(self, text: str) -> int | Place:
        """A value that the first pass can find: a constant, or a place in a section."""
        try:
            return self.symbols.early(text, self.here())
        except KeyError as error:
            name = str(error.args[0])
            near = nearest(name, self.symbols.names())
            raise InputError(
                f"{name!r} is not known yet", remedy=f"did you mean {near!r}?" if near else "define it before"
            ) from None
        except ExpressionError as error:
            raise InputError(str(error), remedy="write a number, a constant, or an expression of them") from None
        except ValueError:
            raise InputError(f"{text!r} mixes addresses", remedy="use a difference of two in one section") from None

    def constant(self, text: str) -> int:
        """As early(), for what may not be an address."""
        value = self.early(text)
        if isinstance(value, Place):
            raise InputError(f"{text!r} is an address, and not known yet", remedy="use la for addresses")
        return value

    def enter(self, name: str) -> None:
        """Go on in a section; "" is one that is dropped."""
        self.section = self.sections[name] if name else Section("")

    def instruction(self, name: str, operands: list[str]) -> None:
        """Place an instruction, or those that a pseudo-instruction stands for."""
        lines = self.expand(name, operands)
        if lines is None:
            self.emit(name, operands)
            return
        for line in lines:
            own, _, rest = line.partition(" ")
            if own not in self.isa.instructions:
                raise InputError(f"{name} stands for {own}, which is unknown", remedy="load the extension that has it")
            self.emit(own, split_operands(rest))

    def expand(self, name: str, operands: list[str]) -> tuple[str, ...] | None:
        own = self.isa.instructions.get(name)
        if own is not None and name not in pseudo.OVERLOADED and len(parse_template(own.assembly)) == len(operands):
            return None
        if name == "li" and len(operands) == 2:
            try:
                return pseudo.load_immediate(operands[0], self.constant(operands[1]), self.isa.xlen)
            except ValueError as error:
                span = f"use -2**{self.isa.xlen - 1} to 2**{self.isa.xlen} - 1"
                raise InputError(str(error), remedy=span) from None
        last = operands[-1] if operands else ""
        is_register = last in self.isa.register_numbers.get("X", {})
        if name in pseudo.IMMEDIATE_FORMS and last.isidentifier() and last not in self.symbols.constants:
            is_register = True
        return pseudo.expand(self.isa, name, operands, is_register)

    def emit(self, name: str, operands: list[str]) -> None:
        found = self.isa.mnemonics.get(name)
        if found is None:
            self.unknown(name, len(operands))
        instruction, given = found
        fill = Fill(self.here(), self.line, instruction.width // 8, operands, instruction, given)
        for operand in operands:
            if "%pcrel_hi" in operand:
                self.highs.append((fill.place, operand))
        self.section.append(b"\0" * fill.size)
        self.section.fills.append(fill)

    def unknown(self, name: str, count: int) -> NoReturn:
        forms = pseudo.TABLE.get(name)
        if forms is not None or name in pseudo.NAMES:
            counts = " or ".join(str(number) for number in forms or (2,))
            raise InputError(f"{name} takes {counts} operands, not {count}", remedy="see the assembler's manual")
        near = nearest(name, [*self.isa.mnemonics, *pseudo.NAMES])
        remedy = f"did you mean {near!r}?" if near else "load the extension that has it"
        raise InputError(f"unknown instruction {name!r}", remedy=remedy)

    # -- second pass

    def find_highs(self) -> None:
        """What each %pcrel_hi asks for, so that %pcrel_lo can name its label."""
        for place, operand in self.highs:
            text = operand[operand.index("(") + 1 : operand.rindex(")")] if ")" in operand else operand
            try:
                self.reader.high[self.symbols.address(place)] = self.symbols.value(text, place)
            except (KeyError, ExpressionError):
                # reported with its line when the instruction itself is encoded
                continue

    def fill(self, section: Section, fill: Fill) -> None:
        if fill.instruction is not None:
            operands = self.reader.read(fill.instruction, fill.texts, fill.place) | fill.given
            value = encode(fill.instruction, operands)
        else:
            value = self.reader.number(fill.texts[0], fill.place)
            bits = 8 * fill.size
            if not -(1 << bits - 1) <= value < 1 << bits:
                raise InputError(
                    f"{value} does not fit {fill.size} bytes", remedy=f"use {-(1 << bits - 1)} to {(1 << bits) - 1}"
                )
            value &= (1 << bits) - 1
        start = fill.place.offset
        section.data[start : start + fill.size] = value.to_bytes(fill.size, "little")
