"""Weights of checkpoints that GPTQ or AWQ quantised, as Hugging Face's config.json announces them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from archsim.common.errors import InputError
from archsim.formats import checkpoint_packing

PARTS = ("qweight", "qzeros", "scales")
"""Tensors of a layer that is quantised, behind its name."""
GROUPS = "g_idx"
"""One more, of GPTQ alone, that may be missing."""
_GPTQ_VERSIONS = {"gptq": 1, "gptq_v2": 2}
_KEY = "quantization_config"


@dataclass(frozen=True)
class CheckpointScheme:
    """How a checkpoint's matrices are stored.

    Attributes:
        method: "gptq" or "awq".
        bits: of a code.
        version: of GPTQ's zero points.
    """

    method: str
    bits: int
    version: int = 1

    def weights(self, tensor: Callable[[str], np.ndarray | None]) -> np.ndarray:
        """A matrix: float32 [outputs, inputs].

        Args:
            tensor: gives one of PARTS or GROUPS of the layer as stored, None where there is none.

        Raises:
            InputError: one of PARTS is missing, or they do not belong together.
        """
        qweight, qzeros, scales = (self._required(part, tensor) for part in PARTS)
        if self.method == "awq":
            return checkpoint_packing.grouped_weights(
                checkpoint_packing.unpack_awq(qweight), checkpoint_packing.unpack_awq(qzeros), scales
            )
        return checkpoint_packing.grouped_weights(
            checkpoint_packing.unpack_gptq(qweight, self.bits),
            checkpoint_packing.unpack_gptq_zeros(qzeros, self.bits, self.version),
            scales,
            tensor(GROUPS),
        )

    def _required(self, part: str, tensor: Callable[[str], np.ndarray | None]) -> np.ndarray:
        values = tensor(part)
        if values is None:
            raise InputError(f"a quantised layer has no tensor {part!r}", remedy="give all files of the model")
        return values


def read_scheme(path: Path) -> CheckpointScheme | None:
    """What a config.json that could be read before says of quantisation; None where that is nothing.

    Raises:
        InputError: the method, its bits or its layout are not supported.
    """
    found = json.loads(path.read_text(encoding="utf-8")).get(_KEY)
    if found is None:
        return None
    fields = found if isinstance(found, dict) else {}
    method, bits = fields.get("quant_method"), fields.get("bits")
    layout = fields.get("checkpoint_format", "gptq") if method == "gptq" else str(fields.get("version", "gemm")).lower()
    if method == "gptq" and bits in (2, 4, 8) and layout in _GPTQ_VERSIONS:
        return CheckpointScheme("gptq", bits, _GPTQ_VERSIONS[layout])
    if method == "awq" and bits == 4 and layout == "gemm":
        return CheckpointScheme("awq", bits)
    what = f"{str(method)[:40]} of {str(bits)[:10]} bits in layout {str(layout)[:40]!r}"
    raise InputError(
        f"{_KEY} is {what}", file=path, remedy="give GPTQ of 2, 4 or 8 bits, or AWQ of 4 bits in layout gemm"
    )
