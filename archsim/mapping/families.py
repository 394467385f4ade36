"""Families of kernels: which one a design's instruction set has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from archsim.common.errors import InputError
from archsim.formats import Format
from archsim.kernels.rvv.target import rvv_target_of
from archsim.kernels.rvv.weights import require_columns
from archsim.kernels.target import Target, target_of
from archsim.kernels.weight_code import weight_code
from archsim.kernels.xuantie.target import xuantie_target_of
from archsim.mapping.bind import XQT_KERNELS, Maker
from archsim.mapping.bind_rvv import RVV_KERNELS, XUANTIE_KERNELS


@dataclass(frozen=True)
class Family:
    """Kernels on an instruction set.

    Attributes:
        target: what they ask of the design.
        kernels: for each kind of op what makes its kernel.
        check_weights: raises InputError for a format of weights that they do not multiply.
    """

    target: Target
    kernels: Mapping[str, Maker]
    check_weights: Callable[[Format], object]


def family_of(design: Any) -> Family:
    """The kernels of a design: on xqt's tiles, on XuanTie's with RVV beside them, or in RVV alone.

    Raises:
        InputError: its instruction set has neither, or lacks something of it.
    """
    from archsim.isa.load import load_isa

    extensions = load_isa(*design.isa, parameters=design.parameters).extensions
    if "Xqt" in extensions:
        return Family(target_of(design), XQT_KERNELS, weight_code)
    if {"XTheadMatrix", "V"} <= extensions.keys():
        return Family(xuantie_target_of(design), XUANTIE_KERNELS, require_columns)
    if "V" in extensions:
        return Family(rvv_target_of(design), RVV_KERNELS, require_columns)
    raise InputError(
        f"design {design.name} cannot run model kernels: it has neither xqt tiles nor vectors",
        remedy="add xqt, or v and zvfh, to its isa; or use the design edge-npu, edge-rvv or edge-xuantie",
    )
