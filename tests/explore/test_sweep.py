"""Sweeps with quick evaluate functions: the table, resuming, errors, dead workers, full disks, a real SIGKILL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas
import pytest
from pandas.testing import assert_frame_equal

from archsim.common.errors import InputError, SimulationError
from archsim.explore.store import Store
from archsim.explore.sweep import sweep
from archsim.explore.table import headline
from tests.explore import fakes

SPEC = """\
sweep: small
model: tiny
base: {design: edge}
grid:
  design.core.scratchpad.size: [1, 2, 4, 8, 16, 32]
  context: [100, 200]
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SPEC)
    return path


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "log"
    path.touch()
    monkeypatch.setenv(fakes.LOG, str(path))
    return path


def evaluations(log: Path) -> list[tuple[str, str]]:
    """(context, size) of each evaluation."""
    return [(line.split()[1], line.split()[2]) for line in log.read_text().splitlines()]


def test_table_has_settings_figures_and_grid_order(tmp_path: Path, spec: Path) -> None:
    frame = sweep(spec, workers=0, out=tmp_path / "out", evaluate=fakes.quick)
    assert list(frame.columns) == [
        "design", "model", "design.core.scratchpad.size", "context", "cycles", "time_s", "energy_j", "stalls.sync",
        "stalls.dma_wait", "error",
    ]  # fmt: skip
    assert list(frame["design.core.scratchpad.size"]) == [1, 1, 2, 2, 4, 4, 8, 8, 16, 16, 32, 32]
    assert list(frame["context"]) == [100, 200] * 6
    assert list(frame["cycles"][:4]) == [100_000, 200_000, 50_000, 100_000]
    assert frame["time_s"][2] == 100 / 3 / 2
    assert frame["error"].isna().all()
    assert frame.attrs == {"sweep": "small", "varying": ["design.core.scratchpad.size", "context"], "objectives": {}}
    assert list(headline(frame, frame.attrs["varying"])) == [
        "design.core.scratchpad.size", "context", "time_s", "cycles",
    ]  # fmt: skip


def test_second_run_evaluates_nothing_and_gives_the_same_table(tmp_path: Path, spec: Path, log: Path) -> None:
    first = sweep(spec, workers=0, out=tmp_path / "out", evaluate=fakes.quick)
    assert len(evaluations(log)) == 12
    assert_frame_equal(first, sweep(spec, workers=0, out=tmp_path / "out", evaluate=fakes.quick))
    assert len(evaluations(log)) == 12


def test_a_larger_grid_evaluates_only_what_is_new(tmp_path: Path, spec: Path, log: Path) -> None:
    sweep(spec, workers=0, out=tmp_path / "out", evaluate=fakes.quick)
    spec.write_text(SPEC.replace("[100, 200]", "[50, 100, 200]"))
    frame = sweep(spec, workers=0, out=tmp_path / "out", evaluate=fakes.quick)
    assert len(frame) == 18
    assert [context for context, _ in evaluations(log)[12:]] == ["50"] * 6


def test_a_changed_file_of_the_user_is_evaluated_again(
    tmp_path: Path, spec: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "edge.yaml").write_text("design: edge\nbase: parts/mine\n")
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "mine.yaml").write_text("design: mine\nclock: 1 GHz\n")
    for count, change in [(12, ""), (12, ""), (24, "clock: 2 GHz\n"), (24, "clock: 2 GHz\n")]:
        if change:
            (tmp_path / "parts" / "mine.yaml").write_text(f"design: mine\n{change}")
        sweep(spec, workers=0, out=tmp_path / "out", evaluate=fakes.quick)
        assert len(evaluations(log)) == count


def test_processes_give_the_table_of_one(tmp_path: Path, spec: Path, capfd: pytest.CaptureFixture[str]) -> None:
    one = sweep(spec, workers=0, out=tmp_path / "one", evaluate=fakes.quick)
    two = sweep(spec, workers=2, out=tmp_path / "two", evaluate=fakes.quick, progress=True)
    assert_frame_equal(one, two)
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "12/12" in captured.err


def test_points_that_cannot_be_evaluated_have_an_error(tmp_path: Path, spec: Path, log: Path) -> None:
    frame = sweep(spec, workers=0, out=tmp_path / "out", evaluate=fakes.picky)
    errors = dict(zip(frame["design.core.scratchpad.size"], frame["error"], strict=True))
    assert errors == {
        1: None, 2: "edge.yaml:7: does not fit; make it larger", 4: "trapped", 8: None, 16: None, 32: None,
    }  # fmt: skip
    assert frame["cycles"].isna().tolist() == [False, False, True, True, True, True] + [False] * 6
    assert_frame_equal(frame, sweep(spec, workers=0, out=tmp_path / "out", evaluate=fakes.picky))
    assert len(evaluations(log)) == 8
    assert_frame_equal(frame, sweep(spec, workers=0, out=tmp_path / "out", evaluate=fakes.picky, retry=True))
    assert len(evaluations(log)) == 8, "the four refused points were tried again, and note nothing"
    assert list(headline(frame, ["context"]))[-1] == "error"


def test_a_bug_ends_the_sweep_and_keeps_what_is_finished(tmp_path: Path, spec: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        sweep(spec, workers=1, out=tmp_path / "out", evaluate=fakes.buggy)
    with Store(tmp_path / "out") as store:
        assert len(store) == 6


def test_errors_of_workers_are_one_line(tmp_path: Path, spec: Path) -> None:
    with pytest.raises(SimulationError, match="a worker process died"):
        sweep(spec, workers=1, out=tmp_path / "out", evaluate=fakes.dying)
    with pytest.raises(InputError, match=r"cache.nbi: no space is left on the disk; free some"):
        sweep(spec, workers=1, out=tmp_path / "out", evaluate=fakes.full_disk)


def test_full_store_stops_the_sweep_and_is_resumed(
    tmp_path: Path, spec: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = Store.put

    def small(self: Store, key: str, value: object) -> None:
        pages = self.connection.execute("PRAGMA page_count").fetchone()[0]
        if len(self) == 5:
            self.connection.execute(f"PRAGMA max_page_count = {pages}")
            value = "x" * 100_000
        put(self, key, value)

    monkeypatch.setattr(Store, "put", small)
    with pytest.raises(InputError, match="disk is full"):
        sweep(spec, workers=2, out=tmp_path / "out", evaluate=fakes.quick)
    monkeypatch.undo()
    monkeypatch.setenv(fakes.LOG, str(log))
    log.write_text("")
    frame = sweep(spec, workers=0, out=tmp_path / "out", evaluate=fakes.quick)
    assert len(evaluations(log)) == 7
    assert_frame_equal(frame, sweep(spec, workers=0, out=tmp_path / "other", evaluate=fakes.quick))


KILLED = """
import sys
from pathlib import Path
from archsim.explore.sweep import sweep
from tests.explore import fakes

if __name__ == "__main__":
    sweep(Path(sys.argv[1]), workers=2, out=Path(sys.argv[2]), evaluate=fakes.slow)
"""


def run_script(spec: Path, out: Path) -> subprocess.Popen[bytes]:
    script = spec.parent / "script.py"
    script.write_text(KILLED)
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, str(script), str(spec), str(out)], env={**os.environ, "PYTHONPATH": str(root)}
    )


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def stored(folder: Path) -> int:
    with Store(folder) as store:
        return len(store)


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie that nobody waited for does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_killed_in_the_middle_it_goes_on_where_it_was(tmp_path: Path, spec: Path, log: Path) -> None:
    process = run_script(spec, tmp_path / "out")
    wait_for(lambda: stored(tmp_path / "out") >= 4)
    process.send_signal(signal.SIGKILL)
    process.wait()
    workers = {int(line.split()[0]) for line in log.read_text().splitlines()}
    wait_for(lambda: not any(map(alive, workers)), 10)

    started = len(evaluations(log))
    finished = stored(tmp_path / "out")
    assert 4 <= finished < 12
    frame = sweep(spec, workers=2, out=tmp_path / "out", evaluate=fakes.slow)
    assert len(evaluations(log)) == started + 12 - finished
    assert_frame_equal(frame, sweep(spec, workers=0, out=tmp_path / "whole", evaluate=fakes.slow))


def test_interrupted_it_ends_at_once(tmp_path: Path, spec: Path, log: Path) -> None:
    process = run_script(spec, tmp_path / "out")
    wait_for(lambda: len(evaluations(log)) >= 2)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) != 0


def test_same_grid_of_other_models_has_other_results(tmp_path: Path, spec: Path, log: Path) -> None:
    sweep(spec, workers=0, out=tmp_path / "out", evaluate=fakes.quick)
    spec.write_text(SPEC.replace("tiny", "other"))
    frame = sweep(spec, workers=0, out=tmp_path / "out", evaluate=fakes.quick)
    assert len(evaluations(log)) == 24
    assert isinstance(frame, pandas.DataFrame)
