"""The memory controllers of a memory, laid out for compiled code, and what they counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from archsim.common.errors import InputError
from archsim.design.memory import MemoryDevice
from archsim.machine import dram_layout as at
from archsim.machine.dram_mapping import parse_mapping
from archsim.machine.dram_rules import compile_rules, ticks_on_bus
from archsim.machine.layout import NEVER

REFRESHES = ("all_banks", "per_bank", "none")
PAGES = ("open", "closed")
SCHEDULERS = ("queues", "bank_queues")
LONGEST_QUEUE = 256


@dataclass(frozen=True)
class Policy:
    """How controllers work.

    Attributes:
        mapping: see dram_mapping.
        interleave: bytes after which the channel changes, where the mapping does not say it; 0: one burst.
        reads, writes: entries of a channel's queues.
        high, low: parts of the write queue from above which on, and below which no more, writes are drained.
        refresh: all banks of a rank at once, one after the other, or none.
        page: rows stay open, or close when no queued request is for them.
        scheduler: "queues" (dram_controller) or "bank_queues" (dram_bank_queues).
    """

    mapping: str = "MOP4CLXOR"
    interleave: int = 0
    reads: int = 32
    writes: int = 32
    high: float = 0.8
    low: float = 0.2
    refresh: str = "all_banks"
    page: str = "open"
    scheduler: str = "queues"


def _check(device: MemoryDevice, channels: int, policy: Policy) -> None:
    """Refuse what controllers cannot be.

    Raises:
        InputError: the first thing that is wrong.
    """
    interleave = policy.interleave or device.tx_bytes
    for broken, message, remedy in (
        (channels < 1, f"{channels} channels", "use at least 1"),
        (
            interleave & (interleave - 1) or interleave < device.tx_bytes,
            f"interleave is {interleave} B",
            f"use a power of two, at least {device.tx_bytes} B",
        ),
        (
            not 1 <= policy.reads <= LONGEST_QUEUE or not 1 <= policy.writes <= LONGEST_QUEUE,
            f"queues of {policy.reads} reads and {policy.writes} writes",
            f"use 1 to {LONGEST_QUEUE}",
        ),
        (
            not 0 <= policy.low <= policy.high < 1,
            f"writes drain from {policy.high:g} to {policy.low:g} of the queue",
            "use 0 <= low <= high < 1",
        ),
        (policy.refresh not in REFRESHES, f"refresh is {policy.refresh!r}", f"use {', '.join(REFRESHES)}"),
        (policy.page not in PAGES, f"page is {policy.page!r}", f"use {', '.join(PAGES)}"),
        (policy.scheduler not in SCHEDULERS, f"scheduler is {policy.scheduler!r}", f"use {', '.join(SCHEDULERS)}"),
        (
            policy.refresh == "per_bank" and not (device.tRFC_PB and device.tREFI_PB),
            f"{device.name} has no refresh of single banks",
            "refresh all banks, or give tRFC_PB and tREFI_PB",
        ),
        (
            not device.fixed and device.row_bytes // device.tx_bytes > 1 << at.TAG_SHIFT,
            f"a row of {device.name} is {device.row_bytes // device.tx_bytes} bursts",
            f"use at most {1 << at.TAG_SHIFT}",
        ),
    ):
        if broken:
            raise InputError(message, remedy=remedy)


class Controllers:
    """Controllers of `channels` channels of a device.

    Raises:
        InputError: the mapping is wrong, or the device cannot do what the policy asks.
    """

    def __init__(self, device: MemoryDevice, channels: int, policy: Policy, trace: int = 0) -> None:
        self.device, self.channels, self.policy = device, channels, policy
        _check(device, channels, policy)
        self.mapping = parse_mapping(policy.mapping, device, channels, policy.interleave or device.tx_bytes)
        self.ranks = device.pseudo_channels * device.ranks
        self.banks = self.ranks * device.banks
        self.head = np.zeros(at.HEAD_SIZE, np.int64)
        self.trace = np.zeros((trace, at.TRACE_FIELDS), np.int64)
        self._offsets()
        self.blocks = np.zeros((channels, self.head[at.H_STRIDE]), np.int64)
        self.path = self._path()
        self.segments = np.array(self.mapping.segments, np.int64).reshape(-1)
        self.hashes = np.array(self.mapping.hashes or [(0,) * at.HASH_FIELDS], np.int64).reshape(-1)
        self._fill_head()
        for block in self.blocks:
            self._fill(block)

    @property
    def address(self) -> int:
        return int(self.head.ctypes.data)

    @property
    def tick_fs(self) -> float:
        """Femtoseconds of a tick."""
        return self.device.tck_fs / self.device.ticks_per_clock

    def counts(self) -> dict[str, int]:
        """Commands and events of all channels."""
        total = self.blocks.sum(axis=0)
        return {
            "activates": int(total[at.K_N_ACT]),
            "precharges": int(total[at.K_N_PRE]),
            "reads": int(total[at.K_N_RD]),
            "writes": int(total[at.K_N_WR]),
            "precharges_all": int(total[at.K_N_PREA]),
            "refreshes": int(total[at.K_N_REF]),
            "bank_refreshes": int(total[at.K_N_REFB]),
            "row_hits": int(total[at.K_HITS]),
            "row_misses": int(total[at.K_MISSES]),
            "row_conflicts": int(total[at.K_CONFLICTS]),
            "forwarded": int(total[at.K_FORWARDED]),
            "coalesced": int(total[at.K_COALESCED]),
            "read_latency_ticks": int(total[at.K_LATENCY]),
        }

    def commands(self) -> np.ndarray:
        """The trace so far: rows of tick, channel, command, bank, row, in the order of ticks."""
        kept = self.trace[: self.head[at.H_TRACE_COUNT]]
        return kept[np.argsort(kept[:, 0], kind="stable")]

    def _offsets(self) -> None:
        """Where the parts of a channel's block begin."""
        device, head = self.device, self.head
        stacks = self.ranks * device.stack_ids
        groups = stacks * device.bank_groups
        nodes = self.ranks + stacks + groups + self.banks
        slots = self.policy.reads + self.policy.writes + self.banks + 1
        head[at.H_RANKS], head[at.H_STACKS], head[at.H_GROUPS] = self.ranks, stacks, groups
        head[at.H_BANKS], head[at.H_SLOTS] = self.banks, slots
        head[at.H_READY] = at.K_FIRST
        head[at.H_HISTORY] = head[at.H_READY] + nodes * at.COMMAND_SLOTS
        head[at.H_LISTS] = head[at.H_HISTORY] + self.ranks * at.COMMAND_SLOTS
        head[at.H_BANK] = head[at.H_LISTS] + self.banks * at.LISTS * at.LINK_FIELDS
        head[at.H_SLOT] = head[at.H_BANK] + self.banks * at.BANK_FIELDS
        head[at.H_DONE] = head[at.H_SLOT] + slots * at.SLOT_FIELDS
        head[at.H_STRIDE] = head[at.H_DONE] + 2 * at.DONE_SLOTS

    def _path(self) -> np.ndarray:
        """For each bank, where the times of its rank, stack, group and of itself begin."""
        device, head = self.device, self.head
        bank = np.arange(self.banks)
        group = bank // device.banks_per_group
        stack = group // device.bank_groups
        rank = stack // device.stack_ids
        first_stack = self.ranks
        first_group = first_stack + int(head[at.H_STACKS])
        first_bank = first_group + int(head[at.H_GROUPS])
        nodes = np.stack([rank, first_stack + stack, first_group + group, first_bank + bank], axis=1)
        return np.ascontiguousarray(head[at.H_READY] + nodes * at.COMMAND_SLOTS, np.int64)

    def _fill_head(self) -> None:
        device, head, policy = self.device, self.head, self.policy
        half = device.ticks_per_clock
        head[at.H_CHANNELS], head[at.H_SPLIT], head[at.H_HALF] = self.channels, int(device.split_bus), half
        head[at.H_READ_LATENCY] = (device.tCL + device.tBL) * half
        head[at.H_READS], head[at.H_WRITES] = policy.reads, policy.writes
        head[at.H_HIGH] = int(policy.high * policy.writes)
        head[at.H_LOW] = -int(-policy.low * policy.writes // 1)
        interval = {"all_banks": device.tREFI, "per_bank": device.tREFI_PB, "none": 0}[policy.refresh]
        head[at.H_REFI], head[at.H_PER_BANK] = interval * half, int(policy.refresh == "per_bank")
        head[at.H_AAD], head[at.H_WCK] = device.tAAD * half, device.tWCKPST * half
        head[at.H_CL], head[at.H_CWL], head[at.H_BL] = device.tCL * half, device.tCWL * half, device.tBL * half
        head[at.H_CLOSED] = int(policy.page == "closed")
        head[at.H_TRACE] = self.trace.ctypes.data if len(self.trace) else 0
        head[at.H_TRACE_LIMIT] = len(self.trace)
        head[at.H_BLOCKS], head[at.H_PATH] = self.blocks.ctypes.data, self.path.ctypes.data
        head[at.H_SEGMENTS], head[at.H_SEGMENT_COUNT] = self.segments.ctypes.data, len(self.mapping.segments)
        head[at.H_HASHES], head[at.H_HASH_COUNT] = self.hashes.ctypes.data, len(self.mapping.hashes)
        head[at.H_TX_SHIFT] = device.tx_bytes.bit_length() - 1
        # bursts of a channel before the next one
        head[at.H_INTERLEAVE_SHIFT] = max(self.mapping.interleave // device.tx_bytes, 1).bit_length() - 1
        head[at.H_ALTERNATE] = int(self.mapping.interleave > 0)
        head[at.H_STACKS_PER_RANK], head[at.H_RANKS_PER_HALF] = device.stack_ids, device.ranks
        head[at.H_BANKS_PER_RANK] = device.banks
        for command, name in enumerate(at.COMMANDS):
            head[at.H_BUS + command] = ticks_on_bus(device, name)
        place = at.H_RULES
        for command, rules in enumerate(compile_rules(device)):
            head[at.H_RULE_START + command] = place
            head[at.H_RULE_OTHERS + command] = place + at.RULE_FIELDS * sum(rule[at.R_KIND] == at.OWN for rule in rules)
            for rule in sorted(rules):
                head[place : place + at.RULE_FIELDS] = rule
                place += at.RULE_FIELDS
        head[at.H_RULE_START + len(at.COMMANDS)] = place

    def _fill(self, block: np.ndarray) -> None:
        head = self.head
        block[at.K_REF_DUE] = head[at.H_REFI]
        block[at.K_ACT2] = block[at.K_IN_HEAD] = block[at.K_IN_TAIL] = -1
        block[at.K_STALE] = 1
        block[at.K_REF_BANK] = 0 if head[at.H_PER_BANK] else -1
        block[at.K_BUS_ROW] = block[at.K_BUS_COLUMN] = block[at.K_FLOOR] = 1
        history = block[head[at.H_HISTORY] : head[at.H_LISTS]].reshape(-1, at.COMMAND_SLOTS)
        history[:, :4] = NEVER
        block[at.K_LIST_FIRST : at.K_FIRST] = block[head[at.H_LISTS] : head[at.H_BANK]] = -1
        banks = block[head[at.H_BANK] : head[at.H_SLOT]].reshape(-1, at.BANK_FIELDS)
        banks[:] = -1
        slots = block[head[at.H_SLOT] : head[at.H_DONE]].reshape(-1, at.SLOT_FIELDS)
        slots[:, at.S_NEXT] = np.arange(1, len(slots) + 1)
        slots[-1, at.S_NEXT] = -1


def policy_of(memory: Any) -> Policy:
    """The controllers' policy of a design's memory."""
    return Policy(
        mapping=memory.mapping,
        interleave=memory.interleave,
        reads=memory.read_queue,
        writes=memory.write_queue,
        high=memory.drain_above,
        low=memory.drain_below,
        refresh=memory.refresh,
        page=memory.page,
    )


def controllers_of(design: Any) -> Controllers:
    """The controllers of a design's memory.

    Raises:
        InputError: the mapping is wrong, or the device cannot do what is asked.
    """
    memory = design.memory
    try:
        return Controllers(memory.device, memory.channels, policy_of(memory))
    except InputError as error:
        raise InputError(f"{design.name}: memory: {error.message}", remedy=error.remedy) from None
