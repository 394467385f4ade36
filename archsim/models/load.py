"""Models by name or file, with the formats they are stored and computed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os.path import abspath
from pathlib import Path

from archsim.common.errors import InputError
from archsim.common.resources import find, shipped
from archsim.formats import Format, IntegerFormat, parse_format
from archsim.formats.turboquant import TurboQuantFormat
from archsim.models.build import build_graph
from archsim.models.checkpoint import check_folder
from archsim.models.config import TransformerConfig
from archsim.models.config_file import read_config, read_routing
from archsim.models.experts import check_shares
from archsim.models.gguf_file import read_gguf
from archsim.models.gguf_model import gguf_config, gguf_plan
from archsim.models.graph import Graph
from archsim.models.onnx.file import ONNX_WEIGHTS, is_onnx
from archsim.models.weight_plan import WeightPlan, parse_weights

DEFAULT_WEIGHTS = "int4-g128"
_FOLDER = "workloads/models"
_CODED_CACHES = ("turboquant-2", "turboquant-3", "turboquant-4")
"""Formats of a KV cache that kernels write and multiply."""


@dataclass(frozen=True)
class Model:
    """A transformer and the formats of its weights, its activations and its KV cache.

    Attributes:
        routing: shares of tokens by expert, in any unit; None: equal ones.
    """

    name: str
    config: TransformerConfig
    weights: WeightPlan
    activations: Format
    kv: Format
    routing: tuple[float, ...] | None = None

    @property
    def parameters(self) -> int:
        """All parameters, as publishers count them."""
        return self.config.parameters

    def graph(self, phase: str, batch: int = 1, context: int = 2048) -> Graph:
        """The ops of one phase; see models.build.build_graph.

        Raises:
            InputError: the phase or a size is wrong.
        """
        bits = self.kv.bits if isinstance(self.kv, TurboQuantFormat) else 0
        return build_graph(self.config, phase, batch, context, self.weights, bits, self.routing)


def load_model(
    name: str | Path,
    weights: str = DEFAULT_WEIGHTS,
    activations: str = "int8",
    kv: str = "int8",
    routing: Sequence[float] | None = None,
) -> Model:
    """Load a model.

    Args:
        name: a shipped model; a config.json, or a YAML file as shipped models are, under any name; a folder that holds
            config.json, and maybe safetensors files, whose shapes must then agree with it; or a GGUF file.
        weights: format of the weights; or "mixed:" and the file of a plan (see models.weight_plan). Of a GGUF file the
            default means the types of its tensors.
        activations: format of activations: int8, per token.
        kv: format of the KV cache: int8, per token and head; or turboquant-2, -3 or -4.
        routing: shares of tokens by expert, in any unit, of a mixture of experts; by default those of the model's YAML
            file, or equal ones.

    Raises:
        InputError: unknown model or format, a format that is not for that use, or a malformed configuration.
    """
    if is_onnx(str(name)):
        note = "use archsim simulate, compare or model show; or archsim.load_onnx in Python"
        raise InputError("an ONNX file is a graph, no configuration of a transformer", file=name, remedy=note)
    plan, form = parse_weights(weights), parse_format(activations)
    for one in plan.all_formats():
        if isinstance(one, IntegerFormat) and one.scope == "token":
            raise InputError(
                f"format {one.name!r} is not for weights", remedy="use int4-g128, or another of groups or channels"
            )
    if not _is_int8(form):
        raise InputError(f"format {form.name!r} is not supported for activations", remedy="use int8 or int8-token")
    cache = kv_format(kv)
    path = _model_file(str(name))
    config, own, shares = _read(path)
    if own is not None and weights == DEFAULT_WEIGHTS:
        plan = own
    shares = shares if routing is None else routing
    if shares is not None:
        check_shares(shares, config)
    # not resolve(): a download cache links config.json to a file in another folder
    label = Path(abspath(path)).parent.name if path.name == "config.json" else path.stem
    return Model(label, config, plan, form, cache, None if shares is None else tuple(shares))


def _read(path: Path) -> tuple[TransformerConfig, WeightPlan | None, Sequence[float] | None]:
    """Configuration, formats and routing, as far as a file has them."""
    if path.suffix == ".gguf":
        file = read_gguf(path)
        config = gguf_config(file)
        return config, gguf_plan(file, config), None
    config = read_config(path)
    if path.name == "config.json":
        check_folder(path.parent, config)
    return config, None, read_routing(path)


def kv_format(name: str) -> Format:
    """The format of a KV cache that kernels write and multiply.

    Raises:
        InputError: it is unknown, or there are none for it.
    """
    form = parse_format(name)
    if not _is_int8(form) and form.name not in _CODED_CACHES:
        remedy = f"use int8, int8-token, {', '.join(_CODED_CACHES)}"
        raise InputError(f"format {form.name!r} is not supported for the KV cache", remedy=remedy)
    return form


def _is_int8(form: Format) -> bool:
    return type(form) is IntegerFormat and form.bits == 8 and form.scope in ("row", "token")


def _model_file(name: str) -> Path:
    """The user's own folder or file first, then what ships."""
    folder = Path(name)
    if not name or not folder.is_dir():
        json = Path(f"{name}.json")
        own = folder.is_file() or Path(f"{name}.yaml").is_file()
        return json if name and not own and json.is_file() else find("model", name, _FOLDER)
    if (folder / "config.json").is_file():
        return folder / "config.json"
    if name in shipped(_FOLDER, ".yaml"):
        return find("model", name, _FOLDER)
    raise InputError(
        "the folder holds no config.json", file=folder, remedy="give the folder of a model, or a config.json"
    )


USUAL_CONTEXT = 2048


def default_weights(name: str) -> str:
    """The format of weights where none is named."""
    return ONNX_WEIGHTS if is_onnx(name) else DEFAULT_WEIGHTS


def default_context(name: str, spare: int = 0) -> int:
    """Tokens of context where none are named: 2048, or as many as the model is made for.

    Args:
        spare: tokens that must have room behind them.

    Raises:
        InputError: as load_model().
    """
    if is_onnx(name):
        # it has its own
        return USUAL_CONTEXT
    return max(1, min(USUAL_CONTEXT, load_model(name).config.max_positions - spare))
