"""The DRAM suite on some of its rows, and what it says about wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from archsim.common.errors import InputError
from archsim.common.resources import find
from archsim.validation.dram import SUITE, devices_by_preset
from archsim.validation.suite import FOLDER, by_class, read_reference, run_suite

GOALS = {
    "row conflict": 0.02, "unloaded latency": 0.02, "refresh": 0.02, "sequential": 0.05, "staggered streams": 0.05,
    "random": 0.05, "strided": 0.05, "mixed": 0.15, "aligned streams": 0.15, "loaded latency": 0.15,
}  # fmt: skip
TOOLS = ("DDR4_3200AA_8Gbx8", "LPDDR5_6400_16Gbx16", "HBM2_2000_8Gb", "DDR5_6400AN_16Gbx8")


def silent(done: int, total: int, name: str) -> None:
    """No progress."""


def test_rows_of_one_channel_meet_the_goals() -> None:
    rows = read_reference(find("reference", SUITE.reference, FOLDER, ".csv"), SUITE.columns)
    some = [row for row in rows if row["config"] in TOOLS and row["channels"] == "1"][::5]
    found = by_class(SUITE.simulate(some, silent))
    assert {one["class"] for one in found} == set(GOALS)
    for one in found:
        assert one["worst_error"] <= GOALS[one["class"]], one


def test_queues_per_bank_are_like_dramsim3() -> None:
    rows = read_reference(find("reference", SUITE.reference, FOLDER, ".csv"), SUITE.columns)
    some = [row for row in rows if row["config"] in ("DDR4_8Gb_x8_3200", "HBM2_8Gb_x128") and row["channels"] == "1"]
    for one in by_class(SUITE.simulate(some[::7], silent)):
        assert one["worst_error"] <= max(GOALS[one["class"]], 0.08), one


def test_every_device_of_the_reference_is_there() -> None:
    rows = read_reference(find("reference", SUITE.reference, FOLDER, ".csv"), SUITE.columns)
    assert {row["config"] for row in rows} <= set(devices_by_preset())


HEAD = "config,channels,mapping,refresh,pattern,n_req,window,bw_frac,lat_avg_ns"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("DDR9,1,MOP4CLXOR,AllBank,seq_rd,10,1,0.5,0", "no memory device is called 'DDR9'; "),
        ("ddr4-3200,1,MOP,AllBank,seq_rd,10,1,0.5,0", "mapping 'MOP' is no sequence of fields; "),
        ("ddr4-3200,1,RoBaBgRaCh,AllBank,seq_rd,10,1,0.5,0", "mapping 'RoBaBgRaCh' misses 7 of 7 bits of the column; "),
        ("ddr4-3200,1,MOP4CLXOR,AllBank,seq,10,1,0.5,0", "pattern is 'seq'; "),
        ("ddr4-3200,1,MOP4CLXOR,Some,seq_rd,10,1,0.5,0", "refresh is 'Some'; "),
        ("ddr4-3200,1,MOP4CLXOR,AllBank,seq_rd,0,1,0.5,0", "n_req is '0', not a whole number above 0; "),
    ],
)
def test_a_wrong_row_is_one_clear_error(tmp_path: Path, row: str, message: str) -> None:
    path = tmp_path / "own.csv"
    path.write_text(f"{HEAD}\n{row}\n")
    with pytest.raises(InputError) as caught:
        run_suite(SUITE, str(path), silent)
    assert str(caught.value).startswith(f"{path}:2: {message}")
