"""Speed of the models of a hart on the integer loop, all accounting on: MIPS, and ratios in one run.

Figures are wall times of this computer; compare their ratios. Run: python benchmarks/harts.py [--json]
"""

from __future__ import annotations

import json
import statistics
import sys
import time

from integer_loop import LOOP

RUNS = 3
ROUNDS = 4_000_000
DESIGNS = {"functional": "edge-npu", "single issue": "edge-npu", "in order (u74)": "u74", "out of order (c910)": "c910"}


def rate(design: str, fidelity: str) -> dict[str, float]:
    """MIPS (median of some runs, after one that compiles) and instructions per simulated cycle."""
    import archsim

    isa = archsim.load_isa("rv64im", "zicsr", "zicntr")
    archsim.run(isa.assemble(LOOP.format(rounds=1000)), design, isa=isa, fidelity=fidelity)
    program, rates = isa.assemble(LOOP.format(rounds=ROUNDS)), []
    for _ in range(RUNS):
        start = time.perf_counter()
        result = archsim.run(program, design, isa=isa, fidelity=fidelity)
        rates.append(result.instructions / (time.perf_counter() - start) / 1e6)
    return {"mips": statistics.median(rates), "ipc": result.instructions / result.cycles if result.cycles else 0.0}


def main() -> None:
    rows = {name: rate(design, "functional" if name == "functional" else "timed") for name, design in DESIGNS.items()}
    if "--json" in sys.argv:
        print(json.dumps(rows, indent=2))
        return
    for name, row in rows.items():
        ratio = row["mips"] / rows["functional"]["mips"]
        print(f"{name:20} {row['mips']:6.0f} MIPS   {ratio:5.2f} of functional   simulated IPC {row['ipc']:.2f}")


if __name__ == "__main__":
    main()
