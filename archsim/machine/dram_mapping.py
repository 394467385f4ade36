"""Where an address lies in a DRAM: a string of fields, highest bits first, and exclusive-ors of fields.

``RoCoBaBgSiRaCo2Ch,Ra^Co,Bg^Co`` reads from the right: above the bytes of one burst the channel, then two bits of the
column, rank (or pseudo-channel), stack id, bank group, bank, the rest of the column, row; then the rank is XORed with
the column's lowest bits and the bank group with the next ones. A field without a number takes all its bits that are
left. Without ``Ch``, channels alternate every `interleave` bytes, and the string maps what remains of the address.
Case does not matter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from archsim.common.errors import InputError
from archsim.design.memory import MemoryDevice
from archsim.machine.dram_layout import A_BANK, A_CHANNEL, A_COLUMN, A_ROW

FIELDS = {
    "ch": A_CHANNEL, "ra": A_BANK, "si": A_BANK, "bg": A_BANK, "ba": A_BANK, "ro": A_ROW, "co": A_COLUMN,
}  # fmt: skip
NAMES = {
    "ch": "channel", "ra": "rank", "si": "stack id", "bg": "bank group", "ba": "bank", "ro": "row", "co": "column",
}  # fmt: skip
MAPPINGS = {
    "RoBaRaCoCh": "RoBaBgSiRaCoCh",
    "MOP4CLXOR": "RoCoBaBgSiRaCo2,Ra^Co,Si^Co,Bg^Co,Ba^Co,Ro^Co",
    "RoBaCoBg": "RoBaSiCoBgRa,Ba^Ro",
    "rochrababgco": "RoChRaSiBaBgCo",
    "rorabgbachco": "RoRaSiBgBaChCo",
}
"""Names of mappings: two of Ramulator 2.1; a stream over bank groups that moves to another bank with each row; two of
DRAMsim3 (it has no stack ids: they go with the rank)."""


@dataclass(frozen=True)
class Mapping:
    """A mapping for a device and a number of channels.

    Attributes:
        segments: (place in the address above a burst, mask, field, place in the field).
        hashes: (field, other field, shift, mask, place): field ^= ((other >> shift) & mask) << place.
        interleave: bytes after which the channel changes; 0 where the segments say it.
    """

    segments: tuple[tuple[int, int, int, int], ...]
    hashes: tuple[tuple[int, int, int, int, int], ...]
    interleave: int


def field_bits(device: MemoryDevice, channels: int) -> dict[str, int]:
    """Bits of each field."""
    counts = {
        "ch": channels, "ra": device.pseudo_channels * device.ranks, "si": device.stack_ids,
        "bg": device.bank_groups, "ba": device.banks_per_group, "ro": device.rows,
        "co": device.row_bytes // device.tx_bytes,
    }  # fmt: skip
    return {field: count.bit_length() - 1 for field, count in counts.items()}


def _offsets(bits: dict[str, int]) -> dict[str, int]:
    """Where each field begins in the number that it is part of."""
    offsets = dict.fromkeys(bits, 0)
    offsets["bg"] = bits["ba"]
    offsets["si"] = offsets["bg"] + bits["bg"]
    offsets["ra"] = offsets["si"] + bits["si"]
    return offsets


def parse_mapping(text: str, device: MemoryDevice, channels: int, interleave: int) -> Mapping:
    """A mapping's string, or one of MAPPINGS, as numbers.

    Raises:
        InputError: a field is unknown, missing or given twice.
    """
    order, *hashes = MAPPINGS.get(text, text).split(",")
    bits = field_bits(device, channels)
    tokens = re.findall(r"([A-Za-z]{2})(\d*)", order)
    if "".join(name + number for name, number in tokens) != order:
        raise InputError(
            f"mapping {text!r} is no sequence of fields",
            remedy=f"use {', '.join(MAPPINGS)}, or fields such as in 'RoBaCo3ChCo2'",
        )
    left = dict(bits)
    with_channel = any(name.lower() == "ch" for name, _ in tokens)
    if not with_channel:
        left.pop("ch")
    elif channels & (channels - 1):
        raise InputError(
            f"mapping {text!r} takes the channel from bits, and {channels} channels are no power of two",
            remedy="leave Ch out, so that channels alternate by interleave",
        )
    segments = _segments(text, tokens, left)
    return Mapping(segments, _hashes(text, hashes, bits), 0 if with_channel else interleave)


def _segments(text: str, tokens: list[tuple[str, str]], left: dict[str, int]) -> tuple[tuple[int, int, int, int], ...]:
    """Walk a mapping's fields from the lowest bit up; `left` are the bits of each that are not placed yet."""
    bits, place, segments = dict(left), 0, []
    offsets = _offsets({**dict.fromkeys(FIELDS, 0), **left})
    for position in range(len(tokens) - 1, -1, -1):
        name, number = tokens[position][0].lower(), tokens[position][1]
        if name not in bits:
            raise InputError(
                f"mapping {text!r} has the field {tokens[position][0]!r}",
                remedy=f"the fields are {', '.join(key.capitalize() for key in NAMES)}",
            )
        size = int(number) if number else left[name]
        repeated = any(other.lower() == name for other, _ in tokens[position + 1 :])
        if size > left[name] or (repeated and not number and left[name] == 0 and bits[name]):
            raise InputError(
                f"mapping {text!r} repeats bits of the {NAMES[name]}, which has {bits[name]}",
                remedy="name each bit once",
            )
        if size:
            segments.append((place, (1 << size) - 1, FIELDS[name], offsets[name] + bits[name] - left[name]))
        place += size
        left[name] -= size
    for name, missing in left.items():
        if missing:
            raise InputError(
                f"mapping {text!r} misses {missing} of {bits[name]} bits of the {NAMES[name]}",
                remedy=f"add {name.capitalize()}",
            )
    return tuple(segments)


def _hashes(text: str, hashes: list[str], bits: dict[str, int]) -> tuple[tuple[int, int, int, int, int], ...]:
    """Exclusive-ors: terms with the same right side take its bits one after the other."""
    used: dict[str, int] = {}
    offsets = _offsets(bits)
    terms = []
    for term in hashes:
        parts = [part.lower() for part in term.split("^")]
        if len(parts) != 2 or any(part not in FIELDS for part in parts) or parts[0] == parts[1]:
            raise InputError(f"mapping {text!r} has the hash {term!r}", remedy="write two fields, as in 'Ba^Ro'")
        field, other = parts
        if bits[field]:
            shift = used.get(other, 0)
            mask = (1 << min(bits[field], max(bits[other] - shift, 0))) - 1
            terms.append((FIELDS[field], FIELDS[other], offsets[other] + shift, mask, offsets[field]))
            used[other] = shift + bits[field]
    return tuple(terms)
