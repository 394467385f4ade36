"""The program of rope_kv."""

from __future__ import annotations

from archsim.kernels.assembly import HART, Assembly, Value
from archsim.kernels.base import LOAD_BARRIERS, STORE_BARRIERS, STREAM_BARRIERS, Placement
from archsim.kernels.rope import RopeKv
from archsim.kernels.rows import store_row, vector

_TRANSPOSED = STREAM_BARRIERS[0]


class RopeWriter:
    """Emits one rope_kv: groups of tokens are dealt to cores, tokens of a group follow each other."""

    def __init__(self, kernel: RopeKv, asm: Assembly, group: int, place: Placement) -> None:
        self.asm, self.place, self.group = asm, place, group
        self.shape, self.width, self.cores = kernel.shape, kernel.width, kernel.target.cores
        self.rotary = kernel.rotary
        self.trowb, self.pitch = kernel.target.trowb, kernel.target.pitch(4 * kernel.width)
        self.per_batch = -(-self.shape.tokens // group)

    def emit(self) -> None:
        asm, shape = self.asm, self.shape
        asm.csr("qfmt", 0)
        with asm.registers("item items sequence token") as (item, items, sequence, token):
            loop, done = asm.label("groups"), asm.label("groups_done")
            asm("mv", item, HART)
            asm.li(items, shape.batch * self.per_batch)
            self._group_of(item, sequence, token)
            with asm.unless("bge", item, items):
                self._load(sequence, token, 0)
            asm.run_deferred()
            asm.jump_if("bge", item, items, done)
            asm.place(loop)
            self._tokens(sequence, token)
            if shape.kv_heads:
                self._store_values(sequence, token)
            asm.add(item, item, self.cores)
            asm.jump_if("bge", item, items, done)
            self._group_of(item, sequence, token)
            self._load(sequence, token, 0)
            asm("j", loop)
            asm.place(done)
        asm.wait(*STORE_BARRIERS, _TRANSPOSED)

    def _group_of(self, item: str, sequence: str, token: str) -> None:
        """Sequence and first token of an item; the last group of a sequence overlaps the one before."""
        asm, tokens = self.asm, self.shape.tokens
        if self.per_batch == 1:
            asm("mv", sequence, item)
            asm.li(token, 0)
            return
        with asm.registers("number") as (number,):
            asm.li(number, self.per_batch)
            asm("divu", sequence, item, number)
            asm("remu", token, item, number)
            asm.mul(token, token, self.group)
            if self.per_batch * self.group > tokens:
                asm.li(number, tokens - self.group)
                with asm.unless("blt", token, number):
                    asm("mv", token, number)

    def _row(self, target: str, sequence: str, token: str) -> None:
        """target = row of a sequence's token."""
        self.asm.mul(target, sequence, self.shape.tokens)
        self.asm("add", target, target, token)

    def _load(self, sequence: str, token: str, buffer: int) -> None:
        """Start the loads of a token: its qkv row, and its row of the table."""
        asm, dram, pads, angles = self.asm, self.place.dram, self.place.pads, 4 * self.rotary
        barrier = f"b{LOAD_BARRIERS[buffer]}"
        with asm.registers("row source pad") as (row, source, pad):
            self._row(row, sequence, token)
            asm.element(source, dram["qkv"], row, self.pitch)
            asm.pad(pad, pads[f"qkv{buffer}"])
            asm.shape(1, 4 * self.width)
            asm("qt.dma.ld", barrier, source, pad)
            if not angles:
                return
            asm.element(source, dram["table"] + self.shape.position * angles, token, angles)
            asm.pad(pad, pads[f"angles{buffer}"])
            asm.shape(1, angles)
            asm("qt.dma.ld", barrier, source, pad)

    # -- the tokens of a group

    def _tokens(self, sequence: str, first: str) -> None:
        asm = self.asm
        with asm.registers("left token values") as (left, token, values):
            asm.li(left, self.group)
            asm("mv", token, first)
            asm.pad(values, self.place.pads["values"])

            def work(buffer: int) -> None:
                if self.group > 1:
                    asm.add(token, token, 1)
                    asm.add(left, left, -1)
                    with asm.unless("beqz", left):
                        self._load(sequence, token, 1 - buffer)
                    asm.add(left, left, 1)
                    asm.add(token, token, -1)
                asm.wait(LOAD_BARRIERS[buffer], STORE_BARRIERS[buffer])
                self._heads(buffer, values)
                self._store(sequence, token, buffer)
                asm.add(token, token, 1)

            if self.group == 1:
                work(0)
            else:
                asm.alternate(left, work)

    def _heads(self, buffer: int, values: str) -> None:
        """Rotate queries and keys, quantise all heads; `values` is where this token's value codes go."""
        asm, pads, shape = self.asm, self.place.pads, self.shape
        turned = shape.heads + shape.kv_heads
        with asm.registers("x codes largest left") as (x, codes, largest, left):
            asm.pad(x, pads[f"qkv{buffer}"])
            asm.pad(codes, pads[f"codes{buffer}"])
            asm.pad(largest, pads["largest"])
            with asm.registers("cos sin p0 p1 p2 p3 p4 p5 p6 p7 a b") as (cos, sin, *products, first, second):
                asm.pad(cos, pads[f"angles{buffer}"])
                asm.add(sin, cos, 2 * self.rotary)
                for index, product in enumerate(products):
                    asm.pad(product, pads[f"product{index}"])
                for count, rounds in ((2, turned // 2), (1, turned % 2)):
                    if rounds:
                        with asm.times(left, rounds):
                            if self.rotary:
                                self._turn(count, x, cos, sin, products, first, second)
                            self._quantise_heads(count, x, codes, largest, first)
            if shape.kv_heads:
                with asm.times(left, shape.kv_heads):
                    self._quantise_heads(1, x, values, largest, codes)
        asm.csr("qvl", shape.heads + 2 * shape.kv_heads)
        vector(asm, "qv.muls", pads[f"scales{buffer}"], pads["largest"], asm.constant(1 / 127))
        if shape.kv_heads:
            asm.csr("qvl", 2 * shape.kv_heads)
            vector(asm, "qv.f2h", pads[f"halves{buffer}"], pads[f"scales{buffer}"] + 4 * shape.heads)

    def _turn(self, count: int, x: str, cos: str, sin: str, products: list[str], first: str, second: str) -> None:
        """Rotate `count` heads at x in place, side by side, so that none waits for its own products."""
        asm, size, half = self.asm, 4 * self.shape.head_dim, 2 * self.rotary
        asm.csr("qvl", self.rotary // 2)
        for index in range(count):
            asm.add(first, x, index * size)
            asm.add(second, first, half)
            p = products[4 * index :]
            for product, factor, angle in zip(p, (first, second, second, first), (cos, sin, cos, sin), strict=False):
                asm("qv.mul", product, factor, angle)
        for index in range(count):
            asm.add(first, x, index * size)
            asm.add(second, first, half)
            p = products[4 * index :]
            asm("qv.sub", first, p[0], p[1])
            asm("qv.add", second, p[2], p[3])

    def _quantise_heads(self, count: int, x: str, codes: str, largest: str, spare: str) -> None:
        """Quantise `count` heads at x, and go on behind them."""
        asm, head = self.asm, self.shape.head_dim
        asm.csr("qvl", head)
        for index in range(count):
            asm.add(spare, x, index * 4 * head)
            asm("qv.amax", largest, spare)
            asm.add(largest, largest, 4)
        asm.add(largest, largest, -4 * count)
        for _ in range(count):
            asm("qv.quant", codes, x, largest)
            asm.add(x, x, 4 * head)
            asm.add(codes, codes, head)
            asm.add(largest, largest, 4)

    def _store(self, sequence: str, token: str, buffer: int) -> None:
        """Queries and their scales to their rows; keys and both scales to the token's place in the cache."""
        asm, pads, shape = self.asm, self.place.pads, self.shape
        barrier, codes, halves = STORE_BARRIERS[buffer], pads[f"codes{buffer}"], pads[f"halves{buffer}"]
        queries = shape.heads * shape.head_dim
        with asm.registers("row") as (row,):
            if queries:
                self._row(row, sequence, token)
                store_row(asm, barrier, self.place.dram["q"], row, queries, codes)
                store_row(asm, barrier, self.place.dram["q_scales"], row, 4 * shape.heads, pads[f"scales{buffer}"])
        if not shape.kv_heads:
            return
        for name, size, pad in (
            ("k", shape.head_dim, codes + queries),
            ("k_scales", 2, halves),
            ("v_scales", 2, halves + 2 * shape.kv_heads),
        ):
            with asm.registers("target") as (target,):
                self._cache_place(target, name, sequence, token, size)
                self._store_heads(barrier, target, pad, shape.kv_heads, size, shape.capacity * size, size)

    def _cache_place(self, target: str, name: str, sequence: str, token: str, size: int) -> None:
        """target = address in a cache array of a sequence's token, of its first head; `size` bytes per token."""
        asm, shape = self.asm, self.shape
        per_token = 1 if name == "v" else size
        rows = shape.head_dim if name == "v" else 1
        base = self.place.dram[name] + shape.position * per_token
        asm.element(target, base, sequence, shape.kv_heads * rows * shape.capacity * size)
        with asm.registers("offset") as (offset,):
            asm.mul(offset, token, per_token)
            asm("add", target, target, offset)

    def _store_heads(
        self, barrier: int, target: str, pad: int, rows: int, row_bytes: Value, dram_stride: int, pad_stride: int
    ) -> None:
        asm = self.asm
        with asm.registers("pad") as (source,):
            asm.pad(source, pad)
            asm.shape(rows, row_bytes, dram_stride, pad_stride)
            asm("qt.dma.st", f"b{barrier}", target, source)

    # -- values, transposed

    def _store_values(self, sequence: str, token: str) -> None:
        """Transpose the group's value codes by way of a tile, and store them: one row per feature."""
        asm, pads, shape, group = self.asm, self.place.pads, self.shape, self.group
        features = shape.kv_heads * shape.head_dim
        asm.wait(_TRANSPOSED)
        asm.csr("qtm", group)
        with asm.registers("source target stride out") as (source, target, stride, out):
            asm.pad(source, pads["values"])
            asm.pad(target, pads["transposed"])
            asm.li(stride, features)
            asm.li(out, group)
            for index, first in enumerate(range(0, features, self.trowb)):
                width, tile = min(self.trowb, features - first), f"t{index % 4}"
                asm.csr("qtk", width)
                asm("qt.ld", tile, source, stride)
                asm("qt.stt", tile, target, out)
                asm.add(source, source, width)
                asm.add(target, target, width * group)
            self._cache_place(target, "v", sequence, token, 1)
            self._store_heads(_TRANSPOSED, target, pads["transposed"], features, group, shape.capacity, group)
