"""Reading a model's configuration: a config.json of Hugging Face, or a YAML file as the models that ship have it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from archsim.common.errors import InputError
from archsim.models.architectures import config_of
from archsim.models.config import TransformerConfig
from archsim.models.config_fields import Fields

YAML = (".yaml", ".yml")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:\n]')
_KEYS = ("source", "config", "routing")


def read_config(path: Path) -> TransformerConfig:
    """Read a configuration.

    Raises:
        InputError: the file is malformed, a field is missing or wrong, or the architecture is not supported.
    """
    return config_of(_yaml_fields(path) if path.suffix in YAML else _json_fields(path))


def read_routing(path: Path) -> list[float] | None:
    """Shares of tokens by expert that a YAML file states under `routing`; None where it states none.

    Raises:
        InputError: they are no list of numbers.
    """
    if path.suffix not in YAML:
        return None
    from archsim.common.yamlfile import load_yaml

    tree = load_yaml(path)
    shares = tree.get("routing")
    if shares is None or shares == "uniform":
        return None
    if not isinstance(shares, list) or not all(type(share) in (int, float) for share in shares):
        raise InputError("routing is no list of numbers", **tree.where("routing"), remedy="write uniform, or shares")
    return [float(share) for share in shares]


def _json_fields(path: Path) -> Fields:
    try:
        text = path.read_text(encoding="utf-8")
        tree = json.loads(text)
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror}", file=path, remedy="check the path") from None
    except UnicodeDecodeError:
        raise InputError("not UTF-8 text", file=path, remedy="give a config.json") from None
    except json.JSONDecodeError as error:
        where = {"line": error.lineno, "column": error.colno}
        raise InputError(f"not valid JSON: {error.msg}", file=path, remedy="mend the syntax", **where) from None
    except (ValueError, RecursionError):
        raise InputError("a number or a nesting is too large", file=path, remedy="give a config.json") from None
    if not isinstance(tree, dict):
        raise InputError("the top must be an object", file=path, line=1, remedy="give a config.json")
    return Fields(tree, path, _field_lines(text))


def _yaml_fields(path: Path) -> Fields:
    # a configuration in JSON needs no yaml
    from archsim.common.yamlfile import YamlMap, load_yaml

    tree = load_yaml(path)
    for key in tree:
        if key not in _KEYS:
            raise InputError(f"unknown key {key!r}", **tree.where(key), remedy=f"use {', '.join(_KEYS)}")
    for key, kind, what in (("source", str, "text"), ("config", YamlMap, "a mapping")):
        if not isinstance(tree.get(key), kind):
            where = tree.where(key) if key in tree else {"file": path}
            raise InputError(f"{key} must be {what}", **where, remedy="write source: and config:, as shipped models do")
    fields = tree["config"]
    return Fields(fields, path, fields.lines)


def _field_lines(text: str) -> dict[str, int]:
    """The line of each field of the top object of valid JSON."""
    lines: dict[str, int] = {}
    depth, line, before, before_line = 0, 1, "", 1
    for token in _TOKEN.findall(text):
        if token == "\n":
            line += 1
            continue
        if token == ":" and depth == 1:
            lines[json.loads(before)] = before_line
        depth += (token in "{[") - (token in "]}")
        before, before_line = token, line
    return lines
