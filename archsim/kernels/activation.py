"""Activations of feed-forwards other than Llama's, quantised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from archsim.kernels.assembly import Assembly
from archsim.kernels.rows import vector
from archsim.kernels.segmented import SegmentedRows
from archsim.kernels.target import Target

INSTRUCTIONS = {"gelu_tanh": "qv.gelu", "gelu_erf": "qv.gelue", "relu": "qv.relu"}


@dataclass(frozen=True)
class Activation(SegmentedRows):
    """f(x) of x float32 [rows, features], or f(gate) * up of [rows, 2 x features], to int8 codes with a scale per row.

    Attributes:
        function: one of INSTRUCTIONS.
        gated: whether rows are gate and up.
    """

    name: str
    target: Target
    rows: int
    features: int
    function: str
    gated: bool
    source: ClassVar[str] = "x"

    @property
    def parts(self) -> tuple[str, ...]:
        return ("gate", "up") if self.gated else ("gate",)

    def work(self, asm: Assembly, target: int, *parts: int) -> None:
        gate, *up = parts
        vector(asm, INSTRUCTIONS[self.function], gate if up else target, gate)
        if up:
            vector(asm, "qv.mul", target, gate, *up)
