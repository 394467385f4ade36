"""Costs of single instructions equal what they add to a program, and what the design's figures say."""

from __future__ import annotations

import pytest

from archsim.common.resources import shipped
from archsim.design import load_design
from archsim.machine.run import isa_of, run
from archsim.machine.single import SingleInstructions
from archsim.report.instruction_facts import instruction_facts

SIZES = "li s0, {m}\nqt.settm s1, s0\nli s0, {n}\nqt.settn s1, s0\nli s0, {k}\nqt.settk s1, s0\n"
END = "li a0, 0\nli a7, 93\necall\n"


@pytest.mark.parametrize("name", ["edge-npu", "server-npu"])
@pytest.mark.parametrize("mnemonic, operands", [("qt.mma", "ac{0}, t0, t1"), ("qt.cvtf", "ac{0}")])
def test_the_interval_is_what_another_instruction_adds(name: str, mnemonic: str, operands: str) -> None:
    design = load_design(name, {"cores": "1"})
    isa = isa_of(design)
    sizes = {"qtm": isa.parameters["TM"], "qtn": isa.parameters["TN"], "qtk": 64}
    cost = SingleInstructions(isa, design, sizes).cost(isa.instructions[mnemonic])
    assert cost is not None

    def program(count: int) -> str:
        # accumulators in turn, so that none waits for the one before
        body = "\n".join(f"{mnemonic} {operands.format(index % 4)}" for index in range(count))
        return SIZES.format(m=sizes["qtm"], n=sizes["qtn"], k=64) + body + "\n" + END

    few, many = (run(isa.assemble(program(count)), design, isa=isa, fidelity="addresses") for count in (8, 24))
    unit = isa.instructions[mnemonic].unit
    assert many.units[unit] - few.units[unit] == 16 * cost.interval
    parts = set(few.energy.components) - {"leakage", "l1", "dram"}
    added = sum(many.energy.components[part] - few.energy.components[part] for part in parts)
    assert added == pytest.approx(16 * cost.energy_j, rel=1e-9)


def test_facts_follow_from_the_design() -> None:
    isa, facts, where = instruction_facts("edge-npu", "Xqt", shipped("isa", ".yaml")["xqt"])
    design = load_design("edge-npu")
    matrix = design.core.matrix
    per_cycle = matrix.columns * matrix.depth * matrix.formats["int8"]
    macs = isa.parameters["TM"] * isa.parameters["TN"] * isa.parameters["TROWB"]
    assert facts["qt.mma"]["cycles to the next"] == str(round(macs / per_cycle))
    assert facts["qt.mma"]["cycles to the result"] == str(round(macs / per_cycle) + matrix.latency)
    assert where.startswith("edge-npu at 1 GHz with")
    assert "qt.dma.ld" not in facts


def test_all_that_ships_has_facts_or_none() -> None:
    for name in ("m", "v"):
        isa, facts, _ = instruction_facts("edge-npu", name.upper(), shipped("isa", ".yaml")[name])
        assert set(facts) <= set(isa.instructions)
