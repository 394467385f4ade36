"""Tokens that a simulated chip generates are those of the same model in numpy, and so is every logit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from archsim.accuracy.load import load_llama
from archsim.common.errors import InputError
from archsim.design import load_design
from archsim.formats.turboquant import TurboQuantFormat
from archsim.kernels import reference
from archsim.kernels.target import target_of
from archsim.mapping.families import family_of
from archsim.mapping.generation import Generator, Sampling
from archsim.models.matrices import layer_part
from tests.mapping.whole import NumpyLayer

PROMPT = list(b"def read(self, ")


class NumpyModel:
    """The model that a generator runs, out of the reference kernels, with a cache of its own."""

    def __init__(self, generator: Generator) -> None:
        self.generator, config, llama = generator, generator.model.config, generator.llama
        target = family_of(generator.design).target
        self.layers = [NumpyLayer(config, target) for _ in range(config.layers + 1)]
        cache = (1, config.kv_heads, generator.room, config.head_dim)
        for number, layer in enumerate(self.layers[:-1]):
            layer.values |= {
                "rope_table": reference.rope_table(generator.room, config.head_dim, config.rope_theta),
                "k_cache.codes": np.zeros(cache, np.int8),
                "v_cache.codes": np.zeros(cache, np.int8).swapaxes(2, 3).copy(),
                **{
                    f"{name}_cache.{part}": np.zeros(cache[:3], np.float16)
                    for name in "kv"
                    for part in ("scales", "norms")
                },
                **self._codes(cache),
                "attn_norm.weight": llama.weights[layer_part(number, "input_layernorm")],
                "ffn_norm.weight": llama.weights[layer_part(number, "post_attention_layernorm")],
            }
        self.layers[-1].values["final_norm.weight"] = llama.weights["model.norm"]

    def _codes(self, cache: tuple[int, ...]) -> dict[str, np.ndarray]:
        """Caches of TurboQuant's codes, if the format is that."""
        form = self.generator.model.kv
        if not isinstance(form, TurboQuantFormat):
            return {}
        shape = (*cache[:3], cache[3] * form.bits // 8)
        return {f"{name}_cache.codes": np.zeros(shape, np.uint8) for name in "kv"}

    def logits(self, ids: Sequence[int], context: int) -> np.ndarray:
        """float32 [1, vocabulary] behind tokens that end at `context`."""
        generator = self.generator
        graph = generator.model.graph("decode" if context > len(ids) else "prefill", 1, context)
        kinds = {layer: kind.ops for kind in graph.kinds for layer in kind.layers}
        x = generator.llama.weights["model.embed_tokens"].astype(np.float16)[list(ids)].astype(np.float32)
        for number, layer in enumerate(self.layers[:-1]):
            for op in kinds[number]:
                if op.kind == "matmul":
                    layer.weights[op.weights[0].name] = generator.packed(op, number)
            layer.values["x"] = x
            layer.run(kinds[number])
            x = layer.values["x"]
        head = self.layers[-1]
        head.weights["lm_head.weight"] = generator.packed(graph.head[-1], 0)
        head.values["x"] = x[-1:]
        head.run(graph.head)
        return head.values["lm_head"]


@pytest.mark.parametrize(
    "design, weights, fidelity, kv",
    [
        ("edge-npu", "int4-g64", "timed", "int8"),
        ("server-npu", "int4-g128", "functional", "int8"),
        ("edge-npu-formats", "q4_k", "functional", "turboquant-4"),
        ("edge-npu-formats", "int4-g64", "timed", "turboquant-3"),
        ("edge-rvv", "int4-g64", "functional", "int8"),
        ("edge-rvv", "int4-g64", "timed", "turboquant-3"),
        ("edge-xuantie", "int4-g64", "timed", "turboquant-3"),
    ],
)
def test_tokens_and_logits_are_those_of_numpy(design: str, weights: str, fidelity: str, kv: str) -> None:
    generator = Generator(load_llama("reference"), load_design(design), weights, 40, fidelity, kv)
    numpy_model = NumpyModel(generator)
    ids, context = PROMPT, len(PROMPT)
    for token in generator.generate(PROMPT, 6):
        expected = numpy_model.logits(ids, context)
        np.testing.assert_array_equal(generator.logits, expected)
        assert token.token == expected.argmax()
        assert (token.cycles > 0) == (token.energy_j > 0) == (fidelity == "timed")
        ids, context = [token.token], context + 1


@pytest.mark.parametrize("k", [1, 2, 7, 37])
@pytest.mark.parametrize("name", ["edge-npu", "octa-npu"])
def test_the_first_of_equal_logits_comes_first(name: str, k: int) -> None:
    from archsim.kernels.alone import run_alone
    from archsim.kernels.top_k import TopK

    logits = np.random.default_rng(0).normal(size=(40, 37)).astype(np.float32)
    logits[::2] = np.rint(logits[::2])
    logits[3, 5:] = -np.inf
    logits[4] = -1e38
    logits[5, 36] = np.inf
    logits += np.float32(0)
    design = load_design(name)
    outputs, _ = run_alone(TopK("top_k", target_of(design), *logits.shape, k), design, {"logits": logits})
    expected = np.argsort(-logits, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(outputs["tokens"], expected)


def test_sampled_tokens_are_among_the_k_largest_and_follow_their_shares() -> None:
    logits, tokens = np.log(np.array([0.1, 0.5, 0.0001, 0.3999], np.float32)), np.array([1, 3, 0], np.int32)
    sampling = Sampling(top_k=3, seed=1)
    drawn = np.array([sampling.choose(logits, tokens) for _ in range(20_000)])
    for token, share in ((0, 0.1), (1, 0.5), (3, 0.4)):
        assert np.mean(drawn == token) == pytest.approx(share, abs=0.012)
    assert not np.any(drawn == 2)
    cold = Sampling(top_k=3, temperature=0.01)
    assert {cold.choose(logits, tokens) for _ in range(100)} == {1}


def test_sampled_text_is_the_same_with_the_same_seed() -> None:
    def tokens(seed: int) -> list[int]:
        generator = Generator(
            load_llama("reference"), load_design("edge-npu"), "int4-g64", 40, "functional",
            sampling=Sampling(top_k=5, temperature=2.0, seed=seed),
        )  # fmt: skip
        return [token.token for token in generator.generate(PROMPT, 8)]

    assert tokens(1) == tokens(1) != tokens(2)


@pytest.mark.parametrize("numbers", [{"top_k": 0}, {"top_k": 257}, {"temperature": 0.0}, {"seed": -1}])
def test_bad_sampling(numbers: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"(top-k|temperature|seed) is"):
        Sampling(**numbers)


@pytest.mark.parametrize(
    "prompt, count, words",
    [([], 3, "prompt is empty"), ([7, 256], 3, "256 is not one of 256"), ([1] * 20, 30, "exceed the cache's 40")],
)
def test_bad_prompts(prompt: list[int], count: int, words: str) -> None:
    generator = Generator(load_llama("reference"), load_design("edge-npu"), "int4-g64", 40)
    with pytest.raises(InputError, match=words):
        next(generator.generate(prompt, count))


def test_no_room() -> None:
    with pytest.raises(InputError, match="300 tokens are more than the model's 256"):
        Generator(load_llama("reference"), load_design("edge-npu"), "int4-g64", 300)
