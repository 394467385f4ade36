"""Programs for tests of time: random ones whose values do not depend on it, and designs of few lines."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from typing import Any

import archsim
from archsim.isa.program import SCRATCHPAD_BASE

EXIT = "li a0, 0\nli a7, 93\necall\n"
BUFFER = 0x40000
CORES = {
    "plain": "",
    "dual": """
    width: 2
    front_end: {stages: 3, taken_bubble: 1 cycles, queue: 6}
    predictor: {kind: bimodal, entries: 64, btb: 16, return_stack: 4}
    store_buffer: 4
  l1i: {size: 1 KiB, line: 64 B, ways: 2}
  l2: {size: 16 KiB, line: 64 B, ways: 4, latency: 12 cycles}""",
    "three": """
    width: 3
    ports: {alu: 2, integer: 3, load: 1, store: 1, memory: 2}
    front_end: {stages: 4, width: 4, queue: 16}
    predictor: {kind: gshare, entries: 256, history: 6, btb: 32, return_stack: 8}
  l1i: {size: 4 KiB, line: 32 B, ways: 2}""",
    "window": """
    kind: out_of_order
    width: 3
    ports: {alu: 2, integer: 3, load: 1, store: 1, memory: 2}
    branch_penalty: 8 cycles
    front_end: {stages: 5, width: 8, queue: 24}
    predictor: {kind: gshare, entries: 1024, history: 8, btb: 128, return_stack: 8}
    out_of_order: {rob: 48, issue_queue: 16, load_queue: 12, store_queue: 8}
  l1i: {size: 8 KiB, line: 64 B, ways: 2}
  l2: {size: 64 KiB, line: 64 B, ways: 8, latency: 16 cycles}""",
}
"""Harts of four kinds, as the lines of their design behind `hart:`."""


def design_text(core: str, name: str = "mine", base: str = "edge-npu") -> str:
    """A design file that differs from another in its hart."""
    return f"design: {name}\nbase: {base}\ncore:\n  hart:{core or ' {}'}\n"


def design_of(folder: Path, core: str, overrides: dict[str, Any] | None = None, base: str = "edge-npu") -> Any:
    """A design whose hart is described by `core`."""
    path = folder / "mine.yaml"
    path.write_text(design_text(core, base=base), encoding="utf-8")
    return archsim.load_design(path, overrides)


@cache
def _isa(names: tuple[str, ...], parameters: tuple[tuple[str, int], ...]) -> Any:
    return archsim.load_isa(*names, parameters=dict(parameters))


def timed(source: str, design: Any, **options: Any) -> archsim.RunResult:
    """Run assembly on a design."""
    isa = _isa(design.isa, tuple(sorted(design.parameters.items())))
    return archsim.run(isa.assemble(source), design, **options)


def random_program(seed: int, *, rounds: int = 40, length: int = 24, units: bool = False) -> str:
    """Loops of random integer code: arithmetic, loads and stores, branches on data, calls of leaf functions.

    Args:
        rounds: of the loop.
        length: instructions of its body.
        units: also tile instructions, row operations, transfers and barriers of xqt.
    """
    rng = random.Random(seed)
    registers = ["a0", "a1", "a2", "a3", "a4", "a5", "t1", "t2", "t3", "t4"]

    def register() -> str:
        return rng.choice(registers)

    def simple() -> str:
        kind = rng.random()
        if kind < 0.45:
            name = rng.choice(["add", "sub", "xor", "and", "or", "sll", "srl"])
            return f"{name} {register()}, {register()}, {register()}"
        if kind < 0.6:
            return f"addi {register()}, {register()}, {rng.randrange(-2048, 2048)}"
        if kind < 0.7:
            return f"mul {register()}, {register()}, {register()}"
        if kind < 0.72:
            return f"div {register()}, {register()}, {register()}"
        if kind < 0.88:
            return f"ld {register()}, {8 * rng.randrange(256)}(s1)"
        return f"sd {register()}, {8 * rng.randrange(256)}(s1)"

    def body(count: int) -> list[str]:
        lines: list[str] = []
        for index in range(count):
            kind = rng.random()
            if kind < 0.1:
                skipped = [simple() for _ in range(rng.randrange(1, 4))]
                label = f"skip_{seed}_{len(lines)}_{index}"
                lines += [f"{rng.choice(['blt', 'bge', 'beq', 'bne'])} {register()}, {register()}, {label}", *skipped]
                lines.append(f"{label}:")
            elif kind < 0.14:
                lines.append(f"jal ra, leaf{rng.randrange(3)}")
            elif kind < 0.18:
                # addresses that depend on data, over 64 KiB
                lines += [
                    f"andi t5, {register()}, 0x7f8",
                    "slli t5, t5, 5",
                    "add t5, t5, s1",
                    f"ld {register()}, 0(t5)",
                ]
            elif kind < 0.3 and units:
                lines += rng.choice(UNIT_CODE)
            else:
                lines.append(simple())
        return lines

    start = [f"li s0, {rounds}", f"li s1, {BUFFER}", f"li s2, {SCRATCHPAD_BASE}", "li s3, 128", "li s4, 0x80000"]
    start += [f"li {name}, {rng.randrange(1 << 30)}" for name in registers]
    if units:
        start += ["li t0, 8", "csrw qtm, t0", "csrw qtn, t0", "li t0, 64", "csrw qtk, t0"]
        start += ["csrwi qdrows, 4", "li t0, 128", "csrw qdrowb, t0", "csrw qdsst, t0", "csrw qddst, t0"]
    end = ["qt.bar.wait b0", "qt.bar.wait b1"] if units else []
    leaves = [line for leaf in range(3) for line in (f"leaf{leaf}:", *(simple() for _ in range(3 + leaf)), "ret")]
    lines = [*start, "1:", *body(length), "addi s0, s0, -1", "bnez s0, 1b", *end]
    return "\n".join(lines) + "\n" + EXIT + "\n".join(leaves) + "\n"


UNIT_CODE = (
    ["qt.ld t0, s2, s3"],
    ["qt.ldw t1, s2, s3"],
    ["qt.mma ac0, t0, t1"],
    ["qt.mma ac1, t0, t1"],
    ["qt.sta ac0, s2, s3"],
    ["qt.bar.wait b0", "qt.dma.ld b0, s4, s2", "qt.bar.wait b0"],
    ["li t6, 65536", "add t6, t6, s2", "qt.bar.wait b1", "qt.dma.ld b1, s4, t6"],
)
"""Pieces that leave no transfer on what others touch."""
