"""Files of riscv-opcodes, and those that archsim exports, to an extension file of encodings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from archsim.common.errors import InputError
from archsim.common.yamlfile import YamlMap, parse_yaml
from archsim.isa.extension_text import Encoded, Imported
from archsim.isa.opcode_lines import parse_line

_COMMENT = re.compile(r"#\s*(arg_lut|variable|assembly|within|register_file|extension):\s*(.*)")
_ARG_LUT = re.compile(r'"?(\w+)"?\s*,\s*(\d{1,2})\s*,\s*(\d{1,2})')
_LARGEST = 4 << 20
"""Largest file, in bytes."""


def import_opcodes(path: Path, name: str | None = None) -> Imported:
    """The instructions of a file of riscv-opcodes; $import takes them from files beside it.

    Pseudo-instructions ($pseudo_op) are left out: their encodings belong to others.

    Args:
        name: of the extension; None: what a comment `# extension:` says, else after the file's name (rv_zba: Zba).

    Raises:
        InputError: with file and line.
    """
    reader = _Reader(path)
    for number, text in enumerate(_text(path).splitlines(), 1):
        reader.line(text.strip(), {"file": path, "line": number})
    if not reader.found:
        raise InputError("no instruction in it", file=path, remedy="give a file of riscv-opcodes, such as rv_zba")
    title = name or reader.extension or _title(path)
    source = f"{path.name}, a file in the format of riscv-opcodes"
    return Imported(title, f"Encodings of {path.name}", source, list(reader.found.values()), reader.register_files)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST:
            raise InputError("more than 4 MiB", file=path, remedy="import its parts one by one")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise InputError(f"cannot read: {reason}", file=path, remedy="check the path") from None


def _title(path: Path) -> str:
    """Name of the extension of a file such as rv64_zba."""
    stem = re.sub(r"^rv(32|64|128)?_", "", path.stem)
    return re.sub(r"\W", "", stem[:1].upper() + stem[1:]) or "X"


class _Reader:
    """Goes through the lines of a file; what comments say holds for the instruction that follows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        base = re.match(r"rv(32|64)_", path.name)
        self.base = int(base[1]) if base else 0
        self.extension: str | None = None
        self.positions: dict[str, tuple[int, int]] = {}
        self.register_files: dict[str, dict[str, Any]] = {}
        self.variables: dict[str, dict[str, Any]] = {}
        self.assembly: str | None = None
        self.within: tuple[str, ...] = ()
        self.found: dict[str, Encoded] = {}

    def line(self, text: str, where: dict[str, Any]) -> None:
        comment = _COMMENT.fullmatch(text)
        if comment:
            self.comment(comment[1], comment[2].strip(), where)
            return
        text = text.split("#", 1)[0].strip()
        if text.startswith("$import"):
            self.take(text.removeprefix("$import").strip(), where)
        elif text and not text.startswith("$"):
            self.instruction(text, where)

    def instruction(self, text: str, where: dict[str, Any]) -> None:
        line = parse_line(text, self.positions, self.variables, **where)
        if line.name in self.found:
            raise InputError(f"{line.name} stands twice", **where, remedy="keep one")
        assembly = self.assembly if self.assembly is not None else line.assembly
        self.found[line.name] = Encoded(
            line.name, line.match, line.variables, assembly, base=self.base, within=self.within
        )
        self.variables, self.assembly, self.within = {}, None, ()

    def take(self, name: str, where: dict[str, Any]) -> None:
        """`$import rv_zbkb::brev8`: the line of another file in the same folder."""
        other, _, mnemonic = name.partition("::")
        path = self.path.parent / other
        if not re.fullmatch(r"\w+", other) or not mnemonic or not path.is_file():
            raise InputError(f"cannot import {name!r}", **where, remedy=f"put {other or 'the file'} beside this one")
        for text in _text(path).splitlines():
            if text.split()[:1] == [mnemonic]:
                self.instruction(text.split("#", 1)[0].strip(), where)
                return
        raise InputError(f"{path.name} has no {mnemonic}", **where, remedy="check the name")

    def comment(self, kind: str, text: str, where: dict[str, Any]) -> None:
        if kind == "extension":
            if not re.fullmatch(r"[A-Za-z]\w*", text, re.ASCII):
                raise InputError(f"{text!r} is no name of an extension", **where, remedy="use letters and digits")
            self.extension = text
        elif kind == "assembly":
            self.assembly = text
        elif kind == "within":
            self.within = tuple(name.strip() for name in text.split(","))
        elif kind == "arg_lut":
            row = _ARG_LUT.fullmatch(text)
            if not row or not 0 <= int(row[3]) <= int(row[2]) < 32:
                raise InputError(f"{text!r} is no field", **where, remedy="write '# arg_lut: NAME, HIGH, LOW'")
            self.positions[row[1]] = int(row[2]), int(row[3])
        elif kind == "variable":
            facts = _flow(text, where)
            if "name" not in facts or "location" not in facts:
                raise InputError(f"{text!r} has no name or location", **where, remedy="give both")
            self.variables[str(facts["name"])] = facts
        else:
            name, _, rest = text.partition(" ")
            self.register_files[name] = _flow(rest, where)


def _flow(text: str, where: dict[str, Any]) -> YamlMap:
    """A mapping on one line, as it stands in a comment."""
    try:
        return parse_yaml(text, where["file"])
    except InputError as error:
        raise InputError(error.message, **where, remedy=error.remedy) from None
