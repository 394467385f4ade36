"""Finding models by name, file and folder; which formats are for what."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import archsim
from archsim.common.errors import InputError
from archsim.common.resources import data_root, shipped
from archsim.common.yamlfile import load_yaml

MODELS = shipped("workloads/models", ".yaml")
TINY = json.dumps(load_yaml(MODELS["tiny-llama-test"])["config"])
"""The small model as a config.json."""


@pytest.mark.parametrize("name", MODELS)
def test_every_shipped_model_loads_and_names_its_source(name: str) -> None:
    model = archsim.load_model(name)
    context = model.config.max_positions if model.config.image else 128
    assert model.graph("prefill", context=context).macs > 0
    assert load_yaml(MODELS[name])["source"]


def test_the_test_model_says_that_it_is_synthetic() -> None:
    assert load_yaml(MODELS["tiny-llama-test"])["source"].startswith("synthetic")


def test_llama_3_8b_is_the_real_one() -> None:
    config = archsim.load_model("llama-3-8b").config
    assert (config.rope_theta, config.norm_eps, config.max_positions) == (500000.0, 1e-5, 8192)
    assert (config.vocab, config.tied) == (128256, False)


def test_a_folder_or_a_file_of_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "my-model"
    folder.mkdir()
    (folder / "config.json").write_text(TINY)
    (folder / "other.json").write_text(TINY)
    (folder / "third.yaml").write_bytes(MODELS["tiny-llama-test"].read_bytes())
    expected = archsim.load_model("tiny-llama-test").config
    for name in (str(folder), str(folder / "config.json")):
        assert (archsim.load_model(name).name, archsim.load_model(name).config) == ("my-model", expected)
    assert archsim.load_model(folder / "other.json").name == "other"
    monkeypatch.chdir(folder)
    assert archsim.load_model(".").name == archsim.load_model("config.json").name == "my-model"
    for name in ("other", "third"):
        assert (archsim.load_model(name).name, archsim.load_model(name).config) == (name, expected)


def test_the_users_own_file_comes_before_what_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # a folder of results that happens to have the name of a model is no model
    (tmp_path / "llama-3-8b").mkdir()
    assert archsim.load_model("llama-3-8b").config.hidden == 4096
    (tmp_path / "llama-3-8b" / "config.json").write_text(TINY)
    assert archsim.load_model("llama-3-8b").config.hidden == 256


def test_an_unknown_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    for name, message in (
        ("llama-3-8", "unknown model 'llama-3-8'; did you mean 'llama-3-8b'?"),
        ("zephyr", f"unknown model 'zephyr'; known: {', '.join(sorted(MODELS))}"),
        ("", f"unknown model ''; known: {', '.join(sorted(MODELS))}"),
        ("empty", "empty: the folder holds no config.json; give the folder of a model, or a config.json"),
    ):
        with pytest.raises(InputError) as error:
            archsim.load_model(name)
        assert str(error.value) == message


def test_formats_of_a_model() -> None:
    model = archsim.load_model("tiny-llama-test", weights="int8-g64", activations="int8-token", kv="int8")
    assert (model.weights.name, model.activations.name, model.kv.name) == ("int8-g64", "int8-token", "int8")
    weights = [tensor for op in model.graph("decode", context=4).layer for tensor in op.weights]
    assert {tensor.format for tensor in weights} == {"int8-g64", "float32"}


@pytest.mark.parametrize(
    ("formats", "message"),
    [
        (
            {"weights": "int8-token"},
            "format 'int8-token' is not for weights; use int4-g128, or another of groups or channels",
        ),
        ({"activations": "int4"}, "format 'int4' is not supported for activations; use int8 or int8-token"),
        (
            {"activations": "int8-channel"},
            "format 'int8-channel' is not supported for activations; use int8 or int8-token",
        ),
        (
            {"kv": "int8-g64"},
            "format 'int8-g64' is not supported for the KV cache; use int8, int8-token, turboquant-2, turboquant-3, "
            "turboquant-4",
        ),
    ],
)
def test_a_format_that_is_not_for_this_use_is_refused(formats: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as error:
        archsim.load_model("tiny-llama-test", **formats)
    assert str(error.value) == message


def test_importing_models_imports_nothing_heavy() -> None:
    script = "import sys, archsim.models; print(sorted({'numba', 'pandas', 'plotly', 'yaml'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", script], cwd=data_root(), capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("config: {}\n", "m.yaml: source must be text; write source: and config:, as shipped models do"),
        (
            "source: me\nconfig: 3\n",
            "m.yaml:2: config must be a mapping; write source: and config:, as shipped models do",
        ),
        ("source: me\nconfig: {}\nweights: int4\n", "m.yaml:3: unknown key 'weights'; use source, config, routing"),
        (
            "source: me\nconfig:\n  model_type: llama\n  hidden_size: many\n",
            "m.yaml:4: hidden_size is 'many'; write a whole number from 1 to 2147483647",
        ),
        ("source: me\nconfig:\n  model_type: llama\n", "m.yaml: field 'hidden_size' is missing; add it"),
    ],
)
def test_a_malformed_yaml_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "m.yaml").write_text(text)
    with pytest.raises(InputError) as error:
        archsim.load_model(tmp_path / "m.yaml")
    assert str(error.value).replace(f"{tmp_path}/", "") == message
