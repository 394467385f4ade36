"""Run a program on a design."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO

import numpy as np

from archsim.common.errors import InputError
from archsim.isa.load import load_isa
from archsim.isa.program import Program
from archsim.isa.spec import Isa
from archsim.machine import layout as at
from archsim.machine.bare_metal import BareMetal
from archsim.machine.chip import Chip
from archsim.machine.commit_log import CommitLog
from archsim.machine.compiled import tables_of
from archsim.machine.energy import energy_of
from archsim.machine.environment import Clock, Environment, Options
from archsim.machine.instruction_set import instruction_set_for
from archsim.machine.linux import LinuxProcess
from archsim.machine.memory import MainMemory
from archsim.machine.noc_layout import noc_counts
from archsim.machine.precompile import compile_missing
from archsim.machine.predecode import predecode
from archsim.machine.result import Region, RunResult
from archsim.machine.session import Session
from archsim.machine.variant import Variant, core_of
from archsim.machine.vector_issue import settle_chip
from archsim.machine.vector_layout import V_DRAM_END
from archsim.machine.viewing import View

FIDELITIES = ("functional", "timed", "addresses")
HELD_FUNCTIONAL = 4 << 30
HELD_ADDRESSES = 256 << 20
DEFAULT_OPTIONS = Options()


def isa_of(design: Any) -> Isa:
    """The instruction set of a design, with its parameters bound."""
    return load_isa(*design.isa, parameters=design.parameters)


def run(
    program: Program,
    design: Any = "edge-npu",
    *,
    isa: Isa | None = None,
    fidelity: str = "timed",
    memory: Mapping[int, bytes | np.ndarray] | None = None,
    record: bool = False,
    max_instructions: int | None = None,
    options: Options = DEFAULT_OPTIONS,
    progress: Callable[[int, int], None] | None = None,
    log: TextIO | None = None,
    views: Sequence[View] = (),
    tensors: Mapping[str, tuple[int, int]] | None = None,
) -> RunResult:
    """Run a program on a design, bit-exactly.

    Args:
        program: what to run. Every hart starts at its entry; of a Linux program out of an ELF file, the first only.
        design: a Design, or the name of one.
        isa: another instruction set than the design's own, or, for programs out of ELF files, than the design's own and
            every standard extension that ships (its parameters must fit the program).
        fidelity: "functional" (values only), "timed" (values and cycles), or "addresses" (cycles; tiles, vectors and
            DMA payload are not held).
        memory: initial contents of main memory by address.
        record: keep an instruction trace in the result (timed fidelities).
        max_instructions: stop with an error after so many.
        options: what the program is granted: arguments, files, input.
        progress: called with the instructions retired so far, and the cycle reached.
        log: takes a line per executed instruction, as Spike's commit log has them (functional runs only).
        tensors: name -> (address, bytes) in main memory, to have DRAM's bytes counted by tensor.
        views: are given what became of each instruction (timed fidelities).

    Returns:
        RunResult.

    Raises:
        InputError: a name, the fidelity or the memory contents are wrong.
        SimulationError: the program trapped, or waits for ever.
    """
    from archsim.design import load_design

    if fidelity not in FIDELITIES:
        raise InputError(f"unknown fidelity {fidelity!r}", remedy=f"use one of {', '.join(FIDELITIES)}")
    design = load_design(design) if isinstance(design, str) else design
    if isa is None:
        isa = instruction_set_for(program, design) if program.headers else isa_of(design)
    timed = fidelity != "functional"
    if record and not timed:
        raise InputError("a functional run has no trace of time", remedy="record with a timed run")
    if log is not None and timed:
        raise InputError("a commit log is written by functional runs only", remedy="use fidelity functional")
    if views and not timed:
        raise InputError("a functional run has no times to show", remedy="use a timed run")
    tables = tables_of(isa)
    code = predecode(tables.coded, program, latency_table(design))
    compile_missing(tables, code.used, timed=timed)
    held = min(HELD_ADDRESSES, design.memory.size) if fidelity == "addresses" else HELD_FUNCTIONAL
    if "V" in isa.extensions:
        # vectors are loaded and stored at every fidelity; pages that are only read cost nothing
        held = max([held, *(address + size for address, size in (tensors or {}).values())])
    main = MainMemory(max(held, _last_address(program, memory)))
    load_program(main, program, memory)
    chip = Chip(design, tables, code, main, values=fidelity != "addresses", timed=timed)
    chip.name_tensors(tensors or {})

    def clock(hart: int) -> int:
        context = chip.contexts[hart]
        return round(int(context[at.NOW]) / design.clock * 1e9) if timed else int(context[at.INSTRET])

    environment = environment_of(chip, program, options, clock, timed)
    variant = Variant(
        timed=timed, core=core_of(design, view=bool(views)), view=bool(views), record=record, step=log is not None
    )
    session = Session(
        chip,
        tables.go(variant),
        program,
        environment,
        timed=timed,
        max_instructions=max_instructions,
        progress=progress,
    )
    if record:
        from archsim.machine.recording import Recorder

        session.recorder = Recorder(chip)
    if views:
        from archsim.machine.viewing import Viewer

        session.viewer = Viewer(chip, list(views))
    if log is not None:
        session.tracer = CommitLog(chip, program, log)
    try:
        session.run()
    finally:
        if views:
            # of a run that failed, too: they show what led there
            session.viewer.finish()
        environment.finish()
    result = collect(chip, design, fidelity, main, environment)
    if record:
        result.trace = session.recorder.trace(program.name, code.words)
    return result


def latency_table(design: Any) -> dict[str, int]:
    """Cycles from issue to result by unit, of a design's harts."""
    latency = design.core.hart.latency
    return {name: int(getattr(latency, name)) for name in ("alu", "mul", "div", "fpu", "fdiv", "load", "csr")}


def _last_address(program: Program, memory: Mapping[int, bytes | np.ndarray] | None) -> int:
    """The end of what is loaded, and some room."""
    ends = [segment.address + segment.memory_size for segment in program.segments]
    ends += [
        start + (data.nbytes if isinstance(data, np.ndarray) else len(data)) for start, data in (memory or {}).items()
    ]
    return max(ends, default=0) + (1 << 20)


def load_program(main: MainMemory, program: Program, memory: Mapping[int, bytes | np.ndarray] | None) -> None:
    """Put a program's segments and initial data into main memory."""
    for segment in program.segments:
        if segment.data:
            main.write(segment.address, segment.data)
    for address, data in (memory or {}).items():
        main.write(address, data)


def environment_of(chip: Chip, program: Program, options: Options, clock: Clock, timed: bool) -> Environment:
    """What surrounds a program: the bare machine where it has a symbol `tohost`, Linux for all others."""
    code = chip.code
    if not code.text <= program.entry < code.text + 2 * code.slots:
        raise InputError(f"{program.name}: the entry {program.entry:#x} is not in an executable part")
    for context in chip.contexts:
        context[at.PC] = program.entry
    if "tohost" in program.symbols:
        return BareMetal(chip, program, options, timed=timed)
    return LinuxProcess(chip, program, options, clock)


def collect(chip: Chip, design: Any, fidelity: str, main: MainMemory, environment: Environment) -> RunResult:
    """The result of a finished chip."""
    result = RunResult(
        design.name if fidelity != "functional" else "",
        fidelity,
        instructions=sum(int(context[at.INSTRET]) for context in chip.contexts),
        exit_code=environment.exit_code or 0,
        stdout=bytes(environment.output.stdout),
        stderr=bytes(environment.output.stderr),
        failed_test=environment.failed_test,
        unknown_calls=dict(environment.unknown),
        memory=main,
    )
    if fidelity == "functional":
        return result
    settle_chip(chip.address)
    ends = [_end_of(chip, hart) for hart in range(chip.harts)]
    result.cycles = max(ends)
    result.time_s = result.cycles / design.clock
    result.hart_cycles = result.cycles * chip.harts
    width = design.core.hart.width
    stalls, slots = np.zeros(len(at.STALLS_NAMES), np.int64), np.zeros(len(at.STALLS_NAMES), np.int64)
    events = np.zeros(len(at.EVENT_NAMES), np.int64)
    units = np.zeros(len(at.UNITS), np.int64)
    accounts = np.zeros((len(at.UNITS) - at.FIRST_DECOUPLED, len(at.UNIT_CAUSES)), np.int64)
    conflicts = np.zeros((len(at.USERS), len(at.USERS)), np.int64)
    for hart, end in enumerate(ends):
        own = chip.view(hart, at.STALLS, len(at.STALLS_NAMES)).copy()
        partial = chip.view(hart, at.PARTIAL, len(at.STALLS_NAMES)).copy()
        context = chip.contexts[hart]
        state = chip.view(hart, at.HART_STATE, at.HART_STATE_SIZE)
        own[at.STALL_DRAIN] += end - int(context[at.NOW])
        own[at.STALL_IDLE] += result.cycles - end
        partial[at.STALL_DRAIN] += (width - int(state[at.H_USED])) if state[at.H_USED] else 0
        stalls += own
        slots += own * width + partial
        events += chip.view(hart, at.EVENTS, len(at.EVENT_NAMES))
        units += chip.view(hart, at.UNIT_BUSY, len(at.UNITS))
        accounts += _accounts(chip, hart, result)
        conflicts += chip.view(hart, at.CONFLICTS, at.CONFLICT_BUCKETS).reshape(conflicts.shape)
        result.harts.append(
            {
                "hart": hart,
                "cycles": result.cycles,
                "instructions": int(context[at.INSTRET]),
                "busy_cycles": int(state[at.H_BUSY]),
                "stalls": _named(at.STALLS_NAMES, own),
                "slots": _named(at.STALLS_NAMES, own * width + partial),
                "bank_conflict_cycles": int(context[at.CONFLICT_CYCLES]),
            }
        )
    result.bank_conflicts = {
        f"{name} by {other}": int(conflicts[row, column])
        for row, name in enumerate(at.USERS)
        for column, other in enumerate(at.USERS)
        if conflicts[row, column]
    }
    result.busy_cycles = sum(hart["busy_cycles"] for hart in result.harts)
    result.issue_slots = result.hart_cycles * width
    result.stalls = _named(at.STALLS_NAMES, stalls)
    result.slots = _named(at.STALLS_NAMES, slots)
    result.units = {name: int(units[at.UNIT_ID[name]]) for name in at.UNITS[at.FIRST_DECOUPLED :]}
    result.unit_stalls = {
        name: _named(at.UNIT_CAUSES, row) for name, row in zip(at.UNITS[at.FIRST_DECOUPLED :], accounts, strict=True)
    }
    # the dispatch loop does not count what hits
    accesses = events[at.UNIT_ID["load"]] + events[at.UNIT_ID["store"]]
    events[at.EVENT_L1_HIT] = accesses - events[at.EVENT_SCALAR] - events[at.EVENT_L1_MISS]
    result.events = dict(zip(at.EVENT_NAMES, (int(v) for v in events), strict=True))
    result.macs = {
        name.removeprefix("macs."): count for name, count in result.events.items() if name.startswith("macs.") and count
    }
    _memory_counters(chip, design, result)
    if chip.noc is not None:
        result.noc = noc_counts(chip.noc)
        result.events["noc.byte_hops"] = result.noc["byte_hops"]
    result.energy = energy_of(
        result.events,
        result.dram_read_bytes + result.dram_write_bytes,
        int(result.dram["activates"]),
        result.time_s,
        design,
    )
    result.roofline = roofline_of(
        sum(result.macs.values()), result.dram_read_bytes + result.dram_write_bytes, result.time_s, design
    )
    result.regions = _regions(chip, result.cycles)
    return result


def _end_of(chip: Chip, hart: int) -> int:
    """When a hart and all it started are done."""
    context = chip.contexts[hart]
    size = chip.tables.coded.scoreboard_size
    barriers = chip.view(hart, at.BARRIER_DONE, 64)
    return max(
        int(context[at.NOW]),
        int(chip.view(hart, at.UNIT_FREE, len(at.UNITS)).max()),
        int(chip.view(hart, at.READY, size)[33:].max(initial=0)),
        int(barriers.max()),
        int(chip.view(hart, at.VECTOR, V_DRAM_END + 1)[V_DRAM_END]),
    )


def _accounts(chip: Chip, hart: int, result: RunResult) -> np.ndarray:
    """Cycles of a core's units by cause [unit, cause], up to the end of the run; notes the units' spans."""
    table = chip.view(hart, at.ACCOUNTS, at.ACCOUNT_READERS).reshape(-1, at.ACCOUNT_FIELDS)
    free = chip.view(hart, at.UNIT_FREE, len(at.UNITS))[at.FIRST_DECOUPLED :]
    causes = table[:, : len(at.UNIT_CAUSES)].copy()
    last = np.minimum(np.maximum(table[:, at.ACCOUNT_LAST], free), result.cycles)
    causes[:, at.U_DRAIN] = last - free
    causes[:, at.U_END] = result.cycles - last
    for name, begin, end in zip(at.UNITS[at.FIRST_DECOUPLED :], table[:, at.ACCOUNT_BEGIN], last, strict=True):
        if begin >= 0:
            before = result.unit_spans.get(name, (int(begin), int(end)))
            result.unit_spans[name] = (min(before[0], int(begin)), max(before[1], int(end)))
    return causes


def _named(names: tuple[str, ...], values: np.ndarray) -> dict[str, int]:
    return {name: int(value) for name, value in zip(names, values, strict=True) if value}


def roofline_of(macs: int, moved: int, time_s: float, design: Any) -> dict[str, float]:
    """The point that a run reached under the roofline of a design (Williams et al., CACM 52(4), 2009).

    Args:
        macs: multiply-accumulates.
        moved: bytes that DRAM moved.
        time_s: that it took.
    """
    intensity = ratio(macs, moved)
    peak, bandwidth = design.peak_macs_per_s, design.memory.peak_bytes_per_s
    attainable = min(peak, intensity * bandwidth) if moved else peak
    achieved = ratio(macs, time_s)
    return {
        "macs_per_dram_byte": intensity,
        "ridge_macs_per_dram_byte": ratio(peak, bandwidth),
        "peak_macs_per_s": peak,
        "dram_peak_bytes_per_s": bandwidth,
        "attainable_macs_per_s": attainable,
        "achieved_macs_per_s": achieved,
        "achieved_share": ratio(achieved, attainable),
    }


def _memory_counters(chip: Chip, design: Any, result: RunResult) -> None:
    counts = chip.main.finish(result.cycles) if chip.main is not None else {}
    device = design.memory.device
    result.dram_read_bytes = counts["reads"] * device.tx_bytes
    result.dram_write_bytes = counts["writes"] * device.tx_bytes
    result.bandwidth_stretch = 1 << int(chip.chip[at.CHIP_TIMELINE_SHIFT])
    stretches = -(-result.cycles // result.bandwidth_stretch)
    result.bandwidth = {name: row[:stretches].tolist() for name, row in zip(at.LEVELS, chip.timeline, strict=True)}
    result.traffic = {
        name: _directions(chip.tensor_bytes[place])
        for place, name in enumerate(chip.tensor_names)
        if name and chip.tensor_bytes[place].any()
    }
    other = sum(chip.tensor_bytes[place] for place, name in enumerate(chip.tensor_names) if not name)
    if np.any(other):
        result.traffic["other"] = _directions(other)
    used = np.flatnonzero(chip.regions.any(axis=1))
    result.region_traffic = {int(number): _directions(chip.regions[number]) for number in used}
    latency_s = counts["read_latency_ticks"] * device.tck_fs * 1e-15 / device.ticks_per_clock
    result.dram = {
        **{name: counts[name] for name in ("activates", "row_hits", "row_misses", "row_conflicts", "refreshes")},
        "forwarded": counts["forwarded"],
        "coalesced": counts["coalesced"],
        "row_hit_rate": ratio(counts["row_hits"], counts["reads"] + counts["writes"]),
        "read_latency_s": ratio(latency_s, counts["reads"] + counts["forwarded"]),
        "outstanding_reads": ratio(latency_s, result.time_s),
    }


def _directions(pair: np.ndarray) -> dict[str, int]:
    return {"read_bytes": int(pair[0]), "write_bytes": int(pair[1])}


def ratio(part: float, whole: float) -> float:
    """part / whole; 0 of nothing."""
    return part / whole if whole else 0.0


def _regions(chip: Chip, cycles: int) -> list[Region]:
    count = int(chip.contexts[0][at.MARK_COUNT])
    marks = chip.view(0, at.MARKS, 2 * count).reshape(-1, 2)
    ends = [*(int(start) for start in marks[1:, 1]), cycles][:count]
    return [Region(int(number), int(start), end) for (number, start), end in zip(marks, ends, strict=True)]
