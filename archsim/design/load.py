"""Design YAML to a Design: inheritance, overrides, fields, rules."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from archsim.common.errors import InputError, nearest
from archsim.common.resources import find, shipped
from archsim.design.fields import walk
from archsim.design.merge import inherited, override
from archsim.design.reader import read
from archsim.design.rules import check
from archsim.design.spec import Design

FOLDER = "configs/designs"


def load_design(name_or_path: str | Path, overrides: Mapping[str, Any] | None = None, *, rules: bool = True) -> Design:
    """Load a design.

    Args:
        name_or_path: a shipped design, or a YAML file.
        overrides: dotted field -> value, as it would stand in the YAML ("core.scratchpad.size": "256 KiB").
        rules: whether to check what must hold between fields, too; without, a field can be tried on its own that
            only goes together with a change of another.

    Raises:
        InputError: with file and line: unknown key, wrong unit, missing field, impossible value.
    """
    tree = inherited(find("design", str(name_or_path), FOLDER))
    tree.pop("base", None)
    for name, value in (overrides or {}).items():
        _check_name(name)
        override(tree, name, value)
    design = read(Design, tree)
    if rules:
        check(design, tree)
    return design


def list_designs() -> list[str]:
    """Names of the designs that ship."""
    return list(shipped(FOLDER, ".yaml"))


@cache
def _fields() -> tuple[frozenset[str], frozenset[str]]:
    """Dotted names of the fields of a design, and of the mappings whose names are free."""
    known, free = set(), set()
    for name, spec in walk(Design):
        known.add(name)
        known.update(f"{name}.{choice}" for choice in spec.choices if spec.kind == "numbers")
        if spec.kind == "numbers" and not spec.choices:
            free.add(name)
    return frozenset(known), frozenset(free)


def _check_name(name: str) -> None:
    known, free = _fields()
    if name in known or name.rpartition(".")[0] in free:
        return
    near = nearest(name, sorted(known))
    remedy = f"did you mean {near!r}?" if near else "list them with 'archsim design show edge-npu'"
    raise InputError(f"unknown design field {name!r}", remedy=remedy)
