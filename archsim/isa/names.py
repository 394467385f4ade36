"""What names such as rv64gcv_zvl256b stand for: XLEN, files of extensions, least values of parameters.

Naming conventions: RISC-V Unprivileged ISA Specification 20240411, chapter 36 ("ISA Extension Naming Conventions").
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from archsim.common.errors import InputError, nearest
from archsim.common.resources import find, shipped

_BASE = re.compile(r"rv(\d+)([a-z][a-z0-9_]*)")
_VECTOR_LENGTH = re.compile(r"zvl(\d+)b")
_GROUPS = {"g": ("i", "m", "a", "f", "d", "zicsr", "zifencei"), "b": ("zba", "zbb", "zbs")}
_XLENS = (32, 64)


@dataclass
class Request:
    """What names ask for.

    Attributes:
        xlen: 32 or 64.
        paths: files, each once, in the order of the names.
        least: parameter -> smallest value that will do.
    """

    xlen: int = 64
    paths: list[Path] = field(default_factory=list)
    least: dict[str, int] = field(default_factory=dict)


def resolve(names: tuple[str, ...]) -> Request:
    """The request that names make together: shipped names, YAML files, or base names such as rv64gc_zba.

    Raises:
        InputError: nothing has such a name, or two bases differ in XLEN.
    """
    request, bases = Request(), dict[int, str]()
    for name in names:
        match = None if Path(name).is_file() else _BASE.fullmatch(name)
        if match is None:
            _add(request, find("extension", name, "isa"))
            continue
        bases[_xlen(name, int(match[1]))] = name
        for part in _parts(match[2]):
            _part(request, name, part)
    if len(bases) > 1:
        raise InputError(f"{' and '.join(bases.values())} differ in the width of registers", remedy="load one of them")
    request.xlen = next(iter(bases), 64)
    return request


def _xlen(name: str, xlen: int) -> int:
    if xlen not in _XLENS:
        raise InputError(f"{name} has registers of {xlen} bits", remedy="use rv32... or rv64...")
    return xlen


def _parts(text: str) -> list[str]:
    """Letters one by one, longer names (from z, s or x on) between underscores: "imac_zba" is i, m, a, c, zba."""
    result: list[str] = []
    for piece in text.split("_"):
        letters, longer = re.fullmatch(r"([a-rt-wy]*)(.*)", piece).groups()  # type: ignore[union-attr]
        result += [*letters, *([longer] if longer else [])]
    return [name for part in result for name in _GROUPS.get(part, (part,))]


def _part(request: Request, name: str, part: str) -> None:
    # letters mean what ships, so that somebody's own m.yaml in the current folder is not taken for one of them
    known = shipped("isa", ".yaml")
    length = _VECTOR_LENGTH.fullmatch(part)
    if part in known:
        _add(request, known[part])
    elif length:
        request.least["VLEN"] = max(request.least.get("VLEN", 0), int(length[1]))
    elif len(part) > 1 and Path(f"{part}.yaml").is_file():
        _add(request, Path(f"{part}.yaml"))
    else:
        near = nearest(part, known) if len(part) > 1 else None
        letters = ", ".join(key for key in known if len(key) == 1)
        raise InputError(
            f"unknown extension {part!r} in {name}",
            remedy=f"did you mean {near!r}?" if near else f"letters that ship: {letters}",
        )


def _add(request: Request, path: Path) -> None:
    path = path.resolve()
    if path not in request.paths:
        request.paths.append(path)
