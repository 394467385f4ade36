"""Sets of a cache: which lines are in it, and which one leaves when another comes.

The line touched last stands first in its set, so that the dispatch loop looks there alone. With `lru` all entries stand
in the order of recency and the last one leaves. With other policies an entry carries the way it is in. `plru`: a tree
of bits that point away from what was touched last (Al-Zoubi et al., ACM-SE 2004, section 2; touching the same line
again changes nothing). `random`: a way by xorshift64 (Marsaglia, J. Stat. Softw. 8(14), 2003). Empty ways are filled
first, the lowest one before others.
"""

from __future__ import annotations

from archsim.machine.jit import njit
from archsim.machine.layout import (
    K_FIRST,
    K_LEFT,
    K_POLICY,
    K_RANDOM,
    K_SETS,
    K_TREE_AT,
    K_WAY_AT,
    K_WAYS,
    LRU,
    PLRU,
)


@njit
def find(cache, line):
    """The place of a line's tag, or -1 if the cache lacks it; its time stands K_SETS x K_WAYS behind it."""
    ways = cache[K_WAYS]
    first = K_FIRST + (line & (cache[K_SETS] - 1)) * ways
    for place in range(first, first + ways):
        if cache[place] >> 1 == line:
            return place
    return -1


@njit
def touch(cache, line, write):
    """Make a line the most recent of its set; the place of its time of arrival, or -1 if the cache lacks it."""
    ways = cache[K_WAYS]
    first = K_FIRST + (line & (cache[K_SETS] - 1)) * ways
    times = cache[K_SETS] * ways
    for way in range(ways):
        if cache[first + way] >> 1 == line:
            if cache[K_POLICY] != LRU:
                cache[first + way] |= write
                _to_front(cache, first, way)
                return first + times
            entry, arrival = cache[first + way] | write, cache[first + way + times]
            for other in range(first + way, first, -1):
                cache[other] = cache[other - 1]
                cache[other + times] = cache[other + times - 1]
            cache[first], cache[first + times] = entry, arrival
            return first + times
    return -1


@njit
def install(cache, line, write, arrival):
    """Put a line in front of its set; the entry that leaves (negative: none)."""
    ways = cache[K_WAYS]
    first = K_FIRST + (line & (cache[K_SETS] - 1)) * ways
    times = cache[K_SETS] * ways
    if cache[K_POLICY] != LRU:
        way = _victim(cache, first)
        victim, cache[K_LEFT] = cache[first + way], cache[first + way + times]
        cache[first + way], cache[first + way + times] = line << 1 | write, arrival
        _to_front(cache, first, way)
        return victim
    victim, cache[K_LEFT] = cache[first + ways - 1], cache[first + ways - 1 + times]
    for other in range(first + ways - 1, first, -1):
        cache[other] = cache[other - 1]
        cache[other + times] = cache[other + times - 1]
    cache[first], cache[first + times] = line << 1 | write, arrival
    return victim


@njit
def invalidate(cache, line):
    """Take a line out; its entry (negative: the cache lacks it)."""
    place = find(cache, line)
    if place < 0:
        return -2
    ways, times = cache[K_WAYS], cache[K_SETS] * cache[K_WAYS]
    entry, cache[K_LEFT] = cache[place], cache[place + times]
    last = place
    if cache[K_POLICY] == LRU:
        last = K_FIRST + (line & (cache[K_SETS] - 1)) * ways + ways - 1
        for other in range(place, last):
            cache[other] = cache[other + 1]
            cache[other + times] = cache[other + times + 1]
    cache[last], cache[last + times] = -2, 0
    return entry


@njit
def _to_front(cache, first, place):
    """Exchange an entry of a set with the first one, and tell the set's tree that it was touched."""
    times, ways = cache[K_SETS] * cache[K_WAYS], cache[K_WAY_AT] + first - K_FIRST
    for one in (first, first + times, ways):
        cache[one], cache[one + place] = cache[one + place], cache[one]
    if cache[K_POLICY] != PLRU:
        return
    tree = cache[K_TREE_AT] + (first - K_FIRST) // cache[K_WAYS]
    node = cache[ways] + cache[K_WAYS]
    while node > 1:
        bit = 1 << (node >> 1)
        cache[tree] = cache[tree] & ~bit if node & 1 else cache[tree] | bit
        node >>= 1


@njit
def _victim(cache, first):
    """The place in a set whose entry leaves: the lowest empty way, or what the policy says."""
    ways, way_at = cache[K_WAYS], cache[K_WAY_AT] + first - K_FIRST
    empty = -1
    for place in range(ways):
        if cache[first + place] < 0 and (empty < 0 or cache[way_at + place] < cache[way_at + empty]):
            empty = place
    if empty >= 0:
        return empty
    way = _tree_way(cache, first) if cache[K_POLICY] == PLRU else _random_way(cache)
    place = 0
    while cache[way_at + place] != way:
        place += 1
    return place


@njit
def _tree_way(cache, first):
    """The way that the bits of a set's tree point to: 0 to the lower half, 1 to the upper one."""
    ways = cache[K_WAYS]
    tree = cache[cache[K_TREE_AT] + (first - K_FIRST) // ways]
    node = 1
    while node < ways:
        node = 2 * node + ((tree >> node) & 1)
    return node - ways


@njit
def _random_way(cache):
    state = cache[K_RANDOM]
    state ^= state << 13
    state ^= (state >> 7) & ((1 << 57) - 1)
    state ^= state << 17
    cache[K_RANDOM] = state
    return (state & ((1 << 62) - 1)) % cache[K_WAYS]


@njit
def replay(cache, lines, writes):
    """Ask a cache for lines, one after the other: hits, misses, and modified lines that left.

    Args:
        cache: an int64 array, see hart_state.cache_block; changed.
        lines: int64 [n], numbers of lines.
        writes: int64 [n], 1 for each that is modified.
    """
    hits, dirty = 0, 0
    for index in range(len(lines)):
        if touch(cache, lines[index], writes[index]) >= 0:
            hits += 1
        else:
            victim = install(cache, lines[index], writes[index], 0)
            dirty += victim >= 0 and victim & 1 == 1
    return hits, len(lines) - hits, dirty
