"""Architectural state out of YAML: register files, views on them, CSRs."""

from __future__ import annotations

import math
from typing import Any

from archsim.common.errors import InputError, unknown
from archsim.common.yamlfile import YamlMap
from archsim.isa.constants import constant
from archsim.isa.element_types import ELEMENT_TYPES
from archsim.isa.fields import parse_location
from archsim.isa.schema import DIRECT, SHOWN, STATE_KINDS, TYPES, check_keys, maps
from archsim.isa.spec import State

_REGISTERS = 256  # a predecoded operand is a byte
_ELEMENTS = 1 << 26
_BYTES = 256 << 20


def parse_state(tree: YamlMap, parameters: dict[str, int]) -> dict[str, State]:
    """The state that one extension file declares.

    Args:
        tree: the file.
        parameters: bound values, for shapes and maxima.

    Raises:
        InputError: an entry is wrong; names its line.
    """
    return {name: _parse(name, entry, parameters) for name, entry in (tree.get("state") or {}).items()}


def _parse(name: str, entry: YamlMap, parameters: dict[str, int]) -> State:
    what = f"state {name}"
    kind = entry.get("kind")
    if kind is None:
        raise InputError(f"{what} has no 'kind'", **entry.where(), remedy=f"add one of {', '.join(STATE_KINDS)}")
    if kind not in STATE_KINDS:
        raise unknown(f"kind of {what}", str(kind), STATE_KINDS, **entry.where("kind"))
    check_keys(entry, str(kind), what)
    element = entry.get("type", "int64")
    if element not in TYPES:
        raise unknown(f"type of {what}", str(element), TYPES, **entry.where("type"))
    description = str(entry.get("description", ""))
    if kind == "view":
        return _view(name, entry, element, description)
    if kind == "scratch":
        return _scratch(name, entry, parameters, element, description)
    if kind == "csr":
        return _csr(name, entry, parameters, description)
    return _register_file(name, entry, parameters, element, description)


def _view(name: str, entry: YamlMap, element: str, description: str) -> State:
    given = [key in entry for key in ("select", "types", "as")]
    if any(given) if "type" in entry else not all(given):
        raise InputError(
            f"view {name} needs either 'type', or 'select', 'types' and 'as'",
            **entry.where(),
            remedy="write {kind: view, of: t, type: int4}, or {..., select: qfmt.wfmt, types: [int8, int4], as: int}",
        )
    if "type" in entry:
        value = ELEMENT_TYPES[element].value
        return State(name, "view", element, of=str(entry["of"]), description=description, value=value)
    value, types = str(entry["as"]), tuple(entry["types"])
    if value not in ("int", "f32"):
        raise unknown(f"'as' of view {name}", value, ("int", "f32"), **entry.where("as"))
    good = [kind for kind, facts in ELEMENT_TYPES.items() if facts.value in ("int", value)]
    for kind in types:
        if kind is not None and kind not in good:
            raise unknown(f"type of view {name}", str(kind), good, **entry.where("types"))
    if not any(types):
        raise InputError(f"view {name} has no type", **entry.where("types"), remedy="name one at least")
    first = next(kind for kind in types if kind is not None)
    return State(
        name, "view", first, of=str(entry["of"]), description=description, select=str(entry["select"]), types=types,
        value=value,
    )  # fmt: skip


def _scratch(name: str, entry: YamlMap, parameters: dict[str, int], element: str, description: str) -> State:
    if element not in DIRECT:
        raise unknown(f"type of {name}", element, DIRECT, **entry.where("type"))
    shape = _shape(name, entry, parameters, 1)
    return State(name, "scratch", element, 1, shape, description=description, value=ELEMENT_TYPES[element].value)


def _shape(name: str, entry: YamlMap, parameters: dict[str, int], count: int) -> tuple[int, ...]:
    shape = tuple(constant(size, parameters, **entry.where("shape")) for size in entry.get("shape", []))
    if any(size < 1 for size in shape) or count * math.prod(shape) > _ELEMENTS:
        raise InputError(
            f"shape of {name} is {list(shape)}",
            **entry.where("shape"),
            remedy=f"use sizes from 1, at most {_ELEMENTS} elements in all",
        )
    return shape


def _register_file(name: str, entry: YamlMap, parameters: dict[str, int], element: str, description: str) -> State:
    count = constant(entry["count"], parameters, **entry.where("count"))
    if not 1 <= count <= _REGISTERS:
        raise InputError(f"{name} has {count} registers", **entry.where("count"), remedy=f"use 1 to {_REGISTERS}")
    shape = _shape(name, entry, parameters, count)
    names = tuple(str(n) for n in entry.get("names", [])) or tuple(f"{name}{index}" for index in range(count))
    if len(set(names)) != count:
        raise InputError(
            f"{name} has {count} registers and {len(set(names))} different names",
            **entry.where("names"),
            remedy="give one name per register",
        )
    return State(
        name, "register_file", element, count, shape, names, description=description,
        vector=entry.get("vector", False), value=ELEMENT_TYPES[element].value,
    )  # fmt: skip


def _csr(name: str, entry: YamlMap, parameters: dict[str, int], description: str) -> State:
    if not 0 <= entry["address"] < 4096:
        raise InputError(
            f"address of CSR {name} is {entry['address']:#x}", **entry.where("address"), remedy="use 0 to 0xFFF"
        )
    window = _window(name, entry)
    most = 2**63 - 1 if window is None else 2 ** min(window[1], 63) - 1
    maximum = constant(entry.get("maximum", most), parameters, **entry.where("maximum"))
    reset = constant(entry.get("reset", 0), parameters, **entry.where("reset"))
    if not 0 <= reset <= maximum < 2**63:
        raise InputError(
            f"CSR {name} starts at {reset} with maximum {maximum}",
            **entry.where("maximum" if "maximum" in entry else "reset"),
            remedy="use 0 <= reset <= maximum < 2**63",
        )
    mask = constant(entry.get("mask", 2**64 - 1), parameters, **entry.where("mask"))
    if not 0 <= mask < 2**64:
        raise InputError(f"mask of CSR {name} is {mask}", **entry.where("mask"), remedy="use 64 bits")
    shows = str(entry.get("shows", ""))
    if shows and shows not in SHOWN:
        raise unknown(f"what CSR {name} shows:", shows, SHOWN, **entry.where("shows"))
    if entry.get("xlen", 64) not in (32, 64):
        raise InputError(f"xlen of CSR {name} is {entry['xlen']}", **entry.where("xlen"), remedy="use 32 or 64")
    fields, legal = {}, {}
    for field, facts in maps(entry, "fields", "field", f"field of {name}").items():
        fields[field] = _field(f"field {name}.{field}", facts)
        if "legal" in facts:
            legal[field] = _legal(f"field {name}.{field}", facts, fields[field][1])
    if len(legal) > 1:
        raise InputError(f"CSR {name} has {len(legal)} fields with 'legal'", **entry.where("fields"), remedy="use one")
    return State(
        name, "csr", of=entry.get("of"), address=entry["address"], maximum=maximum,
        writable=entry.get("writable", True), fields=fields, reset=reset, description=description, window=window,
        mask=mask, legal=legal, float_flags=entry.get("float_flags", False), shows=shows, xlen=entry.get("xlen", 0),
    )  # fmt: skip


def _window(name: str, entry: YamlMap) -> tuple[int, int] | None:
    """Least significant bit and width of the part of another CSR that a CSR shows."""
    for key, other in (("of", "location"), ("location", "of")):
        if key in entry and other not in entry:
            raise InputError(f"CSR {name} has {key!r} without {other!r}", **entry.where(key), remedy=f"add {other!r}")
    if "of" not in entry:
        return None
    low, width, _ = _field(f"CSR {name}", entry)
    for key in ("maximum", "mask", "reset", "shows", "float_flags"):
        if key in entry:
            raise InputError(
                f"CSR {name} is a window and has {key!r}", **entry.where(key), remedy=f"set it on {entry['of']}"
            )
    return low, width


def _legal(what: str, facts: YamlMap, width: int) -> tuple[int, ...]:
    listed = facts["legal"]
    values = (listed,) if isinstance(listed, int) else tuple(listed)
    if width > 4 or not values or not all(0 <= value < 1 << width for value in values):
        raise InputError(
            f"legal values of {what} are {list(values)}",
            **facts.where("legal"),
            remedy="list values that fit the field, which has at most 4 bits",
        )
    return values


def _field(what: str, facts: YamlMap) -> tuple[int, int, tuple[str, ...]]:
    bits = parse_location(facts, what, 64)
    if bits != tuple(range(bits[0], bits[-1] - 1, -1)):
        raise InputError(f"{what} is in pieces", **facts.where("location"), remedy="use one range, such as 17-14")
    values = tuple(str(value) for value in facts.get("values", []))
    if len(values) > 1 << min(len(bits), 16):
        raise InputError(
            f"{what} has {len(bits)} bits for {len(values)} values", **facts.where("values"), remedy="widen it"
        )
    return bits[-1], len(bits), values


def _check_room(state: dict[str, State], places: dict[str, dict[str, Any]]) -> None:
    """Check that all registers and scratch together fit."""
    room = 0
    for name, entry in state.items():
        if entry.kind in ("register_file", "scratch"):
            room += entry.count * math.prod(entry.shape) * ELEMENT_TYPES[entry.type].bits // 8
            if room > _BYTES:
                raise InputError(
                    f"registers up to {name} take {room} bytes", **places[name], remedy=f"use {_BYTES} at most in all"
                )


def check_state(state: dict[str, State], places: dict[str, dict[str, Any]]) -> None:
    """Check what the state of all loaded extensions must be together: views' owners, CSR addresses.

    Args:
        state: all of it.
        places: name -> ``file=`` and ``line=``.
    """
    _check_room(state, places)
    files = [name for name, entry in state.items() if entry.kind == "register_file"]
    addresses: dict[int, str] = {}
    for name, entry in state.items():
        if entry.kind == "view" and entry.of not in files:
            raise unknown(f"register file that {name} views", str(entry.of), files, **places[name])
        if entry.select:
            _check_selector(entry, state, places[name])
        if entry.kind == "csr" and entry.of is not None:
            owners = [other for other, owner in state.items() if owner.kind == "csr" and owner.of is None]
            if entry.of not in owners:
                raise unknown(f"CSR that {name} is a window on", str(entry.of), owners, **places[name])
        if entry.kind == "csr" and addresses.setdefault(entry.address, name) != name:
            other = addresses[entry.address]
            raise InputError(
                f"CSR {name} has the address {entry.address:#x} of {other} "
                f"({places[other]['file']}:{places[other]['line']})",
                **places[name],
                remedy="give one of them another address",
            )


def _check_selector(view: State, state: dict[str, State], where: dict[str, Any]) -> None:
    """Check that a view's CSR field exists and has a value for every type."""
    name, _, field = view.select.partition(".")
    fields = [f"{csr}.{one}" for csr, entry in state.items() if entry.kind == "csr" for one in entry.fields]
    if view.select not in fields:
        raise unknown(f"CSR field that selects types of {view.name}", view.select, fields, **where)
    width = state[name].fields[field][1]
    if len(view.types) > 1 << width:
        raise InputError(
            f"{view.name} has {len(view.types)} types for the {width} bits of {view.select}", **where, remedy="widen it"
        )
