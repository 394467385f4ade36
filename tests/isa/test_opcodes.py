"""Lines of riscv-opcodes: our extensions round-trip through them, and real ones give the words that GNU as gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from archsim.common.errors import InputError
from archsim.common.resources import shipped
from archsim.common.yamlfile import load_yaml
from archsim.isa.exports import opcodes, udb, udb_files
from archsim.isa.extension_text import extension_text
from archsim.isa.import_opcodes import import_opcodes
from archsim.isa.import_udb import import_udb
from archsim.isa.load import load_isa
from archsim.isa.opcode_lines import parse_line
from archsim.isa.spec import Extension, Isa
from tests.isa.gnu import needs_binutils, run

EXTENSIONS = [name for name, path in shipped("isa", ".yaml").items() if "instructions" in load_yaml(path)]

# As in riscv-opcodes: rv_i, rv_m, rv_zba, rv_v, rv_f, rv_a.
REAL = """\
$import rv_other::sh1add
# a comment
beq     bimm12hi rs1 rs2 bimm12lo 14..12=0 6..2=0x18 1..0=3
jal     rd jimm20                          6..2=0x1b 1..0=3
lui     rd imm20 6..2=0x0D 1..0=3
addi    rd rs1 imm12           14..12=0 6..2=0x04 1..0=3
sw      imm12hi rs1 rs2 imm12lo 14..12=2 6..2=0x08 1..0=3
mul     rd rs1 rs2 31..25=1 14..12=0 6..2=0x0C 1..0=3
$pseudo_op rv_i::addi mv rd rs1 31..20=0 14..12=0 6..2=0x04 1..0=3
vadd.vv         31..26=0x00 vm vs2 vs1 14..12=0x0 vd 6..0=0x57
vadd.vi         31..26=0x00 vm vs2 simm5 14..12=0x3 vd 6..0=0x57
vredsum.vs      31..26=0x00 vm vs2 vs1 14..12=0x2 vd 6..0=0x57
"""
WORDS = {
    "beq a0, a1, 64": "beq a0, a1, . + 64",
    "jal ra, 2048": "jal ra, . + 2048",
    "lui a0, 0xfffff": "lui a0, 0xfffff",
    "addi a0, a1, -2048": "addi a0, a1, -2048",
    "mul s0, s1, t6": "mul s0, s1, t6",
    "sh1add a0, a1, a2": "sh1add a0, a1, a2",
    "vadd.vv v1, v2, v3": "vadd.vv v1, v2, v3",
    "vadd.vi v31, v30, -16, v0.t": "vadd.vi v31, v30, -16, v0.t",
    "vredsum.vs v8, v16, v24": "vredsum.vs v8, v16, v24",
}


def again(path: Path, imported: object, requires: tuple[str, ...] = ()) -> Extension:
    """An imported extension, loaded."""
    text = extension_text(imported)  # type: ignore[arg-type]
    text = text.replace("requires: [I]", f"requires: [{', '.join(requires)}]") if requires else text
    path.write_text(text)
    isa = load_isa("rv64i", str(path))
    return isa.extensions[imported.name]  # type: ignore[attr-defined]


def of(name: str) -> tuple[Isa, Extension]:
    extension = str(load_yaml(shipped("isa", ".yaml")[name])["extension"])
    isa = load_isa("rv32gcv" if extension == "Zcf" else "rv64gcv", name)
    return isa, isa.extensions[extension]


@pytest.mark.parametrize("name", EXTENSIONS)
def test_round_trip_through_opcodes(name: str, tmp_path: Path) -> None:
    isa, extension = of(name)
    (tmp_path / "x.opcodes").write_text(opcodes(isa, extension.name))
    imported = import_opcodes(tmp_path / "x.opcodes", name="Xagain")
    found = {one.name: one for one in imported.instructions}
    assert list(found) == list(extension.instructions)
    if extension.name in ("I", "Zicsr", "F", "D", "V"):
        # they are what imported extensions require
        return
    loaded = again(tmp_path / "x.yaml", imported, ("F", "V") if "V" in isa.extensions else ("F",))
    for mnemonic, own in extension.instructions.items():
        other = loaded.instructions[mnemonic]
        assert (other.match, other.assembly) == (own.match, own.assembly)
        assert {v.name: v for v in other.variables} == {v.name: v for v in own.variables}, mnemonic


@pytest.mark.parametrize("name", EXTENSIONS)
def test_round_trip_through_udb(name: str, tmp_path: Path) -> None:
    isa, extension = of(name)
    for file, text in udb_files(isa, extension.name).items():
        (tmp_path / file).write_text(text)
    (tmp_path / "all.yml").write_text(udb(isa, extension.name))
    for source in (tmp_path, tmp_path / "all.yml"):
        imported = import_udb(source)
        assert imported.name == extension.name
        found = {one.name: one for one in imported.instructions}
        assert found.keys() == extension.instructions.keys()
        for mnemonic, own in extension.instructions.items():
            variables = {str(v["name"]): v for v in found[mnemonic].variables}
            assert found[mnemonic].match == own.match
            assert variables.keys() == {variable.name for variable in own.variables}
            if own.operation is not None:
                assert [f"  {line}".rstrip() for line in own.operation.source.rstrip().splitlines()] == [
                    line.rstrip() for line in found[mnemonic].notes[1:]
                ]


@needs_binutils
def test_words_of_real_lines_are_those_of_gnu_as(tmp_path: Path) -> None:
    (tmp_path / "rv_test").write_text(REAL)
    (tmp_path / "rv_other").write_text("sh1add rd rs1 rs2 31..25=16 14..12=2 6..2=0x0C 1..0=3\n")
    imported = import_opcodes(tmp_path / "rv_test")
    assert imported.name == "Test" and len(imported.instructions) == 10
    # beside nothing else, as the base and V have most of them; registers by number
    files = ", ".join(
        f"{file}: {{kind: register_file, count: 32, names: [{', '.join(f'{file.lower()}{n}' for n in range(32))}]}}"
        for file in ("X", "V")
    )
    abi = dict(zip(load_isa("rv64i").state["X"].names, (f"x{n}" for n in range(32)), strict=True))
    text = extension_text(imported).replace("requires: [V]", f"state: {{{files}}}")
    (tmp_path / "x.yaml").write_text(text)
    isa = load_isa(str(tmp_path / "x.yaml"))
    ours = [isa.assemble(_plain(line, abi)).segments[0].data for line in WORDS]
    (tmp_path / "x.s").write_text("\n".join(WORDS.values()) + "\n")
    run(
        "riscv64-linux-gnu-as",
        "-march=rv64imafdv_zba",
        "-mno-relax",
        str(tmp_path / "x.s"),
        "-o",
        str(tmp_path / "x.o"),
    )
    run("riscv64-linux-gnu-objcopy", "-O", "binary", "-j", ".text", str(tmp_path / "x.o"), str(tmp_path / "x.bin"))
    assert b"".join(bytes(data) for data in ours) == (tmp_path / "x.bin").read_bytes()


def _plain(line: str, abi: dict[str, str]) -> str:
    name, _, rest = line.partition(" ")
    return f"{name} {', '.join(abi.get(word, word) for word in rest.split(', '))}"


IN_YAML = """\
extension: Xline
long_name: Encodings as lines
source: here
requires: [V]
encodings_only: true
state: {tt: {kind: register_file, count: 8}}
instructions:
  vdot4a.vv:
    long_name: Dot products of four bytes
    opcodes: "vdot4a.vv 31..26=0x2c vm vs2 vs1 14..12=0x2 vd 6..0=0x57"
    assembly: vd, vs2, vs1, vm
  x.tile:
    long_name: With a field of its own
    opcodes: "x.tile 31..25=0x1 rs2 rs1 14..12=1 11..10=0 td 6..0=0x0b"
    encoding: {variables: [{name: td, location: 9-7, register: tt}]}
    assembly: td, (xs1), xs2
"""


def test_a_line_in_yaml(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(IN_YAML)
    isa = load_isa("rv64i", str(tmp_path / "x.yaml"))
    dot = isa.instructions["vdot4a.vv"]
    assert dot.match == "101100-----------010-----1010111"
    assert {v.name: (v.register, v.bits[0]) for v in dot.variables} == {
        "vm": (None, 25), "vs2": ("V", 24), "vs1": ("V", 19), "vd": ("V", 11),
    }  # fmt: skip
    word = isa.assemble("vdot4a.vv v1, v2, v3, v0.t\nx.tile tt5, (a0), a1").segments[0].data
    # by hand: 101100 0 00010 00011 010 00001 1010111, 0000001 01011 01010 001 00 101 0001011
    assert [int.from_bytes(word[i : i + 4], "little") for i in (0, 4)] == [0xB021A0D7, 0x02B5128B]


WRONG = {
    "x.a 31..7=0 6..0=0x100": "'6..0=0x100' of x.a does not fit its bits; write it as in 14..12=0x2",
    "x.a 31..8=0 6..0=0x0b": "bits [7] of x.a belong to nothing; give every bit of the word",
    "x.a rd 31..7=0 6..0=0x0b": "bit 31 of x.a belongs to",
    "x.a rd rs1 imm12 14..12=0 11=0 6..0=0x0b": "bit 11 of x.a belongs to 'rd' and '11=0'; give every bit once",
    "x.a rd qs1 imm12 14..12=0 6..0=0x0b": "'qs1' of x.a is no field that riscv-opcodes' arg_lut.csv has",
    "9x 31..7=0 6..0=0x0b": "'9x' is no mnemonic; start the line with the instruction's name",
    "$import rv_none::x": "cannot import 'rv_none::x'; put rv_none beside this one",
    "# arg_lut: a, 3, 7": "'a, 3, 7' is no field; write '# arg_lut: NAME, HIGH, LOW'",
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_lines(line: str, tmp_path: Path) -> None:
    (tmp_path / "rv_x").write_text(f"\n{line}\n")
    with pytest.raises(InputError) as caught:
        import_opcodes(tmp_path / "rv_x")
    message = str(caught.value)
    if line.startswith("x.a rd 31..7"):
        assert "of x.a belongs to 'rd' and '31..7=0'; give every bit once" in message
    else:
        assert f"{tmp_path / 'rv_x'}:2: {WRONG[line]}" in message
    assert "\n" not in message


def test_an_unknown_field_can_be_declared(tmp_path: Path) -> None:
    (tmp_path / "rv_x").write_text('# arg_lut: "qs1", 19, 15\nx.a rd qs1 imm12 14..12=0 6..0=0x0b\n')
    (one,) = import_opcodes(tmp_path / "rv_x").instructions
    assert [v["name"] for v in one.variables] == ["xd", "qs1", "imm"]


def test_fields_of_short_instructions() -> None:
    line = parse_line("c.lw rd_p rs1_p c_uimm7lo c_uimm7hi 1..0=0x0 15..13=2", {})
    assert line.match == "010-----------00"
    assert {v["name"]: v.get("add") for v in line.variables if "register" in v} == {"xd": 8, "xs1": 8}


def test_udb_that_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    for text, expected in (
        ("kind: instruction\nname: x\n", "x has no encoding"),
        ("kind: instruction\nname: x\nencoding: {match: 01}\n", "match of x is '1'"),
        ("kind: csr\nname: x\n", "no document of kind: instruction"),
        ("a: b: c", "YAML"),
    ):
        path.write_text(text)
        with pytest.raises(InputError) as caught:
            import_udb(path)
        assert expected in str(caught.value) or expected == "YAML"
        assert "\n" not in str(caught.value)
