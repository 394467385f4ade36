"""Reading a mapping into a class whose fields are declared (archsim.design.fields), with errors that say where."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from archsim.common.errors import InputError, unknown
from archsim.common.units import quantity
from archsim.common.yamlfile import YamlMap
from archsim.design.fields import Spec, specs
from archsim.design.merge import Tree

T = TypeVar("T")
Mapping = Tree | YamlMap
NOTE = "source"
"""Key that every section may carry: where its figures come from."""


def read(kind: Callable[..., T], tree: Mapping, path: str = "") -> T:
    """Build `kind` from a mapping.

    Args:
        kind: a class of declared fields.
        tree: the mapping, which knows its lines.
        path: dotted name of the mapping, for messages.

    Raises:
        InputError: an unknown key, a missing one, or a value that its declaration forbids.
    """
    declared = specs(kind)  # type: ignore[arg-type]
    what = path or "the file"
    for key in tree:
        if key not in declared and key != NOTE:
            raise unknown(f"field of {what}", key, declared, **tree.where(key))
    values = {}
    for key, (attribute, spec) in declared.items():
        if key in tree:
            values[attribute] = _value(spec, tree, key, f"{path}.{key}" if path else key)
        elif spec.required:
            unit = f", in {spec.unit}" if spec.unit else ""
            raise InputError(f"{what} has no {key!r}", remedy=f"add '{key}: ...' ({spec.doc}{unit})", **tree.where())
    return kind(**values)


def _value(spec: Spec, tree: Mapping, key: str, path: str) -> Any:
    where = tree.where(key)
    with _located(path, where):
        return _READERS[spec.kind](spec, tree[key], path, where)


@contextmanager
def _located(path: str, where: dict[str, Any]) -> Iterator[None]:
    """Give errors that have no place of their own the field's name and place."""
    try:
        yield
    except InputError as error:
        if error.file is not None or error.message.startswith(path):
            raise
        raise InputError(f"{path}: {error.message}", remedy=error.remedy, **where) from None


def _quantity(spec: Spec, raw: Any, path: str, where: dict[str, Any]) -> int | float:
    try:
        number = quantity(raw, spec.unit)
    except InputError:
        if spec.unit:
            raise
        raise InputError(f"{raw!r} is no number", remedy="write a number without a unit") from None
    _bounds(spec, raw, number)
    if spec.whole and spec.scale == 1 and number != round(number):
        raise InputError(f"{raw!r} is not whole", remedy=f"write a whole number of {spec.unit or 'them'}")
    number *= spec.scale
    # 12 digits: 20 ns times 1e-9 s is 2e-08 s, without the rounding of the product
    return round(number) if spec.whole else float(f"{number:.12g}")


def _bounds(spec: Spec, raw: Any, number: float) -> None:
    unit = f" {spec.unit}" if spec.unit else ""
    inside = math.isfinite(number) and spec.minimum <= number <= spec.maximum
    if not inside or (spec.above_zero and number == 0):
        least = "above 0" if spec.above_zero else f"at least {spec.minimum:g}{unit}"
        most = "" if spec.maximum == math.inf else f" and at most {spec.maximum:g}{unit}"
        raise InputError(f"{raw!r} is out of bounds", remedy=f"use {least}{most}")
    if spec.power_of_two and number == int(number) and int(number) & (int(number) - 1):
        raise InputError(f"{raw!r} is not a power of two", remedy="use a power of two")


def _text(spec: Spec, raw: Any, path: str, where: dict[str, Any]) -> str:
    if isinstance(raw, (dict, list, bool)) or raw is None:
        raise InputError(f"{raw!r} is no text", remedy="write a word")
    if spec.choices and raw not in spec.choices:
        raise unknown("value", str(raw), spec.choices)
    return str(raw)


def _flag(spec: Spec, raw: Any, path: str, where: dict[str, Any]) -> bool:
    if not isinstance(raw, bool):
        raise InputError(f"{raw!r} is no truth value", remedy="write true or false")
    return raw


def _names(spec: Spec, raw: Any, path: str, where: dict[str, Any]) -> tuple[str, ...]:
    if not isinstance(raw, list) or (spec.required and not raw) or not all(isinstance(name, str) for name in raw):
        raise InputError(f"{raw!r} is no list of names", remedy="write [first, second]")
    return tuple(raw)


def _numbers(spec: Spec, raw: Any, path: str, where: dict[str, Any]) -> dict[str, int | float]:
    tree = _mapping(raw, f"{{{', '.join(spec.choices[:2]) or 'NAME'}: 1, ...}}")
    for name in tree:
        if spec.choices and name not in spec.choices:
            raise unknown(f"field of {path}", name, spec.choices, **tree.where(name))
    for name in spec.choices if spec.complete else ():
        if name not in tree:
            raise InputError(f"{path} has no {name!r}", remedy=f"add '{name}: 1.0'", **where)
    result = {}
    for name, value in tree.items():
        with _located(f"{path}.{name}", tree.where(name)):
            result[name] = _quantity(spec, value, path, where)
    return result


def _indices(spec: Spec, raw: Any, path: str, where: dict[str, Any]) -> tuple[int, ...]:
    if not _is_indices(raw):
        raise InputError(f"{raw!r} is no list of numbers from 0 on", remedy="write [0, 3]")
    return tuple(raw)


def _pairs(spec: Spec, raw: Any, path: str, where: dict[str, Any]) -> tuple[tuple[int, ...], ...]:
    if not isinstance(raw, list) or not all(_is_indices(pair) and len(pair) == 2 for pair in raw):
        raise InputError(f"{raw!r} is no list of pairs of numbers", remedy="write [[0, 1], [4, 5]]")
    return tuple(tuple(pair) for pair in raw)


def _is_indices(raw: Any) -> bool:
    return isinstance(raw, list) and all(type(number) is int and number >= 0 for number in raw)


def _section(spec: Spec, raw: Any, path: str, where: dict[str, Any]) -> Any:
    return read(spec.section, _mapping(raw, "its fields"), path)


def _file(spec: Spec, raw: Any, path: str, where: dict[str, Any]) -> Any:
    assert spec.load is not None
    place = where.get("file")
    return spec.load(_text(spec, raw, path, where), place.parent if place is not None else None)


def _mapping(raw: Any, remedy: str) -> Mapping:
    if not isinstance(raw, (Tree, YamlMap)):
        raise InputError(f"{raw!r} is no mapping", remedy=f"write {remedy}")
    return raw


_READERS: dict[str, Callable[[Spec, Any, str, dict[str, Any]], Any]] = {
    "quantity": _quantity,
    "text": _text,
    "flag": _flag,
    "names": _names,
    "numbers": _numbers,
    "indices": _indices,
    "pairs": _pairs,
    "section": _section,
    "file": _file,
}
