"""What products on XuanTie's tiles ask of a design."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from archsim.common.errors import InputError
from archsim.kernels.rvv.target import RvvTarget, rvv_target_of


@dataclass(frozen=True)
class XuanTieTarget(RvvTarget):
    """A hart with vectors, and tiles that are loaded from the scratchpad.

    Attributes:
        tile: rows of a tile, and rows and columns of an accumulator.
        row_bytes: of a row of a tile.
    """

    tile: int = 16
    row_bytes: int = 64


def xuantie_target_of(design: Any) -> XuanTieTarget:
    """The capabilities of a Design that has V and XTheadMatrix.

    Raises:
        InputError: it lacks something of what kernels of RVV need, or a unit or memory for tiles.
    """
    from archsim.isa.load import load_isa

    own = rvv_target_of(design)
    parameters = load_isa(*design.isa, parameters=design.parameters).parameters
    for broken, problem, remedy in (
        (not design.core.matrix.formats.get("int8"), "has no unit that multiplies int8", "add core.matrix"),
        (not own.scratchpad, "has no scratchpad, from which tiles are loaded", "add core.scratchpad"),
    ):
        if broken:
            raise InputError(f"design {design.name} cannot run XuanTie's kernels: it {problem}", remedy=remedy)
    same = {field.name: getattr(own, field.name) for field in fields(own)}
    return XuanTieTarget(**same, tile=parameters["ROWNUM"], row_bytes=parameters["TRLEN"] // 8)
