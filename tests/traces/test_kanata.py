"""Pipeline diagrams, read back by a strict reader of the format."""

from __future__ import annotations

import io
import itertools

import pytest

from archsim.traces.kanata import KanataWriter
from archsim.traces.window import Window
from tests.report.programs import loop
from tests.traces.kanata_reader import Instruction, read_kanata
from tests.traces.viewed import KINDS, MIXED, view


def diagram(source: str, name: str = "edge-npu", overrides: dict | None = None, start: int = 0, limit: int = 10**6):
    stream = io.StringIO()

    def make(listing, design):
        return KanataWriter(stream, listing, Window(design.cores, start, limit), design)

    result, _, (writer,) = view(source, name, overrides or {}, make)
    writer.finish(result)
    return result, read_kanata(io.StringIO(stream.getvalue())), writer


def stage(one: Instruction, name: str) -> tuple[int, int]:
    return next((begin, end) for stage, begin, end in one.stages[0] if stage == name)


@pytest.mark.parametrize(("name", "overrides"), KINDS)
def test_a_log_has_every_instruction_once_and_every_stage_ends(name: str, overrides: dict) -> None:
    result, found, writer = diagram(MIXED, name, overrides)
    assert len(found) == result.instructions and writer.window.note() == ""
    for hart in result.harts:
        own = [one for one in found.values() if one.thread == hart["hart"]]
        assert sorted(one.number for one in own) == list(range(hart["instructions"]))
    for one in found.values():
        names = [stage for stage, _, _ in one.stages[0]]
        assert names == sorted(names, key=["F", "Ds", "Is", "X", "Cm"].index)
        assert one.retired[0] <= result.cycles + 64
        # stages follow one another without a gap
        assert all(before[2] == after[1] for before, after in zip(one.stages[0], one.stages[0][1:], strict=False))
        assert one.text.split(": ")[0] and "hart" in one.detail


def test_a_chain_of_multiplications_draws_its_dependences() -> None:
    _, found, _ = diagram(loop("mul a1, a1, a1\n" * 4, 3))
    muls = [one for one in found.values() if "mul a1" in one.text]
    assert len(muls) == 12
    for before, after in itertools.pairwise(muls):
        begin, end = stage(before, "X")
        assert end - begin == 3
        assert stage(after, "X")[0] >= end
    assert sum(len(one.producers) for one in muls) >= 9
    held = [one for one in muls if any(name == "dependency_mul" for name, _, _ in one.stages.get(1, []))]
    assert len(held) == 9
    assert all(found[producer] in muls for one in held for producer in one.producers)


def test_a_transfer_stands_in_the_diagram_until_its_last_byte() -> None:
    _result, found, _ = diagram(MIXED)
    transfers = [one for one in found.values() if "qt.dma" in one.text]
    waits = [one for one in found.values() if "bar.wait b0" in one.text]
    assert len(transfers) == 12 and len(waits) == 6
    for transfer, wait in zip([one for one in transfers if "dma.ld" in one.text], waits, strict=True):
        assert stage(transfer, "X")[1] == stage(wait, "X")[0]


def test_a_window_cuts_each_hart_alike_and_says_so() -> None:
    result, found, writer = diagram(MIXED, "server-npu", {"cores": "3"}, start=10, limit=60)
    for hart in range(3):
        assert sorted(one.number for one in found.values() if one.thread == hart) == list(range(10, 30))
    assert writer.window.note() == (
        f"60 of {result.instructions:,} instructions are shown: numbers 10 to 29 of each hart"
    )


def test_a_long_run_is_written_while_it_goes_on() -> None:
    """Nothing waits for the end: at most a buffer of instructions is held."""
    held = []

    class Watched(KanataWriter):
        def chunk(self, hart, records, transfers):
            super().chunk(hart, records, transfers)
            held.append(len(self._pending))

    stream = io.StringIO()
    result, _, (writer,) = view(
        loop("addi a1, a1, 1\n" * 48, 4000),
        "edge-npu",
        {},
        lambda listing, design: Watched(stream, listing, Window(1, limit=10**6), design),
    )
    writer.finish(result)
    assert result.instructions > 180_000 and len(held) >= 3
    assert max(held[:-1]) < 100
