"""Energy: events of a run times energy per event, plus leakage times time."""

from __future__ import annotations

from typing import Any

from archsim.machine.result import Energy


def energy_of(events: dict[str, int], dram_bytes: int, activates: int, seconds: float, design: Any) -> Energy:
    """Joules by component of a run's events (summed over cores).

    Args:
        events: counts by name (see layout.EVENT_NAMES).
        dram_bytes: bytes read from and written to DRAM.
        activates: rows opened in DRAM.
        seconds: simulated time, for leakage.
        design: supplies the energy table, sizes and the memory device.
    """
    table = design.energy
    core, cores = design.core, design.cores
    scalar = sum(count for name, count in events.items() if name.startswith("instructions."))
    matrix = sum(
        count * table.value(f"mac.{name.removeprefix('macs.')}")
        for name, count in events.items()
        if name.startswith("macs.") and name != "macs.none" and count
    )
    vector = sum(count * table.value(name) for name, count in events.items() if name.startswith("vector.") and count)
    tile = (events["tile.read_bytes"] + events["tile.write_bytes"]) * table.value("register.tile_byte")
    l1 = core.l1d
    accesses = events["instructions.load"] + events["instructions.store"]
    pad = core.scratchpad
    dram = f"dram.{design.memory.device.energy}"
    # what a bit takes at full rate, and of it what standby and refresh take in any case
    background = table.value(f"{dram}.background")
    reads = events["scratchpad.read_bytes"] / pad.width
    writes = events["scratchpad.write_bytes"] / pad.width
    components = {
        "scalar": scalar * table.value("scalar.instruction"),
        "matrix": matrix + events["scale_multiplies"] * table.value("vector.alu"),
        "vector": vector,
        "tile_registers": tile,
        "l1": accesses * table.cache_access(l1.size) + events["l1.misses"] * table.sram_write(l1.size, l1.line),
        "scratchpad": reads * table.sram_read(pad.size, pad.width, pad.banks)
        + writes * table.sram_write(pad.size, pad.width, pad.banks),
        "interconnect": events["noc.byte_hops"] * table.value("noc.byte_hop")
        if "noc.byte_hops" in events
        else events["link.bytes"] * table.value("interconnect.byte"),
        "dram": dram_bytes * 8 * (table.value(dram) - background)
        + design.memory.peak_bytes_per_s * seconds * 8 * background
        + activates * table.value(f"{dram}.activate"),
        "leakage": seconds * cores * (table.sram_leakage(pad.size) + table.sram_leakage(l1.size, low_standby=False)),
    }
    return Energy(components)
