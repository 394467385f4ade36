"""A decoder layer in numpy: the reference kernels in the order of the graph."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from archsim.formats import Packed, parse_format, quantize
from archsim.formats.turboquant_vector import VectorCodec
from archsim.kernels import reference
from archsim.kernels.layout import pack_weights
from archsim.kernels.matmul import MatMul
from archsim.kernels.target import Target
from archsim.kernels.weight_code import coded
from archsim.mapping.layer import LayerProgram
from archsim.models.graph import Op
from tests.kernels.coded_attention_reference import coded_attention


@dataclass
class NumpyLayer:
    """Weights and state of a layer, and the reference that runs its ops."""

    config: Any
    target: Target
    seed: int = 0
    weights: dict[str, Packed] = field(default_factory=dict)
    values: dict[str, np.ndarray] = field(default_factory=dict)

    def prepare(self, ops: tuple[Op, ...], rows: int, batch: int, context: int, capacity: int) -> None:
        """Random weights, inputs, and past of the cache."""
        random, c = np.random.default_rng(self.seed), self.config
        for op in ops:
            for tensor in op.weights:
                values = random.normal(size=tensor.shape).astype(np.float32)
                if op.kind == "matmul":
                    self.weights[tensor.name] = quantize(values / np.sqrt(tensor.shape[1]), tensor.format)
                else:
                    self.values[tensor.name] = 1 + values / 10
        self.values["x"] = random.normal(size=(rows, c.hidden)).astype(np.float32)
        self.values["rope_table"] = reference.rope_table(context, c.head_dim, c.rope_theta)
        for name in ("k_cache", "v_cache"):
            shape = (batch, c.kv_heads, capacity, c.head_dim)
            codes = random.integers(-127, 128, shape).astype(np.int8)
            self.values[f"{name}.codes"] = codes if name == "k_cache" else codes.swapaxes(2, 3).copy()
            self.values[f"{name}.scales"] = (random.random(shape[:3]) / 60).astype(np.float16)

    def prepare_codes(self, bits: int, batch: int, capacity: int) -> None:
        """A past of the cache in TurboQuant's codes, instead."""
        random, c, codec = np.random.default_rng(self.seed), self.config, self.codec(bits)
        self.values |= {"turboquant.signs": codec.sign_bits(), "turboquant.levels": codec.levels()}
        for name in ("k_cache", "v_cache"):
            shape = (batch, c.kv_heads, capacity)
            coded = codec.encode(random.normal(size=(np.prod(shape), c.head_dim)).astype(np.float32))
            self.values |= {f"{name}.{part}": coded[part].reshape(*shape, -1) for part in ("codes", "norms")}
            self.values[f"{name}.norms"] = self.values[f"{name}.norms"][..., 0]

    def memory(self, program: LayerProgram) -> dict[int, np.ndarray]:
        """Everything in DRAM as the program's plan has it."""
        contents = {}
        for op in program.plan.ops:
            kernel = op.bound.kernel
            if isinstance(kernel, MatMul):
                packed = self.weights[op.bound.tensors["weights"]]
                raw = pack_weights(coded(packed), kernel.layout(op.tiling.steps))
                contents[op.bound.tensors["weights"]] = np.frombuffer(raw, np.uint8)
        contents |= {name: values for name, values in self.values.items() if name in program.plan.tensors}
        return {program.plan.tensors[name][0]: program.plan.tensors[name][1].store(v) for name, v in contents.items()}

    def run(self, ops: tuple[Op, ...]) -> None:
        for op in ops:
            getattr(self, f"_{op.kind}")(op)

    def _norm(self, op: Op) -> None:
        v = self.values
        delta = v[op.inputs[1].name] if op.attributes["residual"] else None
        x, codes, scales = reference.norm(v["x"], v[op.weights[0].name], self.config.norm_eps, delta)
        v["x"], v[op.outputs[-2].name], v[op.outputs[-1].name] = x, codes, scales

    def _matmul(self, op: Op) -> None:
        packed = self.weights[op.weights[0].name]
        codes, scales = (self.values[tensor.name] for tensor in op.inputs)
        out, first = op.outputs[0], op.attributes.get("first", 0)
        if not first:
            self.values[out.name] = np.zeros(out.shape, np.float32)
        whole = self.values[out.name]
        whole[:, first : first + packed.shape[0]] = reference.matmul(codes, scales, packed, self.target.trowb)

    def _rope_kv(self, op: Op) -> None:
        c, a, v = self.config, op.attributes, self.values
        tokens = a["rows"] // a["batch"]
        first = a["context"] - tokens
        q, q_scales, *cache = reference.rope_kv(v["qkv"], v["rope_table"], a["batch"], c.heads, c.kv_heads, first)
        v["q.codes"], v["q.scales"] = q, q_scales
        split = a["batch"], tokens, c.kv_heads
        new = slice(first, a["context"])
        v["k_cache.codes"][:, :, new] = cache[0].reshape(*split, -1).transpose(0, 2, 1, 3)
        v["k_cache.scales"][..., new] = cache[1].reshape(split).transpose(0, 2, 1)
        v["v_cache.codes"][..., new] = cache[2].reshape(*split, -1).transpose(0, 2, 3, 1)
        v["v_cache.scales"][..., new] = cache[3].reshape(split).transpose(0, 2, 1)

    def _attention(self, op: Op) -> None:
        a, v = op.attributes, self.values
        tokens, context, group = a["rows"] // a["batch"], a["context"], a["heads"] // a["kv_heads"]
        out = np.empty((a["batch"], tokens, a["heads"], a["head_dim"]), np.float32)
        q, q_scales = v["q.codes"].reshape(out.shape), v["q.scales"].reshape(out.shape[:3])
        for b in range(a["batch"]):
            for head in range(a["heads"]):
                place = b, head // group
                out[b, :, head] = reference.attention(
                    q[b, :, head],
                    q_scales[b, :, head],
                    v["k_cache.codes"][place][:context],
                    v["k_cache.scales"][place][:context],
                    v["v_cache.codes"][place][:, :context].T,
                    v["v_cache.scales"][place][:context],
                    context - tokens if a["causal"] else None,
                    self.target.trowb,
                )
        v[op.outputs[0].name] = out.reshape(a["rows"], -1)

    def _quantize(self, op: Op) -> None:
        codes, scales = reference.quantize(self.values[op.inputs[0].name])
        self.values[op.outputs[0].name], self.values[op.outputs[1].name] = codes, scales

    def _silu_mul(self, op: Op) -> None:
        codes, scales = reference.silu_mul(self.values[op.inputs[0].name])
        self.values[op.outputs[0].name], self.values[op.outputs[1].name] = codes, scales

    def _add(self, op: Op) -> None:
        self.values["x"] = self.values["x"] + self.values[op.inputs[1].name]

    def _rope(self, op: Op) -> None:
        c, a, v = self.config, op.attributes, self.values
        rows, tokens = a["rows"], a["rows"] // a["batch"]
        split = v["qkv"].reshape(rows, c.heads + 2 * c.kv_heads, c.head_dim)
        angles = v["rope_table"][a["context"] - tokens + np.arange(rows) % tokens][:, None]
        q, k = np.split(reference.rotate(split[:, : c.heads + c.kv_heads], angles), [c.heads], axis=1)
        v["q"], v["k"], v["v"] = q, k, split[:, c.heads + c.kv_heads :]

    def _encode(self, op: Op) -> None:
        """As the format itself encodes."""
        a, v = op.attributes, self.values
        vectors = np.ascontiguousarray(v[op.inputs[0].name].reshape(-1, a["head_dim"]))
        coded = self.codec(a["bits"]).encode(vectors)
        tokens = a["rows"] // a["batch"]
        for tensor, name in zip(op.outputs, ("codes", "norms"), strict=True):
            rows = coded[name].reshape(a["batch"], tokens, a["kv_heads"], -1).swapaxes(1, 2)
            new = v[tensor.name][:, :, a["context"] - tokens : a["context"]]
            new[...] = rows.reshape(new.shape)

    def _coded_attention(self, op: Op) -> None:
        a, v, codec = op.attributes, self.values, self.codec(op.attributes["bits"])
        tokens, group = a["rows"] // a["batch"], a["heads"] // a["kv_heads"]
        scale = np.float32(np.log2(np.e) / np.sqrt(a["head_dim"]))
        q = v["q"].reshape(a["rows"], a["kv_heads"], group, a["head_dim"])
        out = np.empty_like(q)
        for row in range(a["rows"]):
            seen = a["context"] - tokens + row % tokens + 1
            for head in range(a["kv_heads"]):
                place = row // tokens, head
                cache = {
                    f"{long}_{name}": v[f"{short}_cache.{name}"][place][:seen]
                    for long, short in (("key", "k"), ("value", "v"))
                    for name in ("codes", "norms")
                }
                out[row, head] = coded_attention(q[row, head], codec.signs(), codec.levels(), cache, scale)
        v[op.outputs[0].name] = out.reshape(a["rows"], -1)

    def codec(self, bits: int) -> VectorCodec:
        return parse_format(f"turboquant-{bits}").codecs(self.config.head_dim)[0]
