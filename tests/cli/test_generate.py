"""archsim generate."""

from __future__ import annotations

import json

import pytest

from tests.cli.run_archsim import archsim


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """Runs archsim generate; gives what it prints."""

    def generate(*arguments: str) -> str:
        outcome = archsim("generate", *arguments, capsys=capsys, monkeypatch=monkeypatch)
        assert (outcome.code, outcome.err) == (0, "")
        return outcome.out

    return generate


def test_text_comes_first_and_figures_behind(run) -> None:
    output = run("--tokens", "3", "--prompt", "def f(")
    assert output.startswith("def f(")
    assert "time per output token" in output


def test_json_adds_up(run) -> None:
    tree = json.loads(run("--tokens", "3", "--json", "--prompt-tokens", "100,101,102"))
    assert len(tree["tokens"]) == 3
    assert bytes(token["token"] for token in tree["tokens"]).decode() == tree["text"]
    assert tree["cycles"] == sum(token["cycles"] for token in tree["tokens"])
    assert [token["phase"] for token in tree["tokens"]] == ["prefill", "decode", "decode"]
    assert tree["tokens_per_s"] * tree["tpot_s"] == pytest.approx(1)
