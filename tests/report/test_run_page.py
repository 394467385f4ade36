"""The page of a run, and DRAM traffic over time."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import archsim
from archsim.report import run_figures
from archsim.report.topdown import topdown
from archsim.traces.utilisation import Utilisation
from tests.cli.run_archsim import archsim as command
from tests.report.programs import EXIT, loop, run, transfers
from tests.traces.viewed import MIXED, view


def test_the_page_fetches_nothing_and_holds_figures_and_tables(tmp_path: Path, capsys, monkeypatch) -> None:
    source, page = tmp_path / "mixed.s", tmp_path / "mixed.html"
    source.write_text(MIXED)
    outcome = command("run", source, "--html", page, capsys=capsys, monkeypatch=monkeypatch)
    assert outcome.code == 0 and f"page: {page}" in outcome.err
    text = page.read_text()
    assert not re.search(r'<(?:script|link|img)[^>]+(?:src|href)="https?:', text)
    for title in (
        "mixed.s on edge-npu", "Issue slots, top-down", "Critical path by resource", "Units at work over time",
        "Bandwidth over time", "Roofline",
        "Cycles of harts by cause", "Cycles of units by cause", "Energy by component",
        "Functions",
        "Instructions with most cycles", "qt.bar.wait b0",
    ):  # fmt: skip
        assert title in text, title


@pytest.mark.parametrize("rounds", [1, 30])
def test_traffic_adds_up_and_stays_below_the_peak(rounds: int) -> None:
    result = run(transfers(1 << 16, rounds))
    design = archsim.load_design("edge-npu")
    dram_traffic = [a + b for a, b in zip(result.bandwidth["dram_read"], result.bandwidth["dram_write"], strict=True)]
    assert sum(dram_traffic) == result.dram_read_bytes + result.dram_write_bytes
    assert len(dram_traffic) <= 512
    # what the device moves at once counts in the stretch in which it ends
    peak = design.memory.peak_bytes_per_s / design.clock * result.bandwidth_stretch + 4 * 256
    assert max(dram_traffic) <= peak
    figure = run_figures.bandwidth(result, design)
    assert max(figure.data[0].x) == pytest.approx(1e6 * result.time_s)


def test_misses_of_caches_are_traffic() -> None:
    result = run("li s1, 0x100000\n" + loop("sd a1, 0(s1)\naddi s1, s1, 64\n", 2000))
    total = result.dram_read_bytes + result.dram_write_bytes
    # stores wait for memory no longer than the program runs: the last of them are served behind its end
    assert (
        result.dram_write_bytes > 0
        and 0.5 * total < sum(map(sum, (result.bandwidth["dram_read"], result.bandwidth["dram_write"]))) <= total
    )


def test_figures_agree_with_the_run() -> None:
    result, _, (seen,) = view(MIXED, "server-npu", {"cores": "3"}, lambda listing, design: Utilisation(design.cores))
    waits = run_figures.waits(result.harts)
    for index, hart in enumerate(result.harts):
        assert sum(trace.x[index] for trace in waits.data) == hart["cycles"]
    heat = run_figures.units(seen, result.cycles, 1e9).data[0]
    assert "matrix" in heat.y and all(0 <= share <= 100 for row in heat.z for share in row)
    units = run_figures.unit_waits(result)
    for index in range(len(units.data[0].y)):
        assert sum(trace.x[index] for trace in units.data) == result.hart_cycles
    tree = run_figures.slots(topdown(result.to_dict())).data[0]
    assert tree.values[0] == result.issue_slots


def test_marked_regions_are_rows() -> None:
    stretches = run("csrwi qmark, 3\nnop\ncsrwi qmark, 4\nnop\ncsrwi qmark, 3\n" + EXIT).regions
    assert [trace.name for trace in run_figures.regions(stretches, 1e9).data] == ["region 3", "region 4"]


def test_a_long_run_has_a_page_without_the_critical_path(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("archsim.cli.run_views.PAGE_PATH", 1000)
    source, page = tmp_path / "long.s", tmp_path / "long.html"
    source.write_text(loop("addi a1, a1, 1\n" * 8, 200))
    outcome = command("run", source, "--html", page, capsys=capsys, monkeypatch=monkeypatch)
    assert outcome.code == 0 and "ask for it with --critical-path" in page.read_text()
    both = ("--html", page, "--critical-path")
    outcome = command("run", source, *both, capsys=capsys, monkeypatch=monkeypatch)
    assert "critical path: " in outcome.err and "ask for it with --critical-path" not in page.read_text()
