"""Attention over an int8 cache: keys lie by dimensions, so that scores run along tokens; values by tokens."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt
from typing import Any

from archsim.kernels.assembly import SCRATCH, Assembly
from archsim.kernels.base import Array, Placement
from archsim.kernels.heads import Heads
from archsim.kernels.rvv.base import RvvKernel
from archsim.kernels.rvv.emit import each_row, float_constant, lane_sum, retype, shape, strips, whole
from archsim.kernels.rvv.exponential import exponentials, prepare
from archsim.kernels.rvv.quantise import Source, inverse_of, scale_of, store_codes
from archsim.kernels.rvv.rope import require_heads, rvv_cache
from archsim.kernels.rvv.target import STEP, RvvTarget


@dataclass(frozen=True)
class Attention(RvvKernel):
    """out float32 [rows, heads * head_dim] = softmax(q K^T / sqrt(head_dim)) V over the cache, per head.

    With `causal` a token sees the cache up to its own position, else all of `context`. Scores are float32; their
    exponentials are multiplied by the values' scales and quantised per row to int8 before they meet the values
    (reference.attention). Scores, then exponentials, and their codes wait in arrays of their own.

    Raises:
        InputError: registers do not hold a head.
    """

    name: str
    target: RvvTarget
    shape: Heads
    causal: bool

    def __post_init__(self) -> None:
        require_heads(self.name, self.target, self.shape)

    def arrays(self) -> dict[str, Array]:
        own = self.shape
        return {
            **own.queries(written=False),
            **rvv_cache(own, written=False),
            "out": Array((own.rows, own.heads * own.head_dim), "f4", written=True),
            "scores": Array((own.context,), "f4"),
            "score_codes": Array((own.context,), "i1"),
        }

    def emit(self, asm: Assembly, tiling: Any, place: Placement) -> None:
        Writer(self, asm, place).emit()


class Writer:
    """Emits an Attention: row by row, head by head."""

    def __init__(self, kernel: Attention, asm: Assembly, place: Placement) -> None:
        self.kernel, self.asm, self.dram, self.shape = kernel, asm, place.dram, kernel.shape

    def emit(self) -> None:
        asm, own = self.asm, self.shape
        prepare(asm)
        with asm.registers("q q_scale out seen kv group") as (q, q_scale, out, seen, kv, group):
            for name, register in (("q", q), ("q_scales", q_scale), ("out", out)):
                asm.li(register, self.dram[name])
            with each_row(asm, own.rows) as row:
                self._find(row, seen, kv)
                with asm.registers("left") as (left,), asm.times(left, own.kv_heads):
                    with asm.times(group, own.group):
                        self._scores(q, q_scale, seen, kv)
                        self._exponentials(seen, kv)
                        self._results(out, seen, kv)
                        asm.add(q, q, own.head_dim)
                        asm.add(q_scale, q_scale, 4)
                        asm.add(out, out, 4 * own.head_dim)
                    asm.add(kv, kv, 1)

    def _find(self, row: str, seen: str, kv: str) -> None:
        """Tokens that a row sees, and its sequence's first head among all of them."""
        asm, own = self.asm, self.shape
        asm.li(SCRATCH, own.tokens)
        asm("divu", kv, row, SCRATCH)
        asm("remu", seen, row, SCRATCH)
        asm.mul(kv, kv, own.kv_heads)
        if self.kernel.causal:
            asm.add(seen, seen, own.position + 1)
        else:
            asm.li(seen, own.context)

    def _scores(self, q: str, q_scale: str, seen: str, kv: str) -> None:
        """Scores of a head; v24 (m4) = the largest of each lane."""
        asm, own = self.asm, self.shape
        whole(asm, 32, "m4")
        float_constant(asm, "fa0", -inf)
        asm("vfmv.v.f", "v24", "fa0")
        asm("flw", "fa1", f"0({q_scale})")
        float_constant(asm, "fa0", 1 / sqrt(own.head_dim))
        asm("fmul.s", "fa1", "fa1", "fa0")
        with asm.registers("key scale score") as (key, scale, score):
            asm.element(key, self.dram["k"], kv, own.head_dim * own.capacity)
            asm.element(scale, self.dram["k_scales"], kv, 2 * own.capacity)
            asm.li(score, self.dram["scores"])
            with strips(asm, seen, 32, "m4", {key: 1, scale: 2, score: 4}):
                retype(asm, 16, "m2")
                asm("vle16.v", "v16", f"({scale})")
                asm("vfwcvt.f.f.v", "v4", "v16")
                for number, first in enumerate(range(0, own.head_dim, STEP)):
                    self._dot(q, key, first, min(STEP, own.head_dim - first))
                    asm("vfmul.vv", "v8", "v8", "v4")
                    asm("vfadd.vv" if number else "vmv.v.v", "v12", *(("v12", "v8") if number else ("v8",)))
                asm("vfmul.vf", "v12", "v12", "fa1")
                asm("vfmax.vv", "v24", "v24", "v12")
                asm("vse32.v", "v12", f"({score})")

    def _dot(self, q: str, key: str, first: int, count: int) -> None:
        """v8 (m4) = products of some dimensions of the query with keys along tokens; vtype is e32, m4 behind it."""
        asm = self.asm
        retype(asm, 32, "m4")
        asm("vmv.v.i", "v8", 0)
        retype(asm, 16, "m2")
        with asm.registers("source row left stride x y") as (source, row, left, stride, *scalars):
            asm.add(source, q, first)
            asm.li(stride, self.shape.capacity)
            asm.mul(row, stride, first)
            asm("add", row, row, key)
            with asm.times(left, count // 2):
                for index, scalar in enumerate(scalars):
                    asm("lb", scalar, f"{index}({source})")
                    asm("vle8.v", f"v{16 + index}", f"({row})")
                    asm("add", row, row, stride)
                for index, scalar in enumerate(scalars):
                    asm("vsext.vf2", f"v{18 + 2 * index}", f"v{16 + index}")
                    asm("vwmacc.vx", "v8", scalar, f"v{18 + 2 * index}")
                asm.add(source, source, 2)
        retype(asm, 32, "m4")
        asm("vfcvt.f.x.v", "v8", "v8")

    def _exponentials(self, seen: str, kv: str) -> None:
        """Scores to exponentials, then to codes; fa1 = scale of the codes over the exponentials' sum."""
        asm, own = self.asm, self.shape
        whole(asm, 32, "m4")
        asm("vfredmax.vs", "v8", "v24", "v24")
        asm("vfmv.f.s", "fa0", "v8")
        asm("vmv.v.i", "v4", 0)
        with asm.registers("score scale first codes") as (score, scale, first, codes):
            asm.element(first, self.dram["v_scales"], kv, 2 * own.capacity)
            asm("mv", scale, first)
            asm.li(score, self.dram["scores"])
            with strips(asm, seen, 32, "m2", {score: 4, scale: 2}):
                asm("vle32.v", "v8", f"({score})")
                asm("vfsub.vf", "v8", "v8", "fa0")
                exponentials(asm, "v8")
                asm("vse32.v", "v8", f"({score})")
                self._times_scales(scale, "v8", "m1")
                asm("vfmax.vv", "v4", "v4", "v8")
            # products are not negative: the largest is the largest magnitude
            whole(asm, 32, "m2")
            asm("vfredmax.vs", "v8", "v4", "v4")
            asm("vfmv.f.s", "fa0", "v8")
            inverse_of(asm, "fa0", "fa2")

            def start() -> None:
                asm.li(score, self.dram["scores"])
                asm("mv", scale, first)

            def load() -> None:
                asm("vle32.v", "v8", f"({score})")
                self._times_scales(scale, "v8", "m2")

            asm.li(codes, self.dram["score_codes"])
            store_codes(asm, seen, Source(start, {score: 4, scale: 2}, load), codes, "fa2")
            asm.li(score, self.dram["scores"])
            lane_sum(asm, score, seen, "fa2")
        scale_of(asm, "fa0", "fa1")
        asm("fdiv.s", "fa1", "fa1", "fa2")

    def _times_scales(self, scale: str, register: str, half: str) -> None:
        """A group of float32 times float16 scales at a pointer."""
        asm = self.asm
        retype(asm, 16, half)
        asm("vle16.v", "v16", f"({scale})")
        asm("vfwcvt.f.f.v", "v20", "v16")
        retype(asm, 32, {"m1": "m2", "m2": "m4"}[half])
        asm("vfmul.vv", register, register, "v20")

    def _results(self, out: str, seen: str, kv: str) -> None:
        """A head's results: codes times values, times fa1."""
        asm, own = self.asm, self.shape
        shape(asm, own.head_dim, 32, "m4")
        asm("vmv.v.i", "v8", 0)
        retype(asm, 16, "m2")
        with asm.registers("code value left x") as (code, value, left, x):
            asm.li(code, self.dram["score_codes"])
            asm.element(value, self.dram["v"], kv, own.capacity * own.head_dim)
            with asm.times(left, seen):
                asm("lb", x, f"0({code})")
                asm("vle8.v", "v16", f"({value})")
                asm.add(code, code, 1)
                asm.add(value, value, own.head_dim)
                asm("vsext.vf2", "v18", "v16")
                asm("vwmacc.vx", "v8", x, "v18")
        retype(asm, 32, "m4")
        asm("vfcvt.f.x.v", "v8", "v8")
        asm("vfmul.vf", "v8", "v8", "fa1")
        asm("vse32.v", "v8", f"({out})")
