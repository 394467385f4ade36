"""Bad input ends in one line that names the place and the remedy, and exit code 2."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.run_archsim import archsim

BASE = {
    "architectures": ["LlamaForCausalLM"], "hidden_size": 64, "intermediate_size": 64, "num_attention_heads": 4,
    "num_hidden_layers": 1, "vocab_size": 32, "max_position_embeddings": 64,
}  # fmt: skip


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Runs a command that must be refused; gives its one line."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> str:
        outcome = archsim(*arguments, capsys=capsys, monkeypatch=monkeypatch)
        lines = outcome.err.strip().splitlines()
        assert outcome.code == 2, outcome
        assert len(lines) == 1 and lines[0].startswith("archsim: "), outcome
        assert outcome.out == ""
        return lines[0].removeprefix("archsim: ")

    return run


def test_unknown_names_suggest_the_nearest(refused) -> None:
    assert (
        refused("simulate", "llama-3-8b", "--design", "edge-nup")
        == "unknown design 'edge-nup'; did you mean 'edge-npu'?"
    )
    assert refused("simulate", "lama-3-8b") == "unknown model 'lama-3-8b'; did you mean 'llama-3-8b'?"
    assert "did you mean 'int4-g128'?" in refused("simulate", "llama-3-8b", "--weights", "int4-g12a")
    assert "unknown extension 'xqtt'; did you mean 'xqt'?" in refused("isa", "check", "rv64im", "xqtt")
    assert "prefill" in refused("simulate", "llama-3-8b", "--phase", "decoding")
    assert "no kernel multiplies weights of format 'int5'" in refused("generate", "--weights", "int5")
    assert "more than the model's 256" in refused("generate", "--tokens", "1000")
    assert "no float16 in vectors" in refused("generate", "--design", "gemm-rvv")
    assert "neither xqt tiles nor vectors" in refused("generate", "--design", "c910")
    assert "no kernel of RVV multiplies" in refused("generate", "--design", "edge-rvv", "--weights", "nf4-g64")
    line = refused("accuracy", "--plan", "plan.yaml", "--budget", "3", "--design", "edge-npu")
    assert "as in --budget int4-g64" in line


def test_options_are_refused_in_one_line_too(refused) -> None:
    assert "Invalid value for '--context'" in refused("simulate", "llama-3-8b", "--context", "0")
    assert refused("simulat") == "No such command 'simulat'. Did you mean 'simulate'?; see --help"
    assert "--jsn" in refused("design", "list", "--jsn")
    assert "model" in refused("simulate").lower()


def test_design_fields_and_units(refused, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("design: mine\nbase: edge-npu\ncore:\n  scratchpad: {sise: 1 MiB}\n")
    line = refused("design", "check", "mine.yaml")
    assert line.startswith("mine.yaml:4:") and "'sise'" in line and "did you mean 'size'?" in line
    (tmp_path / "mine.yaml").write_text("design: mine\nbase: edge-npu\nclock: 3 GiB\n")
    line = refused("design", "check", "mine.yaml")
    assert line.startswith("mine.yaml:3:") and "Hz" in line
    line = refused("design", "check", "edge-npu", "--set", "memory.mapping=RoBaCo")
    assert line.startswith("edge-npu: memory: mapping 'RoBaCo'")
    line = refused("simulate", "llama-3-8b", "--set", "core.scratchpad.sice=1 MiB")
    assert line == "unknown design field 'core.scratchpad.sice'; did you mean 'core.scratchpad.size'?"


def test_misspelt_mnemonic(refused, tmp_path: Path) -> None:
    (tmp_path / "p.s").write_text("nop\naddd a0, a1, a2\n")
    assert refused("run", "p.s").startswith("p.s:2:")
    assert "did you mean 'add'?" in refused("run", "p.s")
    (tmp_path / "p.s").write_text("addi a0, a1, 5000\n")
    line = refused("run", "p.s")
    assert line.startswith("p.s:1:") and "-2048" in line and "2047" in line


def test_overlapping_encodings_name_both_places(refused, tmp_path: Path) -> None:
    (tmp_path / "over.yaml").write_text(
        "extension: Over\nlong_name: Overlap\nversion: 0.1.0\nsource: test\nrequires: [I]\ninstructions:\n"
        "  over.add:\n    long_name: Overlaps add\n"
        "    encoding:\n      match: 0000000----------000-----0110011\n      variables:\n"
        "        - {name: xd, location: 11-7, register: X}\n        - {name: xs1, location: 19-15, register: X}\n"
        "        - {name: xs2, location: 24-20, register: X}\n"
        "    assembly: xd, xs1, xs2\n    unit: alu\n    operation: |\n      X[xd] = X[xs1]\n"
    )
    line = refused("isa", "check", "rv64i", "over.yaml")
    assert "over.yaml" in line and "over.add" in line and "i.yaml:" in line and "add" in line


def test_a_scratchpad_too_small_for_any_tiling_says_what_is_needed(refused) -> None:
    line = refused("simulate", "llama-3-8b", "--set", "core.scratchpad.size=8 KiB")
    assert "does not fit a scratchpad of 8 KiB" in line and "set core.scratchpad.size to" in line


def test_programs_that_are_cut_short(refused, tmp_path: Path) -> None:
    (tmp_path / "cut.elf").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(30))
    line = refused("run", "cut.elf")
    assert line.startswith("cut.elf: is cut short")
    assert refused("run", "nothing.s").startswith("nothing.s: cannot read")


def test_a_trace_cut_short(refused, tmp_path: Path, capsys, monkeypatch) -> None:
    (tmp_path / "p.s").write_text("li a0, 0\nli a7, 93\necall\n")
    assert archsim("run", "p.s", "--record", "p.trace", capsys=capsys, monkeypatch=monkeypatch).code == 0
    whole = (tmp_path / "p.trace").read_bytes()
    (tmp_path / "cut.trace").write_bytes(whole[: len(whole) // 2])
    assert refused("replay", "cut.trace").startswith("cut.trace:")
    (tmp_path / "other.trace").write_bytes(b"something else entirely")
    assert refused("replay", "other.trace").startswith("other.trace")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hidden_size": None}, "hidden_size"),
        ({"hidden_size": "large"}, "hidden_size"),
        ({"num_attention_heads": 5}, "5"),
        ({"architectures": ["BertModel"]}, "BertModel"),
    ],
)
def test_malformed_model_configurations(refused, tmp_path: Path, change: dict, words: str) -> None:
    tree = {key: value for key, value in (BASE | change).items() if value is not None}
    (tmp_path / "config.json").write_text(json.dumps(tree, indent=1))
    line = refused("model", "check", "config.json")
    assert line.startswith("config.json") and words in line
    (tmp_path / "config.json").write_text(json.dumps(tree)[:-10])
    assert refused("model", "check", "config.json").startswith("config.json:1")


GPT = {
    "architectures": ["GPT2LMHeadModel"], "n_embd": 64, "n_layer": 1, "n_head": 4, "n_positions": 64, "vocab_size": 32,
}  # fmt: skip
MIXTURE = {**BASE, "architectures": ["MixtralForCausalLM"], "num_local_experts": 4, "num_experts_per_tok": 2}


@pytest.mark.parametrize(
    ("tree", "change", "words"),
    [
        (GPT, {"n_embd": None}, "field 'n_embd' is missing; add it"),
        (GPT, {"n_head": 5}, ":7: n_embd 64 is no multiple of n_head 5; correct one, or add head_dim"),
        (GPT, {"activation_function": "swish"}, "only gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, relu are"),
        (GPT, {"architectures": ["MambaForCausalLM"]}, ":2: architecture 'MambaForCausalLM' is not supported"),
        (GPT, {"architectures": ["GPTJForCausalLM"], "rotary_dim": 18}, "rotary_dim is 18, of heads of 16"),
        (MIXTURE, {"num_local_experts": None}, "field 'num_local_experts' is missing"),
        (MIXTURE, {"num_experts_per_tok": 5}, "5 of 4 experts for a token"),
    ],
)
def test_malformed_configurations_of_other_architectures(
    refused, tmp_path: Path, tree: dict, change: dict, words: str
) -> None:
    tree = {key: value for key, value in (tree | change).items() if value is not None}
    (tmp_path / "config.json").write_text(json.dumps(tree, indent=1))
    line = refused("model", "check", "config.json")
    assert line.startswith("config.json:") and words in line


def test_models_that_do_not_fit_what_is_asked(refused, tmp_path: Path) -> None:
    large = refused("simulate", "mixtral-8x7b", "--batch", "256", "--context", "32768")
    assert "of it for the KV cache of 256 x 32768 tokens; edge-npu has 16 GiB" in large
    assert refused("simulate", "gpt2", "--context", "2048") == "context is 2048; use 1 to 1024"
    assert "use phase prefill" in refused("simulate", "bert-base-uncased", "--context", "128")
    assert "use 197: an image" in refused("simulate", "vit-base-patch16-224", "--phase", "prefill", "--context", "9")
    assert "no kernel with a KV cache of codes; use kv int8" in refused("simulate", "gemma-2b", "--kv", "turboquant-3")
    assert "to experts is not known here" in refused("model", "memory", "mixtral-8x7b", "--weights", "q4_k_m")
    (tmp_path / "no.gguf").write_bytes(b"GGUF" + bytes(2))
    assert refused("model", "show", "no.gguf").startswith("no.gguf: the version")


def test_a_trapping_program_exits_with_one(capsys, monkeypatch, tmp_path: Path) -> None:
    path = tmp_path / "trap.s"
    path.write_text("nop\nebreak\n")
    outcome = archsim("run", path, capsys=capsys, monkeypatch=monkeypatch)
    assert outcome.code == 1
    assert outcome.err.strip().endswith("breakpoint (ebreak)") and f"{path}:2" in outcome.err


def test_options_that_do_not_go_together_are_told(refused) -> None:
    assert "300 is not one of 256" in refused("generate", "--prompt-tokens", "1,300", "--tokens", "2")
    assert "give --prompt or --prompt-tokens" in refused("generate", "--prompt-tokens", "1", "--prompt", "a")
    assert "add --plan" in refused("accuracy", "--design", "edge-npu")
    assert "add --ladder" in refused("accuracy", "--html", "page.html")
    assert "no number of bits" in refused("accuracy", "--plan", "plan.yaml", "--budget", "nan")
    assert "no folder" in refused("accuracy", "--plan", "nowhere/plan.yaml")
    assert "stream a multiple of 64 KiB" in refused("bandwidth", "--size", "0 B", "--interleave", "256 B")
    assert "behind the first 16 MiB" in refused("bandwidth", "--design", "ibex", "--size", "64 KiB")
