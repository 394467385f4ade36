"""Tensors of Hugging Face checkpoints: whether those of a folder are what its config.json describes.

Names are those of the modules in transformers (models/*/modeling_*.py). Norms, whose names changed over the years, are
not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from archsim.common.errors import InputError
from archsim.models.config import TransformerConfig
from archsim.models.safetensors_file import SafeTensor, read_safetensors

Shapes = Iterator[tuple[str, tuple[int, ...]]]
_PREFIXES = ("transformer.", "bert.", "vit.", "model.")
"""Of names, which files of a model without its head leave out."""


def check_folder(folder: Path, config: TransformerConfig) -> None:
    """Compare the tensors in a folder's safetensors files with a configuration; their values are not read.

    Raises:
        InputError: one is missing (unless all files hold quantised weights), or has another shape.
    """
    found: dict[str, tuple[SafeTensor, Path]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        found |= {name: (tensor, path) for name, tensor in read_safetensors(path).tensors.items()}
    if not found:
        return
    quantised = any(name.endswith((".qweight", ".weight_packed", ".quant_map")) for name in found)
    for name, shape in tensor_shapes(config):
        own = next((one for one in _spellings(name) if one in found), None)
        if own is not None:
            tensor, path = found[own]
            _check_shape(tensor, path, shape)
        elif not quantised:
            raise InputError(f"no tensor {name!r}", file=folder, remedy="give all files of the model")


def _spellings(name: str) -> Iterator[str]:
    yield name
    yield from (name.removeprefix(prefix) for prefix in _PREFIXES if name.startswith(prefix))


def _check_shape(tensor: SafeTensor, path: Path, shape: tuple[int, ...]) -> None:
    if tensor.shape != shape and tensor.dtype not in ("U8", "I32"):
        message = f"tensor {tensor.name!r} has shape {list(tensor.shape)}, where config.json makes {list(shape)}"
        raise InputError(message, file=path, remedy="give files of one model")


def tensor_shapes(c: TransformerConfig) -> Shapes:
    """Names and shapes of all tensors but the norms'."""
    yield from _SHAPES[_family(c)](c)


def _family(c: TransformerConfig) -> str:
    if c.role == "encoder_decoder":
        return "t5"
    if c.role == "encoder":
        return "vit" if c.image else "bert"
    if c.norm == "rms":
        return "llama"
    return "gptj" if c.order == "parallel" else "gpt2"


def _linear(name: str, rows: int, columns: int, bias: bool = False) -> Shapes:
    yield f"{name}.weight", (rows, columns)
    if bias:
        yield f"{name}.bias", (rows,)


def _llama(c: TransformerConfig) -> Shapes:
    features, cached = c.heads * c.head_dim, c.kv_heads * c.head_dim
    yield "model.embed_tokens.weight", (c.vocab, c.hidden)
    for layer in range(c.layers):
        attention, mlp = f"model.layers.{layer}.self_attn", f"model.layers.{layer}.mlp"
        if c.fused:
            yield from _linear(f"{attention}.qkv_proj", features + 2 * cached, c.hidden)
            yield from _linear(f"{mlp}.gate_up_proj", 2 * c.ffn, c.hidden)
            yield from _linear(f"{mlp}.down_proj", c.hidden, c.ffn)
        else:
            for part, rows in (("q", features), ("k", cached), ("v", cached)):
                yield from _linear(f"{attention}.{part}_proj", rows, c.hidden, "qkv" in c.biases)
            yield from _experts(c, layer) if c.experts else _swiglu(c, mlp, ("gate_proj", "up_proj", "down_proj"))
        yield from _linear(f"{attention}.o_proj", c.hidden, features)
    if not c.tied:
        yield "lm_head.weight", (c.vocab, c.hidden)


def _swiglu(c: TransformerConfig, name: str, parts: tuple[str, str, str]) -> Shapes:
    gate, up, down = parts
    yield from _linear(f"{name}.{gate}", c.ffn, c.hidden)
    yield from _linear(f"{name}.{up}", c.ffn, c.hidden)
    yield from _linear(f"{name}.{down}", c.hidden, c.ffn)


def _experts(c: TransformerConfig, layer: int) -> Shapes:
    name = f"model.layers.{layer}.block_sparse_moe"
    yield from _linear(f"{name}.gate", c.experts, c.hidden)
    for expert in range(c.experts):
        yield from _swiglu(c, f"{name}.experts.{expert}", ("w1", "w3", "w2"))


def _gpt2(c: TransformerConfig) -> Shapes:
    """Its matrices are [inputs, outputs]."""
    yield "transformer.wte.weight", (c.vocab, c.hidden)
    yield "transformer.wpe.weight", (c.max_positions, c.hidden)
    for layer in range(c.layers):
        parts = (("attn.c_attn", c.hidden, 3 * c.hidden), ("attn.c_proj", c.hidden, c.hidden),
                 ("mlp.c_fc", c.hidden, c.ffn), ("mlp.c_proj", c.ffn, c.hidden))  # fmt: skip
        for part, inputs, outputs in parts:
            yield f"transformer.h.{layer}.{part}.weight", (inputs, outputs)
            yield f"transformer.h.{layer}.{part}.bias", (outputs,)


def _gptj(c: TransformerConfig) -> Shapes:
    yield "transformer.wte.weight", (c.vocab, c.hidden)
    for layer in range(c.layers):
        for part in "q", "k", "v", "out":
            yield from _linear(f"transformer.h.{layer}.attn.{part}_proj", c.hidden, c.hidden)
        yield from _linear(f"transformer.h.{layer}.mlp.fc_in", c.ffn, c.hidden, True)
        yield from _linear(f"transformer.h.{layer}.mlp.fc_out", c.hidden, c.ffn, True)
    yield from _linear("lm_head", c.vocab, c.hidden, True)


def _bert(c: TransformerConfig) -> Shapes:
    rows = {"word": c.vocab, "position": c.max_positions, "token_type": c.token_types}
    for name, count in rows.items():
        yield f"bert.embeddings.{name}_embeddings.weight", (count, c.hidden)
    yield from _encoder(c, "bert.encoder.layer", "attention.self")
    yield from _linear("cls.predictions.transform.dense", c.hidden, c.hidden, True)
    yield "cls.predictions.bias", (c.vocab,)


def _vit(c: TransformerConfig) -> Shapes:
    assert c.image
    side = c.image.side
    yield "vit.embeddings.cls_token", (1, 1, c.hidden)
    yield "vit.embeddings.position_embeddings", (1, c.max_positions, c.hidden)
    yield "vit.embeddings.patch_embeddings.projection.weight", (c.hidden, c.image.channels, side, side)
    yield "vit.embeddings.patch_embeddings.projection.bias", (c.hidden,)
    yield from _encoder(c, "vit.encoder.layer", "attention.attention")
    yield from _linear("classifier", c.vocab, c.hidden, True)


def _encoder(c: TransformerConfig, stack: str, attention: str) -> Shapes:
    """Layers of BERT and ViT."""
    for layer in range(c.layers):
        name = f"{stack}.{layer}"
        for part in "query", "key", "value":
            yield from _linear(f"{name}.{attention}.{part}", c.hidden, c.hidden, "qkv" in c.biases)
        yield from _linear(f"{name}.attention.output.dense", c.hidden, c.hidden, True)
        yield from _linear(f"{name}.intermediate.dense", c.ffn, c.hidden, True)
        yield from _linear(f"{name}.output.dense", c.hidden, c.ffn, True)


def _t5(c: TransformerConfig) -> Shapes:
    yield "shared.weight", (c.vocab, c.hidden)
    for stack, layers, kinds in (("encoder", c.layers, ("SelfAttention",)),
                                 ("decoder", c.decoder_layers, ("SelfAttention", "EncDecAttention"))):  # fmt: skip
        first = f"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        yield first, (c.buckets, c.heads)
        for layer in range(layers):
            for number, kind in enumerate(kinds):
                yield from _t5_attention(c, f"{stack}.block.{layer}.layer.{number}.{kind}")
            dense = f"{stack}.block.{layer}.layer.{len(kinds)}.DenseReluDense"
            yield from _linear(f"{dense}.wi", c.ffn, c.hidden)
            yield from _linear(f"{dense}.wo", c.hidden, c.ffn)
    if not c.tied:
        yield "lm_head.weight", (c.vocab, c.hidden)


def _t5_attention(c: TransformerConfig, name: str) -> Shapes:
    features = c.heads * c.head_dim
    for part in "q", "k", "v":
        yield from _linear(f"{name}.{part}", features, c.hidden)
    yield from _linear(f"{name}.o", c.hidden, features)


_SHAPES: dict[str, Callable[[TransformerConfig], Shapes]] = {
    "llama": _llama, "gpt2": _gpt2, "gptj": _gptj, "bert": _bert, "vit": _vit, "t5": _t5,
}  # fmt: skip
