"""Findings about extension files, alone and together: all that is wrong with them, and what is worth a look.

Severities: an error keeps files from loading (together), a warning is likely a mistake, a note may be on purpose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from archsim.common.errors import InputError
from archsim.isa.collisions import collisions
from archsim.isa.encoding import field_value
from archsim.isa.findings import SEVERITIES, Finding
from archsim.isa.load import gather
from archsim.isa.names import resolve
from archsim.isa.problems import Problems
from archsim.isa.pseudo import NAMES, OVERLOADED
from archsim.isa.space import Room, cubes, room
from archsim.isa.spec import Extension, Instruction, Isa, Variable

_STYLE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
_WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_TIMED_BY_WORK = ("matrix", "vector")
_TIMED_BY_MEMORY = ("tile_lsu", "dma")
_MENTIONED = 4
"""Names that a finding about many spells out."""


@dataclass(frozen=True)
class Report:
    """What lint found.

    Attributes:
        findings: the worst first, then by place.
        rooms: what the loaded set leaves of each major opcode that the named files touch.
    """

    findings: tuple[Finding, ...]
    rooms: tuple[Room, ...]

    @property
    def failed(self) -> bool:
        return any(finding.severity == "error" for finding in self.findings)


def lint(*names: str, parameters: dict[str, int] | None = None) -> Report:
    """Look at extensions, each alone and all together, with what they require.

    Args:
        names: as load_isa() takes them.
        parameters: values for their parameters.

    Raises:
        InputError: a name is unknown. What is wrong inside the files is reported.
    """
    request = resolve(names)
    given = tuple(sorted({**request.least, **(parameters or {})}.items()))
    together = tuple(request.paths)
    found: dict[Finding, None] = {}
    for paths in (*((path,) for path in together if len(together) > 1), together):
        problems = Problems(strict=False)
        isa = gather(names, request.xlen, paths, given, problems)
        for rule, error in problems.found:
            found[_of_error(rule, error)] = None
    named = [extension for extension in isa.extensions.values() if extension.file in request.paths]
    instructions = [one for extension in isa.extensions.values() for one in extension.instructions.values()]
    files = {extension.file for extension in named}
    for finding in collisions(instructions, files):
        found[finding] = None
    for extension in named:
        for finding in _extension(isa, extension):
            found[finding] = None
    order = {severity: index for index, severity in enumerate(SEVERITIES)}
    findings = sorted(found, key=lambda finding: (order[finding.severity], finding.file, finding.line, finding.text))
    opcodes = sorted({one.value & 0x7F for one in instructions if one.file in files and one.width == 32})
    return Report(tuple(findings), tuple(room(instructions, opcode) for opcode in opcodes))


def _of_error(rule: str, error: InputError) -> Finding:
    if re.match(r"bits \[.*\] of ", error.message):
        rule = "unused-bits"
    elif re.search(r" has no '(operation|unit)'$", error.message):
        rule = "no-operation" if "operation" in error.message else "no-timing"
    text = f"{error.message}; {error.remedy}" if error.remedy else error.message
    return Finding("error", str(error.file or ""), error.line or 0, rule, text)


def _extension(isa: Isa, extension: Extension) -> Iterator[Finding]:
    instructions = list(extension.instructions.values())
    for instruction in instructions:
        yield from _name(instruction)
        yield from _values(instruction)
        if not instruction.is_encoding_only:
            yield from _operands(instruction)
            yield from _timing(instruction)
    yield from _registers(isa, extension)
    yield from _many(
        extension, "no-operation", [one.name for one in instructions if one.is_encoding_only],
        "without operation: they trap when executed",
    )  # fmt: skip
    yield from _many(
        extension, "no-timing", [one.name for one in instructions if one.is_encoding_only],
        "without unit and work: nothing is known of their time",
    )  # fmt: skip
    yield from _many(
        extension, "no-description", [one.name for one in instructions if not one.description],
        "without description (their long_name is all that documentation says)",
    )  # fmt: skip
    bare: list[Any] = [*extension.parameters.values(), *extension.state.values()]
    yield from _many(
        extension, "no-description", [one.name for one in bare if not one.description],
        "without description (parameters and state)",
    )  # fmt: skip


def _many(extension: Extension, rule: str, names: list[str], what: str) -> Iterator[Finding]:
    """One note for all of a file's instructions that lack something."""
    if names:
        shown = ", ".join(names[:_MENTIONED]) + (", ..." if len(names) > _MENTIONED else "")
        yield Finding("note", str(extension.file), 1, rule, f"{len(names)} {what}: {shown}")


def _at(instruction: Instruction, severity: str, rule: str, text: str) -> Finding:
    return Finding(severity, str(instruction.file), instruction.line, rule, text, (instruction.name,))


def _name(instruction: Instruction) -> Iterator[Finding]:
    name = instruction.name
    if not _STYLE.fullmatch(name):
        yield _at(instruction, "warning", "name", f"mnemonic {name} is not of small letters, digits, dots and _")
    if name in NAMES - OVERLOADED and instruction.extension.startswith("X"):
        yield _at(instruction, "warning", "name", f"mnemonic {name} hides the pseudo-instruction of that name")


def _values(instruction: Instruction) -> Iterator[Finding]:
    """Values that are spoken of but that no word can give."""
    if not cubes(instruction):
        yield _at(
            instruction, "error", "unreachable", f"{instruction.name} has no word: 'not:' leaves a variable no value"
        )
    for variable in instruction.variables:
        outside = sorted(value for value in variable.forbidden if not _fits(variable, value))
        if outside and not variable.values:
            yield _at(
                instruction, "warning", "unreachable",
                f"'not:' of {variable.name} of {instruction.name} names {outside}, which it cannot hold",
            )  # fmt: skip
        if variable.default is not None and variable.default in variable.forbidden:
            yield _at(
                instruction, "warning", "unreachable",
                f"default of {variable.name} of {instruction.name} is {variable.default}, which it may not be",
            )  # fmt: skip


def _fits(variable: Variable, value: int) -> bool:
    field = (value - variable.add) >> variable.left_shift & (1 << variable.width) - 1
    word = sum((field >> index & 1) << bit for index, bit in enumerate(reversed(variable.bits)))
    return field_value(variable, word) == value


def _operands(instruction: Instruction) -> Iterator[Finding]:
    """Operands that nothing looks at: bits of the encoding that say nothing."""
    if instruction.vector is not None:
        # the engine looks at them
        return
    if instruction.expansion is not None:
        used = {source for source in instruction.expansion.operands.values() if isinstance(source, str)}
    else:
        assert instruction.operation is not None
        texts = [instruction.operation.source, *map(str, instruction.work.values()), *map(str, instruction.memory)]
        used = {word for text in texts for word in _WORD.findall(text)}
    for variable in instruction.variables:
        if variable.name not in used and not variable.suffix:
            bits = ", ".join(map(str, variable.bits))
            yield _at(
                instruction, "note", "unused-bits",
                f"nothing looks at {variable.name} of {instruction.name}: bits {bits} say nothing",
            )  # fmt: skip


def _timing(instruction: Instruction) -> Iterator[Finding]:
    if instruction.vector is not None:
        return
    if instruction.unit in _TIMED_BY_WORK and not instruction.work:
        yield _at(
            instruction, "warning", "no-timing",
            f"{instruction.name} has no 'work': unit {instruction.unit} takes its latency alone for it",
        )  # fmt: skip
    if instruction.unit in _TIMED_BY_MEMORY and not instruction.memory:
        yield _at(
            instruction, "warning", "no-timing",
            f"{instruction.name} has no 'memory': unit {instruction.unit} takes its latency alone for it",
        )  # fmt: skip


def _registers(isa: Isa, extension: Extension) -> Iterator[Finding]:
    """Registers of the extension that no instruction can name."""
    reached: dict[str, set[int]] = {}
    for instruction in isa.instructions.values():
        for variable in instruction.variables:
            if variable.register:
                reached.setdefault(variable.register, set()).update(_reached(instruction, variable))
    for name, state in extension.state.items():
        missing = [register for index, register in enumerate(state.names) if index not in reached.get(name, set())]
        if state.kind == "register_file" and missing:
            shown = ", ".join(missing[:_MENTIONED]) + (", ..." if len(missing) > _MENTIONED else "")
            yield Finding(
                "warning", str(extension.file), 1, "unreachable", f"no instruction can name {shown} of {name}"
            )


def _reached(instruction: Instruction, variable: Variable) -> set[int]:
    values = {number + variable.add for number in range(1 << variable.width)} - variable.forbidden
    if instruction.vector is None and not variable.group:
        return values
    # a group of at most eight, however many it is
    return {value + offset for value in values for offset in range(8)}
