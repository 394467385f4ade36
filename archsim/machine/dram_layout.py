"""Words of the memory controllers' state: one flat int64 array, a head and a block per channel.

Times are ticks: clocks of the device, or half clocks where commands may begin at those.
"""

from __future__ import annotations

ACT, PRE, RD, WR, PREA, REF, REFB = range(7)
"""Activate, precharge one bank, read, write, precharge all banks, refresh all banks, refresh one bank."""
COMMANDS = ("ACT", "PRE", "RD", "WR", "PREA", "REF", "REFB")
ACT2, CAS = 7, 8
"""Second half of an activate and the start of the data clock (LPDDR5): they take time on the bus alone."""
COMMAND_SLOTS = 8
LEVELS = ("rank", "stack", "group", "bank")
"""A rank is a rank of DDR, or a pseudo-channel of HBM; a stack is a stack id within it."""
OWN, SIBLING, WINDOW = range(3)
"""Whom a rule binds: the node itself, the others of its parent, the node after four such commands."""
RULE_FIELDS = 4
R_KIND, R_LEVEL, R_FOLLOWING, R_LATENCY = range(RULE_FIELDS)

# -- head
(
    H_CHANNELS, H_BANKS, H_RANKS, H_STACKS, H_GROUPS, H_SPLIT, H_HALF, H_READ_LATENCY, H_READS, H_WRITES, H_HIGH,
    H_LOW, H_REFI, H_PER_BANK, H_AAD, H_WCK, H_CL, H_CWL, H_BL, H_CLOSED, H_TRACE, H_TRACE_COUNT, H_TRACE_LIMIT,
    H_STRIDE, H_BLOCKS, H_SEGMENTS, H_SEGMENT_COUNT, H_HASHES, H_HASH_COUNT, H_INTERLEAVE_SHIFT, H_TX_SHIFT, H_PATH,
    H_STACKS_PER_RANK, H_READY, H_HISTORY, H_BANK, H_SLOT,
    H_DONE, H_SLOTS, H_RANKS_PER_HALF, H_BANKS_PER_RANK, H_ALTERNATE, H_LISTS,
) = range(43)  # fmt: skip
H_BUS = 48
"""Ticks that a command takes on its bus, by command."""
H_RULE_START = H_BUS + COMMAND_SLOTS
H_RULE_OTHERS = H_RULE_START + COMMAND_SLOTS + 1
"""Where a command's rules begin, and among them those of other kinds than OWN."""
H_RULES = H_RULE_OTHERS + COMMAND_SLOTS
MAXIMUM_RULES = 64
H_CHIP = H_RULES + MAXIMUM_RULES * RULE_FIELDS
"""What a chip adds, whose time is cycles of its own clock (memory_channel)."""
(
    H_PERIOD, H_TCK, H_FIXED, H_NEXT, H_POOL, H_POOL_FREE, H_ENDS, H_ENDS_HEAD, H_ENDS_TAIL, H_ENDS_MASK, H_PLACE,
    H_SERIAL, H_COPY, H_TOUCHED, H_TOUCHED_COUNT, H_TOUCHED_READS, H_AHEAD_LEFT, H_AHEAD_FIRST, H_AHEAD_LAST,
    H_ASKED_CHANNEL, H_RUN,
) = range(H_CHIP, H_CHIP + 21)  # fmt: skip
HEAD_SIZE = H_CHIP + 24

# -- a channel's block
(
    K_FLOOR, K_BUS_ROW, K_BUS_COLUMN, K_MODE, K_READS, K_WRITES, K_REF_DUE, K_REF_LEFT, K_ACT2, K_DEADLINE,
    K_WCK, K_SEQUENCE, K_PICK_TIME, K_PICK, K_PICK_BANK, K_PICK_SLOT, K_FREE,
    K_DONE_HEAD, K_DONE_TAIL, K_REF_BANK,
    K_N_ACT, K_N_PRE, K_N_RD, K_N_WR, K_N_PREA, K_N_REF, K_N_REFB, K_N_ACT2, K_N_CAS,
    K_HITS, K_MISSES, K_CONFLICTS, K_FORWARDED, K_COALESCED, K_LATENCY, K_LAST, K_STALE,
    K_ROW_TIME, K_CLOCK, K_IN_HEAD, K_IN_TAIL, K_IN_ASKS, K_BLOCKED, K_AHEAD, K_ACTIVE,
) = range(45)  # fmt: skip
LISTS = 7
(L_ACTIVE, L_OPEN, L_CLOSE, L_COLUMN, L_OPEN_W, L_CLOSE_W, L_COLUMN_W) = range(LISTS)
"""Lists of banks by what they wait for: the column command of the request that opened the row (K_ACTIVE counts them);
and per mode (reads, writes) an activate, a precharge, a column command to the open row. The bank whose request came
first is the first of its list."""
MODE_LISTS = L_OPEN_W - L_OPEN
K_LIST_FIRST = K_ACTIVE + 1
K_LIST_LAST = K_LIST_FIRST + LISTS
K_FIRST = K_LIST_LAST + LISTS
LINK_FIELDS = 4
(L_SLOT, L_SEQUENCE, L_NEXT, L_PREVIOUS) = range(LINK_FIELDS)
"""A bank in a list: the request it waits for (negative: it is not in the list) and that one's place in time, the banks
after and before it."""
"""Behind the fields: times from which commands are allowed, by node and command; times of the last four activates of
each rank; lists of banks; banks; slots of requests; a ring of times at which reads end."""
BANK_FIELDS = 10
(
    Q_ROW, Q_ACTIVE, Q_HEAD, Q_TAIL, Q_HIT, Q_MISS, Q_HEAD_W, Q_TAIL_W, Q_HIT_W, Q_MISS_W,
) = range(BANK_FIELDS)  # fmt: skip
"""Open row (negative: none), request that opened it and still waits for its data; per mode (reads, writes): first and
last request, first one that hits the open row and first one that does not."""
MODE_FIELDS = Q_HEAD_W - Q_HEAD
SLOT_FIELDS = 8
(S_ROW, S_COLUMN, S_SEQUENCE, S_ARRIVAL, S_NEXT, S_PREVIOUS, S_WRITE, S_COUNTED) = range(SLOT_FIELDS)
DONE_SLOTS = 1024
"""Reads whose data is on its way: more than tCL + tBL ticks can hold. A ring of times, then one of their tags."""
TAG_SHIFT = 16
"""A request's tag stands above the bits of its column."""

# -- address mapping
SEGMENT_FIELDS = 4
"""A run of address bits: place in the address, mask, field, place in the field."""
HASH_FIELDS = 5
"""field ^= ((other field >> shift) & mask) << place."""
A_CHANNEL, A_BANK, A_ROW, A_COLUMN = range(4)
"""Where a burst lies; the bank's number counts all of its channel: rank, stack, group and bank are its bits."""
TRACE_FIELDS = 5
"""A trace of commands: tick, channel, command, bank of the channel (or rank), row."""
