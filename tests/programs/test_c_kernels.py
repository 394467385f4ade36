"""C kernels on exported headers, by both compilers of Debian, against numpy and the assembly kernels, bit for bit."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

import archsim
from archsim.formats import parse_format, quantize
from archsim.isa.exports import c_header
from archsim.isa.load import load_isa
from archsim.kernels import reference
from archsim.kernels.alone import run_alone, write_alone
from archsim.kernels.layout import pack_weights
from archsim.kernels.matmul import MatMul
from archsim.kernels.turboquant import CodedCache, EncodeVectors
from archsim.kernels.weight_code import coded, weight_code
from archsim.machine.elf import load_elf
from archsim.machine.run import isa_of
from tests.debian import needs
from tests.kernels.checking import design_of, target
from tests.kernels.coded_attention_reference import coded_attention

SOURCES = Path(__file__).parents[2] / "workloads" / "kernels"
COMPILERS = {
    "gcc": ["riscv64-linux-gnu-gcc", "-march=rv64ima_zicsr", "-no-pie"],
    "clang": ["clang-16", "--target=riscv64-linux-gnu", "-march=rv64ima", "-fuse-ld=lld"],
}
PACKAGES = {"gcc": "gcc-riscv64-linux-gnu", "clang": "clang-16"}
FLAGS = [
    *["-mabi=lp64", "-nostdlib", "-static", "-ffreestanding", "-fno-pic"],
    *["-mcmodel=medany", "-O2", "-Wall", "-Werror"],
]
EPS = np.float32(1e-5)


def build(folder: Path, compiler: str, source: str, **sizes: int) -> Path:
    """The ELF file of a kernel, with headers exported for this test."""
    isa = load_isa("rv64im", "zicsr", "xqt")
    for extension in ("Xqdma", "Xqv", "Xqt"):
        (folder / f"{extension.lower()}.h").write_text(c_header(isa, extension))
    elf = folder / f"{source}.elf"
    defines = [f"-D{name}={value}" for name, value in sizes.items()]
    command = [*COMPILERS[compiler], *FLAGS, *defines, f"-I{folder}", str(SOURCES / f"{source}.c"), "-o", str(elf)]
    subprocess.run(command, check=True)
    return elf


def run(
    elf: Path, fidelity: str, arrays: dict[str, np.ndarray], design: str = "edge-npu"
) -> tuple[archsim.RunResult, dict[str, int]]:
    program = load_elf(elf)
    memory = {program.symbols[name]: array for name, array in arrays.items()}
    return archsim.run(program, design, fidelity=fidelity, memory=memory), program.symbols


@pytest.mark.parametrize(
    "compiler", [pytest.param(name, marks=needs(COMPILERS[name][0], PACKAGES[name])) for name in COMPILERS]
)
@pytest.mark.parametrize("rows, columns, depth", [(16, 64, 512), (5, 32, 256), (33, 96, 1024)])
def test_int4_gemm(tmp_path: Path, compiler: str, rows: int, columns: int, depth: int) -> None:
    rng = np.random.default_rng(rows)
    weights = quantize(rng.normal(size=(columns, depth)).astype(np.float32), "int4-g128")
    codes = rng.integers(-127, 128, (rows, depth)).astype(np.int8)
    scales = rng.random(rows).astype(np.float32)
    tiles = weights.codes.reshape(-1, 16, depth // 128, 128).transpose(0, 2, 1, 3)
    packed = (tiles[..., 0::2] & 15 | tiles[..., 1::2] << 4).view(np.uint8).reshape(len(tiles), -1)
    groups = weights.scales.reshape(-1, 16, depth // 128).transpose(0, 2, 1)
    tails = np.ascontiguousarray(groups).view(np.uint8).reshape(len(tiles), -1)
    elf = build(tmp_path, compiler, "int4_gemm", M=rows, N=columns, K=depth)
    wanted = reference.matmul(codes, scales, weights, 128)
    arrays = {"codes": codes, "row_scales": scales, "weights": np.concatenate([packed, tails], axis=1)}
    for fidelity in ("functional", "timed"):
        result, symbols = run(elf, fidelity, arrays)
        found = np.frombuffer(result.read(symbols["out"], wanted.nbytes), np.float32).reshape(wanted.shape)
        assert np.array_equal(found, wanted)
    kernel = MatMul("matmul", target("edge-npu"), rows, depth, columns, weight_code(weights.format))
    layout = kernel.layout(write_alone(kernel).tiling.steps)
    inputs = {
        "codes": codes, "scales": scales,
        "weights": np.frombuffer(pack_weights(coded(weights), layout), np.uint8),
    }  # fmt: skip
    outputs, _ = run_alone(kernel, design_of("edge-npu"), inputs)
    assert np.array_equal(outputs["out"], wanted)


@pytest.mark.parametrize(
    "compiler", [pytest.param(name, marks=needs(COMPILERS[name][0], PACKAGES[name])) for name in COMPILERS]
)
@pytest.mark.parametrize("rows, features", [(4, 256), (1, 100), (5, 4096)])
def test_rmsnorm(tmp_path: Path, compiler: str, rows: int, features: int) -> None:
    rng = np.random.default_rng(features)
    x, gamma = rng.normal(size=(rows, features)).astype(np.float32), rng.random(features).astype(np.float32)
    elf = build(tmp_path, compiler, "rmsnorm", ROWS=rows, FEATURES=features)
    one = np.float32(1 / features)
    arrays = {"x": x, "gamma_": gamma, "one_over_features": np.array([one]), "eps_bits": np.array([EPS])}
    _, _, wanted = norm(x, gamma)
    for fidelity in ("functional", "timed"):
        result, symbols = run(elf, fidelity, arrays)
        found = np.frombuffer(result.read(symbols["out"], x.nbytes), np.float32).reshape(x.shape)
        assert np.array_equal(found, wanted)


def norm(x: np.ndarray, gamma: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sums of squares, factors and normalised rows, float32, in the order that the vector unit sums in."""
    sums = np.array([reference.total(row * row) for row in x], np.float32)
    mean = sums * np.float32(1 / x.shape[1]) + EPS
    factors = np.float32(1) / np.sqrt(mean.astype(np.float64)).astype(np.float32)
    return sums, factors, x * factors[:, None] * gamma


@pytest.mark.parametrize(
    "compiler", [pytest.param(name, marks=needs(COMPILERS[name][0], PACKAGES[name])) for name in COMPILERS]
)
@pytest.mark.parametrize(
    "heads, tokens, size", [(4, 40, 128), (1, 16, 128), (8, 77, 128), (16, 5, 128), (4, 33, 64), (5, 50, 256)]
)
def test_attention_over_a_turboquant_cache(tmp_path: Path, compiler: str, heads: int, tokens: int, size: int) -> None:
    """The cache is what the kernel EncodeVectors writes on the machine, of keys and values as two heads."""
    rng = np.random.default_rng(tokens)
    q = rng.standard_normal((heads, size)).astype(np.float32)
    both = rng.standard_normal((tokens, 2, size)).astype(np.float32)
    own = parse_format("turboquant-3").codecs(size)[0]
    kernel = EncodeVectors("encode", target("edge-npu-formats"), tokens, CodedCache(3, size, 2, tokens))
    inputs = {"x": both, "signs": own.sign_bits(), "levels": own.levels()}
    coded, _ = run_alone(kernel, design_of("edge-npu-formats"), inputs, fidelity="functional")
    cache = {
        f"{name}_{array}": coded[array][head] for head, name in enumerate(("key", "value")) for array in coded
    }  # fmt: skip
    scale = np.float32(np.log2(np.e) / np.sqrt(size))
    start = np.zeros((2, 16), np.float32)
    start[0] = -np.inf
    wanted = coded_attention(q, own.signs(), own.levels(), cache, scale)
    elf = build(tmp_path, compiler, "tq_attention", HEADS=heads, TOKENS=tokens, DIM=size)
    arrays = {
        "q": q, "signs": own.sign_bits(), "levels": own.levels(), "start": start,
        "exp_scale_bits": np.array([scale]), **cache,
    }  # fmt: skip
    for fidelity in ("functional", "timed"):
        result, symbols = run(elf, fidelity, arrays, "edge-npu-formats")
        found = np.frombuffer(result.read(symbols["out"], wanted.nbytes), np.float32).reshape(wanted.shape)
        assert np.array_equal(found, wanted)
    # and it is attention: against exact arithmetic on what the format decodes
    decoded = quantize(both.reshape(-1, size), "turboquant-3").dequantize().astype(np.float64).reshape(tokens, 2, size)
    scores = q.astype(np.float64) @ decoded[:, 0].T / np.sqrt(size)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    exact = (weights / weights.sum(axis=1, keepdims=True)) @ decoded[:, 1]
    assert np.abs(wanted - exact).max() < 0.002 * np.abs(exact).max()


def test_header_of_the_design_is_that_of_the_tests() -> None:
    design = archsim.load_design("edge-npu")
    assert c_header(isa_of(design), "Xqt") == c_header(load_isa("rv64im", "zicsr", "xqt"), "Xqt")
