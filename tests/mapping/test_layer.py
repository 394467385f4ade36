"""A whole decoder layer as one program equals the chain of reference kernels, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archsim.common.errors import InputError
from archsim.design import load_design
from archsim.machine.run import run
from archsim.mapping import simulate
from archsim.mapping.bind import Setting, bind_all
from archsim.mapping.families import family_of
from archsim.mapping.layer import write_program
from archsim.models import load_model
from archsim.models.graph import Op
from tests.mapping.whole import NumpyLayer


def run_layer(design: Any, phase: str, batch: int, context: int, form: str = "int4-g128", kv: str = "int8") -> None:
    model = load_model("tiny-llama-test", weights=form, kv=kv)
    graph = model.graph(phase, batch, context)
    family, capacity = family_of(design), context + 3
    setting = Setting(family.target, model.config.norm_eps, capacity, kernels=family.kernels)
    program = write_program("layer", bind_all(graph.layer, setting), design)
    layer = NumpyLayer(model.config, family.target)
    layer.prepare(graph.layer, graph.layer[0].attributes["rows"], batch, context, capacity)
    caches = [f"{name}.{part}" for name in ("k_cache", "v_cache") for part in ("codes", "scales")]
    if kv != "int8":
        layer.prepare_codes(model.kv.bits, batch, capacity)
        caches = [name.replace("scales", "norms") for name in caches]
    timed = run(program.program, design, memory=layer.memory(program))
    layer.run(graph.layer)
    for name in ("attention", "x", *caches):
        address, array = program.plan.tensors[name]
        found = array.load(timed.read(address, array.nbytes))
        np.testing.assert_array_equal(found, layer.values[name].reshape(array.shape), err_msg=name)
    addresses = run(program.program, design, fidelity="addresses")
    assert addresses.cycles == timed.cycles
    assert [r.region for r in timed.regions] == list(range(len(graph.layer)))


@pytest.mark.parametrize("design", ["edge-npu", "edge-npu-int8", "server-npu"])
@pytest.mark.parametrize("phase, batch, context", [("decode", 1, 50), ("decode", 3, 130), ("prefill", 2, 37)])
def test_tiny_layer(design: str, phase: str, batch: int, context: int) -> None:
    run_layer(load_design(design), phase, batch, context)


@pytest.mark.parametrize("form", ["int8", "int4-g32", "int8-channel", "int2-g64-asym"])
def test_other_weight_formats(form: str) -> None:
    run_layer(load_design("edge-npu"), "decode", 2, 20, form)


@pytest.mark.parametrize("form", ["q4_k", "mxfp4", "nf4-g64"])
def test_formats_that_need_their_own_multipliers(form: str) -> None:
    run_layer(load_design("edge-npu-formats"), "prefill", 1, 20, form)


@pytest.mark.parametrize("design", ["edge-npu", "server-npu"])
def test_matrices_of_a_layer_in_formats_of_their_own(design: str, tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        "default: int4-g64\nmatrices:\n  model.layers.0.self_attn.k_proj: int8\n"
        "  model.layers.0.mlp.up_proj: ternary-g64\n  model.layers.0.mlp.down_proj: int2-g32-asym\n"
    )
    run_layer(load_design(design), "prefill", 2, 21, f"mixed:{plan}")


@pytest.mark.parametrize("kv, phase, batch", [("turboquant-3", "decode", 2), ("turboquant-2", "prefill", 1)])
def test_a_cache_of_codes(kv: str, phase: str, batch: int) -> None:
    run_layer(load_design("edge-npu-formats", {"cores": 2}), phase, batch, 35, kv=kv)


@pytest.mark.parametrize(
    "design, phase, batch", [("edge-rvv", "decode", 2), ("edge-rvv", "prefill", 1), ("edge-xuantie", "prefill", 1)]
)
def test_kernels_of_other_instruction_sets(design: str, phase: str, batch: int) -> None:
    run_layer(load_design(design), phase, batch, 35, kv="turboquant-3")


def test_an_op_without_a_kernel_is_named() -> None:
    design = load_design("edge-rvv")
    family, unknown = family_of(design), Op("mixer", "convolution", {})
    with pytest.raises(InputError, match=r"op .mixer.: .* has no kernel for ops of kind convolution"):
        bind_all([unknown], Setting(family.target, 1e-5, 16, kernels=family.kernels))


@pytest.mark.parametrize(
    "model, words",
    [
        ("gpt2", "no kernel for ops of kind layer_norm"),
        ("qwen2-0.5b", "its bias has no kernel on this design"),
        ("gemma-2b", "heads of 256 have no kernel of RVV"),
    ],
)
def test_what_kernels_of_rvv_lack_is_named(model: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        simulate(model, "edge-rvv", phase="decode", context=8)


def test_prompts_of_several_sequences_have_no_kernel_with_codes() -> None:
    with pytest.raises(InputError, match="use batch 1, or kv int8"):
        run_layer(load_design("edge-npu-formats"), "prefill", 2, 20, kv="turboquant-3")


def test_several_cores_of_the_small_kind() -> None:
    run_layer(load_design("edge-npu", {"cores": 3}), "prefill", 2, 21)


@pytest.mark.parametrize("size", ["32 KiB", "64 KiB"])
def test_small_scratchpads_give_the_same_values(size: str) -> None:
    run_layer(load_design("edge-npu", {"core.scratchpad.size": size}), "prefill", 1, 150)
