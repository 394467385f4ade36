"""Reading config.json: what is taken over, and one line with file, line and remedy for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archsim.common.errors import InputError
from archsim.models import load_model

GOOD: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_act": "silu",
    "hidden_size": 96,
    "intermediate_size": 160,
    "max_position_embeddings": 2048,
    "model_type": "llama",
    "num_attention_heads": 6,
    "num_hidden_layers": 3,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-05,
    "rope_theta": 5000.0,
    "tie_word_embeddings": False,
    "vocab_size": 300,
}
"""One field per line, from line 2 on, in this order."""
SUPPORTED = (
    "supported: LlamaForCausalLM, MistralForCausalLM, Phi3ForCausalLM, MixtralForCausalLM, Qwen2ForCausalLM, "
    "GemmaForCausalLM, GPT2LMHeadModel, GPTJForCausalLM, BertForMaskedLM, ViTForImageClassification, "
    "T5ForConditionalGeneration"
)


def one_field_per_line(tree: dict[str, Any]) -> str:
    return "{\n" + ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in tree.items()) + "\n}\n"


def write(folder: Path, changes: dict[str, Any], *, drop: str = "") -> Path:
    tree = {key: value for key, value in {**GOOD, **changes}.items() if key != drop}
    path = folder / "mine.json"
    path.write_text(one_field_per_line(tree), encoding="utf-8")
    return path


def refused(path: Path) -> str:
    """The message for a file, with its folder cut off."""
    with pytest.raises(InputError) as error:
        load_model(path)
    return str(error.value).replace(f"{path.parent}/", "")


def test_fields_are_taken_over(tmp_path: Path) -> None:
    config = load_model(write(tmp_path, {})).config
    assert (config.hidden, config.layers, config.heads, config.kv_heads, config.head_dim) == (96, 3, 6, 2, 16)
    assert (config.ffn, config.vocab, config.max_positions, config.tied) == (160, 300, 2048, False)
    assert (config.rope_theta, config.norm_eps, config.window, config.rope_type) == (5000.0, 1e-5, None, "default")


def test_null_is_absent_and_absent_is_the_default(tmp_path: Path) -> None:
    names = ("num_key_value_heads", "head_dim", "rope_theta", "rms_norm_eps", "tie_word_embeddings", "sliding_window")
    config = load_model(write(tmp_path, dict.fromkeys(names))).config
    assert (config.kv_heads, config.head_dim, config.rope_theta, config.norm_eps) == (6, 16, 10000.0, 1e-6)
    assert (config.tied, config.window) == (False, None)


def test_head_dim_may_differ_from_hidden_over_heads(tmp_path: Path) -> None:
    graph = load_model(write(tmp_path, {"head_dim": 24}), weights="int4-g16").graph("decode", 1, 7)
    sizes = {op.name: op.attributes for op in graph.layer}
    assert sizes["qkv"]["out_features"] == (6 + 2 * 2) * 24
    assert sizes["attn_quant"]["features"] == sizes["out"]["in_features"] == 6 * 24


def test_tied_embeddings_count_once(tmp_path: Path) -> None:
    tied, own = (load_model(write(tmp_path, {"tie_word_embeddings": tied})) for tied in (True, False))
    assert own.parameters - tied.parameters == 300 * 96


@pytest.mark.parametrize(
    ("changes", "theta", "kind"),
    [
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, 5000.0, "llama3"),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, 5000.0, "linear"),
        ({"rope_theta": None, "rope_parameters": {"rope_theta": 7e5, "rope_type": "default"}}, 7e5, "default"),
    ],
)
def test_spellings_of_rotary_positions(tmp_path: Path, changes: dict[str, Any], theta: float, kind: str) -> None:
    config = load_model(write(tmp_path, changes)).config
    assert (config.rope_theta, config.rope_type) == (theta, kind)


def test_model_type_stands_in_for_architectures(tmp_path: Path) -> None:
    assert load_model(write(tmp_path, {}, drop="architectures")).config.hidden == 96


@pytest.mark.parametrize("field", sorted(GOOD.keys() - {"architectures", "model_type", "hidden_act"}))
@pytest.mark.parametrize("value", ["96", -1, 0, 2.5, True, [], {}, float("nan"), float("inf")])
def test_a_field_of_a_wrong_type_or_sign_names_its_line(tmp_path: Path, field: str, value: Any) -> None:
    fine = (field == "tie_word_embeddings" and value is True) or (
        field in ("rms_norm_eps", "rope_theta") and value == 2.5
    )
    path = write(tmp_path, {field: value})
    if fine:
        load_model(path)
        return
    rest = {"tie_word_embeddings": "write true or false", "rms_norm_eps": "write a number above 0"}
    rest["rope_theta"] = rest["rms_norm_eps"]
    remedy = rest.get(field, "write a whole number from 1 to 2147483647")
    line = 2 + list(GOOD).index(field)
    assert refused(path) == f"mine.json:{line}: {field} is {value!r}; {remedy}"


@pytest.mark.parametrize(
    "field",
    [
        "hidden_size",
        "intermediate_size",
        "max_position_embeddings",
        "num_attention_heads",
        "num_hidden_layers",
        "vocab_size",
    ],
)
def test_a_missing_field_is_named(tmp_path: Path, field: str) -> None:
    assert refused(write(tmp_path, {}, drop=field)) == f"mine.json: field {field!r} is missing; add it"


def test_a_misspelt_field_is_pointed_at(tmp_path: Path) -> None:
    path = write(tmp_path, {"hiden_size": 96}, drop="hidden_size")
    assert refused(path) == "mine.json:14: field 'hidden_size' is missing; did you mean it with 'hiden_size'?"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"hidden_size": 100},
            "mine.json:8: hidden_size 100 is no multiple of num_attention_heads 6; correct one, or add head_dim",
        ),
        (
            {"num_key_value_heads": 4},
            "mine.json:10: num_attention_heads 6 is no multiple of num_key_value_heads 4; correct one of them",
        ),
        ({"hidden_size": 90}, "mine.json:8: head_dim 15 is odd; rotary positions need an even one"),
        ({"head_dim": 15}, "mine.json:15: head_dim 15 is odd; rotary positions need an even one"),
        ({"vocab_size": 2**31}, "mine.json:14: vocab_size is 2147483648; write a whole number from 1 to 2147483647"),
        ({"rope_theta": 10**400}, f"mine.json:12: rope_theta is 1{39 * '0'}...; write a number above 0"),
        ({"hidden_act": "gelu"}, "mine.json:3: hidden_act 'gelu' is not supported; only silu is"),
        (
            {"attention_bias": True},
            "mine.json:15: attention_bias true is not supported; only models without biases are",
        ),
        ({"mlp_bias": 1}, "mine.json:15: mlp_bias is 1; write true or false"),
        (
            {"partial_rotary_factor": 0.75},
            "mine.json:15: rotary positions on a part of the head are not supported; only factor 1 is",
        ),
        ({"rope_scaling": "yarn"}, "mine.json:15: rope_scaling is 'yarn'; write an object, or null"),
        ({"sliding_window": -1}, "mine.json:15: sliding_window is -1; write a whole number from 1 to 2147483647"),
    ],
)
def test_what_does_not_fit_together_or_is_not_modelled(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    assert refused(write(tmp_path, changes)) == message


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        (
            {"architectures": ["Qwen3MoeForCausalLM"], "num_experts": 128},
            "'Qwen3MoeForCausalLM' (a mixture of experts)",
        ),
        ({"architectures": ["BertModel"]}, "'BertModel' (no head; give BertForMaskedLM)"),
        ({"architectures": ["Qwen3ForCausalLM"]}, "'Qwen3ForCausalLM' (q and k are normalised)"),
        ({"architectures": ["FalconForCausalLM"]}, "'FalconForCausalLM'"),
    ],
)
def test_other_architectures_are_refused_with_the_reason(tmp_path: Path, changes: dict[str, Any], what: str) -> None:
    expected = f"mine.json:2: architecture {what} is not supported; {SUPPORTED}"
    assert refused(write(tmp_path, changes)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "mine.json:1:1: not valid JSON: Expecting value; mend the syntax"),
        ('{\n "hidden_size" 96\n}', "mine.json:2:16: not valid JSON: Expecting ':' delimiter; mend the syntax"),
        ("[1, 2]", "mine.json:1: the top must be an object; give a config.json"),
        ("{}", "mine.json: field 'architectures' is missing; add it"),
        ("[" * 200_000, "mine.json: a number or a nesting is too large; give a config.json"),
        ('{"hidden_size": ' + "9" * 5000 + "}", "mine.json: a number or a nesting is too large; give a config.json"),
    ],
)
def test_a_file_that_is_no_json_object(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text, encoding="utf-8")
    assert refused(path) == message


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(b"\xff\xfe\x00")
    assert refused(path) == "mine.json: not UTF-8 text; give a config.json"


def test_lines_are_those_of_the_top_object(tmp_path: Path) -> None:
    inner = {"hidden_size": 1, "list": [{"hidden_size": 2}]}
    path = tmp_path / "mine.json"
    tree = {"_note": 'a "hidden_size": {', "inner": inner, **GOOD, "hidden_size": 0}
    path.write_text(one_field_per_line(tree), encoding="utf-8")
    assert refused(path) == "mine.json:6: hidden_size is 0; write a whole number from 1 to 2147483647"
