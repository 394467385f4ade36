"""Ops of a graph bound to kernels, and the kernels' arrays to the graph's tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from archsim.common.errors import InputError
from archsim.formats import parse_format
from archsim.kernels.argmax import ArgMax
from archsim.kernels.attention import Attention
from archsim.kernels.base import Kernel
from archsim.kernels.coded_attention import CodedAttention
from archsim.kernels.heads import Heads
from archsim.kernels.matmul import MatMul
from archsim.kernels.rope import RopeKv
from archsim.kernels.rope_rows import RopeRows
from archsim.kernels.rowops import Add, Embed, Norm, Quantize
from archsim.kernels.silu import SiluMul
from archsim.kernels.target import Target
from archsim.kernels.turboquant import CodedCache, EncodeVectors
from archsim.kernels.weight_code import weight_code
from archsim.models.graph import Op

ROPE_TABLE = "rope_table"

Maker = Callable[[Op, "Setting"], Kernel]
"""What makes an op's kernel."""


@dataclass(frozen=True)
class Setting:
    """What ops do not say themselves.

    Attributes:
        eps: of the norms.
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
    kernel = setting.kernels[op.kind](op, setting)
    names = [tensor.name for tensor in (*op.inputs, *op.weights)]
    names += [tensor.name for tensor in op.outputs if tensor.name not in names]
    arrays = _ARRAYS[op.kind]
    if op.kind == "norm" and not op.attributes["residual"]:
        arrays = tuple(name for name in arrays if name != "delta")
    if op.kind in ("rope_kv", "rope"):
        names.insert(1, ROPE_TABLE)
    own = {name: f"{op.name}.{name}" for name in kernel.arrays() if name not in arrays}
    return Bound(op, kernel, dict(zip(arrays, names, strict=True)) | own)


def bind_all(ops: Sequence[Op], setting: Setting) -> tuple[Bound, ...]:
    return tuple(bind(op, setting) for op in ops)


_CACHE = ("q", "q_scales", "k", "k_scales", "v", "v_scales")
_CODED = ("signs", "levels", "k_codes", "k_norms", "v_codes", "v_norms")
_ARRAYS = {
    "embed": ("ids", "table", "x"),
    "matmul": ("codes", "scales", "weights", "out"),
    "rope_kv": ("qkv", "table", *_CACHE),
    "attention": (*_CACHE, "out"),
    "rope": ("qkv", "table", "q", "k", "v"),
    "encode": ("x", "signs", "levels", "codes", "norms"),
    "coded_attention": ("q", *_CODED, "out"),
    "quantize": ("x", "codes", "scales"),
    "silu_mul": ("gate_up", "codes", "scales"),
    "add": ("x", "delta"),
    "norm": ("x", "delta", "gamma", "codes", "scales"),
    "argmax": ("logits", "token"),
}


def _embed(op: Op, setting: Setting) -> Kernel:
    a, table = op.attributes, op.weights[0]
    return Embed(op.name, setting.target, a["rows"], a["features"], table.shape[0], setting.ids)


def _norm(op: Op, setting: Setting) -> Kernel:
    a = op.attributes
    return Norm(op.name, setting.target, a["rows"], a["features"], bool(a["residual"]), setting.eps, setting.every)


def _matmul(op: Op, setting: Setting) -> Kernel:
    a, code = op.attributes, weight_code(parse_format(op.weights[0].format))
    place = a.get("first", 0), a.get("width", 0)
    return MatMul(op.name, setting.target, a["rows"], a["in_features"], a["out_features"], code, *place)


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
    "rope_kv": lambda op, setting: RopeKv(op.name, setting.target, heads_of(op, setting)),
    "attention": lambda op, setting: Attention(
        op.name, setting.target, heads_of(op, setting), bool(op.attributes["causal"])
    ),
    "rope": lambda op, setting: RopeRows(op.name, setting.target, heads_of(op, setting)),
    "encode": _encode,
    "coded_attention": lambda op, setting: CodedAttention(
        op.name, setting.target, heads_of(op, setting), op.attributes["bits"]
    ),
    "quantize": lambda op, setting: Quantize(op.name, setting.target, op.attributes["rows"], op.attributes["features"]),
    "argmax": lambda op, setting: ArgMax(op.name, setting.target, op.attributes["rows"], op.attributes["features"]),
    "silu_mul": lambda op, setting: SiluMul(op.name, setting.target, op.attributes["rows"], op.attributes["features"]),
    "add": lambda op, setting: Add(op.name, setting.target, op.attributes["rows"], op.attributes["features"]),
}
