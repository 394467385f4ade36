"""Operands written as words: suffixes of the mnemonic, words with defaults, words for parts; cases of instructions."""

from __future__ import annotations

from pathlib import Path

import pytest

from archsim.common.errors import InputError
from archsim.isa.encoding import decode, encode
from archsim.isa.exports import c_header
from archsim.isa.load import load_isa
from archsim.isa.spec import Isa

GOOD = """\
extension: Xw
long_name: Words
source: here
requires: [I]
instructions:
  w.round:
    long_name: Rounding mode
    encoding:
      match: "000000000000------------00001011"
      variables:
        - {name: xs1, location: 19-15, register: X}
        - {name: rm, location: 14-12, values: [rne, rtz, null, up], default: 7}
        - {name: xd, location: 11-8, register: X}
    assembly: "xd, xs1, rm"
    unit: alu
    operation: X[xd] = X[xs1] + rm
  w.load:
    long_name: Ordered
    encoding:
      match: "00000--00001-----000-----1011011"
      variables:
        - {name: order, location: 26-25, values: ["", .rl, .aq, .aqrl], suffix: true}
        - {name: xs1, location: 19-15, register: X}
        - {name: xd, location: 11-7, register: X}
    assembly: "xd, (xs1)"
    unit: alu
    operation: X[xd] = X[xs1] + order
  w.set:
    long_name: Type
    encoding:
      match: "0-----------00000001-----1011011"
      variables:
        - {name: xd, location: 11-7, register: X}
        - name: type
          location: 30-20
          parts:
            - {location: 5-3, values: [e8, e16, e32]}
            - {location: 2-0, values: [m1, m2, null, mf2]}
            - {location: 6, values: [tu, ta]}
    assembly: "xd, type"
    unit: alu
    operation: X[xd] = type
  w.set.zero:
    long_name: No type
    within: [w.set]
    encoding: {match: "0000000000000000000100000101101", variables: []}
    assembly: ""
    unit: alu
    operation: pass
""".replace('"0000000000000000000100000101101"', '"00000000000000000001000001011011"')


def write(folder: Path, text: str = GOOD) -> str:
    path = folder / "xw.yaml"
    path.write_text(text)
    return str(path)


@pytest.fixture
def words(tmp_path: Path) -> Isa:
    return load_isa("rv64i", write(tmp_path))


def operands(isa: Isa, text: str) -> dict[str, int]:
    found = decode(isa, int.from_bytes(isa.assemble(text).segments[0].data, "little"))
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("text", "value", "shown"),
    [
        ("w.round a0, a1", 7, "w.round a0, a1"),
        ("w.round a0, a1, 7", 7, "w.round a0, a1"),
        ("w.round a0, a1, rne", 0, "w.round a0, a1, rne"),
        ("w.round a0, a1, up", 3, "w.round a0, a1, up"),
        ("w.round a0, a1, 2 + 2", 4, "w.round a0, a1, 4"),
    ],
)
def test_a_word_with_a_default(words: Isa, text: str, value: int, shown: str) -> None:
    values = operands(words, text)
    assert values["rm"] == value
    assert words.disassemble(encode(words.instructions["w.round"], values)) == shown


@pytest.mark.parametrize(("suffix", "value"), [("", 0), (".rl", 1), (".aq", 2), (".aqrl", 3)])
def test_a_suffix_of_the_mnemonic(words: Isa, suffix: str, value: int) -> None:
    values = operands(words, f"w.load{suffix} a0, (a1)")
    assert values == {"order": value, "xs1": 11, "xd": 10}
    assert words.disassemble(encode(words.instructions["w.load"], values)) == f"w.load{suffix} a0, (a1)"


@pytest.mark.parametrize(
    ("text", "value", "shown"),
    [
        ("e32, mf2, ta", 0x53, "e32, mf2, ta"),
        ("e8", 0, "e8, m1, tu"),
        ("e16, ta", 0x48, "e16, m1, ta"),
        ("m2", 1, "e8, m2, tu"),
        ("0x53", 0x53, "e32, mf2, ta"),
        ("2", 2, "2"),
        ("0x100", 0x100, "256"),
        ("0x18", 0x18, "24"),
    ],
)
def test_words_for_parts(words: Isa, text: str, value: int, shown: str) -> None:
    values = operands(words, f"w.set a0, {text}")
    assert values["type"] == value
    assert words.disassemble(encode(words.instructions["w.set"], values)) == f"w.set a0, {shown}"


def test_a_case_of_an_instruction_wins_in_decoding(words: Isa) -> None:
    case = words.instructions["w.set.zero"]
    assert decode(words, case.value) == (case, {})
    assert decode(words, case.value | 1 << 7) == (words.instructions["w.set"], {"xd": 1, "type": 0})
    assert list(words.instructions)[-1] == "w.set.zero"
    isa = load_isa("rv64i_zihintpause")
    assert isa.disassemble(0x0100000F) == "pause" and isa.disassemble(0x0200000F) == "fence r, 0"
    assert load_isa("rv64i").disassemble(0x0100000F) == "fence w, 0"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("w.round a0", "w.round takes 3 operands, not 1; write it as w.round xd, xs1, rm"),
        ("w.round a0, a1, rtz, a2", "w.round takes 3 operands, not 4; write it as w.round xd, xs1, rm"),
        ("w.round a0, a1, 2", "rm of w.round may not be 2; use another value"),
        ("w.round a0, a1, down", "unknown symbol 'down'; define it as a label or by .equ"),
        ("w.load.aqr a0, (a1)", "unknown instruction 'w.load.aqr'; did you mean 'w.load.aqrl'?"),
        ("w.set a0, e8, m9", "'m9' does not belong there; write e8|e16|e32, m1|m2|mf2, tu|ta"),
        ("w.set a0, m1, e8", "'e8' does not belong there; write e8|e16|e32, m1|m2|mf2, tu|ta"),
    ],
)
def test_refused_text(words: Isa, text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        words.assemble(text)
    assert str(caught.value) == f"<string>:1: {message}"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[rne, rtz, null, up]", "[rne, rne]", "values of variable rm are 2 words; give at most 8 different ones"),
        ("[rne, rtz, null, up]", "[a, b, c, d, e, f, g, h, i]", "values of variable rm are 9 words; give at most 8"),
        ("default: 7", "default: 8", "default of variable rm is 8; use one that fits"),
        ("xs1, location: 19-15, register: X}", "xs1, location: 19-15, register: X, default: 0}",
         "variable xs1 selects a register, and has 'values', 'parts', 'suffix' or 'default'"),
        ('values: ["", .rl, .aq, .aqrl], suffix', "suffix",
         "variable order has 'suffix' without 'values'; add 'values:'"),
        ('"xd, (xs1)"', '"xd, (xs1), order"',
         "assembly of w.load has order 1 times; leave out suffixes of the mnemonic"),
        ("location: 5-3", "location: 5|3", "part of variable type is in pieces; use one range, such as 5-3"),
        ("location: 5-3", "location: 15-13", "location '15-13' of part of variable type is no range of bits below 11"),
        ("within: [w.set]", "within: [w.load]", "encoding of w.set.zero overlaps that of w.set ("),
    ],
)  # fmt: skip
def test_refused_files(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(InputError) as caught:
        load_isa("rv64i", write(tmp_path, GOOD.replace(old, new, 1)))
    assert message in str(caught.value)


def test_headers_have_a_function_for_each_suffix(words: Isa) -> None:
    for suffix in ("", "_rl", "_aq", "_aqrl"):
        assert f" rv_w_load{suffix}(unsigned long xs1)\n" in c_header(words, "Xw")
