"""Speed of reading a Spike commit log: lines per second on a log of a million lines.

Figures are wall times of this computer; compare their ratios. Run: python benchmarks/spike_log.py
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

LINES = """\
core   0: 0x{pc:016x} (0x0182b283) ld      t0, 24(t0)
core   0: 3 0x{pc:016x} (0x0182b283) x5  0x{value:016x} mem 0x{address:016x}
core   0: 0x{pc:016x} (0x00b2b423) sd      a1, 8(t0)
core   0: 3 0x{pc:016x} (0x00b2b423) mem 0x{address:016x} 0x{value:016x}
"""


def main() -> None:
    from archsim.traces.spike import read_spike_log

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spike.log"
        with path.open("w") as log:
            for number in range(250_000):
                log.write(LINES.format(pc=0x80000000 + 4 * number, value=number, address=8 * number))
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            read_spike_log(path)
            seconds.append(time.perf_counter() - start)
    print(f"{1 / sorted(seconds)[1]:.2f} million lines/s (of 3: {1 / max(seconds):.2f} to {1 / min(seconds):.2f})")


if __name__ == "__main__":
    main()
