"""The tiled layout, read back by an independent reader of its description."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.formats import parse_format
from archsim.kernels.layout import WeightLayout, pack_weights, weight_layout
from archsim.kernels.target import Target
from archsim.kernels.weight_code import CodedWeights, WeightCode, weight_code

INT4 = WeightCode("int4-g128", "int4", group=128)
TARGET = Target(tm=16, tn=16, trowb=128, cores=1, scratchpad=1 << 19)
BITS = {"int8": 8, "int4": 4, "int3": 3, "int2": 2, "sign": 1}


def read_back(raw: bytes, layout: WeightLayout, row: int, column: int) -> tuple[int, bytes]:
    """Code and scale of one weight, by the words of the layout's description."""
    step, rest = divmod(column, layout.step)
    chunk, step = divmod(step, layout.chunk)
    block, row = divmod(row, layout.tn)
    start = block * layout.block_bytes + chunk * layout.chunk_bytes
    place = start + step * layout.step_bytes + row * layout.row_bytes
    if layout.code.code == "ternary":
        code = raw[place + rest // 5] // 3 ** (rest % 5) % 3
    else:
        bits = BITS[layout.code.code]
        word = int.from_bytes(raw[place : place + layout.row_bytes], "little")
        code = word >> bits * rest & (1 << bits) - 1
    scales, size = start + layout.chunk * layout.step_bytes, layout.code.scale_bytes
    group = layout.code.group
    # one super block's header serves more than one step
    load = step * layout.step // max(group, layout.step) if size == 16 else step
    index = row
    if group:
        index = (load * layout.code.scale_parts * layout.tn + row) * layout.scales_per_row
        index += rest // group % layout.scales_per_row
    return code, raw[scales + size * index :][:size]


CODES = [WeightCode("", f"int{bits}", group=group) for bits in (2, 3, 4, 8) for group in (0, 8, 32, 128, 256)]
CODES += [
    WeightCode("", "int4", "qt.mma.sz", 64),
    WeightCode("", "int8", "qt.mma.mx", 32),
    WeightCode("", "ternary", group=64),
    WeightCode("", "sign", group=64),
]


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 70),
    st.integers(1, 700),
    st.sampled_from(CODES),
    st.sampled_from([8, 16]),
    st.integers(1, 6),
    st.integers(0, 2**32),
)
def test_every_weight_and_scale_is_where_the_description_says(
    rows: int, columns: int, code: WeightCode, tn: int, steps: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    kinds = 3 if code.code == "ternary" else 1 << BITS[code.code]
    codes = random.integers(kinds, size=(rows, columns)).astype(np.uint8)
    stored = codes - np.uint8(1) if code.code == "ternary" else codes
    groups = -(-columns // code.group) if code.group else 1
    scales = random.integers(256, size=(code.scale_parts, rows, groups, code.scale_bytes)).astype(np.uint8)
    layout = weight_layout(replace(TARGET, tn=tn), rows, columns, code, steps)
    raw = pack_weights(CodedWeights(code, stored, scales, np.zeros(rows, np.uint8)), layout)
    assert len(raw) == layout.nbytes
    for _ in range(40):
        row, column = int(random.integers(rows)), int(random.integers(columns))
        scale = scales[0, row, column // code.group if code.group else 0].tobytes()
        assert read_back(raw, layout, row, column) == (codes[row, column], scale)


@given(st.integers(1, 20000), st.integers(1, 64))
def test_chunks_cover_the_depth_without_a_chunk_to_spare(columns: int, steps: int) -> None:
    layout = weight_layout(TARGET, 16, columns, INT4, steps)
    assert layout.chunk <= steps
    assert layout.depth >= columns > layout.depth - layout.chunk * layout.step


@pytest.mark.parametrize(
    "name", ["int4-g128", "int8-g64", "int2-g64", "int4-g128-asym", "mxfp4", "nf4-g64", "binary-g64", "q4_k", "q8_0"]
)
def test_a_large_matrix_is_stored_in_hardly_more_bytes_than_its_format_says(name: str) -> None:
    form = parse_format(name)
    layout = weight_layout(TARGET, 4096, 4096, weight_code(form))
    # zero points are float16 on the machine, ternary codes fill up the last byte of a tile row
    assert form.nbytes(4096, 4096) <= layout.nbytes <= form.nbytes(4096, 4096) * 1.03


def test_ternary_codes_fill_up_the_last_byte_of_a_tile_row() -> None:
    layout = weight_layout(TARGET, 4096, 4096, weight_code(parse_format("ternary-g64")))
    assert layout.nbytes == 4096 * (4096 // 128 * 26 + 4096 // 64 * 2)
