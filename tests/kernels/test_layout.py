"""The tiled layout, read back by an independent reader of its description."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.kernels.layout import WeightLayout, pack_weights, weight_layout
from archsim.kernels.target import Target

TARGET = Target(tm=16, tn=16, trowb=128, int4=True, cores=1, scratchpad=1 << 19)


def read_back(raw: bytes, layout: WeightLayout, row: int, column: int) -> tuple[int, float]:
    """Code and scale of one weight, by the words of the layout's description."""
    step, rest = divmod(column, layout.step)
    chunk, step = divmod(step, layout.chunk)
    block, row = divmod(row, layout.tn)
    start = block * layout.block_bytes + chunk * layout.chunk_bytes
    place = start + step * layout.step_bytes + row * layout.row_bytes
    if layout.bits == 8:
        code = raw[place + rest]
        code -= 256 * (code > 127)
    else:
        code = raw[place + rest // 2] >> 4 * (rest % 2) & 15
        code -= 16 * (code > 7)
    scales = start + layout.chunk * layout.step_bytes
    if layout.group:
        index = (step * layout.tn + row) * layout.scales_per_step + rest // layout.group % layout.scales_per_step
    else:
        index = row
    return code, float(np.frombuffer(raw, np.float16, 1, scales + 2 * index)[0])


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 70),
    st.integers(1, 700),
    st.sampled_from([4, 8]),
    st.sampled_from([0, 8, 32, 128, 256]),
    st.sampled_from([8, 16]),
    st.integers(1, 6),
    st.integers(0, 2**32),
)
def test_every_weight_and_scale_is_where_the_description_says(
    rows: int, columns: int, bits: int, group: int, tn: int, steps: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    most = 2 ** (bits - 1) - 1
    codes = random.integers(-most, most + 1, (rows, columns)).astype(np.int8)
    groups = -(-columns // group) if group else 1
    scales = random.random((rows, groups)).astype(np.float16)
    layout = weight_layout(replace(TARGET, tn=tn), rows, columns, bits, group, steps)
    raw = pack_weights(codes, scales, layout)
    assert len(raw) == layout.nbytes
    for _ in range(40):
        row, column = int(random.integers(rows)), int(random.integers(columns))
        scale = scales[row, column // group if group else 0]
        assert read_back(raw, layout, row, column) == (codes[row, column], float(scale))


@given(st.integers(1, 20000), st.integers(1, 64))
def test_chunks_cover_the_depth_without_a_chunk_to_spare(columns: int, steps: int) -> None:
    layout = weight_layout(TARGET, 16, columns, 4, 128, steps)
    assert layout.chunk <= steps
    assert layout.depth >= columns > layout.depth - layout.chunk * layout.step


def test_a_large_matrix_is_stored_in_hardly_more_bytes_than_its_format_says() -> None:
    layout = weight_layout(TARGET, 4096, 4096, 4, 128)
    assert layout.nbytes == 4096 * (4096 // 2 + 4096 // 128 * 2)
