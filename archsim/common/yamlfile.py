"""YAML loaded so that every key remembers its line, read as YAML 1.2 where 1.1 surprises."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from archsim.common.errors import InputError


class YamlMap(dict[str, Any]):
    """A mapping that knows its file, its own line and the line of each key (from 1)."""

    file: Path
    line: int
    lines: dict[str, int]

    def where(self, key: str | None = None) -> dict[str, Any]:
        """``file=`` and ``line=`` of a key (or of the mapping), to pass on to InputError."""
        return {"file": self.file, "line": self.lines.get(key, self.line) if key is not None else self.line}


class YamlList(list[Any]):
    """A sequence that knows its file and the line of each item (from 1)."""

    file: Path
    line: int
    lines: list[int]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """CSafeLoader with YAML 1.2 booleans, integers and floats."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("tag:yaml.org,2002:null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:int", r"^(?:[-+]?[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+|0b[01]+)$", "-+0123456789"),
    (
        "tag:yaml.org,2002:float",
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        "-+.0123456789",
    ),
):
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), list(_first))


def _construct_int(loader: Any, node: Any) -> int:
    text = loader.construct_scalar(node)
    # YAML 1.2: 010 is ten, not eight.
    return int(text, 0) if text[:2] in ("0x", "0o", "0b") else int(text, 10)


_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)


def load_yaml(path: str | Path) -> YamlMap:
    """Load a YAML file whose top is a mapping.

    Raises:
        InputError: the file cannot be read, is no YAML, repeats a key, or its top is no mapping.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise InputError(f"cannot read: {reason}", file=path, remedy="check the path") from None
    return parse_yaml(text, path)


def parse_yaml(text: str, path: str | Path) -> YamlMap:
    """Parse YAML text; `path` is what errors and marks name."""
    path = Path(path)
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        value = None if node is None else _build(loader, node, path)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        line = mark.line + 1 if mark else None
        raise InputError(f"not valid YAML: {problem}", file=path, line=line, remedy="mend the syntax") from None
    finally:
        loader.dispose()
    if not isinstance(value, YamlMap):
        raise InputError("the top must be a mapping", file=path, line=1, remedy="write 'key: value' lines")
    return value


def _build(loader: Any, node: yaml.Node, path: Path) -> Any:
    if isinstance(node, yaml.MappingNode):
        result = YamlMap()
        result.file, result.line, result.lines = path, node.start_mark.line + 1, {}
        for key_node, value_node in node.value:
            key = str(loader.construct_object(key_node, deep=True))
            line = key_node.start_mark.line + 1
            if key in result:
                raise InputError(
                    f"key {key!r} stands twice (first on line {result.lines[key]})",
                    file=path,
                    line=line,
                    remedy="keep one",
                )
            result[key] = _build(loader, value_node, path)
            result.lines[key] = line
        return result
    if isinstance(node, yaml.SequenceNode):
        items = YamlList(_build(loader, item, path) for item in node.value)
        items.file, items.line = path, node.start_mark.line + 1
        items.lines = [item.start_mark.line + 1 for item in node.value]
        return items
    return loader.construct_object(node, deep=True)
