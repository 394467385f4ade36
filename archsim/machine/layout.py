"""Numbers that compiled code and Python agree on: slots of the context, causes of stalls, events, units."""

from __future__ import annotations

# -- slots of a hart's context (int64 each; "->" marks host addresses)
(
    PC, NOW, INSTRET, NEXT, TRAP, TRAP_VALUE, HART, HARTS, VALUES, X, CSR, CSR_FACTS, STATE, RAM, RAM_HELD, RAM_SIZE,
    SPAD, SPAD_SIZE, SPARE, CODE, SCHED, CODE_SIZE, TEXT, FUNCTIONS, PATTERNS, INFO, READY, CAUSE, READ_DONE,
    STALLS, EVENTS, WORK, LIMIT_TIME, LIMIT_COUNT, CHIP, UNIT, UNIT_FREE, UNIT_BUSY, QUEUES, GRANULE_WRITE,
    GRANULE_READ, GRANULE_SHIFT, BANDWIDTH, BARRIER_COUNT, BARRIER_DONE, DMA, BLOCKED_ON, MARK_CSR, MARKS,
    MARK_COUNT, MARK_LIMIT, RECORD_INDEX, RECORD_VALUE, RECORD_COUNT, RECORD_LIMIT, TRACE_INDEX, TRACE_VALUE,
    TRACE_COUNT, TRACE_POSITION, ARRAY, ACCOUNTS, FINISHED, SYNC_WAITING, CONFLICT_CYCLES, FFLAGS,
    VXSAT, RESERVATION, COLUMN, LMUL_LOG2, VL, VSTART, VSCRATCH, PRIVILEGE, FLOAT_OFF, WAITING, HART_STATE, PARTIAL,
    L1D, L1I, L2, DTLB, INFLIGHT, SERVED, HELD, UNIT_BEGIN, UNIT_DONE, VIEW_LOG, VIEW_COUNT, VIEW_LIMIT, VIEW_NUMBER,
    VIEW_STATE, TRANSFER_LOG, TRANSFER_COUNT, MISS_WAIT, CONFLICTS,
) = range(95)  # fmt: skip
VECTOR = 111
"""The block of the vector unit, see vector_layout (apart from the others, so that both lists can grow)."""
CONTEXT_SIZE = 112
COLUMNS = 8
"""Compiled functions per instruction: by element width 8, 16, 32, 64 (COLUMN 0 to 3), and none (4: vtype is vill)."""
VILL_COLUMN = 4

# -- how the dispatch loop comes back
RUNNING, EXITED, TRAPPED, ECALL, BLOCKED, YIELDED, RECORD_FULL, TRACE_END, NEEDS_CODE, VIEW_FULL = range(10)

# -- why a program trapped
(
    NO_TRAP, ILLEGAL, LOAD_FAULT, FETCH_FAULT, BREAKPOINT, INDEX_FAULT, RACE, NO_FORMAT, CSR_READ_ONLY, CUSTOM,
    ENVIRONMENT_CALL, RANGE_FAULT, BARRIER_BLOCK, STORE_FAULT, FETCH_MISALIGNED, LOAD_MISALIGNED, STORE_MISALIGNED,
    CSR_FAULT, STATUS_CHANGED, CODE_CHANGED,
) = range(20)  # fmt: skip
TRAP_WORDS = {
    ILLEGAL: "illegal instruction",
    LOAD_FAULT: "load from an address outside memory",
    STORE_FAULT: "store to an address outside memory",
    FETCH_MISALIGNED: "jump to a misaligned address",
    LOAD_MISALIGNED: "misaligned load",
    STORE_MISALIGNED: "misaligned atomic access",
    FETCH_FAULT: "jump outside the program",
    BREAKPOINT: "breakpoint (ebreak)",
    INDEX_FAULT: "register element index out of range",
    RACE: "scratchpad touched while a DMA transfer on it is unfinished (qt.bar.wait is missing)",
    NO_FORMAT: "the design's matrix unit does not multiply this weight format",
    CSR_READ_ONLY: "write to a read-only CSR",
    CSR_FAULT: "access to a CSR that does not exist, or not at this privilege",
    CUSTOM: "trap raised by an instruction",
    RANGE_FAULT: "bulk access outside the scratchpad or DRAM",
}

# -- execution units, in the order of their ids; the first group executes in the hart's pipeline
UNITS = (
    "alu", "mul", "div", "fpu", "fdiv", "branch", "load", "store", "csr", "system", "sync", "tile_lsu", "matrix",
    "vector", "dma",
)  # fmt: skip
UNIT_ID = {name: index for index, name in enumerate(UNITS)}
FIRST_DECOUPLED = UNIT_ID["tile_lsu"]

# -- stall causes: where a hart's cycles go besides issuing
STALLS_NAMES = (
    *(f"dependency_{unit}" for unit in UNITS), *(f"structural_{unit}" for unit in UNITS),
    "memory_l2", "memory_dram", "store_buffer", "branch", "fetch", "icache", "rob", "issue_queue", "load_queue",
    "store_queue", "memory_order", "queue_tile_lsu", "queue_matrix", "queue_vector", "queue_dma", "dma_wait", "sync",
    "drain", "idle", "memory_tlb",
)  # fmt: skip
STALL_ID = {name: index for index, name in enumerate(STALLS_NAMES)}
STALL_STRUCTURAL, STALL_QUEUE = STALL_ID["structural_alu"], STALL_ID["queue_tile_lsu"]
STALL_TLB = STALL_ID["memory_tlb"]
STALL_L2, STALL_DRAM, STALL_STORE_BUFFER = STALL_ID["memory_l2"], STALL_ID["memory_dram"], STALL_ID["store_buffer"]
STALL_BRANCH, STALL_FETCH, STALL_ICACHE = STALL_ID["branch"], STALL_ID["fetch"], STALL_ID["icache"]
STALL_ROB, STALL_ISSUE_QUEUE = STALL_ID["rob"], STALL_ID["issue_queue"]
STALL_LOAD_QUEUE, STALL_STORE_QUEUE = STALL_ID["load_queue"], STALL_ID["store_queue"]
STALL_ORDER = STALL_ID["memory_order"]
STALL_DMA_WAIT, STALL_SYNC = STALL_ID["dma_wait"], STALL_ID["sync"]
STALL_DRAIN, STALL_IDLE = STALL_ID["drain"], STALL_ID["idle"]

# -- where a decoupled unit's cycles go besides work, see accounts.py
UNIT_CAUSES = (
    "idle", *(f"operand_{unit}" for unit in UNITS), "scratchpad", "bank_conflict", "fold", "startup", "outstanding",
    "drain", "end",
)  # fmt: skip
"""idle: nothing was dispatched to the unit; operand_...: a register was not ready, by the unit that writes it or still
reads it; scratchpad: another unit's bytes; bank_conflict: banks were busy; fold: a systolic array that serialises its
folds fills or drains; startup: of a transfer; outstanding: as many bursts on their way as the engine may have; drain:
after the last input until the last result; end: after that."""
UNIT_CAUSE_ID = {name: index for index, name in enumerate(UNIT_CAUSES)}
U_IDLE, U_OPERAND, U_SCRATCHPAD = UNIT_CAUSE_ID["idle"], UNIT_CAUSE_ID["operand_alu"], UNIT_CAUSE_ID["scratchpad"]
U_CONFLICT, U_FOLD, U_STARTUP = UNIT_CAUSE_ID["bank_conflict"], UNIT_CAUSE_ID["fold"], UNIT_CAUSE_ID["startup"]
U_OUTSTANDING, U_DRAIN, U_END = UNIT_CAUSE_ID["outstanding"], UNIT_CAUSE_ID["drain"], UNIT_CAUSE_ID["end"]
# per decoupled unit: cycles by cause, when its first work began (-1: none yet), when its last result is there
ACCOUNT_BEGIN, ACCOUNT_LAST = len(UNIT_CAUSES), len(UNIT_CAUSES) + 1
ACCOUNT_FIELDS = len(UNIT_CAUSES) + 2
ACCOUNT_READERS = (len(UNITS) - FIRST_DECOUPLED) * ACCOUNT_FIELDS
"""Behind the units' accounts: the unit that last read each register of the scoreboard."""

# -- number formats and vector work classes
FORMAT_BITS = {
    "none": 0, "int8": 8, "int4": 4, "int3": 3, "int2": 2, "ternary": 1.6, "sign": 1, "int16": 16, "int32": 32,
    "fp8_e4m3": 8, "fp8_e5m2": 8, "fp6": 6, "fp4": 4, "cb4": 4, "cb3": 3, "cb2": 2, "fp16": 16, "bf16": 16, "tf32": 32,
    "fp32": 32, "fp64": 64,
}  # fmt: skip
"""Bits that an element takes in a register."""
FORMATS = tuple(FORMAT_BITS)
FORMAT_ID = {name: index for index, name in enumerate(FORMATS)}
CLASSES = ("alu", "div", "exp", "reduce", "convert")
CLASS_ID = {name: index for index, name in enumerate(CLASSES)}

# -- events that energy follows from
EVENT_NAMES = (
    *(f"instructions.{unit}" for unit in UNITS),
    *(f"macs.{name}" for name in FORMATS),
    *(f"vector.{name}" for name in CLASSES),
    "tile.read_bytes", "tile.write_bytes", "scratchpad.read_bytes", "scratchpad.write_bytes",
    "l1.misses", "l1.writebacks", "link.bytes", "scale_multiplies",
    "l1i.misses", "l2.hits", "l2.misses", "branches", "branches.wrong", "memory_order.violations",
    "l1.hits", "l1.passed_on", "l2.writebacks", "l2.back_invalidations", "prefetch.issued", "prefetch.useful",
    "prefetch.late", "prefetch.useless", "tlb.misses", "scratchpad.scalar",
)  # fmt: skip
"""l1.hits: loads and stores of harts that were neither l1.misses nor to the scratchpad (scratchpad.scalar); those that
wait for a line on its way, or find their data in an older store, are among them. l1.passed_on: stores that went on to
the next level themselves. prefetch.useful: lines fetched ahead that were asked for (late: while on their way);
useless: that left without."""
EVENT_ID = {name: index for index, name in enumerate(EVENT_NAMES)}
EVENT_MACS, EVENT_VECTOR = EVENT_ID["macs.none"], EVENT_ID["vector.alu"]
EVENT_TILE_READ, EVENT_TILE_WRITE = EVENT_ID["tile.read_bytes"], EVENT_ID["tile.write_bytes"]
EVENT_SPAD_READ, EVENT_SPAD_WRITE = EVENT_ID["scratchpad.read_bytes"], EVENT_ID["scratchpad.write_bytes"]
EVENT_L1_MISS, EVENT_WRITEBACK = EVENT_ID["l1.misses"], EVENT_ID["l1.writebacks"]
EVENT_LINK, EVENT_SCALES = EVENT_ID["link.bytes"], EVENT_ID["scale_multiplies"]
EVENT_L1I_MISS, EVENT_L2_HIT, EVENT_L2_MISS = EVENT_ID["l1i.misses"], EVENT_ID["l2.hits"], EVENT_ID["l2.misses"]
EVENT_BRANCH, EVENT_WRONG = EVENT_ID["branches"], EVENT_ID["branches.wrong"]
EVENT_VIOLATION = EVENT_ID["memory_order.violations"]
EVENT_L1_HIT, EVENT_PASSED_ON, EVENT_SCALAR = (
    EVENT_ID["l1.hits"],
    EVENT_ID["l1.passed_on"],
    EVENT_ID["scratchpad.scalar"],
)
EVENT_L2_WRITEBACK, EVENT_BACK = EVENT_ID["l2.writebacks"], EVENT_ID["l2.back_invalidations"]
EVENT_PREFETCH, EVENT_USEFUL = EVENT_ID["prefetch.issued"], EVENT_ID["prefetch.useful"]
EVENT_LATE, EVENT_USELESS = EVENT_ID["prefetch.late"], EVENT_ID["prefetch.useless"]
EVENT_TLB_MISS = EVENT_ID["tlb.misses"]

# -- what an instruction asks of its unit, filled by its pattern function
(
    WORK_MACS, WORK_ROWS, WORK_COLUMNS, WORK_DEPTH, WORK_FORMAT, WORK_WEIGHTS, WORK_SCALES,
    WORK_ELEMENTS, WORK_BITS, WORK_CLASS, WORK_LATENCY, WORK_ACCESSES, WORK_ACTIVATIONS,
) = range(13)  # fmt: skip
WORK_MEMORY = 13
"""First of the bulk accesses, MEMORY_FIELDS numbers each."""
MEMORY_FIELDS = 11
(
    ACCESS_WRITE, ACCESS_ADDRESS, ACCESS_ROWS, ACCESS_BYTES, ACCESS_STRIDE, ACCESS_DRAM, ACCESS_INDEX,
    ACCESS_PLANES, ACCESS_PLANE_STRIDE, ACCESS_BLOCKS, ACCESS_BLOCK_STRIDE,
) = range(MEMORY_FIELDS)  # fmt: skip
ANY_SPACE = 2
SPACES = {"scratchpad": 0, "dram": 1, "any": ANY_SPACE}
"""What ACCESS_DRAM holds."""
MAXIMUM_ACCESSES = 4
WORK_SIZE = WORK_MEMORY + MAXIMUM_ACCESSES * MEMORY_FIELDS

# -- static facts per instruction (INFO): unit, then register operands as (slot, scoreboard base)
INFO_UNIT, INFO_READS, INFO_WRITES, INFO_HAS_PATTERN, INFO_BUILTIN = range(5)
INFO_READ0, INFO_WRITE0, INFO_ALWAYS, INFO_BARRIER = 7, 31, 5, 6
MAXIMUM_OPERANDS = 12
INFO_SIZE = 96
"""Facts about vector instructions, from 56 on, are listed in vector_layout."""
BUILTIN_NONE, BUILTIN_WAIT, BUILTIN_SYNC, BUILTIN_LOAD, BUILTIN_STORE, BUILTIN_SCALAR = range(6)

# -- what is known of a CSR (CSR_FACTS, CSR_FIELDS numbers for each of 4096)
CSR_FIELDS = 8
(
    CSR_KIND, CSR_OWNER, CSR_SHIFT, CSR_BITS, CSR_MASK, CSR_MAXIMUM, CSR_READ_ONLY_BIT, CSR_LEGAL,
) = range(CSR_FIELDS)  # fmt: skip
CSR_ABSENT, CSR_VALUE, CSR_FLAGS, CSR_CYCLES, CSR_TIME, CSR_INSTRET, CSR_INHIBIT, CSR_STATUS = range(8)
USER, MACHINE = 0, 3
"""Privilege levels."""

# -- fields of a unit's parameters (UNIT, UNIT_FIELDS numbers each)
UNIT_FIELDS = 32
(
    U_WIDTH, U_LATENCY, U_QUEUE, U_KIND, U_ROWS, U_COLUMNS, U_DEPTH, U_DOUBLE_BUFFERED, U_RATES,
) = (0, 1, 2, 3, 4, 5, 6, 7, 8)  # fmt: skip
U_SERIAL = 31
"""Whether the folds of a systolic array are serial."""
MATRIX_KINDS = ("dot_product", "outer_product", "systolic_os", "systolic_ws", "systolic_is")
KIND_DOT_PRODUCT, KIND_OUTER_PRODUCT, KIND_SYSTOLIC_OS, KIND_SYSTOLIC_WS, KIND_SYSTOLIC_IS = range(5)
RATE_SCALE = 1 << 16
"""Rates (fractions) are held as integers times this."""
QUEUE_SLOTS = 64
"""Ring of start times kept per unit: queues are at most this deep."""

# -- the matrix unit's array: register that it holds and which contents of it, when they took effect, when the last
# result of the fold is out; then its rates by formats (weights x activations), and the format that energy is counted by
(A_STATIONARY, A_VERSION, A_SWAPPED, A_DRAINED) = range(4)
A_RATES = 4
A_COUNTED = A_RATES + len(FORMATS) ** 2
ARRAY_SIZE = A_COUNTED + len(FORMATS) ** 2

# -- the chip, shared by harts
(
    CHIP_HARTS, CHIP_CONTEXTS, CHIP_DRAM, CHIP_PERIOD_FS, CHIP_LINK_LATENCY, CHIP_LINK_WIDTH, CHIP_SYNC_LATENCY,
    CHIP_TIMELINE, CHIP_TIMELINE_SHIFT, CHIP_TIMELINE_SIZE, CHIP_LAST, CHIP_RESUME, CHIP_TX,
    CHIP_RANGES, CHIP_RANGE_COUNT, CHIP_RANGE_BYTES, CHIP_REGION_BYTES, CHIP_NOC,
    CHIP_STEP, CHIP_LINE, CHIP_ROWS, CHIP_SEND, CHIP_VECTOR,
    CHIP_ADDRESS, CHIP_BYTES, CHIP_WRITE, CHIP_FIRST, CHIP_DONE,
) = range(28)  # fmt: skip
"""From CHIP_STEP on: functions that are compiled by themselves and called by address, and what is handed to and fro."""
CHIP_SIZE = 32
LEVELS = ("dram_read", "dram_write", "scratchpad")
"""Where bytes are counted over time (CHIP_TIMELINE, CHIP_TIMELINE_SIZE stretches each)."""
LEVEL_READ, LEVEL_WRITE, LEVEL_SCRATCHPAD = range(len(LEVELS))
MAXIMUM_REGIONS = 4096
"""Regions of a program (qmark) whose DRAM bytes are counted each; those above are counted with the last one."""

# -- DMA of a core: shared parameters, then engines of M_STRIDE numbers
(M_ENGINES, M_QUEUE, M_OUTSTANDING, M_BURST, M_STARTUP, M_ISSUED, M_STRIDE, M_SLOTS, M_RING) = range(9)
M_FIRST = 16
(E_HEAD, E_TAIL, E_ROW, E_OFFSET, E_TIME, E_NEXT, E_BURSTS, E_INDEX, E_KEY) = range(9)
E_FREE = 12
"""Ring of times at which queue slots came free."""
E_DESCRIPTORS = E_FREE + QUEUE_SLOTS
"""Ring of M_SLOTS transfers (a power of two): queued, or with bursts on their way; behind it, from M_RING on, the ring
of M_OUTSTANDING bursts."""
(
    T_WRITE, T_DRAM, T_SPAD, T_ROWS, T_BYTES, T_DRAM_STRIDE, T_SPAD_STRIDE, T_BARRIER, T_READY, T_INDEX,
    T_NUMBER, T_ISSUED, T_BEGIN, T_LEFT, T_DONE, T_REGION, T_PLANES, T_DRAM_PLANE, T_SPAD_PLANE, T_BLOCKS,
    T_DRAM_BLOCK, T_SPAD_BLOCK,
) = range(22)  # fmt: skip
T_FIELDS = 24
(R_DONE, R_LEFT, R_LAST, R_SPAD, R_BYTES, R_TRANSFER, R_BEGIN, R_CHANNEL) = range(8)
"""A burst: when its slot is free (INFINITY: not known), parts on their way, the last one's end, its scratchpad bytes,
its transfer's place, when it left, the channel of its last part."""
R_FIELDS = 8
OUTSTANDING_SLOTS = 1024
MAXIMUM_ENGINES = 16

# -- scratchpad bandwidth: bytes taken per bucket of 2**BUCKET_SHIFT cycles
BUCKET_SHIFT, BUCKETS = 6, 4096
(W_CAPACITY, W_BANKS, W_WIDTH) = range(3)
W_FIRST = 4
USERS = UNITS[FIRST_DECOUPLED:]
"""Who shares the banks. CONFLICTS: cycles that a user was held up by another one, [held up, by]; behind it per bucket
its number and the bytes of each user."""
CONFLICT_BUCKETS = len(USERS) ** 2
CONFLICT_FIELDS = 1 + len(USERS)
CONFLICTS_SIZE = CONFLICT_BUCKETS + BUCKETS * CONFLICT_FIELDS

# -- a cache (L1D, L1I, L2, DTLB): parameters, then the tags, then as many times of arrival
(
    K_SETS, K_WAYS, K_SHIFT, K_LATENCY, K_POLICY, K_WAY_AT, K_TREE_AT, K_RANDOM, K_LEFT, K_MSHR_AT, K_THROUGH,
    K_ALLOCATE, K_PREFETCH, K_DEGREE, K_STREAM_AT, K_STREAMS, K_INCLUSIVE, K_SHARED,
) = range(18)  # fmt: skip
K_FIRST = 24
"""Tags of each set: line << 1 | dirty, -2 if empty; the one touched last stands first, with lru all are in the order of
recency. Times: cycle << 1 | 1 if from DRAM; inverted while nobody has asked for a line that was fetched ahead. With
other policies there are also the ways that the entries of a set are in, and the bits of its tree (plru). K_LEFT is the
time of the entry that left last. At K_MSHR_AT stand miss registers: their number (0: no bound), and until when each is
taken."""
POLICIES = ("lru", "plru", "random")
LRU, PLRU, RANDOM = range(len(POLICIES))
PREFETCHERS = ("none", "next_line", "stride")
PREFETCH_NEXT, PREFETCH_STRIDE = 1, 2
STREAM_FIELDS = 4
(Y_PC, Y_ADDRESS, Y_STRIDE, Y_STEADY) = range(STREAM_FIELDS)
"""Of a load or store that a stride prefetcher remembers: its address in the program, the last address it asked for,
the stride before that, and whether it had come twice."""

# -- state of a hart's pipeline (HART_STATE)
(
    H_WIDTH, H_TIME, H_USED, H_BUSY, H_FETCH, H_FETCHED, H_FETCH_CAUSE, H_FETCH_WIDTH, H_LEAD, H_LINE, H_LINE_SHIFT,
    H_PENALTY, H_BUBBLE, H_DECODED, H_STAGES, H_COUNTS, H_ROOM, H_KIND, H_COUNTERS, H_COUNTER_MASK, H_HISTORY,
    H_HISTORY_MASK, H_BTB, H_BTB_SIZE, H_RETURNS, H_RETURN_SIZE, H_RETURN_TOP, H_STORES, H_STORE_SLOTS,
    H_STORE_HEAD, H_STORE_LAST, H_READY, H_DISPATCH, H_FETCHED_AT, H_LATE, H_COMPLETE, H_SERIAL, H_BLOCKING, H_SLACK,
    H_FOLD,
) = range(40)  # fmt: skip
H_PORTS = 48
"""First of the ports: PORT_FIELDS numbers per unit of the pipeline, then the instructions per cycle of each group."""
PORT_FIELDS = 8
P_COUNT, P_INTERVAL, P_GROUP, P_FREE, P_HOLD, P_COUNTS = range(6)
"""Instructions per cycle, initiation interval, group; when it is free again where the interval is longer than a cycle;
what P_FREE is set to behind a start; what a start adds to the counts of a cycle."""
MAXIMUM_PORTS = 7
PORTS_OVER = 0x0888888888888888
"""The highest of the four bits of each count: of units in the pipeline, then of groups."""
FIRST_ALONE = UNIT_ID["csr"]
"""Units from here on open a group of instructions of their own."""
H_GROUPS = H_PORTS + PORT_FIELDS * FIRST_DECOUPLED
GROUPS = ("integer", "memory", "floating")
H_WINDOW = H_GROUPS + len(GROUPS)
"""First of what an out-of-order hart needs beside: host addresses and sizes of its rings."""
(
    O_NUMBER, O_ROB, O_ROB_SIZE, O_QUEUE, O_QUEUE_SIZE, O_QUEUE_AT, O_LOADS, O_LOADS_SIZE, O_LOAD_AT, O_STORES,
    O_STORES_SIZE, O_STORE_AT, O_DISPATCHED, O_DISPATCH, O_BOOKS, O_STORE_ADDRESS, O_STORE_TABLE, O_SPECULATIVE,
    O_WAITS, O_ISSUE_SLOT, O_STORE_DRAIN, O_ADDRESS, O_BLOCK,
) = range(H_WINDOW, H_WINDOW + 23)  # fmt: skip
HART_STATE_SIZE = H_WINDOW + 32
BOOK_CYCLES = 1 << 10
"""Cycles ahead that the ports of an out-of-order hart are booked for: rings of cycle << 8 | instructions."""
STORE_TABLE = 1 << 10
"""Recent stores by the hash of their address: address >> 3, data ready, address known, drained, number."""
STORE_FIELDS = 5
WAIT_TABLE = 1 << 10
"""Loads, by the hash of their address in the program, that once were read before an older store to their place."""
PREDICT_NONE, PREDICT_STATIC, PREDICT_BIMODAL, PREDICT_GSHARE = range(4)
PREDICTORS = ("none", "static", "bimodal", "gshare")
NOT_TAKEN, TAKEN, DECODED, WRONG = range(4)
"""What became of a branch: predicted right (not taken, taken), target found at decode, predicted wrong."""
JUMP_CONDITIONAL, JUMP_DIRECT, JUMP_INDIRECT = range(3)

# -- view log: what became of each instruction, in the order of the program, for pipeline views (Variant.view)
VIEW_FIELDS = 20
(
    V_SLOT, V_FETCH, V_ISSUE, V_BEGIN, V_DONE, V_RETIRE, V_CAUSE, V_STALL, V_PRODUCER, V_UNIT, V_ENERGY_FJ, V_WORD,
    V_CAUSE2, V_STALL2, V_CAUSE3, V_STALL3, V_CAUSE4, V_STALL4, V_BUSY, V_LOST,
) = range(VIEW_FIELDS)  # fmt: skip
"""Slot of the code (its address is text + 2 * slot); cycles at which it was fetched, issued to its unit or queue,
began to execute, had its result (of a transfer: -1, see the transfers' log), and retired; the stall cause that held the
hart up before it (-1: none) and for how many cycles; the number, in this hart's log, of the instruction whose result
it waited for (-1: none); the unit; dynamic energy in femtojoules, DRAM left out; the code word; up to three more
stalls; whether it is the first in its cycle; slots lost to the same causes in cycles that others used. Over a hart's
log, V_BUSY and the stalls add up to the hart's cycles until it is done."""
TRANSFER_FIELDS = 8
(X_NUMBER, X_BEGIN, X_DONE, X_BYTES, X_WRITE, X_ENGINE, X_QUEUED) = range(7)
"""Log of a hart's DMA transfers: number of the instruction in the hart's log, first burst, end, bytes, whether to DRAM,
engine, when it was queued."""

QUANTUM = 200
"""Cycles that a hart may run ahead of another one before it lets it go on (between their meetings at barriers)."""
INFINITY = 1 << 62
NEVER = -(1 << 40)
"""A time before every other."""
