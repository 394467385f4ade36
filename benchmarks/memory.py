"""Speed of the memory controllers: requests per second one by one, and bytes per second of streams on the burst path.

Beside them the processor time of the reference simulators, measured for this project on another computer of this kind:
compare orders of magnitude. Run: python benchmarks/memory.py
"""

from __future__ import annotations

import time

import numpy as np

from archsim.design.memory import load_device
from archsim.machine.dram_channels import Controllers, Policy
from archsim.machine.dram_run import run_requests
from archsim.machine.dram_stream import Stream, run_streams

# device, channels, pattern -> thousand requests/s of Ramulator 2.1 (CMU-SAFARI/ramulator2 c5b1c3a), median of three
REFERENCE = {
    ("ddr4-3200", 1, "stream"): 329, ("ddr4-3200", 1, "random"): 127, ("lpddr5-6400-x16", 1, "stream"): 329,
    ("hbm2-2000", 1, "stream"): 632, ("hbm2-2000", 8, "stream"): 560,
    ("hbm3-6400", 1, "stream"): 370, ("hbm3-6400", 16, "stream"): 298,
}  # fmt: skip
REQUESTS = 400_000
ONE_BY_ONE = (
    ("ddr4-3200", 1), ("lpddr5-6400-x16", 1), ("hbm2-2000", 1), ("hbm2-2000", 8), ("hbm3-6400", 1), ("hbm3-6400", 16),
)  # fmt: skip
BURSTS = (
    ("lpddr5-6400-x16", 1, "RoBaCoBg", 2), ("lpddr5-6400-x16", 4, "RoBaCoBg", 8), ("hbm3-6400", 1, "MOP4CLXOR", 1),
    ("hbm3-6400", 16, "MOP4CLXOR", 16), ("hbm3-6400", 16, "RoBaCoBg", 16),
)  # fmt: skip
"""Device, channels, mapping, and GiB that are streamed."""


def one_by_one(device: str, channels: int, pattern: str, mapping: str = "RoBaCoBg") -> tuple[float, float]:
    """Requests per second of wall time and of processor time; best of three."""
    one = load_device(device)
    where = np.arange(REQUESTS, dtype=np.int64)
    if pattern == "random":
        where = np.random.default_rng(1).integers(0, one.capacity_bytes * channels // one.tx_bytes, REQUESTS)
    wall, processor = [], []
    for _ in range(3):
        controllers = Controllers(one, channels, Policy(mapping=mapping))
        begin = time.perf_counter(), time.process_time()
        run_requests(controllers, where * one.tx_bytes, 0 * where, 64 * channels, 2 * channels)
        wall.append(REQUESTS / (time.perf_counter() - begin[0]))
        processor.append(REQUESTS / (time.process_time() - begin[1]))
    return max(wall), max(processor)


def streamed(device: str, channels: int, mapping: str, size: int) -> tuple[float, float, float]:
    """Bytes per second of wall time and processor time, and bytes per simulated second."""
    one = load_device(device)
    controllers = Controllers(one, channels, Policy(mapping=mapping))
    begin = time.perf_counter(), time.process_time()
    ticks = run_streams(controllers, [Stream(0, size // one.tx_bytes)], 64 * channels, 2 * channels)
    wall, processor = time.perf_counter() - begin[0], time.process_time() - begin[1]
    return size / wall, size / processor, size / (ticks * controllers.tick_fs * 1e-15)


def main() -> None:
    one_by_one("ddr4-3200", 1, "stream")  # compiles
    print(
        f"{'one by one':<18}{'channels':>9}{'pattern':>9}{'wall':>11}{'processor':>11}{'Ramulator':>11}  M requests/s"
    )
    for device, channels in ONE_BY_ONE:
        for pattern in ("stream", "random"):
            wall, processor = one_by_one(device, channels, pattern)
            known = REFERENCE.get((device, channels, pattern))
            reference = f"{known / 1000:.3f}" if known else "-"
            line = f"{device:<18}{channels:>9}{pattern:>9}{wall / 1e6:>11.2f}{processor / 1e6:>11.2f}{reference:>11}"
            print(line)
    print(
        f"\n{'burst path':<18}{'channels':>9}{'GiB':>9}{'wall':>11}{'processor':>11}{'simulated':>11}  GB/s   mapping"
    )
    for device, channels, mapping, size in BURSTS:
        wall, processor, simulated = streamed(device, channels, mapping, size << 30)
        figures = f"{wall / 1e9:>11.2f}{processor / 1e9:>11.2f}{simulated / 1e9:>11.1f}"
        print(f"{device:<18}{channels:>9}{size:>9}{figures}         {mapping}")
    print("Ramulator 2.1 and DRAMsim3 stream 0.01 to 0.03 GB/s (every request).")


if __name__ == "__main__":
    main()
