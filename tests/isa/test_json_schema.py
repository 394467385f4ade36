"""The JSON Schema of extension files, by the jsonschema package: what ships fits, what is broken does not."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from archsim.common.resources import shipped
from archsim.common.yamlfile import load_yaml, parse_yaml
from archsim.isa.json_schema import json_schema
from archsim.isa.schema import TABLES
from tests.cli.run_archsim import archsim
from tests.isa.tables import extension, rows

SCHEMA = json.loads(json.dumps(json_schema()))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def plain(tree: Any) -> Any:
    return json.loads(json.dumps(tree))


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", shipped("isa", ".yaml"))
def test_what_ships_fits(name: str) -> None:
    errors = [error.message for error in VALIDATOR.iter_errors(plain(load_yaml(shipped("isa", ".yaml")[name])))]
    assert errors == []


def test_tables_of_encodings_fit_only_as_such() -> None:
    text = extension(rows("xuantie_matrix_0.6.csv"), "Xt")
    assert VALIDATOR.is_valid(plain(parse_yaml(text, "x.yaml")))
    assert not VALIDATOR.is_valid(plain(parse_yaml(text.replace("encodings_only: true\n", ""), "x.yaml")))


def test_every_key_is_described_where_editors_look() -> None:
    for table, keys in TABLES.items():
        found = SCHEMA if table == "extension" else SCHEMA["$defs"][table]
        assert list(found["properties"]) == list(keys)
        for name, key in keys.items():
            if name != "kind":
                assert found["properties"][name]["description"] == key.description


GOOD = """\
extension: Xs
long_name: Small
source: here
requires: [I, "Xqt >= 0.3"]
conflicts: [Zvt]
parameters:
  A: {default: 1, minimum: 1, maximum: 2}
  B: {value: 2 * A}
constraints: ["A < B"]
state:
  m: {kind: register_file, count: 4, type: int8, shape: [A]}
  c: {kind: csr, address: 0x800, fields: {low: {location: 1-0}}}
instructions:
  xs.one:
    long_name: One
    encoding: {match: "000000000000-----000000--0001011", variables: [{name: md, location: 8-7, register: m}]}
    assembly: md
    unit: vector
    operation: m[md, 0] = 1
"""


def at(*keys: str | int, to: Any) -> Callable[[Any], None]:
    """A change: sets (or with `...` removes) what stands under keys."""

    def change(tree: Any) -> None:
        for key in keys[:-1]:
            tree = tree[key]
        if to is ...:
            del tree[keys[-1]]
        else:
            tree[keys[-1]] = to

    return change


ONE = ("instructions", "xs.one")


@pytest.mark.parametrize(
    "change",
    [
        at("extension", to=...), at("source", to=...), at("sourse", to="x"), at("extension", to="1x"),
        at("requires", to="I"), at("requires", 1, to="Xqt 0.3"), at("conflicts", to=[3]),
        at("parameters", "A", "minimum", to=...),
        at("parameters", "B", "value", to=...),
        at("parameters", "A", "value", to=3), at("constraints", to="A < B"),
        at("state", "m", "kind", to="registers"), at("state", "m", "type", to="int9"),
        at("state", "m", "count", to=...), at("state", "c", "address", to=4096),
        at("state", "c", "fields", "low", "location", to="1:0"), at("state", "c", "shows", to="moon"),
        at(*ONE, "unit", to="alw"), at(*ONE, "unit", to=...), at(*ONE, "operation", to=...),
        at(*ONE, "encoding", "match", to="0101"), at(*ONE, "encoding", "match", to=...),
        at(*ONE, "encoding", "variables", 0, "location", to="x"), at(*ONE, "assembly", to=...),
        at(*ONE, "memory", to=[{"access": "red", "address": 0, "rows": 1, "row_bytes": 1, "stride": 0}]),
        at(*ONE, "work", to={"element": 3}), at(*ONE, "base", to=128), at(*ONE, "for", to=[3]),
    ],
)  # fmt: skip
def test_what_is_broken_does_not_fit(change: Callable[[Any], None]) -> None:
    tree = plain(parse_yaml(GOOD, "x.yaml"))
    assert VALIDATOR.is_valid(tree)
    broken = copy.deepcopy(tree)
    change(broken)
    assert not VALIDATOR.is_valid(broken)


def test_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done = archsim("isa", "schema", capsys=capsys, monkeypatch=monkeypatch)
    assert done.code == 0 and json.loads(done.out) == SCHEMA
