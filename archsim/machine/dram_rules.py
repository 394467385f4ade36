"""What a DRAM's data sheet asks of commands: one row per sentence, and the rows as numbers for a device.

A row says: in the same node of a level (or, with ``other``, in another node beside it), `after` may not come before
`latency` clocks have passed since `before` (with ``window=4``: since the fourth last `before`). Rows whose latency
comes to 0 ask nothing. The names are JEDEC's; a device's file gives their values.

Latencies count from the end of a command on its bus, as data sheets do: commands of several clocks shift them.
"""

from __future__ import annotations

from dataclasses import dataclass

from archsim.design.memory import MemoryDevice
from archsim.machine.dram_layout import COMMANDS, LEVELS, OWN, SIBLING, WINDOW


@dataclass(frozen=True)
class Rule:
    """A sentence of a data sheet.

    Attributes:
        level: rank (of HBM: pseudo-channel), stack (id), group or bank.
        before, after: commands.
        latency: clocks between them, as a sum of named timings.
        window: how many commands back `before` is looked for.
        other: whether the commands are in different nodes of the level.
    """

    level: str
    before: str
    after: str
    latency: str
    window: int = 1
    other: bool = False


RULES = (
    # a bank: open, use, close, open again
    Rule("bank", "ACT", "ACT", "tRC"),
    Rule("bank", "ACT", "RD", "tRCD"),
    Rule("bank", "ACT", "WR", "tRCD_WR"),
    Rule("bank", "ACT", "PRE", "tRAS"),
    Rule("bank", "RD", "PRE", "tRTP"),
    Rule("bank", "WR", "PRE", "tCWL + tBL + tWR"),
    Rule("bank", "PRE", "ACT", "tRP"),
    # a bank group shares its data path
    Rule("group", "RD", "RD", "tCCD_L"),
    Rule("group", "WR", "WR", "tCCD_L_WR"),
    Rule("group", "WR", "RD", "tCWL + tBL + tWTR_L"),
    Rule("group", "ACT", "ACT", "tRRD_L"),
    # column commands of one stack id, and of two
    Rule("stack", "RD", "RD", "tCCD_S"),
    Rule("stack", "WR", "WR", "tCCD_S_WR"),
    Rule("stack", "RD", "RD", "tCCD_R", other=True),
    Rule("stack", "WR", "WR", "tCCD_R", other=True),
    # a rank: its data bus turns around, its charge pumps bear four activates at a time
    Rule("rank", "RD", "RD", "tBL"),
    Rule("rank", "WR", "WR", "tBL"),
    Rule("rank", "RD", "WR", "tRTW"),
    Rule("rank", "WR", "RD", "tCWL + tBL + tWTR_S"),
    Rule("rank", "ACT", "ACT", "tRRD_S"),
    Rule("rank", "ACT", "ACT", "tFAW", window=4),
    Rule("rank", "PRE", "PRE", "tPPD"),
    # another rank takes over the data bus
    Rule("rank", "RD", "RD", "tBL + tCS", other=True),
    Rule("rank", "RD", "WR", "tCL + tBL + tCS - tCWL", other=True),
    Rule("rank", "WR", "RD", "tCWL + tBL + tCS - tCL", other=True),
    Rule("rank", "WR", "WR", "tBL + tCS", other=True),
    # all banks at once: closed, refreshed, opened again
    Rule("rank", "ACT", "PREA", "tRAS"),
    Rule("rank", "RD", "PREA", "tRTP"),
    Rule("rank", "WR", "PREA", "tCWL + tBL + tWR"),
    Rule("rank", "PRE", "PREA", "tPPD"),
    Rule("rank", "PREA", "PRE", "tPPD"),
    Rule("rank", "PREA", "ACT", "tRP_AB"),
    Rule("rank", "PREA", "REF", "tRP"),
    Rule("rank", "PRE", "REF", "tRP"),
    Rule("rank", "ACT", "REF", "tRC"),
    Rule("rank", "REF", "ACT", "tRFC"),
    Rule("rank", "REF", "REF", "tRFC"),
    Rule("rank", "REF", "PREA", "tRFC"),
    # one bank is refreshed while the others work
    Rule("bank", "ACT", "REFB", "tRC"),
    Rule("bank", "PRE", "REFB", "tRP"),
    Rule("bank", "REFB", "ACT", "tRFC_PB"),
    Rule("bank", "REFB", "REFB", "tRFC_PB"),
    Rule("rank", "REFB", "ACT", "tRREFD"),
    Rule("rank", "REFB", "REFB", "tRREFD"),
    Rule("rank", "ACT", "REFB", "tRRD_S"),
)


def ticks_on_bus(device: MemoryDevice, command: str) -> int:
    """Ticks for which a command keeps its bus."""
    half = {"ACT": device.activate_half_clocks, "RD": device.column_half_clocks, "WR": device.column_half_clocks}
    return half.get(command, device.precharge_half_clocks) * device.ticks_per_clock // 2


def latency_ticks(device: MemoryDevice, rule: Rule) -> int:
    """A rule's latency from begin to begin of its commands, in ticks; 0 where it asks nothing."""
    clocks, sign = 0, 1
    for word in rule.latency.split():
        if word in "+-":
            sign = 1 if word == "+" else -1
        else:
            clocks += sign * getattr(device, word)
    if clocks <= 0:
        return 0
    # a command counts from its last tick on the bus
    shift = ticks_on_bus(device, rule.before) - ticks_on_bus(device, rule.after)
    return max(clocks * device.ticks_per_clock + shift, 0)


def applies(device: MemoryDevice, rule: Rule) -> bool:
    """Whether a device has what a rule speaks of: pseudo-channels have data buses of their own."""
    if not rule.other:
        return True
    return device.stack_ids > 1 if rule.level == "stack" else device.ranks > 1


def compile_rules(device: MemoryDevice) -> list[list[tuple[int, int, int, int]]]:
    """For each command: (kind, level, following command, ticks) of the rules that it starts.

    Of rules for the same pair of commands at the same place, the longest is kept.
    """
    longest: dict[tuple[int, int, int, int], int] = {}
    for rule in RULES:
        ticks = latency_ticks(device, rule) if applies(device, rule) else 0
        if ticks == 0:
            continue
        level = LEVELS.index(rule.level)
        if level == LEVELS.index("stack") and device.stack_ids == 1:
            level = LEVELS.index("rank")
        kind = SIBLING if rule.other else WINDOW if rule.window > 1 else OWN
        place = COMMANDS.index(rule.before), kind, level, COMMANDS.index(rule.after)
        longest[place] = max(longest.get(place, 0), ticks)
    return [
        [(kind, level, after, ticks) for (before, kind, level, after), ticks in longest.items() if before == command]
        for command in range(len(COMMANDS))
    ]
