"""Constant expressions in assembly, with the operators and the precedence of GNU as.

Loosest first: ``+ -``, then ``| & ^``, then ``* / % << >>``, then unary ``- + ~``. So ``1 + 2 << 3`` is 17, as in
GNU as and LLVM, and not 24 as in C.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable

_TOKEN = re.compile(
    r"""\s*(?: (?P<number>0[xX][0-9a-fA-F]+ | 0[bB][01]+ | \d+) (?![\w.$])
        | '(?P<character>\\.|[^'\\])'
        | (?P<symbol>[\w.$]+)
        | (?P<operator><<|>>|[-+*/%&|^~()]) )""",
    re.VERBOSE | re.ASCII,
)
_ESCAPES = {"n": 10, "t": 9, "r": 13, "b": 8, "f": 12, "0": 0}
_LEVELS = (("+", "-"), ("|", "&", "^"), ("*", "/", "%", "<<", ">>"))
_DEEPEST = 100


class ExpressionError(Exception):
    """The text is no expression; says why."""


def evaluate(text: str, symbol: Callable[[str], int]) -> int:
    """The value of an expression of integers, 'c', symbols, + - * / % << >> & | ^ ~ and parentheses.

    Args:
        text: the expression.
        symbol: gives the value of a name, or raises.

    Raises:
        ExpressionError: bad syntax, division by zero, or a shift by less than 0 or more than 63.
    """
    plain = text.strip()
    if plain.isdigit() and plain.isascii() and (plain[0] != "0" or plain == "0"):
        return int(plain)
    return _Parser(plain, symbol).run()


def parse_integer(text: str) -> int:
    """0x.., 0b.., octal 0.. or decimal.

    Raises:
        ValueError: none of these.
    """
    return int(text, 8) if text[0] == "0" and text.isdigit() else int(text, 0)


def _divide(left: int, right: int) -> int:
    if right == 0:
        raise ExpressionError("division by zero")
    return abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)


def _shift(left: int, right: int, apply: Callable[[int, int], int]) -> int:
    if not 0 <= right <= 63:
        raise ExpressionError(f"shift by {right}")
    return apply(left, right)


_APPLY: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "%": lambda left, right: left - _divide(left, right) * right,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
    "<<": lambda left, right: _shift(left, right, operator.lshift),
    ">>": lambda left, right: _shift(left, right, operator.rshift),
}


class _Parser:
    """Recursive descent over tokens; `at` is the next one."""

    def __init__(self, text: str, symbol: Callable[[str], int]) -> None:
        self.text, self.symbol, self.at, self.depth = text, symbol, 0, 0
        self.tokens: list[tuple[str, str]] = []
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if not match:
                raise ExpressionError(f"{text!r} is no expression")
            self.tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
            position = match.end()

    def run(self) -> int:
        value = self.level(0)
        if self.at < len(self.tokens):
            raise ExpressionError(f"{self.tokens[self.at][1]!r} does not belong in {self.text!r}")
        return value

    def peek(self) -> str:
        """The next token if it is an operator, else nothing."""
        kind, token = self.tokens[self.at] if self.at < len(self.tokens) else ("", "")
        return token if kind == "operator" else ""

    def level(self, level: int) -> int:
        if level == len(_LEVELS):
            return self.unary()
        left = self.level(level + 1)
        while (sign := self.peek()) in _LEVELS[level]:
            self.at += 1
            left = _APPLY[sign](left, self.level(level + 1))
        return left

    def unary(self) -> int:
        if self.at == len(self.tokens):
            raise ExpressionError(f"{self.text!r} ends too early" if self.text else "an expression is missing")
        kind, token = self.tokens[self.at]
        self.at += 1
        self.depth += 1
        if self.depth > _DEEPEST:
            raise ExpressionError("the expression is nested too deeply")
        try:
            return self.nested(token) if kind == "operator" else self.leaf(kind, token)
        finally:
            self.depth -= 1

    def nested(self, token: str) -> int:
        if token == "(":
            value = self.level(0)
            if self.peek() != ")":
                raise ExpressionError(f"a ')' is missing in {self.text!r}")
            self.at += 1
            return value
        if token not in "-+~":
            raise ExpressionError(f"{token!r} does not belong in {self.text!r}")
        value = self.unary()
        return {"-": -value, "+": value, "~": ~value}[token]

    def leaf(self, kind: str, token: str) -> int:
        if kind == "character":
            return _ESCAPES.get(token[1], ord(token[1])) if token[0] == "\\" else ord(token)
        if kind == "symbol":
            return self.symbol(token)
        try:
            return parse_integer(token)
        except ValueError:
            raise ExpressionError(f"{token!r} is no number") from None
