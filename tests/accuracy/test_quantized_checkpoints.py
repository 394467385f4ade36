"""Checkpoints as GPTQ and AWQ write them are the weights that their codes stand for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from archsim.accuracy.llama import FINAL_NORM, NORMS, TABLE
from archsim.accuracy.load import load_llama, reference_folder
from archsim.common.errors import InputError
from archsim.formats import parse_format
from archsim.formats.checkpoint_packing import pack_awq, pack_gptq, pack_gptq_zeros
from archsim.formats.packing import unpack_bits
from archsim.models.matrices import LINEARS, layer_part

GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 16}
AWQ = {"quant_method": "awq", "bits": 4, "group_size": 16, "version": "gemm"}


def write(folder: Path, scheme: dict, missing: str = "") -> dict[str, np.ndarray]:
    """A model of one layer, quantised to int4-g16-asym; what is expected of its matrices."""
    config = json.loads((reference_folder() / "config.json").read_text())
    config |= {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 2,
               "head_dim": 8, "intermediate_size": 64, "quantization_config": scheme}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    sizes = [(32, 32), (16, 32), (16, 32), (32, 32), (64, 32), (64, 32), (32, 64)]
    random = np.random.default_rng(0)
    tensors, expected = {f"{TABLE}.weight": np.zeros((256, 32), np.float32)}, {}
    for name in (FINAL_NORM, *(layer_part(0, part) for part in NORMS)):
        tensors[f"{name}.weight"] = np.ones(32, np.float32)
    for part, size in zip(LINEARS, sizes, strict=True):
        name, form = layer_part(0, part), parse_format("int4-g16-asym")
        packed = form.quantize(random.normal(size=size).astype(np.float32))
        zeros = unpack_bits(packed.arrays["zeros"], 4, size[1] // 16)
        tensors[f"{name}.scales"] = np.ascontiguousarray(packed.scales.T)
        if scheme["quant_method"] == "awq":
            words, of_zeros = pack_awq(packed.codes), pack_awq(zeros)
        else:
            version = 2 if scheme.get("checkpoint_format") == "gptq_v2" else 1
            words, of_zeros = pack_gptq(packed.codes), pack_gptq_zeros(zeros, 4, version)
            tensors[f"{name}.g_idx"] = np.arange(size[1], dtype=np.int32) // 16
        tensors |= {f"{name}.qweight": words, f"{name}.qzeros": of_zeros}
        expected[name] = packed.dequantize()
    kept = {name: values for name, values in tensors.items() if not missing or not name.endswith(missing)}
    save_file(kept, folder / "model.safetensors")
    return expected


@pytest.mark.parametrize("scheme", [GPTQ, {**GPTQ, "checkpoint_format": "gptq_v2"}, AWQ])
def test_weights_are_what_was_quantised(scheme: dict, tmp_path: Path) -> None:
    expected = write(tmp_path, scheme)
    model = load_llama(tmp_path)
    for name, weight in expected.items():
        assert np.array_equal(model.weights[name], weight)


@pytest.mark.parametrize(
    ("scheme", "missing", "message"),
    [
        (GPTQ, "qzeros", "no tensor 'qzeros'"),
        (GPTQ, "qweight", "no tensor 'model.layers.0.self_attn.q_proj.weight'"),
        ({**GPTQ, "bits": 3}, "", "gptq of 3 bits"),
        ({**GPTQ, "checkpoint_format": "marlin"}, "", "layout 'marlin'"),
        ({**AWQ, "version": "gemv"}, "", "layout 'gemv'"),
        ({"quant_method": "bitsandbytes"}, "", "bitsandbytes"),
    ],
)
def test_checkpoints_that_are_refused(scheme: dict, missing: str, message: str, tmp_path: Path) -> None:
    write(tmp_path, scheme, missing)
    with pytest.raises(InputError, match=message):
        load_llama(tmp_path)
