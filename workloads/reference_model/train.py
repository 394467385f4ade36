"""Trains the reference model, and writes the texts it is measured with; provenance, not a step of any build.

Weights depend on the standard library that is installed and on the order in which BLAS adds: what ships is the result
of one run, whose figures recipe.json states. Run: OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python train.py OUT_FOLDER
(about ten minutes on one core; needs the package safetensors).
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
from gradients import Shape, Weights, layer_name, loss_and_gradient

SEED, STEPS, WARM_UP, BATCH, LENGTH = 1, 2200, 60, 8, 256
RATE, LAST_RATE, BETAS, DECAY, CLIP = 3e-3, 1e-4, (0.9, 0.95), 0.1, 1.0
HELD_OUT_EXCERPTS, CALIBRATION_EXCERPTS = 16, 8


def initial(shape: Shape, random: np.random.Generator) -> Weights:
    """Normal matrices of deviation 0.5/sqrt(inputs), 0.02 for the table; gains of 1."""
    queries, cached = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    matrices = {
        "self_attn.q_proj": (queries, shape.hidden),
        "self_attn.k_proj": (cached, shape.hidden),
        "self_attn.v_proj": (cached, shape.hidden),
        "self_attn.o_proj": (shape.hidden, queries),
        "mlp.gate_proj": (shape.ffn, shape.hidden),
        "mlp.up_proj": (shape.ffn, shape.hidden),
        "mlp.down_proj": (shape.hidden, shape.ffn),
    }
    w: Weights = {"model.embed_tokens.weight": 0.02 * random.standard_normal((shape.vocab, shape.hidden))}
    for layer in range(shape.layers):
        for part, (outputs, inputs) in matrices.items():
            w[layer_name(layer, part)] = random.standard_normal((outputs, inputs)) * 0.5 / math.sqrt(inputs)
        for part in ("input_layernorm", "post_attention_layernorm"):
            w[layer_name(layer, part)] = np.ones(shape.hidden)
    w["model.norm.weight"] = np.ones(shape.hidden)
    return {name: values.astype(np.float32) for name, values in w.items()}


def rate(step: int) -> float:
    """Linear warm-up, then a cosine down to LAST_RATE."""
    if step < WARM_UP:
        return RATE * (step + 1) / WARM_UP
    return LAST_RATE + (RATE - LAST_RATE) * (1 + math.cos(math.pi * (step - WARM_UP) / (STEPS - WARM_UP))) / 2


def train(shape: Shape) -> Weights:
    """AdamW (Loshchilov and Hutter, 2019) with the gradient's norm clipped."""
    random = np.random.default_rng(SEED)
    text = corpus.training_bytes()
    w = initial(shape, random)
    first, second = ({name: np.zeros_like(v) for name, v in w.items()} for _ in range(2))
    start, mean = time.time(), 0.0
    for step in range(STEPS):
        at = random.integers(0, len(text) - LENGTH, BATCH)
        loss, gradient = loss_and_gradient(w, shape, text[at[:, None] + np.arange(LENGTH + 1)].astype(np.int64))
        norm = math.sqrt(sum(float(np.vdot(g, g)) for g in gradient.values()))
        step_rate = rate(step) * math.sqrt(1 - BETAS[1] ** (step + 1)) / (1 - BETAS[0] ** (step + 1))
        for name, g in gradient.items():
            g *= min(1.0, CLIP / norm)
            first[name] += (1 - BETAS[0]) * (g - first[name])
            second[name] += (1 - BETAS[1]) * (g * g - second[name])
            if g.ndim == 2:
                w[name] *= 1 - rate(step) * DECAY
            w[name] -= step_rate * first[name] / (np.sqrt(second[name]) + 1e-8)
        mean += (loss - mean) * max(0.02, 1 / (step + 1))
        if step % 50 == 49:
            print(f"step {step + 1}: training loss {mean:.4f} nats/byte, {time.time() - start:.0f} s", flush=True)
    return w


def loss_of(w: Weights, shape: Shape, text: bytes) -> float:
    """Mean loss in nats per byte, in windows of LENGTH bytes of which the first is not predicted."""
    windows = np.frombuffer(text, np.uint8).astype(np.int64).reshape(-1, LENGTH)
    return float(np.mean([loss_and_gradient(w, shape, part)[0] for part in np.split(windows, len(windows) // 8)]))


def main(folder: Path) -> None:
    from safetensors.numpy import save_file

    shape, start = Shape(), time.time()
    trained = {name: values.astype(np.float16) for name, values in train(shape).items()}
    seconds = time.time() - start
    texts = {
        "heldout.txt": corpus.excerpts(HELD_OUT_EXCERPTS, True),
        "calibration.txt": corpus.excerpts(CALIBRATION_EXCERPTS, False),
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_file(trained, folder / "model.safetensors")
    for name, text in texts.items():
        (folder / name).write_bytes(text)
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "hidden_size": shape.hidden, "num_hidden_layers": shape.layers, "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads, "head_dim": shape.head_dim, "intermediate_size": shape.ffn,
        "vocab_size": shape.vocab, "max_position_embeddings": LENGTH, "rope_theta": shape.theta,
        "rms_norm_eps": shape.eps, "tie_word_embeddings": True, "torch_dtype": "float16",
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
