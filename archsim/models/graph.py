"""Graphs of ops: what is computed, on which tensors, and how much work that is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from archsim.common.errors import InputError
from archsim.formats import parse_format

_ELEMENT_BYTES = {"float32": 4, "int32": 4, "float16": 2, "int8": 1, "uint8": 1}


@dataclass(frozen=True)
class Tensor:
    """A named array.

    Attributes:
        format: "float32", "float16", "int32", "int8" or "uint8" (codes alone, their scales being another tensor), or,
            of a weight matrix [out, in], the name of a format whose scales are part of `nbytes`.
        nbytes: bytes of storage.
    """

    name: str
    shape: tuple[int, ...]
    format: str
    nbytes: int


def array(name: str, shape: tuple[int, ...], element: str) -> Tensor:
    """A plain array of float32, float16, int32, int8 or uint8."""
    return Tensor(name, shape, element, prod(shape) * _ELEMENT_BYTES[element])


def weight_matrix(name: str, out_features: int, in_features: int, form: str) -> Tensor:
    """A quantised matrix [out_features, in_features] with its scales.

    Raises:
        InputError: the format is unknown, or does not divide the rows.
    """
    try:
        nbytes = parse_format(form).nbytes(out_features, in_features)
    except InputError as error:
        raise InputError(f"{name}, {out_features} x {in_features}: {error.message}", remedy=error.remedy) from None
    return Tensor(name, (out_features, in_features), form, nbytes)


@dataclass(frozen=True)
class Op:
    """A node of a graph.

    Attributes:
        kind: embed, norm, matmul, rope_kv, attention, quantize, silu_mul, add or top_k; with a cache of
            TurboQuant's codes rope, encode and coded_attention; of other architectures layer_norm, heads_kv (rope_kv
            without positions), the activations gelu_tanh, gelu_erf and relu (gated as silu_mul is: with _mul), patches
            (positions and a class token for a vision transformer), route, gather and scatter (experts); of
            ONNX files im2col (windows of images as rows), max_pool, average_pool, and what stays float32: float_relu,
            float_gelu_tanh, float_gelu_erf, float_silu, float_softmax, float_add, float_sub and float_mul.
        attributes: its sizes; `rows` are the tokens it works on.
        inputs, outputs: activations and cache; of a cache, an output is the appended part alone.
        weights: parameters it reads.
    """

    name: str
    kind: str
    attributes: dict[str, int]
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    weights: tuple[Tensor, ...] = ()

    @property
    def macs(self) -> int:
        """Multiply-accumulates of matrix products: rows x in x out; query-key pairs x heads x head_dim, twice."""
        a = self.attributes
        if self.kind == "matmul":
            return a["rows"] * a["in_features"] * a["out_features"]
        if self.kind in ("attention", "coded_attention"):
            return 2 * self._pairs() * a["heads"] * a["head_dim"]
        return 0

    def _pairs(self) -> int:
        """Queries with the keys that they see: with a window no more than the last of them."""
        a = self.attributes
        seen = min(a["context"], a.get("window", a["context"]))
        if not a["causal"]:
            return a["rows"] * seen
        return a["batch"] * (seen * (seen + 1) // 2 + (a["context"] - seen) * seen)

    @property
    def weight_bytes(self) -> int:
        """Bytes of its parameters as stored."""
        return sum(tensor.nbytes for tensor in self.weights)


@dataclass(frozen=True)
class LayerKind:
    """Layers that are equal: their ops, and which they are."""

    ops: tuple[Op, ...]
    layers: tuple[int, ...]


@dataclass(frozen=True)
class Graph:
    """One phase of a model: `embed`, then its layers, then `head`.

    Attributes:
        phase: "prefill" or "decode"; "run" of an ONNX file, which is one layer.
        batch: sequences; of an ONNX file the first dimension of its first input.
        context: tokens of each sequence, the ones being worked on included.
        kinds: of layers, in the order in which they come first; one, unless weights are mixed.
        kv_bytes: bytes of the KV cache of all layers and sequences once the phase is done, scales included.
    """

    phase: str
    batch: int
    context: int
    embed: tuple[Op, ...]
    kinds: tuple[LayerKind, ...]
    head: tuple[Op, ...]
    kv_bytes: int

    @property
    def layer(self) -> tuple[Op, ...]:
        """The ops of the first layer."""
        return self.kinds[0].ops

    @property
    def layers(self) -> int:
        """Layers."""
        return sum(len(kind.layers) for kind in self.kinds)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the whole phase."""
        return sum(times * op.macs for op, times in self.all_ops())

    @property
    def weight_bytes(self) -> int:
        """Bytes of parameters that the phase reads whole: all but tables of which it gathers rows."""
        return sum(times * op.weight_bytes for op, times in self.all_ops() if op.kind != "embed")

    @property
    def table_bytes(self) -> int:
        """Bytes of the tables of which it gathers rows."""
        return sum(times * op.weight_bytes for op, times in self.all_ops() if op.kind == "embed")

    @property
    def idle_bytes(self) -> int:
        """Bytes of experts' weights that it does not read, because no token is routed to them."""
        return sum(len(kind.layers) * _idle_bytes(kind.ops) for kind in self.kinds)

    @property
    def memory_bytes(self) -> int:
        """Bytes that main memory holds: all weights, tables and the KV cache."""
        return self.weight_bytes + self.table_bytes + self.idle_bytes + self.kv_bytes

    @property
    def rows(self) -> int:
        """Rows that the layers work on."""
        return self.layer[0].attributes["rows"]

    def all_ops(self) -> Iterator[tuple[Op, int]]:
        """Every op that differs, and how often it runs."""
        yield from ((op, 1) for op in self.embed)
        for kind in self.kinds:
            yield from ((op, len(kind.layers)) for op in kind.ops)
        yield from ((op, 1) for op in self.head)


def _idle_bytes(ops: tuple[Op, ...]) -> int:
    """Bytes of a layer's experts that no token is routed to; all experts are equally large."""
    experts = max((op.attributes["experts"] for op in ops if op.kind == "route"), default=0)
    read: dict[str, int] = {}
    for op in ops:
        _, dot, number = op.name.rpartition(".")
        if dot and number.isdigit():
            read[number] = read.get(number, 0) + op.weight_bytes
    return (experts - len(read)) * max(read.values()) if experts else 0
