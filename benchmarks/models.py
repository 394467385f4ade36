"""Time that whole models take: each in a process of its own, simulated afresh and then taken from the store.

Compile caches are warmed before. Figures are wall times of this computer; ONNXim needs 29 s for one decode layer
(workloads/reference). Equal layers run once, and every instruction of theirs is simulated; no loop is skipped. The case
"every layer" runs them all. Run: python benchmarks/models.py [--json]
"""

from __future__ import annotations

import json
import subprocess
import sys

CASES = {
    "Llama 3 8B, decode at 2048, edge-npu": ("llama-3-8b", "edge-npu", "decode", "2048"),
    "the same, every layer": ("llama-3-8b", "edge-npu", "decode", "2048", "every"),
    "Llama 2 70B, decode at 2048, server-npu": ("llama-2-70b", "server-npu", "decode", "2048"),
    "Llama 3 8B, prefill of 2048, edge-npu": ("llama-3-8b", "edge-npu", "prefill", "2048"),
    "Llama 3 8B, prefill of 2048, server-npu": ("llama-3-8b", "server-npu", "prefill", "2048"),
}
COMMAND = """
import json, resource, sys, time
start = time.perf_counter()
from archsim.explore.point import evaluate_point
model, design, phase, context, fresh, *every = sys.argv[1:]
point = {"model": model, "design": design, "phase": phase, "batch": 1, "context": int(context), "weights": "int4-g128",
         "activations": "int8", "kv": "int8", "overrides": {}, "every_layer": bool(every)}
if model == "llama-2-70b":
    # four stacks of HBM3: two hold 32 GiB
    point["overrides"] = {"memory.channels": 64, "memory.size": "64 GiB"}
result = evaluate_point(point, fresh=fresh == "fresh")
print(json.dumps({"seconds": time.perf_counter() - start, "instructions": result["instructions"],
                  "simulated": result["simulated_instructions"],
                  "cycles": result["cycles"], "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""


def measured(case: tuple[str, ...], fresh: bool) -> dict[str, float]:
    """Seconds from the first import to the result, simulated instructions and cycles, and peak memory in MiB."""
    command = [sys.executable, "-c", COMMAND, *case[:4], "fresh" if fresh else "stored", *case[4:]]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def main() -> None:
    rows = {}
    for name, case in CASES.items():
        measured((*case[:3], "64"), fresh=True)
        rows[name] = {"simulated": measured(case, fresh=True), "stored": measured(case, fresh=False)}
    if "--json" in sys.argv:
        print(json.dumps(rows, indent=2))
        return
    print(
        f"{'':42} {'seconds':>8} {'stored':>7} {'M instructions':>15} {'simulated':>10} {'M cycles':>9} {'peak MiB':>9}"
    )
    for name, row in rows.items():
        one = row["simulated"]
        print(
            f"{name:42} {one['seconds']:8.2f} {row['stored']['seconds']:7.2f} {one['instructions'] / 1e6:15.1f} "
            f"{one['simulated'] / 1e6:10.1f} "
            f"{one['cycles'] / 1e6:9.1f} {one['peak_mib']:9.0f}"
        )


if __name__ == "__main__":
    main()
