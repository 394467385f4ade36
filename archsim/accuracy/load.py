"""Models of the Llama architecture from safetensors folders and GGUF files, and the one that ships."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from archsim.accuracy.llama import FINAL_NORM, NORMS, TABLE, Llama
from archsim.common.errors import InputError
from archsim.common.resources import data_root
from archsim.models.config import TransformerConfig
from archsim.models.config_file import read_config
from archsim.models.gguf_file import GgufFile, read_gguf
from archsim.models.gguf_model import gguf_config
from archsim.models.matrices import HEAD, LINEARS, layer_part
from archsim.models.quantized_checkpoint import PARTS, CheckpointScheme, read_scheme
from archsim.models.safetensors_file import SafeTensorsFile, read_safetensors

REFERENCE = "reference"
"""Name of the model that ships."""
_GGUF_PARTS = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def reference_folder() -> Path:
    """Of the model that ships, and its texts."""
    return data_root() / "workloads" / "reference_model"


def load_llama(name: str | Path) -> Llama:
    """Load a model, all of it, as float32.

    Args:
        name: "reference"; a folder with config.json and safetensors files, which GPTQ or AWQ may have quantised; or a
            GGUF file.

    Raises:
        InputError: there is none, it is malformed, or it computes otherwise than archsim does.
    """
    path = Path(name)
    if path.is_file():
        return _from_gguf(read_gguf(path))
    if path.is_dir():
        return _from_folder(path)
    if str(name) == REFERENCE:
        return _from_folder(reference_folder())
    raise InputError(
        f"no model {str(name)!r}", remedy=f"give a folder of safetensors, a GGUF file, or {REFERENCE!r}, which ships"
    )


def _from_folder(folder: Path) -> Llama:
    config = read_config(folder / "config.json")
    problem = "fused q, k and v" if config.fused else f"rotary positions of type {config.rope_type!r}"
    problem = problem if config.is_llama else "models that compute otherwise than Llama"
    if config.rope_type != "default" or config.fused or not config.is_llama:
        raise InputError(f"{problem} are not supported here", file=folder / "config.json", remedy="use another model")
    files = [read_safetensors(path) for path in sorted(folder.glob("*.safetensors"))]
    if not files:
        raise InputError("the folder holds no safetensors file", file=folder, remedy="give the folder of a model")
    holders = {name: file for file in files for name in file.tensors}
    scheme = read_scheme(folder / "config.json")
    weights = {}
    for name, shape in _shapes(config).items():
        full, quantized = f"{name}.weight", f"{name}.{PARTS[0]}"
        if full in holders:
            values = holders[full].values(full)
        elif scheme is not None and quantized in holders:
            values = _quantized(scheme, name, holders)
        else:
            raise InputError(f"no tensor {full!r}", file=folder, remedy="give all files of the model")
        weights[name] = _checked(values, full, shape, folder)
    return Llama(config, weights)


def _quantized(scheme: CheckpointScheme, name: str, holders: Mapping[str, SafeTensorsFile]) -> np.ndarray:
    def tensor(part: str) -> np.ndarray | None:
        full = f"{name}.{part}"
        return holders[full].raw(full) if full in holders else None

    return scheme.weights(tensor)


def _from_gguf(file: GgufFile) -> Llama:
    config = _gguf_config(file)
    weights = {}
    for name, shape in _shapes(config).items():
        own = _gguf_name(name)
        values = file.packed(own).dequantize()
        weights[name] = _checked(values if len(shape) == 2 else values[0], own, shape, file.path)
    for layer in range(config.layers):
        # llama.cpp pairs neighbours where Hugging Face pairs halves (convert_hf_to_gguf.py, LlamaModel.permute)
        for part in ("self_attn.q_proj", "self_attn.k_proj"):
            w = weights[layer_part(layer, part)]
            pairs = w.reshape(-1, config.head_dim // 2, 2, w.shape[1]).swapaxes(1, 2)
            weights[layer_part(layer, part)] = np.ascontiguousarray(pairs).reshape(w.shape)
    return Llama(config, weights)


def _gguf_config(file: GgufFile) -> TransformerConfig:
    config = gguf_config(file)
    if not config.is_llama or config.rope_type != "default":
        what = "scaled rotary positions" if config.is_llama else "models that compute otherwise than Llama"
        raise InputError(f"{what} are not supported here", file=file.path, remedy="give a Llama or Mistral model")
    return config


def _gguf_name(name: str) -> str:
    fixed = {TABLE: "token_embd", FINAL_NORM: "output_norm", HEAD: "output"}
    if name in fixed:
        return f"{fixed[name]}.weight"
    _, _, layer, part = name.split(".", 3)
    return f"blk.{layer}.{_GGUF_PARTS[part]}.weight"


def _shapes(config: TransformerConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all weights."""
    queries, cached = config.heads * config.head_dim, config.kv_heads * config.head_dim
    hidden, ffn = config.hidden, config.ffn
    matrices = [(queries, hidden), (cached, hidden), (cached, hidden), (hidden, queries), (ffn, hidden), (ffn, hidden),
                (hidden, ffn)]  # fmt: skip
    shapes: dict[str, tuple[int, ...]] = {TABLE: (config.vocab, hidden)}
    for layer in range(config.layers):
        shapes |= {layer_part(layer, part): shape for part, shape in zip(LINEARS, matrices, strict=True)}
        shapes |= {layer_part(layer, part): (hidden,) for part in NORMS}
    shapes[FINAL_NORM] = (hidden,)
    return shapes if config.tied else {**shapes, HEAD: (config.vocab, hidden)}


def _checked(values: np.ndarray, name: str, shape: tuple[int, ...], file: Path) -> np.ndarray:
    if values.shape != shape:
        message = f"tensor {name!r} has shape {list(values.shape)}, where the model's sizes make {list(shape)}"
        raise InputError(message, file=file, remedy="give files of one model")
    if not np.isfinite(values).all():
        raise InputError(f"tensor {name!r} has a weight that is not finite", file=file, remedy="give another model")
    return values
