"""What extension files require of each other and of their parameters, and how it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from archsim.common.errors import InputError
from archsim.isa.exports import markdown
from archsim.isa.load import load_isa
from archsim.isa.spec import Isa

HEAD = "extension: {name}\nlong_name: A test\nsource: here\n"


def write(folder: Path, name: str, text: str = "") -> str:
    path = folder / f"{name.lower()}.yaml"
    path.write_text(HEAD.format(name=name) + text)
    return str(path)


def load(folder: Path, text: str, *others: str, **parameters: int) -> Isa:
    return load_isa("rv64i", *others, write(folder, "Xa", text), parameters=parameters)


def refused(folder: Path, text: str, *others: str, **parameters: int) -> str:
    with pytest.raises(InputError) as caught:
        load(folder, text, *others, **parameters)
    return str(caught.value).replace(f"{folder}/", "")


@pytest.mark.parametrize(
    ("bounds", "good"),
    [
        ("", True), (">= 0.3", True), (">=0.3, <1", True), ("~= 0.3.0", True), ("== 0.3.*", True), ("> 0.3.1", True),
        (">= 0.4", False), ("< 0.3", False), ("!= 0.3.2", False), ("~= 0.2.0", False),
    ],
)  # fmt: skip
def test_versions(tmp_path: Path, bounds: str, good: bool) -> None:
    other = write(tmp_path, "Xb", "version: 0.3.2\n")
    text = f'requires: [I, "Xb {bounds}"]\n'
    if good:
        assert load(tmp_path, text, other).extensions["Xa"].requires == ("I", "Xb")
    else:
        message = refused(tmp_path, text, other)
        assert message.startswith("xa.yaml:4: extension Xa requires Xb ")
        assert message.endswith(", and 0.3.2 is loaded (xb.yaml); load another version, or widen the bounds")


def test_a_development_version_counts(tmp_path: Path) -> None:
    other = write(tmp_path, "Xb", "version: 0.4.0-dev1\n")
    assert "Xb" in load(tmp_path, 'requires: ["Xb >= 0.3"]\n', other).extensions
    assert "requires Xb >=0.4" in refused(tmp_path, 'requires: ["Xb >= 0.4"]\n', other)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('requires: ["Xb >> 1"]\n',
         "xa.yaml:4: 'Xb >> 1' is no extension with versions; write it as in Xqt >= 0.3, < 1"),
        ('requires: ["0.3"]\n', "xa.yaml:4: '0.3' is no extension with versions; write it as in Xqt >= 0.3, < 1"),
        ("requires: [Xc]\n", "xa.yaml:4: extension Xa requires Xc, which is not loaded; load Xc, too"),
        ('requires: ["Xb > 1"]\n',
         "xb.yaml:4: version 'new' of extension Xb cannot be compared; write numbers with dots, such as 0.3.0"),
        ("conflicts: [I]\n", "xa.yaml:4: extension Xa conflicts with I (ISA/i.yaml); load one of them"),
        ('conflicts: ["I < 3"]\n', "xa.yaml:4: extension Xa conflicts with I <3 (ISA/i.yaml); load one of them"),
        ("requires: [Xa]\n", "xa.yaml:4: extensions require each other: Xa -> Xa; leave one out"),
    ],
)  # fmt: skip
def test_refusals(tmp_path: Path, text: str, message: str) -> None:
    other = write(tmp_path, "Xb", "version: new\n")
    found = refused(tmp_path, text, other).replace(str(Path(__file__).parents[2] / "isa"), "ISA")
    assert found == message


def test_conflicts_with_other_versions_do_not_count(tmp_path: Path) -> None:
    assert load(tmp_path, 'conflicts: ["I > 3", Zfh]\n').extensions["Xa"].conflicts == ("I", "Zfh")


def test_a_circle_of_requirements_is_told(tmp_path: Path) -> None:
    others = [write(tmp_path, "Xb", "requires: [Xc]\n"), write(tmp_path, "Xc", "requires: [I, Xa]\n")]
    assert refused(tmp_path, "requires: [Xb]\n", *others) in (
        "xa.yaml:4: extensions require each other: Xb -> Xc -> Xa -> Xb; leave one out",
    )


TILES = """\
parameters:
  TLEN: {default: 512, minimum: 64, maximum: 65536, power_of_two: true}
  TRLEN: {default: 128, minimum: 32, maximum: 65536, power_of_two: true}
  ROWNUM: {value: TLEN // TRLEN, description: rows of a tile}
  ALEN: {value: "max(ROWNUM, 2) * ARLEN"}
  ARLEN: {value: ROWNUM * 64}
constraints: ["TLEN >= TRLEN", "ROWNUM * TRLEN == TLEN and TLEN % 8 == 0", "0 < ROWNUM <= 64 or XLEN == 32"]
state:
  tr: {kind: register_file, count: 4, type: int8, shape: [ROWNUM, TRLEN // 8]}
"""


def test_parameters_that_follow_from_others(tmp_path: Path) -> None:
    isa = load(tmp_path, TILES)
    assert isa.parameters == {"TLEN": 512, "TRLEN": 128, "ROWNUM": 4, "ALEN": 1024, "ARLEN": 256, "XLEN": 64}
    isa = load(tmp_path, TILES, TLEN=4096, TRLEN=64, ROWNUM=64)
    assert isa.parameters["ROWNUM"] == 64 and isa.state["tr"].shape == (64, 8)
    assert "| `ROWNUM` | rows of a tile |  | 64 | always `TLEN // TRLEN` |" in markdown(isa, "Xa")


@pytest.mark.parametrize(
    ("old", "new", "given", "message"),
    [
        ("", "", {"TLEN": 64},
         "xa.yaml:10: constraint 'TLEN >= TRLEN' of extension Xa does not hold: TLEN is 64, TRLEN is 128; "
         "set other values"),
        ("", "", {"TLEN": 65536, "TRLEN": 32},
         "xa.yaml:10: constraint '0 < ROWNUM <= 64 or XLEN == 32' of extension Xa does not hold: ROWNUM is 2048, "
         "XLEN is 64; set other values"),
        ("", "", {"ROWNUM": 8}, "parameter ROWNUM is 8, and TLEN // TRLEN is 4; set what it follows from"),
        ("", "", {"TLEN": 65}, "parameter TLEN is 65; use 64 to 65536, a power of two"),
        ("ROWNUM * 64", "ALEN", {},
         "xa.yaml:8: parameters follow from each other: ALEN -> ARLEN -> ALEN; give one of them a default"),
        ("TLEN // TRLEN", "ROWNUM + 1", {},
         "xa.yaml:7: parameters follow from each other: ROWNUM -> ROWNUM; give one of them a default"),
        ("TLEN // TRLEN", "TLEN // (TRLEN - 128)", {},
         "xa.yaml:7: 'TLEN // (TRLEN - 128)' is no constant; use integers, XLEN, TLEN, TRLEN, + - * // % max() min()"),
        ("TLEN // TRLEN,", "TLEN // TRLEN, default: 3,", {},
         "xa.yaml:7: parameter ROWNUM has 'value' and 'default'; leave one of them out"),
        ("minimum: 64, ", "", {}, "xa.yaml:5: parameter TLEN has no 'minimum'; add 'minimum:' (smallest value)"),
        ('"TLEN >= TRLEN"', "TLEN", {},
         "xa.yaml:10: 'TLEN' is no comparison; compare integers and TLEN, TRLEN, ROWNUM, ALEN, ARLEN, XLEN by "
         "== != < <= > >=, joined by and, or"),
        ('"TLEN >= TRLEN"', '"TLEN >= open(1)"', {},
         "xa.yaml:10: 'TLEN >= open(1)' is no comparison; compare integers and TLEN, TRLEN, ROWNUM, ALEN, ARLEN, XLEN "
         "by == != < <= > >=, joined by and, or"),
    ],
)  # fmt: skip
def test_refused_parameters(tmp_path: Path, old: str, new: str, given: dict[str, int], message: str) -> None:
    assert old in TILES
    assert refused(tmp_path, TILES.replace(old, new, 1), **given) == message
