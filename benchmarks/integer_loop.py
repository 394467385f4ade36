"""Speed of the simulator itself: instructions per second on an integer loop, and compile time cold and warm.

Figures are wall times of this computer; compare their ratios. Run: python benchmarks/integer_loop.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time

LOOP = """
    li   s0, {rounds}
    li   t0, 0x20000000
    li   a1, 0x9E3779B9
1:  andi t1, s0, 1023
    slli t1, t1, 3
    add  t1, t1, t0
    ld   t2, 0(t1)
    add  t2, t2, s0
    mul  t3, t2, a1
    xor  t2, t2, t3
    sd   t2, 0(t1)
    addi s0, s0, -1
    bnez s0, 1b
    li   a0, 0
    li   a7, 93
    ecall
"""


def measure(fidelity: str, rounds: int) -> dict[str, float]:
    """Run the loop twice in this process: seconds of the first and second run, MIPS of the second."""
    import archsim

    isa = archsim.load_isa("rv64im", "zicsr", "zicntr")
    seconds = []
    for size in (1000, rounds):
        start = time.perf_counter()
        result = archsim.run(isa.assemble(LOOP.format(rounds=size)), "edge-npu", isa=isa, fidelity=fidelity)
        seconds.append(time.perf_counter() - start)
    return {"first_run_s": seconds[0], "mips": result.instructions / seconds[1] / 1e6}


def child(fidelity: str, rounds: int, cache: str) -> dict[str, float]:
    """measure() in a fresh process with a compile cache of its own."""
    environment = {**os.environ, "ARCHSIM_CACHE_DIR": cache}
    command = [sys.executable, __file__, "--child", fidelity, str(rounds)]
    start = time.perf_counter()
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    return {**json.loads(output), "process_s": time.perf_counter() - start}


def main() -> None:
    if "--child" in sys.argv:
        at = sys.argv.index("--child")
        print(json.dumps(measure(sys.argv[at + 1], int(sys.argv[at + 2]))))
        return
    rounds = 20_000_000
    for fidelity in ("functional", "timed"):
        with tempfile.TemporaryDirectory() as cache:
            cold = child(fidelity, 1000, cache)
            runs = [child(fidelity, rounds, cache) for _ in range(3)]
        best = sorted(run["mips"] for run in runs)
        print(
            f"{fidelity:10}  {best[1]:6.0f} MIPS (of 3: {best[0]:.0f} to {best[2]:.0f})   "
            f"first run cold {cold['first_run_s']:.1f} s, warm {min(run['first_run_s'] for run in runs):.2f} s"
        )


if __name__ == "__main__":
    main()
