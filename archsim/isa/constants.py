"""Parameters of extensions, and constant expressions over them such as max(TM, TN)."""

from __future__ import annotations

import ast
from typing import Any

from archsim.common.errors import InputError
from archsim.common.yamlfile import YamlMap
from archsim.isa.spec import Parameter

_LIMIT = 1 << 64


def parse_parameter(name: str, entry: YamlMap) -> Parameter:
    """A parameter out of its (checked) mapping.

    Raises:
        InputError: the default is not within the bounds.
    """
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


def bind(parameters: dict[str, Parameter], given: dict[str, int]) -> dict[str, int]:
    """Values of all parameters: the given ones, else the defaults; given names of no parameter are ignored.

    Raises:
        InputError: a value is outside its bounds, or no power of two where it must be.
    """
    for name, value in given.items():
        if name in parameters and not _fits(parameters[name], value):
            raise InputError(f"parameter {name} is {value!r}", remedy=f"use {_allowed(parameters[name])}")
    return {name: given.get(name, parameter.default) for name, parameter in parameters.items()}


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
    """The value of a constant expression: integers, parameters, + - * // max() min().

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
    except (SyntaxError, KeyError, ValueError, ZeroDivisionError, RecursionError, MemoryError):
        names = f"{', '.join(parameters)}, " if parameters else ""
        raise InputError(
            f"{source!r} is no constant", remedy=f"use integers, {names}+ - * // max() min()", **where
        ) from None


def _evaluate(node: ast.expr, parameters: dict[str, int]) -> int:
    match node:
        case ast.Constant(value=int(value)) if not isinstance(value, bool):
            result = value
        case ast.Name(id=name):
            result = parameters[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            result = -_evaluate(operand, parameters)
        case ast.BinOp(left=left, op=operator, right=right):
            result = _apply(operator, _evaluate(left, parameters), _evaluate(right, parameters))
        case ast.Call(func=ast.Name(id="max" | "min" as name), args=[_, *_] as items, keywords=[]):
            values = [_evaluate(item, parameters) for item in items]
            result = max(values) if name == "max" else min(values)
        case _:
            raise ValueError
    if abs(result) > _LIMIT:
        raise ValueError
    return result


def _apply(operator: ast.operator, left: int, right: int) -> int:
    match operator:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.FloorDiv():
            return left // right
    raise ValueError
