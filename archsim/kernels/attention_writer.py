"""The program of an attention kernel: keys stream by for the scores, rows become weights, values stream by."""

from __future__ import annotations

from collections.abc import Callable

from archsim.kernels.assembly import HART, Assembly
from archsim.kernels.attention import Attention, Tiling
from archsim.kernels.attention_bias import BiasWriter
from archsim.kernels.attention_softmax import SCALES_BARRIER, SoftmaxWriter
from archsim.kernels.attention_values import ValuesWriter
from archsim.kernels.attention_window import first_key
from archsim.kernels.base import LOAD_BARRIERS, STORE_BARRIERS, STREAM_BARRIERS, Placement
from archsim.kernels.rows import vector

_QUERIES = LOAD_BARRIERS[0]
_OUT = STORE_BARRIERS[0]
_WHOLE_DEPTH = 15 << 14


class AttentionWriter:
    """Emits one attention.

    An item of work is a block of query rows of one KV head of one sequence; items are dealt to cores. While it runs,
    registers hold `pair` = sequence * kv_heads + head, `query` = index of its first (row, head), `length` = tokens
    that its last row sees, and of the keys `pointer` and `scales`, the next addresses to load from, and `left`, the
    tokens not loaded yet.
    """

    def __init__(self, kernel: Attention, asm: Assembly, tiling: Tiling, place: Placement) -> None:
        self.kernel, self.asm, self.tiling, self.place = kernel, asm, tiling, place
        self.shape, self.target = kernel.shape, kernel.target
        self.parts = -(-self.shape.group // tiling.heads)
        self.blocks = -(-self.shape.tokens // tiling.tokens)
        head, trowb = self.shape.head_dim, self.target.trowb
        self.steps = [min(trowb, head - first) for first in range(0, head, trowb)]

    def emit(self) -> None:
        asm, shape = self.asm, self.shape
        asm.csr("qfmt", _WHOLE_DEPTH)
        asm.csr("qtm", self.tiling.rows)
        asm.csr("qtn", self.target.tn)
        with asm.registers("item items pair query length pointer scales left") as (item, items, *state):
            pair, query, length, *keys = state
            loop, done = asm.label("items"), asm.label("items_done")
            asm("mv", item, HART)
            asm.li(items, shape.batch * shape.kv_heads * self.parts * self.blocks)
            with asm.unless("bge", item, items):
                self._begin(item, *state)
            asm.run_deferred()
            asm.jump_if("bge", item, items, done)
            asm.place(loop)
            self._scores(length, *keys)
            values = ValuesWriter(self.kernel, asm, self.tiling, self.place)
            with asm.registers("base passes") as (base, passes):
                stream = (keys[0], keys[2], base, passes)
                values.begin(pair, query, length, *stream)
                if self.kernel.relative:
                    BiasWriter(self.kernel, asm, self.tiling, self.place).add()
                SoftmaxWriter(self.kernel, asm, self.tiling, self.place).emit(length)
                values.emit(length, *stream)
            self._store(query)
            asm.add(item, item, self.target.cores)
            asm.jump_if("bge", item, items, done)
            self._begin(item, *state)
            asm("j", loop)
            asm.place(done)
        asm.wait(_OUT)

    # -- an item

    def _begin(self, item: str, pair: str, query: str, length: str, pointer: str, scales: str, left: str) -> None:
        """Find an item's place and start its loads."""
        self._find(item, pair, query, length)
        self._load_queries(pair, query)
        if self.kernel.relative:
            BiasWriter(self.kernel, self.asm, self.tiling, self.place).load(query)
        asm, dram, capacity, first = self.asm, self.place.dram, self.shape.capacity, self.kernel.first
        slides = self.kernel.window > 0
        asm.element(pointer, dram["k"] + first * self.shape.head_dim, pair, capacity * self.shape.head_dim)
        asm.element(scales, dram["k_scales"] + 2 * first, pair, 2 * capacity)
        if slides:
            with asm.registers("start bytes") as (start, size):
                first_key(asm, self.kernel, query, start)
                asm("sub", length, length, start)
                asm.mul(size, start, self.shape.head_dim)
                asm("add", pointer, pointer, size)
                asm("slli", size, start, 1)
                asm("add", scales, scales, size)
        asm("mv", left, length)
        for buffer in (0, 1):
            self._load_keys(buffer, pointer, scales, left)
        with asm.registers("source pad size") as (source, pad, size):
            asm.element(source, dram["v_scales"] + 2 * first, pair, 2 * capacity)
            if slides:
                first_key(asm, self.kernel, query, size)
                asm("slli", size, size, 1)
                asm("add", source, source, size)
            asm.pad(pad, self.place.pads["v_scales"])
            asm("slli", size, length, 1)
            asm.shape(1, size)
            asm("qt.dma.ld", f"b{SCALES_BARRIER}", source, pad)

    def _find(self, item: str, pair: str, query: str, length: str) -> None:
        """pair, query and length of an item; the last part and the last block overlap the one before."""
        asm, shape, tiling = self.asm, self.shape, self.tiling
        with asm.registers("block part token") as (block, part, token):
            asm("mv", pair, item)
            self._split(pair, block, self.blocks)
            self._split(pair, part, self.parts)
            self._first(token, block, self.blocks, tiling.tokens, shape.tokens)
            self._first(query, part, self.parts, tiling.heads, shape.group)
            if self.kernel.causal:
                asm.add(length, token, shape.position + tiling.tokens)
            else:
                asm.li(length, shape.context)
            # query = (sequence * tokens + token) * heads + head * group + part
            asm("mv", block, pair)
            self._split(block, part, shape.kv_heads)
            asm.mul(part, part, shape.group)
            asm("add", query, query, part)
            asm.mul(block, block, shape.tokens)
            asm("add", token, token, block)
            asm.mul(token, token, shape.heads)
            asm("add", query, query, token)

    def _split(self, value: str, rest: str, count: int) -> None:
        """value, rest = divmod(value, count)."""
        asm = self.asm
        if count == 1:
            asm.li(rest, 0)
        elif count & (count - 1) == 0:
            asm.li(rest, count - 1)
            asm("and", rest, value, rest)
            asm("srli", value, value, count.bit_length() - 1)
        else:
            with asm.registers("count") as (divisor,):
                asm.li(divisor, count)
                asm("remu", rest, value, divisor)
                asm("divu", value, value, divisor)

    def _first(self, target: str, number: str, count: int, size: int, total: int) -> None:
        """target = min(number * size, total - size)."""
        asm = self.asm
        asm.mul(target, number, size)
        if count * size > total:
            with asm.registers("last") as (last,):
                asm.li(last, total - size)
                with asm.unless("blt", target, last):
                    asm("mv", target, last)

    def _load_queries(self, pair: str, query: str) -> None:
        """Start the loads of the block's query codes and scales."""
        asm, dram, pads, shape, tiling = self.asm, self.place.dram, self.place.pads, self.shape, self.tiling
        with asm.registers("source pad") as (source, pad):
            for name, size in (("q", shape.head_dim), ("q_scales", 4)):
                asm.element(source, dram[name], query, size)
                asm.pad(pad, pads[name])
                asm.shape(tiling.tokens, tiling.heads * size, shape.heads * size, tiling.heads * size)
                asm("qt.dma.ld", f"b{_QUERIES}", source, pad)

    def _load_keys(self, buffer: int, pointer: str, scales: str, left: str) -> None:
        """Start the load of the next chunk of keys and their scales, if there is one."""
        asm, head, chunk = self.asm, self.shape.head_dim, self.tiling.chunk
        barrier, base = f"b{STREAM_BARRIERS[buffer]}", self.place.pads[f"stream{buffer}"]
        with asm.unless("blez", left), asm.registers("tokens pad size") as (tokens, pad, size):
            asm.minimum(tokens, left, chunk)
            asm.mul(size, tokens, head)
            asm.pad(pad, base)
            asm.shape(1, size)
            asm("qt.dma.ld", barrier, pointer, pad)
            asm("slli", size, tokens, 1)
            asm.pad(pad, base + self.kernel.key_scales_offset(self.tiling))
            asm.shape(1, size)
            asm("qt.dma.ld", barrier, scales, pad)
            asm.add(pointer, pointer, chunk * head)
            asm.add(scales, scales, 2 * chunk)
            asm.add(left, left, -chunk)

    # -- scores

    def _scores(self, length: str, pointer: str, scales: str, left: str) -> None:
        """scores = (q K^T) * key scales * (query scales / sqrt(head_dim)), chunk by chunk of keys.

        A tile is finished while the next one is multiplied; the first such finds an accumulator of no meaning, which
        goes before the row's start. Chunks have an even number of tiles, so that the last one's accumulator is known.
        """
        asm, pads, chunk, tn = self.asm, self.place.pads, self.tiling.chunk, self.target.tn
        with asm.registers("count todo target factors pitch") as (count, todo, target, factors, pitch):
            asm.add(count, length, chunk - 1)
            asm("srli", count, count, chunk.bit_length() - 1)
            asm("mv", todo, length)
            asm.pad(target, pads["scores"] + self.kernel.score_start - 4 * tn)
            asm.pad(factors, pads["q_scales"])
            asm.li(pitch, self.kernel.score_pitch)
            asm.wait(_QUERIES)
            self._prepare_queries()

            def finish(accumulator: int) -> None:
                asm("qt.mulr", f"ac{accumulator}", factors)
                asm("qt.sta", f"ac{accumulator}", target, pitch)
                asm.add(target, target, 4 * tn)

            def chunk_of(buffer: int) -> None:
                asm.wait(STREAM_BARRIERS[buffer])
                self._score_chunk(buffer, todo, finish)
                self._load_keys(buffer, pointer, scales, left)
                asm.add(todo, todo, -chunk)

            asm.alternate(count, chunk_of)
            # accumulator of the last tile: (tiles - 1) modulo 2
            asm.add(todo, length, -1)
            asm("srli", todo, todo, tn.bit_length() - 1)
            asm("andi", todo, todo, 1)
            for accumulator, branch in ((0, "bnez"), (1, "beqz")):
                with asm.unless(branch, todo):
                    finish(accumulator)

    def _prepare_queries(self) -> None:
        """Query rows into tiles 0 and 1, and their factors."""
        asm, pads = self.asm, self.place.pads
        asm.csr("qvl", self.tiling.rows)
        vector(asm, "qv.muls", pads["q_scales"], pads["q_scales"], asm.constant(self.kernel.factor))
        with asm.registers("q stride") as (q, stride):
            asm.pad(q, pads["q"])
            asm.li(stride, self.shape.head_dim)
            for index, width in enumerate(self.steps):
                asm.csr("qtk", width)
                asm("qt.ld", f"t{index}", q, stride)
                asm.add(q, q, width)

    def _score_chunk(self, buffer: int, todo: str, finish: Callable[[int], None]) -> None:
        """Scores of a chunk's keys; a tile of keys is loaded while the one before is multiplied."""
        asm, pads, tn, head = self.asm, self.place.pads, self.target.tn, self.shape.head_dim
        with asm.registers("tiles key scale stride two second") as (tiles, key, scale, stride, two, second):
            asm.minimum(tiles, todo, self.tiling.chunk)
            asm.add(tiles, tiles, tn - 1)
            asm("srli", tiles, tiles, tn.bit_length() - 1)
            asm.pad(key, pads[f"stream{buffer}"])
            asm.pad(scale, pads[f"stream{buffer}"] + self.kernel.key_scales_offset(self.tiling))
            asm.li(stride, head)
            asm.li(two, 2)

            def load(parity: int) -> None:
                asm("qt.lds", f"sc{parity}", scale, two)
                for index, width in enumerate(self.steps):
                    asm.csr("qtk", width)
                    if index:
                        asm.add(second, key, self.target.trowb)
                    asm("qt.ldw", f"t{4 + 2 * parity + index}", second if index else key, stride)
                asm.add(key, key, tn * head)
                asm.add(scale, scale, 2 * tn)

            def tile(parity: int) -> None:
                load(1 - parity)
                asm("qt.zeroa", f"ac{parity}")
                for index, width in enumerate(self.steps):
                    asm.csr("qtk", width)
                    asm("qt.mma.s", f"ac{parity}", f"t{index}", f"t{4 + 2 * parity + index}", f"sc{parity}")
                finish(1 - parity)

            load(0)
            asm.alternate(tiles, tile)

    def _store(self, query: str) -> None:
        """Send the staged output rows to DRAM: token by token where they are padded."""
        asm, tiling, size = self.asm, self.tiling, 4 * self.shape.head_dim
        pitch, heads = self.kernel.out_pitch, self.shape.heads
        row_pitch = self.target.pitch(heads * size)
        with asm.registers("target pad left") as (target, pad, left):
            # query = row * heads + head, and rows are padded
            asm("mv", target, query)
            self._split(target, left, heads)
            asm.mul(target, target, row_pitch)
            asm.element(left, self.place.dram["out"], left, size)
            asm("add", target, target, left)
            asm.pad(pad, self.place.pads["out"])
            if pitch == size:
                asm.shape(tiling.tokens, tiling.heads * size, row_pitch, tiling.heads * size)
                asm("qt.dma.st", f"b{_OUT}", target, pad)
                return
            with asm.times(left, tiling.tokens):
                asm.shape(tiling.heads, size, size, pitch)
                asm("qt.dma.st", f"b{_OUT}", target, pad)
                asm.add(target, target, row_pitch)
                asm.add(pad, pad, tiling.heads * pitch)
