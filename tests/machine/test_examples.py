"""Examples of instructions: those that ship hold, and what is wrong with one is told exactly."""

from __future__ import annotations

import json
import math
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from archsim.common.errors import InputError
from archsim.common.resources import shipped
from archsim.common.yamlfile import parse_yaml
from archsim.isa.element_types import ELEMENT_TYPES
from archsim.isa.load import load_isa
from archsim.machine.element_values import NoValue, decoded, encoded, put, same, unpack
from archsim.machine.examples import Outcome, run_example, run_examples
from archsim.machine.workbench import Workbench
from tests.cli.run_archsim import archsim

XE = """\
extension: Xe
long_name: For examples
source: here
requires: [I, Zicsr]
parameters:
  N: {default: 4, minimum: 2, maximum: 8}
state:
  m: {kind: register_file, count: 4, type: int8, shape: [2, N]}
  m4: {kind: view, of: m, type: int4}
  h: {kind: register_file, count: 2, type: float16, shape: [4]}
  c: {kind: csr, address: 0x800, reset: 3, fields: {low: {location: 1-0, values: [a, b]}, high: {location: 7-4}}}
  d: {kind: csr, address: 0x801, maximum: N}
  e: {kind: csr, address: 0x802, of: d, location: 5-2}
instructions:
  xe.add:
    long_name: Add to all elements, count rows in c, store the last
    encoding:
      match: "0000000----------000000--0001011"
      variables:
        - {name: md, location: 8-7, register: m}
        - {name: xs1, location: 19-15, register: X}
        - {name: xs2, location: 24-20, register: X}
    assembly: md, xs1, (xs2)
    unit: vector
    work: {elements: 2 * N, bits: 8, class: alu}
    memory:
      - {access: write, address: "X[xs2]", rows: 1, row_bytes: 1, stride: 0}
    operation: |
      for i in range(2):
          for k in range(N):
              m[md, i, k] = m[md, i, k] + X[xs1]
      c = c + 16
      store_8(X[xs2], m[md, 1, N - 1])
    examples:
EXAMPLES
  xe.half:
    long_name: Halve, if there is something to halve
    encoding:
      match: "000000100000000000010000-0001011"
      variables: [{name: hd, location: 7-7, register: h}]
    assembly: hd
    unit: vector
    work: {elements: 4, bits: 16, class: alu}
    operation: |
      if h[hd, 0] == f32(0.0):
          illegal()
      else:
          for k in range(4):
              h[hd, k] = h[hd, k] * f32(0.5)
    examples:
      - {name: halves, operands: {hd: h1}, before: {h1: [3, -1, inf]}, after: {h1: [1.5, -0.5, inf]}}
      - {name: nothing there, operands: {hd: h0}, traps: illegal}
"""
GOOD = """\
      - name: counts
        operands: {md: m1, xs1: a1, xs2: a2}
        before: {a1: 5, a2: 0x2000, m1: [[1, 2, 3, 4], [5, 6, 127]], m2: [[9]]}
        after: {m1: [[6, 7, 8, 9], [10, 11, -124, 5]], c: 0x13, memory: {0x2000: [5]}}
"""


def write(folder: Path, examples: str = GOOD) -> str:
    path = folder / "xe.yaml"
    path.write_text(XE.replace("EXAMPLES\n", examples))
    return str(path)


def run(folder: Path, examples: str) -> list[Outcome]:
    return [outcome for outcome in run_examples([write(folder, examples)]) if outcome.instruction == "xe.add"]


@pytest.mark.parametrize("name", shipped("isa", ".yaml"))
def test_shipped_examples_hold(name: str) -> None:
    assert [outcome for outcome in run_examples([name]) if not outcome.passed] == []


def test_a_good_example(tmp_path: Path) -> None:
    outcomes = run_examples([write(tmp_path)])
    assert [(one.instruction, one.name, one.differences) for one in outcomes] == [
        ("xe.add", "counts", ()),
        ("xe.half", "halves", ()),
        ("xe.half", "nothing there", ()),
    ]
    line = (tmp_path / "xe.yaml").read_text().splitlines().index("      - name: counts") + 1
    assert (outcomes[0].file, outcomes[0].line) == (str(tmp_path / "xe.yaml"), line)


OPERANDS = "operands: {md: m0, xs1: a1, xs2: a2}"
REST = "memory: {0x2000: [1]}"


@pytest.mark.parametrize(
    ("text", "differences"),
    [
        ("before: {a1: 1, a2: 0x2000}, after: {m0: [[1, 1, 1, 1], [1, 1, 1, 1]], c: {high: 1}, "
         "memory: {0x2000: 1}}", ()),
        ("before: {a1: 1, a2: scratchpad}, after: {m0: [[1, 1, 1, 1], [1, 1, 1, 1]], c: {high: 1, low: 3}, "
         "memory: {scratchpad: [1]}}", ()),
        ("before: {a1: 0x11, a2: 0x2000}, after: {m0: {type: m4, values: [[1, 1, 1, 1, 1, 1, 1, 1], "
         "[1, 1, 1, 1, 1, 1, 1, 1]]}, c: 19, memory: {0x2000: {type: uint4, values: [1, 1]}}}", ()),
        ("before: {a1: 1, a2: 0x2000, c: {low: b, high: 2}}, after: {m0: [[1, 1, 1, 1], [1, 1, 1, 1]], c: 0x31, "
         "memory: {0x2000: [1]}}", ()),
        ("before: {a1: 1, a2: 0x2000}, after: {m0: [[1, 1, 1, 1], [1, 1, 1, 1]]}, changes_undefined: [c, memory]", ()),
        ("before: {a1: 1, a2: 0x2000}, changes_undefined: [c, m, memory]", ()),
        ("parameters: {N: 2}, before: {a1: 1, a2: 0x2000}, after: {m0: [[1, 1], [1, 1]], c: {high: N // 2}, "
         "memory: {0x2000: [1]}}", ()),
        ("before: {a1: 1, a2: 0x2000}, after: {m0: [[1, 1, 1, 1], [1, 1, 1, 1]], c: 19, pc: 1}", None),
        ("before: {a1: 1, a2: 0x2000}, after: {m0: [[1, 1, 1, 2], [1, 1]], c: 20, memory: {0x2000: [2, 3]}, a1: 4}",
         ("a1: expected 0x4 (4), found 0x1 (1)", "c: expected 0x14 (20), found 0x13 (19)",
          "m0[0][3]: expected 2, found 1 (int8)", "m0[1][2]: expected 0, found 1 (int8)",
          "m0[1][3]: expected 0, found 1 (int8)", "memory 0x2000: expected 0x02, found 0x01",
          "memory 0x2001: expected 0x03, found 0x00")),
        ("before: {a1: 0, a2: 0x2000}", ("c: changed from 3 to 19",)),
        ("before: {a1: 0, a2: 0x2000}, after: {next_pc: 0x1008, c: 19}",
         ("next_pc: expected 0x1008 (4104), found 0x1004 (4100)",)),
        ("before: {a1: 0, a2: 8}, after: {c: 19}, traps: illegal",
         ("expected trap illegal, found store to an address outside memory",)),
        ("before: {a1: 0, a2: 8}, after: {c: 19}, traps: store", ()),
        ("before: {a1: 0, a2: 8}, after: {c: 19}", ("expected no trap, found store to an address outside memory",)),
        ("before: {a1: 0, a2: 0x2000}, after: {c: 19}, traps: load", ("expected trap load, found none",)),
    ],
)  # fmt: skip
def test_what_is_told(tmp_path: Path, text: str, differences: tuple[str, ...] | None) -> None:
    example = f"      - {{{OPERANDS}, {text}}}\n"
    if differences is None:
        with pytest.raises(InputError, match=r"unknown state in an example of xe\.add 'pc'; did you mean"):
            run(tmp_path, example)
    else:
        assert run(tmp_path, example)[0].differences == differences


@pytest.mark.parametrize(
    ("example", "message"),
    [
        (f"{{{OPERANDS}, befor: {{}}}}",
         "unknown key of example of instruction xe.add 'befor'; did you mean 'before'?"),
        ("{operands: {md: m0, xs1: a1}}", "example of instruction xe.add has no operand xs2; give every operand"),
        ("{operands: {md: m0, xs1: a1, xs2: a2, xs3: a0}}",
         "unknown operand in an example of instruction xe.add 'xs3'; did you mean 'xs2'?"),
        ("{operands: {md: t0, xs1: a1, xs2: a2}}", "unknown register of m 't0'; known: m0, m1, m2, m3"),
        ("{operands: {md: 4, xs1: a1, xs2: a2}}", "md of xe.add is 4; use 0 to 3"),
        (f"{{{OPERANDS}, traps: ilegal}}",
         "unknown trap in an example of instruction xe.add 'ilegal'; did you mean 'illegal'?"),
        (f"{{{OPERANDS}, before: {{m0: [[1], [2], [3]]}}}}", "3 rows of 2; give fewer"),
        (f"{{{OPERANDS}, before: {{d: 5}}}}", "CSR d cannot be 5; use what it can hold"),
        (f"{{{OPERANDS}, before: {{d: -1}}}}", "CSR d cannot be -1; use what it can hold"),
        (f"{{{OPERANDS}, before: {{e: 2}}}}", "CSR d cannot be 8; use what it can hold"),
        (f"{{{OPERANDS}, before: {{m0: [[.nan]]}}}}", "an example has nan in int8; give what fits"),
        (f"{{{OPERANDS}, before: {{m0: [[300]]}}}}", "an example has 300 in int8; give what fits"),
        (f"{{{OPERANDS}, before: {{m0: [[1, 2, 3, 4, 5]]}}}}",
         "an example has 5 values of int8 in 4 bytes; give what fits"),
        (f"{{{OPERANDS}, before: {{m0: {{type: int9, values: [[1]]}}}}}}",
         "unknown type of elements 'int9'; did you mean 'int8'?"),
        (f"{{{OPERANDS}, before: {{c: {{mid: 1}}}}}}", "unknown field of c 'mid'; known: high, low"),
        (f"{{{OPERANDS}, before: {{memory: {{0: [1]}}}}}}",
         "1 bytes at 0x0 lie in no memory; use 0x1000 to 0x1000000, or scratchpad + N"),
        (f"{{{OPERANDS}, parameters: {{M: 1}}}}", "unknown parameter of an example 'M'; known: N, XLEN"),
        (f"{{{OPERANDS}, changes_undefined: [q]}}", "unknown state in changes_undefined 'q'"),
    ],
)  # fmt: skip
def test_refusals(tmp_path: Path, example: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        run(tmp_path, f"      - {example}\n")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "differences"),
    [
        ("vadd.vv", """
operands: {vd: v1, vs2: v2, vs1: v3, vm: 1}
before: {vl: 3, vtype: 0xd0, v2: {type: int32, values: [1, 2, -3, 7]}, v3: {type: int32, values: [10, 20, 30, 40]}}
after: {v1: {type: int32, values: [11, 22, 27]}}
""", ()),
        ("vadd.vv", """
operands: {vd: v1, vs2: v2, vs1: v3, vm: v0.t}
before: {vl: 2, vtype: 0xc0, v0: [2], v1: [9, 9], v2: [1, 2], v3: [10, 20]}
after: {v1: [9, 21]}
""", ("v1[1]: expected 21, found 22 (uint8)",)),
        ("vadd.vv", "{operands: {vd: v1, vs2: v2, vs1: v3, vm: 1}, traps: illegal}", ()),
        ("fdiv.s", """
operands: {fd: fa0, fs1: fa1, fs2: fa2, rm: 0}
before: {fa1: {type: uint32, values: [0x3f800000, 0xffffffff]}, fa2: {type: uint32, values: [0x40400000, 0xffffffff]}}
after: {fa0: {type: uint32, values: [0x3eaaaaab, 0xffffffff]}, fflags: 1}
changes_undefined: [mstatus]
""", ()),
        ("beq", "{operands: {xs1: a0, xs2: zero, imm: -16}, after: {next_pc: 0xff0}}", ()),
        ("jal", "{operands: {xd: ra, imm: 64}, after: {next_pc: 0x1040, ra: 0x1004}}", ()),
        ("c.addi", "{operands: {xd: a0, imm: -3}, after: {a0: -3}}", ()),
        ("csrrs",
         "{operands: {xd: a0, csr: 0x340, xs1: a1}, before: {mscratch: 5, a1: 2}, after: {a0: 5, mscratch: 7}}", ()),
    ],
)  # fmt: skip
def test_shipped_instructions(name: str, text: str, differences: tuple[str, ...]) -> None:
    isa = load_isa("rv64gcv", "sm")
    own = {variable.name for variable in isa.instructions[name].variables}
    example = parse_yaml(text, "x.yaml")
    assert set(example["operands"]) == own, own
    outcome = run_example(Workbench(isa), name, 1, example)
    assert outcome.differences == differences


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    good = write(tmp_path)
    done = archsim("isa", "test", good, "zba", capsys=capsys, monkeypatch=monkeypatch)
    assert (done.code, done.out) == (0, "6 passed, 0 failed\n")
    bad = write(tmp_path, GOOD.replace("[5]", "[6]"))
    done = archsim("isa", "test", bad, capsys=capsys, monkeypatch=monkeypatch)
    line = Path(bad).read_text().splitlines().index("      - name: counts") + 1
    assert (done.code, done.out) == (
        1,
        f"{bad}:{line}: xe.add, example counts: failed\n    memory 0x2000: expected 0x06, found 0x05\n"
        "2 passed, 1 failed\n",
    )
    done = archsim("isa", "test", bad, "--json", capsys=capsys, monkeypatch=monkeypatch)
    document = json.loads(done.out)
    assert done.code == 1 and (document["passed"], document["failed"]) == (2, 1)
    assert document["examples"][0]["differences"] == ["memory 0x2000: expected 0x06, found 0x05"]


# -- elements


@pytest.mark.parametrize("kind", [kind for kind, facts in ELEMENT_TYPES.items() if facts.bits <= 16])
def test_every_code_of_a_type_against_ml_dtypes(kind: str) -> None:
    bits = ELEMENT_TYPES[kind].bits
    if kind in ("ternary", "sign", "uint3", "int3", "uint1"):
        assert [decoded(kind, code) for code in range(1 << bits)] == {
            "sign": [-1, 1], "uint1": [0, 1], "uint3": list(range(8)), "int3": [0, 1, 2, 3, -4, -3, -2, -1],
            "ternary": [decoded("ternary", code) for code in range(256)],
        }[kind]  # fmt: skip
        return
    oracle = np.dtype(getattr(ml_dtypes, kind, None) or kind)
    codes = np.arange(1 << bits, dtype=np.uint8 if bits <= 8 else np.uint16)
    with np.errstate(invalid="ignore"):
        values = codes.view(oracle).astype(np.float64)
    for code, value in enumerate(values):
        assert same(kind, decoded(kind, code), float(value) if ELEMENT_TYPES[kind].value != "int" else int(value))
        if not math.isnan(value):
            assert encoded(kind, float(value)) == code


def test_rows() -> None:
    assert unpack("ternary", bytes([0, 242])) == [-1] * 5 + [1] * 5
    assert put("ternary", bytes(1), [1, 0, -1]) == bytes([2 + 3 + 0])
    assert unpack("int3", bytes([0b10_001_111, 0b1_100_000_1, 0]))[:5] == [-1, 1, -2, 0, -4]
    assert put("int4", bytes([0xFF, 0xFF]), [1, -8, 3]) == bytes([0x81, 0xF3])
    assert unpack("sign", b"\x05") == [1, -1, 1, -1, -1, -1, -1, -1]
    for kind, value in [("int8", 300), ("uint4", -1), ("float8_e4m3fn", 0.3), ("bfloat16", 0.1), ("float16", 1e9),
                        ("int8", 1.5)]:  # fmt: skip
        with pytest.raises(NoValue):
            encoded(kind, value)
    assert encoded("int8", 255) == 255 and encoded("float32", 0.1) == 0x3DCCCCCD
