"""The same int8 matrix products on several designs: what each instruction set makes of equal hardware."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from archsim.common.errors import InputError
from archsim.kernels.gemm import Shape
from archsim.kernels.gemm_parts import gemm

DESIGNS = ("gemm-xqt", "gemm-xuantie", "gemm-spacemit", "gemm-zvvm", "gemm-rvv")


def layer_shapes(model: str, tokens: int) -> dict[str, Shape]:
    """The matrix products of a layer (and of one expert, where it has some) for so many tokens: name -> sizes."""
    from archsim.models import load_model

    config = load_model(model).config
    queries, keys = config.heads * config.head_dim, config.kv_heads * config.head_dim
    sizes = {
        "q": (queries, config.hidden), "k": (keys, config.hidden), "v": (keys, config.hidden),
        "o": (config.hidden, queries), **({"gate": (config.ffn, config.hidden)} if config.gated else {}),
        "up": (config.ffn, config.hidden), "down": (config.hidden, config.ffn),
    }  # fmt: skip
    return {name: Shape(tokens, n, k) for name, (n, k) in sizes.items()}


def compare_gemm(
    names: Sequence[str],
    shapes: dict[str, Shape],
    *,
    check: bool = False,
    progress: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """Run products on designs.

    Args:
        names: designs.
        shapes: products by name.
        check: compute values, too, from random int8, and compare them with numpy (slow for large products).
        progress: called with what is being done.

    Returns:
        Per design {design, isa, instructions, cycles, macs, utilisation (of the int8 MACs that its unit has), energy_j,
        energy, dram_bytes, time_s, products: the same per product}.

    Raises:
        InputError: a design cannot run them.
        SimulationError: values differ from numpy's.
    """
    return [_on_design(name, shapes, check, progress) for name in names]


def _on_design(
    name: str, shapes: dict[str, Shape], check: bool, progress: Callable[[str], None] | None
) -> dict[str, Any]:
    from archsim.design import load_design
    from archsim.machine.run import isa_of

    design = load_design(name)
    isa = isa_of(design)
    products: list[dict[str, Any]] = []
    for product, shape in shapes.items():
        if progress is not None:
            progress(f"{name}: {product} {shape.m} x {shape.n} x {shape.k}")
        products.append({"product": product, **_product(shape, design, isa, check)})
    total = {key: sum(one[key] for one in products) for key in ("instructions", "cycles", "macs", "time_s", "energy_j")}
    parts = {part: sum(one["energy"][part] for one in products) for part in products[0]["energy"]}
    per_cycle = macs_per_cycle(design, isa)
    return {
        "design": name,
        "isa": " ".join(design.isa),
        **total,
        "macs_per_cycle": per_cycle,
        "utilisation": total["macs"] / (total["cycles"] * per_cycle),
        "dram_bytes": sum(one["dram_bytes"] for one in products),
        "energy": parts,
        "products": products,
    }


def macs_per_cycle(design: Any, isa: Any) -> float:
    """int8 multiply-accumulates that a core can do in a cycle: of its matrix unit, or of lanes of 16 bits."""
    if {"Xqt", "XTheadMatrix", "Xsmt", "Zvvmm"} & set(isa.extensions):
        return float(design.core.matrix.macs_per_cycle * design.core.matrix.formats["int8"])
    return float(design.core.vector.datapath / 2 * design.core.vector.rates["alu"])


def _product(shape: Shape, design: Any, isa: Any, check: bool) -> dict[str, Any]:
    from archsim.common.errors import SimulationError
    from archsim.machine.run import run

    if design.cores != 1:
        raise InputError(f"design {design.name} has {design.cores} cores", remedy="use a design of one core")
    product = gemm(shape, design, isa)
    program = isa.assemble(product.text, f"gemm_{design.name}.s")
    memory = {}
    if check:
        rng = np.random.default_rng(shape.macs)
        a, b = (rng.integers(-128, 128, (rows, shape.k)).astype(np.int8) for rows in (shape.m, shape.n))
        memory = product.memory(a, b)
    result = run(program, design, isa=isa, fidelity="timed" if check else "addresses", memory=memory)
    if check and not np.array_equal(product.result(result), a.astype(np.int32) @ b.T.astype(np.int32)):
        raise SimulationError(f"{design.name}: the product {shape.m} x {shape.n} x {shape.k} differs from numpy's")
    return {
        "m": shape.m,
        "n": shape.n,
        "k": shape.k,
        "macs": shape.macs,
        "instructions": result.instructions,
        "cycles": result.cycles,
        "time_s": result.time_s,
        "energy_j": result.energy.total,
        "energy": result.energy.components,
        "dram_bytes": result.dram_read_bytes + result.dram_write_bytes,
        "units": result.units,
        "stalls": result.stalls,
    }
