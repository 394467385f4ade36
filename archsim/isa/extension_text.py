"""Imported encodings as the text of an extension file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_PLAIN = re.compile(r"[A-Za-z_][\w.]*|\d+-\d+(\|\d+(-\d+)?)*|\d+(-\d+)?(\|\d+-\d+)+", re.ASCII)
_WORDS = ("null", "true", "false")


@dataclass(frozen=True)
class Encoded:
    """An imported instruction: its name, bits, operands (as in YAML), and what its source says about it.

    Attributes:
        base: 32 or 64 where only one XLEN has it, else 0.
        notes: lines for comments in front of it.
        within: instructions whose encodings contain its own.
    """

    name: str
    match: str
    variables: Sequence[Mapping[str, Any]]
    assembly: str
    long_name: str = ""
    description: str = ""
    base: int = 0
    notes: Sequence[str] = ()
    within: Sequence[str] = ()


@dataclass
class Imported:
    """What an extension file is made of: register files are name -> {count, names}."""

    name: str
    long_name: str
    source: str
    instructions: list[Encoded] = field(default_factory=list)
    register_files: dict[str, dict[str, Any]] = field(default_factory=dict)


def extension_text(imported: Imported) -> str:
    """The YAML of an extension of encodings without operations."""
    lines = [
        f"extension: {imported.name}",
        f"long_name: {flow(imported.long_name)}",
        f"source: {flow(imported.source)}",
        "encodings_only: true",
    ]
    used = {str(v["register"]) for one in imported.instructions for v in one.variables if v.get("register")}
    # V and F bring integer registers along
    needed = ["V"] if "V" in used else ["F"] if "F" in used else ["I"]
    lines.append(f"requires: {flow(needed)}")
    if imported.register_files:
        lines += ["", "state:"]
        for name, facts in imported.register_files.items():
            lines.append(f"  {name}: {flow({'kind': 'register_file', **facts})}")
    lines += ["", "instructions:"]
    for one in imported.instructions:
        lines += _instruction(one)
    return "\n".join(lines) + "\n"


def _instruction(one: Encoded) -> list[str]:
    lines = [f"  # {note}".rstrip() for note in one.notes]
    lines.append(f"  {one.name}:")
    lines.append(f"    long_name: {flow(one.long_name or one.name)}")
    if one.description:
        lines.append(f"    description: {flow(one.description)}")
    if one.base:
        lines.append(f"    base: {one.base}")
    if one.within:
        lines.append(f"    within: {flow(list(one.within))}")
    lines += ["    encoding:", f'      match: "{one.match}"']
    if one.variables:
        lines.append("      variables:")
        lines += [f"        - {flow(dict(variable))}" for variable in one.variables]
    return [*lines, f"    assembly: {flow(one.assembly)}", ""]


def flow(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {flow(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(flow, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = str(value)
    if isinstance(value, int) or (_PLAIN.fullmatch(text) and text.lower() not in _WORDS):
        return text
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\x{ord(c):02x}" if ord(c) < 256 else "?" for c in text) + '"'
