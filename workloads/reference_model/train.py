"""Trains the reference model, and writes the texts it is measured with; provenance, not a step of any build.

Weights depend on the standard library that is installed and on the order in which BLAS adds: what ships is the result
of one run, whose figures recipe.json states. Run: OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python train.py OUT_FOLDER
(about ten minutes on one core; needs archsim and safetensors).
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
import sys
import time
from pathlib import Path

import corpus
import numpy as np

from archsim.accuracy.adam import Adam
from archsim.accuracy.gradients import loss_and_gradient
from archsim.accuracy.llama import FINAL_NORM, NORMS, TABLE
from archsim.models.config import TransformerConfig
from archsim.models.matrices import LINEARS, layer_part

SEED, STEPS, WARM_UP, BATCH, LENGTH = 1, 2200, 60, 8, 256
RATE, LAST_RATE, BETAS, DECAY, CLIP = 3e-3, 1e-4, (0.9, 0.95), 0.1, 1.0
HELD_OUT_EXCERPTS, CALIBRATION_EXCERPTS = 16, 8
SHAPE = TransformerConfig(
    hidden=256, layers=2, heads=4, kv_heads=2, head_dim=64, ffn=256, vocab=256, max_positions=LENGTH, norm_eps=1e-5,
    tied=True,
)  # fmt: skip
Weights = dict[str, np.ndarray]


def initial(shape: TransformerConfig, random: np.random.Generator) -> Weights:
    """Normal matrices of deviation 0.5/sqrt(inputs), 0.02 for the table; gains of 1."""
    queries, cached = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    sizes = [(queries, shape.hidden), (cached, shape.hidden), (cached, shape.hidden), (shape.hidden, queries),
             (shape.ffn, shape.hidden), (shape.ffn, shape.hidden), (shape.hidden, shape.ffn)]  # fmt: skip
    w: Weights = {TABLE: 0.02 * random.standard_normal((shape.vocab, shape.hidden))}
    for layer in range(shape.layers):
        for part, (outputs, inputs) in zip(LINEARS, sizes, strict=True):
            w[layer_part(layer, part)] = random.standard_normal((outputs, inputs)) * 0.5 / math.sqrt(inputs)
        for part in NORMS:
            w[layer_part(layer, part)] = np.ones(shape.hidden)
    w[FINAL_NORM] = np.ones(shape.hidden)
    return {name: values.astype(np.float32) for name, values in w.items()}


def rate(step: int) -> float:
    """Linear warm-up, then a cosine down to LAST_RATE."""
    if step < WARM_UP:
        return RATE * (step + 1) / WARM_UP
    return LAST_RATE + (RATE - LAST_RATE) * (1 + math.cos(math.pi * (step - WARM_UP) / (STEPS - WARM_UP))) / 2


def train(shape: TransformerConfig) -> Weights:
    """AdamW (Loshchilov and Hutter, 2019) with the gradient's norm clipped."""
    random = np.random.default_rng(SEED)
    text = corpus.training_bytes()
    w = initial(shape, random)
    adam = Adam(BETAS)
    start, mean = time.time(), 0.0
    for step in range(STEPS):
        at = random.integers(0, len(text) - LENGTH, BATCH)
        loss, gradient = loss_and_gradient(w, shape, text[at[:, None] + np.arange(LENGTH + 1)].astype(np.int64))
        norm = math.sqrt(sum(float(np.vdot(g, g)) for g in gradient.values()))
        adam.begin_step()
        for name, g in gradient.items():
            g *= min(1.0, CLIP / norm)
            adam.update(name, w[name], g, rate(step), DECAY if g.ndim == 2 else 0.0)
        mean += (loss - mean) * max(0.02, 1 / (step + 1))
        if step % 50 == 49:
            print(f"step {step + 1}: training loss {mean:.4f} nats/byte, {time.time() - start:.0f} s", flush=True)
    return w


def loss_of(w: Weights, shape: TransformerConfig, text: bytes) -> float:
    """Mean loss in nats per byte, in windows of LENGTH bytes of which the first is not predicted."""
    windows = np.frombuffer(text, np.uint8).astype(np.int64).reshape(-1, LENGTH)
    return float(np.mean([loss_and_gradient(w, shape, part)[0] for part in np.split(windows, len(windows) // 8)]))


def main(folder: Path) -> None:
    from safetensors.numpy import save_file

    shape, start = SHAPE, time.time()
    trained = {name: values.astype(np.float16) for name, values in train(shape).items()}
    seconds = time.time() - start
    texts = {
        "heldout.txt": corpus.excerpts(HELD_OUT_EXCERPTS, True),
        "calibration.txt": corpus.excerpts(CALIBRATION_EXCERPTS, False),
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_file({f"{name}.weight": values for name, values in trained.items()}, folder / "model.safetensors")
    for name, text in texts.items():
        (folder / name).write_bytes(text)
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "hidden_size": shape.hidden, "num_hidden_layers": shape.layers, "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads, "head_dim": shape.head_dim, "intermediate_size": shape.ffn,
        "vocab_size": shape.vocab, "max_position_embeddings": LENGTH, "rope_theta": shape.rope_theta,
        "rms_norm_eps": shape.norm_eps, "tie_word_embeddings": True, "torch_dtype": "float16",
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    wide = {name: values.astype(np.float32) for name, values in trained.items()}
    recipe = {
        "what": "byte-level Llama trained on the sources of Python's standard library by train.py",
        "parameters": sum(values.size for values in trained.values()),
        "python": platform.python_version(), "numpy": np.__version__,
        "training_text_bytes": len(corpus.training_bytes()),
        "seed": SEED, "steps": STEPS, "bytes_per_step": BATCH * LENGTH, "learning_rate": RATE,
        "seconds": round(seconds),
        "loss_nats_per_byte": {name: round(loss_of(wide, shape, text), 4) for name, text in texts.items()},
        "sha256": {
            name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("model.safetensors", *texts)
        },
    }  # fmt: skip
    (folder / "recipe.json").write_text(json.dumps(recipe, indent=2) + "\n")
    print(json.dumps(recipe, indent=2))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
