"""A decoder layer in numpy: the reference kernels in the order of the graph."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from archsim.formats import Packed, parse_format, quantize
from archsim.formats.turboquant_vector import VectorCodec
from archsim.kernels import reference
from archsim.kernels.base import WeightKernel
from archsim.kernels.target import Target
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
                if op.kind == "matmul" and len(tensor.shape) == 2:
                    self.weights[tensor.name] = quantize(values / np.sqrt(tensor.shape[1]), tensor.format)
                else:
                    self.values[tensor.name] = (1 + values / 10).astype(tensor.format)
        self.values["x"] = random.normal(size=(rows, c.hidden)).astype(np.float32)
        self.values["rope_table"] = reference.rope_table(context, c.rotary_dim or c.head_dim, c.rope_theta)
        self.prepare_others(ops)
        names = {tensor.name for op in ops for tensor in (*op.inputs, *op.outputs)}
        for name in sorted(name.removesuffix(".codes") for name in names if name.endswith("cache.codes")):
            shape = (batch, c.kv_heads, capacity, c.head_dim)
            codes = random.integers(-127, 128, shape).astype(np.int8)
            self.values[f"{name}.codes"] = codes if name.endswith("k_cache") else codes.swapaxes(2, 3).copy()
            self.values[f"{name}.scales"] = (random.random(shape[:3]) / 60).astype(np.float16)

    def prepare_others(self, ops: tuple[Op, ...]) -> None:
        """Inputs that only some architectures have."""
        random = np.random.default_rng(self.seed + 1)
        for tensor in {tensor.name: tensor for op in ops for tensor in op.inputs}.values():
            if tensor.name in ("relative_bias", "transform"):
                self.values[tensor.name] = random.normal(size=tensor.shape).astype(np.float32)
            if tensor.name == "token_ids":
                self.values[tensor.name] = random.integers(0, self.config.vocab, tensor.shape).astype(np.int32)
            if tensor.name in ("patches.codes", "x.codes"):
                codes, scales = reference.quantize(random.normal(size=tensor.shape).astype(np.float32))
                self.values[tensor.name], self.values[tensor.name.replace("codes", "scales")] = codes, scales

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
            if isinstance(kernel, WeightKernel):
                name = op.bound.tensors["weights"]
                contents[name] = kernel.pack(self.weights[name], op.tiling)
                if "bias" in op.bound.tensors:
                    # whole blocks of them
                    values = self.values[op.bound.tensors["bias"]]
                    whole = np.zeros(kernel.arrays()["bias"].shape, np.float16)
                    whole[: len(values)] = values
                    contents[op.bound.tensors["bias"]] = whole
        known = program.plan.tensors.keys() - contents.keys()
        contents |= {name: values for name, values in self.values.items() if name in known}
        return {program.plan.tensors[name][0]: program.plan.tensors[name][1].store(v) for name, v in contents.items()}

    def run(self, ops: tuple[Op, ...]) -> None:
        for op in ops:
            getattr(self, f"_{op.kind}")(op)

    def _norm(self, op: Op) -> None:
        v = self.values
        delta = v[op.inputs[1].name] if op.attributes["residual"] else None
        # a head works on the last row of each sequence
        every = len(v["x"]) // op.attributes["rows"]
        rows = v["x"][every - 1 :: every]
        x, codes, scales = reference.norm(rows, v[op.weights[0].name], self.config.norm_eps, delta)
        v["x"] = v["x"] if delta is None else x
        v[op.outputs[-2].name], v[op.outputs[-1].name] = codes, scales

    def _matmul(self, op: Op) -> None:
        packed = self.weights[op.weights[0].name]
        codes, scales = (self.values[tensor.name] for tensor in op.inputs)
        out, first = op.outputs[0], op.attributes.get("first", 0)
        if not first:
            self.values[out.name] = np.zeros(out.shape, np.float32)
        whole = self.values[out.name]
        bias = self.values[op.weights[1].name] if len(op.weights) > 1 else None
        product = reference.matmul(codes, scales, packed, self.target.trowb, bias)
        whole[:, first : first + packed.shape[0]] = product

    def _rope_kv(self, op: Op) -> None:
        a, v = op.attributes, self.values
        tokens, table = a["rows"] // a["batch"], v["rope_table"] if op.kind == "rope_kv" else None
        first = a["context"] - tokens
        heads = a["batch"], a["heads"], a["kv_heads"]
        q, q_scales, *cache = reference.rope_kv(v[op.inputs[0].name], table, *heads, first)
        names = [tensor.name for tensor in op.outputs]
        if a["heads"]:
            v[names.pop(0)], v[names.pop(0)] = q, q_scales
        split = a["batch"], tokens, a["kv_heads"]
        new = slice(first, a["context"])
        for name, part in zip(names, cache, strict=False):
            if name.endswith("v_cache.codes"):
                v[name][..., new] = part.reshape(*split, -1).transpose(0, 2, 3, 1)
            else:
                v[name][:, :, new] = np.moveaxis(part.reshape(*split, *part.shape[2:]), 1, 2)

    _heads_kv = _rope_kv

    def _attention(self, op: Op) -> None:
        a, v = op.attributes, self.values
        tokens, context, group = a["rows"] // a["batch"], a["context"], a["heads"] // a["kv_heads"]
        out = np.empty((a["batch"], tokens, a["heads"], a["head_dim"]), np.float32)
        q, q_scales, keys, key_scales, values, value_scales, *bias = (v[tensor.name] for tensor in op.inputs)
        q, q_scales = q.reshape(out.shape), q_scales.reshape(out.shape[:3])
        # what a window leaves out of a decoded token's sight
        first = 0 if a["causal"] else context - a.get("window", context)
        # a bias of key less query, for each pair
        at = np.arange(context) - np.arange(tokens)[:, None] + tokens - 1
        for b in range(a["batch"]):
            for head in range(a["heads"]):
                place = b, head // group
                out[b, :, head] = reference.attention(
                    q[b, :, head],
                    q_scales[b, :, head],
                    keys[place][first:context],
                    key_scales[place][first:context],
                    values[place][:, first:context].T,
                    value_scales[place][first:context],
                    context - tokens if a["causal"] else None,
                    self.target.trowb,
                    not a.get("unscaled"),
                    bias[0][head][at] if bias else None,
                    a.get("window", 0) if a["causal"] else 0,
                )
        v[op.outputs[0].name] = out.reshape(a["rows"], -1)

    def _quantize(self, op: Op) -> None:
        codes, scales = reference.quantize(self.values[op.inputs[0].name])
        self.values[op.outputs[0].name], self.values[op.outputs[1].name] = codes, scales

    def _silu_mul(self, op: Op) -> None:
        codes, scales = reference.silu_mul(self.values[op.inputs[0].name])
        self.values[op.outputs[0].name], self.values[op.outputs[1].name] = codes, scales

    def _activation(self, op: Op) -> None:
        function, gated = op.kind.removesuffix("_mul"), op.kind.endswith("_mul")
        codes, scales = reference.activation(self.values[op.inputs[0].name], function, gated)
        self.values[op.outputs[0].name], self.values[op.outputs[1].name] = codes, scales

    _gelu_tanh = _gelu_tanh_mul = _gelu_erf = _relu = _activation

    def _add(self, op: Op) -> None:
        for tensor in op.inputs[1:]:
            self.values["x"] = self.values["x"] + self.values[tensor.name]

    def _layer_norm(self, op: Op) -> None:
        v, a = self.values, op.attributes
        s = v[op.inputs[0].name]
        if a["residual"]:
            s = s + v[op.inputs[1].name]
        if a["gelu"]:
            s = reference.gelu_erf(s)
        # a head works on the last row of each sequence
        every = len(s) // a["rows"]
        gamma, beta = (v[tensor.name] for tensor in op.weights)
        y = reference.layer_norm(s[every - 1 :: every], gamma, beta, self.config.norm_eps)
        if a["residual"] or a["post"]:
            v[op.outputs[0].name] = y if a["post"] else s
        v[op.outputs[-2].name], v[op.outputs[-1].name] = reference.quantize(y)

    def _embed(self, op: Op) -> None:
        v, a = self.values, op.attributes
        x = v["embed.weight"][v["token_ids"]].astype(np.float32)
        if self.config.embed_scale != 1:
            x = x * np.float32(self.config.embed_scale)
        if len(op.weights) > 1:
            x = x + v["embed.positions"][a["position"] + np.arange(a["rows"]) % a["tokens"]].astype(np.float32)
        v["x"] = x

    def _patches(self, op: Op) -> None:
        v, positions = self.values, self.values["embed.positions"].astype(np.float32)
        images = v["patch_embed"].reshape(-1, op.attributes["patches"], positions.shape[1])
        last = np.broadcast_to(positions[-1], (len(images), 1, positions.shape[1]))
        v["x"] = np.concatenate([images + positions[:-1], last], axis=1).reshape(-1, positions.shape[1])

    def _route(self, op: Op) -> None:
        slots, gates = reference.route(self.values[op.inputs[0].name], op.attributes["top_k"])
        self.values["route.slots"], self.values["route.gates"] = slots, gates

    def _rows_of(self, op: Op) -> np.ndarray:
        a = op.attributes
        return self.values["route.slots"][a["first"] : a["first"] + a["rows"]]

    def _gather(self, op: Op) -> None:
        tokens = self._rows_of(op) // op.attributes["top_k"]
        for source, target in zip(op.inputs[1:], op.outputs, strict=True):
            self.values[target.name] = self.values[source.name][tokens]

    def _scatter(self, op: Op) -> None:
        slots, v = self._rows_of(op), self.values
        tokens = slots // op.attributes["top_k"]
        gates = v["route.gates"].reshape(-1)[slots]
        v["x"] = v["x"].copy()
        v["x"][tokens] = v["x"][tokens] + v[op.inputs[1].name] * gates[:, None]

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
