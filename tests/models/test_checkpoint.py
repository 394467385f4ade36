"""Folders of Hugging Face: config.json and the headers of safetensors files must agree."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from archsim.common.errors import InputError
from archsim.common.yamlfile import load_yaml
from archsim.models import load_model
from archsim.models.checkpoint import tensor_shapes
from archsim.models.parameters import NORM, parameters
from tests.models.tiny import CHANGES, SHIPPED, tiny


@pytest.mark.parametrize("name", SHIPPED)
def test_tensors_hold_all_parameters(name: str) -> None:
    """All but the norms': together they are the published count."""
    config = load_model(name).config
    norms = sum(part.elements for part in parameters(config) if part.kind == NORM)
    assert sum(prod(shape) for _, shape in tensor_shapes(config)) + norms == config.parameters


def folder_of(name: str, path: Path, changes: dict[str, Any] | None = None, skip: str = "") -> Path:
    """A checkpoint of the small variant, of zeros, in two files."""
    model = tiny(name, path)
    fields = dict(load_yaml(path / f"tiny-{name}.yaml")["config"])
    folder = path / "checkpoint"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(fields | (changes or {})))
    tensors = {name: np.zeros(shape, np.float16) for name, shape in tensor_shapes(model.config) if name != skip}
    for number in range(2):
        save_file(dict(list(tensors.items())[number::2]), folder / f"model-{number}.safetensors")
    return folder


@pytest.mark.parametrize("name", ["llama-3-8b", "phi-3-mini", "mixtral-8x7b", "gpt2", "gpt-j-6b", "bert-base-uncased",
                                  "vit-base-patch16-224", "t5-small"])  # fmt: skip
def test_a_checkpoint_that_fits_is_a_model(name: str, tmp_path: Path) -> None:
    assert load_model(folder_of(name, tmp_path)).config == tiny(name, tmp_path).config


def test_another_shape_names_the_tensor(tmp_path: Path) -> None:
    folder = folder_of("qwen2-7b", tmp_path, {"num_key_value_heads": 4})
    with pytest.raises(InputError) as error:
        load_model(folder)
    assert str(error.value).replace(f"{folder}/", "") == (
        "model-0.safetensors: tensor 'model.layers.0.self_attn.k_proj.weight' has shape [64, 128], where config.json "
        "makes [128, 128]; give files of one model"
    ).replace("model-0", "model-1")


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    folder = folder_of("gpt2", tmp_path, skip="transformer.h.1.mlp.c_fc.bias")
    with pytest.raises(InputError, match=r"no tensor 'transformer.h.1.mlp.c_fc.bias'; give all files of the model"):
        load_model(folder)


def test_a_folder_of_a_configuration_alone_is_a_model_too(tmp_path: Path) -> None:
    fields = dict(load_yaml(SHIPPED["gpt2"])["config"]) | CHANGES["GPT2LMHeadModel"]
    (tmp_path / "config.json").write_text(json.dumps(fields))
    assert load_model(tmp_path).config.hidden == 128
