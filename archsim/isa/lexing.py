"""Lines of assembly into statements: comments, strings, labels, operands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

STRING = re.compile(r'"((?:\\.|[^"\\])*)"')
_LABEL = re.compile(r"\s*([.$\w]+)\s*:")
_COMMENT = re.compile(r"#|//")
# strings, and the characters ; and # as 'c'
_QUOTED = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])')""")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]+|[0-7]{1,3}|.)", re.DOTALL)
_ESCAPES = {"n": 10, "t": 9, "r": 13, "b": 8, "f": 12}


@dataclass(slots=True)
class Statement:
    """Labels, then a mnemonic or directive ("" if there are labels only) and the text after it."""

    labels: list[str]
    name: str
    rest: str


def statements(line: str) -> Iterator[Statement]:
    """Statements of one line, without comments (# or // to its end); `;` separates."""
    if "#" in line or "//" in line or ";" in line:
        for part in _separate(line):
            yield from _statement(part)
    else:
        yield from _statement(line)


def _separate(line: str) -> list[str]:
    """Split at `;`, and cut at a comment, outside quotes."""
    hidden = _QUOTED.sub(lambda match: "\0" * len(match[0]), line)
    comment = _COMMENT.search(hidden)
    end = comment.start() if comment else len(line)
    parts, start = [], 0
    for index in range(end):
        if hidden[index] == ";":
            parts.append(line[start:index])
            start = index + 1
    return [*parts, line[start:end]]


def _statement(text: str) -> Iterator[Statement]:
    labels = []
    while ":" in text and (match := _LABEL.match(text)):
        labels.append(match[1])
        text = text[match.end() :]
    words = text.split(None, 1)
    if words or labels:
        yield Statement(labels, words[0] if words else "", words[1].rstrip() if len(words) > 1 else "")


def split_operands(text: str) -> list[str]:
    """Operands between commas outside parentheses and quotes, stripped; [] for none."""
    text = text.strip()
    if not text:
        return []
    if "(" not in text and '"' not in text and "'" not in text:
        return [part.strip() for part in text.split(",")]
    hidden = _QUOTED.sub(lambda match: "\0" * len(match[0]), text)
    parts, depth, start = [], 0, 0
    for index, character in enumerate(hidden):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append(text[start:index].strip())
            start = index + 1
    return [*parts, text[start:].strip()]


def string_bytes(text: str) -> bytes:
    """The bytes of a string between its quotes: UTF-8, with the escapes of C.

    Raises:
        ValueError: an octal escape of more than a byte.
    """
    result, position = bytearray(), 0
    for match in _ESCAPE.finditer(text):
        result += text[position : match.start()].encode()
        result += _escape(match[1])
        position = match.end()
    return bytes(result + text[position:].encode())


def _escape(code: str) -> bytes:
    if code[0] == "x" and len(code) > 1:
        # as GNU as: the last two digits count
        return bytes([int(code[1:], 16) & 255])
    if code[0] in "01234567":
        return bytes([int(code, 8)])
    return bytes([_ESCAPES[code]]) if code in _ESCAPES else code.encode()
