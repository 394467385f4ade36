"""Instruction files of the RISC-V Unified Database to an extension file of encodings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from archsim.common.errors import InputError
from archsim.common.yamlfile import YamlMap, parse_yaml
from archsim.isa.extension_text import Encoded, Imported

_KEYS = ("location", "not", "left_shift", "sign_extend")
_REGISTER = re.compile(r"([xfv])(?:d|s[1-4]?)")
_LARGEST = 4 << 20


def import_udb(path: Path, name: str | None = None) -> Imported:
    """The instructions of a file, of several in one stream, or of every YAML file below a folder.

    Variables named xd, xs1 (or rd, rs1) are integer registers, fd, fs1 floating-point and vd, vs1 vector registers,
    vm is a mask, and others are immediates. Their `operation()` becomes a comment: it is IDL, which archsim does not
    execute.

    Args:
        name: of the extension; None: what the first instruction is defined by.

    Raises:
        InputError: with file and line.
    """
    files = sorted(path.rglob("*.yaml")) if path.is_dir() else [path]
    defined: list[str] = []
    instructions: dict[str, Encoded] = {}
    for file in files:
        for tree in _documents(file):
            if tree.get("kind") != "instruction":
                continue
            for one in _instructions(tree):
                if one.name in instructions:
                    raise InputError(f"{one.name} stands twice", **tree.where("name"), remedy="keep one")
                instructions[one.name] = one
            defined.append(_defined_by(tree))
    if not instructions:
        raise InputError("no document of kind: instruction", file=path, remedy="give instruction files of UDB")
    title = name or re.sub(r"\W", "", defined[0]) or "X"
    source = f"{path.name}, instruction files of the RISC-V Unified Database"
    return Imported(title, f"Encodings of {path.name}", source, list(instructions.values()))


def _documents(path: Path) -> list[YamlMap]:
    try:
        if path.stat().st_size > _LARGEST:
            raise InputError("more than 4 MiB", file=path, remedy="import its parts one by one")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise InputError(f"cannot read: {reason}", file=path, remedy="check the path") from None
    result, start = [], 0
    for part in re.split(r"^---[ \t]*$", text, flags=re.MULTILINE):
        if re.sub(r"#.*", "", part).strip():
            # empty lines in front keep the numbers of lines
            result.append(parse_yaml("\n" * start + part, path))
        start += part.count("\n")
    return result


def _defined_by(tree: YamlMap) -> str:
    found = tree.get("definedBy")
    while isinstance(found, (dict, list)) and found:
        found = found.get("name") or next(iter(found.values())) if isinstance(found, dict) else found[0]
    return str(found or "")


def _instructions(tree: YamlMap) -> list[Encoded]:
    """One instruction, or one for each base where RV32 and RV64 have encodings of their own."""
    name, encoding = str(tree.get("name", "")), tree.get("encoding")
    if not isinstance(encoding, YamlMap):
        raise InputError(
            f"{name or 'an instruction'} has no encoding", **tree.where(), remedy="give 'encoding: {match: ...}'"
        )
    parts = [(int(key[2:]), encoding[key]) for key in ("RV64", "RV32") if isinstance(encoding.get(key), YamlMap)]
    if len(parts) > 1 and parts[0][1] == parts[1][1]:
        parts = [(0, parts[0][1])]
    if len(parts) > 1:
        # one file has one instruction of a name: the encoding of RV64
        parts = parts[:1]
    base, bits = parts[0] if parts else (int(tree.get("base", 0) or 0), encoding)
    match = str(bits.get("match", ""))
    if not re.fullmatch(r"[01-]{16}|[01-]{32}", match):
        raise InputError(
            f"match of {name} is {match!r}", **bits.where("match"), remedy="give 16 or 32 of 0, 1 and - in quotes"
        )
    variables = [_variable(name, facts) for facts in bits.get("variables") or []]
    notes = [line for key in ("operation()", "sail()") for line in _notes(tree, key)]
    description = " ".join(str(tree.get("description") or "").split())
    return [
        Encoded(
            name,
            match,
            variables,
            _assembly(str(tree.get("assembly") or ""), [entry["name"] for entry in variables]),
            str(tree.get("long_name") or name),
            description,
            base,
            notes,
        )
    ]


def _variable(mnemonic: str, facts: Any) -> dict[str, Any]:
    if not isinstance(facts, YamlMap) or "name" not in facts or "location" not in facts:
        where = facts.where() if isinstance(facts, YamlMap) else {}
        raise InputError(f"a variable of {mnemonic} has no name or location", **where, remedy="give both")
    name = re.sub(r"^r(?=d$|s\d?$)", "x", str(facts["name"]))
    entry: dict[str, Any] = {"name": name, "location": facts["location"]}
    register = _REGISTER.fullmatch(name)
    if register:
        entry["register"] = register[1].upper()
    elif name == "vm":
        entry |= {"values": ["v0.t", ""], "default": 1}
    elif facts.get("sign_extend"):
        entry["signed"] = True
    if facts.get("left_shift") and not register:
        entry["left_shift"] = facts["left_shift"]
    if facts.get("not") is not None:
        entry["not"] = facts["not"]
    return entry


def _assembly(text: str, names: list[str]) -> str:
    """Operands as UDB has them where they name every variable once (rd counting as xd), else in the order of bits."""
    text = re.sub(r"\br(?=(d|s\d?)\b)", "x", text)
    written = re.findall(r"[A-Za-z_]\w*", text)
    return text if sorted(written) == sorted(names) else ", ".join(names)


def _notes(tree: YamlMap, key: str) -> list[str]:
    source = str(tree.get(key) or "").rstrip()
    return [f"{key} in the Unified Database:", *(f"  {line}" for line in source.splitlines())] if source else []
