"""Assembly text to a Program, in two passes: place every line, then encode with all labels known."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from typing import NoReturn

from archsim.common.errors import InputError, nearest
from archsim.isa import pseudo
from archsim.isa.encoding import encode
from archsim.isa.expressions import ExpressionError, evaluate
from archsim.isa.program import TEXT_BASE, Program, Segment
from archsim.isa.spec import Instruction, Isa, Variable

_LABEL = re.compile(r"\s*([.$\w]+)\s*:")
_COMMENT = re.compile(r"(#|//).*")
_STRING = re.compile(r'"((?:\\.|[^"\\])*)"')
_RELOCATION = re.compile(r"%(\w+)\((.*)\)$")
_SIZES = {".byte": 1, ".half": 2, ".2byte": 2, ".short": 2, ".word": 4, ".4byte": 4, ".long": 4, ".dword": 8,
          ".8byte": 8, ".quad": 8}  # fmt: skip
_IGNORED = {".globl", ".global", ".option", ".type", ".size", ".attribute", ".file", ".p2alignl"}
_DIRECTIVES = {
    *_SIZES, *_IGNORED, ".text", ".data", ".rodata", ".bss", ".section", ".align", ".p2align", ".balign", ".zero",
    ".space", ".skip", ".ascii", ".asciz", ".string", ".float", ".double", ".equ", ".set",
}  # fmt: skip
_SECTIONS = (".text", ".rodata", ".data", ".bss")


@dataclass
class _Item:
    """One thing placed in a section: an instruction's operands, or data to write once symbols are known."""

    line: int
    offset: int
    instruction: Instruction | None = None
    operands: list[str] = field(default_factory=list)
    size: int = 0


@dataclass
class _Section:
    data: bytearray = field(default_factory=bytearray)
    items: list[_Item] = field(default_factory=list)
    base: int = 0


def assemble(isa: Isa, source: str, file: str = "<string>") -> Program:
    """Assemble source text.

    Args:
        isa: supplies mnemonics, register and CSR names.
        source: assembly text; `.text` starts at TEXT_BASE, the other sections follow.
        file: what errors name.

    Returns:
        Program whose entry is the symbol `_start`, else the start of `.text`.

    Raises:
        InputError: with file and line.
    """
    return _Assembler(isa, file).run(source)


class _Assembler:
    def __init__(self, isa: Isa, file: str) -> None:
        self.isa, self.file = isa, file
        self.sections = {name: _Section() for name in _SECTIONS}
        self.section = self.sections[".text"]
        self.constants: dict[str, int] = {}
        self.labels: dict[str, tuple[_Section, int]] = {}
        self.local: dict[str, list[tuple[_Section, int, int]]] = {}
        self.csrs = {name: state.address for name, state in isa.state.items() if state.kind == "csr"}
        self.templates: dict[str, list[tuple[str, Variable | None]]] = {}
        self.line = 0
        self.order = 0

    def fail(self, message: str, remedy: str | None = None) -> NoReturn:
        raise InputError(message, file=self.file, line=self.line, remedy=remedy)

    def run(self, source: str) -> Program:
        for number, text in enumerate(source.splitlines(), 1):
            self.line = number
            self.place_line(text)
        base = TEXT_BASE
        for name in _SECTIONS:
            section = self.sections[name]
            section.base = base
            base = (base + len(section.data) + 63) // 64 * 64
        lines: dict[int, tuple[str, int]] = {}
        for section in self.sections.values():
            for item in section.items:
                self.line = item.line
                self.encode_item(section, item, lines)
        return self.program(lines)

    def program(self, lines: dict[int, tuple[str, int]]) -> Program:
        symbols = {name: section.base + offset for name, (section, offset) in self.labels.items()}
        segments = tuple(
            Segment(section.base, bytes(section.data), len(section.data), name == ".text")
            for name, section in self.sections.items()
            if section.data
        )
        return Program(segments, symbols.get("_start", TEXT_BASE), symbols, lines, self.file)

    # -- first pass

    def place_line(self, text: str) -> None:
        if "#" in text or "//" in text:
            text = self.without_comment(text)
        for statement in text.split(";") if ";" in text and '"' not in text else [text]:
            while match := _LABEL.match(statement):
                self.define_label(match[1])
                statement = statement[match.end() :]
            statement = statement.strip()
            if not statement:
                continue
            name, _, rest = statement.partition(" ") if " " in statement else statement.partition("\t")
            if name.startswith("."):
                self.directive(name, rest.strip())
            else:
                self.statement(name.lower(), _split(rest))

    def without_comment(self, text: str) -> str:
        kept = _STRING.sub(lambda m: "\x00" * len(m[0]), text)
        match = _COMMENT.search(kept)
        return text[: match.start()] if match else text

    def define_label(self, name: str) -> None:
        self.order += 1
        if name.isdigit():
            self.local.setdefault(name, []).append((self.section, len(self.section.data), self.order))
            return
        if name in self.labels or name in self.constants:
            self.fail(f"label {name!r} is already there", "rename one")
        self.labels[name] = (self.section, len(self.section.data))

    def statement(self, name: str, operands: list[str]) -> None:
        expansion = None
        if name in pseudo.NAMES and not self.is_own(name, operands):
            try:
                expansion = pseudo.expand(name, operands, lambda _: False, self.constant)
            except ValueError as error:
                self.fail(str(error), "use a 64-bit constant")
        if expansion is None:
            self.place_instruction(name, operands)
            return
        for line in expansion:
            own, _, rest = line.partition(" ")
            self.place_instruction(own, _split(rest))

    def is_own(self, name: str, operands: list[str]) -> bool:
        """Whether a mnemonic that is also a pseudo-instruction is meant as itself."""
        instruction = self.isa.instructions.get(name)
        return instruction is not None and len(_split(instruction.assembly)) == len(operands)

    def place_instruction(self, name: str, operands: list[str]) -> None:
        instruction = self.isa.instructions.get(name)
        if instruction is None:
            near = nearest(name, [*self.isa.instructions, *pseudo.NAMES])
            self.fail(
                f"unknown instruction {name!r}",
                f"did you mean {near!r}?" if near else "load the extension that has it",
            )
        self.order += 1
        item = _Item(self.line, len(self.section.data), instruction, operands, self.order)
        self.section.items.append(item)
        self.section.data += bytes(instruction.width // 8)

    def directive(self, name: str, rest: str) -> None:
        if name not in _DIRECTIVES:
            near = nearest(name, _DIRECTIVES)
            self.fail(f"unknown directive {name!r}", f"did you mean {near!r}?" if near else None)
        if name in _IGNORED:
            return
        if name in _SECTIONS or name == ".section":
            self.enter(name if name != ".section" else "." + rest.split(",")[0].split(".")[1 if "." in rest else 0])
        elif name in (".align", ".p2align", ".balign"):
            step = self.constant(rest.split(",")[0])
            self.section.data += bytes(-len(self.section.data) % (step if name == ".balign" else 1 << step))
        elif name in (".zero", ".space", ".skip"):
            self.section.data += bytes(self.constant(rest.split(",")[0]))
        elif name in (".equ", ".set"):
            symbol, _, value = rest.partition(",")
            self.constants[symbol.strip()] = self.constant(value)
        elif name in (".ascii", ".asciz", ".string"):
            self.text(rest, name != ".ascii")
        elif name in (".float", ".double"):
            self.floats(rest, "<f" if name == ".float" else "<d")
        else:
            for operand in _split(rest):
                item = _Item(self.line, len(self.section.data), None, [operand], _SIZES[name])
                self.section.items.append(item)
                self.section.data += bytes(_SIZES[name])

    def enter(self, name: str) -> None:
        if name not in self.sections:
            self.fail(f"unknown section {name!r}", f"use one of {', '.join(_SECTIONS)}")
        self.section = self.sections[name]

    def text(self, rest: str, terminated: bool) -> None:
        found = _STRING.findall(rest)
        if not found:
            self.fail("a string in double quotes is missing")
        for text in found:
            self.section.data += text.encode().decode("unicode_escape").encode("latin-1") + (b"\0" if terminated else b"")

    def floats(self, rest: str, form: str) -> None:
        for operand in _split(rest):
            try:
                self.section.data += struct.pack(form, float(operand))
            except (ValueError, OverflowError):
                self.fail(f"{operand!r} is no floating-point number")

    def constant(self, text: str) -> int:
        """A value that must be known in the first pass."""
        return self.value(text, lambda name: self.constants[name])

    # -- second pass

    def encode_item(self, section: _Section, item: _Item, lines: dict[int, tuple[str, int]]) -> None:
        address = section.base + item.offset
        if item.instruction is None:
            value = self.value(item.operands[0], lambda name: self.symbol(name, address, item.size))
            size = item.size
            if not -(1 << (8 * size - 1)) <= value < 1 << (8 * size):
                self.fail(f"{value} does not fit {size} bytes")
            section.data[item.offset : item.offset + size] = (value & ((1 << (8 * size)) - 1)).to_bytes(size, "little")
            return
        instruction = item.instruction
        operands = self.parse_operands(instruction, item.operands, address, item.size)
        try:
            word = encode(instruction, operands)
        except InputError as error:
            self.fail(error.message, error.remedy)
        size = instruction.width // 8
        section.data[item.offset : item.offset + size] = word.to_bytes(size, "little")
        lines[address] = (self.file, item.line)

    def parse_operands(self, instruction: Instruction, texts: list[str], address: int, order: int) -> dict[str, int]:
        template = _split(instruction.assembly)
        if len(template) != len(texts):
            self.fail(
                f"{instruction.name} takes {len(template)} operands, not {len(texts)}",
                f"write {instruction.name} {instruction.assembly}".rstrip(),
            )
        result: dict[str, int] = {}
        for pattern, text in zip(template, texts, strict=True):
            if pattern.endswith(")") and "(" in pattern:
                offset, _, base = pattern[:-1].partition("(")
                match = re.match(r"(.*)\(\s*([\w.]+)\s*\)$", text)
                if not match:
                    self.fail(f"{text!r} is no address", f"write {pattern}")
                result[offset] = self.operand(instruction, offset, match[1].strip() or "0", address, order)
                result[base] = self.operand(instruction, base, match[2], address, order)
            else:
                result[pattern] = self.operand(instruction, pattern, text, address, order)
        return result

    def operand(self, instruction: Instruction, name: str, text: str, address: int, order: int) -> int:
        variable = instruction.variable(name)
        if variable.register is not None:
            numbers = self.isa.register_numbers[variable.register]
            if text not in numbers:
                near = nearest(text, numbers)
                self.fail(
                    f"{text!r} is no register of {variable.register}",
                    f"did you mean {near!r}?" if near else f"use {next(iter(numbers))} to {list(numbers)[-1]}",
                )
            return numbers[text]
        if name == "csr" and text in self.csrs:
            return self.csrs[text]
        relocation = _RELOCATION.match(text)
        if relocation:
            return self.relocate(relocation[1], relocation[2], address, order)
        value = self.value(text, lambda symbol: self.symbol(symbol, address, order))
        # a label as the target of a branch or jump stands for its distance
        relative = instruction.unit == "branch" and variable.left_shift and not _is_number(text)
        return value - address if relative else value

    def relocate(self, kind: str, text: str, address: int, order: int) -> int:
        value = self.value(text, lambda symbol: self.symbol(symbol, address, order))
        if kind == "pcrel_back":
            # the second half of la and call: relative to the auipc before it
            kind, address = "pcrel_lo", address - 4
        if kind.startswith("pcrel"):
            value -= address
        low = (value + 2048) % 4096 - 2048
        if kind in ("hi", "pcrel_hi"):
            return (value - low) >> 12 & 0xFFFFF
        if kind in ("lo", "pcrel_lo"):
            return low
        self.fail(f"unknown relocation %{kind}", "use %hi, %lo, %pcrel_hi or %pcrel_lo")

    def symbol(self, name: str, address: int, order: int) -> int:
        if name == ".":
            return address
        if name in self.constants:
            return self.constants[name]
        if name in self.labels:
            section, offset = self.labels[name]
            return section.base + offset
        if name[:-1].isdigit() and name[-1] in "bf":
            places = self.local.get(name[:-1], [])
            before = [place for place in places if place[2] <= order]
            after = [place for place in places if place[2] > order]
            chosen = before[-1:] if name[-1] == "b" else after[:1]
            if chosen:
                return chosen[0][0].base + chosen[0][1]
        raise KeyError(name)

    def value(self, text: str, symbol: object) -> int:
        try:
            return evaluate(text, symbol)  # type: ignore[arg-type]
        except KeyError as error:
            name = str(error.args[0])
            near = nearest(name, [*self.labels, *self.constants])
            self.fail(f"unknown symbol {name!r}", f"did you mean {near!r}?" if near else "define it")
        except ExpressionError as error:
            self.fail(str(error), "write a number, a symbol, or an expression of them")


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"[-+]?\s*(0[xX][0-9a-fA-F]+|\d+)", text.strip()))


def _split(text: str) -> list[str]:
    """Operands between commas outside parentheses."""
    if not text or not text.strip():
        return []
    if "(" not in text:
        return [part.strip() for part in text.split(",")]
    parts, depth, start = [], 0, 0
    for index, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append(text[start:index].strip())
            start = index + 1
    return [*parts, text[start:].strip()]
