"""The inner loop of a matmul: the steps of a chunk of weights, for all accumulators."""

from __future__ import annotations

from dataclasses import dataclass

from archsim.kernels.assembly import Assembly
from archsim.kernels.layout import WeightLayout
from archsim.kernels.matmul import MatMul

WHOLE_DEPTH = 15
"""log2 of a group that is longer than any tile row."""


def emit_steps(asm: Assembly, kernel: MatMul, layout: WeightLayout, stride: int, weights: int, rows: list[str]) -> None:
    """All steps of a chunk: a loop of some of them side by side, then the rest.

    Args:
        stride: bytes from one activation row to the next.
        weights: scratchpad offset of the chunk.
        rows: registers with the address of each accumulator's activations; they go on to the next chunk's.
    """
    # few accumulators: many steps in a round, so that the loop itself costs little
    unroll = min(layout.chunk, 4 if len(rows) == 1 else 2)
    names = "codes scales end row_bytes scale_stride stride step" + (" packed whole" if kernel.unpacks else "")
    with asm.registers(names) as (codes, scales, end, row_bytes, scale_stride, row_stride, step, *formats):
        for register, unpacked in zip(formats, (False, True), strict=False):
            asm.li(register, number_format(layout, unpacked))
        asm.pad(codes, weights)
        asm.add(scales, codes, layout.chunk * layout.step_bytes)
        asm.li(row_bytes, layout.row_bytes)
        asm.li(scale_stride, 2 * layout.scales_per_step)
        asm.li(row_stride, stride)
        asm.li(step, layout.step_bytes)
        emit = _Steps(asm, layout, codes, scales, rows, row_bytes, scale_stride, row_stride, step, tuple(formats))
        if layout.per_channel:
            asm("qt.lds", "sc0", scales, scale_stride)
        loops, rest = divmod(layout.chunk, unroll)
        if loops == 1:
            loops, rest = 0, layout.chunk
        if loops:
            asm.add(end, codes, loops * unroll * layout.step_bytes)
            label = asm.label("steps")
            asm.place(label)
            for index in range(unroll):
                emit.step(index)
            asm.jump_if("blt", codes, end, label)
        for index in range(rest):
            emit.step(index)


def number_format(layout: WeightLayout, unpacked: bool) -> int:
    """What qfmt says of the weights: int8 or int4, and the group that shares a scale.

    Args:
        unpacked: whether int4 weights have become int8.
    """
    glog2 = min(layout.group, layout.step).bit_length() - 1 if layout.group else WHOLE_DEPTH
    return glog2 << 14 | int(layout.bits == 4 and not unpacked)


@dataclass
class _Steps:
    """Emits one step: load its scales and weights, and for each accumulator its activations, and multiply.

    Tile and scale registers alternate, so that the loads of a step run beside the multiplications of the one before.
    """

    asm: Assembly
    layout: WeightLayout
    codes: str
    scales: str
    rows: list[str]
    row_bytes: str
    scale_stride: str
    stride: str
    step_bytes: str
    formats: tuple[str, ...] = ()
    used: int = 0

    def step(self, index: int) -> None:
        """Emit step `index` of the unrolled ones."""
        asm, layout = self.asm, self.layout
        weights, scale = f"t{index % 2}", "sc0" if layout.per_channel else f"sc{index % 4}"
        if not layout.per_channel:
            asm("qt.lds", f"sc{index % 4}", self.scales, self.scale_stride)
            asm.add(self.scales, self.scales, layout.scale_bytes)
        if self.formats:
            # without int4 in the unit weights are int4 as long as they are loaded and unpacked, and then int8
            asm.csr("qfmt", self.formats[0])
            asm("qt.ldw", weights, self.codes, self.row_bytes)
            asm("qt.unpk", f"t{2 + index % 2}", weights)
            asm.csr("qfmt", self.formats[1])
            weights = f"t{2 + index % 2}"
        else:
            asm("qt.ldw", weights, self.codes, self.row_bytes)
        asm("add", self.codes, self.codes, self.step_bytes)
        for accumulator, pointer in enumerate(self.rows):
            tile = f"t{4 + self.used % 4}"
            self.used += 1
            asm("qt.ld", tile, pointer, self.stride)
            asm.add(pointer, pointer, layout.step)
            asm("qt.mma.s", f"ac{accumulator}", tile, weights, scale)
