"""Small programs for views, and running them."""

from __future__ import annotations

from typing import Any

import archsim
from archsim.isa.program import SCRATCHPAD_BASE

EXIT = "li a0, 0\nli a7, 93\necall\n"


def loop(body: str, rounds: int) -> str:
    return f"li s0, {rounds}\n1:\n{body}\naddi s0, s0, -1\nbnez s0, 1b\n{EXIT}"


def transfers(size: int, rounds: int) -> str:
    """DMA loads of `size` bytes, each waited for."""
    setup = f"csrwi qdrows, 1\nli t0, {size}\ncsrw qdrowb, t0\nli a0, 0x100000\nli s1, {SCRATCHPAD_BASE}\n"
    return setup + loop("qt.dma.ld b0, a0, s1\nqt.bar.wait b0\n", rounds)


def assemble(source: str, design: Any) -> tuple[Any, Any]:
    """A program and the instruction set of a design."""
    isa = archsim.load_isa(*design.isa, parameters=design.parameters)
    return isa.assemble(source), isa


def run(source: str, name: str = "edge-npu", overrides: dict[str, str] | None = None, **options: Any) -> Any:
    design = archsim.load_design(name, overrides)
    program, isa = assemble(source, design)
    return archsim.run(program, design, isa=isa, **options)
