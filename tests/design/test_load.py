"""Inheritance, overrides, digests, documentation."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.common.errors import InputError
from archsim.common.resources import shipped
from archsim.design import field_docs, json_schema, load_design
from archsim.design.merge import merge, tree_of
from tests.design.writing import refusal, write


def test_a_base_is_merged_key_by_key(tmp_path: Path) -> None:
    design = load_design(write(tmp_path, "core:\n  scratchpad: {size: 1 MiB}\nmemory: {channels: 8}\n"))
    edge = load_design("edge-npu")
    assert design.core.scratchpad.size == 2**20
    assert design.core.scratchpad.banks == edge.core.scratchpad.banks
    assert design.memory.peak_bytes_per_s == 2 * edge.memory.peak_bytes_per_s
    assert design.name == "mine" and design.description == ""


def test_a_base_lies_beside_the_file_that_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "clock: 2 GHz\n", "fast")
    path = tmp_path / "faster.yaml"
    path.write_text("design: faster\nbase: fast\ncores: 2\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path.parent)
    design = load_design(path)
    assert (design.clock, design.cores) == (2e9, 2)


def test_a_device_and_a_table_lie_beside_the_file_that_names_them(tmp_path: Path) -> None:
    text = shipped("configs/memory", ".yaml")["ddr4-3200"].read_text(encoding="utf-8")
    (tmp_path / "own.yaml").write_text(text.replace("tCL: 22", "tCL: 20"), encoding="utf-8")
    assert load_design(write(tmp_path, "memory: {device: own, size: 8 GiB}\n")).memory.device.tCL == 20


def test_null_takes_out_what_the_base_gives(tmp_path: Path) -> None:
    path = write(tmp_path, "cost: null\ncore: {matrix: {formats: {int8: null, fp16: 0.5}}}\n")
    design = load_design(path)
    assert design.core.matrix.formats == {"int4": 1.0, "fp16": 0.5}
    assert design.cost is None


def test_a_circle_of_bases_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("design: a\nbase: b\n", encoding="utf-8")
    (tmp_path / "b.yaml").write_text("design: b\n\nbase: a\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_design(tmp_path / "a.yaml")
    assert str(caught.value) == f"{tmp_path / 'b.yaml'}:3: base goes in a circle: a -> b -> a; take one 'base' out"


def test_errors_name_the_file_that_wrote_the_value(tmp_path: Path) -> None:
    below = write(tmp_path, "core: {dma: {engines: 99}}\n", "below")
    above = tmp_path / "above.yaml"
    above.write_text("design: above\nbase: below\ncores: 2\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_design(above)
    assert str(caught.value) == (f"{below}:3: core.dma.engines: 99 is out of bounds; use at least 1 and at most 16")


EDGE = str(shipped("configs/designs", ".yaml")["edge-npu"])


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("core.scratchpad.size", "256 KiB", 256 * 1024),
        ("clock", "1.5 GHz", 1.5e9),
        ("cores", 4, 4),
        ("cores", "4", 4),
        ("interconnect.latency", "5 ns", 5e-9),
        ("core.matrix.formats", {"int8": 0.5}, {"int8": 0.5}),
        ("core.matrix.formats", "{int8: 0.5}", {"int8": 0.5}),
        ("core.matrix.formats.int4", "null", {"int8": 1.0}),
        ("core.vector.rates.exp", 0.125, {"alu": 1.0, "div": 0.25, "exp": 0.125, "reduce": 1.0, "convert": 1.0}),
        ("core.matrix.double_buffered", "false", False),
        ("isa", "[rv64im, xqt]", ("rv64im", "xqt")),
        ("parameters.TM", 32, {"TM": 32, "TN": 16, "TROWB": 128}),
        ("cost.energy_price", "3.6 $/kWh", 1e-6),
    ],
)
def test_overrides(name: str, value: Any, expected: Any) -> None:
    found: Any = load_design("edge-npu", {name: value})
    path = name.split(".")
    for part in path:
        if isinstance(found, dict):
            break
        found = getattr(found, part)
    assert found == expected


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("core.scratchpad.sise", 1,
         "unknown design field 'core.scratchpad.sise'; did you mean 'core.scratchpad.size'?"),
        ("scratchpad.size", 1, "unknown design field 'scratchpad.size'; did you mean 'core.scratchpad.size'?"),
        ("zzz", 1, "unknown design field 'zzz'; list them with 'archsim design show edge-npu'"),
        ("core.scratchpad.size", "1 GHz",
         "core.scratchpad.size: unit 'GHz' in '1 GHz' is not one of 'B'; write it in 'B'"),
        ("core.scratchpad.size", "", "EDGE:17: core.scratchpad has no 'size'; add 'size: ...' (capacity, in B)"),
        ("clock", "{a: b", "clock: '{a: b' is not valid YAML; write it as in the file"),
        ("memory.device", "lpddr5-640-x16", "memory.device: unknown memory device 'lpddr5-640-x16'; did you mean "
         "'lpddr5-6400-x16'?"),
        ("core.matrix.columns", 32, "core.matrix.columns: 32 columns are never filled by tiles of TN = 16 rows; "
         "use fewer columns, or a larger TN"),
    ],
)  # fmt: skip
def test_refused_overrides(name: str, value: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_design("edge-npu", {name: value})
    assert str(caught.value).replace(EDGE, "EDGE") == message


def test_without_rules_a_field_can_be_tried_alone() -> None:
    assert load_design("edge-npu", {"core.matrix.columns": 32}, rules=False).core.matrix.columns == 32
    both = {"core.matrix.columns": 32, "parameters.TN": 32}
    assert load_design("edge-npu", both).core.matrix.columns == 32


@given(st.sampled_from(["core.l1d.ways", "memory.channels", "core.dma.outstanding"]), st.integers(2, 6))
def test_an_override_is_the_same_as_the_text(name: str, power: int) -> None:
    design = load_design("edge-npu", {name: 2**power, "memory.size": "1 GiB"})
    assert load_design("edge-npu", {"memory.size": "1024 MiB", name: str(2**power)}) == design


trees = st.recursive(
    st.integers(), lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=8
)
mappings = st.dictionaries(st.sampled_from("abc"), trees, max_size=3)


@given(mappings, mappings, mappings)
def test_merging_is_associative_and_keeps_what_is_not_written(a: Any, b: Any, c: Any) -> None:
    one, two, three = tree_of(a), tree_of(b), tree_of(c)
    assert merge(tree_of({}), one) == a
    assert merge(one, one) == a
    # what replaces a mapping by a number hides it, so that only mappings of the same shape associate
    assert set(merge(merge(one, two), three)) == set(a) | set(b) | set(c)
    for key in c:
        if not isinstance(c[key], dict):
            assert merge(merge(one, two), three)[key] == c[key]


def test_digest_follows_whatever_can_change_a_result(tmp_path: Path) -> None:
    edge = load_design("edge-npu")
    seen = {edge.digest()}
    for name, value in (
        ("clock", "1.1 GHz"), ("core.vector.latency", 5), ("parameters.TM", 32), ("memory.channels", 8),
        ("memory.device", "lpddr5x-8533-x16"), ("core.matrix.formats", {"int8": 1.0}),
        ("cost.energy_price", "0.2 $/kWh"),
    ):  # fmt: skip
        seen.add(load_design("edge-npu", {name: value}).digest())
    assert len(seen) == 8
    assert load_design(write(tmp_path, "description: other words\n")).digest() == edge.digest()
    assert load_design("edge-npu").digest() == edge.digest()


def test_digest_follows_the_contents_of_device_and_energy_table(tmp_path: Path) -> None:
    for folder, name, old, new, text in (
        ("configs/memory", "lpddr5-6400-x16", "tCL: 17 tCK", "tCL: 18 tCK", "memory: {device: own}\n"),
        ("configs/energy", "7nm", "value: 0.1 pJ", "value: 0.2 pJ", "technology: {energy: own}\n"),
    ):
        source = shipped(folder, ".yaml")[name].read_text(encoding="utf-8")
        assert old in source
        (tmp_path / "own.yaml").write_text(source.replace(old, new), encoding="utf-8")
        assert load_design(write(tmp_path, text)).digest() != load_design("edge-npu").digest()


def test_field_docs_name_every_field_of_a_design() -> None:
    documented = {doc.name: doc for doc in field_docs()}
    design: Any = load_design("server-npu")

    def check(part: Any, prefix: str) -> None:
        for field in fields(part):
            spec = field.metadata["spec"]
            name = f"{prefix}{spec.key or field.name}"
            assert documented[name].doc, name
            value = getattr(part, field.name)
            if is_dataclass(value) and spec.kind == "section":
                check(value, f"{name}.")

    check(design, "")
    size = documented["core.scratchpad.size"]
    assert (size.kind, size.default, size.bounds) == ("quantity in B", "required", "at least 1024")
    kinds = "dot_product | outer_product | systolic_os | systolic_ws | systolic_is"
    assert documented["core.matrix.kind"].bounds == kinds


def test_json_schema_knows_what_the_loader_knows() -> None:
    schema = json_schema()
    json.dumps(schema)
    core = schema["properties"]["core"]["properties"]
    kinds = ["dot_product", "outer_product", "systolic_os", "systolic_ws", "systolic_is"]
    assert core["matrix"]["properties"]["kind"]["enum"] == kinds
    assert core["matrix"]["additionalProperties"] is False
    assert schema["required"] == ["design"]
    assert "clock" in schema["then"]["required"]


def test_a_design_without_a_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("clock: 1 GHz\n", encoding="utf-8")
    assert refusal(path) == "FILE:1: the file has no 'design'; add 'design: NAME'"
