"""Weights of ONNX products: float32 ones take the format that the user names, quantised ones keep their codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from archsim.common.errors import InputError
from archsim.formats import Packed, parse_format, quantize
from archsim.formats.cast import to_float16
from archsim.formats.packing import pack_bits
from archsim.models.onnx.file import Node, OnnxFile

_BITS = {"int8": 8, "int4": 4}


@dataclass(frozen=True)
class Weight:
    """A constant array as the file has it, or a view of it with other axes.

    Attributes:
        values: floats, or int8 codes.
        scales: None of floats; of codes float32 with as many axes, each of which is 1 or divides that of the codes.
        bits: of a code.
    """

    values: np.ndarray
    scales: np.ndarray | None = None
    bits: int = 0

    def transposed(self, *axes: int) -> Weight:
        """With axes in another order."""
        scales = None if self.scales is None else self.scales.transpose(axes)
        return replace(self, values=self.values.transpose(axes), scales=scales)

    def scaled(self, factors: np.ndarray) -> Weight:
        """Each index of the first axis times a number: floats themselves, of codes their scales."""
        spread = factors.reshape(-1, *(1,) * (self.values.ndim - 1))
        if self.scales is None:
            return replace(self, values=self.values * spread)
        return replace(self, scales=self.scales * spread)

    def matrix(self) -> Weight:
        """[out_features, in_features]: the first axis, and all others as one.

        Raises:
            InputError: scales differ along more than one of them.
        """
        rows = len(self.values)
        if self.scales is None:
            return Weight(self.values.reshape(rows, -1))
        if self.values.ndim > 2 and self.scales.size != len(self.scales):
            raise InputError("its scales differ within an output channel", remedy="use one per channel")
        return replace(self, values=self.values.reshape(rows, -1), scales=self.scales.reshape(len(self.scales), -1))

    def format(self, wanted: str) -> str:
        """The name of the format of a matrix: `wanted` for floats; of codes intN-channel, or intN-gB.

        Raises:
            InputError: no format has such scales.
        """
        if self.scales is None:
            return wanted
        groups, columns = self.scales.shape[1], self.values.shape[1]
        if len(self.scales) not in (1, len(self.values)) or (groups > 1 and columns % groups):
            raise InputError(
                f"scales of shape {self.scales.shape} for a matrix of {self.values.shape}",
                remedy="use one per output channel, or for blocks along the input features",
            )
        return f"int{self.bits}-channel" if groups == 1 else f"int{self.bits}-g{columns // groups}"

    def packed(self, form: str) -> Packed:
        """The matrix in a format; codes as they are, their scales as float16 (within 2^-11 of themselves).

        Raises:
            InputError: the weights, or their scales, do not fit the format.
        """
        if self.scales is None:
            return quantize(self.values.astype(np.float32), form)
        rows, columns = self.values.shape
        scales, fits = to_float16(np.broadcast_to(self.scales, (rows, self.scales.shape[1])))
        if not fits:
            raise InputError("a scale does not fit float16", remedy="scale the weights")
        codes = pack_bits(np.ascontiguousarray(self.values).view(np.uint8), self.bits)
        return Packed(parse_format(form), (rows, columns), {"codes": codes, "scales": scales})


def find_weight(file: OnnxFile, makers: Mapping[str, Node], name: str) -> Weight | None:
    """The constant of a name: of the file, or made by DequantizeLinear or Transpose of one; None if it is not constant.

    Args:
        makers: the node that makes each value.

    Raises:
        InputError: it is quantised in a way that no format has.
    """
    values = file.constant(name)
    if values is not None:
        return Weight(values)
    node = makers.get(name)
    if node is None:
        return None
    if node.op == "Transpose":
        source = find_weight(file, makers, node.inputs[0])
        axes = node.attributes.get("perm")
        return source.transposed(*(axes or reversed(range(source.values.ndim)))) if source else None
    return _quantized(file, node) if node.op == "DequantizeLinear" else None


def _quantized(file: OnnxFile, node: Node) -> Weight | None:
    codes, scales = (file.constant(node.input(number)) for number in range(2))
    if codes is None or scales is None:
        return None
    zeros = file.constant(node.input(2))
    if codes.dtype.name not in _BITS or (zeros is not None and zeros.astype(np.int8).any()):
        raise InputError("its codes have zero points", remedy="quantise symmetrically, to int8 or int4")
    return Weight(codes.astype(np.int8), _spread(node, codes, scales.astype(np.float32)), _BITS[codes.dtype.name])


def _spread(node: Node, codes: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Scales with as many axes as the codes."""
    if scales.ndim == codes.ndim:
        return scales
    shape = [1] * codes.ndim
    if scales.size > 1:
        axis = node.attributes.get("axis", 1)
        if not -codes.ndim <= axis < codes.ndim:
            raise InputError(f"axis {axis} of a matrix of {codes.ndim} dimensions", remedy="repair the file")
        shape[axis] = scales.size
    return scales.reshape(shape)
