"""archsim run with views, and archsim explain."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.run_archsim import archsim
from tests.debian import needs
from tests.report.programs import EXIT, loop
from tests.traces.kanata_reader import read_kanata
from tests.traces.trace_events import check_trace


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "chain.s"
    path.write_text(loop("mul a1, a1, a1\n" * 4, 50))
    return path


def test_every_view_at_once(source: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    pipeline, timeline, listing = (tmp_path / name for name in ("chain.kanata", "chain.json", "chain.txt"))
    files = ("--pipeline", pipeline, "--timeline", timeline, "--annotate", listing)
    outcome = archsim("run", source, "--topdown", "--critical-path", *files, capsys=capsys, monkeypatch=monkeypatch)
    assert (outcome.code, outcome.out) == (0, "")
    for text in ("retiring", "dependency_mul", "critical path: ", "mul  "):
        assert text in outcome.err
    with pipeline.open() as stream:
        found = read_kanata(stream)
    assert len(found) == 1 + 50 * 6 + 3
    assert check_trace(json.loads(timeline.read_text()))
    assert "mul a1, a1, a1" in listing.read_text()


def test_json_is_one_document_with_the_views_in_it(source: Path, capsys, monkeypatch) -> None:
    arguments = ("run", source, "--annotate", "-", "--critical-path", "--json")
    result = json.loads(archsim(*arguments, capsys=capsys, monkeypatch=monkeypatch).out)
    assert result["topdown"]["slots"] == result["issue_slots"]
    assert sum(result["critical_path"]["resources"].values()) == result["cycles"]
    lines = result["annotation"]["instructions"]
    assert sum(line["executions"] for line in lines) == result["instructions"]
    plain = json.loads(archsim("run", source, "--json", capsys=capsys, monkeypatch=monkeypatch).out)
    assert {name: result[name] for name in plain} == plain
    assert set(result) - set(plain) == {"annotation", "critical_path"}


def test_what_a_view_leaves_out_is_said(source: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    file = tmp_path / "some.kanata"
    arguments = ("run", source, "--pipeline", file, "--view-start", 100, "--view-limit", 20)
    outcome = archsim(*arguments, capsys=capsys, monkeypatch=monkeypatch)
    assert f"{file}: 20 of 304 instructions are shown: numbers 100 to 119 (--view-start, --view-limit)" in outcome.err
    with file.open() as stream:
        assert len(read_kanata(stream)) == 20


def test_a_program_that_fails_leaves_whole_files(tmp_path: Path, capsys, monkeypatch) -> None:
    source, pipeline, timeline = (tmp_path / name for name in ("bad.s", "bad.kanata", "bad.json"))
    source.write_text("li a0, 5\nmul a0, a0, a0\nld a1, 8(zero)\n" + EXIT)
    arguments = ("run", source, "--pipeline", pipeline, "--timeline", timeline)
    outcome = archsim(*arguments, capsys=capsys, monkeypatch=monkeypatch)
    assert outcome.code == 1 and outcome.err.count("\n") == 1 and "outside memory" in outcome.err
    with pipeline.open() as stream:
        assert [one.text.split(": ")[1] for one in read_kanata(stream).values()][-1].startswith("mul")
    assert check_trace(json.loads(timeline.read_text()))


@pytest.mark.parametrize("view", [("--topdown",), ("--annotate", "-"), ("--critical-path",)])
def test_functional_runs_have_no_times(view: tuple[str, ...], source: Path, capsys, monkeypatch) -> None:
    outcome = archsim("run", source, "--functional", *view, capsys=capsys, monkeypatch=monkeypatch)
    assert outcome.code == 2 and outcome.err.count("\n") == 1 and "no times" in outcome.err


def test_a_file_that_cannot_be_written_is_one_line(source: Path, capsys, monkeypatch) -> None:
    for view in ("--pipeline", "--timeline", "--annotate"):
        outcome = archsim("run", source, view, "/nowhere/file", capsys=capsys, monkeypatch=monkeypatch)
        assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome


@pytest.mark.slow
@needs("riscv64-unknown-elf-gcc", "gcc-riscv64-unknown-elf")
def test_damaged_debug_information_is_a_warning(tmp_path: Path, capsys, monkeypatch) -> None:
    (tmp_path / "end.c").write_text('void _start(void) { asm volatile("li a0, 0\\nli a7, 93\\necall"); for (;;) ; }\n')
    flags = ["-g", "-march=rv64im_zicsr", "-mabi=lp64", "-nostdlib", "-static", "-ffreestanding"]
    subprocess.run(["riscv64-unknown-elf-gcc", *flags, "end.c", "-o", "end"], cwd=tmp_path, check=True)
    whole = archsim("run", tmp_path / "end", "--annotate", "-", capsys=capsys, monkeypatch=monkeypatch)
    assert whole.code == 0 and f"{tmp_path / 'end.c'}:1" in whole.out and "warning" not in whole.err
    from elftools.elf.elffile import ELFFile

    with (tmp_path / "end").open("rb") as stream:
        part = ELFFile(stream).get_section_by_name(".debug_info")
        place, size = part["sh_offset"], part["sh_size"]
    data = bytearray((tmp_path / "end").read_bytes())
    data[place : place + size] = bytes([0xA5] * size)
    (tmp_path / "end").write_bytes(data)
    damaged = archsim("run", tmp_path / "end", "--annotate", "-", capsys=capsys, monkeypatch=monkeypatch)
    assert damaged.code == 0 and damaged.err.count("warning") == 1 and "debug information is damaged" in damaged.err
    assert "ecall" in damaged.out and "end.c" not in damaged.out


@pytest.mark.slow
def test_explain_lists_what_saves_cycles(source: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    found = json.loads(archsim("explain", source, "--json", capsys=capsys, monkeypatch=monkeypatch).out)
    best = found["changes"][0]
    assert (best["resource"], best["step"], best["after"]) == ("multiplier latency", "unlimited", "1 cycles")
    assert best["saved_cycles"] == found["cycles"] - best["cycles"] > 0
    assert all({"resource", "step", "reason", "fields"} <= set(one) for one in found["skipped"])
    # a recorded trace of the same program says the same
    trace = tmp_path / "chain.trace"
    archsim("run", source, "--record", trace, capsys=capsys, monkeypatch=monkeypatch)
    again = json.loads(archsim("explain", trace, "--json", capsys=capsys, monkeypatch=monkeypatch).out)
    assert [(one["resource"], one["cycles"]) for one in again["changes"]] == [
        (one["resource"], one["cycles"]) for one in found["changes"]
    ]
    outcome = archsim("explain", source, capsys=capsys, monkeypatch=monkeypatch)
    assert "multiplier latency" in outcome.out and "other changes save nothing" in outcome.out


def test_explain_refuses_in_one_line(tmp_path: Path, capsys, monkeypatch) -> None:
    for arguments in (("explain", tmp_path / "none.s"), ("explain", tmp_path)):
        outcome = archsim(*arguments, capsys=capsys, monkeypatch=monkeypatch)
        assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome
