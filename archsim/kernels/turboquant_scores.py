"""Scores of queries against a cache of TurboQuant's codes: keys are multiplied as codes, never decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archsim.common.errors import InputError
from archsim.kernels.assembly import HART, Assembly
from archsim.kernels.base import LOAD_BARRIERS, STORE_BARRIERS, STREAM_BARRIERS, Array, Kernel, Placement
from archsim.kernels.rows import vector
from archsim.kernels.target import Target
from archsim.kernels.turboquant import CODE_FORMATS, CodedCache, load_chunk, load_constants, transform

_FLOAT16, _WHOLE_DEPTH = 3 << 4, 15 << 14
_QUERY_TILES = _FREE_TILES = 4
_QUERIES = LOAD_BARRIERS[0]
_CHUNKS = (512, 256, 128, 64, 32)


@dataclass(frozen=True)
class CodedScores(Kernel):
    """scores float32 [kv_heads, group, context] of q float32 [kv_heads, group, head_dim] and a cache's first tokens.

    A query is rotated as keys are, in float32, and rounded to float16. A score is the sum over steps of `step`
    coordinates of (the products of query and level, each rounded, added in rising order) times the key's norm; all
    float32. A tiling is the number of tokens per transfer.

    Attributes:
        group: query vectors per KV head: query heads that share it, times tokens.

    Raises:
        InputError: the tiles cannot multiply such vectors.
    """

    name: str
    target: Target
    cache: CodedCache
    group: int
    context: int

    def __post_init__(self) -> None:
        self.cache.require(self.name, self.context)
        largest = _QUERY_TILES * self.step
        if self.cache.bits not in CODE_FORMATS or self.cache.head_dim > largest:
            raise InputError(
                f"op {self.name!r}: no tile format for vectors of {self.cache.head_dim} with {self.cache.bits} bits",
                remedy=f"give 2 to 4 bits and vectors of up to {largest}, or raise parameters.TROWB",
            )

    @property
    def step(self) -> int:
        """Coordinates that one multiply takes: a tile row of float16."""
        return self.target.trowb // 2

    @property
    def widths(self) -> list[int]:
        """Coordinates of each step."""
        return [min(self.step, self.cache.head_dim - first) for first in range(0, self.cache.head_dim, self.step)]

    @property
    def block(self) -> int:
        """Query rows worked on together."""
        return min(self.target.tm, self.group)

    def arrays(self) -> dict[str, Array]:
        heads = self.cache.kv_heads
        return {
            "q": Array((heads, self.group, self.cache.head_dim), "f4"),
            **self.cache.constants(),
            **self.cache.arrays(written=False),
            "scores": Array((heads, self.group, self.context), "f4", written=True),
        }

    def tilings(self) -> Sequence[int]:
        least = 2 * self.target.tn
        return [chunk for chunk in _CHUNKS if chunk > least] + [least]

    def pitch(self, tiling: int) -> int:
        """Bytes from one row of staged scores to the next, with room for a tile before them."""
        return 4 * (tiling + self.target.tn)

    def buffers(self, tiling: int) -> dict[str, int]:
        cache, rows = self.cache, self.block
        sizes = {"signs": rows * cache.sign_bytes, "levels": 64}
        sizes |= {"q": 4 * rows * cache.head_dim, "halves": 2 * rows * cache.head_dim}
        for buffer in (0, 1):
            # and a tile that is read ahead
            tokens = tiling + self.target.tn
            sizes |= {f"codes{buffer}": tokens * cache.code_bytes, f"norms{buffer}": 2 * tokens}
            sizes |= {f"scores{buffer}": rows * self.pitch(tiling)}
        return sizes

    def emit(self, asm: Assembly, tiling: int, place: Placement) -> None:
        ScoresWriter(self, asm, tiling, place).emit()


class ScoresWriter:
    """Emits the kernel. An item of work is a block of a KV head's queries; items are dealt to cores.

    Attributes:
        keys: registers with the next addresses to load codes and norms from, and the tokens not loaded yet.
    """

    def __init__(self, kernel: CodedScores, asm: Assembly, tiling: int, place: Placement) -> None:
        self.kernel, self.asm, self.chunk, self.place = kernel, asm, tiling, place
        self.cache, self.target = kernel.cache, kernel.target
        self.blocks = -(-kernel.group // kernel.block)

    def emit(self) -> None:
        asm, kernel = self.asm, self.kernel
        load_constants(asm, self.cache, self.place, _QUERIES, kernel.block)
        asm.wait(_QUERIES)
        asm.csr("qfmt", CODE_FORMATS[self.cache.bits] | _FLOAT16 | _WHOLE_DEPTH)
        asm.csr("qtm", kernel.block)
        asm.csr("qtn", self.target.tn)
        with asm.registers("item items head query codes norms left") as (item, items, head, query, *keys):
            asm.pad(head, self.place.pads["levels"])
            asm("qt.ldcb", "cb0", head)
            loop, done = asm.label("items"), asm.label("items_done")
            asm("mv", item, HART)
            asm.li(items, self.cache.kv_heads * self.blocks)
            asm.place(loop)
            asm.jump_if("bge", item, items, done)
            self._find(item, head, query)
            self._load_queries(query)
            asm.element(keys[0], self.place.dram["codes"], head, self.cache.capacity * self.cache.code_bytes)
            asm.element(keys[1], self.place.dram["norms"], head, 2 * self.cache.capacity)
            asm.li(keys[2], kernel.context)
            for buffer in (0, 1):
                self._load_keys(buffer, *keys)
            self._prepare_queries()
            self._score(query, *keys)
            asm.add(item, item, self.target.cores)
            asm("j", loop)
            asm.place(done)
        asm.wait(*STORE_BARRIERS)

    def _find(self, item: str, head: str, query: str) -> None:
        """KV head of an item, and the number of its first query; the last block overlaps the one before."""
        asm, group, block = self.asm, self.kernel.group, self.kernel.block
        asm("mv", head, item)
        if self.blocks == 1:
            asm.mul(query, head, group)
            return
        with asm.registers("count last") as (count, last):
            asm.li(count, self.blocks)
            asm("remu", query, item, count)
            asm("divu", head, item, count)
            asm.mul(query, query, block)
            asm.minimum(query, query, group - block)
            asm.mul(last, head, group)
            asm("add", query, query, last)

    def _load_queries(self, query: str) -> None:
        asm, size = self.asm, 4 * self.cache.head_dim
        with asm.registers("source pad") as (source, pad):
            asm.element(source, self.place.dram["q"], query, size)
            asm.pad(pad, self.place.pads["q"])
            asm.shape(1, self.kernel.block * size)
            asm("qt.dma.ld", f"b{_QUERIES}", source, pad)

    def _load_keys(self, buffer: int, codes: str, norms: str, left: str) -> None:
        """Start the load of the next chunk of keys, if there is one."""
        streams = (("codes", codes, self.cache.code_bytes), ("norms", norms, 2))
        load_chunk(self.asm, self.place, buffer, streams, left, self.chunk)

    def _prepare_queries(self) -> None:
        """Rotate the block's queries and put them into tiles as float16."""
        asm, pads, head_dim = self.asm, self.place.pads, self.cache.head_dim
        asm.wait(_QUERIES)
        asm.csr("qvl", self.kernel.block * head_dim)
        vector(asm, "qv.flip", pads["q"], pads["q"], pads["signs"])
        transform(asm, self.cache, pads["q"])
        vector(asm, "qv.f2h", pads["halves"], pads["q"])
        with asm.registers("source stride") as (source, stride):
            asm.pad(source, pads["halves"])
            asm.li(stride, 2 * head_dim)
            for index, width in enumerate(self.kernel.widths):
                asm.csr("qtk", width)
                asm("qt.ld", f"t{index}", source, stride)
                asm.add(source, source, 2 * width)

    def _score(self, query: str, codes: str, norms: str, left: str) -> None:
        asm, kernel, chunk = self.asm, self.kernel, self.chunk
        with asm.registers("todo out chunks size pad") as (todo, out, chunks, size, pad):
            asm.li(todo, kernel.context)
            asm.element(out, self.place.dram["scores"], query, 4 * kernel.context)
            asm.li(chunks, -(-kernel.context // chunk))

            def chunk_of(buffer: int) -> None:
                asm.wait(STREAM_BARRIERS[buffer], STORE_BARRIERS[buffer])
                self._score_chunk(buffer, todo)
                asm.minimum(size, todo, chunk)
                asm("slli", size, size, 2)
                asm.pad(pad, self.place.pads[f"scores{buffer}"] + 4 * self.target.tn)
                asm.shape(kernel.block, size, 4 * kernel.context, kernel.pitch(chunk))
                asm("qt.dma.st", f"b{STORE_BARRIERS[buffer]}", out, pad)
                asm.add(out, out, 4 * chunk)
                asm.add(todo, todo, -chunk)
                self._load_keys(buffer, codes, norms, left)

            asm.alternate(chunks, chunk_of)

    def _score_chunk(self, buffer: int, todo: str) -> None:
        """Scores of a chunk, two tiles of keys at a time; what is behind the last key is multiplied and not stored.

        A tile is loaded while the one before is multiplied, and stored while the one behind is: loads and stores keep
        their order, and none waits for the multiply beside it. The first that is stored goes before the row's start.
        """
        asm, pads, tn = self.asm, self.place.pads, self.target.tn
        size = self.cache.code_bytes
        with asm.registers("pairs key norm target pitch stride two part") as names:
            pairs, key, norm, target, pitch, stride, two, part = names
            asm.minimum(pairs, todo, self.chunk)
            asm.add(pairs, pairs, 2 * tn - 1)
            asm("srli", pairs, pairs, (2 * tn).bit_length() - 1)
            asm.pad(key, pads[f"codes{buffer}"])
            asm.pad(norm, pads[f"norms{buffer}"])
            asm.pad(target, pads[f"scores{buffer}"])
            asm.li(pitch, self.kernel.pitch(self.chunk))
            asm.li(stride, size)
            asm.li(two, 2)

            def load(parity: int) -> None:
                asm("qt.lds", f"sc{parity}", norm, two)
                at = 0
                for index, width in enumerate(self.kernel.widths):
                    asm.csr("qtk", width)
                    asm.add(part, key, at)
                    asm("qt.ldw", self._tile(parity, index), part, stride)
                    at += width * self.cache.bits // 8
                asm.add(key, key, tn * size)
                asm.add(norm, norm, 2 * tn)

            def finish(parity: int) -> None:
                asm("qt.sta", f"ac{parity}", target, pitch)
                asm.add(target, target, 4 * tn)

            def tile(parity: int) -> None:
                if ahead:
                    load(1 - parity)
                asm("qt.zeroa", f"ac{parity}")
                for index, width in enumerate(self.kernel.widths):
                    asm.csr("qtk", width)
                    operands = f"ac{parity}", f"t{index}", self._tile(parity, index), f"sc{parity}", "cb0"
                    asm("qt.mma.cbs", *operands)
                if not ahead:
                    load(1 - parity)
                finish(1 - parity)

            # a long vector takes all free tiles
            ahead = 2 * len(self.kernel.widths) <= _FREE_TILES
            load(0)
            with asm.times(pairs, pairs):
                tile(0)
                tile(1)
            finish(1)

    def _tile(self, parity: int, index: int) -> str:
        """The tile of a step's keys."""
        steps = len(self.kernel.widths)
        return f"t{_QUERY_TILES + (parity * steps + index) % _FREE_TILES}"
