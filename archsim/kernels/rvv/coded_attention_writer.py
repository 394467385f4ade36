"""The program of coded_attention: row by row, head by head."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf

from archsim.kernels.assembly import SCRATCH, Assembly
from archsim.kernels.base import Placement
from archsim.kernels.rvv.coded_attention import BLOCK, CodedAttention
from archsim.kernels.rvv.coded_values import CodedValues
from archsim.kernels.rvv.emit import each_row, float_constant, retype, shape, strips
from archsim.kernels.rvv.exponential import powers_of_two, prepare_powers_of_two
from archsim.kernels.rvv.hadamard import flip, transform

_BYTES = (10, 24)
"""First registers of bytes of codes, which take turns: a load waits for main memory."""
_PART = 64
"""Dimensions whose products are summed before they meet the key's norm."""


class CodedAttentionWriter:
    """Emits the kernel."""

    def __init__(self, kernel: CodedAttention, asm: Assembly, place: Placement) -> None:
        self.kernel, self.asm, self.dram = kernel, asm, place.dram
        self.shape, self.cache = kernel.shape, kernel.cache
        self.values = CodedValues(asm, kernel.cache, place.dram["levels"])

    def emit(self) -> None:
        asm, own = self.asm, self.shape
        prepare_powers_of_two(asm)
        float_constant(asm, "fa5", self.kernel.factor)
        with asm.registers("q out seen kv left group") as (q, out, seen, kv, left, group):
            asm.li(q, self.dram["q"])
            asm.li(out, self.dram["out"])
            with each_row(asm, own.rows) as row:
                asm.li(SCRATCH, own.tokens)
                asm("divu", kv, row, SCRATCH)
                asm("remu", seen, row, SCRATCH)
                asm.mul(kv, kv, own.kv_heads)
                asm.add(seen, seen, own.position + 1)
                with asm.times(left, own.kv_heads):
                    with asm.times(group, own.group):
                        self._head(q, out, seen, kv)
                    asm.add(kv, kv, 1)

    def _head(self, q: str, out: str, seen: str, kv: str) -> None:
        """Results of a query; pointers to queries and results go on."""
        self._turn(q)
        self._scores(seen, kv)
        self._maxima(seen)
        self._factors(seen)
        self._exponentials(seen, kv)
        self._sum(seen)
        self._results(out, seen, kv)

    def _turn(self, q: str) -> None:
        """The query, rotated and rounded to float16, as float32 to `turned`."""
        asm, size = self.asm, self.shape.head_dim
        with asm.registers("pointer") as (pointer,):
            shape(asm, size, 32, "m4")
            asm("vle32.v", "v8", f"({q})")
            asm.li(pointer, self.dram["signs"])
            flip(asm, pointer)
            transform(asm, size)
            retype(asm, 16, "m2")
            asm("vfncvt.f.f.w", "v12", "v8")
            asm("vfwcvt.f.f.v", "v16", "v12")
            asm.li(pointer, self.dram["turned"])
            asm("vse32.v", "v16", f"({pointer})")
        asm.add(q, q, 4 * size)

    def _scores(self, seen: str, kv: str) -> None:
        """Scores along tokens: sums of products times norms."""
        asm, cache = self.asm, self.cache
        shape(asm, 1 << cache.bits, 32, "m2")
        with asm.registers("key norm score levels") as (key, norm, score, levels):
            asm.li(levels, self.dram["levels"])
            asm("vle32.v", "v2", f"({levels})")
            asm.element(key, self.dram["k_codes"], kv, cache.capacity * cache.code_bytes)
            asm.element(norm, self.dram["k_norms"], kv, 2 * cache.capacity)
            asm.li(score, self.dram["scores"])
            with strips(asm, seen, 32, "m2", {key: cache.code_bytes, norm: 2, score: 4}):
                retype(asm, 16, "m1")
                asm("vle16.v", "v10", f"({norm})")
                asm("vfwcvt.f.f.v", "v8", "v10")
                retype(asm, 32, "m2")
                for number, first in enumerate(range(0, cache.head_dim, _PART)):
                    self._part(key, first, min(_PART, cache.head_dim - first))
                    asm("vfmul.vv", "v6", "v6", "v8")
                    asm("vfadd.vv" if number else "vmv.v.v", "v4", *(("v4", "v6") if number else ("v6",)))
                asm("vse32.v", "v4", f"({score})")

    def _part(self, key: str, first: int, count: int) -> None:
        """v6 (m2) = products of some dimensions, added in rising order; eight of them are in `bits` bytes."""
        asm, bits = self.asm, self.cache.bits
        asm("vmv.v.i", "v6", 0)
        with asm.registers("codes turned stride left end") as (codes, turned, stride, left, end):
            asm.add(codes, key, first * bits // 8)
            asm.add(end, codes, count * bits // 8)
            asm.li(turned, self.dram["turned"] + 4 * first)
            asm.li(stride, self.cache.code_bytes)
            asm.li(left, count // 8)
            self._load(_BYTES[0], codes, stride)

            def eight(buffer: int) -> None:
                with asm.unless("bge", codes, end):
                    self._load(_BYTES[1 - buffer], codes, stride)
                self._multiply(_BYTES[buffer], turned)

            asm.alternate(left, eight)

    def _load(self, register: int, codes: str, stride: str) -> None:
        """Bytes of eight dimensions' codes along tokens, to a register each; the pointer goes behind them."""
        asm, bits = self.asm, self.cache.bits
        retype(asm, 8, "mf2")
        asm(f"vlsseg{bits}e8.v", f"v{register}", f"({codes})", stride)
        retype(asm, 32, "m2")
        asm.add(codes, codes, bits)

    def _multiply(self, register: int, turned: str) -> None:
        """v6 (m2) += products with eight dimensions of the query, whose pointer goes behind them."""
        asm, bits = self.asm, self.cache.bits
        asm("vzext.vf4", "v14", f"v{register}")
        for number in range(1, bits):
            asm("vzext.vf4", "v16", f"v{register + number}")
            asm("vsll.vi", "v16", "v16", 8 * number)
            asm("vor.vv", "v14", "v14", "v16")
        for number in range(8):
            code, level = f"v{16 + 4 * (number % 2)}", f"v{18 + 4 * (number % 2)}"
            asm("flw", "fa0", f"{4 * number}({turned})")
            asm("vsrl.vi", code, "v14", bits * number)
            asm("vand.vi", code, code, (1 << bits) - 1)
            asm("vrgather.vv", level, "v2", code)
            asm("vfmul.vf", level, level, "fa0")
            asm("vfadd.vv", "v6", "v6", level)
        asm.add(turned, turned, 32)

    @contextmanager
    def _blocks(self, seen: str) -> Iterator[str]:
        """The block runs for each block of tokens; gives the register of their number, and vl is it (e32, m1)."""
        asm = self.asm
        with asm.registers("left count") as (left, count):
            asm("mv", left, seen)
            again = asm.label("block")
            asm.place(again)
            asm.minimum(count, left, BLOCK)
            shape(asm, count, 32, "m1")
            yield count
            asm("sub", left, left, count)
            asm.jump_if("bnez", left, again)

    def _maxima(self, seen: str) -> None:
        """Scores minus the maximum so far; `maxima` = -infinity, then the maximum at the end of each block."""
        asm = self.asm
        with asm.registers("score largest") as (score, largest):
            asm.li(score, self.dram["scores"])
            asm.li(largest, self.dram["maxima"])
            float_constant(asm, "fa0", -inf)
            shape(asm, 1, 32, "m1")
            asm("vfmv.s.f", "v4", "fa0")
            asm("fsw", "fa0", f"0({largest})")
            with self._blocks(seen):
                asm("vle32.v", "v6", f"({score})")
                asm("vfredmax.vs", "v4", "v6", "v4")
                asm("vrgather.vi", "v8", "v4", 0)
                asm("vfsub.vv", "v6", "v6", "v8")
                asm("vse32.v", "v6", f"({score})")
                asm.add(score, score, 4 * BLOCK)
                asm.add(largest, largest, 4)
                shape(asm, 1, 32, "m1")
                asm("vse32.v", "v4", f"({largest})")

    def _factors(self, seen: str) -> None:
        """By what results so far are scaled in each block: the power of two of how much the maximum grew."""
        asm = self.asm
        with asm.registers("blocks before after factor") as (blocks, before, after, factor):
            asm.add(blocks, seen, BLOCK - 1)
            asm("srli", blocks, blocks, BLOCK.bit_length() - 1)
            asm.li(before, self.dram["maxima"])
            asm.add(after, before, 4)
            asm.li(factor, self.dram["factors"])
            with strips(asm, blocks, 32, "m2", {before: 4, after: 4, factor: 4}):
                asm("vle32.v", "v8", f"({before})")
                asm("vle32.v", "v10", f"({after})")
                asm("vfsub.vv", "v8", "v8", "v10")
                asm("vfmul.vf", "v8", "v8", "fa5")
                powers_of_two(asm, "v8")
                asm("vse32.v", "v8", f"({factor})")

    def _exponentials(self, seen: str, kv: str) -> None:
        """Scores to exponentials, `weighted` = these times norms of values; both rounded to float16."""
        asm, cache = self.asm, self.cache
        with asm.registers("score norm weighted") as (score, norm, weighted):
            asm.li(score, self.dram["scores"])
            asm.li(weighted, self.dram["weighted"])
            asm.element(norm, self.dram["v_norms"], kv, 2 * cache.capacity)
            with strips(asm, seen, 32, "m2", {score: 4, norm: 2, weighted: 4}):
                asm("vle32.v", "v8", f"({score})")
                asm("vfmul.vf", "v8", "v8", "fa5")
                powers_of_two(asm, "v8")
                self._round("v8", "v12")
                asm("vse32.v", "v8", f"({score})")
                asm("vle16.v", "v12", f"({norm})")
                asm("vfwcvt.f.f.v", "v10", "v12")
                retype(asm, 32, "m2")
                asm("vfmul.vv", "v8", "v8", "v10")
                self._round("v8", "v12")
                asm("vse32.v", "v8", f"({weighted})")

    def _round(self, register: str, spare: str) -> None:
        """Round a group of two registers of float32 to float16 and back; vtype is e16, m1 behind it."""
        retype(self.asm, 16, "m1")
        self.asm("vfncvt.f.f.w", spare, register)
        self.asm("vfwcvt.f.f.v", register, spare)

    def _sum(self, seen: str) -> None:
        """fa6 = sum of exponentials: in order within a block; what there is times the block's factor, plus that."""
        asm = self.asm
        with asm.registers("score factor") as (score, factor):
            asm.li(score, self.dram["scores"])
            asm.li(factor, self.dram["factors"])
            shape(asm, 1, 32, "m1")
            asm("vmv.s.x", "v4", "zero")
            with self._blocks(seen):
                asm("vle32.v", "v8", f"({score})")
                asm("vmv.s.x", "v6", "zero")
                asm("vfredosum.vs", "v6", "v8", "v6")
                asm("flw", "fa0", f"0({factor})")
                shape(asm, 1, 32, "m1")
                asm("vfmul.vf", "v4", "v4", "fa0")
                asm("vfadd.vv", "v4", "v4", "v6")
                asm.add(score, score, 4 * BLOCK)
                asm.add(factor, factor, 4)
            asm("vfmv.f.s", "fa6", "v4")

    def _results(self, out: str, seen: str, kv: str) -> None:
        """Weighted levels of values over the sum, rotated back."""
        asm, cache = self.asm, self.cache
        self.values.prepare()
        with asm.registers("codes end weighted factor left signs") as (codes, end, weighted, factor, left, signs):
            asm.element(codes, self.dram["v_codes"], kv, cache.capacity * cache.code_bytes)
            asm.mul(end, seen, cache.code_bytes)
            asm("add", end, end, codes)
            self.values.load(codes)
            asm.li(weighted, self.dram["weighted"])
            asm.li(factor, self.dram["factors"])
            with self._blocks(seen) as count:
                self.values.scale(factor)
                with asm.times(left, count):
                    self.values.add(codes, end, weighted)
            shape(asm, cache.head_dim, 32, "m4")
            asm("vfdiv.vf", "v8", "v8", "fa6")
            transform(asm, cache.head_dim)
            asm.li(signs, self.dram["signs"])
            flip(asm, signs)
            asm("vse32.v", "v8", f"({out})")
        asm.add(out, out, 4 * cache.head_dim)
