"""Parameters of extensions, and constant expressions over them such as max(TM, TN)."""

from __future__ import annotations

import ast
import operator
import re
from typing import Any

from archsim.common.errors import InputError
from archsim.common.yamlfile import YamlList, YamlMap
from archsim.isa.problems import Problems
from archsim.isa.schema import TABLES, check_keys
from archsim.isa.spec import Parameter, Text

_LIMIT = 1 << 64
_NO_CONSTANT = (SyntaxError, KeyError, ValueError, ZeroDivisionError, RecursionError, MemoryError)
_COMPARISONS: dict[type[ast.cmpop], Any] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}  # fmt: skip


def parse_parameters(tree: YamlMap, problems: Problems) -> dict[str, Parameter]:
    """The parameters that an extension file declares; errors go to `problems`."""
    result: dict[str, Parameter] = {}
    for name, entry in (tree.get("parameters") or {}).items():
        with problems.caught():
            check_keys(entry, "parameter", f"parameter {name}")
            result[name] = _parse(name, entry)
    return result


def _parse(name: str, entry: YamlMap) -> Parameter:
    """A parameter out of its (checked) mapping."""
    bounds = ("default", "minimum", "maximum")
    if "value" in entry:
        for key in (*bounds, "power_of_two"):
            if key in entry:
                raise InputError(
                    f"parameter {name} has 'value' and {key!r}", **entry.where(key), remedy="leave one of them out"
                )
        text = Text(str(entry["value"]), entry.file, entry.lines["value"])
        return Parameter(name, 0, 0, 0, False, str(entry.get("description", "")), text)
    for key in bounds:
        if key not in entry:
            raise InputError(
                f"parameter {name} has no {key!r}",
                **entry.where(),
                remedy=f"add '{key}:' ({TABLES['parameter'][key].description})",
            )
    parameter = Parameter(
        name,
        entry["default"],
        entry["minimum"],
        entry["maximum"],
        entry.get("power_of_two", False),
        str(entry.get("description", "")),
    )
    if not _fits(parameter, parameter.default):
        raise InputError(
            f"default of parameter {name} is {parameter.default}",
            **entry.where("default"),
            remedy=f"use {_allowed(parameter)}",
        )
    return parameter


def bind(parameters: dict[str, Parameter], given: dict[str, int], xlen: int, problems: Problems) -> dict[str, int]:
    """Values of all parameters: the given ones, else the defaults, then those that follow from others, and XLEN.

    Args:
        parameters: of all extensions.
        given: values by name; those of no parameter are ignored.
        xlen: 32 or 64.
        problems: takes errors.

    Raises:
        InputError: a value is outside its bounds, or no power of two where it must be; another value
            is given for a parameter that follows from others; these follow from each other.
    """
    values = {"XLEN": xlen}
    for name, parameter in parameters.items():
        if parameter.value is not None:
            continue
        values[name] = parameter.default
        if name in given:
            with problems.caught():
                if not _fits(parameter, given[name]):
                    raise InputError(f"parameter {name} is {given[name]!r}", remedy=f"use {_allowed(parameter)}")
                values[name] = given[name]
    for name, parameter in parameters.items():
        if parameter.value is not None:
            with problems.caught():
                _derive(name, parameters, values, ())
                # a trace gives all values that it was recorded with
                if given.get(name, values[name]) != values[name]:
                    raise InputError(
                        f"parameter {name} is {given[name]!r}, and {parameter.value.source} is {values[name]}",
                        remedy="set what it follows from",
                    )
    return {name: values.get(name, 0) for name in parameters} | {"XLEN": xlen}


def _derive(name: str, parameters: dict[str, Parameter], values: dict[str, int], above: tuple[str, ...]) -> None:
    """Put the value of a parameter that follows from others into `values`, those first; `above` follow from it."""
    text = parameters[name].value
    if name in values or text is None:
        return
    where: dict[str, Any] = {"file": text.file, "line": text.line}
    if name in above:
        circle = " -> ".join([*above[above.index(name) :], name])
        raise InputError(f"parameters follow from each other: {circle}", **where, remedy="give one of them a default")
    for other in dict.fromkeys(re.findall(r"[A-Za-z_]\w*", text.source, re.ASCII)):
        if other in parameters:
            _derive(other, parameters, values, (*above, name))
    values[name] = constant(text.source, values, **where)


def check_constraints(tree: YamlMap, values: dict[str, int], problems: Problems) -> None:
    """Check the `constraints:` of an extension file.

    Raises:
        InputError: one is no comparison, or does not hold; names it and the values.
    """
    constraints = tree.get("constraints") or YamlList()
    for index, source in enumerate(constraints):
        where: dict[str, Any] = {"file": tree.file, "line": constraints.lines[index]}
        with problems.caught():
            names = [name for name in dict.fromkeys(re.findall(r"[A-Za-z_]\w*", str(source))) if name in values]
            try:
                holds = _holds(ast.parse(str(source).strip(), mode="eval").body, values)
            except _NO_CONSTANT:
                raise InputError(
                    f"{source!r} is no comparison",
                    **where,
                    remedy=f"compare integers and {', '.join(values)} by == != < <= > >=, joined by and, or",
                ) from None
            if not holds:
                found = ", ".join(f"{name} is {values[name]}" for name in names)
                raise InputError(
                    f"constraint {source!r} of extension {tree['extension']} does not hold: {found}",
                    **where,
                    remedy="set other values",
                )


def _holds(node: ast.expr, values: dict[str, int]) -> bool:
    match node:
        case ast.BoolOp(op=ast.And(), values=items):
            return all(_holds(item, values) for item in items)
        case ast.BoolOp(op=ast.Or(), values=items):
            return any(_holds(item, values) for item in items)
        case ast.Compare(left=left, ops=operators, comparators=others):
            sides = [_evaluate(item, values) for item in (left, *others)]
            pairs = zip(operators, sides, sides[1:], strict=False)
            return all(_COMPARISONS[type(kind)](one, two) for kind, one, two in pairs)
    raise ValueError


def _fits(parameter: Parameter, value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int):
        return False
    if not parameter.minimum <= value <= parameter.maximum:
        return False
    return not parameter.power_of_two or (value > 0 and value.bit_count() == 1)


def _allowed(parameter: Parameter) -> str:
    power = ", a power of two" if parameter.power_of_two else ""
    return f"{parameter.minimum} to {parameter.maximum}{power}"


def constant(source: Any, parameters: dict[str, int], **where: Any) -> int:
    """The value of a constant expression: integers, parameters, + - * // % max() min().

    Args:
        source: an integer or text.
        parameters: bound values.
        where: ``file=`` and ``line=`` for the error.

    Raises:
        InputError: anything else.
    """
    if isinstance(source, int):
        return source
    try:
        return _evaluate(ast.parse(str(source).strip(), mode="eval").body, parameters)
    except _NO_CONSTANT:
        names = f"{', '.join(parameters)}, " if parameters else ""
        raise InputError(
            f"{source!r} is no constant", remedy=f"use integers, {names}+ - * // % max() min()", **where
        ) from None


def _evaluate(node: ast.expr, parameters: dict[str, int]) -> int:
    match node:
        case ast.Constant(value=int(value)) if not isinstance(value, bool):
            result = value
        case ast.Name(id=name):
            result = parameters[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            result = -_evaluate(operand, parameters)
        case ast.BinOp(left=left, op=operation, right=right):
            result = _apply(operation, _evaluate(left, parameters), _evaluate(right, parameters))
        case ast.Call(func=ast.Name(id="max" | "min" as name), args=[_, *_] as items, keywords=[]):
            values = [_evaluate(item, parameters) for item in items]
            result = max(values) if name == "max" else min(values)
        case _:
            raise ValueError
    if abs(result) > _LIMIT:
        raise ValueError
    return result


def _apply(operation: ast.operator, left: int, right: int) -> int:
    match operation:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.FloorDiv():
            return left // right
        case ast.Mod():
            return left % right
    raise ValueError
