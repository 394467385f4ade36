"""`isa new` and `isa diff`: a file to start from that is right as it stands, and what changed in one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archsim.common.errors import InputError
from archsim.common.resources import shipped
from archsim.isa.difference import Difference, difference
from archsim.isa.lint import lint
from archsim.isa.load import load_isa
from archsim.isa.starter import starter
from archsim.machine.examples import run_examples
from tests.cli.run_archsim import archsim
from tests.isa.tables import extension, rows


@pytest.mark.parametrize("opcode", ["custom-0", "custom-1", "custom-2", "custom-3"])
@pytest.mark.parametrize("beside", [["rv64i"], ["rv64gcv", "xqt"]])
def test_a_starter_is_right_as_it_stands(tmp_path: Path, opcode: str, beside: list[str]) -> None:
    path = tmp_path / "xdot.yaml"
    path.write_text(starter("Xdot", opcode, load_isa(*beside)))
    assert lint(str(path)).findings == ()
    assert not lint(*beside, str(path)).failed
    outcomes = run_examples([str(path)])
    assert len(outcomes) == 8 and all(outcome.passed for outcome in outcomes)
    assert {outcome.instruction for outcome in outcomes} == set(load_isa(str(path)).extensions["Xdot"].instructions)
    isa = load_isa(*beside, "zicsr", str(path))
    for name in ("xdot.clip a0, a1, a2", "xdot.ld xdotr1, (a0)", "xdot.dot xdota1, xdotr1, xdotr3"):
        data = isa.assemble(name).segments[0].data
        assert isa.disassemble(int.from_bytes(data[:4], "little")) == name


def test_two_starters_live_together(tmp_path: Path) -> None:
    paths = []
    for name in ("Xone", "Xtwo", "Xthree"):
        path = tmp_path / f"{name.lower()}.yaml"
        path.write_text(starter(name, "custom-3", load_isa("rv64i", *paths)))
        paths.append(str(path))
    assert not lint(*paths).failed


def test_funct7_where_no_funct3_is_free(tmp_path: Path) -> None:
    path = tmp_path / "xt.yaml"
    path.write_text(extension([row for row in rows("xuantie_matrix_0.6.csv") if ".mv.i" not in row["name"]], "Xt"))
    text = starter("Xdot", "custom-1", load_isa("rv64i", str(path)))
    (tmp_path / "xdot.yaml").write_text(text)
    assert not lint(str(path), str(tmp_path / "xdot.yaml")).failed


@pytest.mark.parametrize(
    ("name", "opcode", "message"),
    [
        ("dot", "custom-0", "'dot' is no name of a custom extension; use X and small letters, as in Xdot"),
        ("Xqt", "custom-0", "extension Xqt is there already; use another name"),
        ("Xdot", "custom-4", "unknown major opcode 'custom-4'; did you mean 'custom-"),
        ("Xdot", "LUI", "LUI has no room for 5 instructions beside I, Zicsr, "),
    ],
)
def test_refusals(name: str, opcode: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        starter(name, opcode, load_isa("rv64i", "xqt"))
    assert str(caught.value).startswith(message)


def test_difference_of_a_file_and_itself() -> None:
    for name in ("xqt", "v", "zca", "m"):
        assert difference(name, str(shipped("isa", ".yaml")[name])) == []


def test_differences(tmp_path: Path) -> None:
    old = tmp_path / "old.yaml"
    old.write_text(starter("Xdot", "custom-0", load_isa("rv64i")))
    text = old.read_text()
    for before, after in [
        ("version: 0.1.0", "version: 0.2.0"),
        ("maximum: 256, power", "maximum: 512, power"),
        ("  xdotlen: {kind: csr, address: 0x800,", "  xdotlen: {kind: csr, address: 0x801,"),
        ("xdot.setlen:", "xdot.setn:"),
        ("unit: alu", "unit: mul"),
        ("X[xd] = min(max(X[xs1], -X[xs2]), X[xs2])", "X[xd] = max(min(X[xs1], X[xs2]), -X[xs2])"),
        ("work: {elements: xdotlen, bits: 8,", "work: {elements: xdotlen, bits: 16,"),
        ('match: "0000100', 'match: "0001000'),
        ("assembly: xdotad, xdots1, xdots2", "assembly: xdotad, xdots2, xdots1"),
    ]:
        assert text.count(before) == 1
        text = text.replace(before, after)
    new = tmp_path / "new.yaml"
    new.write_text(text)
    found = [(one.change, one.kind, one.name, one.part) for one in difference(str(old), str(new))]
    assert found == [
        ("changed", "extension", "", "version"),
        ("changed", "parameter", "XDOT_N", "range"),
        ("changed", "state", "xdotlen", "address"),
        ("removed", "instruction", "xdot.setlen", ""),
        ("changed", "instruction", "xdot.clip", "operation"),
        ("changed", "instruction", "xdot.clip", "unit"),
        ("added", "instruction", "xdot.setn", ""),
        ("changed", "instruction", "xdot.dot", "encoding"),
        ("changed", "instruction", "xdot.dot", "assembly"),
        ("changed", "instruction", "xdot.dot", "work"),
    ]
    back = [(one.change, one.before, one.after) for one in difference(str(new), str(old)) if one.part == "address"]
    assert back == [("changed", "0x801", "0x800")]
    assert Difference("changed", "extension", "", "version", "0.1.0", "0.2.0") == difference(str(old), str(new))[0]


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*arguments: object) -> tuple[int, str, str]:
        done = archsim("isa", *arguments, capsys=capsys, monkeypatch=monkeypatch)
        return done.code, done.out, done.err

    path = tmp_path / "xdot.yaml"
    assert run("new", "Xdot", "--opcode", "custom-2", "-o", path) == (0, "", "")
    assert run("new", "Xdot", "--opcode", "custom-2")[1] == path.read_text()
    assert run("new", "Xdot", "-o", path) == (
        2,
        "",
        f"archsim: {path}: is there already; name another file\n",
    )
    other = tmp_path / "other.yaml"
    other.write_text(path.read_text().replace("unit: alu", "unit: mul"))
    code, out, _ = run("diff", path, other)
    assert code == 0 and "instruction xdot.clip" in out and out.endswith("0 added, 0 removed, 1 changed\n")
    assert json.loads(run("diff", path, other, "--json")[1]) == [
        {
            "change": "changed",
            "kind": "instruction",
            "name": "xdot.clip",
            "part": "unit",
            "before": "alu",
            "after": "mul",
        }
    ]
