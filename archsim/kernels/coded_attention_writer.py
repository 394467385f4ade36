"""The program of attention over codes: an item of work is a token's query heads that share a KV head."""

from __future__ import annotations

import math

from archsim.kernels.assembly import HART, Assembly
from archsim.kernels.base import LOAD_BARRIERS, STORE_BARRIERS, STREAM_BARRIERS, Placement
from archsim.kernels.coded_attention import BLOCK, CodedAttention
from archsim.kernels.rows import vector
from archsim.kernels.turboquant import CODE_FORMATS, load_chunk, load_constants, transform

_FLOAT16 = 3 << 4
_ROWS_OF_SCALES, _NUMBERS_OF_32_BITS = 15 << 14, 4 << 14
"""log2 of the group: a scale per row; or two halves of 16 bits for a depth of 32."""
_SUMMED = "sc1"
"""Zeros: what a block's sum starts from."""
_MAXIMA, _NEW_MAXIMA, _FACTORS, _BLOCK_SUMS = "sc4", "sc5", "sc6", "sc7"
_PROBABILITIES, _VALUES = "t4", "t6"
_PARTS = ("t2", "t3", "t5", "t7")
"""Turned values, a part of 16 dimensions each, side by side so that none waits for the one before."""


class CodedAttentionWriter:
    """Emits the kernel."""

    def __init__(self, kernel: CodedAttention, asm: Assembly, tiling: int, place: Placement) -> None:
        self.kernel, self.asm, self.chunk, self.place = kernel, asm, tiling, place
        self.shape, self.cache = kernel.shape, kernel.cache
        self.codes = CODE_FORMATS[kernel.bits] | _FLOAT16 | _ROWS_OF_SCALES
        self.statistics = CODE_FORMATS[kernel.bits] | _FLOAT16 | _NUMBERS_OF_32_BITS

    def emit(self) -> None:
        asm, shape, target = self.asm, self.shape, self.kernel.target
        load_constants(asm, self.cache, self.place, LOAD_BARRIERS[0], shape.group)
        asm.run_deferred()
        asm.wait(LOAD_BARRIERS[0])
        asm.csr("qexpscale", int(self.kernel.factor.view("uint32")))
        with asm.registers("item items token head context keys values") as names:
            item, items, token, head, context, *streams = names
            asm.pad(head, self.place.pads["levels"])
            asm("qt.ldcb", "cb0", head)
            loop, done = asm.label("items"), asm.label("items_done")
            asm("mv", item, HART)
            asm.li(items, shape.rows * shape.kv_heads)
            asm.place(loop)
            asm.jump_if("bge", item, items, done)
            self._find(item, token, head, context)
            self._item(token, head, context, *streams)
            asm.add(item, item, target.cores)
            asm("j", loop)
            asm.place(done)
        asm.wait(*STORE_BARRIERS)

    def _find(self, item: str, row: str, head: str, context: str) -> None:
        """Row and KV head of an item, the head's number among those of all sequences, and how far the row sees."""
        asm, shape = self.asm, self.shape
        with asm.registers("count sequence") as (count, sequence):
            asm.li(count, shape.kv_heads)
            asm("remu", head, item, count)
            asm("divu", row, item, count)
            asm.li(count, shape.tokens)
            asm("remu", context, row, count)
            asm.add(context, context, shape.position + 1)
            asm("divu", sequence, row, count)
            asm.mul(sequence, sequence, shape.kv_heads)
            asm("add", head, head, sequence)

    def _item(self, row: str, head: str, context: str, keys: str, values: str) -> None:
        asm, shape, size = self.asm, self.shape, 4 * self.shape.group * self.shape.head_dim
        with asm.registers("norms_k norms_v left chunks own") as (k_norms, v_norms, left, chunks, own):
            # the head within its own sequence
            asm.li(own, shape.kv_heads)
            asm("remu", own, head, own)
            self._move_rows("qt.dma.ld", LOAD_BARRIERS[0], "q", row, own, size * shape.kv_heads)
            for name, codes, norms in (("k", keys, k_norms), ("v", values, v_norms)):
                asm.element(codes, self.place.dram[f"{name}_codes"], head, shape.capacity * self.cache.code_bytes)
                asm.element(norms, self.place.dram[f"{name}_norms"], head, 2 * shape.capacity)
            size_of_codes = self.cache.code_bytes
            streams = [("k_codes", keys, size_of_codes), ("v_codes", values, size_of_codes)]
            streams += [("k_norms", k_norms, 2), ("v_norms", v_norms, 2)]
            asm("mv", left, context)
            for buffer in (0, 1):
                load_chunk(asm, self.place, buffer, streams, left, self.chunk)
            self._start()
            asm.add(chunks, context, self.chunk - 1)
            asm("srli", chunks, chunks, self.chunk.bit_length() - 1)

            def chunk_of(buffer: int) -> None:
                asm.wait(STREAM_BARRIERS[buffer])
                self._chunk(buffer, context)
                load_chunk(asm, self.place, buffer, streams, left, self.chunk)

            asm.alternate(chunks, chunk_of)
            self._finish()
            self._move_rows("qt.dma.st", STORE_BARRIERS[0], "out", row, own, self.kernel.out_pitch)

    def _move_rows(self, mnemonic: str, barrier: int, name: str, row: str, head: str, pitch: int) -> None:
        """Transfer the group's rows of an item."""
        asm, size = self.asm, 4 * self.shape.group * self.shape.head_dim
        with asm.registers("dram offset pad") as (dram, offset, pad):
            asm.element(dram, self.place.dram[name], row, pitch)
            asm.mul(offset, head, size)
            asm("add", dram, dram, offset)
            asm.pad(pad, self.place.pads[name])
            asm.shape(1, size)
            asm(mnemonic, f"b{barrier}", dram, pad)

    def _start(self) -> None:
        """Queries rotated and in tiles; no results, sums and maxima yet."""
        asm, pads, shape = self.asm, self.place.pads, self.shape
        numbers = shape.group * shape.head_dim
        asm.wait(STORE_BARRIERS[0])
        for name, size in (("out", 4 * numbers), ("sums", 4 * shape.group)):
            asm.csr("qvl", size)
            vector(asm, "qv.zero", pads[name])
        asm.wait(LOAD_BARRIERS[0])
        asm.csr("qvl", numbers)
        vector(asm, "qv.flip", pads["q"], pads["q"], pads["signs"])
        transform(asm, self.cache, pads["q"])
        vector(asm, "qv.f2h", pads["halves"], pads["q"])
        asm.csr("qfmt", self.statistics)
        asm.csr("qtm", shape.group)
        asm.csr("qtn", shape.group)
        asm.csr("qtk", 32)
        with asm.registers("source stride") as (source, stride):
            for register, value in ((_MAXIMA, -math.inf), (_SUMMED, 0.0)):
                asm.pad(source, asm.constant(value))
                asm("qt.lds", register, source, "zero")
            asm.pad(source, pads["halves"])
            asm.li(stride, 2 * shape.head_dim)
            asm.csr("qtk", self.step)
            for index in range(self.steps):
                asm("qt.ld", f"t{index}", source, stride)
                asm.add(source, source, 2 * self.step)

    @property
    def step(self) -> int:
        """Coordinates of a multiply of scores."""
        return min(self.kernel.step, self.shape.head_dim)

    @property
    def steps(self) -> int:
        return self.shape.head_dim // self.step

    def _chunk(self, buffer: int, context: str) -> None:
        """Blocks of a chunk; counts `context` down."""
        asm, pads = self.asm, self.place.pads
        with asm.registers("key value k_norm v_norm inside count") as (key, value, k_norm, v_norm, inside, count):
            for name, register in (("k_codes", key), ("v_codes", value), ("k_norms", k_norm), ("v_norms", v_norm)):
                asm.pad(register, pads[f"{name}{buffer}"])
            asm.minimum(inside, context, self.chunk)
            asm("sub", context, context, inside)
            loop = asm.label("blocks")
            asm.place(loop)
            asm.minimum(count, inside, BLOCK)
            self._scores(key, k_norm, count)
            self._softmax(value, v_norm, count)
            self._weigh(count)
            for register, size in (
                (key, self.cache.code_bytes),
                (value, self.cache.code_bytes),
                (k_norm, 2),
                (v_norm, 2),
            ):
                asm.add(register, register, BLOCK * size)
            asm.add(inside, inside, -BLOCK)
            asm.jump_if("bgtz", inside, loop)

    def _scores(self, key: str, norm: str, count: str) -> None:
        """ac0 = scores of a block."""
        asm = self.asm
        asm.csr("qfmt", self.codes)
        asm.csr("qtm", self.shape.group)
        asm.csr("qtn", count)
        asm.csr("qtk", self.step)
        with asm.registers("part stride") as (part, stride):
            asm.li(stride, 2)
            asm("qt.lds", "sc0", norm, stride)
            asm("qt.zeroa", "ac0")
            asm.li(stride, self.cache.code_bytes)
            for index in range(self.steps):
                asm.add(part, key, index * self.step * self.kernel.bits // 8)
                asm("qt.ldw", _PARTS[index], part, stride)
                asm("qt.mma.cbs", "ac0", f"t{index}", _PARTS[index], "sc0", "cb0")

    def _softmax(self, value: str, norm: str, count: str) -> None:
        """Probabilities times norms of values, to a tile; sums and factors to the scratchpad; codes of values."""
        asm, pads, shape = self.asm, self.place.pads, self.shape
        with asm.registers("pad stride") as (pad, stride):
            asm.li(stride, self.cache.code_bytes)
            asm.csr("qtk", shape.head_dim)
            asm("qt.ldw", _VALUES, value, stride)
            asm("qt.rmax", _NEW_MAXIMA, "ac0", _MAXIMA)
            asm("qt.expd", _FACTORS, _MAXIMA, _NEW_MAXIMA)
            asm("qt.rmax", _MAXIMA, "ac0", _MAXIMA)
            asm("qt.expm", _PROBABILITIES, "ac0", _NEW_MAXIMA)
            asm.csr("qtk", count)
            asm("qt.rsum", _BLOCK_SUMS, _PROBABILITIES, _SUMMED)
            asm.csr("qfmt", self.statistics)
            asm.csr("qtk", 32)
            asm.li(stride, 4)
            for register, name in ((_FACTORS, "factors"), (_BLOCK_SUMS, "block_sums")):
                asm.pad(pad, pads[name])
                asm("qt.sts", register, pad, stride)
            asm.csr("qfmt", self.codes)
            asm.csr("qvl", shape.group)
            vector(asm, "qv.mul", pads["sums"], pads["sums"], pads["factors"])
            vector(asm, "qv.add", pads["sums"], pads["sums"], pads["block_sums"])
            asm.li(stride, 4 * BLOCK)
            asm("qt.mvta", "ac1", _PROBABILITIES)
            asm.pad(pad, pads["p"])
            asm("qt.sta", "ac1", pad, stride)
            asm.csr("qvl", count)
            with asm.registers("norms") as (norms,):
                asm.pad(norms, pads["norms"])
                asm("qv.h2f", norms, norm)
            for head in range(shape.group):
                row = pads["p"] + 4 * BLOCK * head
                vector(asm, "qv.mul", row, row, pads["norms"])
            asm("qt.lda", "ac1", pad, stride)
            asm("qt.mvat", _PROBABILITIES, "ac1")

    def _weigh(self, count: str) -> None:
        """Results times factors, plus probabilities times values, four parts of dimensions at a time."""
        asm, pads = self.asm, self.place.pads
        asm.csr("qtn", BLOCK)
        asm.csr("qtk", count)
        with asm.registers("p0 p1 p2 p3 stride") as (*places, stride):
            asm.li(stride, 4 * self.shape.head_dim)
            for first in range(0, self.shape.head_dim // BLOCK, len(_PARTS)):
                for index, (place, tile) in enumerate(zip(places, _PARTS, strict=True)):
                    asm.pad(place, pads["out"] + 4 * BLOCK * (first + index))
                    asm("qt.lda", f"ac{index}", place, stride)
                    asm("qt.trw", tile, _VALUES, first + index)
                for index, tile in enumerate(_PARTS):
                    asm("qt.rescale", f"ac{index}", f"ac{index}", _FACTORS)
                    asm("qt.mma.cb", f"ac{index}", _PROBABILITIES, tile, "cb0")
                for index, place in enumerate(places):
                    asm("qt.sta", f"ac{index}", place, stride)

    def _finish(self) -> None:
        """Results over sums, rotated back."""
        asm, pads, shape = self.asm, self.place.pads, self.shape
        asm.csr("qvl", shape.head_dim)
        for head in range(shape.group):
            out = pads["out"] + 4 * shape.head_dim * head
            vector(asm, "qv.divs", out, out, pads["sums"] + 4 * head)
        asm.csr("qvl", shape.group * shape.head_dim)
        transform(asm, self.cache, pads["out"])
        vector(asm, "qv.flip", pads["out"], pads["out"], pads["signs"])
