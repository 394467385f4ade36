"""Ops of a graph bound to kernels, and the kernels' arrays to the graph's tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from archsim.common.errors import InputError
from archsim.formats import parse_format
from archsim.kernels.activation import INSTRUCTIONS, Activation
from archsim.kernels.attention import Attention
from archsim.kernels.base import Kernel
from archsim.kernels.coded_attention import CodedAttention
from archsim.kernels.experts import Gather, Scatter
from archsim.kernels.heads import Heads
from archsim.kernels.layer_norm import LayerNorm
from archsim.kernels.matmul import MatMul
from archsim.kernels.patches import Patches
from archsim.kernels.rope import RopeKv
from archsim.kernels.rope_rows import RopeRows
from archsim.kernels.route import Route
from archsim.kernels.rowops import Add, Embed, Norm, Quantize
from archsim.kernels.silu import SiluMul
from archsim.kernels.target import Target
from archsim.kernels.top_k import TopK
from archsim.kernels.turboquant import CodedCache, EncodeVectors
from archsim.kernels.weight_code import weight_code
from archsim.mapping.bind_onnx import FLOAT, ONNX_ARRAYS, ONNX_KERNELS
from archsim.models.graph import Op

ROPE_TABLE = "rope_table"
_ONLY_ON_XQT = ("window", "rotary", "unscaled")
"""Attributes of ops that kernels of other instruction sets know nothing of."""

Maker = Callable[[Op, "Setting"], Kernel]
"""What makes an op's kernel."""


@dataclass(frozen=True)
class Setting:
    """What ops do not say themselves.

    Attributes:
        eps: of the norms.
        scale: what embeddings are multiplied by.
        capacity: tokens the KV cache has room for.
        every: the head's norm works on each every-th row of x, the last token of each sequence.
        ids: token ids that are held; row r uses id r modulo this (0: one per row).
        kernels: for each kind of op what makes its kernel (by default those on xqt).
    """

    target: Target
    eps: float
    capacity: int
    every: int = 1
    ids: int = 0
    scale: float = 1.0
    kernels: Mapping[str, Maker] = field(default_factory=lambda: XQT_KERNELS)


@dataclass(frozen=True)
class Bound:
    """An op, its kernel, and the tensor name of each of the kernel's arrays."""

    op: Op
    kernel: Kernel
    tensors: dict[str, str]


def bind(op: Op, setting: Setting) -> Bound:
    """The kernel of an op, and where its arrays come from: tensors of the graph, or arrays of its own.

    Raises:
        InputError: there is none for ops of its kind, or such sizes and formats.
    """
    if op.kind not in setting.kernels:
        raise InputError(
            f"op {op.name!r}: the design's instruction set has no kernel for ops of kind {op.kind}",
            remedy="use a design with xqt tiles, such as edge-npu",
        )
    only = [name for name in _ONLY_ON_XQT if name in op.attributes and setting.kernels is not XQT_KERNELS]
    if only:
        raise InputError(
            f"op {op.name!r}: its attribute {only[0]} has no kernel on this design",
            remedy="use a design with xqt, such as edge-npu",
        )
    kernel = setting.kernels[op.kind](op, setting)
    names = [tensor.name for tensor in (*op.inputs, *op.weights)]
    names += [tensor.name for tensor in op.outputs if tensor.name not in names]
    arrays = _ARRAYS[op.kind]
    if op.kind in ("rope_kv", "rope"):
        names.insert(1, ROPE_TABLE)
    own = {name: f"{op.name}.{name}" for name in kernel.arrays() if name not in arrays}
    absent = _absent(op)
    present = tuple(name for name in arrays if name not in absent)
    unknown = [name for name in present if name not in kernel.arrays()]
    if unknown:
        raise InputError(
            f"op {op.name!r}: its {unknown[0]} has no kernel on this design",
            remedy="use a design with xqt, such as edge-npu",
        )
    return Bound(op, kernel, dict(zip(present, names, strict=True)) | own)


def _absent(op: Op) -> tuple[str, ...]:
    """Arrays of its kind that an op does not have."""
    a, kind = op.attributes, op.kind
    inputs = [tensor.name for tensor in op.inputs]
    absent = {
        "embed": ("positions",) if len(op.weights) == 1 else (),
        "matmul": ("bias",) if len(op.weights) == 1 else (),
        "norm": () if a.get("residual") else ("delta",),
        "layer_norm": (
            *(() if a.get("residual") else ("delta" if "x" in inputs else "x",)),
            *(("codes", "scales") if a.get("out") else ("y",)),
        ),
        "heads_kv": (() if a.get("heads") else _CACHE[:2]) + (() if a.get("kv_heads") else _CACHE[2:]),
        "attention": ("bias",) if len(inputs) == len(_CACHE) else (),
        "add": ("delta2",) if len(inputs) == 2 else (),
    }
    if kind.startswith(FLOAT):
        return () if "other_rows" in a else ("other",)
    return absent.get(kind, ())


def bind_all(ops: Sequence[Op], setting: Setting) -> tuple[Bound, ...]:
    return tuple(bind(op, setting) for op in ops)


_CACHE = ("q", "q_scales", "k", "k_scales", "v", "v_scales")
_CODED = ("signs", "levels", "k_codes", "k_norms", "v_codes", "v_norms")
_ARRAYS = {
    "embed": ("ids", "table", "positions", "x"),
    "matmul": ("codes", "scales", "weights", "bias", "out"),
    "rope_kv": ("qkv", "table", *_CACHE),
    "heads_kv": ("qkv", *_CACHE),
    "attention": (*_CACHE, "bias", "out"),
    "rope": ("qkv", "table", "q", "k", "v"),
    "encode": ("x", "signs", "levels", "codes", "norms"),
    "coded_attention": ("q", *_CODED, "out"),
    "quantize": ("x", "codes", "scales"),
    "silu_mul": ("gate_up", "codes", "scales"),
    "add": ("x", "delta", "delta2"),
    "norm": ("x", "delta", "gamma", "codes", "scales"),
    "top_k": ("logits", "tokens"),
    "layer_norm": ("x", "delta", "gamma", "beta", "y", "codes", "scales"),
    "patches": ("patches", "positions", "x"),
    "route": ("logits", "slots", "gates"),
    "gather": ("slots", "codes", "scales", "own_codes", "own_scales"),
    "scatter": ("x", "done", "slots", "gates"),
    **ONNX_ARRAYS,
    **dict.fromkeys((*INSTRUCTIONS, *(f"{name}_mul" for name in INSTRUCTIONS)), ("x", "codes", "scales")),
}


def _embed(op: Op, setting: Setting) -> Kernel:
    a, (table, *positions) = op.attributes, op.weights
    sizes = a["rows"], a["features"], table.shape[0], setting.ids, setting.scale
    if not positions:
        return Embed(op.name, setting.target, *sizes)
    return Embed(op.name, setting.target, *sizes, positions[0].shape[0], a["position"], a["tokens"])


def _norm(op: Op, setting: Setting) -> Kernel:
    a = op.attributes
    return Norm(op.name, setting.target, a["rows"], a["features"], bool(a["residual"]), setting.eps, setting.every)


def _matmul(op: Op, setting: Setting) -> Kernel:
    a, code = op.attributes, weight_code(parse_format(op.weights[0].format))
    place = a.get("first", 0), a.get("width", 0)
    sizes = a["rows"], a["in_features"], a["out_features"]
    return MatMul(op.name, setting.target, *sizes, code, *place, bias=len(op.weights) > 1)


def _layer_norm(op: Op, setting: Setting) -> Kernel:
    a = op.attributes
    inputs = tuple("x" if tensor.name == "x" else "delta" for tensor in op.inputs)
    choices = bool(a["post"]), bool(a["gelu"]), bool(a.get("out"))
    return LayerNorm(op.name, setting.target, a["rows"], a["features"], inputs, setting.eps, setting.every, *choices)


def _heads_kv(op: Op, setting: Setting) -> Kernel:
    turned = op.attributes.get("rotary") if op.kind == "rope_kv" else 0
    return RopeKv(op.name, setting.target, heads_of(op, setting), turned)


def _attention(op: Op, setting: Setting) -> Kernel:
    a, shape = op.attributes, heads_of(op, setting)
    choices = not a.get("unscaled"), len(op.inputs) > len(_CACHE)
    if "window" not in a:
        return Attention(op.name, setting.target, shape, bool(a["causal"]), 0, *choices)
    if a["causal"]:
        return Attention(op.name, setting.target, shape, True, 0, *choices, a["window"])
    within = replace(shape, context=a["window"])
    return Attention(op.name, setting.target, within, False, shape.context - a["window"], *choices)


def _activation(op: Op, setting: Setting) -> Kernel:
    function, gated = op.kind.removesuffix("_mul"), op.kind.endswith("_mul")
    return Activation(op.name, setting.target, op.attributes["rows"], op.attributes["features"], function, gated)


def _add(op: Op, setting: Setting) -> Kernel:
    deltas = _ARRAYS["add"][1 : len(op.inputs)]
    return Add(op.name, setting.target, op.attributes["rows"], op.attributes["features"], deltas)


def _patches(op: Op, setting: Setting) -> Kernel:
    a = op.attributes
    return Patches(op.name, setting.target, a["rows"], a["features"], a["patches"])


def _route(op: Op, setting: Setting) -> Kernel:
    a = op.attributes
    counts = tuple(a[f"rows_{expert}"] for expert in range(a["experts"]))
    return Route(op.name, setting.target, a["rows"], a["experts"], a["top_k"], counts)


def _expert_rows(op: Op, setting: Setting) -> Kernel:
    a, kernel = op.attributes, Gather if op.kind == "gather" else Scatter
    return kernel(op.name, setting.target, a["rows"], a["features"], a["first"], a["top_k"], a["tokens"])


def _top_k(op: Op, setting: Setting) -> Kernel:
    a = op.attributes
    return TopK(op.name, setting.target, a["rows"], a["features"], a["k"])


def heads_of(op: Op, setting: Setting) -> Heads:
    a = op.attributes
    return Heads(a["rows"], a["batch"], a["heads"], a["kv_heads"], a["head_dim"], a["context"], setting.capacity)


def coded_cache_of(op: Op, setting: Setting) -> CodedCache:
    """Sequences are to the cache as more heads: with one token each, their rows adjoin as heads do.

    Raises:
        InputError: there are several sequences of several tokens.
    """
    shape = heads_of(op, setting)
    if shape.batch > 1 and shape.tokens > 1:
        raise InputError(
            f"op {op.name!r}: prompts of several sequences at once have no kernel with a cache of codes",
            remedy="use batch 1, or kv int8",
        )
    return CodedCache(op.attributes["bits"], shape.head_dim, shape.batch * shape.kv_heads, shape.capacity)


def _encode(op: Op, setting: Setting) -> Kernel:
    shape = heads_of(op, setting)
    return EncodeVectors(op.name, setting.target, shape.tokens, coded_cache_of(op, setting), shape.position)


XQT_KERNELS: dict[str, Maker] = {
    "embed": _embed,
    "norm": _norm,
    "matmul": _matmul,
    "layer_norm": _layer_norm,
    "rope_kv": _heads_kv,
    "heads_kv": _heads_kv,
    "attention": _attention,
    "rope": lambda op, setting: RopeRows(op.name, setting.target, heads_of(op, setting)),
    "encode": _encode,
    "coded_attention": lambda op, setting: CodedAttention(
        op.name, setting.target, heads_of(op, setting), op.attributes["bits"]
    ),
    "quantize": lambda op, setting: Quantize(op.name, setting.target, op.attributes["rows"], op.attributes["features"]),
    "top_k": _top_k,
    "silu_mul": lambda op, setting: SiluMul(op.name, setting.target, op.attributes["rows"], op.attributes["features"]),
    "add": _add,
    "patches": _patches,
    "route": _route,
    "gather": _expert_rows,
    "scatter": _expert_rows,
    **ONNX_KERNELS,
    **dict.fromkeys((*INSTRUCTIONS, *(f"{name}_mul" for name in INSTRUCTIONS)), _activation),
}
