"""The page of a comparison: whole, self-contained, with figures that agree with the results."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import archsim
from archsim.report import figures
from archsim.report.page import write_page


@pytest.fixture(scope="module")
def results() -> list[dict]:
    model = archsim.load_model("tiny-llama-test")
    return [archsim.simulate(model, name, context=100).to_dict() for name in ("edge-npu", "server-npu", "edge-rvv")]


def test_the_page_fetches_nothing_and_holds_every_figure(results: list[dict], tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_page(path, results)
    page = path.read_text()
    assert not re.search(r'<(?:script|link|img)[^>]+(?:src|href)="https?:', page)
    assert page.count("Plotly.newPlot(") >= 6
    for text in ("Throughput", "Energy per token", "Hart cycles by cause", "SRAM occupancy", "Roofline", "Time by op"):
        assert text in page
    for result in results:
        assert result["design"] in page


def test_stacked_figures_add_up(results: list[dict]) -> None:
    for index, result in enumerate(results):
        stalls = sum(trace.y[index] for trace in figures.stalls(results).data)
        # causes below 0.05 % everywhere are left out
        assert stalls == pytest.approx(100, abs=0.5)
        energy = sum(trace.y[index] for trace in figures.energy(results).data)
        assert energy == pytest.approx(1e3 * result["energy_per_token_j"])
        times = sum(trace.y[index] for trace in figures.operations(results).data)
        assert times == pytest.approx(1e3 * result["time_s"], rel=0.01)


def test_no_point_lies_above_its_roof(results: list[dict]) -> None:
    traces = list(figures.roofline(results).data)
    for roof, point in zip(traces[0::2], traces[1::2], strict=True):
        slope, peak = roof.y[0] / roof.x[0], roof.y[-1]
        assert point.y[0] <= min(peak, slope * point.x[0]) * 1.0001


def test_occupancy_stays_within_the_scratchpad(results: list[dict]) -> None:
    for trace in figures.occupancy(results).data:
        assert max(trace.y) <= 100
        assert list(trace.x) == sorted(trace.x)
