"""archsim validate scalar: rows of a reference against simulated cores, and what is wrong with a reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from archsim.common.errors import InputError
from archsim.common.resources import shipped
from archsim.design import list_designs
from archsim.validation import scalar
from archsim.validation.suite import Row, read_reference, run_suite

HEAD = "core,benchmark,quantity,value,source,note\n"
SHIPPED = read_reference(shipped("workloads/reference", ".csv")["scalar_cores"], scalar.SUITE.columns)


def simulate(folder: Path, *rows: str) -> list[Row]:
    file = folder / "reference.csv"
    file.write_text(HEAD + "".join(f"{row}\n" for row in rows))
    return run_suite(scalar.SUITE, str(file), lambda done, of, name: None)


def test_rows_become_errors(tmp_path: Path) -> None:
    rows = simulate(
        tmp_path,
        "u74,dhrystone_like,DMIPS/MHz,2.5,somewhere,a note",
        "u74,dhrystone_like,instructions per iteration,398.5,elsewhere,",
        "u74,pointer_chase,L1 latency cycles,3,,",
    )
    dmips, work, latency = rows
    assert (dmips.name, dmips.kind, dmips.quantity) == ("u74", "dhrystone_like", "DMIPS/MHz")
    assert (dmips.reference, dmips.note, dmips.detail["source"]) == (2.5, "a note", "somewhere")
    (timed,) = dmips.detail["passes"]
    assert dmips.simulated == pytest.approx(timed["iterations"] / timed["cycles"] * 1e6 / 1757)
    assert dmips.error == pytest.approx(dmips.simulated / 2.5 - 1)
    assert work.simulated == dmips.detail["instructions_per_iteration"]
    assert "-fno-inline" in dmips.detail["flags"] and "gcc" in dmips.detail["compiler"]
    assert latency.simulated == pytest.approx(3, abs=0.1)  # the parameter: the model must give it back


def test_each_program_runs_once_per_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    measure = scalar._measure
    monkeypatch.setattr(scalar, "_measure", lambda *what: runs.append(what) or measure(*what))
    simulate(
        tmp_path,
        "ibex,pointer_chase,L1 latency cycles,2,,",
        "ibex,pointer_chase,L1 latency cycles,3,,",
        "c906,pointer_chase,L1 latency cycles,2,,",
        "c906,pointer_chase,L1 latency cycles,2,,",
    )
    assert [core for core, _, _ in runs] == ["ibex", "c906"]


def test_latencies_grow_with_the_distance(tmp_path: Path) -> None:
    l1, l2, memory, time = simulate(
        tmp_path,
        "c910,pointer_chase,L1 latency cycles,3,,",
        "c910,pointer_chase,L2 latency cycles,20,,",
        "c910,pointer_chase,memory latency cycles,200,,",
        "c910,pointer_chase,memory latency ns,100,,",
    )
    assert l1.simulated < l2.simulated < memory.simulated
    assert time.simulated == pytest.approx(memory.simulated / 1.85)


def test_the_cores_rank_as_published(tmp_path: Path) -> None:
    cores = ("ibex", "c906", "u74", "c910")
    rows = simulate(tmp_path, *(f"{core},dhrystone_like,instructions per cycle,1,," for core in cores))
    assert [row.simulated for row in rows] == sorted(row.simulated for row in rows)


def test_branches_on_random_data_cost_more_than_on_regular_data(tmp_path: Path) -> None:
    for core, least in (("c906", 1.5), ("u74", 4.0), ("c910", 6.0)):
        (row,) = simulate(tmp_path, f"{core},mispredict,misprediction penalty cycles,5,,")
        assert row.simulated > least


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("u75,coremark_like,CoreMark/MHz,5,,", "unknown design 'u75'"),
        ("u74,coremark,CoreMark/MHz,5,,", "unknown benchmark 'coremark'; did you mean 'coremark_like'?"),
        ("u74,linpack,CoreMark/MHz,5,,", "unknown benchmark 'linpack'; known: branchy_sort, coremark_like"),
        (
            "u74,coremark_like,CoreMark per MHz,5,,",
            "unknown quantity of coremark_like 'CoreMark per MHz'; did you mean",
        ),
        ("u74,mispredict,latency,5,,", "unknown quantity of mispredict 'latency'; known: misprediction penalty cycles"),
        ("u74,coremark_like,CoreMark/MHz,five,,", "value is 'five', not a number"),
        ("edge-npu,coremark_like,CoreMark/MHz,5,,", "edge-npu lacks A, F, D, C"),
        ("ibex,pointer_chase,L2 latency cycles,5,,", "takes no arguments on a bare machine"),
        ("ibex,matmul,double multiply-add cycles,5,,", "gives ibex no 'double multiply-add cycles'"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, row: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        simulate(tmp_path, "u74,pointer_chase,L1 latency cycles,3,,", row)
    assert words in str(caught.value)
    assert (caught.value.line, caught.value.file) == (3, tmp_path / "reference.csv")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("row", SHIPPED, ids=lambda row: f"line{row['line']}")
def test_every_shipped_row_has_a_source_and_can_be_simulated(row: dict[str, str]) -> None:
    assert row["core"] in list_designs()
    assert row["quantity"] in scalar.BENCHMARKS[row["benchmark"]]
    assert float(row["value"]) > 0
    assert len(row["source"]) > 10


def test_each_core_is_compared_in_coremark() -> None:
    assert {row["core"] for row in SHIPPED if row["quantity"] == "CoreMark/MHz"} >= {"ibex", "u74", "c906", "c910"}
