"""Weights as kernels of RVV read them: output columns side by side, so that one scalar of the input meets a vector.

Columns come in blocks of as many as a register has bytes, the last one narrower. A block's codes are rows over its
columns: of int8 one for each input feature, of int4 one for two of them, the first in the low half of each byte.
Behind the codes of all blocks stand the scales, float16, block by block: for each group a row over the columns. That
makes just the bytes that the format has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from archsim.common.errors import InputError
from archsim.formats import Format, IntegerFormat, Packed
from archsim.formats.integer import AsymmetricFormat
from archsim.kernels.rvv.target import STEP


@dataclass(frozen=True)
class ColumnLayout:
    """Sizes of weights [out_features, in_features].

    Attributes:
        bits: of a code, 4 or 8.
        group: weights that share a scale; 0: a row.
        columns: of a block.
    """

    out_features: int
    in_features: int
    bits: int
    group: int
    columns: int

    @property
    def blocks(self) -> int:
        return -(-self.out_features // self.columns)

    @property
    def groups(self) -> int:
        """Scales of a row."""
        return self.in_features // self.group if self.group else 1

    @property
    def code_rows(self) -> int:
        """Rows of a block's codes."""
        return self.in_features * self.bits // 8

    @property
    def code_bytes(self) -> int:
        """Bytes of all codes."""
        return self.code_rows * self.out_features

    @property
    def nbytes(self) -> int:
        return self.code_bytes + 2 * self.groups * self.out_features


def require_columns(form: Format) -> IntegerFormat:
    """A format of weights that kernels of RVV multiply.

    Raises:
        InputError: it is another.
    """
    symmetric = isinstance(form, IntegerFormat) and not isinstance(form, AsymmetricFormat)
    if not isinstance(form, IntegerFormat) or not symmetric or form.bits not in (4, 8) or form.scope == "token":
        raise InputError(
            f"no kernel of RVV multiplies weights of format {form.name!r}",
            remedy="use int4 or int8 (as in int4-g64), or a design with xqt tiles such as edge-npu-formats",
        )
    return form


def column_layout(name: str, form: IntegerFormat, out_features: int, in_features: int, columns: int) -> ColumnLayout:
    """The layout of an op's weights.

    Raises:
        InputError: rows are of no whole pairs and groups.
    """
    group = form.group or 2
    if in_features % 2 or group % 2 or in_features % group or (group > STEP and group % STEP):
        raise InputError(
            f"op {name!r}: kernels of RVV take weights in pairs, not rows of {in_features} in groups of {form.group}",
            remedy=f"use even groups that divide the rows, of up to {STEP} or a multiple of it",
        )
    return ColumnLayout(out_features, in_features, form.bits, form.group, columns)


def pack_columns(packed: Packed, layout: ColumnLayout) -> np.ndarray:
    """A quantised matrix in the layout: uint8 [layout.nbytes]."""
    codes: np.ndarray = packed.codes.view(np.uint8)
    scales = np.broadcast_to(packed.scales, (layout.out_features, layout.groups))
    if layout.bits == 4:
        codes = (codes[:, 0::2] & 15) | codes[:, 1::2] << 4
    starts = range(0, layout.out_features, layout.columns)
    blocks = [matrix[first : first + layout.columns].T for matrix in (codes, scales) for first in starts]
    return np.concatenate([np.ascontiguousarray(block).view(np.uint8).reshape(-1) for block in blocks])
