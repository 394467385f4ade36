"""Times that can be worked out by hand, and sums that must hold."""

from __future__ import annotations

import pytest

import archsim
from archsim.common.errors import SimulationError
from archsim.isa.program import SCRATCHPAD_BASE
from archsim.machine.recording import replay

EXIT = "li a0, 0\nli a7, 93\necall\n"


def timed(source: str, design: str = "edge-npu", overrides: dict[str, str] | None = None, **options):
    chosen = archsim.load_design(design, overrides)
    isa = archsim.load_isa(*chosen.isa, parameters=chosen.parameters)
    return archsim.run(isa.assemble(source), chosen, **options)


def loop(body: str, rounds: int = 1000) -> str:
    return f"li s0, {rounds}\n1:\n{body}\naddi s0, s0, -1\nbnez s0, 1b\n{EXIT}"


def per_round(body: str, **options) -> float:
    """Cycles of a loop body, the loop's own taken out."""
    return (timed(loop(body), **options).cycles - timed(loop(""), **options).cycles) / 1000


def test_a_chain_of_multiplications_runs_at_their_latency() -> None:
    latency = archsim.load_design("edge-npu").core.hart.latency.mul
    # eight more in the chain: the loop's own instructions hide behind the last one
    assert per_round("mul a1, a1, a1\n" * 12) - per_round("mul a1, a1, a1\n" * 4) == pytest.approx(
        8 * latency, abs=0.02
    )


def test_independent_instructions_issue_one_per_cycle() -> None:
    assert per_round("add a1, a2, a3\nadd a4, a2, a3\nmul a5, a2, a3\n") == pytest.approx(3, abs=0.02)


def test_a_load_is_used_after_the_load_latency() -> None:
    latency = archsim.load_design("edge-npu").core.hart.latency.load
    assert per_round("ld a2, 0(a1)\nadd a1, a2, zero\n".replace("0(a1)", "0(sp)")) == pytest.approx(
        latency + 1, abs=0.5
    )


def test_the_dot_product_unit_takes_rows_by_columns_by_depth() -> None:
    """16 x 16 MACs per cycle: rows x ceil(n / 16) x ceil(k / 16), whatever comes in between."""
    for m, n, k in ((1, 16, 128), (5, 16, 100), (16, 7, 17)):
        source = f"li t0, {m}\ncsrw qtm, t0\nli t0, {n}\ncsrw qtn, t0\nli t0, {k}\ncsrw qtk, t0\n"
        result = timed(source + loop("qt.mma ac0, t0, t1\n", 200))
        assert result.units["matrix"] == 200 * m * -(-n // 16) * -(-k // 16)
        assert result.macs == {"int8": 200 * m * n * k}


@pytest.mark.parametrize("buffered", [True, False])
def test_a_stationary_array_loads_weights_behind_the_stream(buffered: bool) -> None:
    """New weights cost K rows to shift in: hidden behind a stream of M rows when double-buffered.

    Then the longer of the two sets the pace, and the other is seen once: the first weights have no stream to hide
    behind, or the last stream hides no weights.
    """
    m, k, rounds = 32, 128, 100
    overrides = {"core.matrix.double_buffered": "true" if buffered else "false", "cores": "1"}
    source = f"li t0, {m}\ncsrw qtm, t0\nli t0, 128\ncsrw qtn, t0\ncsrw qtk, t0\n"
    source += f"li s1, {SCRATCHPAD_BASE}\nli s2, 128\n"
    fresh = "qt.ldw t1, s1, s2\nqt.mma ac0, t0, t1\nqt.ldw t2, s1, s2\nqt.mma ac1, t0, t2\n"
    result = timed(source + loop(fresh, rounds), "server-npu", overrides)
    assert result.units["matrix"] == (2 * rounds * max(m, k) + min(m, k) if buffered else 2 * rounds * (m + k))
    kept = timed(source + loop("qt.mma ac0, t0, t1\nqt.mma ac1, t0, t1\n", rounds), "server-npu", overrides)
    assert kept.units["matrix"] == pytest.approx(2 * rounds * m, rel=0.02)


def transfer(size: int, rounds: int) -> str:
    body = "qt.dma.ld b0, a0, s1\nqt.bar.wait b0\n"
    return f"csrwi qdrows, 1\nli t0, {size}\ncsrw qdrowb, t0\nli a0, 0x100000\nli s1, {SCRATCHPAD_BASE}\n" + loop(
        body, rounds
    )


def test_a_long_transfer_runs_near_peak_and_never_above() -> None:
    size, rounds = 1 << 18, 16
    result = timed(transfer(size, rounds))
    design = archsim.load_design("edge-npu")
    floor = size * rounds / design.memory.peak_bytes_per_s * design.clock
    assert floor <= result.cycles <= 1.15 * floor
    assert result.dram_read_bytes >= size * rounds


def test_outstanding_requests_bound_bandwidth() -> None:
    """Little's law: bandwidth x latency <= bytes on their way."""
    size, rounds = 1 << 16, 8
    few, many = (timed(transfer(size, rounds), overrides={"core.dma.outstanding": n}) for n in ("2", "64"))
    assert few.cycles > 2 * many.cycles
    latency = 2 * 20  # the interconnect alone, both ways, in cycles
    assert size * rounds / few.cycles <= 2 * 256 / latency


def test_stalls_and_busy_cycles_add_up_and_energy_is_the_sum_of_its_parts() -> None:
    source = transfer(4096, 20).replace(EXIT, "") + "qt.sync\n" + loop("ld a3, 0(sp)\nmul a4, a3, a3\n", 50)
    for design in ("edge-npu", "server-npu"):
        result = timed(source, design)
        assert result.busy_cycles + sum(result.stalls.values()) == result.hart_cycles
        for hart in result.harts:
            assert hart["busy_cycles"] + sum(hart["stalls"].values()) == result.cycles
        table = archsim.load_design(design).energy
        assert result.energy.total == pytest.approx(sum(result.energy.components.values()))
        assert result.energy.components["scalar"] == pytest.approx(
            result.instructions * table.value("scalar.instruction")
        )


def test_harts_meet_at_a_barrier() -> None:
    """Hart 7 works longest; the others wait for it."""
    source = "csrr t0, mhartid\nli t1, 100\nmul t0, t0, t1\naddi t0, t0, 1\n1: addi t0, t0, -1\nbnez t0, 1b\nqt.sync\n"
    result = timed(source + EXIT, "server-npu")
    waits = [hart["stalls"].get("sync", 0) for hart in result.harts]
    assert waits == sorted(waits, reverse=True)
    assert waits[0] - waits[7] == pytest.approx(7 * 100 * 4, abs=10)
    assert result.stalls.get("idle", 0) == 0


def test_runs_are_deterministic_to_the_cycle() -> None:
    source = transfer(5000, 10)
    assert timed(source, "server-npu").to_dict() == timed(source, "server-npu").to_dict()


def test_a_replayed_trace_takes_the_cycles_of_its_run() -> None:
    source = transfer(3000, 5).replace(EXIT, "") + loop("ld a3, 0(sp)\nsd a3, 8(sp)\nmul a4, a3, a3\n", 300)
    for design in ("edge-npu", "server-npu"):
        run = timed(source, design, record=True)
        again, unknown = replay(run.trace, archsim.load_design(design))
        assert unknown == 0
        assert (again.cycles, again.instructions, again.stalls) == (run.cycles, run.instructions, run.stalls)
    edge = timed(source, "edge-npu", record=True)
    slow = archsim.load_design("edge-npu", {"core.hart.latency.mul": "9 cycles", "core.dma.outstanding": "1"})
    elsewhere, _ = replay(edge.trace, slow)
    direct = timed(source, "edge-npu", {"core.hart.latency.mul": "9 cycles", "core.dma.outstanding": "1"})
    assert elsewhere.cycles == direct.cycles != edge.cycles


def test_programs_that_never_end_or_wait_for_ever_are_told_so() -> None:
    with pytest.raises(archsim.SimulationError, match="stopped after"):
        timed("1: j 1b\n", max_instructions=1000)
    with pytest.raises(archsim.SimulationError, match="illegal instruction"):
        timed("nop\n")
    with pytest.raises(archsim.SimulationError, match=r"<string>:2.*outside memory \(0x8\)"):
        timed("nop\nld a0, 8(zero)\n")


def rows(body: str, fidelity: str = "timed") -> archsim.RunResult:
    """A program of vector loads and stores of 128 bytes at s1 (scratchpad) and a0 (DRAM)."""
    source = f"li s1, {SCRATCHPAD_BASE}\nli a0, 0x100000\nli t0, 128\nvsetvli zero, t0, e8, m1, ta, ma\n" + body
    return timed(source, "gemm-spacemit", fidelity=fidelity)


@pytest.mark.parametrize("fidelity", ["timed", "addresses"])
def test_vector_rows_in_the_scratchpad_take_its_bandwidth_and_energy(fidelity: str) -> None:
    kept, moved = (rows(loop(f"vle8.v v1, ({base})\n", 100), fidelity) for base in ("a0", "s1"))
    assert (kept.events["scratchpad.read_bytes"], moved.events["scratchpad.read_bytes"]) == (0, 12800)
    assert moved.energy.components["scratchpad"] > kept.energy.components["scratchpad"]
    # bandwidth is counted in buckets of cycles: the last may be begun early
    narrow = {"core.scratchpad.banks": "1"}
    source = f"li s1, {SCRATCHPAD_BASE}\nli t0, 128\nvsetvli zero, t0, e8, m1, ta, ma\n" + loop(
        "vle8.v v1, (s1)\n", 100
    )
    design = archsim.load_design("gemm-spacemit")
    slow = timed(source, "gemm-spacemit", narrow, fidelity=fidelity)
    assert slow.cycles >= 0.98 * 12800 / design.core.scratchpad.width


def test_vector_rows_and_transfers_keep_their_order() -> None:
    send = "csrwi qdrows, 1\nli t1, 128\ncsrw qdrowb, t1\n"
    with pytest.raises(SimulationError, match="unfinished"):
        rows(send + "qt.dma.ld b0, a0, s1\nvle8.v v1, (s1)\nqt.bar.wait b0\n" + EXIT)
    # the transfer out of the scratchpad waits for the rows that are still being written
    early = rows(send + "vdiv.vv v2, v2, v3\n" * 40 + "qt.dma.st b0, a0, s1\nqt.bar.wait b0\n" + EXIT)
    late = rows(send + "vdiv.vv v2, v2, v3\n" * 40 + "vse8.v v2, (s1)\nqt.dma.st b0, a0, s1\nqt.bar.wait b0\n" + EXIT)
    assert late.cycles > early.cycles
