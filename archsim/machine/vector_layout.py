"""Numbers that compiled code and Python agree on about the vector unit: pipes, facts per instruction, its block."""

from __future__ import annotations

import numpy as np

from archsim.isa.vector_facts import ACCESSES, KINDS
from archsim.machine import layout as at

PIPES = ("alu", "mfpu", "slide", "mask", "load", "store")
"""Functional pipes: integers; multiplication and floating point; permutations; mask bits; memory. (Ara: VALU, VMFPU,
SLDU, MASKU, VLDU, VSTU.)"""
PIPE_OF = {
    "alu": "alu", "multiply": "mfpu", "float": "mfpu", "compare": "mfpu", "divide": "mfpu", "convert": "mfpu",
    "reduce": "alu", "float_reduce": "mfpu", "float_reduce_ordered": "mfpu", "slide": "slide", "slide_one": "slide",
    "gather": "slide", "mask": "mask", "move": "alu", "load": "load", "store": "store",
}  # fmt: skip
"""Kind of instruction -> pipe."""
KIND_ID = {name: index for index, name in enumerate(KINDS)}
ACCESS_ID = {name: index for index, name in enumerate(ACCESSES)}
UNIT_STRIDE, STRIDED, INDEXED = range(3)

# -- facts per instruction, behind those of layout (INFO)
(
    INFO_KIND, INFO_PIPE, INFO_ACCESS, INFO_MASK, INFO_WIDE, INFO_INDEX, INFO_INDEX_BITS, INFO_BASE, INFO_FIELDS,
    INFO_FILE, INFO_LATE, INFO_WHOLE, INFO_SCALAR, INFO_DISTANCE,
) = range(56, 70)  # fmt: skip
"""MASK: 1 + the slot that is 0 where v0 masks, or MASK_IMMEDIATE: the immediate says so, or -1: v0 is always read.
WIDE: log2 of the widest operand over SEW. INDEX, INDEX_BITS, BASE: slots of the index register and the base address,
bits of an index. FILE: byte offset of the vector registers in a hart's state. LATE: results come at the end. WHOLE:
sources must be complete. SCALAR: it writes a scalar register. DISTANCE: of a slide: 0: one place, BY_REGISTER (BASE) or
BY_IMMEDIATE."""
BY_REGISTER, BY_IMMEDIATE, MASK_IMMEDIATE = 1, 2, 99
INFO_READ_SHAPE, INFO_WRITE_SHAPE = 70, 82
"""Registers of each operand's group: 0: one register that is no vector register; else fields << 16 | how << 8 | value,
where how is COUNT (value registers), SCALED (elements are SEW * 2**(value - 8) wide) or FIXED (2**value bits)."""
COUNT, SCALED, FIXED = 1, 2, 3

# -- the block that a context's VECTOR slot points to: parameters, then state
(
    V_LANES_LOG2, V_SEPARATE, V_CHAINING, V_INTERVAL, V_MEMORY_HOLD, V_MEMORY_WIDTH, V_BANKS, V_STEP,
    V_WIDE, V_IN_FLIGHT, V_LANE_BITS, V_SLIDE_POWERS,
) = range(12)  # fmt: skip
V_LATENCY = 16
"""Cycles from operand to result by kind."""
V_RATE = V_LATENCY + len(KINDS)
"""Rate by kind, relative to the width, times RATE_SCALE."""
V_HELD = V_RATE + len(KINDS)
"""Whether a kind leaves for its pipe only when its registers are free."""
V_STARTUP = V_HELD + len(KINDS)
"""Cycles from issue to the first operand by pipe."""
V_DEPTH = V_STARTUP + 6
"""Instructions that a pipe's queue holds, the one at work included; 0: any number."""
(
    V_HEAD, V_TAIL, V_NEXT, V_SEQUENCED, V_HOLD, V_LOADS_END, V_STORES_END, V_DRAM_END,
) = range(V_DEPTH + 6, V_DEPTH + 14)  # fmt: skip
"""Entries executed and handed over; when the first that waits accesses DRAM (INFINITY: none); when the last instruction
left for its pipe, and until when none may follow; ends of the loads and stores so far, and of what
DRAM did of them."""
V_PIPE_FREE = V_DEPTH + 16
V_PIPE_COUNT = V_PIPE_FREE + 6
V_PIPE_ENDS = V_PIPE_COUNT + 6
"""Per pipe a ring of times at which queue slots came free."""
V_ENDS = V_PIPE_ENDS + 6 * at.QUEUE_SLOTS
"""Ring of the ends of all instructions."""
V_FIRST = V_ENDS + at.QUEUE_SLOTS
V_OWN = V_FIRST + 264
V_READING = V_OWN + 264
"""By scoreboard entry: when a register's first elements are there; READY as this unit set it; when its last reader
began."""
V_TOUCHED = V_READING + 264
"""By scoreboard entry: end of the last instruction that reads or writes a register."""
V_BANK_POOL = V_TOUCHED + 264
"""Accesses of the register file's banks per bucket of cycles, as the scratchpad's bandwidth."""
V_QUEUE = V_BANK_POOL + at.W_FIRST + 2 * at.BUCKETS
Q_INFO, Q_WORD, Q_NUMBER, Q_TIME, Q_LMUL, Q_SEW, Q_PASSES, Q_MASKED = range(8)
Q_WORK = 8
Q_FIELDS = Q_WORK + at.WORK_SIZE
"""An instruction that waits: its facts, word, number, when it was handed over, vtype as it was then, passes of a slide,
whether v0 masks it, its work."""
V_ADDRESSES = V_QUEUE + at.QUEUE_SLOTS * Q_FIELDS
"""Addresses of the elements of an indexed access (as many as a group of registers has)."""
LOAD_PIPE, STORE_PIPE, SLIDE_PIPE = PIPES.index("load"), PIPES.index("store"), PIPES.index("slide")
K_REDUCE, K_FLOAT_REDUCE, K_ORDERED = KIND_ID["reduce"], KIND_ID["float_reduce"], KIND_ID["float_reduce_ordered"]
K_SLIDE, K_SLIDE_ONE, K_GATHER = KIND_ID["slide"], KIND_ID["slide_one"], KIND_ID["gather"]


def vector_block(unit: object, vlen: int) -> np.ndarray:
    """The block of a design's vector unit (core.vector), for vector registers of `vlen` bits."""
    block = np.zeros(V_ADDRESSES + vlen + 8, np.int64)
    vector = vars(unit) | {"lane_count": unit.lane_count, "datapath": unit.datapath}  # type: ignore[attr-defined]
    separate = vector["pipes"] == "separate"
    block[V_LANES_LOG2] = max(0, (vector["lane_count"] - 1).bit_length())
    block[V_LANE_BITS] = 8 * vector["datapath"] // vector["lane_count"]
    block[V_SEPARATE], block[V_CHAINING] = int(separate), int(vector["chaining"])
    block[V_INTERVAL] = vector["dispatch_interval"]
    block[V_MEMORY_HOLD], block[V_MEMORY_WIDTH] = vector["memory_hold"], vector["memory_width"]
    block[V_BANKS], block[V_STEP] = vector["banks"], vector["reduction_step"]
    block[V_WIDE], block[V_IN_FLIGHT] = int(vector["wide_results"]), vector["in_flight"]
    block[V_SLIDE_POWERS] = int(vector["slide"] == "powers_of_two")
    for name, number in KIND_ID.items():
        block[V_LATENCY + number] = vector["latencies"].get(name, vector["latency"])
        block[V_RATE + number] = round(vector["kind_rates"].get(name, 1.0) * at.RATE_SCALE)
        block[V_HELD + number] = int(separate and name in vector["held"])
    for number, name in enumerate(PIPES):
        block[V_STARTUP + number] = vector["startups"].get(name, 0) if separate else 0
        block[V_DEPTH + number] = vector["pipe_queues"].get(name, 0) if separate else 0
    block[V_NEXT] = at.INFINITY
    block[V_BANK_POOL + at.W_BANKS], block[V_BANK_POOL + at.W_WIDTH] = max(1, vector["banks"]), 1
    block[V_BANK_POOL + at.W_CAPACITY] = max(1, vector["banks"]) << at.BUCKET_SHIFT
    return block
