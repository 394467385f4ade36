"""Ops of a graph to one program: kernels after each other, weights of the next matmul fetched ahead."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from archsim.isa.program import Program
from archsim.kernels.assembly import Assembly
from archsim.kernels.matmul import MatMul
from archsim.mapping.bind import Bound
from archsim.mapping.plan import Plan, PlannedOp, make_plan


@dataclass(frozen=True)
class LayerProgram:
    """A program of several ops: its memory plan, source text, code, and what DRAM must hold for its control flow."""

    name: str
    plan: Plan
    source: str
    program: Program
    memory: Mapping[int, np.ndarray] = field(default_factory=dict)


def write_program(
    name: str,
    bounds: Sequence[Bound],
    design: Any,
    contents: Mapping[str, np.ndarray] | None = None,
    chosen: Mapping[str, Any] | None = None,
) -> LayerProgram:
    """The program of a sequence of ops on a design; op i is region i of its profile.

    Args:
        contents: what tensors hold at the start, by name (as needed: bulk data matters to no timing).
        chosen: tilings, by op; by default they are chosen by estimate.

    Raises:
        InputError: an op does not fit the design.
    """
    from archsim.machine.run import isa_of

    plan = make_plan(bounds, design, chosen)
    source = _write(plan, design.cores)
    places = {tensor: plan.tensors[tensor] for tensor in contents or {}}
    memory = {address: array.store((contents or {})[tensor]) for tensor, (address, array) in places.items()}
    return LayerProgram(name, plan, source, isa_of(design).assemble(source, f"{name}.s"), memory)


def _write(plan: Plan, cores: int) -> str:
    asm = Assembly()
    matmuls = [op for op in plan.ops if isinstance(op.bound.kernel, MatMul)]
    following = dict(zip([None, *map(id, matmuls)], matmuls, strict=False))
    if matmuls:
        asm.defer(_prologue(asm, following[None]))
    for number, op in enumerate(plan.ops):
        asm.region(number)
        asm.comment(f"{op.bound.op.name}: {op.tiling}")
        op.bound.kernel.emit(asm, op.tiling, op.place)
        if id(op) in following:
            asm.defer(_prologue(asm, following[id(op)]))
        if cores > 1:
            asm("qt.sync")
    return asm.text()


def _prologue(asm: Assembly, op: PlannedOp) -> Callable[[], None]:
    kernel = op.bound.kernel
    assert isinstance(kernel, MatMul)
    return lambda: kernel.prologue(asm, op.tiling, op.place)
