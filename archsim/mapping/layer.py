"""Ops of a graph to one program: kernels after each other, weights of the next matmul fetched ahead."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from archsim.isa.program import Program
from archsim.kernels.assembly import Assembly
from archsim.kernels.matmul import MatMul
from archsim.mapping.bind import Bound
from archsim.mapping.plan import Plan, PlannedOp, make_plan

OF_LAYER = "@"
"""In a tensor's name, between it and the layer that it belongs to, in a program of several layers."""


@dataclass(frozen=True)
class LayerProgram:
    """A program of several ops: its memory plan, source text, code, and what DRAM must hold for its control flow.

    Attributes:
        layers: that it stands for, each of which runs it once; none: it is of no layer, and runs once.
        owners: the layer of each op, of a program of several layers, which runs once.
    """

    name: str
    plan: Plan
    source: str
    program: Program
    memory: Mapping[int, np.ndarray] = field(default_factory=dict)
    layers: tuple[int, ...] = ()
    owners: tuple[int, ...] = ()

    @property
    def times(self) -> int:
        """How often it runs."""
        return max(1, len(self.layers))

    def layers_of(self, number: int) -> tuple[int, ...]:
        """The layers that an op of it stands for."""
        return (self.owners[number],) if self.owners else self.layers


def write_layers(
    layers: Mapping[int, Sequence[Bound]],
    design: Any,
    contents: Mapping[str, np.ndarray] | None = None,
    chosen: Mapping[str, Any] | None = None,
) -> LayerProgram:
    """One program of several layers, each with weights and caches of its own; see write_program().

    Args:
        layers: their ops by their number, in order.
    """
    bounds = [_of_layer(bound, number) for number, ops in layers.items() for bound in ops]
    owners = tuple(number for number, ops in layers.items() for _ in ops)
    return replace(write_program("layer", bounds, design, contents, chosen), owners=owners)


def _of_layer(bound: Bound, layer: int) -> Bound:
    """An op whose weights and caches are a layer's own."""
    own = {tensor.name for tensor in bound.op.weights}
    tensors = {
        array: f"{name}{OF_LAYER}{layer}" if name in own or "_cache." in name else name
        for array, name in bound.tensors.items()
    }
    return replace(bound, tensors=tensors)


def write_program(
    name: str,
    bounds: Sequence[Bound],
    design: Any,
    contents: Mapping[str, np.ndarray] | None = None,
    chosen: Mapping[str, Any] | None = None,
) -> LayerProgram:
    """The program of a sequence of ops on a design; op i is region i of its profile.

    Args:
        contents: what those tensors hold at the start that the ops have (as needed: bulk data matters to no timing).
        chosen: tilings, by op; by default they are chosen by estimate.

    Raises:
        InputError: an op does not fit the design.
    """
    from archsim.machine.run import isa_of

    plan = make_plan(bounds, design, chosen)
    source = _write(plan, design.cores)
    places = [(*plan.tensors[name], values) for name, values in (contents or {}).items() if name in plan.tensors]
    memory = {address: array.store(values) for address, array, values in places}
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
