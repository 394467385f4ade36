"""The tensor types of GGUF: numbers, block sizes (llama.cpp, ggml.h and ggml-common.h; the GGUF specification)."""

from __future__ import annotations

from typing import NamedTuple


class GgufType(NamedTuple):
    """A tensor type.

    Attributes:
        number: in a file.
        block: weights that are stored together.
        nbytes: of a block.
    """

    number: int
    block: int
    nbytes: int


GGUF_TYPES = {
    "q4_0": GgufType(2, 32, 18),
    "q4_1": GgufType(3, 32, 20),
    "q5_0": GgufType(6, 32, 22),
    "q5_1": GgufType(7, 32, 24),
    "q8_0": GgufType(8, 32, 34),
    "q2_k": GgufType(10, 256, 84),
    "q3_k": GgufType(11, 256, 110),
    "q4_k": GgufType(12, 256, 144),
    "q5_k": GgufType(13, 256, 176),
    "q6_k": GgufType(14, 256, 210),
    "iq4_nl": GgufType(20, 32, 18),
    "tq1_0": GgufType(34, 256, 54),
    "tq2_0": GgufType(35, 256, 66),
    "gguf-mxfp4": GgufType(39, 32, 17),
}
"""Block types, by the name of their format."""
PLAIN_TYPES = {"fp32": GgufType(0, 1, 4), "fp16": GgufType(1, 1, 2), "bf16": GgufType(30, 1, 2)}
"""Types without blocks."""
OTHER_TYPES = {
    "q8_1": GgufType(9, 32, 36),
    "q8_k": GgufType(15, 256, 292),
    "iq2_xxs": GgufType(16, 256, 66),
    "iq2_xs": GgufType(17, 256, 74),
    "iq3_xxs": GgufType(18, 256, 98),
    "iq1_s": GgufType(19, 256, 50),
    "iq3_s": GgufType(21, 256, 110),
    "iq2_s": GgufType(22, 256, 82),
    "iq4_xs": GgufType(23, 256, 136),
    "int8": GgufType(24, 1, 1),
    "int16": GgufType(25, 1, 2),
    "int32": GgufType(26, 1, 4),
    "int64": GgufType(27, 1, 8),
    "fp64": GgufType(28, 1, 8),
    "iq1_m": GgufType(29, 256, 56),
    "gguf-nvfp4": GgufType(40, 64, 36),
}
"""Types that files may hold, of which no format is."""
