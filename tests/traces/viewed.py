"""Programs that touch every unit, run with views on harts of every kind."""

from __future__ import annotations

from typing import Any

import archsim
from archsim.isa.program import SCRATCHPAD_BASE
from archsim.machine.predecode import text_of
from archsim.traces.listing import Listing
from tests.report.programs import assemble

WIDE = {"core.hart.width": "2", "core.hart.front_end.stages": "4"}
OUT_OF_ORDER = {
    "core.hart.kind": "out_of_order",
    "core.hart.width": "2",
    "core.hart.out_of_order": "{rob: 16, issue_queue: 8, load_queue: 4, store_queue: 4}",
    "core.hart.predictor.kind": "gshare",
}
KINDS = [("edge-npu", {}), ("edge-npu", WIDE), ("edge-npu", OUT_OF_ORDER), ("server-npu", {"cores": "3"})]

MIXED = f"""
    li t0, 8
    csrw qtm, t0
    li t0, 16
    csrw qtn, t0
    li t0, 128
    csrw qtk, t0
    csrwi qdrows, 2
    li t0, 1024
    csrw qdrowb, t0
    csrw qddst, t0
    csrw qdsst, t0
    li a0, 0x100000
    li s1, {SCRATCHPAD_BASE}
    li s2, 128
    li s8, 8192
    add s8, s8, s1
    li s0, 6
    csrr s3, mhartid
    addi s3, s3, 2
work:
    qt.dma.ld b0, a0, s1
    qt.bar.wait b0
    qt.zeroa ac0
    qt.ld t0, s1, s2
    qt.ldw t1, s1, s2
    qt.mma ac0, t0, t1
    qt.mma ac0, t0, t1
    qt.unpk t2, t1
    qt.mma ac1, t0, t2
    add s4, s0, s0
    mul s5, s4, s4
    mul s5, s5, s5
    ld s6, 0(a0)
    add s6, s6, s5
    sd s6, 64(a0)
    div s7, s6, s4
1:  addi s3, s3, -1
    bnez s3, 1b
    addi s3, s0, 1
    addi a0, a0, 512
    qt.dma.st b1, a0, s8
    addi s0, s0, -1
    bnez s0, work
    qt.bar.wait b1
    qt.sync
    li a0, 0
    li a7, 93
    ecall
"""


def view(source: str, name: str, overrides: dict[str, str], *make: Any, **options: Any) -> tuple[Any, Any, list[Any]]:
    """Run a program with views.

    Args:
        make: functions of (listing, design) that make views.

    Returns:
        The result, the listing, and the views.
    """
    design = archsim.load_design(name, overrides)
    program, isa = assemble(source, design)
    listing = Listing(program, isa, text_of(program))
    views = [one(listing, design) for one in make]
    return archsim.run(program, design, isa=isa, views=views, **options), listing, views
