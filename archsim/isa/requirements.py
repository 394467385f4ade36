"""Which extension files are loaded together: what they require, in which versions, and what they rule out."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from archsim.common.errors import InputError
from archsim.common.resources import shipped
from archsim.common.yamlfile import YamlMap, load_yaml
from archsim.isa.problems import Problems
from archsim.isa.schema import check_keys

_REQUIREMENT = re.compile(r"\s*([A-Za-z]\w*)\s*([<>=!~].*)?", re.ASCII)


def requirements(tree: YamlMap, key: str = "requires") -> dict[str, SpecifierSet]:
    """Names under `requires:` (or `conflicts:`) -> the versions that are meant: "Xqt >= 0.3", or any.

    Raises:
        InputError: an entry is no name with version bounds.
    """
    result = {}
    for text in tree.get(key) or []:
        match = _REQUIREMENT.fullmatch(str(text))
        try:
            if match is None:
                raise InvalidSpecifier
            result[match[1]] = SpecifierSet(match[2] or "")
        except InvalidSpecifier:
            raise InputError(
                f"{text!r} is no extension with versions", **tree.where(key), remedy="write it as in Xqt >= 0.3, < 1"
            ) from None
    return result


def required(tree: YamlMap, trees: Collection[str], key: str = "requires") -> tuple[str, ...]:
    """Names under `requires:` (or `conflicts:`) that are among the loaded; none if an entry is wrong."""
    try:
        return tuple(name for name in requirements(tree, key) if name in trees or key == "conflicts")
    except InputError:
        return ()


def has_version(tree: YamlMap, versions: SpecifierSet) -> bool:
    """Whether the version of an extension file is among those.

    Raises:
        InputError: it matters, and the file has none.
    """
    if not str(versions):
        return True
    try:
        return versions.contains(Version(str(tree.get("version", ""))), prereleases=True)
    except InvalidVersion:
        raise InputError(
            f"version {str(tree.get('version', ''))!r} of extension {tree['extension']} cannot be compared",
            **tree.where("version"),
            remedy="write numbers with dots, such as 0.3.0",
        ) from None


def read_files(paths: tuple[Path, ...], problems: Problems) -> dict[str, YamlMap]:
    """Extension name -> its file, with those that it requires before it where they ship.

    Raises:
        InputError: a file is no extension, is there twice, requires what is not there or itself, or rules out another.
    """
    asked: dict[str, YamlMap] = {}
    for path in paths:
        with problems.caught():
            tree = _tree(path)
            name = tree["extension"]
            if name in asked:
                raise InputError(
                    f"extension {name} is loaded twice, here and from {asked[name].file}",
                    **tree.where("extension"),
                    remedy="load one of them, or rename one",
                )
            asked[name] = tree
    reader = _Reader(asked, problems)
    for tree in asked.values():
        reader.add(tree, ())
    for tree in list(reader.trees.values()):
        for other, name in (tree.get("implies") or {}).items():
            if other in reader.trees:
                with problems.caught():
                    reader.named(name, tree, "implies", ())
    for tree in reader.trees.values():
        with problems.caught("conflict"):
            _check_conflicts(tree, reader.trees)
    return reader.trees


class _Reader:
    """Orders files so that each comes after those that it requires.

    Args:
        asked: the files that were named.
        problems: takes errors.
    """

    def __init__(self, asked: dict[str, YamlMap], problems: Problems) -> None:
        self.asked, self.problems = asked, problems
        self.shipped = {path.stem: path for path in shipped("isa", ".yaml").values()}
        self.trees: dict[str, YamlMap] = {}

    def add(self, tree: YamlMap, above: tuple[str, ...]) -> None:
        """Add a file after what it requires; `above` requires it, the nearest last."""
        name = tree["extension"]
        if name in self.trees:
            return
        needed: dict[str, SpecifierSet] = {}
        with self.problems.caught():
            needed = requirements(tree)
        for other, versions in needed.items():
            with self.problems.caught():
                found = self.named(other, tree, "requires", (*above, name))
                if not has_version(found, versions):
                    raise InputError(
                        f"extension {name} requires {other} {versions}, and {found['version']} is loaded "
                        f"({found.file})",
                        **tree.where("requires"),
                        remedy="load another version, or widen the bounds",
                    )
        self.trees[name] = tree

    def named(self, name: str, tree: YamlMap, key: str, above: tuple[str, ...]) -> YamlMap:
        """The file of an extension that another one names, added."""
        if name in above:
            circle = " -> ".join([*above[above.index(name) :], name])
            raise InputError(f"extensions require each other: {circle}", **tree.where(key), remedy="leave one out")
        if name in self.trees:
            return self.trees[name]
        if name in self.asked:
            found = self.asked[name]
        elif name.lower() in self.shipped:
            found = _tree(self.shipped[name.lower()])
        else:
            raise InputError(
                f"extension {tree['extension']} {key} {name}, which is not loaded",
                **tree.where(key),
                remedy=f"load {name}, too",
            )
        self.add(found, above)
        return found


def _check_conflicts(tree: YamlMap, trees: dict[str, YamlMap]) -> None:
    for name, versions in requirements(tree, "conflicts").items():
        if name in trees and has_version(trees[name], versions):
            bounds = f" {versions}" if str(versions) else ""
            raise InputError(
                f"extension {tree['extension']} conflicts with {name}{bounds} ({trees[name].file})",
                **tree.where("conflicts"),
                remedy="load one of them",
            )


def _tree(path: Path) -> YamlMap:
    """A file with the right keys at its top."""
    tree = load_yaml(path)
    check_keys(tree, "extension", f"extension {tree.get('extension', path.stem)}")
    return tree
