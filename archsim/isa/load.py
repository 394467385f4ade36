"""isa/*.yaml into an Isa: names resolved, parameters bound, every extension checked alone and against the others."""

from __future__ import annotations

import keyword
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from archsim.common.errors import InputError
from archsim.common.resources import shipped
from archsim.common.yamlfile import YamlMap, load_yaml
from archsim.isa.constants import bind, parse_parameter
from archsim.isa.encoding import check_encodings
from archsim.isa.expansion import expand_all
from archsim.isa.instructions import Surroundings, parse_instructions
from archsim.isa.names import resolve
from archsim.isa.functions import FUNCTIONS
from archsim.isa.operation import check_expression, check_operation
from archsim.isa.schema import check_keys, maps
from archsim.isa.spec import Extension, Instruction, Isa, Parameter, State
from archsim.isa.state import check_state, parse_state
from archsim.isa.store import stored

_NAMES = {
    "pc": "the program counter",
    "next_pc": "the address of the next instruction",
    "XLEN": "the width of integer registers",
}


def load_isa(*names: str, parameters: dict[str, int] | None = None) -> Isa:
    """Load extensions together.

    Args:
        names: shipped names or YAML files. A name such as "rv64gc_zba" stands for its parts, its number for XLEN (64
            where no name says it), and zvl256b for a VLEN of at least 256. What an extension requires comes with it.
        parameters: values for the extensions' parameters; those not given take their defaults. Values for parameters
            that no loaded extension has are ignored, so that a design can bind all it knows.

    Returns:
        The Isa, checked: formats, encodings against each other, operations. Loading the same unchanged files again
        returns the same object.

    Raises:
        InputError: with file and line.
    """
    request = resolve(names)
    # of what ships, too: any of it may be required
    files = (*request.paths, *shipped("isa", ".yaml").values())
    stamps = tuple(path.stat().st_mtime_ns for path in files)
    given = _at_least(parameters or {}, request.least)
    return _load(names, request.xlen, tuple(request.paths), files, stamps, tuple(sorted(given.items())))


def _at_least(given: dict[str, int], least: dict[str, int]) -> dict[str, int]:
    """Given values and the smallest that names ask for, such as VLEN=256 for zvl256b."""
    for name, value in least.items():
        if name in given and given[name] < value:
            raise InputError(
                f"{name} is {given[name]}, and a name asks for {value} at least", remedy="change one of them"
            )
    return least | given


@lru_cache(maxsize=64)
def _load(
    names: tuple[str, ...],
    xlen: int,
    paths: tuple[Path, ...],
    files: tuple[Path, ...],
    stamps: tuple[int, ...],
    given: tuple[tuple[str, int], ...],
) -> Isa:
    """The Isa of files as they are: `stamps` are their times of change."""
    return stored((names, xlen, paths, given), files, lambda: _make(names, xlen, paths, given))


def _make(names: tuple[str, ...], xlen: int, paths: tuple[Path, ...], given: tuple[tuple[str, int], ...]) -> Isa:
    trees = _read(paths)
    declared = {
        tree["extension"]: {name: parse_parameter(name, entry) for name, entry in _parameters(tree).items()}
        for tree in trees.values()
    }
    parameters = bind({name: p for own in declared.values() for name, p in own.items()}, dict(given))
    parameters["XLEN"] = xlen
    states = {name: parse_state(tree, parameters) for name, tree in trees.items()}
    state, places = _merge(trees, states)
    _check_names(trees, declared, states)
    check_state(state, places)
    extensions = {
        name: _extension(tree, declared[name], states[name], _formats(tree, trees), Surroundings(xlen, state, trees))
        for name, tree in trees.items()
    }
    expand_all(extensions, trees, state)
    instructions = _instructions(extensions)
    check_encodings(list(instructions.values()))
    isa = Isa("+".join(names), extensions, parameters, state, instructions, xlen)
    for instruction in instructions.values():
        _check_meaning(isa, instruction)
    return isa


def _read(paths: tuple[Path, ...]) -> dict[str, YamlMap]:
    """Extension name -> its file, with those that it requires before it where they ship."""
    asked: dict[str, YamlMap] = {}
    for path in paths:
        tree = _tree(path)
        name = tree["extension"]
        if name in asked:
            raise InputError(
                f"extension {name} is loaded twice, here and from {asked[name].file}",
                **tree.where("extension"),
                remedy="load one of them, or rename one",
            )
        asked[name] = tree
    known = {path.stem: path for path in shipped("isa", ".yaml").values()}
    trees: dict[str, YamlMap] = {}
    started: set[str] = set()

    def add(tree: YamlMap) -> None:
        name = tree["extension"]
        if name not in started:
            started.add(name)
            for needed in tree.get("requires", []):
                named(str(needed), tree, "requires")
            trees[name] = tree

    def named(name: str, tree: YamlMap, key: str) -> None:
        if name in asked:
            add(asked[name])
        elif name.lower() in known:
            add(_tree(known[name.lower()]))
        else:
            raise InputError(
                f"extension {tree['extension']} {key} {name}, which is not loaded",
                **tree.where(key),
                remedy=f"load {name}, too",
            )

    for tree in asked.values():
        add(tree)
    for tree in list(trees.values()):
        for other, name in (tree.get("implies") or {}).items():
            if other in trees:
                named(name, tree, "implies")
    return trees


def _tree(path: Path) -> YamlMap:
    """A file with the right keys at its top."""
    tree = load_yaml(path)
    check_keys(tree, "extension", f"extension {tree.get('extension', path.stem)}")
    return tree


def _parameters(tree: YamlMap) -> dict[str, YamlMap]:
    return maps(tree, "parameters", "parameter", "parameter")


def _merge(
    trees: dict[str, YamlMap], states: dict[str, dict[str, State]]
) -> tuple[dict[str, State], dict[str, dict[str, Any]]]:
    """State of all extensions, and the place of each in its file."""
    places = {name: trees[own]["state"].where(name) for own, state in states.items() for name in state}
    return {name: entry for state in states.values() for name, entry in state.items()}, places


def _check_names(
    trees: dict[str, YamlMap], declared: dict[str, dict[str, Parameter]], states: dict[str, dict[str, State]]
) -> None:
    """Names that operations use must be identifiers with one meaning each: they become names in generated code."""
    seen = {name: f"function {name}()" for name in FUNCTIONS} | _NAMES
    for extension, tree in trees.items():
        names = [("parameter", name, tree["parameters"].where(name)) for name in declared[extension]]
        for name, state in states[extension].items():
            names.append(("state", name, tree["state"].where(name)))
            names += [("CSR field", f"{name}_{field}", tree["state"].where(name)) for field in state.fields]
        for kind, name, where in names:
            if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) or keyword.iskeyword(name):
                raise InputError(f"{name!r} is no name for a {kind}", **where, remedy="use letters, digits and _")
            if name in seen:
                raise InputError(f"{kind} {name} has the name of {seen[name]}", **where, remedy="rename it")
            seen[name] = f"{kind} {name} of extension {extension}"


def _formats(tree: YamlMap, trees: dict[str, YamlMap]) -> dict[str, YamlMap]:
    """Formats an extension may use: its own, and those of the extensions it requires."""
    needed = list(tree.get("requires", []))
    # what is appended is visited, too
    for name in needed:
        needed += [other for other in trees[name].get("requires", []) if other not in needed]
    formats: dict[str, YamlMap] = {}
    for source in (*(other for name, other in trees.items() if name in needed), tree):
        formats |= maps(source, "formats", "format", "format")
    return formats


def _extension(
    tree: YamlMap,
    parameters: dict[str, Parameter],
    own: dict[str, State],
    formats: dict[str, YamlMap],
    around: Surroundings,
) -> Extension:
    return Extension(
        tree["extension"],
        str(tree["long_name"]),
        str(tree.get("version", "")),
        tuple(str(name) for name in tree.get("requires", [])),
        str(tree["source"]),
        tree.file,
        parameters,
        own,
        parse_instructions(tree, formats, around),
    )


def _instructions(extensions: dict[str, Extension]) -> dict[str, Instruction]:
    result: dict[str, Instruction] = {}
    for extension in extensions.values():
        for name, instruction in extension.instructions.items():
            if name in result:
                raise InputError(
                    f"instruction {name} is already there ({result[name].file}:{result[name].line})",
                    file=instruction.file,
                    line=instruction.line,
                    remedy="rename one, or load only one of the extensions",
                )
            result[name] = instruction
    # a case of another comes after it
    return dict(sorted(result.items(), key=lambda item: bool(item[1].within)))


def _check_meaning(isa: Isa, instruction: Instruction) -> None:
    """Check an instruction's operation and the expressions of its work and memory."""
    parameters = isa.parameters_of(instruction)
    for variable in instruction.variables:
        taken = variable.name in isa.state or variable.name in isa.parameters or variable.name in FUNCTIONS
        if taken or keyword.iskeyword(variable.name) or variable.name in _NAMES:
            raise InputError(
                f"variable {variable.name} of {instruction.name} has the name of something else",
                file=instruction.file,
                line=instruction.line,
                remedy="rename it",
            )
    if instruction.operation is None:
        return
    check_operation(instruction, isa.state_of(instruction), parameters)
    for key, value in instruction.work.items():
        if key not in ("format", "class", "weights"):
            check_expression(value, instruction.line, instruction, isa.state_of(instruction), parameters)
    for access in instruction.memory:
        for key in ("address", "rows", "row_bytes", "stride"):
            check_expression(access[key], instruction.line, instruction, isa.state_of(instruction), parameters)
