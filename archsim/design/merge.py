"""Mappings merged from a design, its bases and overrides; each key remembers where it was written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archsim.common.errors import InputError
from archsim.common.resources import find
from archsim.common.yamlfile import YamlMap, load_yaml, parse_yaml

OWN = ("design", "description", "source", "base")
"""What a file says of itself and does not inherit."""


class Tree(dict[str, Any]):
    """A mapping that knows where it and each of its keys stand; nested mappings are Trees too.

    Attributes:
        mark: ``file=`` and ``line=`` of the mapping; empty for what was not read from a file.
        marks: the same of each key.
    """

    def __init__(self, mark: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.mark = mark or {}
        self.marks: dict[str, dict[str, Any]] = {}

    def where(self, key: str | None = None) -> dict[str, Any]:
        """``file=`` and ``line=`` of a key (or of the mapping), to pass on to InputError."""
        return self.mark if key is None else self.marks.get(key, self.mark)

    def put(self, key: str, value: Any, mark: dict[str, Any]) -> None:
        """Set a key, marked; None takes it out."""
        if value is None:
            self.pop(key, None)
            return
        self[key], self.marks[key] = value, mark


def tree_of(source: Mapping[str, Any], marked: bool = True) -> Tree:
    """A Tree of a mapping, marked if that was loaded from a file."""
    where = source.where if marked and isinstance(source, YamlMap) else lambda key=None: {}
    tree = Tree(where())
    for key, value in source.items():
        # None stays until the merge, where it takes a base's key out
        tree[key] = tree_of(value, marked) if isinstance(value, Mapping) else value
        tree.marks[key] = where(key)
    return tree


def merge(base: Tree, over: Tree) -> Tree:
    """`over` on top of `base`: mappings key by key, all else replaced; a null takes the base's key out."""
    result = Tree(over.mark or base.mark)
    for key, value in base.items():
        result.put(key, value, base.where(key))
    for key, value in over.items():
        if isinstance(value, Tree):
            below = base.get(key)
            value = merge(below if isinstance(below, Tree) else Tree(), value)
        result.put(key, value, over.where(key))
    return result


def near(kind: str, name: str, folder: str, place: Path | None) -> Path:
    """The file that a name in another file means: beside that file first, then as on the command line."""
    for candidate in (place / name, place / f"{name}.yaml") if place is not None else ():
        if candidate.is_file():
            return candidate
    return find(kind, name, folder)


def inherited(path: Path, chain: tuple[Path, ...] = ()) -> Tree:
    """A design file on top of its bases.

    Raises:
        InputError: a file is missing or no YAML, has no name, or is its own base.
    """
    source = load_yaml(path)
    chain = (*chain, path.resolve())
    if "design" not in source:
        raise InputError("the file has no 'design'", remedy="add 'design: NAME'", **source.where())
    own = tree_of(source)
    if "base" not in source:
        return merge(Tree(), own)
    where = source.where("base")
    try:
        base = near("design", str(source["base"]), "configs/designs", path.parent)
    except InputError as error:
        raise InputError(f"base: {error.message}", remedy=error.remedy, **where) from None
    if base.resolve() in chain:
        circle = " -> ".join(step.stem for step in (*chain, base))
        raise InputError(f"base goes in a circle: {circle}", remedy="take one 'base' out", **where)
    below = inherited(base, chain)
    for key in OWN:
        below.pop(key, None)
    return merge(below, own)


def override(tree: Tree, name: str, value: Any) -> None:
    """Set a dotted field in place; text is read as it would be in the file ("256 KiB", "[rv64im, xqt]", "null")."""
    if isinstance(value, str):
        try:
            value = parse_yaml(f"value: {value}", "value")["value"]
        except InputError:
            raise InputError(f"{name}: {value!r} is not valid YAML", remedy="write it as in the file") from None
    if isinstance(value, Mapping):
        value = merge(Tree(), tree_of(value, marked=False))
    *parents, last = name.split(".")
    for parent in parents:
        if not isinstance(tree.get(parent), Tree):
            tree.put(parent, Tree(), {})
        tree = tree[parent]
    tree.put(last, value, {})
