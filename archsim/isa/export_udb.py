"""An extension as instruction files of the RISC-V Unified Database (https://github.com/riscv/riscv-unified-db)."""

from __future__ import annotations

import json

from archsim.common.errors import unknown
from archsim.isa.export_opcodes import location_of
from archsim.isa.spec import Instruction, Isa, Variable

_SEPARATOR = "---\n"
_NOTE = "# Made by archsim from {file}. operation() is in archsim's operation language, not in IDL.\n"


def udb(isa: Isa, extension: str) -> str:
    """One YAML document per instruction, in one stream.

    Args:
        isa: holds the extension and those it requires.
        extension: its name, such as "Xqt".

    Raises:
        InputError: the Isa has no such extension.
    """
    return _SEPARATOR.join(udb_files(isa, extension).values())


def udb_files(isa: Isa, extension: str) -> dict[str, str]:
    """The same as files: name -> text. Raises as udb() does."""
    if extension not in isa.extensions:
        raise unknown("extension", extension, isa.extensions)
    instructions = isa.extensions[extension].instructions.values()
    return {f"{instruction.name}.yaml": _document(instruction) for instruction in instructions}


def _document(instruction: Instruction) -> str:
    description = instruction.description or f"{instruction.long_name}."
    lines = [
        _NOTE.format(file=instruction.file.name),
        '$schema: "inst_schema.json#"',
        "kind: instruction",
        f"name: {instruction.name}",
        f"long_name: {json.dumps(instruction.long_name)}",
        f"description: {json.dumps(description)}",
        "definedBy:",
        "  extension:",
        f"    name: {instruction.extension}",
        f"assembly: {json.dumps(instruction.assembly)}",
        "encoding:",
        f'  match: "{instruction.match}"',
    ]
    if instruction.variables:
        lines.append("  variables:")
        by_place = sorted(instruction.variables, key=lambda variable: -variable.bits[0])
        lines += [line for variable in by_place for line in _variable(variable)]
    lines += ["access:", *(f"  {mode}: always" for mode in ("s", "u", "vs", "vu"))]
    lines.append("data_independent_timing: false")
    if instruction.operation is not None:
        lines.append("operation(): |")
        lines += [f"  {line}".rstrip() for line in instruction.operation.source.rstrip().splitlines()]
    return "\n".join(lines) + "\n"


def _variable(variable: Variable) -> list[str]:
    lines = [f"    - name: {variable.name}", f'      location: "{location_of(variable)}"']
    if variable.left_shift:
        lines.append(f"      left_shift: {variable.left_shift}")
    if variable.signed:
        lines.append("      sign_extend: true")
    if variable.forbidden:
        values = sorted(variable.forbidden)
        lines.append(f"      not: {values[0] if len(values) == 1 else values}")
    return lines
