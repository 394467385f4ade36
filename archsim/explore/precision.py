"""What formats of weights cost on a design: the price by which plans of mixed precision choose."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from archsim.formats import Format

if TYPE_CHECKING:
    from archsim.design.spec import Design


def decode_cycles(
    design: Design,
    sizes: Mapping[str, tuple[int, int]],
    formats: Iterable[Format],
    say: Callable[[int, int, str], None],
) -> dict[tuple[str, str], float]:
    """Cycles of each matrix by one token's activations, each product a program of its own: by name and format.

    Args:
        sizes: outputs and inputs of the matrices, by name; equal ones run once.
        say: hears how many products are done, of how many, and which is next.

    Raises:
        InputError: a format does not fit a matrix, or the design cannot multiply it.
    """
    from archsim.kernels.alone import run_alone
    from archsim.kernels.matmul import MatMul
    from archsim.kernels.target import target_of
    from archsim.kernels.weight_code import weight_code

    target, chosen = target_of(design), list(formats)
    shapes = list(dict.fromkeys(sizes.values()))
    cycles: dict[tuple[tuple[int, int], str], int] = {}
    for shape in shapes:
        for form in chosen:
            say(len(cycles), len(shapes) * len(chosen), f"{shape[0]} x {shape[1]} {form.name} on {design.name}")
            form.nbytes(*shape)
            kernel = MatMul("matmul", target, 1, shape[1], shape[0], weight_code(form))
            _, run = run_alone(kernel, design, {}, fidelity="addresses")
            cycles[shape, form.name] = run.cycles
    return {(name, form.name): float(cycles[shape, form.name]) for name, shape in sizes.items() for form in chosen}
