"""Speed of GGUF's types against the gguf package's numpy code, and memory of quantising one large matrix.

Figures are wall times of this computer; compare their ratios, each the median of pairs timed in turn, since others may
use the computer, too. gguf writes eight of the types and reads all. Run: python benchmarks/formats.py [--json]
"""

from __future__ import annotations

import json
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable

import gguf
import numpy as np

from archsim.formats import parse_format, quantize
from archsim.formats.gguf_types import GGUF_TYPES

SHAPE = (1024, 4096)
LARGE = (4096, 14336)
PAIRS = 15
TYPES = [*GGUF_TYPES, "fp16", "bf16"]


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(ours: Callable[[], object], theirs: Callable[[], object], weights: int) -> dict[str, float]:
    """Millions of weights per second (best of all runs), and the median ratio."""
    ours()
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(PAIRS)]
    best = [weights / min(times) / 1e6 for times in zip(*pairs, strict=True)]
    return {"ours": best[0], "gguf": best[1], "ratio": statistics.median(b / a for a, b in pairs)}


def row(name: str, weights: np.ndarray) -> dict[str, dict[str, float] | None]:
    """Both directions of a type; None where gguf does not write it."""
    number = gguf.GGMLQuantizationType[{"fp16": "F16"}.get(name, name.removeprefix("gguf-").upper())]
    packed = quantize(weights, name)
    raw = packed.packed.view(np.uint8) if name == "bf16" else packed.packed
    written = None
    try:
        gguf.quants.quantize(weights[:1], number)
    except NotImplementedError:
        pass
    else:
        written = compare(lambda: quantize(weights, name), lambda: gguf.quants.quantize(weights, number), weights.size)
    read = compare(packed.dequantize, lambda: gguf.quants.dequantize(raw, number), weights.size)
    return {"quantize": written, "dequantize": read}


def temporaries(name: str, weights: np.ndarray) -> float:
    """Most MB in use while a matrix is quantised, beside it and the result."""
    quantize(weights[:64], name)
    tracemalloc.start()
    packed = quantize(weights, name)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return (peak - packed.nbytes) / 1e6


def main() -> None:
    random = np.random.default_rng(0)
    weights = random.normal(0, 0.02, SHAPE).astype(np.float32)
    # the first arrays of a process cost more
    row(TYPES[0], weights)
    rows = {name: row(name, weights) for name in TYPES}
    large = random.standard_normal(LARGE, np.float32)
    memory = {name: temporaries(name, large) for name in ("q4_0", "q8_0", "int4-g128", "nvfp4", "nf4-g64")}
    if "--json" in sys.argv:
        print(json.dumps({"types": rows, "temporaries_mb": memory}, indent=2))
        return
    print("type        bits   quantize: Mweights/s  gguf  ratio   dequantize: Mweights/s  gguf  ratio")
    for name, both in rows.items():
        text = f"{name:10} {parse_format(name).bits_per_weight(*SHAPE):6.3f}"
        for figures, width in ((both["quantize"], 20), (both["dequantize"], 24)):
            if figures is None:
                text += f"{quantize_rate(name, weights):{width}.0f}     -      -"
            else:
                text += f"{figures['ours']:{width}.0f} {figures['gguf']:5.0f} {figures['ratio']:6.1f}"
        print(text)
    for name, most in memory.items():
        print(f"{name}: {most:.1f} MB beside {LARGE[0]} x {LARGE[1]} weights and the result")


def quantize_rate(name: str, weights: np.ndarray) -> float:
    """Millions of weights per second of what only we write."""
    part = weights[:128]
    return part.size / min(seconds(lambda: quantize(part, name)) for _ in range(3)) / 1e6


if __name__ == "__main__":
    main()
