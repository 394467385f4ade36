"""ONNX files on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from archsim.explore.fingerprint import Fingerprint
from archsim.explore.point import simulate_point
from tests.cli.run_archsim import archsim
from tests.models.onnx_nets import Net, block, conv_net, save


def test_simulate_and_show(capsys, monkeypatch, tmp_path: Path) -> None:
    file = save(block(), tmp_path)
    outcome = archsim("simulate", file, "--design", "edge-npu", "--json", capsys=capsys, monkeypatch=monkeypatch)
    assert outcome.code == 0, outcome.err
    result = json.loads(outcome.out)
    assert (result["phase"], result["batch"], result["model"]) == ("run", 1, "net")
    assert result["busy_cycles"] + sum(result["stalls"].values()) == result["hart_cycles"] == result["cycles"]
    shown = archsim("model", "show", file, "--json", capsys=capsys, monkeypatch=monkeypatch)
    ops = json.loads(shown.out)
    assert [op["op"] for op in ops] == [op["op"] for op in result["ops"]]
    assert sum(op["macs"] for op in ops) == result["macs_total"] == sum(op["macs"] for op in result["ops"])
    assert sum(op["cycles"] for op in result["ops"]) == result["cycles"]


def test_compare(capsys, monkeypatch, tmp_path: Path) -> None:
    file = save(conv_net(), tmp_path)
    outcome = archsim("compare", file, "--designs", "edge-npu", capsys=capsys, monkeypatch=monkeypatch)
    assert outcome.code == 0, outcome.err
    words = outcome.out.split()
    assert {"run,", "int8-channel,", "samples"} <= set(words) and "2," in words


def test_a_dimension_is_fixed(capsys, monkeypatch, tmp_path: Path) -> None:
    net = Net()
    out = net.node("MatMul", "x", net.floats(32, 16))
    file = save(net.model({"x": ["batch", 32]}, {out: None}), tmp_path)
    open_ = archsim("simulate", file, capsys=capsys, monkeypatch=monkeypatch)
    assert open_.code == 2 and open_.err.strip().endswith("fix it with --dim batch=VALUE")
    outcome = archsim("simulate", file, "--dim", "batch=3", "--json", capsys=capsys, monkeypatch=monkeypatch)
    assert json.loads(outcome.out)["macs_total"] == 3 * 32 * 16


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--batch", "4"), "batch 4 is not for ONNX files: they say themselves what runs; leave batch out"),
        (("--dim", "batch"), "--dim 'batch' gives no size; write NAME=VALUE"),
        (("--weights", "int4-g128"), "groups of 128 do not divide rows of 27"),
        (("--design", "edge-rvv"), "no kernel for ops of kind im2col"),
    ],
)
def test_what_is_wrong_is_one_line(capsys, monkeypatch, tmp_path: Path, arguments: tuple[str], message: str) -> None:
    outcome = archsim("simulate", save(conv_net(), tmp_path), *arguments, capsys=capsys, monkeypatch=monkeypatch)
    assert outcome.code == 2 and message in outcome.err and outcome.err.count("\n") == 1


def test_other_commands_say_so(capsys, monkeypatch, tmp_path: Path) -> None:
    outcome = archsim("model", "check", save(conv_net(), tmp_path), capsys=capsys, monkeypatch=monkeypatch)
    assert outcome.code == 2 and "an ONNX file is a graph" in outcome.err
    outcome = archsim("simulate", "llama-3-8b", "--dim", "batch=1", capsys=capsys, monkeypatch=monkeypatch)
    assert outcome.code == 2 and "dims are for ONNX files" in outcome.err


def test_stored_results_depend_on_the_content(tmp_path: Path) -> None:
    """Of the file, and of the files that hold its tensors."""
    file = tmp_path / "net.onnx"
    point = {"model": str(file)}
    keys = set()
    for seed in range(2):
        net = Net(seed)
        out = net.node("MatMul", "x", net.floats(32, 16))
        proto = net.model({"x": [1, 32]}, {out: None})
        onnx.save(proto, str(file))
        keys.add(Fingerprint().key(point, simulate_point))
        onnx.save(proto, str(file), save_as_external_data=True, location="net.data", size_threshold=0)
        keys.add(Fingerprint().key(point, simulate_point))
    data = np.fromfile(tmp_path / "net.data", np.float32)
    (data + 1).tofile(tmp_path / "net.data")
    keys.add(Fingerprint().key(point, simulate_point))
    assert len(keys) == 5
