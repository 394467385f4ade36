"""A strict reader of Kanata logs 0004, written from the format's description; Konata itself forgives more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class Instruction:
    """What a log says of an instruction.

    Attributes:
        number: of the simulator, in its thread.
        stages: lane -> (name, first cycle, cycle behind the last).
        retired: cycle of its R line, and its place in the order of retirement.
        producers: ids of instructions it waited for.
    """

    number: int
    thread: int
    born: int
    text: str = ""
    detail: str = ""
    stages: dict[int, list[tuple[str, int, int]]] = field(default_factory=dict)
    open: dict[int, tuple[str, int]] = field(default_factory=dict)
    retired: tuple[int, int] | None = None
    producers: list[int] = field(default_factory=list)


def read_kanata(lines: Iterable[str]) -> dict[int, Instruction]:
    """Instructions by id.

    Raises:
        AssertionError: the log breaks a rule of the format, or a stage or an instruction never ends.
    """
    lines = iter(lines)
    assert next(lines) == "Kanata\t0004\n"
    found: dict[int, Instruction] = {}
    cycle, retired = None, 0
    for line in lines:
        assert line.endswith("\n")
        command, *rest = line[:-1].split("\t")
        if command == "C=":
            assert cycle is None and len(rest) == 1
            cycle = int(rest[0])
            continue
        assert cycle is not None, "no C= before the first command"
        if command == "C":
            assert len(rest) == 1 and int(rest[0]) > 0
            cycle += int(rest[0])
            continue
        own = int(rest[0])
        if command == "I":
            assert own == len(found), "ids are not sequential"
            found[own] = Instruction(int(rest[1]), int(rest[2]), cycle)
            continue
        one = found[own]
        assert one.retired is None, f"{command} after R"
        if command == "L":
            kind, text = rest[1:]
            assert kind in ("0", "1")
            if kind == "0":
                one.text += text
            else:
                one.detail += text
        elif command == "S":
            lane, name = int(rest[1]), rest[2]
            assert lane not in one.open, "a stage begins before the last one of its lane has ended"
            one.open[lane] = (name, cycle)
        elif command == "E":
            lane, name = int(rest[1]), rest[2]
            begun, start = one.open.pop(lane)
            assert begun == name
            one.stages.setdefault(lane, []).append((name, start, cycle))
        elif command == "W":
            producer, kind = int(rest[1]), rest[2]
            assert kind == "0" and producer in found and producer != own
            one.producers.append(producer)
        elif command == "R":
            assert not one.open, "a stage never ends"
            assert rest[1:] == [str(retired), "0"], "not retired in the order of the log"
            one.retired = (cycle, retired)
            retired += 1
        else:
            raise AssertionError(f"unknown command {command}")
    assert all(one.retired is not None for one in found.values()), "an instruction never ends"
    return found
