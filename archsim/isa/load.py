"""isa/*.yaml into an Isa: names resolved, parameters bound, every extension checked alone and against the others."""

from __future__ import annotations

import keyword
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from archsim.common.errors import InputError
from archsim.common.resources import shipped
from archsim.common.yamlfile import YamlMap
from archsim.isa.constants import bind, check_constraints, parse_parameters
from archsim.isa.encoding import check_encodings
from archsim.isa.expansion import expand_all
from archsim.isa.functions import FUNCTIONS
from archsim.isa.instructions import Surroundings, parse_instructions
from archsim.isa.names import resolve
from archsim.isa.operation import check_expression, check_operation
from archsim.isa.problems import Problems
from archsim.isa.requirements import read_files, required
from archsim.isa.schema import maps
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
    isa = gather(names, xlen, paths, given, Problems())
    check_encodings(list(isa.instructions.values()))
    return isa


def gather(
    names: tuple[str, ...],
    xlen: int,
    paths: tuple[Path, ...],
    given: tuple[tuple[str, int], ...],
    problems: Problems,
) -> Isa:
    """The Isa of files, all of it checked but that encodings do not overlap.

    Args:
        names: what it is called by.
        xlen: 32 or 64.
        paths: files; what they require comes with them.
        given: values of parameters.
        problems: takes errors; what they concern is left out where they are not raised.
    """
    trees = read_files(paths, problems)
    declared = {name: parse_parameters(tree, problems) for name, tree in trees.items()}
    parameters = bind({name: p for own in declared.values() for name, p in own.items()}, dict(given), xlen, problems)
    for tree in trees.values():
        check_constraints(tree, parameters, problems)
    states: dict[str, dict[str, State]] = {}
    for name, tree in trees.items():
        states[name] = {}
        with problems.caught():
            states[name] = parse_state(tree, parameters)
    state, places = _merge(trees, states)
    _check_names(trees, declared, states, problems)
    with problems.caught():
        check_state(state, places)
    around = Surroundings(xlen, state, trees)
    extensions = {}
    for name, tree in trees.items():
        formats: dict[str, YamlMap] = {}
        with problems.caught():
            formats = _formats(tree, trees)
        extensions[name] = _extension(tree, declared[name], states[name], formats, around, problems)
    expand_all(extensions, trees, state, problems)
    isa = Isa("+".join(names), extensions, parameters, state, _instructions(extensions, problems), xlen)
    for instruction in isa.instructions.values():
        with problems.caught():
            _check_meaning(isa, instruction)
    return isa


def _merge(
    trees: dict[str, YamlMap], states: dict[str, dict[str, State]]
) -> tuple[dict[str, State], dict[str, dict[str, Any]]]:
    """State of all extensions, and the place of each in its file."""
    places = {name: trees[own]["state"].where(name) for own, state in states.items() for name in state}
    return {name: entry for state in states.values() for name, entry in state.items()}, places


def _check_names(
    trees: dict[str, YamlMap],
    declared: dict[str, dict[str, Parameter]],
    states: dict[str, dict[str, State]],
    problems: Problems,
) -> None:
    """Names that operations use must be identifiers with one meaning each: they become names in generated code."""
    seen = {name: f"function {name}()" for name in FUNCTIONS} | _NAMES
    for extension, tree in trees.items():
        names = [("parameter", name, tree["parameters"].where(name)) for name in declared[extension]]
        for name, state in states[extension].items():
            names.append(("state", name, tree["state"].where(name)))
            names += [("CSR field", f"{name}_{field}", tree["state"].where(name)) for field in state.fields]
        for kind, name, where in names:
            with problems.caught("name"):
                _check_name(kind, name, seen, where)
            seen[name] = f"{kind} {name} of extension {extension}"


def _check_name(kind: str, name: str, seen: dict[str, str], where: dict[str, Any]) -> None:
    if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) or keyword.iskeyword(name):
        raise InputError(f"{name!r} is no name for a {kind}", **where, remedy="use letters, digits and _")
    if name in seen:
        raise InputError(f"{kind} {name} has the name of {seen[name]}", **where, remedy="rename it")


def _formats(tree: YamlMap, trees: dict[str, YamlMap]) -> dict[str, YamlMap]:
    """Formats an extension may use: its own, and those of the extensions it requires."""
    needed = list(required(tree, trees))
    # what is appended is visited, too
    for name in needed:
        needed += [other for other in required(trees[name], trees) if other not in needed]
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
    problems: Problems,
) -> Extension:
    return Extension(
        tree["extension"],
        str(tree["long_name"]),
        str(tree.get("version", "")),
        required(tree, around.extensions),
        str(tree["source"]),
        tree.file,
        parameters,
        own,
        parse_instructions(tree, formats, around, problems),
        required(tree, around.extensions, "conflicts"),
        tree.get("encodings_only", False),
    )


def _instructions(extensions: dict[str, Extension], problems: Problems) -> dict[str, Instruction]:
    result: dict[str, Instruction] = {}
    for extension in extensions.values():
        for name, instruction in extension.instructions.items():
            with problems.caught("name"):
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
    if instruction.is_encoding_only:
        return
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
        if key not in ("format", "activations", "class", "weights"):
            check_expression(value, instruction.line, instruction, isa.state_of(instruction), parameters)
    for access in instruction.memory:
        for key in access.keys() - {"access", "space"}:
            check_expression(access[key], instruction.line, instruction, isa.state_of(instruction), parameters)
