"""What single cores do otherwise: units that block the hart, late ALUs, jumps decoded early, folded history."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archsim.common.errors import InputError
from tests.machine.timed_programs import BUFFER, EXIT, design_of, random_program, timed

ROUNDS = 500
DUAL = """
    width: 2
    branch_penalty: 5 cycles
    latency: {load: 3 cycles, mul: 3 cycles}
    front_end: {stages: 4, queue: 8}
    predictor: {kind: bimodal, btb: 16}"""


def per_round(folder: Path, hart: str, body: str, before: str = "") -> float:
    """Cycles of a round of a loop, start and end taken out."""
    design = design_of(folder, hart)

    def cycles(rounds: int) -> int:
        source = (
            f"li s1, {BUFFER}\n{before}\nli s0, {rounds}\n.align 6\n1:\n{body}\naddi s0, s0, -1\nbnez s0, 1b\n{EXIT}"
        )
        return timed(source, design).cycles

    return (cycles(2 * ROUNDS) - cycles(ROUNDS)) / ROUNDS


@pytest.mark.parametrize(
    ("instruction", "lost"), [("lw t0, 0(s1)", 1), ("sw t0, 0(s1)", 1), ("mul t0, t1, t2", 2), ("add t0, t1, t2", 0)]
)
def test_a_blocking_unit_holds_up_what_does_not_need_its_result(tmp_path: Path, instruction: str, lost: int) -> None:
    """Ibex Reference Guide, Pipeline Details: loads and stores stall for a cycle, multiplications here for two."""
    hart = """
    interval: {load: 2 cycles, store: 2 cycles, mul: 3 cycles}
    latency: {load: 2 cycles, mul: 3 cycles}
    blocking: %s"""
    body = f"{instruction}\naddi t3, t3, 1\naddi t4, t4, 1\naddi t5, t5, 1"
    assert per_round(tmp_path, hart % "true", body) - per_round(tmp_path, hart % "false", body) == lost


class Nothing:
    """A view that looks away; but only the general model can be viewed."""

    def chunk(self, hart: int, records: np.ndarray, transfers: np.ndarray) -> None:
        pass


def test_both_models_of_a_blocking_hart_agree(tmp_path: Path) -> None:
    hart = """
    blocking: true
    interval: {load: 2 cycles, store: 3 cycles, mul: 4 cycles}"""
    design = design_of(tmp_path, hart)
    for seed in range(20):
        source = random_program(seed)
        quick, general = timed(source, design), timed(source, design, views=[Nothing()])
        assert quick.busy_cycles + sum(quick.stalls.values()) == quick.hart_cycles == quick.cycles
        assert quick.to_dict() == general.to_dict()
        assert any(cause.startswith("structural") for cause in quick.stalls)


@pytest.mark.parametrize("late", [0, 2])
def test_late_alus_hide_loads_from_sums_but_not_from_addresses(tmp_path: Path, late: int) -> None:
    """reviews.llvm.org D153666: integer operations execute in AG or two stages later, as their operands allow."""
    hart = f"{DUAL}\n    late_alu: {late} cycles"
    sum_of_load = "lw t0, 0(s1)\nadd t1, t1, t0\nadd t2, t2, t1\nadd t3, t3, t2"
    # early: load, two cycles without work, then the chain; late: the chain follows the load at once
    assert per_round(tmp_path, hart, sum_of_load) == (6 if late == 0 else 4)
    chase = "lw t0, 0(t0)"
    assert per_round(tmp_path, hart, chase, f"li t0, {BUFFER}\nsw t0, 0(t0)") == 3
    store = "lw t0, 0(s1)\nsw t0, 4(s1)"
    assert per_round(tmp_path, hart, store) == (4 if late == 0 else 2)


def test_a_late_result_is_late_for_addresses(tmp_path: Path) -> None:
    hart = f"{DUAL}\n    late_alu: 2 cycles"
    chase = "lw t0, 0(t0)\nadd t0, t0, zero"
    # the sum issues a cycle behind the load and is done three cycles later
    assert per_round(tmp_path, hart, chase, f"li t0, {BUFFER}\nsw t0, 0(t0)") == 4


def test_a_branch_that_is_resolved_late_costs_two_cycles_more(tmp_path: Path) -> None:
    """Alternate directions, which two-bit counters always get wrong, of a value loaded long before or just then."""
    hart = f"{DUAL}\n    late_alu: 2 cycles"
    others = "addi t3, t3, 1\naddi t4, t4, 1\n" * 6
    early = f"xori t1, t1, 1\nsw t1, 0(s1)\nlw t2, 0(s1)\n{others}bnez t2, 2f\n2:"
    late = f"xori t1, t1, 1\nsw t1, 0(s1)\n{others}lw t2, 0(s1)\nbnez t2, 2f\n2:"
    assert 2 <= per_round(tmp_path, hart, late) - per_round(tmp_path, hart, early) <= 3


@pytest.mark.parametrize(("decode", "lost"), [(1, 1), (3, 3), (0, 4)])
def test_jumps_that_decoding_finds_cost_the_stages_before_it(tmp_path: Path, decode: int, lost: int) -> None:
    hart = """
    front_end: {stages: 4, decode: %d}
    branch_penalty: 8 cycles"""
    straight = per_round(tmp_path, hart % decode, "addi t0, t0, 1\n2:")
    assert per_round(tmp_path, hart % decode, "j 2f\n2:") - straight == lost


def test_a_history_longer_than_the_index_tells_more(tmp_path: Path) -> None:
    """A branch not taken once in eight, in a loop of two branches: nine bits of history see four rounds, 18 nine."""
    hart = """
    branch_penalty: 6 cycles
    predictor: {kind: gshare, entries: 512, history: %d, btb: 16}"""
    body = "addi t0, t0, -1\nbnez t0, 2f\nli t0, 8\n2:"
    short, long = (per_round(tmp_path, hart % bits, body, "li t0, 8") for bits in (9, 18))
    assert long < short


@pytest.mark.parametrize("option", ["blocking: true", "late_alu: 2 cycles"])
def test_only_harts_that_issue_in_order_have_them(tmp_path: Path, option: str) -> None:
    hart = f"""
    kind: out_of_order
    {option}
    out_of_order: {{rob: 48, issue_queue: 16, load_queue: 12, store_queue: 8}}"""
    with pytest.raises(InputError, match=r"a hart of kind out_of_order does not have it; take it out"):
        design_of(tmp_path, hart)
