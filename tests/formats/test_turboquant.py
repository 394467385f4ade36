"""TurboQuant: the distortions that theory gives, unbiased inner products, storage, and what Hadamard is not."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from math import inf, pi, sqrt
from pathlib import Path

import numpy as np
import pytest

from archsim.common.errors import InputError
from archsim.formats import parse_format, quantize
from archsim.formats.rotation import haar, randomised_hadamard
from archsim.formats.sphere_codebook import lloyd_max
from archsim.formats.turboquant import TurboQuantFormat

REFERENCE = Path(__file__).parents[2] / "workloads" / "reference" / "sphere_codebooks.csv"
DIMENSIONS = (128, 1024)
BITS = (1, 2, 3, 4)


def reference() -> Iterator[tuple[int, int, float, np.ndarray]]:
    lines = [line for line in REFERENCE.read_text().splitlines() if not line.startswith("#")]
    for row in csv.DictReader(lines):
        levels = np.array([float(level) for level in row["levels"].split()])
        yield int(row["dimension"]), int(row["bits"]), float(row["distortion"]), levels


DISTORTIONS = {(dimension, bits): distortion for dimension, bits, distortion, _ in reference()}


def unit_vectors(count: int, dimension: int, seed: int) -> np.ndarray:
    x = np.random.default_rng(seed).standard_normal((count, dimension))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def seeded(name: str, seed: int) -> TurboQuantFormat:
    form = parse_format(name)
    assert isinstance(form, TurboQuantFormat)
    return replace(form, variant=replace(form.variant, seed=seed))


def distortion(name: str, x: np.ndarray) -> float:
    return float(np.square(quantize(x, name).dequantize() - x).sum(1).mean())


def scaled_product_error(name: str, dimension: int) -> float:
    """dimension x mean squared error of inner products of unit vectors, over rotations and projections."""
    errors = []
    for seed in range(4096 // dimension):
        x, y = unit_vectors(512, dimension, 2 * seed), unit_vectors(512, dimension, 2 * seed + 1)
        errors.append(np.square((y @ (seeded(name, seed).quantize(x).dequantize() - x).T).astype(np.float64)).mean())
    return dimension * float(np.mean(errors))


@pytest.mark.parametrize(("dimension", "bits", "expected", "levels"), list(reference()))
def test_codebooks_are_the_reference_ones(dimension: int, bits: int, expected: float, levels: np.ndarray) -> None:
    codebook = lloyd_max(bits, dimension)
    assert codebook.distortion == pytest.approx(expected, rel=1e-4)
    assert np.abs(codebook.levels[1 << (bits - 1) :] - levels).max() < 3e-3
    assert np.array_equal(codebook.levels, -codebook.levels[::-1])


def test_the_limit_is_the_normal_distribution() -> None:
    """Max, Quantizing for minimum distortion, 1960, table I."""
    assert [lloyd_max(bits, inf).distortion for bits in BITS] == pytest.approx(
        [0.3634, 0.1175, 0.03454, 0.009497], 1e-3
    )
    assert lloyd_max(2, inf).levels[2:] == pytest.approx([0.4528, 1.510], abs=5e-4)
    assert lloyd_max(3, 1e6).levels == pytest.approx(lloyd_max(3, inf).levels, abs=1e-4)


def test_three_dimensions_are_uniform() -> None:
    """Archimedes: a coordinate of a point on the sphere is uniform, for which evenly spaced levels are best."""
    for bits in BITS:
        assert lloyd_max(bits, 3).levels == pytest.approx(sqrt(3) * (2 * np.arange(2**bits) + 1 - 2**bits) / 2**bits)
        assert lloyd_max(bits, 3).distortion == pytest.approx(4.0**-bits)


@pytest.mark.parametrize("ending", ["", "-haar"])
@pytest.mark.parametrize("dimension", DIMENSIONS)
@pytest.mark.parametrize("bits", BITS)
def test_distortion_of_random_directions(bits: int, dimension: int, ending: str) -> None:
    measured = distortion(f"turboquant-{bits}{ending}", unit_vectors(400_000 // dimension, dimension, bits))
    assert measured == pytest.approx(DISTORTIONS[dimension, bits], rel=0.02)
    # theorem 1, and the lower bound of theorem 3
    assert 4.0**-bits < measured < sqrt(3) * pi / 2 * 4.0**-bits


@pytest.mark.parametrize("dimension", DIMENSIONS)
@pytest.mark.parametrize("bits", BITS)
def test_error_of_inner_products(bits: int, dimension: int) -> None:
    """(pi/2) D(b - 1)/d with a Gaussian projection, (pi/2 - 1) D(b - 1)/d with an orthogonal one, below theorem 2."""
    left = DISTORTIONS[dimension, bits - 1] if bits > 1 else 1.0
    measured = scaled_product_error(f"turboquant-{bits}-ip-haar", dimension)
    assert measured == pytest.approx(pi / 2 * left, rel=0.05)
    assert measured < sqrt(3) * pi**2 * 4.0**-bits
    orthogonal = scaled_product_error(f"turboquant-{bits}-ip-orthogonal-haar", dimension)
    assert orthogonal == pytest.approx((pi / 2 - 1) * left, rel=0.05)


def slopes(name: str, pairs: int, dimension: int = 128, seeds: int = 100) -> np.ndarray:
    """Mean of <y, x~>/<y, x> for each of many rotations, y with an inner product of 1/2 with x."""
    means = []
    for seed in range(seeds):
        x, z = unit_vectors(pairs // seeds, dimension, 2 * seed), unit_vectors(pairs // seeds, dimension, 2 * seed + 1)
        z -= (z * x).sum(1, keepdims=True) * x
        y = 0.5 * x + sqrt(0.75) * z / np.linalg.norm(z, axis=1, keepdims=True)
        back = seeded(name, seed).quantize(x).dequantize()
        means.append(((y * back).sum(1) / (y * x).sum(1)).mean())
    return np.array(means)


@pytest.mark.parametrize("name", ["turboquant-1-ip", "turboquant-3-ip", "turboquant-2-ip-orthogonal"])
def test_inner_products_are_unbiased(name: str) -> None:
    """Theorem 2; projections are drawn anew for each thousand pairs, and are what the standard error is over."""
    ratio = slopes(name, 100_000)
    error = ratio.std(ddof=1) / sqrt(len(ratio))
    assert error < 0.004
    assert abs(ratio.mean() - 1) < 2 * error


def test_least_squared_error_has_the_bias_the_paper_states() -> None:
    """Section 3.2: 2/pi at one bit, in the limit; 1 - D in d dimensions at any width, since levels are means."""
    for bits in BITS:
        assert slopes(f"turboquant-{bits}", 10_000, seeds=10).mean() == pytest.approx(
            1 - DISTORTIONS[128, bits], abs=0.004
        )
    assert 1 - lloyd_max(1, inf).distortion == pytest.approx(2 / pi, abs=1e-9)


def test_hadamard_is_not_haar() -> None:
    """A one-hot vector becomes one of equal magnitudes, which no two-bit level is near."""
    one_hot = np.eye(128, dtype=np.float32)
    assert distortion("turboquant-2", one_hot) == pytest.approx(0.255, abs=0.001)
    assert distortion("turboquant-2-haar", one_hot) == pytest.approx(0.116, rel=0.05)
    assert distortion("turboquant-1", one_hot) == pytest.approx(0.040, abs=0.001)


@pytest.mark.parametrize("bits", BITS)
def test_a_corrected_norm_is_that_of_the_vector(bits: int) -> None:
    x = 3 * unit_vectors(2000, 128, 7)
    back = quantize(x, f"turboquant-{bits}-nc").dequantize()
    assert np.linalg.norm(back, axis=1) == pytest.approx(3, rel=6e-4)
    # 1 + |q| - 2 <x, q>/|q| with <x, q> = |q|**2 = 1 - D on average: worse at few bits, better at many
    expected = {1: 0.4017, 2: 0.1190, 3: 0.03385, 4: 0.00921}[bits]
    assert distortion(f"turboquant-{bits}-nc", x) / 9 == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("size", [8, 64, 96])
def test_rotations_are_orthogonal(size: int) -> None:
    matrices = [haar(size, 3)] + ([randomised_hadamard(size, 3)] if size.bit_count() == 1 else [])
    for matrix in matrices:
        assert np.abs(matrix @ matrix.T - np.eye(size)).max() < 1e-5


@pytest.mark.parametrize(
    ("name", "columns", "bits"),
    [
        ("turboquant-3", 128, 3 + 16 / 128),
        ("turboquant-3", 64, 3.25),
        ("turboquant-5-haar", 96, 5 + 16 / 96),
        ("turboquant-3-ip", 128, 3 + 32 / 128),
        ("turboquant-1-ip", 128, 1 + 16 / 128),
        ("turboquant-2.5", 128, 2.5 + 32 / 128),
        ("turboquant-3.5-ip", 128, 3.5 + 64 / 128),
        ("turboquant-3x32-2x96", 128, 2.25 + 32 / 128),
    ],
)
def test_bits_are_counted(name: str, columns: int, bits: float) -> None:
    form, rows = parse_format(name), 1 << 16
    table = sum(stored.nbytes for array, stored in form.storage(rows, columns).items() if array in form.shared)
    assert 8 * (form.nbytes(rows, columns) - table) / (rows * columns) == bits
    x = unit_vectors(5, columns, 1)
    assert quantize(x, name).nbytes == form.nbytes(5, columns)


def test_outlier_channels_have_the_larger_codes() -> None:
    x = unit_vectors(2000, 128, 3)
    loud = np.random.default_rng(0).choice(128, 32, replace=False)
    x[:, loud] *= 30
    packed = quantize(x, "turboquant-3x32-2x96")
    assert set(packed.arrays["outliers"][0]) == set(loud)
    error = np.square(packed.dequantize() - x)
    energy = np.square(x)
    assert error[:, loud].sum() / energy[:, loud].sum() == pytest.approx(lloyd_max(3, 32).distortion, rel=0.02)
    quiet = np.setdiff1d(np.arange(128), loud)
    assert error[:, quiet].sum() / energy[:, quiet].sum() == pytest.approx(lloyd_max(2, 96).distortion, rel=0.02)
    assert packed.codes[:, :32].max() == 7
    assert packed.codes[:, 32:].max() == 3


def test_eight_codes_of_three_bits_take_three_bytes_of_their_own() -> None:
    packed = quantize(unit_vectors(5, 64, 1), "turboquant-3")
    groups = packed.arrays["codes"].reshape(5, 8, 3)
    numbers = groups[..., 0].astype(int) | groups[..., 1].astype(int) << 8 | groups[..., 2].astype(int) << 16
    codes = numbers[..., None] >> 3 * np.arange(8) & 7
    assert np.array_equal(codes.reshape(5, 64), packed.codes)
    assert len(np.unique(codes)) == 8


def test_zeros_stay_zeros_and_large_ones_are_refused() -> None:
    for name in ("turboquant-3", "turboquant-2.5-ip", "turboquant-2-nc"):
        assert not quantize(np.zeros((3, 64)), name).dequantize().any()
        with pytest.raises(InputError, match="does not fit float16; divide the weights by a constant"):
            quantize(np.full((1, 64), 1e6), name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("turboquant-3x32-2x64", "format 'turboquant-3x32-2x64' is for rows of 96, not 128; split others"),
        (
            "turboquant-3x4-2x124",
            "format 'turboquant-3x4-2x124' would rotate vectors of 4 and 124; "
            "give rows, such as heads of tokens, that make vectors of 8 to 4096",
        ),
        (
            "turboquant-2x32-3x96",
            "format 'turboquant-2x32-3x96' gives outliers no more bits; write as turboquant-3x32-2x96",
        ),
    ],
)
def test_wrong_splits_are_refused(name: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        quantize(np.ones((2, 128)), name)
    assert str(error.value) == message


def test_signs_are_no_codes() -> None:
    packed = quantize(unit_vectors(2, 64, 1), "turboquant-1-ip")
    with pytest.raises(InputError, match="has signs instead of codes; read its array of signs"):
        _ = packed.codes
