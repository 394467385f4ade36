"""The inner loop of a matmul: the steps of a chunk of weights, for all accumulators."""

from __future__ import annotations

from dataclasses import dataclass

from archsim.kernels.assembly import SCRATCH, Assembly
from archsim.kernels.layout import WeightLayout
from archsim.kernels.matmul import MatMul
from archsim.kernels.weight_code import SUPER_BLOCK

WHOLE_DEPTH = 15
"""log2 of a group that is longer than any tile row."""
_SCALES_PER_HEADER = 8
"""Numbers of 16 bits that the header of a super block fills."""
_EXPONENT_OF_64 = 127 + 6
"""E8M0: int8 activations of qt.mma.mx count 1/64 each, which this takes back."""
_MX_SCALES = ("sc1", "sc3", "sc5", "sc7")


def emit_constants(asm: Assembly, layout: WeightLayout) -> None:
    """Load what the multiplications of a pass share: levels, or the scale of activations."""
    code = layout.code
    if code.levels:
        with asm.registers("levels") as (levels,):
            asm.pad(levels, asm.table(code.levels))
            asm("qt.ldcb", "cb0", levels)
    if code.multiply == "qt.mma.mx":
        with asm.registers("powers") as (powers,):
            asm.pad(powers, asm.bytes_table(bytes([_EXPONENT_OF_64]) * (layout.step // code.group)))
            for register in _MX_SCALES:
                asm("qt.ldx", register, powers, "zero")


def emit_steps(
    asm: Assembly,
    kernel: MatMul,
    layout: WeightLayout,
    stride: int,
    weights: int,
    rows: list[str],
    first: int,
    parity: int,
) -> None:
    """All steps of a chunk: a loop of some of them side by side, then the rest.

    Args:
        stride: bytes from one activation row to the next.
        weights: scratchpad offset of the chunk.
        rows: registers with the address of each accumulator's activations; they go on to the next chunk's.
        first: number of the first of these accumulators.
        parity: 0 or 1, of chunks in turn: scales of the next one are loaded while those of this one are in use.
    """
    # few accumulators: many steps in a round, so that the loop itself costs little
    unroll = min(layout.chunk, max(layout.scale_steps, 4 if len(rows) == 1 else 2))
    names = "codes scales end row_bytes scale_stride stride step" + (" packed whole" if kernel.unpacks else "")
    with asm.registers(names) as (codes, scales, end, row_bytes, scale_stride, row_stride, step, *formats):
        for register, unpacked in zip(formats, (False, True), strict=False):
            asm.li(register, number_format(layout, unpacked))
        asm.pad(codes, weights)
        asm.add(scales, codes, layout.chunk * layout.step_bytes)
        asm.li(row_bytes, layout.row_bytes)
        asm.li(scale_stride, layout.scale_row_bytes)
        asm.li(row_stride, stride)
        asm.li(step, layout.step_bytes)
        emit = _Steps(
            asm,
            layout,
            codes,
            scales,
            rows,
            row_bytes,
            scale_stride,
            row_stride,
            step,
            tuple(formats),
            first=first,
            begin=parity * layout.chunk,
        )
        if layout.per_channel:
            emit.load_scales(parity)
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
    """What qfmt says of the weights: their code, and the group that shares a scale.

    Args:
        unpacked: whether integers have become int8.
    """
    group = layout.code.group
    if layout.code.multiply == "qt.mma.k4":
        group = layout.step // _SCALES_PER_HEADER
    glog2 = min(group, layout.step).bit_length() - 1 if group else WHOLE_DEPTH
    return glog2 << 14 | (0 if unpacked else layout.code.number)


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
    first: int = 0
    begin: int = 0
    scale: str = ""
    used: int = 0

    def load_scales(self, load: int) -> None:
        """Emit load number `load` of the unrolled ones.

        Zero points lie in the register behind, as the activations' scales of MX blocks do.
        """
        asm, code = self.asm, self.layout.code
        pairs = code.multiply in ("qt.mma.sz", "qt.mma.mx")
        number = 2 * (load % 4) if pairs else load % 4
        asm("qt.ldx" if code.multiply == "qt.mma.mx" else "qt.lds", f"sc{number}", self.scales, self.scale_stride)
        if code.scale_parts == 2:
            asm.add(SCRATCH, self.scales, self.layout.scale_bytes // 2)
            asm("qt.lds", f"sc{number + 1}", SCRATCH, self.scale_stride)
        self.scale = f"sc{number}"

    def step(self, index: int) -> None:
        """Emit step `index` of the unrolled ones."""
        asm, layout = self.asm, self.layout
        place = (self.begin + index) % 2
        weights = f"t{place}"
        if not layout.per_channel and index % layout.scale_steps == 0:
            self.load_scales(index // layout.scale_steps)
            asm.add(self.scales, self.scales, layout.scale_bytes)
        if self.formats:
            # codes that the unit does not multiply have their own format while they are loaded and unpacked, then int8
            asm.csr("qfmt", self.formats[0])
            asm("qt.ldw", weights, self.codes, self.row_bytes)
            asm("qt.unpk", f"t{2 + place}", weights)
            asm.csr("qfmt", self.formats[1])
            weights = f"t{2 + place}"
        else:
            asm("qt.ldw", weights, self.codes, self.row_bytes)
        asm("add", self.codes, self.codes, self.step_bytes)
        for accumulator, pointer in enumerate(self.rows):
            tile = f"t{4 + (2 * self.begin + self.used) % 4}"
            self.used += 1
            asm("qt.ld", tile, pointer, self.stride)
            asm.add(pointer, pointer, layout.step)
            asm(layout.code.multiply, f"ac{self.first + accumulator}", tile, weights, self.scale, *self._rest(index))

    def _rest(self, index: int) -> tuple[str | int, ...]:
        """Operands behind the scales: a codebook, or which quarter of a super block."""
        code, step = self.layout.code, self.layout.step
        if code.levels:
            return ("cb0",)
        if code.multiply == "qt.mma.k4":
            return (index % self.layout.scale_steps * step * 4 // SUPER_BLOCK,)
        return ()
