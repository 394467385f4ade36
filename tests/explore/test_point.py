"""Single points and comparisons from the user's store, and specifications refused before they run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from archsim.common.errors import InputError
from archsim.common.resources import find
from archsim.explore import point as module
from archsim.explore.comparison import compare
from archsim.explore.grid import WORKLOAD, load_spec
from archsim.explore.point import check_spec, evaluate_point
from archsim.explore.store import results_folder
from tests.explore import fakes

POINT: dict[str, Any] = {**WORKLOAD, "model": "tiny", "design": "edge", "overrides": {"core.scratchpad.size": 2}}


@pytest.fixture
def evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Points that were really evaluated, in a store of the test's own."""
    points: list[dict[str, Any]] = []

    def simulate_point(point: dict[str, Any], progress: object = None) -> dict[str, Any]:
        points.append(point)
        return {**fakes.quick(point), "design": point["design"]}

    monkeypatch.setenv("ARCHSIM_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "simulate_point", simulate_point)
    return points


def test_a_point_is_evaluated_once(evaluated: list[dict[str, Any]], tmp_path: Path) -> None:
    first = evaluate_point(POINT)
    assert evaluate_point(dict(reversed(POINT.items()))) == first
    assert evaluated == [POINT]
    assert evaluate_point({**POINT, "context": 1})["cycles"] == 500
    assert len(evaluated) == 2
    assert results_folder() == tmp_path / "cache" / "results"


def test_fresh_evaluates_again(evaluated: list[dict[str, Any]]) -> None:
    assert evaluate_point(POINT) == evaluate_point(POINT, fresh=True)
    assert len(evaluated) == 2


def test_a_refused_point_is_not_stored(evaluated: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "simulate_point", lambda point, progress: fakes.picky(point))
    for _ in range(2):
        with pytest.raises(InputError, match="does not fit"):
            evaluate_point(POINT)


def test_comparison_keeps_the_order_of_designs(evaluated: list[dict[str, Any]]) -> None:
    lines: list[str] = []
    designs = ["server-npu", "octa-npu", "edge-npu"]
    # what the store has is not evaluated again
    evaluate_point({**POINT, "design": "octa-npu", "overrides": {"core.dma.queue": 16}})
    results = compare("tiny", designs, overrides={"core.dma.queue": 16}, progress=lines.append)
    assert [result["design"] for result in results] == designs
    assert [point["design"] for point in evaluated] == ["octa-npu", "server-npu", "edge-npu"]
    assert lines == [f"tiny on {design}" for design in designs]


def test_comparison_looks_at_all_designs_before_it_starts(evaluated: list[dict[str, Any]]) -> None:
    with pytest.raises(InputError, match="unknown design 'edge-npv'"):
        compare("tiny", ["edge-npu", "edge-npv"])
    assert not evaluated


def test_comparison_names_the_design_that_a_model_does_not_run_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ARCHSIM_CACHE_DIR", str(tmp_path))
    with pytest.raises(InputError, match=r"^gemmini: op 'attention'"):
        compare("tiny-llama-test", ["gemmini"], context=64)


SPEC = """\
model: llama-3-8b
base: {design: edge-npu, weights: int4-g128}
grid:
  design.core.scratchpad.size: [256 KiB, 3 GHz]
  context: [16]
"""


def test_a_spec_that_some_points_can_run_is_taken(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC)
    check_spec(load_spec(tmp_path / "spec.yaml"))
    check_spec(load_spec(find("sweep", "edge-sram", "configs/sweeps")))


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("core.scratchpad.size", "core.scratchpd.size", 4, "did you mean 'core.scratchpad.size'"),
        ("256 KiB, 3 GHz", "3 GHz, much", 4, "design.core.scratchpad.size: "),
        ("edge-npu", "edge-nup", 2, "design: unknown design 'edge-nup'; did you mean 'edge-npu'"),
        ("llama-3-8b", "lama-3-8b", 1, "model: unknown model 'lama-3-8b'; did you mean 'llama-3-8b'"),
        ("int4-g128", "int4-g12a", 2, "weights: "),
    ],
)
def test_a_field_that_no_point_can_have_is_refused_with_its_line(
    tmp_path: Path, old: str, new: str, line: int, message: str
) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC.replace(old, new))
    with pytest.raises(InputError, match=message) as error:
        check_spec(load_spec(path))
    assert str(error.value).startswith(f"{path}:{line}: ")
