"""Attention over an int8 cache: keys lie by dimensions, so that scores run along tokens; values by tokens."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd, inf, sqrt
from typing import Any

from archsim.kernels.assembly import SCRATCH, Assembly
from archsim.kernels.base import Array, Placement
from archsim.kernels.heads import Heads
from archsim.kernels.rvv.base import RvvKernel
from archsim.kernels.rvv.emit import each_row, float_constant, lane_sum, retype, shape, strips, whole
from archsim.kernels.rvv.exponential import exponentials, prepare
from archsim.kernels.rvv.quantise import Source, inverse_of, scale_of, store_codes
from archsim.kernels.rvv.rope import TRANSPOSED, require_heads
from archsim.kernels.rvv.target import STEP, RvvTarget

_BATCH = 4
"""Rows that are loaded while as many are worked on: a vector load waits for main memory."""


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
            **own.cache(written=False, transposed=TRANSPOSED),
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
        with asm.registers("source row stride rounds") as (source, row, stride, rounds):
            asm.add(source, q, first)
            asm.li(stride, self.shape.capacity)
            asm.mul(row, stride, first)
            asm("add", row, row, key)
            both = gcd(count, 2 * _BATCH)
            asm.li(rounds, count // both)
            add_products(asm, both // 2, rounds, source, row, stride)
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
        with asm.registers("code value stride rounds") as (code, value, stride, rounds):
            asm.li(code, self.dram["score_codes"])
            asm.element(value, self.dram["v"], kv, own.capacity * own.head_dim)
            asm.li(stride, own.head_dim)
            asm("srli", rounds, seen, (2 * _BATCH).bit_length() - 1)
            with asm.unless("beqz", rounds):
                add_products(asm, _BATCH, rounds, code, value, stride)
            asm("andi", rounds, seen, 2 * _BATCH - 1)
            with asm.unless("beqz", rounds), asm.times(rounds, rounds):
                asm("vle8.v", "v16", f"({value})")
                asm("add", value, value, stride)
                _multiply(asm, 0, code)
                asm.add(code, code, 1)
        retype(asm, 32, "m4")
        asm("vfcvt.f.x.v", "v8", "v8")
        asm("vfmul.vf", "v8", "v8", "fa1")
        asm("vse32.v", "v8", f"({out})")


def add_products(asm: Assembly, batch: int, rounds: str, scalars: str, row: str, stride: str) -> None:
    """v8 (m4) += products of int8 scalars and int8 rows, two batches in each of `rounds` (>= 1); vtype is e16, m2.

    Pointers go behind them: `scalars` by one for each row, `row` by `stride`. It takes v16 to v23 and v28 to v31.
    """

    def load(half: int) -> None:
        for index in range(batch * half, batch * half + batch):
            asm("vle8.v", f"v{16 + index}", f"({row})")
            asm("add", row, row, stride)

    load(0)
    load(1)
    again, last = asm.label("batches"), asm.label("last_batches")
    asm.place(again)
    asm.add(rounds, rounds, -1)
    asm.jump_if("beqz", rounds, last)
    for half in (0, 1):
        for index in range(batch):
            _multiply(asm, batch * half + index, scalars)
        load(half)
    asm.add(scalars, scalars, 2 * batch)
    asm("j", again)
    asm.place(last)
    for index in range(2 * batch):
        _multiply(asm, index, scalars)
    asm.add(scalars, scalars, 2 * batch)


def _multiply(asm: Assembly, index: int, scalars: str) -> None:
    """v8 (m4) += a scalar times a row that has been loaded."""
    wide = f"v{28 + 2 * (index % 2)}"
    with asm.registers("x") as (x,):
        asm("lb", x, f"{index}({scalars})")
        asm("vsext.vf2", wide, f"v{16 + index}")
        asm("vwmacc.vx", "v8", x, wide)
