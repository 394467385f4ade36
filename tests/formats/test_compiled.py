"""The rule that keeps numba's cache from going stale: compiled functions call and read nothing of their own package."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import archsim.formats

MODULES = [
    path for path in sorted(Path(archsim.formats.__file__).parent.glob("*.py")) if "@compiled" in path.read_text()
]
ALLOWED = {"np", "range", "min", "max", "abs", "float", "int", "len"}


def loaded_names(function: ast.FunctionDef) -> set[str]:
    """Names that a function reads and does not make itself."""
    names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
    made = {node.id for node in names if isinstance(node.ctx, ast.Store)} | {a.arg for a in function.args.args}
    return {node.id for statement in function.body for node in ast.walk(statement) if isinstance(node, ast.Name)} - made


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_compiled_functions_stand_alone(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and any(
            isinstance(mark, ast.Name) and mark.id.startswith("compiled") for mark in node.decorator_list
        ):
            assert loaded_names(node) <= ALLOWED, node.name


def test_there_are_such_modules() -> None:
    assert len(MODULES) >= 6
