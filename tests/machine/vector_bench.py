"""Vector registers of a workbench as bytes, and elements of formats out of bytes, by numpy alone."""

from __future__ import annotations

from functools import cache

import ml_dtypes
import numpy as np
from hypothesis import strategies as st

import archsim
from archsim.machine.workbench import Workbench

Array = np.ndarray
_NUMPY = {
    "i8": np.int8, "u8": np.uint8, "i16": np.int16, "u16": np.uint16, "i32": np.int32, "u32": np.uint32,
    "i64": np.int64, "f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64,
    "e4m3": ml_dtypes.float8_e4m3fn, "e5m2": ml_dtypes.float8_e5m2,
}  # fmt: skip


@cache
def bench(vlen: int, *extensions: str, **parameters: int) -> Workbench:
    """A workbench for rv64gcv and extensions; the same one for the same arguments."""
    isa = archsim.load_isa("rv64gcv", *extensions, parameters={"VLEN": vlen, **parameters})
    return Workbench(isa)


def elements(raw: Array, kind: str) -> Array:
    """Values of bytes: int64 for integers, float32 for floats up to 32 bits, float64 for those of 64."""
    if kind in ("i4", "u4"):
        pairs = np.stack([raw & 15, raw >> 4], axis=-1).reshape(-1).astype(np.int64)
        return np.where(pairs > 7, pairs - 16, pairs) if kind == "i4" else pairs
    values = raw.view(_NUMPY[kind])
    if kind[0] in "iu":
        return values.astype(np.int64)
    return values.astype(np.float64 if kind == "f64" else np.float32)


def as_bytes(values: Array, kind: str) -> Array:
    """Bytes of values: integers wrap, floats round once to nearest even."""
    with np.errstate(all="ignore"):
        return np.ascontiguousarray(values.astype(_NUMPY[kind])).view(np.uint8).reshape(-1)


def same_floats(one: Array, other: Array) -> bool:
    """Whether floats are the same bit for bit, any NaN being as good as another."""
    size = {4: np.uint32, 2: np.uint16, 8: np.uint64}[one.dtype.itemsize]
    nan = np.isnan(one.astype(np.float64)) & np.isnan(other.astype(np.float64))
    return bool(np.all(nan | (one.view(size) == other.view(size))))


def bytes_of(size: int) -> st.SearchStrategy[Array]:
    """Register contents: random bytes, one byte throughout, or bytes out of a few extremes."""
    extremes = st.sampled_from([0, 1, 0x7F, 0x80, 0x81, 0xFF, 0x88, 0x77])
    return st.one_of(
        st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).integers(0, 256, size).astype(np.uint8)),
        extremes.map(lambda value: np.full(size, value, np.uint8)),
        st.lists(extremes, min_size=size, max_size=size).map(lambda values: np.array(values, np.uint8)),
    )


def floats_of(count: int, kind: str) -> st.SearchStrategy[Array]:
    """Bytes of floats: of every magnitude, of moderate ones, with infinities, NaN and zeros of both signs."""
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, 6e-8, 65504.0], np.float32)

    def made(seed: int, choice: int) -> Array:
        rng = np.random.default_rng(seed)
        if choice == 0:
            return rng.integers(0, 256, count * np.dtype(_NUMPY[kind]).itemsize).astype(np.uint8)
        values = rng.normal(size=count) * 2.0 ** rng.integers(-8, 8, count)
        if choice == 2:
            values = np.where(rng.random(count) < 0.02, rng.choice(special, count), values)
        return as_bytes(values.astype(np.float32), kind)

    return st.builds(made, st.integers(0, 2**32 - 1), st.integers(0, 2))
