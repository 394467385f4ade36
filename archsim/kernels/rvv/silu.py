"""silu(gate) * up, quantised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archsim.kernels.assembly import Assembly
from archsim.kernels.base import Array, Placement
from archsim.kernels.rvv.base import RvvKernel
from archsim.kernels.rvv.emit import each_row, float_constant, strips
from archsim.kernels.rvv.exponential import exponentials, prepare
from archsim.kernels.rvv.quantise import quantise, row_at, scale_of
from archsim.kernels.rvv.target import RvvTarget


@dataclass(frozen=True)
class SiluMul(RvvKernel):
    """gate_up float32 [rows, 2 x features], gate first, to int8 codes [rows, features] with a scale per row.

    A row of products waits in an array of its own until its largest is known.
    """

    name: str
    target: RvvTarget
    rows: int
    features: int

    def arrays(self) -> dict[str, Array]:
        return {
            "gate_up": Array((self.rows, 2 * self.features), "f4"),
            "codes": Array((self.rows, self.features), "i1", written=True),
            "scales": Array((self.rows,), "f4", written=True),
            "products": Array((self.features,), "f4"),
        }

    def emit(self, asm: Assembly, tiling: Any, place: Placement) -> None:
        prepare(asm)
        float_constant(asm, "fa2", 1.0)
        with asm.registers("gate up products codes scales") as (gate, up, products, codes, scales):
            asm.li(codes, place.dram["codes"])
            asm.li(scales, place.dram["scales"])
            with each_row(asm, self.rows) as row:
                asm.element(gate, place.dram["gate_up"], row, 8 * self.features)
                asm.add(up, gate, 4 * self.features)
                asm.li(products, place.dram["products"])
                with strips(asm, self.features, 32, "m2", {gate: 4, up: 4, products: 4}):
                    self._products(asm, gate, up, products)
                source = row_at(asm, products, lambda: asm.li(products, place.dram["products"]))
                quantise(asm, self.features, source, codes)
                scale_of(asm, "fa0", "fa1")
                asm("fsw", "fa1", f"0({scales})")
                asm.add(scales, scales, 4)

    def _products(self, asm: Assembly, gate: str, up: str, products: str) -> None:
        """gate / (1 + e^-gate) * up of a strip."""
        asm("vle32.v", "v8", f"({gate})")
        asm("vle32.v", "v12", f"({up})")
        asm("vfsgnjn.vv", "v10", "v8", "v8")
        exponentials(asm, "v10")
        asm("vfadd.vf", "v10", "v10", "fa2")
        asm("vfdiv.vv", "v8", "v8", "v10")
        asm("vfmul.vv", "v8", "v8", "v12")
        asm("vse32.v", "v8", f"({products})")
