"""Models by name or file, with the formats they are stored and computed in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from archsim.common.errors import InputError
from archsim.common.resources import find
from archsim.formats import Format, parse_format
from archsim.models.config import TransformerConfig, read_config
from archsim.models.graph import Graph, build_graph


@dataclass(frozen=True)
class Model:
    """A transformer in formats: `weights`, `activations`, `kv` (the KV cache)."""

    name: str
    config: TransformerConfig
    weights: Format
    activations: Format
    kv: Format

    @property
    def parameters(self) -> int:
        return self.config.parameters

    def graph(self, phase: str, batch: int = 1, context: int = 2048) -> Graph:
        """The ops of a phase (see models.graph)."""
        return build_graph(self.config, phase, batch, context, self.weights, self.kv)


def load_model(
    name: str, weights: str = "int4-g128", activations: str = "int8", kv: str = "int8"
) -> Model:
    """Load a model.

    Args:
        name: a shipped model, a config.json, or a folder that holds one.
        weights: format of the weights, such as int4-g128.
        activations: format of activations: int8 (per token).
        kv: format of the KV cache: int8 (per token and head).

    Raises:
        InputError: unknown model or format, or a malformed configuration.
    """
    forms = parse_format(weights), parse_format(activations), parse_format(kv)
    for what, form in (("activations", forms[1]), ("KV cache", forms[2])):
        if form.bits != 8 or form.group:
            raise InputError(f"format {form.name!r} is not available for the {what}", remedy="use int8")
    folder = Path(name) / "config.json"
    path = folder if folder.is_file() else find("model", name, "workloads/models", ".json")
    label = path.parent.name if path.name == "config.json" else path.stem
    return Model(label, read_config(path), *forms)
