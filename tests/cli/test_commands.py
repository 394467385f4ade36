"""What the commands print for scripts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.run_archsim import archsim

FIELDS = {
    "cycles", "time_s", "tokens_per_s", "energy_j", "energy_per_token_j", "sram_peak_bytes", "dram_read_bytes",
    "dram_write_bytes", "instructions", "stalls", "energy", "busy_cycles", "hart_cycles",
}  # fmt: skip


def printed(capsys, monkeypatch, *arguments: object):
    outcome = archsim(*arguments, capsys=capsys, monkeypatch=monkeypatch)
    assert outcome.code == 0, outcome
    return json.loads(outcome.out)


def test_help_and_import_stay_light() -> None:
    """Heavy libraries are not even imported for --help."""
    code = (
        "import sys, archsim, archsim.cli.main; print([m for m in ('numba', 'pandas', 'plotly') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.slow
@pytest.mark.parametrize(("phase", "context"), [("decode", 2048), ("prefill", 512)])
def test_llama_on_edge_npu_keeps_the_bounds_anyone_can_redo(capsys, monkeypatch, phase: str, context: int) -> None:
    arguments = ("--design", "edge-npu", "--phase", phase, "--context", context, "--weights", "int4-g128", "--json")
    result = printed(capsys, monkeypatch, "simulate", "llama-3-8b", *arguments)
    assert set(result) >= FIELDS
    assert result["busy_cycles"] + sum(result["stalls"].values()) == result["hart_cycles"] == result["cycles"]
    assert result["energy_j"] == pytest.approx(sum(result["energy"].values()))
    # 7,504,924,672 weights outside the embedding table, 4.125 bits each; 51.2 GB/s; 256 MACs per cycle at 1 GHz
    weights = 8_030_261_248 - 525_336_576 - 65 * 4096
    if phase == "decode":
        bound = weights * 4.125 / 8 / 51.2e9
        assert bound <= result["time_s"] <= 1.5 * bound
        assert result["tokens_per_s"] == pytest.approx(1 / result["time_s"])
    else:
        layers = weights - 128256 * 4096
        assert result["time_s"] >= (512 * layers + 128256 * 4096) / 256e9
        assert result["ttft_s"] == pytest.approx(result["time_s"])


def test_run_prints_what_the_program_did(capsys, monkeypatch, tmp_path: Path) -> None:
    path = tmp_path / "hello.s"
    path.write_text(
        "li a0, 1\nla a1, text\nli a2, 6\nli a7, 64\necall\nli a0, 3\nli a7, 93\necall\n"
        '.data\ntext: .ascii "hello\\n"\n'
    )
    outcome = archsim("run", path, "--json", capsys=capsys, monkeypatch=monkeypatch)
    result = json.loads(outcome.out)
    assert outcome.code == 3 == result["exit_code"]
    assert result["stdout"] == "hello\n"
    assert result["busy_cycles"] + sum(result["stalls"].values()) == result["cycles"]


def test_record_and_replay(capsys, monkeypatch, tmp_path: Path) -> None:
    path, trace = tmp_path / "loop.s", tmp_path / "loop.trace"
    path.write_text(
        "li s0, 500\n1: ld a1, 0(sp)\nmul a2, a1, a1\naddi s0, s0, -1\nbnez s0, 1b\nli a0, 0\nli a7, 93\necall\n"
    )
    run = printed(capsys, monkeypatch, "run", path, "--record", trace, "--json")
    again = printed(capsys, monkeypatch, "replay", trace, "--json")
    assert (again["cycles"], again["stalls"]) == (run["cycles"], run["stalls"])
    elsewhere = printed(capsys, monkeypatch, "replay", trace, "--design", "server-npu", "--json")
    direct = printed(capsys, monkeypatch, "run", path, "--design", "server-npu", "--set", "cores=1", "--json")
    assert elsewhere["harts"][0]["instructions"] == direct["instructions"]


def test_isa_and_design_commands(capsys, monkeypatch, tmp_path: Path) -> None:
    names = {entry["name"] for entry in printed(capsys, monkeypatch, "isa", "list", "--json")}
    assert {"i", "m", "zicsr", "zicntr", "xqt"} <= names
    assert printed(capsys, monkeypatch, "isa", "show", "qt.mma.s", "--json")["unit"] == "matrix"
    assert {d["design"] for d in printed(capsys, monkeypatch, "design", "list", "--json")} >= {"edge-npu", "server-npu"}
    assert printed(capsys, monkeypatch, "design", "show", "edge-npu", "--json")["cores"] == 1
    for to, word in (("c-header", ".insn"), ("insn-macros", ".macro qt.mma ad"), ("opcodes", "\nqt.mma "),
                     ("udb", "name: qt.mma\n"), ("markdown", "### qt.mma\n"), ("html", "<h3 id="),
                     ("latex", "\\end{document}")):  # fmt: skip
        text = archsim("isa", "export", "xqt", "--to", to, capsys=capsys, monkeypatch=monkeypatch)
        assert text.code == 0 and word in text.out
    assert archsim("isa", "export", "xqt", "--to", "pdf", capsys=capsys, monkeypatch=monkeypatch).code == 2
    for to, files in (("opcodes", "x.opcodes"), ("udb", "udb")):
        exported, copy = tmp_path / files, tmp_path / f"{to}.yaml"
        archsim("isa", "export", "xqt", "--to", to, "-o", exported, capsys=capsys, monkeypatch=monkeypatch)
        imported = archsim("isa", "import", exported, "--from", to, "--name", "Xcopy", "-o", copy, capsys=capsys,
                           monkeypatch=monkeypatch)  # fmt: skip
        assert imported.code == 0
        checked = archsim("isa", "check", copy, capsys=capsys, monkeypatch=monkeypatch)
        assert checked.code == 0 and "no error" in checked.out
    priced = archsim("isa", "export", "xqt", "--to", "markdown", "--design", "edge-npu", capsys=capsys,
                     monkeypatch=monkeypatch)  # fmt: skip
    assert "Time and energy on edge-npu" in priced.out and "cycles to the next: 128" in priced.out
    ops = printed(capsys, monkeypatch, "model", "show", "llama-3-8b", "--json")
    assert [op["op"] for op in ops if op["kind"] == "matmul"] == ["qkv", "out", "gate_up", "down", "lm_head"]


def test_model_memory_by_class_of_tensor(capsys, monkeypatch) -> None:
    arguments = ("--weights", "q4_k_m", "--kv", "int8", "--context", 4096, "--batch", 2, "--json")
    result = printed(capsys, monkeypatch, "model", "memory", "llama-2-70b", *arguments)
    assert sum(entry["bytes"] for entry in result["classes"]) == result["total_memory"]["bytes"]
    assert result["kv_cache_memory"]["fp16_bytes"] == 2 * 4096 * 327_680
    assert result["weights_memory"]["elements"] == 68_976_648_192
    assert result["weights_memory"]["compression"] == pytest.approx(16 / result["weights_memory"]["bits_per_element"])
    outcome = archsim("model", "memory", "llama-2-7b", "--weights", "q4_k_x", capsys=capsys, monkeypatch=monkeypatch)
    assert outcome.code == 2 and "unknown format 'q4_k_x'; did you mean" in outcome.err


def test_formats_are_listed_and_shown(capsys, monkeypatch) -> None:
    examples = [
        name for family in printed(capsys, monkeypatch, "formats", "list", "--json") for name in family["examples"]
    ]
    assert {"int4-g128", "ternary", "fp8-e4m3", "mxfp4", "nvfp4", "nf4-g64", "kmeans4", "q4_k", "bf16"} <= set(examples)
    shown = printed(capsys, monkeypatch, "formats", "show", "int4-g128-asym", "--json")
    assert shown["bits_per_weight"] == 4.15625
    assert sum(array["bytes"] for array in shown["arrays"]) == shown["bytes"]
    outcome = archsim("formats", "show", "q4_k", "--columns", 100, capsys=capsys, monkeypatch=monkeypatch)
    assert outcome.code == 2 and "do not divide rows of 100" in outcome.err


def test_a_format_without_a_kernel_is_refused(capsys, monkeypatch) -> None:
    arguments = ("simulate", "tiny-llama-test", "--design", "edge-npu", "--context", 16, "--weights", "nvfp4")
    outcome = archsim(*arguments, capsys=capsys, monkeypatch=monkeypatch)
    assert outcome.code == 2
    assert "no kernel multiplies weights of format 'nvfp4'; use int2, int3, int4 or int8" in outcome.err
