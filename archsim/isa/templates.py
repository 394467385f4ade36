"""Instruction templates: one YAML entry with `for:` stands for many instructions."""

from __future__ import annotations

import itertools
import re
from typing import Any

from archsim.common.errors import InputError, unknown
from archsim.common.yamlfile import YamlList, YamlMap

_PLACE = re.compile(r"\{(\w+)\}", re.ASCII)
_MOST = 1024
_LONGEST = 100_000
_DEPTH = 4
"""Rounds of substitution: a row's value may itself hold places."""


def expand_templates(instructions: YamlMap) -> YamlMap:
    """Entries with `for:` replaced by what they stand for.

    `for:` is a list of axes, each a list of rows, each a mapping of words to text. An instruction is made for every
    choice of one row per axis: {word} in its name and in every text of its entry becomes the row's text.

    Raises:
        InputError: an axis is no list of mappings, a place has no word, or two choices make the same name.
    """
    if not any("for" in entry for entry in instructions.values() if isinstance(entry, YamlMap)):
        return instructions
    result = YamlMap()
    result.file, result.line, result.lines = instructions.file, instructions.line, {}
    for name, entry in instructions.items():
        where = instructions.where(name)
        for own, made in _made(name, entry, where):
            if own in result:
                raise InputError(f"instruction {own} stands twice", **where, remedy="keep one")
            result[own] = made
            result.lines[own] = where["line"]
    return result


def _made(name: str, entry: Any, where: dict[str, Any]) -> list[tuple[str, Any]]:
    if not isinstance(entry, YamlMap) or "for" not in entry:
        return [(name, entry)]
    axes = entry["for"]
    good = isinstance(axes, YamlList) and all(
        isinstance(axis, YamlList) and axis and all(isinstance(row, YamlMap) for row in axis) for axis in axes
    )
    if not good:
        raise InputError(
            f"'for' of {name} must be a list of lists of {{word: text}}", **entry.where("for"), remedy="see isa/v.yaml"
        )
    count = 1
    for axis in axes:
        count *= len(axis)
    if count > _MOST:
        raise InputError(f"{name} stands for {count} instructions", **entry.where("for"), remedy=f"use {_MOST} at most")
    body = YamlMap((key, value) for key, value in entry.items() if key != "for")
    body.file, body.line, body.lines = entry.file, entry.line, entry.lines
    made = []
    for rows in itertools.product(*axes):
        words = {word: str(text) for row in rows for word, text in row.items()}
        made.append((_text(name, words, where), _substituted(body, words)))
    return made


def _substituted(value: Any, words: dict[str, str], where: dict[str, Any] | None = None) -> Any:
    if isinstance(value, YamlMap):
        result = YamlMap((key, _substituted(item, words, value.where(key))) for key, item in value.items())
        result.file, result.line, result.lines = value.file, value.line, value.lines
        return result
    if isinstance(value, YamlList):
        places = [{"file": value.file, "line": line} for line in value.lines]
        items = YamlList(_substituted(item, words, place) for item, place in zip(value, places, strict=True))
        items.file, items.line, items.lines = value.file, value.line, value.lines
        return items
    return _text(value, words, where or {}) if isinstance(value, str) else value


def _text(text: str, words: dict[str, str], where: dict[str, Any]) -> str:
    for _ in range(_DEPTH):
        if "{" not in text:
            return text

        def word(match: re.Match[str]) -> str:
            if match[1] not in words:
                raise unknown("word in a template", match[1], words, **where)
            return words[match[1]]

        text = _PLACE.sub(word, text)
        if len(text) > _LONGEST:
            raise InputError(f"a text of a template grows beyond {_LONGEST} characters", **where, remedy="shorten it")
    return text
