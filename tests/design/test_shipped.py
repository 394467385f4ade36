"""The designs, devices and tables that ship: their figures against the published ones, and that each has a source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archsim.common.errors import InputError
from archsim.common.resources import shipped
from archsim.common.units import quantity
from archsim.common.yamlfile import load_yaml
from archsim.design import list_designs, load_design, load_device

DEVICES = tuple(shipped("configs/memory", ".yaml"))
CLOCKS_AND_COUNTS = ("cycles", "s", "Hz", "B", "m", "J", "W", "mm2", "tCK", "$/kWh", "")
WORDS = (
    "design", "device", "table", "base", "description", "kind", "energy", "isa", "double_buffered", "folds",
    "memory_dependence", "pipes", "slide", "held", "presets", "split_bus", "topology")  # fmt: skip


def test_designs_that_ship() -> None:
    assert {"edge-npu", "edge-npu-int8", "server-npu"} <= set(list_designs())


@pytest.mark.parametrize("name", list_designs())
def test_every_shipped_design_loads_and_is_json(name: str) -> None:
    design = load_design(name)
    assert design.name == name
    assert json.loads(json.dumps(design.to_dict()))["design"] == name
    assert design.source and design.description


def test_edge_npu() -> None:
    design = load_design("edge-npu")
    assert design.memory.peak_bytes_per_s == pytest.approx(51.2e9, rel=1e-12)  # 64 bits x 6400 MT/s
    assert design.core.matrix.macs_per_cycle == 256
    assert (design.clock, design.period_fs, design.cores) == (1e9, 1_000_000, 1)
    assert design.core.scratchpad.size == 512 * 1024
    assert design.core.matrix.formats == {"int8": 1.0, "int4": 1.0}
    assert design.interconnect.latency == 20e-9
    assert design.memory.size == 16 * 2**30 == design.memory.organisation_bytes


def test_server_npu() -> None:
    design = load_design("server-npu")
    assert design.memory.peak_bytes_per_s == pytest.approx(1638.4e9, rel=1e-12)  # 2 stacks x 1024 bits x 6400 MT/s
    assert design.peak_macs_per_s == 8 * 128 * 128 * 1.2e9
    assert design.period_fs == 833_333
    assert design.memory.organisation_bytes == 32 * 2**30  # two stacks of eight 16 Gb dies
    assert design.memory.size == design.memory.organisation_bytes


def test_the_int8_variant_differs_in_formats_alone() -> None:
    edge, int8 = load_design("edge-npu").to_dict(), load_design("edge-npu-int8").to_dict()
    assert int8["core"]["matrix"].pop("formats") == {"int8": 1.0}
    edge["core"]["matrix"].pop("formats")
    for own in ("design", "description"):
        assert edge.pop(own) != int8.pop(own)
    assert edge == int8


def test_all_designs_share_a_node_so_that_they_compare() -> None:
    assert {load_design(name).technology.node for name in list_designs()} == {7e-9}


@pytest.mark.parametrize(
    ("name", "gigabytes_per_s", "gibibits"),
    [
        ("ddr4-3200", 25.6, 64),  # 64 bits; eight chips of 8 Gb
        ("ddr5-4800", 19.2, 64),  # 32 bits; four chips of 16 Gb
        ("lpddr5-6400-x16", 12.8, 16),
        ("lpddr5x-8533-x16", 17.066, 16),
        ("hbm2-2000", 32.0, 8),  # a stack of 64 Gb has 8 channels
        ("hbm3-6400", 51.2, 8),  # a stack of 128 Gb has 16
        ("gddr6-14", 28.0, 8),  # 16 Gb has two
        ("ddr5-6400", 25.6, 64),
        ("lpddr4x-4266", 8.532, 16),
        ("hbm2e-3600", 57.6, 8),
        ("hbm3e-9600", 76.8, 8),
        ("hbm4-8000", 64.0, 8),  # a stack of 256 Gb has 32
    ],
)
def test_peak_and_capacity_of_a_channel(name: str, gigabytes_per_s: float, gibibits: int) -> None:
    device = load_device(name)
    assert device.peak_bytes_per_s == pytest.approx(gigabytes_per_s * 1e9, rel=1e-4)
    assert device.pseudo_channel_peak_bytes_per_s * device.pseudo_channels == device.peak_bytes_per_s
    if not name.startswith(("hbm2", "ddr5")):
        assert device.capacity_bytes * 8 == gibibits * 2**30
    assert set(DEVICES) >= {name}


@pytest.mark.parametrize("name", [name for name in DEVICES if not name.startswith(("ideal", "sram"))])
def test_timings_are_those_of_dram(name: str) -> None:
    """In nanoseconds all standards are alike (about the same arrays): bounds from the data sheets' common range."""
    device = load_device(name)
    ns = device.tck_fs * 1e-6
    for clocks, least, most in (
        (device.tRCD, 12, 20), (device.tRP, 12, 20), (device.tCL, 9.9, 22), (device.tRAS, 26, 44), (device.tRC, 42, 62),
        (device.tFAW, 14, 41), (device.tRFC, 119, 451), (device.tREFI, 1899, 7804), (device.tWR, 14, 36),
    ):  # fmt: skip
        assert least <= clocks * ns <= most
    assert device.tBL == device.tCCD_S  # back-to-back bursts fill the bus
    assert device.tRTW > 0


def test_read_to_write_gap_is_computed_where_the_source_has_none() -> None:
    assert load_device("lpddr5-6400-x16").tRTW == 17 + 2 + 2 - 9
    assert load_device("hbm3-6400").tRTW == 20


CONSTANTS = [
    path for folder in ("designs", "memory", "energy") for path in shipped(f"configs/{folder}", ".yaml").values()
]


@pytest.mark.parametrize("path", CONSTANTS, ids=lambda path: path.stem)
def test_every_constant_has_a_unit_and_a_source(path: Path) -> None:
    tree = load_yaml(path)
    if path.parent.name == "energy":
        for part in ("entries", "areas", "sram"):
            for name, entry in tree[part].items():
                assert len(entry["source"]) > 10, name
                assert entry["confidence"] in ("high", "medium", "low"), name
                assert part == "sram" or isinstance(entry["value"], str), f"{name} has no unit"
        return
    assert len(tree["source"]) > 10
    for name, value in leaves(tree):
        if name.rpartition(".")[2] in (*WORDS, "source") or value is None:
            continue
        assert readable(value), f"{name}: {value!r}"


def leaves(tree: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Dotted names and values of all that is no mapping."""
    if not isinstance(tree, dict):
        return [(prefix, tree)]
    return [pair for key, value in tree.items() for pair in leaves(value, f"{prefix}.{key}" if prefix else key)]


def readable(value: Any) -> bool:
    """Whether a value is a count, a name of a file, or a quantity with a unit."""
    if isinstance(value, (int, float)):
        return True
    if value in DEVICES:
        return True
    for unit in CLOCKS_AND_COUNTS:
        try:
            quantity(value, unit)
            return True
        except InputError:
            continue
    return False
