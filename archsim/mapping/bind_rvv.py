"""Ops bound to kernels of RVV, and to products on XuanTie's tiles."""

from __future__ import annotations

from archsim.common.errors import InputError
from archsim.formats import parse_format
from archsim.kernels.base import Kernel
from archsim.kernels.rvv.attention import Attention
from archsim.kernels.rvv.coded_attention import CodedAttention
from archsim.kernels.rvv.encode import EncodeVectors
from archsim.kernels.rvv.matmul import MatMul
from archsim.kernels.rvv.rope import RopeKv
from archsim.kernels.rvv.rope_rows import RopeRows
from archsim.kernels.rvv.rows import Add, Embed, Norm, Quantize
from archsim.kernels.rvv.silu import SiluMul
from archsim.kernels.rvv.target import RvvTarget
from archsim.kernels.rvv.weights import require_columns
from archsim.kernels.top_k import TopK
from archsim.kernels.xuantie.matmul import MatMul as XuanTieMatMul
from archsim.kernels.xuantie.target import XuanTieTarget
from archsim.mapping.bind import Maker, Setting, coded_cache_of, heads_of
from archsim.models.graph import Op


def _target(setting: Setting) -> RvvTarget:
    assert isinstance(setting.target, RvvTarget)
    return setting.target


def _require_plain(op: Op, *choices: str) -> None:
    """Refuse an op with a choice that kernels of RVV do not have.

    Raises:
        InputError: it has one of them.
    """
    for choice in choices:
        if choice in op.attributes:
            raise InputError(
                f"op {op.name!r}: {_CHOICES[choice]} have no kernel of RVV",
                remedy="use a design with xqt tiles, such as edge-npu",
            )


_CHOICES = {
    "rotary": "positions on a part of each head",
    "window": "windows that slide",
    "unscaled": "scores that are not scaled",
}
"""Attributes of ops that Llama's do not have, and what they are for."""


def _embed(op: Op, setting: Setting) -> Kernel:
    if setting.scale != 1:
        raise InputError(
            f"op {op.name!r}: scaled embeddings have no kernel of RVV",
            remedy="use a design with xqt tiles, such as edge-npu",
        )
    a, table = op.attributes, op.weights[0]
    return Embed(op.name, _target(setting), a["rows"], a["features"], table.shape[0], setting.ids)


def _norm(op: Op, setting: Setting) -> Kernel:
    a = op.attributes
    return Norm(op.name, _target(setting), a["rows"], a["features"], bool(a["residual"]), setting.eps, setting.every)


def _matmul(op: Op, setting: Setting) -> Kernel:
    a, form = op.attributes, require_columns(parse_format(op.weights[0].format))
    place = a.get("first", 0), a.get("width", 0)
    return MatMul(op.name, _target(setting), a["rows"], a["in_features"], a["out_features"], form, *place)


def _xuantie_matmul(op: Op, setting: Setting) -> Kernel:
    a, form, target = op.attributes, require_columns(parse_format(op.weights[0].format)), setting.target
    assert isinstance(target, XuanTieTarget)
    place = a.get("first", 0), a.get("width", 0)
    return XuanTieMatMul(op.name, target, a["rows"], a["in_features"], a["out_features"], form, *place)


def _rope_kv(op: Op, setting: Setting) -> Kernel:
    _require_plain(op, "rotary")
    return RopeKv(op.name, _target(setting), heads_of(op, setting))


def _attention(op: Op, setting: Setting) -> Kernel:
    _require_plain(op, "window", "unscaled")
    return Attention(op.name, _target(setting), heads_of(op, setting), bool(op.attributes["causal"]))


def _rope(op: Op, setting: Setting) -> Kernel:
    _require_plain(op, "rotary")
    return RopeRows(op.name, _target(setting), heads_of(op, setting))


def _encode(op: Op, setting: Setting) -> Kernel:
    shape = heads_of(op, setting)
    return EncodeVectors(op.name, _target(setting), shape.tokens, coded_cache_of(op, setting), shape.position)


def _coded_attention(op: Op, setting: Setting) -> Kernel:
    _require_plain(op, "window", "unscaled")
    return CodedAttention(op.name, _target(setting), heads_of(op, setting), op.attributes["bits"])


def _quantize(op: Op, setting: Setting) -> Kernel:
    return Quantize(op.name, _target(setting), op.attributes["rows"], op.attributes["features"])


def _silu_mul(op: Op, setting: Setting) -> Kernel:
    return SiluMul(op.name, _target(setting), op.attributes["rows"], op.attributes["features"])


def _add(op: Op, setting: Setting) -> Kernel:
    return Add(op.name, _target(setting), op.attributes["rows"], op.attributes["features"])


def _top_k(op: Op, setting: Setting) -> Kernel:
    """Scalar code, the same on every design."""
    a = op.attributes
    return TopK(op.name, setting.target, a["rows"], a["features"], a["k"])


RVV_KERNELS: dict[str, Maker] = {
    "embed": _embed,
    "norm": _norm,
    "matmul": _matmul,
    "rope_kv": _rope_kv,
    "attention": _attention,
    "rope": _rope,
    "encode": _encode,
    "coded_attention": _coded_attention,
    "quantize": _quantize,
    "silu_mul": _silu_mul,
    "add": _add,
    "top_k": _top_k,
}
XUANTIE_KERNELS: dict[str, Maker] = {**RVV_KERNELS, "matmul": _xuantie_matmul}
