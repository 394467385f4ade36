"""All models that ship on all designs that ship: a result whose work is all of the model's, or one clear message.

Takes an hour or two, and so runs only with ARCHSIM_FUZZ=models.
"""

from __future__ import annotations

import os

import pytest

import archsim
from archsim.common.errors import InputError
from archsim.common.resources import shipped

MODELS = shipped("workloads/models", ".yaml")
DESIGNS = shipped("configs/designs", ".yaml")
MESSAGES = (
    "cannot run model kernels",
    "of main memory",
    "has no kernel",
    "have no kernel",
    "kernels of RVV take",
    "is more than",
)
pytestmark = pytest.mark.skipif(
    os.environ.get("ARCHSIM_FUZZ") != "models", reason="takes an hour or two: ARCHSIM_FUZZ is not models"
)


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("name", MODELS)
def test_every_model_on_every_design(name: str, design: str) -> None:
    model = archsim.load_model(name)
    decodes = model.config.role != "encoder"
    for phase in ("prefill", "decode") if decodes else ("prefill",):
        context = model.config.max_positions if model.config.image else 16
        graph = model.graph(phase, 1, context)
        try:
            result = archsim.simulate(model, design, phase=phase, context=context)
        except InputError as error:
            print(f"{name} {phase} on {design}: {error}")
            assert error.remedy
            assert any(words in str(error) for words in MESSAGES), error
            return
        print(f"{name} {phase} on {design}: {result.cycles:,} cycles, {result.instructions:,} instructions")
        assert all(op.cycles > 0 for op in result.ops)
        assert sum(op.macs * op.times for op in result.ops) == graph.macs
        assert sum(op.weight_bytes * op.times for op in result.ops) == graph.weight_bytes + graph.table_bytes
        assert result.time_s >= result.macs_total / result.peak_macs_per_s if result.peak_macs_per_s else True
        moved = result.dram_read_bytes + result.dram_write_bytes
        assert result.time_s >= moved / result.dram_peak_bytes_per_s
        assert moved >= graph.weight_bytes
