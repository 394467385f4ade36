"""Command traces of the controllers before a judge that knows the data sheet, and the judge before broken traces."""

from __future__ import annotations

import os

import numpy as np
import pytest

from archsim.common.resources import shipped
from archsim.design.memory import load_device
from archsim.machine.dram_layout import ACT, PRE, RD
from archsim.validation.dram_audit import audit
from tests.machine.dram_runs import Run, scattered

MILLION = 1_000_000 if os.environ.get("ARCHSIM_FUZZ") else 0
DEVICES = sorted(name for name in shipped("configs/memory", ".yaml") if not name.startswith(("ideal", "sram")))


def traffic(device: str, count: int, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Random bursts, half of them near each other, two of five written."""
    rng = np.random.default_rng(seed)
    near = rng.integers(0, 4096, count) * load_device(device).tx_bytes
    addresses = np.where(rng.random(count) < 0.5, near, scattered(device, count, seed, channels=2))
    return addresses, (rng.random(count) < 0.4).astype(np.int64)


@pytest.mark.parametrize("page", ["open", "closed"])
@pytest.mark.parametrize("device", DEVICES)
def test_no_command_comes_too_early(device: str, page: str) -> None:
    count = 1000
    addresses, writes = traffic(device, count)
    for refresh in ("all_banks", "per_bank") if load_device(device).tREFI_PB else ("all_banks",):
        run = Run(device, addresses, writes, window=96, channels=2, trace=20 * count, page=page, refresh=refresh)
        assert len(run.controllers.commands()) > 2 * count
        assert audit(run.controllers, run.controllers.commands()) == []


@pytest.mark.skipif(not MILLION, reason="ARCHSIM_FUZZ is not set")
@pytest.mark.parametrize("device", ["ddr4-3200", "lpddr5-6400-x16", "hbm3-6400"])
def test_a_million_commands(device: str) -> None:
    addresses, writes = traffic(device, MILLION // 2)
    run = Run(device, addresses, writes, window=96, channels=2, trace=4 * MILLION)
    commands = run.controllers.commands()
    assert len(commands) >= MILLION
    assert audit(run.controllers, commands) == []


@pytest.mark.parametrize("device", ["ddr4-3200", "lpddr5-6400-x16", "hbm3-6400"])
def test_the_judge_finds_commands_that_come_too_early(device: str) -> None:
    addresses, writes = traffic(device, 400)
    run = Run(device, addresses, writes, window=96, channels=2, trace=8000)
    good = run.controllers.commands()
    rng = np.random.default_rng(1)
    caught = 0
    picked = rng.choice(np.flatnonzero(np.isin(good[:, 2], (ACT, RD, PRE)))[50:], 60, replace=False)
    for at in picked:
        bad = good.copy()
        # a third of the shortest distance that rules keep
        bad[at, 0] -= 3 * run.device.ticks_per_clock
        bad = bad[np.argsort(bad[:, 0], kind="stable")]
        caught += bool(audit(run.controllers, bad, 1))
    assert caught > 25
    assert audit(run.controllers, np.delete(good, np.flatnonzero(good[:, 2] == ACT)[5], axis=0), 1)
