"""Attention over TurboQuant's codes by the same steps as the kernels: tiles by the reference of xqt, rows by numpy."""

from __future__ import annotations

import numpy as np

from tests.formats import turboquant_reference
from tests.machine.xqt_reference import ACTIVATIONS, WEIGHTS, Reference, pack


def coded_attention(
    q: np.ndarray, signs: np.ndarray, levels: np.ndarray, cache: dict[str, np.ndarray], exp_scale: np.float32
) -> np.ndarray:
    """float32 [heads, head_dim] by the same steps: tiles by the reference of xqt, rows by numpy."""
    (heads, size), tokens = q.shape, len(cache["key_norms"])
    bits = len(levels).bit_length() - 1
    tiles = Reference(16, 16, 128, m=heads, wfmt=WEIGHTS.index(f"cb{bits}"), afmt=ACTIVATIONS.index("float16"))
    tiles.cb[0, : len(levels)] = levels
    tiles.exp_scale = exp_scale
    turned = turboquant_reference.walsh_hadamard(q * signs)
    tiles.statistics[4], tiles.statistics[1] = -np.inf, 0
    result, sums = np.zeros(q.shape, np.float32), np.zeros(heads, np.float32)
    for first in range(0, tokens, 16):
        count = min(16, tokens - first)
        block = {name: values[first : first + count] for name, values in cache.items()}
        tiles.n, tiles.k = count, 64
        tiles.sc[0, :count, 0] = block["key_norms"].view(np.uint16)
        tiles.ac[0] = 0
        for step in range(size // 64):
            part = tiles.t[0, :heads]
            pack(part, turned[:, 64 * step : 64 * step + 64], "float16")
            first_byte, width = 8 * bits * step, 8 * bits
            tiles.t[2, :count, :width] = block["key_codes"][:, first_byte : first_byte + width]
            tiles.mma_cbs(0, 0, 2, 0, 0)
        tiles.rmax(5, 0, 4)
        tiles.expd(6, 4, 5)
        tiles.rmax(4, 0, 4)
        tiles.expm(4, 0, 5)
        tiles.k = count
        tiles.rsum(7, 4, 1)
        sums = sums * tiles.statistics[6, :heads] + tiles.statistics[7, :heads]
        tiles.mvta(1, 4)
        tiles.acf[1, :heads, :count] *= block["value_norms"].astype(np.float32)
        tiles.mvat(4, 1)
        tiles.n = 16
        for number in range(size // 16):
            columns = slice(16 * number, 16 * number + 16)
            tiles.acf[2, :heads] = result[:, columns]
            tiles.rescale(2, 2, 6)
            first_byte, width = 2 * bits * number, 2 * bits
            tiles.t[6, :count, :width] = block["value_codes"][:, first_byte : first_byte + width]
            tiles.trw(5, 6, 0)
            tiles.mma_cb(2, 4, 5, 0)
            result[:, columns] = tiles.acf[2, :heads]
    return turboquant_reference.walsh_hadamard(result / sums[:, None]) * signs
