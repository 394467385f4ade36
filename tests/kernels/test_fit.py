"""Scratchpads that are too small are refused with the size that is enough."""

from __future__ import annotations

import re

import pytest

from archsim.common.errors import InputError
from archsim.common.units import whole
from archsim.design import load_design
from archsim.kernels.alone import run_alone
from archsim.kernels.attention import Attention
from archsim.kernels.base import Kernel
from archsim.kernels.heads import Heads
from archsim.kernels.matmul import MatMul
from archsim.kernels.rope import RopeKv
from archsim.kernels.rowops import Norm
from archsim.kernels.silu import SiluMul
from archsim.kernels.target import Target, target_of
from archsim.kernels.weight_code import WeightCode

INT4 = WeightCode("int4-g128", "int4", group=128)
SHAPE = Heads(8, 1, 8, 2, 64, 500, 512)
KERNELS = {
    "norm": lambda target: Norm("norm", target, 8, 4096, True, 1e-5),
    "silu_mul": lambda target: SiluMul("silu_mul", target, 8, 6000),
    "matmul": lambda target: MatMul("matmul", target, 8, 14336, 64, INT4),
    "rope_kv": lambda target: RopeKv("rope_kv", target, SHAPE),
    "attention": lambda target: Attention("attention", target, SHAPE, True),
}


def sized(size: str) -> tuple[object, Target]:
    design = load_design("edge-npu", {"core.scratchpad.size": size})
    return design, target_of(design)


@pytest.mark.parametrize("name", KERNELS)
def test_the_remedy_is_enough(name: str) -> None:
    make = KERNELS[name]
    design, target = sized("4 KiB")
    with pytest.raises(InputError) as caught:
        run_alone(make(target), design, {}, fidelity="addresses")
    assert f"op {name!r} does not fit a scratchpad of 4 KiB" in caught.value.message
    size = re.search(r"set core.scratchpad.size to (\S+ \S+) or more", caught.value.remedy or "")
    assert size
    design, target = sized(size[1])
    kernel: Kernel = make(target)
    run_alone(kernel, design, {}, fidelity="addresses")
    assert whole(size[1], "B") < 128 << 10
