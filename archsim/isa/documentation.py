"""The documentation of an extension as blocks of text, tables and diagrams; see export_markdown, _html and _latex."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from archsim.common.errors import unknown
from archsim.isa.encoding import operand_range
from archsim.isa.spec import Extension, Instruction, Isa, State, Variable

Facts = Mapping[str, Mapping[str, str]]
"""Mnemonic -> what is known of it on a design (latency, interval, energy, ...), as text."""


@dataclass(frozen=True)
class Heading:
    """`anchor` is what links name: the mnemonic, or ""."""

    level: int
    text: str
    anchor: str = ""


@dataclass(frozen=True)
class Paragraph:
    """Text; what stands in backticks is code."""

    text: str


@dataclass(frozen=True)
class Table:
    """Rows of texts as in paragraphs; `link` says that the first cell leads to the instruction it starts with."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    link: bool = False


@dataclass(frozen=True)
class Code:
    text: str
    language: str


@dataclass(frozen=True)
class Diagram:
    """The encoding of an instruction."""

    instruction: Instruction


@dataclass(frozen=True)
class Items:
    texts: tuple[str, ...]


Block = Heading | Paragraph | Table | Code | Diagram | Items


def document(isa: Isa, extension: str, facts: Facts | None = None, where: str = "") -> Iterator[Block]:
    """Everything there is to say about an extension, in order.

    Args:
        isa: holds the extension and those it requires; its parameters are bound.
        extension: its name, such as "Xqt".
        facts: of instructions on a design.
        where: the design's name and the sizes of operands that the facts hold for.

    Raises:
        InputError: the Isa has no such extension.
    """
    if extension not in isa.extensions:
        raise unknown("extension", extension, isa.extensions)
    found = isa.extensions[extension]
    facts = facts or {}
    yield from _head(found)
    yield from _parameters(isa, found)
    yield from _state(found)
    yield from _summary(found, facts, where)
    for instruction in found.instructions.values():
        yield from _instruction(isa, instruction, facts.get(instruction.name, {}))


def _head(extension: Extension) -> Iterator[Block]:
    version = f" {extension.version}" if extension.version else ""
    yield Heading(1, f"{extension.name}{version}: {extension.long_name}")
    requires = f" Requires: {', '.join(extension.requires)}." if extension.requires else ""
    yield Paragraph(f"Source: {extension.source}.{requires}")


def _parameters(isa: Isa, extension: Extension) -> Iterator[Block]:
    rows = []
    for name, parameter in extension.parameters.items():
        default, allowed = str(parameter.default), f"{parameter.minimum} to {parameter.maximum}"
        if parameter.value is not None:
            default, allowed = "", f"always `{parameter.value.source}`"
        elif parameter.power_of_two:
            allowed += ", a power of two"
        rows.append((f"`{name}`", parameter.description, default, str(isa.parameters[name]), allowed))
    if rows:
        yield Heading(2, "Parameters")
        yield Table(("name", "what", "default", "here", "allowed"), tuple(rows))


def _state(extension: Extension) -> Iterator[Block]:
    rows = tuple((f"`{name}`", _form(state), state.description) for name, state in extension.state.items())
    if rows:
        yield Heading(2, "State")
        yield Table(("name", "form", "what"), rows)
    fields = tuple(_csr_fields(extension))
    if fields:
        yield Heading(3, "Fields of CSRs")
        yield Table(("field", "bits", "values"), fields)


def _form(state: State) -> str:
    if state.kind == "csr":
        largest = f", at most {state.maximum}" if state.maximum < 2**63 - 1 else ""
        return f"CSR {state.address:#05x}{largest}{'' if state.writable else ', read-only'}"
    if state.kind == "view":
        types = ", ".join(dict.fromkeys(kind for kind in state.types if kind))
        return f"`{state.of}` as {f'{types} by `{state.select}`' if state.select else state.type}"
    size = " x ".join(map(str, state.shape))
    element = f"{size + ' ' if size else ''}{state.type}"
    return f"scratch of {element}" if state.kind == "scratch" else f"{state.count} registers of {element}"


def _csr_fields(extension: Extension) -> Iterator[tuple[str, ...]]:
    for name, state in extension.state.items():
        for field, (low, width, values) in state.fields.items():
            bits = f"{low + width - 1}-{low}" if width > 1 else str(low)
            yield f"`{name}.{field}`", bits, ", ".join(f"{number} {value}" for number, value in enumerate(values))


def _summary(extension: Extension, facts: Facts, where: str) -> Iterator[Block]:
    rows = []
    columns = list(dict.fromkeys(what for known in facts.values() for what in known))
    for name, found in extension.instructions.items():
        known = facts.get(name, {})
        rows.append((f"`{name} {found.assembly}`".replace(" `", "`"), found.long_name, found.unit,
                     *(known.get(what, "") for what in columns)))  # fmt: skip
    if rows:
        yield Heading(2, "Instructions")
        if columns:
            yield Paragraph(f"Time and energy on {where}.")
        yield Table(("instruction", "what", "unit", *columns), tuple(rows), link=True)


def _instruction(isa: Isa, instruction: Instruction, facts: Mapping[str, str]) -> Iterator[Block]:
    yield Heading(3, instruction.name, instruction.name)
    description = instruction.description.strip()
    described = f" {description[:1].upper()}{description[1:].rstrip('.')}." if description else ""
    yield Paragraph(f"{instruction.long_name.rstrip('.')}.{described}")
    yield Code(f"{instruction.name} {instruction.assembly}".rstrip(), "asm")
    yield Diagram(instruction)
    operands = tuple(_operand(isa, variable) for variable in instruction.variables)
    if operands:
        yield Table(("operand", "is", "may be"), operands)
    work = ", ".join(f"{key} = `{value}`" for key, value in instruction.work.items())
    unit = f"Unit: {instruction.unit}" if instruction.unit else ""
    if unit:
        yield Paragraph(f"{unit}{f'; work: {work}' if work else ''}.")
    if instruction.memory:
        yield Items(tuple(_access(access) for access in instruction.memory))
    if facts:
        yield Paragraph("; ".join(f"{what}: {value}" for what, value in facts.items() if value) + ".")
    yield _meaning(instruction)


def _operand(isa: Isa, variable: Variable) -> tuple[str, str, str]:
    low, high, step = operand_range(variable)
    forbidden = f", not {', '.join(map(str, sorted(variable.forbidden)))}" if variable.forbidden else ""
    if variable.register is not None:
        names = isa.state[variable.register].names
        last = min(high, len(names) - 1)
        steps = f" in steps of {step}" if step > 1 else ""
        kind = f"register of `{variable.register}`" + (f", a group of {variable.group}" if variable.group else "")
        return f"`{variable.name}`", kind, f"`{names[low]}` to `{names[last]}`{steps}{forbidden}"
    if variable.values or variable.letters:
        words = [word or "(left out)" for word in variable.values if word is not None] or list(variable.letters)
        return f"`{variable.name}`", "word" if variable.values else "letters", ", ".join(words)
    if variable.parts:
        pieces = [" or ".join(word for word in part.values if word is not None) for part in variable.parts]
        return f"`{variable.name}`", "words", "; ".join(pieces)
    steps = f" in steps of {step}" if step > 1 else ""
    return f"`{variable.name}`", "immediate", f"{low} to {high}{steps}{forbidden}"


def _access(access: Mapping[str, Any]) -> str:
    place = f" in {access['space']}" if "space" in access else ""
    stride = f"`{access['stride']}` bytes {'for each of the numbers at' if 'index' in access else 'apart'}"
    stride += f" `{access['index']}`" if "index" in access else ""
    rows = f"`{access['rows']}` rows of `{access['row_bytes']}` bytes, {stride}"
    for name in ("plane", "block"):
        if f"{name}s" in access:
            rows += f"; `{access[f'{name}s']}` {name}s of them, `{access[f'{name}_stride']}` bytes apart"
    return f"{access['access']}s{place} from `{access['address']}`: {rows}"


def _meaning(instruction: Instruction) -> Block:
    if instruction.operation is not None:
        return Code(instruction.operation.source.rstrip(), "python")
    if instruction.expansion is None:
        return Paragraph("Only its encoding is known: it traps when executed.")
    given = ", ".join(f"{name} = {value}" for name, value in instruction.expansion.operands.items())
    return Paragraph(f"Stands for `{instruction.expansion.mnemonic}`{f' with {given}' if given else ''}.")
