"""C headers compile with stock gcc and clang, and every function makes the word that archsim's assembler makes."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from archsim.common.resources import shipped
from archsim.common.yamlfile import load_yaml
from archsim.isa.encoding import encode
from archsim.isa.exports import c_header
from archsim.isa.load import load_isa
from archsim.isa.spec import Isa
from tests.debian import needs
from tests.isa.gnu import needs_gcc, run
from tests.isa.operand_texts import random_values

WARNINGS = ("-Wall", "-Wextra", "-Werror", "-ffunction-sections", "-ffreestanding", "-c")
GCC = ("riscv64-linux-gnu-gcc", "-march=rv64im_zicsr", "-mabi=lp64", *WARNINGS)
CLANG = ("clang-16", "--target=riscv64-linux-gnu", "-march=rv64im", "-mabi=lp64", *WARNINGS)
COMPILERS = [
    pytest.param(GCC, marks=needs_gcc, id="gcc"),
    pytest.param(CLANG, marks=needs("clang-16", "clang-16"), id="clang"),
]
FUNCTION = re.compile(
    r"/\* (?P<mnemonic>[\w.]+)[^\n]*\*/\n"
    r"(?:ARCHSIM_INLINE (?P<result>unsigned long|void) (?P<inline>rv_\w+)\((?P<typed>[^)]*)\)"
    r"|#define (?P<macro>rv_\w+)\((?P<names>[^)]*)\) (?P<body>.))"
)

# Encodings of shapes that .insn has no form for: immediates in pieces, registers in part of a field.
ODD = """\
extension: Xodd
long_name: Odd shapes
source: this test
requires: [I]
state:
  m: {kind: register_file, count: 4, type: int32}
  g: {kind: register_file, count: 32, type: int32, shape: [4]}
instructions:
  odd.pieces:
    long_name: "An immediate in pieces */ #error"
    encoding:
      match: "-------------------------1111011"
      variables:
        - {name: xs1, location: 19-15, register: X}
        - {name: imm, location: 11-7|31-20|14-12, signed: true, left_shift: 1}
    assembly: imm(xs1)
    unit: store
    operation: store_8(X[xs1] + imm, 1)
  odd.high:
    long_name: A register in the upper part of a field, and one that is read and written
    encoding:
      match: "0000000-----00-11011-----0101011"
      variables:
        - {name: xd, location: 11-7, register: X}
        - {name: xs2, location: 24-20, register: X}
        - {name: mm, location: 17, register: m}
    assembly: xd, xs2, mm
    unit: alu
    operation: X[xd] = X[xd] + X[xs2] + m[mm]
  odd.group:
    long_name: Groups of two, one by its upper bits and one by the numbers it may have, and words
    encoding:
      match: "0001-------------011----00101011"
      variables:
        - {name: gd, location: 11-8, register: g, group: 2, left_shift: 1}
        - name: gs2
          location: 24-20
          register: g
          group: 2
          not: [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31]
        - {name: xs1, location: 19-15, register: X}
        - {name: order, location: 27-26, values: ["", .near, .far], suffix: true}
        - {name: mode, location: 25, values: [up, down], default: 1}
    assembly: gd, gs2, xs1, mode
    unit: alu
    operation: g[gd, 0] = g[gs2, 1] + X[xs1] + mode + order
"""


@dataclass(frozen=True)
class Call:
    """A C function around one of the header: what its word must be, or which operands are certain."""

    source: str
    mnemonic: str
    operands: dict[str, int]


def calls(isa: Isa, header: str) -> list[Call]:
    """A call of every function of a header, with random constants; values come in the registers of arguments."""
    rng = random.Random(7)
    result = []
    for found in FUNCTION.finditer(header):
        mnemonic = found["mnemonic"]
        if mnemonic not in isa.mnemonics:
            continue
        instruction, given = isa.mnemonics[mnemonic]
        names = re.findall(r"\w+", found["names"] or found["typed"].replace("unsigned long", "").replace("void", ""))
        values = [name for name in names if instruction.variable(name).register == "X"]
        operands, arguments = dict(given), []
        for name in names:
            if name in values:
                arguments.append(name)
                operands[name] = 10 + values.index(name)
            else:
                operands[name] = random_values(rng, isa, instruction.variable(name))
                arguments.append(str(operands[name]))
        called = f"{found['inline'] or found['macro']}({', '.join(arguments)})"
        gives = found["result"] == "unsigned long" or found["body"] == "("
        kind, body = ("unsigned long", f"return {called};") if gives else ("void", f"{called};")
        written = ", ".join(f"unsigned long {name}" for name in values) or "void"
        missing = {variable.name for variable in instruction.variables} - operands.keys()
        # the target: the register of the result; one that is read, too, is where the compiler likes
        operands |= dict.fromkeys(missing, 10)
        if gives and not missing:
            target = next(v.name for v in instruction.variables if v.register == "X" and v.bits[-1] == 7)
            operands[target] = -1
        result.append(Call(f"{kind} f{len(result)}({written}) {{ {body} }}", mnemonic, operands))
    return result


def compiled(header: str, functions: list[str], folder: Path, command: tuple[str, ...]) -> list[list[int]]:
    """Instruction words of each function f0, f1, ..."""
    (folder / "x.h").write_text(header)
    (folder / "x.c").write_text('#include "x.h"\n#include "x.h"\n' + "\n".join(functions))
    run(*command, "-Wno-missing-prototypes", "-o", str(folder / "x.o"), str(folder / "x.c"))
    with (folder / "x.o").open("rb") as stream:
        texts = {section.name: section.data() for section in ELFFile(stream).iter_sections()}
    return [
        [int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data), 4)]
        for data in (texts[f".text.f{number}"] for number in range(len(functions)))
    ]


def check(isa: Isa, extension: str, folder: Path, command: tuple[str, ...]) -> int:
    header = c_header(isa, extension)
    made = calls(isa, header)
    for call, words in zip(made, compiled(header, [call.source for call in made], folder, command), strict=True):
        instruction, _ = isa.mnemonics[call.mnemonic]
        free = [name for name, value in call.operands.items() if value < 0 and instruction.variable(name).register]
        fits = {
            encode(instruction, call.operands | dict.fromkeys(free, number)) for number in (range(32) if free else [0])
        }
        assert fits & set(words), (call, [f"{word:08x}" for word in words])
    return len(made)


def beyond_the_compilers() -> list[str]:
    return [name for name, path in shipped("isa", ".yaml").items() if "instructions" in load_yaml(path)]


@pytest.mark.parametrize("command", COMPILERS)
@pytest.mark.parametrize("name", beyond_the_compilers())
def test_every_function_of_every_extension_makes_its_word(command: tuple[str, ...], name: str, tmp_path: Path) -> None:
    extension = str(load_yaml(shipped("isa", ".yaml")[name])["extension"])
    isa = load_isa("rv64im", "zicsr", name)
    whole = [one for one in isa.extensions[extension].instructions.values() if one.width == 32]
    count = check(isa, extension, tmp_path, (*command, "-O2"))
    if extension.startswith("X"):
        assert count >= len(whole), "one of them is not callable from C"


@pytest.mark.parametrize("command", COMPILERS)
def test_odd_shapes(command: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "odd.yaml").write_text(ODD)
    isa = load_isa("rv64im", "zicsr", str(tmp_path / "odd.yaml"))
    assert check(isa, "Xodd", tmp_path, (*command, "-O2")) == 5


@needs_gcc
def test_jumps_are_not_for_c() -> None:
    left = "/* Not for C: auipc, jal, jalr, beq, bne, blt, bge, bltu, bgeu. */"
    assert left in c_header(load_isa("rv64im", "zicsr"), "I")


@pytest.mark.parametrize("command", COMPILERS)
@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_registers_and_constants_arrive_where_they_belong(command: tuple[str, ...], level: str, tmp_path: Path) -> None:
    (tmp_path / "odd.yaml").write_text(ODD.replace("  m: {kind", "  level: {kind: csr, address: 0x8C7}\n  m: {kind", 1))
    isa = load_isa("rv64im", "zicsr", str(tmp_path / "odd.yaml"))
    functions = [
        "#define REGISTER 4\nvoid f0(unsigned long a) { rv_odd_group_near(REGISTER, REGISTER + 2, a, 0); }",
        "void f1(unsigned long a) { rv_write_level(a); }",
        "unsigned long f2(void) { return rv_read_level(); }",
        "unsigned long f3(unsigned long a) { return rv_odd_high(a, 7, 1); }",
    ]
    got = compiled(c_header(isa, "Xodd"), functions, tmp_path, (*command, level))
    csrrw, csrrs = isa.instructions["csrrw"], isa.instructions["csrrs"]
    anything = range(32)
    group = isa.instructions["odd.group"]
    fits = {
        0: {encode(group, {"gd": 4, "gs2": 6, "xs1": x, "order": 1, "mode": 0}) for x in anything},
        1: {encode(csrrw, {"xd": 0, "csr": 0x8C7, "xs1": x}) for x in anything},
        2: {encode(csrrs, {"xd": x, "csr": 0x8C7, "xs1": 0}) for x in anything},
        3: {encode(isa.instructions["odd.high"], {"xd": x, "xs2": y, "mm": 1}) for x in anything for y in anything},
    }
    for number, words in fits.items():
        assert words & set(got[number]), number
