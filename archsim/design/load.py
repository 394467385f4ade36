"""Design YAML to a Design: inheritance, overrides, and every field checked against its declaration."""

from __future__ import annotations

import dataclasses
import typing
from functools import cache
from typing import Any

from archsim.common.errors import InputError, unknown
from archsim.common.resources import find
from archsim.common.units import quantity, whole
from archsim.common.yamlfile import YamlMap, load_yaml, parse_yaml
from archsim.design import memory as memory_module
from archsim.design.energy import load_energy
from archsim.design.spec import Core, Design, Interconnect, Memory, Technology

_TOP = ("design", "description", "base", "clock", "cores", "isa", "parameters", "technology", "core", "interconnect",
        "memory", "source")  # fmt: skip
FORMATS = ("int8", "int4", "int16", "fp16", "bf16", "fp32")
CLASSES = ("alu", "div", "exp", "reduce", "convert")


def load_design(name: str, overrides: dict[str, Any] | None = None) -> Design:
    """Load a design.

    Args:
        name: a shipped design or a YAML file.
        overrides: dotted field -> value, as it would stand in the YAML ("core.scratchpad.size": "256 KiB").

    Raises:
        InputError: with file and line: unknown key, wrong unit, missing field, impossible value.
    """
    tree = _merged(name, ())
    for key, value in (overrides or {}).items():
        _override(tree, key, value)
    return _design(tree)


def _merged(name: str, seen: tuple[str, ...]) -> YamlMap:
    path = find("design", name, "configs/designs")
    tree = load_yaml(path)
    for key in tree:
        if key not in _TOP:
            raise unknown("key of a design", key, _TOP, **tree.where(key))
    if "base" not in tree:
        return tree
    if str(path) in seen:
        raise InputError(f"design {name!r} is its own base", **tree.where("base"), remedy="take the circle out")
    near = path.parent / f"{tree['base']}.yaml"
    base = _merged(str(near) if near.is_file() else str(tree["base"]), (*seen, str(path)))
    return _merge(base, tree)


def _merge(base: YamlMap, over: YamlMap) -> YamlMap:
    """`over` on top of `base`, mapping by mapping; marks follow the values."""
    result = YamlMap(base)
    result.file, result.line, result.lines = over.file, over.line, {**base.lines, **over.lines}
    for key, value in over.items():
        both = isinstance(value, YamlMap) and isinstance(base.get(key), YamlMap)
        # what a unit multiplies is a whole: a base's formats are replaced, not extended
        result[key] = _merge(base[key], value) if both and key != "formats" else value
    return result


def _override(tree: YamlMap, key: str, value: Any) -> None:
    node: Any = tree
    parts = key.split(".")
    for part in parts[:-1]:
        if not isinstance(node, YamlMap) or part not in node:
            known = list(node) if isinstance(node, YamlMap) else []
            raise unknown(f"design field {key!r}: part", part, known)
        node = node[part]
    last = parts[-1]
    if not isinstance(node, YamlMap) or (last not in node and last not in _siblings(parts)):
        raise unknown(f"design field {key!r}: part", last, list(node) if isinstance(node, YamlMap) else [])
    if isinstance(value, str):
        value = parse_yaml(f"value: {value}", "override")["value"] if value else value
    node[last] = value


def _siblings(parts: list[str]) -> list[str]:
    """Fields with defaults, which may be missing in the file."""
    kind: Any = {"core": Core, "interconnect": Interconnect, "memory": Memory}.get(parts[0])
    for part in parts[1:-1]:
        kind = typing.get_type_hints(kind, _names()).get(part) if kind else None
    return [f.name for f in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else []


@cache
def _names() -> dict[str, Any]:
    from archsim.design import energy, spec

    return {**vars(spec), "MemoryDevice": memory_module.MemoryDevice, "EnergyTable": energy.EnergyTable}


def _design(tree: YamlMap) -> Design:
    for key in ("design", "clock", "isa", "technology", "core", "interconnect", "memory"):
        if key not in tree:
            raise InputError(f"design has no {key!r}", **tree.where(), remedy=f"add '{key}:'")
    technology = _build(Technology, tree["technology"], "technology", tree)
    isa = tree["isa"]
    if not isinstance(isa, list) or not isa:
        raise InputError("isa must be a list of extensions", **tree.where("isa"), remedy="write [rv64im, zicsr, ...]")
    parameters = tree.get("parameters") or {}
    for name, value in parameters.items():
        if not isinstance(value, int):
            raise InputError(f"parameter {name} is {value!r}", **parameters.where(name), remedy="write an integer")
    clock = quantity(tree["clock"], "Hz", **tree.where("clock"))
    if not 1e6 <= clock <= 1e11:
        raise InputError(f"clock is {clock:g} Hz", **tree.where("clock"), remedy="use 1 MHz to 100 GHz")
    design = Design(
        name=str(tree["design"]),
        description=str(tree.get("description", "")),
        clock=clock,
        cores=_count(tree, "cores", 1, 1024),
        isa=tuple(str(name) for name in isa),
        parameters=dict(parameters),
        technology=technology,
        core=_build(Core, tree["core"], "core", tree),
        interconnect=_build(Interconnect, tree["interconnect"], "interconnect", tree),
        memory=_build(Memory, tree["memory"], "memory", tree),
        energy=load_energy(technology.energy),
    )
    _check_whole(design, tree)
    return design


def _count(tree: YamlMap, key: str, minimum: int, maximum: int) -> int:
    value = whole(tree.get(key, 1), "", **tree.where(key))
    if not minimum <= value <= maximum:
        raise InputError(f"{key} is {value}", **tree.where(key), remedy=f"use {minimum} to {maximum}")
    return value


def _build(kind: Any, tree: Any, path: str, parent: YamlMap) -> Any:
    """A dataclass from a mapping, field by field."""
    if not isinstance(tree, YamlMap):
        raise InputError(f"{path} must be a mapping", **parent.where(path.split(".")[-1]), remedy="write its fields")
    hints = typing.get_type_hints(kind, _names())
    fields = {f.name: f for f in dataclasses.fields(kind)}
    for key in tree:
        if key not in fields and key != "source":
            raise unknown(f"field of {path}", key, fields, **tree.where(key))
    values = {}
    for name, field in fields.items():
        if name not in tree:
            if field.default is dataclasses.MISSING:
                raise InputError(f"{path} has no {name!r}", **tree.where(), remedy=f"add '{name}:'")
            continue
        values[name] = _value(hints[name], field, tree, name, f"{path}.{name}")
    return kind(**values)


def _value(hint: Any, field: Any, tree: YamlMap, name: str, path: str) -> Any:
    where, raw, meta = tree.where(name), tree[name], field.metadata
    if meta.get("file") == "memory":
        return memory_module.load_device(str(raw))
    if dataclasses.is_dataclass(hint):
        return _build(hint, raw, path, tree)
    if "rates" in meta:
        return _rates(raw, path, FORMATS if meta["rates"] == "formats" else CLASSES, where)
    if hint is bool:
        if not isinstance(raw, bool):
            raise InputError(f"{path} is {raw!r}", **where, remedy="write true or false")
        return raw
    if "unit" not in meta:
        if meta.get("choices") and raw not in meta["choices"]:
            raise unknown(path, str(raw), meta["choices"], **where)
        return str(raw)
    number = whole(raw, meta["unit"], **where) if meta["whole"] else quantity(raw, meta["unit"], **where)
    if not meta["minimum"] <= number <= meta["maximum"]:
        most = f" to {meta['maximum']:g}" if meta["maximum"] < 2**62 else " or more"
        raise InputError(f"{path} is {raw!r}", **where, remedy=f"use {meta['minimum']:g}{most}")
    if meta["power_of_two"] and int(number) & (int(number) - 1):
        raise InputError(f"{path} is {raw!r}", **where, remedy="use a power of two")
    return number


def _rates(raw: Any, path: str, known: tuple[str, ...], where: dict[str, Any]) -> dict[str, float]:
    if not isinstance(raw, dict) or not raw:
        raise InputError(f"{path} must be a mapping", **where, remedy=f"write {{{known[0]}: 1.0, ...}}")
    for key, value in raw.items():
        if key not in known:
            raise unknown(f"name in {path}", key, known, **where)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 64:
            raise InputError(f"{path}.{key} is {value!r}", **where, remedy="write a rate above 0, at most 64")
    return {key: float(value) for key, value in raw.items()}


def _check_whole(design: Design, tree: YamlMap) -> None:
    """What single fields cannot show."""
    cache_fields, core = design.core.l1d, tree["core"]
    sets = cache_fields.size / (cache_fields.line * cache_fields.ways)
    if sets < 1 or sets != int(sets) or int(sets) & (int(sets) - 1):
        raise InputError(
            f"core.l1d has {sets:g} sets (size / (line x ways))",
            **core.where("l1d"),
            remedy="make that a power of two",
        )
    missing = [name for name in CLASSES if name not in design.core.vector.rates]
    if missing:
        raise InputError(f"core.vector.rates has no {missing[0]!r}", **core.where("vector"), remedy="give every class")
    if design.memory.interleave % design.core.dma.burst and design.core.dma.burst % design.memory.interleave:
        raise InputError(
            "memory.interleave and core.dma.burst do not divide each other",
            **tree.where("memory"),
            remedy="use powers of two",
        )
