"""What names of instruction sets stand for, and what of an extension exists on which base."""

from __future__ import annotations

from pathlib import Path

import pytest

from archsim.common.errors import InputError
from archsim.isa.load import load_isa

HEAD = "extension: {name}\nlong_name: Test\nsource: here\n"
ONE = """\
  {name}:
    long_name: One
    {keys}
    encoding: {{match: "{seven}----------000-----0001011"}}
    format: R
    assembly: xd, xs1, xs2
    unit: alu
    operation: X[xd] = XLEN
"""


def write(folder: Path, name: str, text: str) -> str:
    path = folder / f"{name.lower()}.yaml"
    path.write_text(HEAD.format(name=name) + text)
    return str(path)


@pytest.mark.parametrize(
    ("name", "xlen", "extensions"),
    [
        ("rv32i", 32, ["I"]),
        ("rv64im", 64, ["I", "M"]),
        ("rv32im_zicsr_zicntr", 32, ["I", "M", "Zicsr", "Zicntr"]),
        ("rv64imzicsr", 64, ["I", "M", "Zicsr"]),
        ("m", 64, ["I", "M"]),
        ("zicntr", 64, ["I", "Zicsr", "Zicntr"]),
    ],
)
def test_names(name: str, xlen: int, extensions: list[str]) -> None:
    isa = load_isa(name)
    assert (isa.xlen, isa.parameters["XLEN"], list(isa.extensions)) == (xlen, xlen, extensions)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("rv64iq",), "unknown extension 'q' in rv64iq; letters that ship: "),
        (("rv64i_zicrs",), "unknown extension 'zicrs' in rv64i_zicrs; did you mean 'zicsr'?"),
        (("rv128i",), "rv128i has registers of 128 bits; use rv32... or rv64..."),
        (("rv32i", "rv64im"), "rv32i and rv64im differ in the width of registers; load one of them"),
    ],
)
def test_errors(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_isa(*names)
    assert str(caught.value).startswith(message)


def test_a_name_gives_the_least_vector_length(tmp_path: Path) -> None:
    text = "parameters:\n  VLEN: {default: 128, minimum: 64, maximum: 65536, power_of_two: true}\n"
    path = write(tmp_path, "Xv", text)
    assert load_isa("rv64i", path).parameters["VLEN"] == 128
    assert load_isa("rv64i_zvl512b", path).parameters["VLEN"] == 512
    assert load_isa("rv64i_zvl512b", path, parameters={"VLEN": 1024}).parameters["VLEN"] == 1024
    with pytest.raises(InputError) as caught:
        load_isa("rv64i_zvl512b", path, parameters={"VLEN": 256})
    assert str(caught.value) == "VLEN is 256, and a name asks for 512 at least; change one of them"


def test_instructions_of_one_base(tmp_path: Path) -> None:
    assert load_isa("rv64i").instructions.keys() - load_isa("rv32i").instructions.keys() == {
        "lwu", "ld", "sd", "addiw", "slliw", "srliw", "sraiw", "addw", "subw", "sllw", "srlw", "sraw",
    }  # fmt: skip
    assert load_isa("rv64im").instructions.keys() >= load_isa("rv32im").instructions.keys()
    text = "requires: [I]\ninstructions:\n" + "".join(
        ONE.format(name=f"x.{name}", keys=keys, seven=seven)
        for name, keys, seven in (("a", "base: 32", "0000000"), ("b", "base: 64", "0000000"),
                                  ("c", "requires: [M]", "0000001"))
    )  # fmt: skip
    path = write(tmp_path, "Xb", text)
    for names, expected in ((("rv32i",), {"x.a"}), (("rv64i",), {"x.b"}), (("rv32im",), {"x.a", "x.c"})):
        assert load_isa(*names, path).extensions["Xb"].instructions.keys() == expected
    for key, message in (("base: 31", "base of x.a is 31; use 32 or 64"), ("requires: I", "'requires' of instruction")):
        with pytest.raises(InputError, match=message):
            load_isa("rv32i", write(tmp_path, "Xb", text.replace("base: 32", key)))


def test_encodings_by_base(tmp_path: Path) -> None:
    assert load_isa("rv32i").instructions["slli"].variable("shamt").width == 5
    assert load_isa("rv64i").instructions["slli"].variable("shamt").width == 6
    with pytest.raises(InputError, match="shamt of slli is 32; use 0 to 31"):
        load_isa("rv32i").assemble("slli a0, a0, 32")
    text = "requires: [I]\ninstructions:\n" + ONE.format(name="x.a", keys="", seven="0000000")
    part = 'encoding: {RV32: {match: "0000000----------000-----0001011"}}'
    path = write(tmp_path, "Xe", text.replace('encoding: {match: "0000000----------000-----0001011"}', part))
    assert "x.a" in load_isa("rv32i", path).instructions
    with pytest.raises(InputError) as caught:
        load_isa("rv64i", path)
    assert str(caught.value) == f"{path}:9: encoding of x.a has no RV64; add it, or 'base: 32'"
    for old, new, message in (
        ("{RV32", '{match: "-", RV32', "encoding of x.a has RV32 and 'match' or 'variables'; write them under RV32"),
        ("{RV32", "{RV33", "unknown key of encoding of x.a 'RV33'; did you mean 'RV32'?"),
        (part, "encoding: {}", "encoding of x.a has no 'match'; add 'match:' (its bits)"),
        ("match", "macht", "unknown key of encoding of x.a 'macht'; did you mean 'match'?"),
    ):
        with pytest.raises(InputError) as caught:
            bad = text.replace('encoding: {match: "0000000----------000-----0001011"}', part).replace(old, new)
            load_isa("rv32i", write(tmp_path, "Xe", bad))
        assert message in str(caught.value)


def test_formats_of_what_is_required_by_what_is_required(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    middle = write(tmp_path, "Xm", "requires: [I]\n")
    text = "requires: [Xm]\ninstructions:\n" + ONE.format(name="x.a", keys="", seven="0000000")
    upper = write(tmp_path, "Xu", text)
    assert list(load_isa(upper, middle).extensions) == ["I", "Xm", "Xu"]
    monkeypatch.chdir(tmp_path)
    assert list(load_isa("rv64i_xm_xu").extensions) == ["I", "Xm", "Xu"]
