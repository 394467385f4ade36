"""Generated operations: each is a checked operation that lowers to Python source, or an InputError, nothing else."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from archsim.common.errors import InputError
from archsim.isa.functions import FUNCTIONS
from archsim.isa.load import load_isa
from archsim.isa.lower import Lowering
from archsim.isa.operation import check_operation
from archsim.isa.spec import Instruction, Isa, Text
from archsim.machine.workbench import Workbench

COUNT = 100_000 if os.environ.get("ARCHSIM_FUZZ") else 4_000
EXECUTED = 400 if os.environ.get("ARCHSIM_FUZZ") else 40
FILE = """\
extension: Xf
long_name: a file to fuzz with
source: here
requires: [I, Zicsr]
parameters:
  N: {default: 8, minimum: 2, maximum: 64, power_of_two: true}
state:
  guard0: {kind: register_file, count: 2, type: int64, shape: [64]}
  m: {kind: register_file, count: 4, type: int8, shape: [N, 16]}
  m3: {kind: view, of: m, type: int3}
  mt: {kind: view, of: m, type: ternary}
  mh: {kind: view, of: m, type: float16}
  me: {kind: view, of: m, type: float8_e4m3fn}
  md: {kind: view, of: m, type: float64}
  guard1: {kind: register_file, count: 2, type: int64, shape: [64]}
  v: {kind: register_file, count: 4, type: uint8, shape: [32]}
  v32: {kind: view, of: v, type: float32}
  guard2: {kind: register_file, count: 2, type: int64, shape: [64]}
  room: {kind: scratch, type: int32, shape: [4, N]}
  real: {kind: scratch, type: float32, shape: [N]}
  guard3: {kind: register_file, count: 2, type: int64, shape: [64]}
  mode: {kind: csr, address: 0x800, fields: {type: {location: 3-0}, on: {location: "5"}}}
  len: {kind: csr, address: 0x801, maximum: N}
  free: {kind: csr, address: 0x802}
  seen: {kind: csr, address: 0xCC0, writable: false}
  any: {kind: view, of: m, select: mode.type, types: [int8, int3, null, ternary], as: int}
  anyf: {kind: view, of: m, select: mode.type, types: [int8, float16, bfloat16, float6_e3m2fn], as: f32}
instructions:
  f.one:
    long_name: one
    encoding:
      match: "0----------------000-----0001011"
      variables:
        - {name: xd, location: 11-7, register: X}
        - {name: xs1, location: 19-15, register: X}
        - {name: ms2, location: 21-20, register: m}
        - {name: vg, location: 23-22, register: v, group: 2}
        - {name: mg, location: 25-24, register: m, group: 3}
        - {name: imm, location: 30-26, signed: true}
    assembly: "xd, xs1, ms2, vg, mg, imm"
    unit: vector
    operation: pass
"""
GOOD_NAMES = ["imm", "N", "len", "free", "seen", "mode", "mode_type", "mode_on", "pc", "a", "i"]
NAMES = [*GOOD_NAMES * 3, *["xd", "xs1", "ms2", "vg", "mg", "b", "j", "k", "zzz", "X", "m", "room"]]
STATE = [
    *["X[xs1]", "X[xd]", "m[ms2, {}, {}]", "m3[ms2, {}, {}]", "mt[ms2, {}, {}]", "any[ms2, {}, {}]"] * 2,
    *["v[vg, {}]", "m[mg + {}, {}, {}]", "room[{}, {}]"] * 2,
    *["mh[ms2, {}, {}]", "me[ms2, {}, {}]", "md[ms2, {}, {}]", "anyf[ms2, {}, {}]", "v32[vg, {}]", "real[{}]"],
    *["m[xs1, {}]", "q[{}]", "m[{}]"],
]
BINARY = [*["+", "-", "*", "&", "|", "^", "<<", ">>"] * 4, "/", "//", "%", "**", "@"]
CALLS = sorted(FUNCTIONS)
PLAIN_CALLS = [name for name, (wanted, result) in FUNCTIONS.items() if {*wanted, result} <= {"int", "num"}]
TOKENS = [
    *["for", "in", "range", "if", "else", ":", "\n", "    ", "(", ")", "[", "]", ",", "=", "+=", "==", "<", "lambda"],
    *[".", "'x'", "1", "0x7F", "2.5", "not", "and", "or", "~", "-", "import", "def", "class", "with", "await", ":="],
    *["*", "\\", "#", "\t", "{", "}", "é", "\0", "0b1", "1e999", "True", "None", "..."],
]


class Generator:
    """Statements that are mostly well-formed and now and then well-typed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def index(self) -> str:
        kind = self.rng.random()
        if kind < 0.4:
            return str(self.rng.randrange(9 if kind < 0.1 else 4))
        if kind < 0.6:
            return f"{self.rng.choice(GOOD_NAMES)} & 3"
        if kind < 0.8:
            return f"clip({self.rng.choice(NAMES)}, 0, {self.rng.randrange(12)})"
        return f"min({self.expression(2)}, {self.rng.randrange(8)})" if kind < 0.9 else self.rng.choice(NAMES)

    def state(self) -> str:
        text = self.rng.choice(STATE)
        while "{}" in text:
            text = text.replace("{}", self.index(), 1)
        return text

    def expression(self, depth: int = 0) -> str:
        kind = self.rng.random() + depth * 0.12
        if kind > 0.8:
            return self.rng.choice([str(self.rng.randrange(-5, 70)), "0x8000000000000000", *NAMES, "f32(imm)"])
        if kind > 0.55:
            return self.state()
        if kind > 0.35:
            return f"({self.expression(depth + 1)} {self.rng.choice(BINARY)} {self.expression(depth + 1)})"
        if kind > 0.15:
            name = self.rng.choice(PLAIN_CALLS if self.rng.random() < 0.8 else CALLS)
            wanted = len(FUNCTIONS[name][0]) + (self.rng.random() < 0.03)
            return f"{name}({', '.join(self.expression(depth + 1) for _ in range(wanted))})"
        if kind > 0.08:
            return f"({self.expression(depth + 1)} if {self.condition(depth)} else {self.expression(depth + 1)})"
        return f"{self.rng.choice(['-', '~', 'not '])}{self.expression(depth + 1)}"

    def condition(self, depth: int = 0) -> str:
        sign = self.rng.choice(["==", "!=", "<", "<=", ">", ">=", "<", "==", "in"])
        return f"{self.expression(depth + 1)} {sign} {self.expression(depth + 1)}"

    def block(self, depth: int) -> list[str]:
        lines = []
        for _ in range(self.rng.randint(1, 3)):
            kind = self.rng.random()
            inner = ["    " + line for line in self.block(depth + 1)] if kind < 0.4 and depth < 3 else ["    pass"]
            if kind < 0.2:
                bound = self.rng.choice(["N", "len", "4", "min(xs1, 8)", "clip(X[xs1], 0, N)", self.expression(2)])
                lines += [f"for {self.rng.choice('ijk')} in range({bound}):", *inner]
            elif kind < 0.35:
                lines += [f"if {self.condition()}:", *inner]
            elif kind < 0.4:
                lines.append(self.expression())
            else:
                target = self.rng.choice(
                    ["a", "b", "free", "X[xd]", self.state(), self.state(), self.rng.choice(NAMES)]
                )
                lines.append(f"{target} {self.rng.choice(['=', '=', '=', '+=', '*='])} {self.expression()}")
        return lines

    def snippet(self) -> str:
        kind = self.rng.random()
        if kind < 0.1:
            return " ".join(self.rng.choice([*TOKENS, *NAMES, *CALLS]) for _ in range(self.rng.randint(1, 30)))
        text = "\n".join(self.block(0))
        if kind < 0.3:
            # one thing put in, taken out, or doubled
            place = self.rng.randrange(len(text) + 1)
            return text[:place] + self.rng.choice(TOKENS) + text[place + self.rng.randrange(4) :]
        return text


@pytest.fixture(scope="module")
def isa(tmp_path_factory: pytest.TempPathFactory) -> Isa:
    path = tmp_path_factory.mktemp("isa") / "xf.yaml"
    path.write_text(FILE)
    return load_isa("rv64im", "zicsr", str(path))


def with_operation(isa: Isa, text: str) -> Instruction:
    return replace(isa.instructions["f.one"], operation=Text(text, Path("xf.yaml"), 1))


def lowered(isa: Isa, instruction: Instruction) -> str | None:
    """Source of an operation's statements, or None where it is refused."""
    try:
        operation = check_operation(instruction, isa.state, isa.parameters)
    except InputError as error:
        assert "\n" not in str(error)
        return None
    lowering = Lowering(instruction, operation, isa.state, isa.parameters)
    return "\n".join(["def operation(ctx, w, imm):", *("    " + line for line in lowering.statements())])


def test_snippets(isa: Isa) -> None:
    accepted = 0
    for seed in range(COUNT):
        source = lowered(isa, with_operation(isa, Generator(seed).snippet()))
        if source is not None:
            accepted += 1
            compile(source, "generated", "exec")
    # a generator that makes nothing of sense would prove little
    assert accepted > COUNT // 50


def test_accepted_snippets_stay_inside_their_state(tmp_path: Path) -> None:
    """Executed on random state: they end, and the registers between those that they may name stay as they are."""
    isa_file = tmp_path / "xf.yaml"
    isa_file.write_text(FILE)
    base = load_isa("rv64im", "zicsr", str(isa_file))
    texts: list[str] = []
    seed = 10**6
    while len(texts) < EXECUTED:
        text = Generator(seed).snippet()
        seed += 1
        if "[" in text and lowered(base, with_operation(base, text)) is not None:
            texts.append(text)
    head = FILE[: FILE.index("  f.one:")]
    entry = FILE[FILE.index("  f.one:") :].replace("    operation: pass\n", "")
    for number, text in enumerate(texts):
        block = "".join(f"      {line}\n" for line in text.split("\n"))
        one = entry.replace("f.one", f"f.n{number}").replace('"0---', '"0---')
        isa_file.write_text(head + one + "    operation: |\n" + block)
        isa = load_isa("rv64im", "zicsr", str(isa_file))
        bench = Workbench(isa)
        rng = np.random.default_rng(number)
        guards = [bench.registers(f"guard{place}") for place in range(4)]
        for guard in guards:
            guard[:] = rng.integers(-(2**62), 2**62, guard.shape)
        before = [guard.copy() for guard in guards]
        for turn in range(8):
            bench.registers("m")[:] = rng.integers(-128, 128, bench.registers("m").shape)
            bench.registers("v")[:] = rng.integers(0, 256, bench.registers("v").shape)
            bench.x[1:] = rng.choice(np.array([0, 1, -1, 7, 0x2000, 2**62, -(2**63)]), 31)
            bench.set_csr("len", int(rng.integers(0, 9)))
            bench.set_csr("mode", int(rng.integers(0, 64)))
            registers = [f"x{int(n)}" for n in rng.integers(0, 32, 2)]
            bench.execute(f"f.n{number} {', '.join(registers)}, m{turn % 4}, v{turn % 3}, m{turn % 2}, {turn - 4}")
            assert all(np.array_equal(one, two) for one, two in zip(guards, before, strict=True)), text
