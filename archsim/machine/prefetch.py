"""What a first-level cache may be asked for next.

`next_line`: the lines behind one that missed, or that was fetched ahead and is used for the first time (tagged, Smith,
ACM Computing Surveys 14(3), 1982). `stride`: a table by the address of the load or store in the program; a stride that
comes twice in a row is expected to go on (reference prediction, Chen and Baer, IEEE Trans. Computers 44(5), 1995).
"""

from __future__ import annotations

from archsim.machine.jit import njit
from archsim.machine.layout import (
    K_PREFETCH,
    K_SHIFT,
    K_STREAM_AT,
    K_STREAMS,
    PREFETCH_NEXT,
    STREAM_FIELDS,
    Y_ADDRESS,
    Y_PC,
    Y_STEADY,
    Y_STRIDE,
)


@njit
def expected_step(cache, pc, address, first_use):
    """Bytes from an access to the next ones that are worth fetching, at least a line; 0 for none."""
    line = 1 << cache[K_SHIFT]
    if cache[K_PREFETCH] == PREFETCH_NEXT:
        return line if first_use else 0
    y = cache[K_STREAM_AT] + ((pc >> 1) & (cache[K_STREAMS] - 1)) * STREAM_FIELDS
    if cache[y + Y_PC] != pc:
        cache[y + Y_PC], cache[y + Y_ADDRESS], cache[y + Y_STRIDE], cache[y + Y_STEADY] = pc, address, 0, 0
        return 0
    stride = address - cache[y + Y_ADDRESS]
    cache[y + Y_STEADY] = stride == cache[y + Y_STRIDE]
    cache[y + Y_ADDRESS], cache[y + Y_STRIDE] = address, stride
    if stride == 0 or not cache[y + Y_STEADY]:
        return 0
    return max(stride, line) if stride > 0 else min(stride, -line)
