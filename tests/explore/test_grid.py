"""Sweep specifications: which points a grid has, and what is refused where."""

from __future__ import annotations

from pathlib import Path

import pytest

from archsim.common.errors import InputError
from archsim.common.resources import shipped
from archsim.explore.grid import load_spec

GOOD = """\
sweep: small
model: tiny
base: {design: edge, workload.batch: 4}
grid:
  design.core.scratchpad.size: [256 KiB, 1 MiB]
  workload.context: [16, 32, 64]
objectives: {time_s: min, tokens_per_s: max}
"""


def spec_file(folder: Path, text: str) -> Path:
    path = folder / "spec.yaml"
    path.write_text(text)
    return path


def test_points_are_the_product_with_the_last_field_fastest(tmp_path: Path) -> None:
    spec = load_spec(spec_file(tmp_path, GOOD))
    assert [(p["overrides"]["core.scratchpad.size"], p["context"]) for p in spec.points()] == [
        ("256 KiB", 16), ("256 KiB", 32), ("256 KiB", 64), ("1 MiB", 16), ("1 MiB", 32), ("1 MiB", 64),
    ]  # fmt: skip
    assert spec.points()[0] == {
        "model": "tiny",
        "design": "edge",
        "overrides": {"core.scratchpad.size": "256 KiB"},
        "phase": "decode",
        "batch": 4,
        "context": 16,
        "weights": "int4-g128",
        "activations": "int8",
        "kv": "int8",
        "mapping": "estimate",
        "tokens": 128,
    }
    assert spec.settings()[-1] == {
        "design": "edge", "batch": 4, "model": "tiny", "design.core.scratchpad.size": "1 MiB", "context": 64,
    }  # fmt: skip
    assert spec.objectives == {"time_s": "min", "tokens_per_s": "max"}


def test_models_and_designs_can_vary(tmp_path: Path) -> None:
    spec = load_spec(spec_file(tmp_path, "grid: {model: [a, b], design: [c, d], phase: [prefill, decode]}"))
    assert len(spec.points()) == 8
    assert spec.name == "spec"


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("sweep:", "sweeep:", 1, "unknown key of a sweep 'sweeep'; did you mean 'sweep'?"),
        ("workload.context", "workload.contxt", 6, "unknown field 'contxt'; did you mean 'context'"),
        ("[16, 32, 64]", "2048", 6, "workload.context must have a list of values"),
        ("[16, 32, 64]", "[]", 6, "workload.context must have a list of values"),
        ("[16, 32, 64]", "[16, -1]", 6, "context is -1; write a whole number from 1 on"),
        ("[16, 32, 64]", "[16, true]", 6, "context is True; write a whole number"),
        ("[16, 32, 64]", "[16, 32, 16]", 6, "workload.context has the value 16 twice; keep one"),
        ("[256 KiB, 1 MiB]", "[[1], 2]", 5, "design.core.scratchpad.size is \\[1\\]; write one value"),
        ("design.core.scratchpad.size", "design..size", 5, "unknown field 'design..size'"),
        ("workload.batch: 4", "context: 4", 6, r"context stands twice \(first on line 3\)"),
        ("design: edge, ", "", 1, "no design is given; add 'design:' to base or grid"),
        ("model: tiny", "model: 3", 2, "model is 3; write a name"),
        ("time_s: min", "time_s: least", 7, "time_s is 'least'; write min or max"),
        ("design: edge, workload.batch: 4", "design: edge, phase: train", 3, "phase is 'train'; write prefill or"),
    ],
)
def test_errors_name_the_line(tmp_path: Path, old: str, new: str, line: int, message: str) -> None:
    assert old in GOOD
    path = spec_file(tmp_path, GOOD.replace(old, new))
    with pytest.raises(InputError, match=message) as error:
        load_spec(path)
    assert str(error.value).startswith(f"{path}:{line}: ")


@pytest.mark.parametrize("grid", ["", "grid:", "grid: {}", "grid: [1]"])
def test_a_sweep_needs_a_grid(tmp_path: Path, grid: str) -> None:
    with pytest.raises(InputError, match=r"grid (must be a mapping|is empty)|the grid is empty"):
        load_spec(spec_file(tmp_path, f"model: a\nbase: {{design: b}}\n{grid}\n"))


def test_a_grid_beyond_reason_is_refused_before_it_is_built(tmp_path: Path) -> None:
    values = list(range(1, 102))
    text = f"model: a\nbase: {{design: b}}\ngrid: {{context: {values}, batch: {values}, design.x: {values}}}\n"
    with pytest.raises(InputError, match="the grid has 1030301 points"):
        load_spec(spec_file(tmp_path, text))


def test_shipped_sweeps_load() -> None:
    specs = {name: load_spec(path) for name, path in shipped("configs/sweeps", ".yaml").items()}
    assert len(specs["edge-sram"].points()) == 24
    assert all(spec.name == name for name, spec in specs.items())
