"""Address mappings: every bit of an address in one place, and what is wrong with a string that does not do it."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.common.errors import InputError
from archsim.design.memory import load_device
from archsim.machine.dram_channels import Controllers, Policy
from archsim.machine.dram_layout import A_BANK, A_CHANNEL, A_COLUMN, A_ROW
from archsim.machine.dram_mapping import MAPPINGS, parse_mapping
from archsim.machine.dram_source import locate
from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit


@njit
def _locate_all(head, addresses, count, places):
    h, a = pointer_int64(head), pointer_int64(addresses)
    for i in range(count):
        locate(h, a[i], pointer_int64(places + i * 64))


def places(device: str, mapping: str, addresses: np.ndarray, channels: int = 1, interleave: int = 0) -> np.ndarray:
    """Rows of channel, rank, stack, group, bank of the channel, row, column."""
    controllers = Controllers(load_device(device), channels, Policy(mapping=mapping, interleave=interleave))
    where = np.ascontiguousarray(addresses, np.int64)
    found = np.zeros((len(where), 8), np.int64)
    _locate_all(controllers.address, where.ctypes.data, len(where), found.ctypes.data)
    return found


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize(("device", "channels"), [("hbm3-6400", 4), ("ddr4-3200", 1), ("ddr5-4800", 2)])
def test_no_two_bursts_share_a_place(mapping: str, device: str, channels: int) -> None:
    one = load_device(device)
    bursts = one.capacity_bytes * channels // one.tx_bytes
    indices = np.unique(np.random.default_rng(1).integers(0, bursts, 20_000))
    found = places(device, mapping, indices * one.tx_bytes, channels)
    key = found[:, [A_CHANNEL, A_BANK, A_ROW, A_COLUMN]]
    assert len(np.unique(key, axis=0)) == len(indices)
    assert (found.min(axis=0) >= 0).all()
    assert found[:, A_ROW].max() < one.rows
    assert found[:, A_BANK].max() < one.banks * one.pseudo_channels
    assert found[:, A_COLUMN].max() < one.row_bytes // one.tx_bytes


def test_channels_alternate_by_interleave() -> None:
    found = places("lpddr5-6400-x16", "RoBaCoBg", np.arange(0, 4096, 32), channels=3, interleave=256)
    assert (found[:, A_CHANNEL] == np.arange(128) // 8 % 3).all()


def test_a_stream_over_bank_groups_changes_group_with_each_burst() -> None:
    found = places("lpddr5-6400-x16", "RoBaCoBg", np.arange(0, 8192, 32))
    assert (found[:256, A_BANK] // 4 == np.arange(256) % 4).all()
    assert len(set(found[:256, A_ROW])) == 1


@pytest.mark.parametrize(
    ("mapping", "channels", "message"),
    [
        ("RoBaBgRaCh", 1, "mapping 'RoBaBgRaCh' misses 7 of 7 bits of the column; add Co"),
        ("RoBaBgRaCo3Ch", 1, "mapping 'RoBaBgRaCo3Ch' misses 4 of 7 bits of the column; add Co"),
        ("RoBaBgBaRaCoCh", 1, "mapping 'RoBaBgBaRaCoCh' repeats bits of the bank, which has 2; name each bit once"),
        ("RoCo6BaBgRaCo2Ch", 1,
         "mapping 'RoCo6BaBgRaCo2Ch' repeats bits of the column, which has 7; name each bit once"),
        ("RoXxBaBgRaCoCh", 1,
         "mapping 'RoXxBaBgRaCoCh' has the field 'Xx'; the fields are Ch, Ra, Si, Bg, Ba, Ro, Co"),
        ("row bank", 1,
         "mapping 'row bank' is no sequence of fields; use RoBaRaCoCh, MOP4CLXOR, RoBaCoBg, rochrababgco, "
         "rorabgbachco, or fields such as in 'RoBaCo3ChCo2'"),
        ("RoBaBgRaCoCh,Ba^", 1, "mapping 'RoBaBgRaCoCh,Ba^' has the hash 'Ba^'; write two fields, as in 'Ba^Ro'"),
        ("RoBaBgRaCoCh", 3,
         "mapping 'RoBaBgRaCoCh' takes the channel from bits, and 3 channels are no power of two; "
         "leave Ch out, so that channels alternate by interleave"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_mapping(mapping: str, channels: int, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_mapping(mapping, load_device("ddr4-3200"), channels, 64)
    assert str(caught.value) == message
