"""A model out of an ONNX file with values: inputs in, outputs out, every instruction simulated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from archsim.common.errors import InputError, unknown
from archsim.kernels.base import WeightKernel
from archsim.mapping.layer import LayerProgram
from archsim.mapping.onnx_simulation import onnx_program
from archsim.models.onnx.values import IDS, IMAGES, PIXELS, Value

if TYPE_CHECKING:
    from archsim.design.spec import Design
    from archsim.machine.result import RunResult
    from archsim.models.onnx.model import OnnxModel


def run_onnx(
    model: OnnxModel, design: Design, inputs: Mapping[str, np.ndarray], fidelity: str = "timed"
) -> tuple[dict[str, np.ndarray], RunResult]:
    """Run a model.

    Args:
        inputs: by the file's names, in the file's shapes; taken as float32, or int32 where the file has integers.
        fidelity: "timed" or "functional".

    Returns:
        Outputs float32 by the file's names, in the file's shapes; and the result of the run.

    Raises:
        InputError: an input is missing, unknown, or of another shape; or the model does not fit the design.
        SimulationError: the program trapped.
    """
    from archsim.machine.run import run

    if fidelity not in ("timed", "functional"):
        raise InputError(f"fidelity {fidelity!r} has no values", remedy="use timed or functional")
    contents = _inputs(model, inputs) | dict(model.constants)
    program = onnx_program(model, design)
    result = run(program.program, design, fidelity=fidelity, memory=_memory(model, program, contents))
    tensors = program.plan.tensors
    outputs = {}
    for name, value in model.outputs.items():
        address, array = tensors[value.tensor]
        outputs[name] = shaped(array.load(result.read(address, array.nbytes)), value)
    return outputs, result


def _inputs(model: OnnxModel, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Contents of the tensors of inputs."""
    for name in inputs:
        if name not in model.inputs:
            raise unknown("input", name, model.inputs)
    contents = {}
    for name, value in model.inputs.items():
        if name not in inputs:
            raise InputError(f"input {name!r} is missing", remedy=f"give an array of shape {value.shape}")
        given = np.asarray(inputs[name], np.int32 if value.layout == IDS else np.float32)
        if given.shape != value.shape:
            raise InputError(f"input {name!r} has shape {given.shape}", remedy=f"give one of shape {value.shape}")
        if value.layout == IDS:
            _check_ids(model, name, value, given)
        contents[value.tensor] = given.reshape(-1, value.shape[-1])
    return contents


def _check_ids(model: OnnxModel, name: str, value: Value, given: np.ndarray) -> None:
    """Refuse numbers of rows that a table does not have."""
    for op in model.graph.layer:
        rows = op.weights[0].shape[0] if op.kind == "embed" and op.inputs[0].name == value.tensor else np.inf
        if given.min() < 0 or given.max() >= rows:
            raise InputError(
                f"input {name!r} has numbers from {given.min()} to {given.max()}", remedy="use those of rows"
            )


def _memory(model: OnnxModel, program: LayerProgram, contents: dict[str, np.ndarray]) -> dict[int, np.ndarray]:
    """What DRAM holds at the start, by address."""
    memory = {}
    for op in program.plan.ops:
        kernel, tensors = op.bound.kernel, op.bound.tensors
        if not isinstance(kernel, WeightKernel):
            continue
        memory[op.place.dram["weights"]] = kernel.pack(model.packed(tensors["weights"]), op.tiling)
        if "bias" in tensors:
            # whole blocks of them
            whole = np.zeros(kernel.arrays()["bias"].shape, np.float16)
            own = contents.pop(tensors["bias"])
            whole[: len(own)] = own
            memory[op.place.dram["bias"]] = whole
    # an input may be there that nobody reads
    for name in contents.keys() & program.plan.tensors.keys():
        values, (address, array) = contents[name], program.plan.tensors[name]
        memory[address] = array.store(values)
    return memory


def shaped(rows: np.ndarray, value: Value) -> np.ndarray:
    """A tensor's rows in the shape that ONNX has."""
    if value.layout == PIXELS:
        last = (value.shape[0], *value.shape[2:], value.shape[1])
        return np.ascontiguousarray(np.moveaxis(rows.reshape(last), -1, 1))
    if value.layout == IMAGES:
        return (
            rows.reshape(len(rows) // (value.image[0] * value.image[1]), -1, rows.shape[1])
            .swapaxes(1, 2)
            .reshape(value.shape)
        )
    return rows.reshape(value.shape)
