"""The mapping that a search chooses, against all that fit, each of them simulated."""

from __future__ import annotations

import pytest

from archsim.common.errors import InputError
from archsim.design import load_design
from archsim.formats import parse_format
from archsim.kernels.attention import Attention
from archsim.kernels.base import Kernel
from archsim.kernels.heads import Heads
from archsim.kernels.matmul import MatMul
from archsim.kernels.rowops import Add, Norm, Quantize
from archsim.kernels.silu import SiluMul
from archsim.kernels.target import Target, target_of
from archsim.kernels.weight_code import weight_code
from archsim.mapping.search import fitting_tilings, run_tiling, search

SETTINGS = {
    "edge-npu": {"core.scratchpad.size": "192 KiB"},
    "octa-npu": {"core.scratchpad.size": "192 KiB"},
    "systolic-128": {},
}
PRODUCTS = [
    (1, 512, 512), (1, 1024, 256), (5, 512, 384), (16, 256, 1024), (33, 768, 512), (100, 512, 512), (128, 256, 256),
    (200, 384, 300),
]  # fmt: skip
"""Rows, input and output features."""


def _matmul(target: Target, rows: int, depth: int, columns: int, form: str = "int4-g64") -> Kernel:
    return MatMul("op", target, rows, depth, columns, weight_code(parse_format(form)))


def _attention(target: Target, tokens: int, context: int) -> Kernel:
    return Attention("op", target, Heads(tokens, 1, 8, 2, 64, context, context + 256), causal=tokens > 1)


def _cases() -> list[tuple[str, Kernel]]:
    result = []
    for design in SETTINGS:
        target = target_of(load_design(design, SETTINGS[design]))
        result += [(design, _matmul(target, *sizes)) for sizes in PRODUCTS]
    edge = target_of(load_design("edge-npu", SETTINGS["edge-npu"]))
    others = [
        _matmul(edge, 24, 640, 320, "int8-channel"),
        _attention(edge, 1, 300),
        _attention(edge, 40, 40),
        Norm("op", edge, 7, 1024, True, 1e-5),
        Quantize("op", edge, 9, 2048),
        SiluMul("op", edge, 3, 3072),
        Add("op", edge, 6, 768),
    ]
    return result + [("edge-npu", kernel) for kernel in others]


CASES = _cases()


def test_there_are_thirty() -> None:
    assert len(CASES) >= 30


@pytest.mark.parametrize("number", range(len(CASES)))
def test_chosen_mapping_is_within_five_percent_of_the_best(number: int) -> None:
    name, kernel = CASES[number]
    design = load_design(name, SETTINGS[name])
    runs = {tiling: run_tiling(kernel, tiling, design) for tiling in fitting_tilings(kernel)}
    every = {tiling: run.cycles for tiling, run in runs.items()}
    found = search(kernel, design)
    assert found.cycles <= 1.05 * min(every.values())
    assert found.cycles == every[found.tiling]
    assert len(found.trials) <= 12
    for tiling, cycles in every.items():
        assert kernel.bound(tiling) <= cycles


def test_least_energy_is_another_objective() -> None:
    design = load_design("octa-npu", SETTINGS["octa-npu"])
    kernel = _matmul(target_of(design), 64, 1024, 256)
    found = search(kernel, design, objective="energy")
    assert found.energy_j == min(trial.energy_j for trial in found.trials)
    assert found.energy_j <= search(kernel, design).energy_j
    with pytest.raises(InputError, match="unknown objective 'time'; use cycles or energy"):
        search(kernel, design, objective="time")


def test_what_does_not_fit_says_how_much_would() -> None:
    small = load_design("edge-npu", {"core.scratchpad.size": "4 KiB"})
    with pytest.raises(InputError, match=r"none of \d+ tilings fits a scratchpad of 4 KiB") as caught:
        search(_matmul(target_of(small), 1, 4096, 256), small)
    needed = int(caught.value.remedy.split("to ")[1].split(" KiB")[0])
    for size, fits in ((needed, True), (needed - 1, False)):
        kernel = _matmul(target_of(load_design("edge-npu", {"core.scratchpad.size": f"{size} KiB"})), 1, 4096, 256)
        assert bool(_fits(kernel)) == fits


def _fits(kernel: Kernel) -> bool:
    try:
        return bool(fitting_tilings(kernel))
    except InputError:
        return False
