"""C headers compile with a stock compiler to the words that encode() makes; documentation and schema fit the ISA."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from archsim.common.errors import InputError
from archsim.common.resources import shipped
from archsim.common.yamlfile import load_yaml
from archsim.isa.diagram import bit_diagram
from archsim.isa.encoding import decode, encode, operand_range
from archsim.isa.exports import c_header, json_schema, markdown
from archsim.isa.load import load_isa
from archsim.isa.spec import Instruction, Isa
from tests.isa.gnu import needs_gcc, run

# Encodings of shapes that .insn has no form for: immediates in pieces, registers in part of a field.
ODD = """\
extension: Xodd
long_name: Odd shapes
source: this test
requires: [I]
state:
  m: {kind: register_file, count: 4, type: int32}
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
"""


def call(instruction: Instruction, pick: int, number: int) -> tuple[str, dict[str, int]]:
    """A C function that calls an instruction, and the constants it uses: smallest or largest values."""
    constants = {
        variable.name: operand_range(variable)[pick] for variable in instruction.variables if variable.register != "X"
    }
    order = re.findall(r"[a-z]\w*", instruction.assembly)
    values = [name for name in order if name not in constants]
    target = "xd" in instruction.operation.source and re.search(r"X\[xd\] =", instruction.operation.source)
    reads = [name for name in values if name != "xd" or not target or "= X[xd]" in instruction.operation.source]
    arguments = ", ".join(str(constants[name]) if name in constants else name for name in order
                          if name in constants or name in reads)  # fmt: skip
    inputs = ", ".join(f"unsigned long {name}" for name in reads) or "void"
    function = f"rv_{instruction.name.replace('.', '_')}({arguments})"
    if target:
        return f"unsigned long f{number}({inputs}) {{ return {function}; }}", constants
    return f"void f{number}({inputs}) {{ {function}; }}", constants


def compiled(isa: Isa, extension: str, functions: list[str], folder: Path, *flags: str) -> list[list[int]]:
    """Instruction words of each function f0, f1, ..."""
    (folder / "x.h").write_text(c_header(isa, extension))
    (folder / "x.c").write_text('#include "x.h"\n#include "x.h"\n' + "\n".join(functions))
    run("riscv64-linux-gnu-gcc", "-march=rv64im_zicsr", "-mabi=lp64", "-Wall", "-Wextra", "-Werror", "-c", *flags,
        "-ffunction-sections", "-o", folder / "x.o", folder / "x.c")  # fmt: skip
    with (folder / "x.o").open("rb") as stream:
        elf = ELFFile(stream)
        texts = {section.name: section.data() for section in elf.iter_sections()}
    result = []
    for number in range(len(functions)):
        data = texts[f".text.f{number}"]
        result.append([int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data), 4)])
    return result


def check_header(isa: Isa, extension: str, names: list[str], folder: Path, *flags: str) -> None:
    calls = [(isa.instructions[name], pick) for name in names for pick in (0, 1)]
    sources = [call(instruction, pick, number) for number, (instruction, pick) in enumerate(calls)]
    for (instruction, _), (_, constants), words in zip(
        calls, sources, compiled(isa, extension, [source for source, _ in sources], folder, *flags), strict=True
    ):
        found = [decode(isa, word) for word in words]
        operands = [values for entry in found if entry for values in (entry[1],) if entry[0] is instruction]
        # compilers emit addi and the like themselves
        assert any(constants.items() <= values.items() for values in operands), instruction.name


@needs_gcc
@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_every_instruction_of_xqt_compiles_to_its_word(isa: Isa, tmp_path: Path, level: str) -> None:
    check_header(isa, "Xqt", list(isa.extensions["Xqt"].instructions), tmp_path, level)


@needs_gcc
def test_base_instructions_compile_to_their_words(isa: Isa, tmp_path: Path) -> None:
    jumps = {name for name, found in isa.instructions.items() if found.unit == "branch"} | {"auipc"}
    for extension in ("I", "M", "Zicsr"):
        names = [name for name in isa.extensions[extension].instructions if name not in jumps]
        check_header(isa, extension, names, tmp_path, "-O2")
    assert "/* Not for C: auipc, jal, jalr, beq, bne, blt, bge, bltu, bgeu. */" in c_header(isa, "I")


@needs_gcc
def test_registers_and_constants_arrive_where_they_belong(isa: Isa, tmp_path: Path) -> None:
    functions = [
        "#define TILE 3\nvoid f0(long a, long b) { rv_qt_ld(TILE, a, b); }",
        "long f1(long a, long b) { return rv_qv_setvl(b); }",
        "void f2(long a, long b, long c) { if (a) rv_qt_mma_s(1, 2, 3, 4); else rv_qv_add(c, b, a); }",
        "void f3(long a) { rv_write_qvl(a); rv_qt_sync(); }",
        "long f4(void) { return rv_read_qtm(); }",
    ]
    got = compiled(isa, "Xqt", functions, tmp_path, "-O2", "-Wno-unused-parameter")
    encoded = {
        0: [encode(isa.instructions["qt.ld"], {"td": 3, "xs1": 10, "xs2": 11})],
        1: [encode(isa.instructions["qv.setvl"], {"xd": 10, "xs1": 11})],
        2: [
            encode(isa.instructions["qt.mma.s"], {"ad": 1, "ts1": 2, "ts2": 3, "ss3": 4}),
            encode(isa.instructions["qv.add"], {"xd": 12, "xs1": 11, "xs2": 10}),
        ],
        3: [
            encode(isa.instructions["csrrw"], {"xd": 0, "csr": 0x8C7, "xs1": 10}),
            encode(isa.instructions["qt.sync"], {}),
        ],
        4: [encode(isa.instructions["csrrs"], {"xd": 10, "csr": 0x8C1, "xs1": 0})],
    }
    for number, words in encoded.items():
        assert set(words) <= set(got[number]), number


@needs_gcc
def test_odd_shapes_compile_to_their_words(tmp_path: Path) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(ODD)
    isa = load_isa("rv64im", "zicsr", str(path))
    check_header(isa, "Xodd", ["odd.pieces", "odd.high"], tmp_path, "-O2")


def test_diagrams_show_every_bit() -> None:
    isa = load_isa("rv64im", "zicsr", "zicntr", "xqt")
    assert bit_diagram(isa.instructions["beq"]) == (
        "    31     30       25 24 20 19 15 14 12 11       8     7     6       0\n"
        "+---------+-----------+-----+-----+-----+----------+---------+---------+\n"
        "| imm[12] | imm[10:5] | xs2 | xs1 | 000 | imm[4:1] | imm[11] | 1100011 |\n"
        "+---------+-----------+-----+-----+-----+----------+---------+---------+"
    )
    for instruction in isa.instructions.values():
        numbers, line, cells, _ = bit_diagram(instruction).splitlines()
        assert len(line) == len(cells) >= len(numbers)
        fixed = "".join(cell for cell in re.findall(r"[01]+(?= *\|)", re.sub(r"[a-z]\w*(\[[\d:]*\])?", "", cells)))
        assert fixed == instruction.match.replace("-", "")


def test_markdown_tells_everything(isa: Isa) -> None:
    text = markdown(isa, "Xqt")
    for name, instruction in isa.extensions["Xqt"].instructions.items():
        assert f"\n### {name}\n" in text and instruction.operation.source.rstrip() in text
        assert bit_diagram(instruction) in text
    for name in (*isa.extensions["Xqt"].state, *isa.extensions["Xqt"].parameters):
        assert re.search(rf"\| `?{name}`? \|", text)
    assert "| `qfmt.wfmt` | 3-0 | 0 int8, 1 int4 |" in text


def test_exports_of_an_unknown_extension(isa: Isa) -> None:
    for export in (c_header, markdown):
        with pytest.raises(InputError) as caught:
            export(isa, "xqt")
        assert str(caught.value) == "unknown extension 'xqt'; did you mean 'Xqt'?"


def valid(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    """The part of JSON Schema that ours uses."""
    if "$ref" in schema:
        return valid(value, root["$defs"][schema["$ref"].rsplit("/", 1)[1]], root)
    for word, test in (("oneOf", lambda hits: hits == 1), ("anyOf", lambda hits: hits >= 1)):
        if word in schema and not test(sum(valid(value, option, root) for option in schema[word])):
            return False
    if ("const" in schema and value != schema["const"]) or ("enum" in schema and value not in schema["enum"]):
        return False
    kinds = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict,
             "null": type(None)}  # fmt: skip
    allowed = schema.get("type", list(kinds))
    if not any(isinstance(value, kinds[kind]) for kind in ([allowed] if isinstance(allowed, str) else allowed)):
        return False
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        return False
    if isinstance(value, list):
        return all(valid(item, schema.get("items", {}), root) for item in value)
    if isinstance(value, dict) and schema:
        properties, other = schema.get("properties", {}), schema.get("additionalProperties", {})
        if not set(schema.get("required", ())) <= value.keys() or (other is False and value.keys() - properties.keys()):
            return False
        return all(valid(item, properties.get(key, other), root) for key, item in value.items())
    return True


@pytest.mark.parametrize("name", shipped("isa", ".yaml"))
def test_shipped_files_fit_the_schema(name: str) -> None:
    schema = json.loads(json.dumps(json_schema()))
    tree = json.loads(json.dumps(load_yaml(shipped("isa", ".yaml")[name])))
    assert valid(tree, schema, schema)
    assert not valid({**tree, "sourse": "x"}, schema, schema)
    assert not valid({key: value for key, value in tree.items() if key != "source"}, schema, schema)
    for key in list(tree.get("instructions", {}))[:1]:
        tree["instructions"][key]["unit"] = "alw"
        assert not valid(tree, schema, schema)
