"""YAML loaded so that every key remembers its line, read as YAML 1.2 where 1.1 surprises."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NoReturn

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


MAXIMUM_BYTES = 4 << 20
MAXIMUM_DEPTH = 64
MAXIMUM_NODES = 400_000
"""Limits on files, which may come from strangers: size, nesting, and values with aliases written out."""


def load_yaml(path: str | Path) -> YamlMap:
    """Load a YAML file whose top is a mapping.

    Raises:
        InputError: the file cannot be read, is too large, is no YAML, repeats a key, or its top is no mapping.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAXIMUM_BYTES:
            raise InputError(f"is larger than {MAXIMUM_BYTES >> 20} MiB", file=path, remedy="split it")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise InputError(f"cannot read: {reason}", file=path, remedy="check the path") from None
    return parse_yaml(text, path)


def parse_yaml(text: str, path: str | Path) -> YamlMap:
    """Parse YAML text; `path` is what errors and marks name."""
    path = Path(path)
    loader = None
    try:
        loader = _Loader(text)
        value = _Builder(loader, path).document()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        line = mark.line + 1 if mark else None
        raise InputError(f"not valid YAML: {problem}", file=path, line=line, remedy="mend the syntax") from None
    finally:
        if loader is not None:
            loader.dispose()
    if not isinstance(value, YamlMap):
        raise InputError("the top must be a mapping", file=path, line=1, remedy="write 'key: value' lines")
    return value


class _Builder:
    """Values out of a loader's events. Nothing recurses, so that no file can exhaust the stack."""

    def __init__(self, loader: Any, path: Path) -> None:
        self.loader, self.path = loader, path
        # anchor -> its value, and how many values that has in all
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.nodes = 0
        # open collections: the value, the key that waits for its value, its anchor, nodes before it
        self.open: list[tuple[Any, list[tuple[str, int]], str | None, int]] = []

    def document(self) -> Any:
        """The value of the only document; None for an empty one."""
        value, documents = None, 0
        while True:
            event = self.loader.get_event()
            if isinstance(event, yaml.StreamEndEvent):
                return value
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self.fail("more than one document", event, "keep one")
            elif not isinstance(event, (yaml.StreamStartEvent, yaml.DocumentEndEvent)):
                found = self.event(event)
                if found is not _NOTHING:
                    value = found

    def event(self, event: Any) -> Any:
        """Take an event; the top's value when that is complete."""
        line = event.start_mark.line + 1
        self.nodes += 1
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            if len(self.open) >= MAXIMUM_DEPTH:
                self.fail(f"nested more than {MAXIMUM_DEPTH} deep", event, "write it flatter")
            self.key_must_be_plain(event)
            value: Any = YamlMap() if isinstance(event, yaml.MappingStartEvent) else YamlList()
            value.file, value.line, value.lines = self.path, line, {} if isinstance(value, YamlMap) else []
            self.open.append((value, [], event.anchor, self.nodes))
            return _NOTHING
        if isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            value, _, anchor, before = self.open.pop()
            self.nodes -= 1
            return self.add(value, value.line, anchor, self.nodes - before + 1)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                self.fail(f"*{event.anchor} is no anchor before it", event, f"write &{event.anchor} first")
            value, size = self.anchors[event.anchor]
            self.nodes += size
            self.check_size(event)
            return self.add(value, line, None, size)
        self.check_size(event)
        return self.add(self.scalar(event), line, event.anchor, 1)

    def scalar(self, event: Any) -> Any:
        tag = event.tag
        if tag is None or tag == "!":
            tag = self.loader.resolve(yaml.ScalarNode, event.value, event.implicit)
        if tag == "tag:yaml.org,2002:str":
            return event.value
        node = yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark)
        try:
            return self.loader.construct_object(node)
        except ValueError:
            # integers of thousands of digits
            self.fail(f"{event.value[:20]}... is no number that can be read", event, "write a smaller one")

    def add(self, value: Any, line: int, anchor: str | None, size: int) -> Any:
        """Put a complete value where it belongs; the value itself if it is the top."""
        if anchor is not None:
            self.anchors[anchor] = value, size
        if not self.open:
            return value
        parent, waiting, _, _ = self.open[-1]
        if isinstance(parent, YamlList):
            parent.append(value)
            parent.lines.append(line)
        elif waiting:
            key, key_line = waiting.pop()
            parent[key] = value
            parent.lines[key] = key_line
        else:
            key = str(value)
            if isinstance(value, (YamlMap, YamlList)):
                raise InputError("a key is a collection", file=self.path, line=line, remedy="use words as keys")
            if key in parent:
                raise InputError(
                    f"key {key!r} stands twice (first on line {parent.lines[key]})",
                    file=self.path,
                    line=line,
                    remedy="keep one",
                )
            waiting.append((key, line))
        return _NOTHING

    def key_must_be_plain(self, event: Any) -> None:
        if self.open and isinstance(self.open[-1][0], YamlMap) and not self.open[-1][1]:
            self.fail("a key is a collection", event, "use words as keys")

    def check_size(self, event: Any) -> None:
        if self.nodes > MAXIMUM_NODES:
            self.fail(f"more than {MAXIMUM_NODES} values, aliases written out", event, "use fewer aliases, or split it")

    def fail(self, message: str, event: Any, remedy: str) -> NoReturn:
        raise InputError(message, file=self.path, line=event.start_mark.line + 1, remedy=remedy)


_NOTHING = object()
