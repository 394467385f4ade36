"""silu(gate) * up, quantised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from archsim.kernels.assembly import Assembly
from archsim.kernels.rows import vector
from archsim.kernels.segmented import SegmentedRows
from archsim.kernels.target import Target


@dataclass(frozen=True)
class SiluMul(SegmentedRows):
    """gate_up float32 [rows, 2 x features], gate first, to int8 codes [rows, features] with a scale per row."""

    name: str
    target: Target
    rows: int
    features: int
    source: ClassVar[str] = "gate_up"

    @property
    def parts(self) -> tuple[str, ...]:
        return "gate", "up"

    def work(self, asm: Assembly, target: int, *parts: int) -> None:
        gate, up = parts
        vector(asm, "qv.silu", gate, gate)
        vector(asm, "qv.mul", target, gate, up)
