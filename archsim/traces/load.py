"""Traces of any known format, made into what the machine replays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.common.errors import InputError
from archsim.traces.archsim_trace import Recorded, load_trace
from archsim.traces.detect import detect
from archsim.traces.spike import SpikeHart, read_spike_log

if TYPE_CHECKING:
    from archsim.design import Design
    from archsim.isa.spec import Isa
    from archsim.machine.recording import Trace
    from archsim.machine.result import RunResult


def replay_trace(path: Path, design: Design) -> tuple[RunResult, int]:
    """Time a trace file on a design.

    Instructions are those of the design, with the base and standard extensions that a recorded run had (or, for a
    log of Spike, that ship), and those that it took from files of the user.

    Returns:
        The result, and how many executed instructions are in none of them.

    Raises:
        InputError: the file is no trace, is damaged, or has more harts than the design.
    """
    from archsim.machine.recording import replay

    if detect(path) == "archsim":
        recorded = load_trace(path)
        return replay(recorded.trace, design, isa=_isa(recorded, design))
    return replay(trace_of(read_spike_log(path), path), design, isa=_standard(design))


def _isa(recorded: Recorded, design: Design) -> Isa:
    from archsim.isa.load import load_isa
    from archsim.machine.instruction_set import is_base

    bases = [name for name in recorded.isa if is_base(name)] or [name for name in design.isa if is_base(name)]
    rest = [name for name in design.isa if not is_base(name)]
    own = [name for name in recorded.isa if name not in design.isa and Path(name).is_file()]
    return load_isa(*bases, *rest, *own, parameters={**recorded.parameters, **design.parameters})


def _standard(design: Design) -> Isa:
    from archsim.isa.load import load_isa
    from archsim.machine.instruction_set import is_base, standard_name

    rest = [name for name in design.isa if not is_base(name)]
    return load_isa(standard_name(64), *rest, parameters=design.parameters)


def trace_of(harts: Mapping[int, SpikeHart], path: Path) -> Trace:
    """A Spike log as a trace.

    Only executed instructions are kept, close together in the order of their addresses: those that follow each other
    in memory do so in the trace, and all others have a gap between them, so that taken branches show.

    Raises:
        InputError: the log has no values.
    """
    from archsim.machine.recording import Trace

    if not all(hart.committed for hart in harts.values()):
        raise InputError(
            "the log has no values of registers", file=path, remedy="record it with: spike -l --log-commits"
        )
    pc = np.concatenate([hart.pc for hart in harts.values()])
    word = np.concatenate([hart.word for hart in harts.values()])
    words, places = _placed(pc, word)
    ends = np.cumsum([len(hart.pc) for hart in harts.values()])[:-1]
    index = np.split(places.astype(np.int32), ends)
    values = [hart.rd_value for hart in harts.values()]
    # Spike starts with all registers zero, and its log with the first instruction after reset
    initial = np.zeros((len(harts), 33), np.int64)
    return Trace(path.name, int(pc.min()), words, list(zip(index, values, strict=True)), initial)


def _placed(pc: np.ndarray, word: np.ndarray) -> tuple[np.ndarray, np.ndarray[Any, Any]]:
    """Words in their places (0 in a gap), and the place of each executed instruction in halfwords."""
    addresses, address = np.unique(pc, return_inverse=True)
    codes, code = np.unique(word, return_inverse=True)
    # code that is written while it runs may have several words at one address
    pairs, pair = np.unique(address * len(codes) + code, return_inverse=True)
    addresses, codes = addresses[pairs // len(codes)], codes[pairs % len(codes)]
    size = np.where(codes & 3 == 3, 2, 1)
    gaps = np.cumsum(addresses[1:] != addresses[:-1] + 2 * size[:-1].astype(np.uint64))
    place = np.concatenate([[0], np.cumsum(size[:-1]) + gaps])
    halves = np.zeros((place[-1] + 3) & ~1, np.uint16)
    halves[place] = codes & 0xFFFF
    long = size == 2
    halves[place[long] + 1] = codes[long] >> 16
    return halves.view(np.uint32), place[pair]
