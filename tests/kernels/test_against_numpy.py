"""Every kernel on every design, random shapes with ragged edges, against the numpy reference, bit for bit.

Also those with exponentials and roots: both sides take exp in float64 and round once to float32, and square root and
division are correctly rounded, so that not even the last place may differ.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import archsim
from archsim.kernels import reference
from archsim.kernels.alone import run_alone, write_alone
from archsim.kernels.attention import Attention
from archsim.kernels.base import Kernel
from archsim.kernels.layout import pack_weights
from archsim.kernels.matmul import MatMul
from archsim.kernels.rope import Heads, RopeKv
from archsim.kernels.rowops import Add, Embed, Norm, Quantize
from archsim.kernels.silu import SiluMul
from archsim.kernels.target import target_of

DESIGNS = ("edge-npu", "edge-npu-int8", "server-npu")
FORMATS = ("int4-g128", "int4-g32", "int8-channel", "int4-g64", "int4")
cases = pytest.mark.parametrize("seed", range(4))
designs = pytest.mark.parametrize("design", DESIGNS)


def floats(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


def codes(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.integers(-127, 128, shape).astype(np.int8)


def outputs(kernel: Kernel, design: Any, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What a kernel writes; also holds an addresses-only run to the cycles of the timed one."""
    found, timed = run_alone(kernel, design, inputs)
    _, addresses = run_alone(kernel, design, {}, fidelity="addresses")
    assert (addresses.cycles, addresses.stalls, addresses.units) == (timed.cycles, timed.stalls, timed.units)
    assert timed.busy_cycles + sum(timed.stalls.values()) == timed.hart_cycles
    return found


def same(found: dict[str, np.ndarray], **expected: np.ndarray) -> None:
    assert set(found) == set(expected)
    for name, values in expected.items():
        assert np.array_equal(found[name].reshape(values.shape), values), name


@designs
@cases
def test_matmul(design: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    chosen = archsim.load_design(design)
    rows, features, out = int(rng.integers(1, 70)), int(rng.integers(10, 700)), int(rng.integers(5, 300))
    packed = archsim.quantize(floats(rng, out, features), FORMATS[int(rng.integers(len(FORMATS)))])
    kernel = MatMul("m", target_of(chosen), rows, features, out, packed.format.bits, packed.format.group)
    layout = kernel.layout(write_alone(kernel).tiling.steps)
    inputs = {"codes": codes(rng, rows, features), "scales": np.abs(floats(rng, rows))}
    weights = np.frombuffer(pack_weights(packed.codes, packed.scales, layout), np.uint8)
    expected = reference.matmul(
        inputs["codes"], inputs["scales"], packed.codes, packed.scales, packed.format.group, layout.step
    )
    same(outputs(kernel, chosen, {**inputs, "weights": weights}), out=expected)


def test_matmul_in_chunks_that_a_small_scratchpad_forces() -> None:
    rng = np.random.default_rng(9)
    chosen = archsim.load_design("edge-npu", {"core.scratchpad.size": "32 KiB"})
    packed = archsim.quantize(floats(rng, 100, 3000), "int4-g128")
    kernel = MatMul("m", target_of(chosen), 3, 3000, 100, 4, 128)
    layout = kernel.layout(write_alone(kernel).tiling.steps)
    assert layout.chunks > 1
    inputs = {"codes": codes(rng, 3, 3000), "scales": np.abs(floats(rng, 3))}
    weights = np.frombuffer(pack_weights(packed.codes, packed.scales, layout), np.uint8)
    expected = reference.matmul(inputs["codes"], inputs["scales"], packed.codes, packed.scales, 128, layout.step)
    same(outputs(kernel, chosen, {**inputs, "weights": weights}), out=expected)


@designs
@cases
def test_rows(design: str, seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    chosen = archsim.load_design(design)
    target = target_of(chosen)
    rows, features = int(rng.integers(1, 40)), 2 * int(rng.integers(2, 300))
    x, delta, gamma = floats(rng, rows, features), floats(rng, rows, features), floats(rng, features)
    gates = floats(rng, rows, 2 * features)
    total, found, scales = reference.norm(x, gamma, 1e-5, delta)
    inputs = {"x": x, "gamma": gamma, "delta": delta}
    kernel: Kernel = Norm("n", target, rows, features, True, 1e-5)
    same(outputs(kernel, chosen, inputs), x=total, codes=found, scales=scales)
    found, scales = reference.quantize(x)
    same(outputs(Quantize("q", target, rows, features), chosen, {"x": x}), codes=found, scales=scales)
    found, scales = reference.silu_mul(gates)
    same(outputs(SiluMul("s", target, rows, features), chosen, {"gate_up": gates}), codes=found, scales=scales)
    same(outputs(Add("a", target, rows, features), chosen, {"x": x, "delta": delta}), x=x + delta)


@designs
def test_a_row_of_zeros_quantises_to_zeros(design: str) -> None:
    chosen = archsim.load_design(design)
    kernel = Quantize("q", target_of(chosen), 2, 50)
    zeros = np.zeros((2, 50), np.float32)
    same(outputs(kernel, chosen, {"x": zeros}), codes=zeros.astype(np.int8), scales=zeros[:, 0])


@designs
def test_embedding(design: str) -> None:
    rng = np.random.default_rng(7)
    chosen = archsim.load_design(design)
    table = rng.normal(size=(90, 70)).astype(np.float16)
    ids = rng.integers(0, 90, 13).astype(np.int32)
    found, _ = run_alone(Embed("e", target_of(chosen), 13, 70, 90), chosen, {"table": table, "ids": ids})
    same(found, x=table[ids].astype(np.float32))


def shapes(rng: np.random.Generator) -> Heads:
    """Random heads, batch and context; half decode one token, half prefill."""
    kv_heads, group, batch = (int(rng.integers(1, most)) for most in (4, 5, 4))
    head_dim = (16, 64, 96, 128)[int(rng.integers(4))]
    context = int(rng.integers(2, 200))
    tokens = context if rng.random() < 0.5 else 1
    return Heads(batch * tokens, batch, kv_heads * group, kv_heads, head_dim, context, 256)


@designs
@cases
def test_rope_and_cache(design: str, seed: int) -> None:
    rng = np.random.default_rng(200 + seed)
    chosen, h = archsim.load_design(design), shapes(rng)
    tokens = h.rows // h.batch
    qkv = floats(rng, h.rows, (h.heads + 2 * h.kv_heads) * h.head_dim)
    table = reference.rope_table(h.context, h.head_dim, 10000.0)
    found = outputs(RopeKv("r", target_of(chosen), h), chosen, {"qkv": qkv, "table": table})
    q, q_scales, k, k_scales, v, v_scales = reference.rope_kv(qkv, table, h.batch, h.heads, h.kv_heads, h.position)
    new = slice(h.position, h.context)
    split = (h.batch, tokens, h.kv_heads)
    assert np.array_equal(found["q"].reshape(q.shape), q)
    assert np.array_equal(found["q_scales"], q_scales)
    assert np.array_equal(found["k"][:, :, new], k.reshape(*split, -1).transpose(0, 2, 1, 3))
    assert np.array_equal(found["v"][..., new], v.reshape(*split, -1).transpose(0, 2, 3, 1))
    assert np.array_equal(found["k_scales"][..., new], k_scales.reshape(split).transpose(0, 2, 1))
    assert np.array_equal(found["v_scales"][..., new], v_scales.reshape(split).transpose(0, 2, 1))


@designs
@cases
def test_attention(design: str, seed: int) -> None:
    rng = np.random.default_rng(300 + seed)
    chosen = archsim.load_design(design)
    target, h = target_of(chosen), shapes(rng)
    tokens = h.rows // h.batch
    causal = tokens > 1
    arrays = {
        "q": codes(rng, h.rows, h.heads * h.head_dim),
        "q_scales": np.abs(floats(rng, h.rows, h.heads)) * np.float32(0.02),
        "k": codes(rng, h.batch, h.kv_heads, h.capacity, h.head_dim),
        "k_scales": (np.abs(floats(rng, h.batch, h.kv_heads, h.capacity)) * 0.02).astype(np.float16),
        "v": codes(rng, h.batch, h.kv_heads, h.head_dim, h.capacity),
        "v_scales": np.abs(floats(rng, h.batch, h.kv_heads, h.capacity)).astype(np.float16),
    }
    expected = np.zeros((h.batch, tokens, h.heads, h.head_dim), np.float32)
    queries, scales = arrays["q"].reshape(expected.shape), arrays["q_scales"].reshape(h.batch, tokens, -1)
    for b in range(h.batch):
        for head in range(h.heads):
            kv = (b, head // h.group, slice(0, h.context))
            expected[b, :, head] = reference.attention(
                queries[b, :, head], scales[b, :, head], arrays["k"][kv], arrays["k_scales"][kv],
                arrays["v"][b, head // h.group, :, : h.context].T, arrays["v_scales"][kv],
                h.position if causal else None, target.trowb,
            )  # fmt: skip
    same(outputs(Attention("a", target, h, causal), chosen, arrays), out=expected)
