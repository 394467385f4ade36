"""Generation on a simulated chip: values, not only times, from the prompt's tokens to the next one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.common.errors import InputError
from archsim.formats import Packed, parse_format, quantize
from archsim.formats.turboquant import TurboQuantFormat
from archsim.kernels.base import WeightKernel
from archsim.kernels.reference import rope_table
from archsim.mapping.bind import ROPE_TABLE, Setting, bind_all
from archsim.mapping.families import family_of
from archsim.mapping.layer import LayerProgram, write_program
from archsim.models.graph import Graph, Op, array
from archsim.models.load import Model, kv_format
from archsim.models.matrices import HEAD, OP_MATRICES, layer_part
from archsim.models.weight_plan import parse_weights

if TYPE_CHECKING:
    from archsim.accuracy.llama import Llama
    from archsim.design.spec import Design
    from archsim.machine.result import RunResult

_MOST_CHOICES = 256
"""More would make the insertion of a token long."""
_NORMS = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}


class Sampling:
    """How the next token is chosen out of the k most likely ones.

    Args:
        top_k: how many these are; 1 is greedy.
        temperature: that logits are divided by before the softmax.
        seed: of NumPy's PCG64, one draw a token.

    Raises:
        InputError: a number is out of range.
    """

    def __init__(self, top_k: int = 1, temperature: float = 1.0, seed: int = 0) -> None:
        if not 1 <= top_k <= _MOST_CHOICES:
            raise InputError(f"top-k is {top_k}", remedy=f"use 1 to {_MOST_CHOICES}")
        if not 0 < temperature < np.inf:
            raise InputError(f"temperature is {temperature}", remedy="use a number above 0")
        if seed < 0:
            raise InputError(f"seed is {seed}", remedy="use 0 or more")
        self.top_k, self.temperature = top_k, temperature
        self._random = np.random.default_rng(seed)

    def choose(self, logits: np.ndarray, tokens: np.ndarray) -> int:
        """One of tokens int32 [top_k], by the softmax of their logits out of float32 [vocab]."""
        if self.top_k == 1:
            return int(tokens[0])
        scaled = logits[tokens].astype(np.float64) / self.temperature
        shares = np.exp(scaled - scaled.max())
        return int(self._random.choice(tokens, p=shares / shares.sum()))


@dataclass
class Token:
    """A generated token, and what the chip did for it.

    Attributes:
        phase: "prefill" for the first token, which takes the whole prompt, else "decode".
        cycles, time_s, energy_j: 0 of a functional run.
    """

    token: int
    phase: str
    instructions: int = 0
    cycles: int = 0
    time_s: float = 0.0
    energy_j: float = 0.0
    dram_bytes: int = 0


class Generator:
    """A model of Llama's architecture whose every instruction runs.

    Args:
        llama: weights, float32.
        weights: a format, or a plan of them; activations are int8.
        room: tokens that the cache has room for.
        kv: format of the cache: int8, or turboquant-2, -3 or -4.
        sampling: how tokens are chosen; greedily by default.
        fidelity: "timed" or "functional".

    Raises:
        InputError: a format does not fit the model or the design, or there is no room for so many tokens.
    """

    def __init__(
        self,
        llama: Llama,
        design: Design,
        weights: str,
        room: int,
        fidelity: str = "timed",
        kv: str = "int8",
        sampling: Sampling | None = None,
    ) -> None:
        config = llama.config
        if room > config.max_positions:
            raise InputError(f"{room} tokens are more than the model's {config.max_positions}", remedy="ask for fewer")
        if fidelity not in ("timed", "functional"):
            raise InputError(f"fidelity {fidelity!r} has no values", remedy="use timed or functional")
        self.model = Model("", config, parse_weights(weights), parse_format("int8"), kv_format(kv))
        family = family_of(design)
        for form in self.model.weights.all_formats():
            family.check_weights(form)
        self.llama, self.design, self.fidelity, self.room = llama, design, fidelity, room
        self.sampling = sampling or Sampling()
        if self.sampling.top_k > config.vocab:
            raise InputError(f"top-k {self.sampling.top_k} is more than {config.vocab} tokens", remedy="ask for fewer")
        self._setting = Setting(family.target, config.norm_eps, room, kernels=family.kernels)
        self._packed: dict[str, Packed] = {}
        self._stored: dict[tuple[str, Any], np.ndarray] = {}
        self._caches: list[dict[str, np.ndarray]] = [{} for _ in range(config.layers)]
        self._constants = self._turboquant()
        self._table = rope_table(room, config.head_dim, config.rope_theta)
        self._embedding = llama.weights["model.embed_tokens"].astype(np.float16)
        self.logits = np.zeros(0, np.float32)

    def generate(self, prompt: Sequence[int], count: int) -> Iterator[Token]:
        """Tokens one after the other.

        Args:
            prompt: token numbers.
            count: tokens to generate.

        Raises:
            InputError: the prompt is empty or holds a number that is no token, or there is no room.
        """
        vocab = self.model.config.vocab
        wrong = [token for token in prompt if not 0 <= token < vocab]
        if wrong or not prompt:
            what = f"token {wrong[0]} is not one of {vocab}" if wrong else "the prompt is empty"
            raise InputError(what, remedy="give at least one token of the model")
        if len(prompt) + count - 1 > self.room:
            raise InputError(
                f"{len(prompt)} tokens of prompt and {count} more exceed the cache's {self.room}",
                remedy="ask for fewer",
            )
        ids, context = np.array(prompt, np.int32), len(prompt)
        for number in range(count):
            token = self._step(ids, context, "decode" if number else "prefill")
            yield token
            ids, context = np.array([token.token], np.int32), context + 1

    def _step(self, ids: np.ndarray, context: int, phase: str) -> Token:
        graph = self.model.graph(phase, 1, context)
        result = Token(0, phase)
        # a decode step also works on one token of a prompt of one
        found = self._run("embed", graph.embed, {"token_ids": ids, "embed.weight": self._embedding}, result, ("x",))
        kinds = {layer: kind.ops for kind in graph.kinds for layer in kind.layers}
        for layer, cache in enumerate(self._caches):
            contents = {"x": found["x"], ROPE_TABLE: self._table[:context], **self._constants, **cache}
            names = {tensor.name for op in kinds[layer] for tensor in op.outputs if "_cache." in tensor.name}
            found = self._run("layer", kinds[layer], contents | self._norms(layer), result, ("x", *names), layer)
            cache.update({name: found[name] for name in names})
        contents = {"x": found["x"], "final_norm.weight": self.llama.weights["model.norm"]}
        head = (*graph.head, _top_k(graph, self.sampling.top_k))
        found = self._run("head", head, contents, result, ("tokens", "lm_head"))
        self.logits = found["lm_head"]
        result.token = self.sampling.choose(self.logits[0], found["tokens"][0])
        return result

    def _turboquant(self) -> dict[str, np.ndarray]:
        """Signs and levels of the cache's format, if it has them."""
        form = self.model.kv
        if not isinstance(form, TurboQuantFormat):
            return {}
        (codec,) = form.codecs(self.model.config.head_dim)
        return {"turboquant.signs": codec.sign_bits(), "turboquant.levels": codec.levels()}

    def _norms(self, layer: int) -> dict[str, np.ndarray]:
        return {f"{op}.weight": self.llama.weights[layer_part(layer, name)] for op, name in _NORMS.items()}

    def _run(
        self,
        name: str,
        ops: Sequence[Op],
        contents: Mapping[str, np.ndarray],
        total: Token,
        wanted: Sequence[str],
        layer: int = 0,
    ) -> dict[str, np.ndarray]:
        """Run a program on what is in memory, and read some tensors back."""
        from archsim.machine.run import run

        every = len(contents["x"]) if name == "head" else 1
        setting = replace(self._setting, every=every)
        program = write_program(name, bind_all(ops, setting), self.design)
        memory = self._memory(program, contents, layer)
        done = run(program.program, self.design, fidelity=self.fidelity, memory=memory)
        _count(total, done)
        tensors = program.plan.tensors
        return {name: tensors[name][1].load(done.read(tensors[name][0], tensors[name][1].nbytes)) for name in wanted}

    def _memory(self, program: LayerProgram, contents: Mapping[str, np.ndarray], layer: int) -> dict[int, np.ndarray]:
        places = program.plan.tensors
        memory = {places[name][0]: places[name][1].store(values) for name, values in contents.items() if name in places}
        for op in program.plan.ops:
            kernel = op.bound.kernel
            if isinstance(kernel, WeightKernel):
                memory[op.place.dram["weights"]] = self._weights(op.bound.op, layer, kernel, op.tiling)
        return memory

    def _weights(self, op: Op, layer: int, kernel: WeightKernel, tiling: Any) -> np.ndarray:
        """A matrix as it lies in DRAM; kept, since it is the same for every token."""
        key = _matrix_of(op, layer), kernel.packing(tiling)
        if key not in self._stored:
            self._stored[key] = kernel.pack(self.packed(op, layer), tiling)
        return self._stored[key]

    def packed(self, op: Op, layer: int) -> Packed:
        """An op's quantised matrix."""
        key = _matrix_of(op, layer)
        if key not in self._packed:
            tied = HEAD not in self.llama.weights
            parts = [layer_part(layer, part) for part in OP_MATRICES.get(op.name, ())]
            names = parts or ["model.embed_tokens" if tied else HEAD]
            matrix = np.concatenate([self.llama.weights[name] for name in names])
            self._packed[key] = quantize(matrix, op.weights[0].format)
        return self._packed[key]


def _matrix_of(op: Op, layer: int) -> str:
    """A name for an op's matrix among those of all layers."""
    return HEAD if op.name == HEAD else layer_part(layer, op.name)


def _top_k(graph: Graph, k: int) -> Op:
    logits = graph.head[-1].outputs[0]
    rows, features = logits.shape
    sizes = {"rows": rows, "features": features, "k": k}
    return Op("top_k", "top_k", sizes, (logits,), (array("tokens", (rows, k), "int32"),))


def _count(total: Token, run: RunResult) -> None:
    total.instructions += run.instructions
    total.cycles += run.cycles
    total.time_s += run.time_s
    total.energy_j += run.energy.total if run.energy else 0.0
    total.dram_bytes += run.dram_read_bytes + run.dram_write_bytes
