"""Fields of a model's configuration, checked one by one; null is the same as absent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archsim.common.errors import InputError, nearest

Names = tuple[str, ...]


class Fields:
    """Fields of one file.

    Attributes:
        tree: those that are not null.
        lines: of the fields.
        known: names that are no misspelling of a missing one.
    """

    def __init__(self, tree: Mapping[str, Any], path: Path, lines: Mapping[str, int]) -> None:
        self.tree = {key: value for key, value in tree.items() if value is not None}
        self.path, self.lines = path, lines
        self.known: set[str] = set()

    def size(self, field: str, default: int | None = None) -> int:
        """A whole number above 0."""
        self.known.add(field)
        if field not in self.tree and default is None:
            raise self.missing(field)
        value = self.tree.get(field, default)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**31:
            raise self.error(field, f"{field} is {short(value)}", "write a whole number from 1 to 2147483647")
        return value

    def real(self, field: str, default: float, table: Mapping[str, Any] | None = None) -> float:
        """A number above 0, no NaN or infinity; of a table inside, where one is given."""
        value = (self.tree if table is None else table).get(field, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e300:
            raise self.error(field, f"{field} is {short(value)}", "write a number above 0")
        return float(value)

    def flag(self, field: str, default: bool = False) -> bool:
        """true or false."""
        value = self.tree.get(field, default)
        if not isinstance(value, bool):
            raise self.error(field, f"{field} is {short(value)}", "write true or false")
        return value

    def choice(self, field: str, default: str, known: Mapping[str, str]) -> str:
        """What one of the known words stands for."""
        value = self.tree.get(field, default)
        if not isinstance(value, str) or value not in known:
            words = list(known)
            only = f"only {words[0]} is" if len(words) == 1 else f"only {', '.join(words)} are"
            raise self.error(field, f"{field} {short(value)} is not supported", only)
        return known[value]

    def missing(self, field: str) -> InputError:
        """The error for a field that is not there: points at one that looks like it."""
        near = nearest(field, set(self.tree) - self.known - _USUAL)
        remedy = f"did you mean it with {near!r}?" if near else "add it"
        return self.error(near or field, f"field {field!r} is missing", remedy)

    def error(self, field: str, message: str, remedy: str) -> InputError:
        return InputError(message, file=self.path, line=self.lines.get(field), remedy=remedy)


_USUAL = {
    "architectures", "model_type", "hidden_act", "num_key_value_heads", "head_dim", "rope_theta", "rms_norm_eps",
    "original_max_position_embeddings", "sliding_window", "tie_word_embeddings", "hidden_size", "num_hidden_layers",
    "num_attention_heads", "intermediate_size", "vocab_size", "max_position_embeddings", "n_embd", "n_layer", "n_head",
    "n_inner", "n_positions", "n_ctx", "d_model", "d_ff", "d_kv", "num_layers", "num_heads", "layer_norm_epsilon",
}  # fmt: skip
"""Fields that are no misspelling of another."""


def short(value: object) -> str:
    """A value in few letters."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."


TANH_FORMS = {"gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "gelu_fast": "gelu_tanh"}
"""Names of GELU by way of tanh."""


def sizes(fields: Fields, names: dict[str, str]) -> dict[str, Any]:
    return {name: fields.size(field) for name, field in names.items()}


def tied(fields: Fields, default: bool = True) -> bool:
    return fields.flag("tie_word_embeddings", default)


def heads(
    fields: Fields,
    config: dict[str, Any],
    rotary: bool = False,
    head_field: str = "num_attention_heads",
    hidden_field: str = "hidden_size",
) -> dict[str, Any]:
    """kv_heads and head_dim."""
    hidden, heads = config["hidden"], config["heads"]
    kv_heads = fields.size("num_key_value_heads", heads)
    if heads % kv_heads:
        message = f"{head_field} {heads} is no multiple of num_key_value_heads {kv_heads}"
        raise fields.error("num_key_value_heads", message, "correct one of them")
    if "head_dim" not in fields.tree and hidden % heads:
        message = f"{hidden_field} {hidden} is no multiple of {head_field} {heads}"
        raise fields.error(head_field, message, "correct one, or add head_dim")
    head_dim = fields.size("head_dim", hidden // heads)
    if rotary and head_dim % 2:
        field = "head_dim" if "head_dim" in fields.tree else head_field
        raise fields.error(field, f"head_dim {head_dim} is odd", "rotary positions need an even one")
    return {"kv_heads": kv_heads, "head_dim": head_dim}
