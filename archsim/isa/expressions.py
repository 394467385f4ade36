"""Constant expressions in assembly: integers, symbols, + - * / % << >> & | ^ ~ and parentheses."""

from __future__ import annotations

import re
from collections.abc import Callable

_TOKEN = re.compile(
    r"\s*(?:(0[xX][0-9a-fA-F]+|0[bB][01]+|\d+(?![\dbf]))|'((?:\\.|[^'\\]))'|([.$\w]+)|(<<|>>|[-+*/%&|^~()]))"
)
_ESCAPES = {"n": 10, "t": 9, "r": 13, "0": 0, "\\": 92, "'": 39, '"': 34}
_LEVELS = (("|",), ("^",), ("&",), ("<<", ">>"), ("+", "-"), ("*", "/", "%"))


class ExpressionError(Exception):
    """The text is no expression; says why."""


def evaluate(text: str, symbol: Callable[[str], int]) -> int:
    """The value of an expression.

    Args:
        text: the expression.
        symbol: gives the value of a name, or raises KeyError.

    Raises:
        ExpressionError: bad syntax, or division by zero.
        KeyError: a symbol is unknown.
    """
    plain = text.strip()
    if plain.lstrip("-").isdigit():
        return int(plain)
    tokens = _tokens(plain)
    value, rest = _level(tokens, 0, 0, symbol)
    if rest != len(tokens):
        raise ExpressionError(f"{tokens[rest]!r} does not belong in {plain!r}")
    return value


def _tokens(text: str) -> list[str]:
    tokens, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if not match:
            raise ExpressionError(f"{text!r} is no expression")
        if match[2] is not None:
            character = match[2]
            tokens.append(str(_ESCAPES.get(character[1], ord(character[1])) if character[0] == "\\" else ord(character)))
        else:
            tokens.append(match[1] or match[3] or match[4])
        position = match.end()
    if not tokens:
        raise ExpressionError("an expression is missing")
    return tokens


def _level(tokens: list[str], at: int, level: int, symbol: Callable[[str], int]) -> tuple[int, int]:
    if level == len(_LEVELS):
        return _unary(tokens, at, symbol)
    left, at = _level(tokens, at, level + 1, symbol)
    while at < len(tokens) and tokens[at] in _LEVELS[level]:
        operator = tokens[at]
        right, at = _level(tokens, at + 1, level + 1, symbol)
        left = _apply(operator, left, right)
    return left, at


def _apply(operator: str, left: int, right: int) -> int:
    if operator in ("/", "%"):
        if right == 0:
            raise ExpressionError("division by zero")
        quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
        return quotient if operator == "/" else left - quotient * right
    if operator in ("<<", ">>") and not 0 <= right < 128:
        raise ExpressionError(f"shift by {right}")
    return {
        "+": left + right,
        "-": left - right,
        "*": left * right,
        "&": left & right,
        "|": left | right,
        "^": left ^ right,
        "<<": left << right if operator == "<<" else 0,
        ">>": left >> right if operator == ">>" else 0,
    }[operator]


def _unary(tokens: list[str], at: int, symbol: Callable[[str], int]) -> tuple[int, int]:
    if at >= len(tokens):
        raise ExpressionError("the expression ends too early")
    token = tokens[at]
    if token in ("-", "+", "~"):
        value, at = _unary(tokens, at + 1, symbol)
        return {"-": -value, "+": value, "~": ~value}[token], at
    if token == "(":
        value, at = _level(tokens, at + 1, 0, symbol)
        if at >= len(tokens) or tokens[at] != ")":
            raise ExpressionError("a ')' is missing")
        return value, at + 1
    if token[0].isdigit() and not token[-1] in "bf" or token[:2].lower() in ("0x", "0b"):
        try:
            return int(token, 0) if token[:2].lower() in ("0x", "0b") else int(token), at + 1
        except ValueError:
            raise ExpressionError(f"{token!r} is no number") from None
    if token[0] in "*/%&|^)<>":
        raise ExpressionError(f"{token!r} does not belong there")
    return symbol(token), at + 1
