"""Loads, stores and transfers of xqt: which bytes move in each format, at every fidelity."""

from __future__ import annotations

import numpy as np
import pytest

import archsim
from archsim.isa.program import SCRATCHPAD_BASE
from archsim.machine.workbench import Workbench
from tests.machine.xqt_reference import ACTIVATIONS, BITS, WEIGHTS

MEMORY, STRIDE = 0x8000, 300
DRAM, OUT, TABLE = 0x200000, 0x400000, 0x600000


@pytest.fixture(scope="module")
def bench() -> Workbench:
    return Workbench(archsim.load_isa("rv64im", "zicsr", "xqt"))


def prepare(bench: Workbench, seed: int, wfmt: int, afmt: int, glog2: int = 5) -> tuple[np.ndarray, int, int, int]:
    """Random memory and sizes; (memory, m, n, k)."""
    rng = np.random.default_rng(seed)
    memory = rng.integers(0, 256, 1 << 14).astype(np.uint8)
    bench.memory.write(MEMORY, memory)
    for name in ("t", "ac", "su", "cb"):
        registers = bench.registers(name)
        registers.view(np.uint8)[:] = rng.integers(0, 200, registers.view(np.uint8).shape)
    m, n = (int(value) for value in rng.integers(1, 17, 2))
    bits = max(BITS[WEIGHTS[wfmt]], BITS[ACTIVATIONS[afmt]], 8)
    k = int(rng.integers(1, 128 * 8 // bits + 1))
    values = {"qfmt": wfmt | afmt << 4 | glog2 << 14, "qtm": m, "qtn": n, "qtk": k}
    for name, value in values.items():
        bench.set_csr(name, value)
    bench.x[10], bench.x[11] = MEMORY, STRIDE
    return memory, m, n, k


def row_bytes(name: str, k: int) -> int:
    return -(-k // 5) if name == "ternary" else -(-k * int(BITS[name]) // 8)


def rows(memory: np.ndarray, count: int, size: int) -> np.ndarray:
    return np.stack([memory[i * STRIDE : i * STRIDE + size] for i in range(count)])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("wfmt", range(15))
def test_weights(bench: Workbench, wfmt: int, seed: int) -> None:
    for text in ("qt.ldw t3, a0, a1", "qt.aldw t3, a0, a1, b2"):
        memory, m, n, k = prepare(bench, seed, wfmt, 0)
        before = bench.registers("t").view(np.uint8).copy()
        size = row_bytes(WEIGHTS[wfmt], k)
        assert bench.execute(text) == 0
        before[3, :n, :size] = rows(memory, n, size)
        assert np.array_equal(bench.registers("t").view(np.uint8), before)
        bench.x[10] = MEMORY + 0x5000
        assert bench.execute("qt.stw t3, a0, a1") == 0
        stored = np.frombuffer(bench.memory.read(MEMORY + 0x5000, 1 << 13), np.uint8)
        assert np.array_equal(rows(stored, m, size), before[3, :m, :size])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("afmt", range(7))
def test_activations(bench: Workbench, afmt: int, seed: int) -> None:
    for text in ("qt.ld t5, a0, a1", "qt.ald t5, a0, a1, b0"):
        memory, m, _, k = prepare(bench, seed, 0, afmt)
        before = bench.registers("t").view(np.uint8).copy()
        size = row_bytes(ACTIVATIONS[afmt], k)
        assert bench.execute(text) == 0
        before[5, :m, :size] = rows(memory, m, size)
        assert np.array_equal(bench.registers("t").view(np.uint8), before)
        bench.x[10] = MEMORY + 0x5000
        assert bench.execute("qt.st t5, a0, a1") == 0
        stored = np.frombuffer(bench.memory.read(MEMORY + 0x5000, 1 << 13), np.uint8)
        assert np.array_equal(rows(stored, m, size), before[5, :m, :size])


@pytest.mark.parametrize("seed", range(6))
def test_scales_codebooks_accumulators(bench: Workbench, seed: int) -> None:
    glog2 = int(np.random.default_rng(seed).choice([4, 5, 15]))
    memory, m, n, k = prepare(bench, seed, 0, 0, glog2)
    groups = min(max(-(-k // (1 << glog2)), 1), 8)
    for text in ("qt.lds sc2, a0, a1", "qt.alds sc2, a0, a1, b1"):
        assert bench.execute(text) == 0
        wanted = rows(memory, n, 2 * groups).view(np.uint16)
        assert np.array_equal(bench.registers("su")[2, :n, :groups], wanted)
    kept = bench.registers("su")[2].copy()
    bench.x[10] = MEMORY + 0x5000
    assert bench.execute("qt.sts sc2, a0, a1") == 0
    stored = np.frombuffer(bench.memory.read(MEMORY + 0x5000, 1 << 13), np.uint8)
    assert np.array_equal(rows(stored, m, 2 * groups).view(np.uint16), kept[:m, :groups])
    bench.x[10] = MEMORY
    blocks = -(-k // 32)
    assert bench.execute("qt.ldx sc3, a0, a1") == 0
    assert np.array_equal(bench.registers("sx")[3, : max(m, n), :blocks], rows(memory, max(m, n), blocks))
    for text in ("qt.ldcb cb1, a0", "qt.aldcb cb1, a0, b3"):
        assert bench.execute(text) == 0
        book = memory[:64].view(np.float32)
        assert np.array_equal(bench.registers("cb")[1][~np.isnan(book)], book[~np.isnan(book)])
    assert bench.execute("qt.lda ac2, a0, a1") == 0
    assert np.array_equal(bench.registers("ac")[2, :m, :n], rows(memory, m, 4 * n).view(np.int32))
    bench.x[10] = MEMORY + 0x5000
    assert bench.execute("qt.sta ac2, a0, a1") == 0
    stored = np.frombuffer(bench.memory.read(MEMORY + 0x5000, 1 << 13), np.uint8)
    assert np.array_equal(rows(stored, m, 4 * n), rows(memory, m, 4 * n))


def transfer(body: str, memory: dict[int, np.ndarray], fidelity: str) -> archsim.RunResult:
    isa = archsim.load_isa("rv64im", "zicsr", "zicntr", "xqt")
    program = isa.assemble(f"li s0, {SCRATCHPAD_BASE}\n{body}\nli a0, 0\nli a7, 93\necall\n")
    return archsim.run(program, "edge-npu", isa=isa, fidelity=fidelity, memory=memory)


def shape(rows: int, size: int, dram: int, pad: int) -> str:
    values = {"qdrows": rows, "qdrowb": size, "qddst": dram, "qdsst": pad}
    return "".join(f"li t0, {value}\ncsrw {name}, t0\n" for name, value in values.items())


@pytest.mark.parametrize("fidelity", ["functional", "timed"])
def test_gather_through_a_block_table(fidelity: str) -> None:
    rng = np.random.default_rng(7)
    blocks = rng.integers(0, 256, (64, 512)).astype(np.uint8)
    table = rng.permutation(64)[:20].astype(np.uint32)
    body = shape(20, 512, 512, 512)
    body += f"li t0, {TABLE}\ncsrw qdtab, t0\nli a0, {DRAM}\nqt.dma.gather b0, a0, s0\nqt.bar.wait b0\n"
    body += f"li a1, {OUT}\nqt.dma.st b1, a1, s0\nqt.bar.wait b1\n"
    run = transfer(body, {DRAM: blocks, TABLE: table}, fidelity)
    assert np.array_equal(np.frombuffer(run.read(OUT, 20 * 512), np.uint8).reshape(20, 512), blocks[table])
    if fidelity == "timed":
        straight = transfer(body.replace("qt.dma.gather", "qt.dma.ld"), {DRAM: blocks, TABLE: table}, fidelity)
        # the same bytes; scattered rows are no quicker than those that follow each other
        assert run.dram_read_bytes == straight.dram_read_bytes
        assert run.cycles >= straight.cycles


@pytest.mark.parametrize("fidelity", ["functional", "timed"])
@pytest.mark.parametrize("gathers", [False, True])
def test_descriptors(fidelity: str, gathers: bool) -> None:
    rng = np.random.default_rng(8)
    blocks = rng.integers(0, 256, (32, 256)).astype(np.uint8)
    table = rng.permutation(32)[:8].astype(np.uint32)
    entry = TABLE if gathers else 0
    load = np.array([DRAM, 8, 192, SCRATCHPAD_BASE, 256, 200, entry, 0], np.int64)
    store = np.array([OUT, 8, 192, SCRATCHPAD_BASE, 192, 200, 0, 0], np.int64)
    places = {DRAM: blocks, TABLE: table, TABLE + 4096: load, TABLE + 8192: store}
    body = f"li a0, {TABLE + 4096}\nqt.dma.ldd b0, a0\nqt.bar.wait b0\n"
    body += f"li a0, {TABLE + 8192}\nqt.dma.std b1, a0\nqt.bar.wait b1\n"
    run = transfer(body, places, fidelity)
    wanted = blocks[table if gathers else np.arange(8), :192]
    assert np.array_equal(np.frombuffer(run.read(OUT, 8 * 192), np.uint8).reshape(8, 192), wanted)


@pytest.mark.parametrize("fidelity", ["functional", "timed"])
def test_planes_and_blocks(fidelity: str) -> None:
    """A 4-D box of an array in DRAM, packed in the scratchpad, and back into another array with other strides."""
    rng = np.random.default_rng(9)
    array = rng.integers(0, 256, (5, 6, 7, 96)).astype(np.uint8)
    box = array[1:4, 2:5, 1:6, 16:80]
    blocks, planes, rows, size = box.shape
    first = DRAM + int(np.ravel_multi_index((1, 2, 1, 16), array.shape))
    counts = [size, rows, planes, blocks]
    pad = [size, rows * size, planes * rows * size]
    load = np.array([first, SCRATCHPAD_BASE, *counts, 96, 7 * 96, 6 * 7 * 96, *pad], np.int64)
    out = [128, 8 * 128, 4 * 8 * 128]
    store = np.array([OUT, SCRATCHPAD_BASE, *counts, *out, *pad], np.int64)
    body = f"li a0, {TABLE}\nqt.dma.ld4 b0, a0\nqt.bar.wait b0\n"
    body += f"li a0, {TABLE + 4096}\nqt.dma.st4 b1, a0\nqt.bar.wait b1\n"
    run = transfer(body, {DRAM: array, TABLE: load, TABLE + 4096: store}, fidelity)
    back = np.frombuffer(run.read(OUT, blocks * out[2]), np.uint8).reshape(blocks, 4, 8, 128)
    assert np.array_equal(back[:, :planes, :rows, :size], box)
    assert back.sum(dtype=np.int64) == box.sum(dtype=np.int64)
    if fidelity == "timed":
        # rows begin and end within what the device moves at once: 32 bytes
        touched = {(first + k * out_ + j * 672 + i * 96 + b) // 32
                   for k, out_ in ((k, 4032) for k in range(blocks))
                   for j in range(planes) for i in range(rows) for b in range(size)}  # fmt: skip
        assert len(touched) * 32 <= run.dram_read_bytes <= blocks * planes * rows * (size + 32) + 1024
        assert run.traffic["other"]["read_bytes"] >= box.size


def test_too_many_planes_trap() -> None:
    entry = np.array([DRAM, SCRATCHPAD_BASE, 64, 1, 1 << 40, 1 << 40, 0, 0, 0, 0, 0, 0], np.int64)
    with pytest.raises(archsim.SimulationError, match="outside"):
        transfer(f"li a0, {TABLE}\nqt.dma.ld4 b0, a0\n", {TABLE: entry}, "timed")


def test_a_gather_beyond_dram_traps() -> None:
    body = shape(2, 64, 1 << 40, 64) + f"li t0, {TABLE}\ncsrw qdtab, t0\nli a0, {DRAM}\nqt.dma.gather b0, a0, s0\n"
    with pytest.raises(archsim.SimulationError, match="outside"):
        transfer(body, {TABLE: np.array([0, 5], np.uint32)}, "timed")


def test_asynchronous_loads_arrive_on_their_barrier() -> None:
    """Waiting takes as long as the load does, and a load alone holds nobody up."""
    setting = "li t0, 16\ncsrw qtm, t0\nli t0, 128\ncsrw qtk, t0\nli t1, 128\n"
    loads = "".join(f"qt.ald t{number}, s0, t1, b3\n" for number in range(8))
    alone = transfer(setting + loads + "csrr s1, cycle\n", {}, "timed")
    waited = transfer(setting + loads + "qt.bar.wait b3\ncsrr s1, cycle\n", {}, "timed")
    assert waited.stalls.get("dma_wait", 0) > alone.stalls.get("dma_wait", 0)
