"""Documentation of an extension in Markdown: state, a table of instructions, bit diagrams, operations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from archsim.common.errors import unknown
from archsim.isa.spec import Extension, Instruction, Isa, State


def markdown(isa: Isa, extension: str) -> str:
    """The documentation of one extension.

    Args:
        isa: holds the extension and those it requires.
        extension: its name, such as "Xqt".

    Raises:
        InputError: the Isa has no such extension.
    """
    if extension not in isa.extensions:
        raise unknown("extension", extension, isa.extensions)
    found = isa.extensions[extension]
    parts = [_head(found), _parameters(isa, found), _state(found), _csr_fields(found), _summary(found)]
    parts += [_instruction(instruction) for instruction in found.instructions.values()]
    return "\n".join(part for part in parts if part)


def _head(extension: Extension) -> str:
    version = f" {extension.version}" if extension.version else ""
    requires = f"Requires: {', '.join(extension.requires)}.\n" if extension.requires else ""
    return f"# {extension.name}{version}: {extension.long_name}\n\nSource: {extension.source}.\n{requires}"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines) + "\n"


def _parameters(isa: Isa, extension: Extension) -> str:
    rows = []
    for name, parameter in extension.parameters.items():
        default, allowed = str(parameter.default), f"{parameter.minimum} to {parameter.maximum}"
        if parameter.value is not None:
            default, allowed = "", f"always {parameter.value.source}"
        elif parameter.power_of_two:
            allowed += ", a power of two"
        rows.append((name, parameter.description, default, str(isa.parameters[name]), allowed))
    return "## Parameters\n\n" + _table(("name", "what", "default", "here", "allowed"), rows) if rows else ""


def _state(extension: Extension) -> str:
    rows = [(f"`{name}`", _form(state), state.description) for name, state in extension.state.items()]
    return "## State\n\n" + _table(("name", "form", "what"), rows) if rows else ""


def _form(state: State) -> str:
    if state.kind == "csr":
        largest = f", at most {state.maximum}" if state.maximum < 2**63 - 1 else ""
        return f"CSR {state.address:#05x}{largest}{'' if state.writable else ', read-only'}"
    if state.kind == "view":
        return f"`{state.of}` as {state.type}"
    size = " x ".join(map(str, state.shape))
    return f"{state.count} registers of {size + ' ' if size else ''}{state.type}"


def _csr_fields(extension: Extension) -> str:
    rows = []
    for name, state in extension.state.items():
        for field, (low, width, values) in state.fields.items():
            bits = f"{low + width - 1}-{low}" if width > 1 else str(low)
            named = ", ".join(f"{number} {value}" for number, value in enumerate(values))
            rows.append((f"`{name}.{field}`", bits, named))
    return "### Fields of CSRs\n\n" + _table(("field", "bits", "values"), rows) if rows else ""


def _summary(extension: Extension) -> str:
    rows = [
        (f"[`{name} {found.assembly}`](#{_anchor(name)})".replace(" `", "`"), found.long_name, found.unit)
        for name, found in extension.instructions.items()
    ]
    return "## Instructions\n\n" + _table(("instruction", "what", "unit"), rows) if rows else ""


def _anchor(name: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w-]", "", name.lower())


def _instruction(instruction: Instruction) -> str:
    work = ", ".join(f"{key} = {value}" for key, value in instruction.work.items())
    described = (
        f" {instruction.description[:1].upper()}{instruction.description[1:]}." if instruction.description else ""
    )
    memory = "".join(f"\n- {_access(access)}" for access in instruction.memory)
    return (
        f"### {instruction.name}\n\n{instruction.long_name}.{described}\n\n"
        f"```asm\n{instruction.name} {instruction.assembly}".rstrip()
        + f"\n```\n\n```text\n{bit_diagram(instruction)}\n```\n\n"
        f"Unit: {instruction.unit}{f'; work: {work}' if work else ''}.{memory}\n\n{_meaning(instruction)}"
    )


def _meaning(instruction: Instruction) -> str:
    if instruction.operation is not None:
        return f"```python\n{instruction.operation.source.rstrip()}\n```\n"
    if instruction.expansion is None:
        return "Only its encoding is known: it traps when executed.\n"
    given = ", ".join(f"{name} = {value}" for name, value in instruction.expansion.operands.items())
    return f"Stands for `{instruction.expansion.mnemonic}`{f' with {given}' if given else ''}.\n"


def _access(access: dict[str, Any]) -> str:
    place = f" in {access['space']}" if "space" in access else ""
    rows = f"{access['rows']} rows of {access['row_bytes']} bytes, {access['stride']} bytes apart"
    return f"{access['access']}s{place} from {access['address']}: {rows}"


def bit_diagram(instruction: Instruction) -> str:
    """The encoding as boxes of text with the bit numbers above."""
    cells = _cells(instruction)
    widths = [max(len(text) + 2, len(f"{high} {low}"), 4) for high, low, text in cells]
    numbers = [
        f"{high}{low:>{width - len(str(high))}}" if high != low else f"{high:^{width}}"
        for (high, low, _), width in zip(cells, widths, strict=True)
    ]
    line = "+" + "+".join("-" * width for width in widths) + "+"
    texts = "|" + "|".join(f"{text:^{width}}" for (_, _, text), width in zip(cells, widths, strict=True)) + "|"
    return "\n".join([(" " + " ".join(numbers)).rstrip(), line, texts, line])


def _cells(instruction: Instruction) -> list[tuple[int, int, str]]:
    """(highest bit, lowest bit, text) from left to right: runs of fixed bits, and runs of a variable's bits."""
    owner: dict[int, tuple[str, int]] = {}
    for variable in instruction.variables:
        for index, bit in enumerate(variable.bits):
            owner[bit] = variable.name, variable.width - 1 - index + variable.left_shift
    whole = {variable.name: variable.width + variable.left_shift for variable in instruction.variables}
    cells: list[tuple[int, int, str]] = []
    run: list[int] = []
    for bit in range(instruction.width - 1, -2, -1):
        if run and (bit < 0 or not _continues(owner, run[-1], bit) or _is_boundary(owner, bit)):
            cells.append((run[0], run[-1], _label(instruction, owner, whole, run)))
            run = []
        run.append(bit)
    return cells


def _continues(owner: dict[int, tuple[str, int]], left: int, right: int) -> bool:
    if left not in owner or right not in owner:
        return left not in owner and right not in owner
    return owner[left][0] == owner[right][0] and owner[left][1] == owner[right][1] + 1


def _is_boundary(owner: dict[int, tuple[str, int]], bit: int) -> bool:
    """Fixed bits are cut where the standard formats cut them: opcode, rd, funct3, rs1, rs2, funct7."""
    return bit not in owner and bit in (6, 11, 14, 19, 24)


def _label(instruction: Instruction, owner: dict[int, tuple[str, int]], whole: dict[str, int], run: list[int]) -> str:
    if run[0] not in owner:
        return "".join(instruction.match[instruction.width - 1 - bit] for bit in run)
    name, high = owner[run[0]]
    low = owner[run[-1]][1]
    if high == whole[name] - 1 and low == 0:
        return name
    return f"{name}[{high}:{low}]" if high != low else f"{name}[{high}]"
