"""LayerNorm, with what is summed before it and quantised behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from archsim.kernels.assembly import Assembly
from archsim.kernels.base import Array, Placement
from archsim.kernels.rows import ROW_BARRIERS, RowKernel, each_row, load_array, load_row, quantise, store_row, vector
from archsim.kernels.target import Target


@dataclass(frozen=True)
class LayerNorm(RowKernel):
    """y = (s - mean) * (1 / sqrt(variance + eps)) * gamma + beta of rows s, as int8 codes and a scale per row.

    Mean and variance are sums times 1 / features (Ba et al., 2016).

    Attributes:
        inputs: ("x",), ("delta",), or both, whose sum s is; rows of x adjoin, those of delta are the outputs of a
            product. With both, x becomes the sum.
        every: work on each every-th row only (the last of each group).
        post: x becomes y instead.
        gelu: s is GELU (by erf) of the input.
        out: the result stays float32, in an array `y` whose rows lie apart as a product's do, and is not quantised (of
            one input, without post).
    """

    name: str
    target: Target
    rows: int
    features: int
    inputs: tuple[str, ...]
    eps: float
    every: int = 1
    post: bool = False
    gelu: bool = False
    out: bool = False

    @property
    def writes_x(self) -> bool:
        return self.post or len(self.inputs) > 1

    def arrays(self) -> dict[str, Array]:
        full = (self.rows * self.every, self.features)
        arrays = {}
        if self.writes_x or "x" in self.inputs:
            arrays["x"] = Array(full, "f4", written=self.writes_x)
        if "delta" in self.inputs:
            arrays["delta"] = Array(full, "f4", pitch=self.target.pitch(4 * self.features))
        arrays |= {"gamma": Array((self.features,), "f4"), "beta": Array((self.features,), "f4")}
        if self.out:
            shape, pitch = (self.rows, self.features), self.target.pitch(4 * self.features)
            return arrays | {"y": Array(shape, "f4", written=True, pitch=pitch)}
        return arrays | {
            "codes": Array((self.rows, self.features), "i1", written=True),
            "scales": Array((self.rows,), "f4", written=True),
        }

    def buffers(self, tiling: int) -> dict[str, int]:
        row = 4 * self.features
        outputs = {} if self.out else {"codes": self.features, "scale": 4}
        outputs |= {"row": row} if self.writes_x or self.out else {}
        own = {"gamma": row, "beta": row, "mean": 4, "factor": 4, "largest": 4}
        return own | self.loaded(tiling, **dict.fromkeys(self.inputs, row)) | self.stored(tiling, **outputs)

    def emit(self, asm: Assembly, tiling: int, place: Placement) -> None:
        dram, pads, size = place.dram, place.pads, 4 * self.features
        pitches = {"x": size, "delta": self.target.pitch(size)}
        for name in ("gamma", "beta"):
            load_array(asm, ROW_BARRIERS[0], dram[name], size, pads[name])
        asm.csr("qeps", int(np.float32(self.eps).view(np.uint32)))

        def load(row: str, buffer: int) -> None:
            for name in self.inputs:
                pitch = pitches[name]
                first = dram[name] + (self.every - 1) * pitch
                load_row(asm, ROW_BARRIERS[buffer], first, row, size, pads[f"{name}{buffer}"], pitch * self.every)

        def work(row: str, buffer: int) -> None:
            number, barrier = self.outlet(tiling, buffer)
            asm.wait(barrier)
            y = self._row(asm, pads, buffer, number)
            if self.writes_x:
                first = dram["x"] + (self.every - 1) * size
                store_row(asm, barrier, first, row, size, pads[f"row{number}"], size * self.every)
            if self.out:
                store_row(asm, barrier, dram["y"], row, size, y, self.target.pitch(size))
                return
            codes, scale = pads[f"codes{number}"], pads[f"scale{number}"]
            quantise(asm, source=y, features=self.features, codes=codes, largest=pads["largest"], scale=scale)
            store_row(asm, barrier, dram["codes"], row, self.features, codes)
            store_row(asm, barrier, dram["scales"], row, 4, scale)

        each_row(asm, self.target, self.rows, tiling, load, work)
        asm.wait(ROW_BARRIERS[0])

    def _row(self, asm: Assembly, pads: dict[str, int], buffer: int, number: int) -> int:
        """Sum and normalise a row; gives the scratchpad offset of the result."""
        first = pads[f"{self.inputs[0]}{buffer}"]
        asm.csr("qvl", self.features)
        total = first
        if len(self.inputs) > 1:
            total = first if self.post else pads[f"row{number}"]
            vector(asm, "qv.add", total, first, pads[f"{self.inputs[1]}{buffer}"])
        if self.gelu:
            vector(asm, "qv.gelue", total, total)
        y = pads[f"row{number}"] if self.post or self.out else first
        self._normalise(asm, pads, total, first, y)
        return y

    def _normalise(self, asm: Assembly, pads: dict[str, int], total: int, centred: int, y: int) -> None:
        count = asm.constant(1 / self.features)
        vector(asm, "qv.sum", pads["mean"], total)
        asm.csr("qvl", 1)
        vector(asm, "qv.muls", pads["mean"], pads["mean"], asm.constant(-1 / self.features))
        asm.csr("qvl", self.features)
        vector(asm, "qv.adds", centred, total, pads["mean"])
        vector(asm, "qv.sumsq", pads["factor"], centred)
        asm.csr("qvl", 1)
        vector(asm, "qv.rsqrt", pads["factor"], pads["factor"], count)
        asm.csr("qvl", self.features)
        vector(asm, "qv.muls", centred, centred, pads["factor"])
        vector(asm, "qv.mul", centred, centred, pads["gamma"])
        vector(asm, "qv.add", y, centred, pads["beta"])
