"""A design laid out in memory for compiled code: contexts of harts, tables, DRAM state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from archsim.common.errors import InputError
from archsim.isa.lower import state_layout
from archsim.machine import layout as at
from archsim.machine.compiled import CodeTables
from archsim.machine.csr_table import csr_table, csr_values
from archsim.machine.hart_state import cache_block, hart_state, sees_all, tlb_block
from archsim.machine.interconnect import send
from archsim.machine.jit import address_of
from archsim.machine.main_memory import MainMemoryControllers
from archsim.machine.memory import MainMemory
from archsim.machine.memory_gates import line, rows, step
from archsim.machine.noc_layout import noc_block
from archsim.machine.predecode import Predecoded
from archsim.machine.vector_layout import vector_block
from archsim.machine.vector_queue import turn

TIMELINE_BUCKETS = 512
MARKS_LIMIT = 1 << 16


class Chip:
    """All state of a run, as flat int64 arrays that stay where they are.

    Args:
        design: a Design.
        tables: compiled functions and facts of the instruction set.
        code: the predecoded program.
        memory: main memory.
        harts: how many.
        values: whether bulk data (tiles, vectors, DMA payload) is held and computed.
        timed: whether time is modelled.
        timeline_shift: log2 of the cycles in a stretch of the DRAM timeline, at first.
    """

    def __init__(
        self,
        design: Any,
        tables: CodeTables,
        code: Predecoded,
        memory: MainMemory,
        *,
        values: bool,
        timed: bool,
        timeline_shift: int = 6,
    ) -> None:
        self.design, self.tables, self.code, self.memory = design, tables, code, memory
        self.harts = design.cores
        self.keep: dict[int, np.ndarray] = {}
        self.second = 0
        self.timeline = self.array(len(at.LEVELS) * TIMELINE_BUCKETS).reshape(len(at.LEVELS), TIMELINE_BUCKETS)
        self.chip = self.array(at.CHIP_SIZE)
        self.main = MainMemoryControllers(design) if timed else None
        self.contexts = [self._context(hart, values, timed) for hart in range(self.harts)]
        self.chip[at.CHIP_HARTS] = self.harts
        pointers = self.array(self.harts)
        pointers[:] = [context.ctypes.data for context in self.contexts]
        self.chip[at.CHIP_CONTEXTS] = pointers.ctypes.data
        if self.main is not None:
            self.chip[at.CHIP_DRAM] = self.main.address
            for slot, function in ((at.CHIP_STEP, step), (at.CHIP_LINE, line), (at.CHIP_ROWS, rows)):
                self.chip[slot] = address_of(function)
            if any(instruction.unit == "vector" for instruction in tables.coded.isa.instructions.values()):
                self.chip[at.CHIP_VECTOR] = address_of(turn)
        self.chip[at.CHIP_TX] = design.memory.device.tx_bytes
        noc = design.interconnect.noc
        self.noc = None if noc is None else noc_block(noc, design.cores, design.memory.channels, self.array)
        if self.noc is not None:
            self.chip[at.CHIP_NOC], self.chip[at.CHIP_SEND] = self.noc.ctypes.data, address_of(send)
        self.regions = self.array(2 * at.MAXIMUM_REGIONS).reshape(-1, 2)
        self.chip[at.CHIP_REGION_BYTES] = self.regions.ctypes.data
        self.name_tensors({})
        self.chip[at.CHIP_PERIOD_FS] = design.period_fs
        self.chip[at.CHIP_LINK_LATENCY] = round(design.interconnect.latency * design.clock)
        self.chip[at.CHIP_LINK_WIDTH] = design.interconnect.width
        self.chip[at.CHIP_SYNC_LATENCY] = 2 * round(design.interconnect.latency * design.clock)
        self.chip[at.CHIP_TIMELINE] = self.timeline.ctypes.data
        self.chip[at.CHIP_TIMELINE_SHIFT] = timeline_shift
        self.chip[at.CHIP_TIMELINE_SIZE] = TIMELINE_BUCKETS

    def name_tensors(self, tensors: Mapping[str, tuple[int, int]]) -> None:
        """Have the bytes of DRAM counted by tensor.

        Args:
            tensors: name -> (address, bytes), which do not overlap.
        """
        places = sorted((start, start + size, name) for name, (start, size) in tensors.items())
        edges, self.tensor_names = [], [""]
        for start, end, name in places:
            edges += [start, end]
            self.tensor_names += [name, ""]
        starts, self.tensor_bytes = self.array(len(edges)), self.array(2 * len(self.tensor_names)).reshape(-1, 2)
        starts[: len(edges)] = edges
        self.chip[at.CHIP_RANGES], self.chip[at.CHIP_RANGE_COUNT] = starts.ctypes.data, len(edges)
        self.chip[at.CHIP_RANGE_BYTES] = self.tensor_bytes.ctypes.data

    @property
    def address(self) -> int:
        return int(self.chip.ctypes.data)

    def array(self, size: int, dtype: Any = np.int64) -> np.ndarray:
        """A zeroed array that lives as long as the chip."""
        result = np.zeros(max(size, 1), dtype)
        self.keep[result.ctypes.data] = result
        return result

    def view(self, hart: int, slot: int, size: int) -> np.ndarray:
        """The int64 array [size] that a context slot points to."""
        return self.keep[int(self.contexts[hart][slot])][:size]

    def _context(self, hart: int, values: bool, timed: bool) -> np.ndarray:
        design, tables = self.design, self.tables
        context = self.array(at.CONTEXT_SIZE)

        def point(slot: int, array: np.ndarray) -> None:
            context[slot] = array.ctypes.data

        isa = tables.coded.isa
        context[at.HART], context[at.HARTS], context[at.VALUES] = hart, self.harts, int(values)
        # replayed instructions write what the trace says to any register of the scoreboard
        point(at.X, self.array(256))
        point(at.STATE, self.array(state_layout(isa.state)[1], np.uint8))
        point(at.SPARE, self.array(512))
        if "vtype" in isa.state:
            # up to three operands of eight registers
            point(at.VSCRATCH, self.array(4 * 8 * isa.parameters["VLEN"] // 8 + 64, np.uint8))
        self._csrs(context)
        if "vtype" in isa.state:
            context[at.COLUMN] = at.VILL_COLUMN
            self.keep[int(context[at.CSR])][isa.state["vtype"].address] = -1 << isa.xlen - 1
        context[at.RAM], context[at.RAM_HELD] = self.memory.address, self.memory.held
        context[at.RAM_SIZE] = max(self.memory.held, design.memory.size)
        scratchpad = design.core.scratchpad
        context[at.SPAD_SIZE] = scratchpad.size
        point(at.SPAD, self.array(scratchpad.size, np.uint8))
        point(at.CODE, self.code.code)
        point(at.SCHED, self.code.sched)
        context[at.CODE_SIZE], context[at.TEXT] = self.code.slots, self.code.text
        point(at.FUNCTIONS, tables.functions)
        point(at.PATTERNS, tables.patterns)
        point(at.INFO, tables.info)
        context[at.CHIP] = self.chip.ctypes.data
        for slot in (at.READY, at.CAUSE, at.READ_DONE):
            point(slot, self.array(tables.coded.scoreboard_size + 8))
        point(at.STALLS, self.array(len(at.STALLS_NAMES)))
        point(at.EVENTS, self.array(len(at.EVENT_NAMES)))
        point(at.WORK, self.array(at.WORK_SIZE))
        point(at.UNIT_FREE, self.array(len(at.UNITS)))
        point(at.UNIT_BUSY, self.array(len(at.UNITS)))
        point(at.QUEUES, self.array(4 * (at.QUEUE_SLOTS + 1)))
        point(at.MARKS, self.array(2 * MARKS_LIMIT))
        context[at.MARK_LIMIT] = MARKS_LIMIT
        context[at.MARK_CSR] = isa.state["qmark"].address if "qmark" in isa.state else -1
        context[at.LIMIT_TIME] = context[at.LIMIT_COUNT] = at.INFINITY
        accounts = self.array(at.ACCOUNT_READERS + tables.coded.scoreboard_size + 8)
        accounts[at.ACCOUNT_BEGIN : at.ACCOUNT_READERS : at.ACCOUNT_FIELDS] = -1
        point(at.ACCOUNTS, accounts)
        point(at.ARRAY, self._matrix_array())
        point(at.DMA, self._dma())
        barriers = isa.state["b"].count if "b" in isa.state else 1
        point(at.BARRIER_COUNT, self.array(barriers))
        point(at.BARRIER_DONE, self.array(barriers))
        if timed:
            self._timing(context, point)
        return context

    def _csrs(self, context: np.ndarray) -> None:
        """CSR values and what is known of each; programs start in machine mode unless their environment differs."""
        isa = self.tables.coded.isa
        facts, values = self.array(4096 * at.CSR_FIELDS), self.array(4096)
        facts[:] = csr_table(isa).reshape(-1)
        values[:] = csr_values(isa, int(context[at.HART]))
        context[at.CSR], context[at.CSR_FACTS] = values.ctypes.data, facts.ctypes.data
        context[at.PRIVILEGE] = at.MACHINE

    def _timing(self, context: np.ndarray, point: Any) -> None:
        core = self.design.core
        point(at.HART_STATE, hart_state(core, self.array))
        point(at.PARTIAL, self.array(len(at.STALLS_NAMES)))
        for slot, cache in ((at.L1D, core.l1d), (at.L1I, core.l1i), (at.L2, core.l2)):
            if cache is not None:
                point(slot, cache_block(cache, self.array))
        if core.l2 is not None and core.l2.shared:
            context[at.L2] = self.second = self.second or int(context[at.L2])
        if core.hart.tlb is not None:
            point(at.DTLB, tlb_block(core.hart.tlb, self.array))
        if sees_all(core):
            context[at.INFLIGHT] = at.INFINITY
        scratchpad = core.scratchpad
        shift = scratchpad.granule.bit_length() - 1
        granules = (scratchpad.size >> shift) + 1
        context[at.GRANULE_SHIFT] = shift
        point(at.GRANULE_WRITE, self.array(granules))
        point(at.GRANULE_READ, self.array(granules))
        pool = self.array(at.W_FIRST + 2 * at.BUCKETS)
        pool[at.W_BANKS], pool[at.W_WIDTH] = scratchpad.banks, scratchpad.width
        pool[at.W_CAPACITY] = scratchpad.banks * scratchpad.ports * scratchpad.width << at.BUCKET_SHIFT
        point(at.BANDWIDTH, pool)
        conflicts = self.array(at.CONFLICTS_SIZE)
        conflicts[at.CONFLICT_BUCKETS :: at.CONFLICT_FIELDS] = -1
        point(at.CONFLICTS, conflicts)
        point(at.UNIT, self._units())
        block = vector_block(core.vector, self.tables.coded.isa.parameters.get("VLEN", 64))
        self.keep[block.ctypes.data] = block
        point(at.VECTOR, block)

    def _units(self) -> np.ndarray:
        """Parameters of tile_lsu, matrix and vector, UNIT_FIELDS numbers each."""
        core = self.design.core
        units = self.array(4 * at.UNIT_FIELDS).reshape(4, at.UNIT_FIELDS)
        for row, unit in enumerate((core.tile_lsu, core.matrix, core.vector)):
            units[row, at.U_LATENCY] = unit.latency
            units[row, at.U_QUEUE] = unit.queue
            if unit.queue > at.QUEUE_SLOTS:
                raise InputError(f"a unit's queue is {unit.queue} deep", remedy=f"use at most {at.QUEUE_SLOTS}")
        units[0, at.U_WIDTH] = core.tile_lsu.width
        units[2, at.U_WIDTH] = core.vector.datapath
        matrix = units[1]
        matrix[at.U_KIND] = at.MATRIX_KINDS.index(core.matrix.kind)
        matrix[at.U_ROWS], matrix[at.U_COLUMNS], matrix[at.U_DEPTH] = (
            core.matrix.rows,
            core.matrix.columns,
            core.matrix.depth,
        )
        matrix[at.U_DOUBLE_BUFFERED] = int(core.matrix.double_buffered)
        matrix[at.U_SERIAL] = int(core.matrix.folds == "serial")
        for name, rate in core.vector.rates.items():
            units[2, at.U_RATES + at.CLASS_ID[name]] = round(rate * at.RATE_SCALE)
        return units

    def _matrix_array(self) -> np.ndarray:
        """State and rates of the matrix unit; it holds nothing yet."""
        array, matrix, count = self.array(at.ARRAY_SIZE), self.design.core.matrix, len(at.FORMATS)
        array[at.A_STATIONARY] = -1
        for (weights, activations), (rate, counted) in pair_rates(matrix).items():
            pair = at.FORMAT_ID[weights] * count + at.FORMAT_ID[activations]
            array[at.A_RATES + pair] = round(rate * at.RATE_SCALE)
            array[at.A_COUNTED + pair] = at.FORMAT_ID[counted]
        return array

    def _dma(self) -> np.ndarray:
        dma = self.design.core.dma
        for name, value, most in (("queue", dma.queue, at.QUEUE_SLOTS), ("outstanding", dma.outstanding, 1024)):
            if value > most:
                raise InputError(f"core.dma.{name} is {value}", remedy=f"use at most {most}")
        slots = 1 << (dma.queue + dma.outstanding).bit_length()
        ring = at.E_DESCRIPTORS + slots * at.T_FIELDS
        stride = ring + dma.outstanding * at.R_FIELDS
        block = self.array(at.M_FIRST + dma.engines * stride)
        block[at.M_ENGINES], block[at.M_QUEUE] = dma.engines, dma.queue
        block[at.M_OUTSTANDING], block[at.M_BURST], block[at.M_STARTUP] = dma.outstanding, dma.burst, dma.startup
        block[at.M_STRIDE], block[at.M_SLOTS], block[at.M_RING] = stride, slots, ring
        engines = block[at.M_FIRST :].reshape(dma.engines, stride)
        engines[:, at.E_NEXT] = at.INFINITY
        engines[:, at.E_INDEX] = np.arange(dma.engines)
        return block


def pair_rates(matrix: Any) -> dict[tuple[str, str], tuple[float, str]]:
    """Formats of weights and activations -> rate on a design's matrix unit, and the format that counts for its energy.

    Of two formats that the unit multiplies, the wider one's multipliers do it where they are the slower ones; a pair
    with a rate of its own counts as its wider format.
    """
    rates = {}
    for weights, own in matrix.formats.items():
        for activations, other in matrix.formats.items():
            slower = at.FORMAT_BITS[activations] > at.FORMAT_BITS[weights] and other < own
            rates[weights, activations] = (other, activations) if slower else (own, weights)
    for pair, rate in matrix.pairs.items():
        weights, activations = pair.split(" x ")
        rates[weights, activations] = rate, max(weights, activations, key=lambda name: at.FORMAT_BITS[name])
    return rates
