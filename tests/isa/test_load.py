"""Loading extensions: what is bound, and every error as one line with its place."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from archsim.common.errors import InputError
from archsim.common.resources import shipped
from archsim.isa.load import load_isa

GOOD = """\
extension: Xt
long_name: Test
source: here
requires: [I]
parameters:
  N: {default: 8, minimum: 2, maximum: 64, power_of_two: true, description: size}
state:
  m: {kind: register_file, count: 4, type: int8, shape: [N, "max(N, 2 * 3)"]}
  m4: {kind: view, of: m, type: int4}
  xlen: {kind: csr, address: 0x800, maximum: N, fields: {low: {location: 1-0, values: [a, b]}}}
formats:
  F: {variables: {md: {location: 8-7, register: m}, xs1: {location: 19-15, register: X}}}
instructions:
  x.one:
    long_name: One
    format: F
    encoding: {match: "000000000000-----000000--0001011"}
    assembly: md, (xs1)
    unit: vector
    work: {elements: N * xlen, bits: 8, class: alu}
    memory:
      - {access: read, address: "X[xs1]", rows: 1, row_bytes: N, stride: 0}
    operation: |
      for i in range(N):
          m[md, i, 0] = load_i8(X[xs1] + i)
"""
MATCH = "000000000000-----000000--0001011"


def load(folder: Path, text: str, *others: str, **parameters: int) -> Any:
    path = folder / "xt.yaml"
    path.write_text(text)
    return load_isa("rv64i", *others, str(path), parameters=parameters)


def test_names_expand() -> None:
    isa = load_isa("rv64im_zicsr_zicntr", "xqt", parameters={"TM": 64})
    assert list(isa.extensions) == ["I", "M", "Zicsr", "Zicntr", "Xqmark", "Xqdma", "Xqv", "Xqt"]
    assert load_isa("rv64im", "zicsr", "zicntr", "xqt").instructions.keys() == isa.instructions.keys()
    assert len(isa.extensions["I"].instructions) == 52 + 1  # RV64I of the manual's listing, and fence.tso
    assert len(isa.extensions["M"].instructions) == 13
    assert len(isa.extensions["Zicsr"].instructions) == 6
    assert {isa.state[name].address for name in ("cycle", "time", "instret")} == {0xC00, 0xC01, 0xC02}


def test_parameters_bind_shapes_and_maxima(tmp_path: Path) -> None:
    isa = load(tmp_path, GOOD)
    assert isa.parameters == {"N": 8, "XLEN": 64}
    assert isa.state["m"].shape == (8, 8) and isa.state["m"].names == ("m0", "m1", "m2", "m3")
    isa = load(tmp_path, GOOD, N=4, UNRELATED=3)
    assert isa.parameters == {"N": 4, "XLEN": 64} and isa.state["m"].shape == (4, 6) and isa.state["xlen"].maximum == 4
    assert isa.state["xlen"].fields == {"low": (0, 2, ("a", "b"))}
    operation = isa.instructions["x.one"].operation
    assert GOOD.splitlines()[operation.line - 1].strip() == operation.source.splitlines()[0]


def test_formats_of_required_extensions_may_be_used(tmp_path: Path) -> None:
    text = GOOD + (
        "  x.two:\n    long_name: Two\n    format: R\n    unit: alu\n    assembly: xd, xs1, xs2\n"
        '    encoding: {match: "0000000----------011-----1111011"}\n    operation: X[xd] = 1\n'
    )
    two = load(tmp_path, text).instructions["x.two"]
    assert [variable.name for variable in two.variables] == ["xd", "xs1", "xs2"]
    assert two.operation.line == len(text.splitlines())


def test_a_changed_file_is_loaded_again(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD) is load_isa("rv64i", str(tmp_path / "xt.yaml"))
    assert "x.uno" in load(tmp_path, GOOD.replace("x.one", "x.uno")).instructions


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("long_name: Test", "longname: Test", 2, "unknown key of extension Xt 'longname'; did you mean 'long_name'?"),
        (
            "source: here\n",
            "",
            1,
            "extension Xt has no 'source'; add 'source:' (the document, version and section that specify it)",
        ),
        ("requires: [I]", "requires: [I, Xu]", 4, "extension Xt requires Xu, which is not loaded; load Xu, too"),
        ("default: 8", "default: 7", 6, "default of parameter N is 7; use 2 to 64, a power of two"),
        ("minimum: 2", "minimun: 2", 6, "unknown key of parameter N 'minimun'; did you mean 'minimum'?"),
        ("[N, ", "[M, ", 8, "'M' is no constant; use integers, N, XLEN, + - * // % max() min()"),
        ("[N, ", "[N ** 2, ", 8, "'N ** 2' is no constant; use integers, N, XLEN, + - * // % max() min()"),
        ("[N, ", "[-N, ", 8, "shape of m is [-8, 8]; use sizes from 1, at most 67108864 elements in all"),
        ("type: int8", "type: int9", 8, "unknown type of state m 'int9'; did you mean 'int8'?"),
        ("count: 4", "count: 0", 8, "m has 0 registers; use 1 to 256"),
        (
            "count: 4",
            "count: 4, names: [p, q]",
            8,
            "m has 4 registers and 2 different names; give one name per register",
        ),
        ("kind: view", "kind: veiw", 9, "unknown kind of state m4 'veiw'; did you mean 'view'?"),
        ("of: m,", "of: mm,", 9, "unknown register file that m4 views 'mm'; did you mean 'm'?"),
        ("0x800", "0x1000", 10, "address of CSR xlen is 0x1000; use 0 to 0xFFF"),
        ("  xlen:", "  sext:", 10, "state sext has the name of function sext(); rename it"),
        ("  xlen:", "  pc:", 10, "state pc has the name of the program counter; rename it"),
        ("  xlen:", "  N:", 10, "state N has the name of parameter N of extension Xt; rename it"),
        ("  xlen:", "  if:", 10, "'if' is no name for a state; use letters, digits and _"),
        (
            "location: 1-0",
            "location: 64",
            10,
            "location 64 of field xlen.low is no range of bits below 64; write it as in "
            "31|7|30-25|11-8, most significant first",
        ),
        ("location: 1-0", "location: 1|3", 10, "field xlen.low is in pieces; use one range, such as 17-14"),
        ("values: [a, b]", "values: [a, b, c, d, e]", 10, "field xlen.low has 2 bits for 5 values; widen it"),
        ("register: X", "register: Y", 12, "unknown register file of variable xs1 'Y'; known: X, m"),
        (
            "8-7, register: m",
            "9-7, register: m",
            12,
            "variable md can be 7, m has 4 registers; make the field narrower, or list the values under 'not:'",
        ),
        ("format: F", "format: G", 16, "unknown format of instruction x.one 'G'; known: B, F, I, J, R, S, SH5, U, XX"),
        (
            MATCH,
            MATCH[1:],
            17,
            f"match of x.one is '{MATCH[1:]}' (31 characters); write 32 (or 16) of 0, 1 and - in quotes",
        ),
        (
            MATCH,
            f"-{MATCH[1:]}",
            17,
            "bits [31] of x.one are '-' but no variable's; make them 0 or 1, or add a variable",
        ),
        (
            MATCH,
            MATCH.replace("-----", "0----"),
            17,
            "bits [19] of x.one are a variable's but not '-'; write '-' there",
        ),
        (
            MATCH,
            f"{MATCH[:-2]}01",
            17,
            "match of x.one ends in '01'; end 32-bit encodings in 11, and 16-bit ones in 00, "
            "01 or 10: they say the length",
        ),
        ("location: 19-15", "location: 18-15|8", 17, "bits [8] of x.one belong to two variables; move one of them"),
        ("assembly: md, (xs1)", "assembly: md", 18, "assembly of x.one has xs1 0 times; write every variable once"),
        (
            "assembly: md, (xs1)",
            "assembly: md, xs",
            18,
            "unknown variable in assembly of x.one 'xs'; did you mean 'xs1'?",
        ),
        ("assembly: md, (xs1)", "assembly: md, [xs1", None, None),
        (
            "assembly: md, (xs1)",
            "assembly: md xs1",
            18,
            "assembly of x.one: 'md xs1' is no operand; write NAME, NAME(NAME) or (NAME)",
        ),
        ("unit: vector", "unit: vectro", 19, "unknown unit of instruction x.one 'vectro'; did you mean 'vector'?"),
        (
            "work: {elements",
            "work: {element",
            20,
            "unknown key of work of instruction x.one 'element'; did you mean 'elements'?",
        ),
        (
            "access: read",
            "access: red",
            22,
            "unknown access in memory of instruction x.one 'red'; did you mean 'read'?",
        ),
        ("stride: 0", "strid: 0", 22, "unknown key of memory of instruction x.one 'strid'; did you mean 'stride'?"),
        (
            "    unit: vector\n",
            "",
            15,
            "instruction x.one has no 'unit'; add 'unit:' (class of execution unit: alu, mul, "
            "div, fpu, fdiv, branch, load, store, csr, system, sync, tile_lsu, matrix, vector, dma)",
        ),
        (
            "unit: vector",
            "unit:",
            19,
            "'unit' of instruction x.one must be text, not empty; it says: class of execution "
            "unit: alu, mul, div, fpu, fdiv, branch, load, store, csr, system, sync, tile_lsu, matrix, vector, dma",
        ),
        ("  x.one:", "  x one:", 14, "'x one' is no mnemonic; use letters, digits, _ and dots"),
        ("extension: Xt", "extension: I", 1, None),
    ],
)
def test_errors(tmp_path: Path, old: str, new: str, line: int | None, message: str | None) -> None:
    assert old in GOOD
    with pytest.raises(InputError) as caught:
        load(tmp_path, GOOD.replace(old, new, 1), "zicsr")
    if message is not None:
        assert str(caught.value) == f"{tmp_path / 'xt.yaml'}:{line}: {message}"


def test_parameters_out_of_bounds(tmp_path: Path) -> None:
    for value in (1, 65, 128, 12, -8, True, 2.0):
        with pytest.raises(InputError) as caught:
            load(tmp_path, GOOD, N=value)
        assert str(caught.value) == f"parameter N is {value!r}; use 2 to 64, a power of two"


def test_overlaps_and_double_names_cite_both_places(tmp_path: Path) -> None:
    base = load_isa("rv64i").instructions["add"]
    twice = GOOD.replace("x.one", "add", 1)
    with pytest.raises(InputError) as caught:
        load(tmp_path, twice)
    assert str(caught.value) == (
        f"{tmp_path / 'xt.yaml'}:14: instruction add is already there ({base.file}:{base.line}); rename one, "
        "or load only one of the extensions"
    )
    entry = GOOD[GOOD.index("  x.one:") :]
    with pytest.raises(InputError) as caught:
        load(tmp_path, GOOD + entry.replace("x.one", "x.two"))
    path = tmp_path / "xt.yaml"
    line = len(GOOD.splitlines()) + 1
    assert str(caught.value) == (
        f"{path}:{line}: encoding of x.two overlaps that of x.one ({path}:14); change the fixed bits of one"
    )
    other = tmp_path / "other.yaml"
    other.write_text("extension: Xo\nlong_name: o\nsource: s\nstate:\n  y: {kind: csr, address: 0x800}\n")
    with pytest.raises(InputError) as caught:
        load(tmp_path, GOOD, str(other))
    assert str(caught.value) == (
        f"{path}:10: CSR xlen has the address 0x800 of y ({other}:5); give one of them another address"
    )


def test_unknown_extension_suggests() -> None:
    with pytest.raises(InputError) as caught:
        load_isa("rv64im", "zicrs")
    assert str(caught.value) == "unknown extension 'zicrs'; did you mean 'zicsr'?"


def _paths(tree: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path for key, value in items for path in [(*prefix, key), *_paths(value, (*prefix, key))]]


@pytest.mark.parametrize("name", shipped("isa", ".yaml"))
def test_damaged_files_are_refused_or_load_but_never_crash(tmp_path: Path, name: str) -> None:
    """Any node replaced by any kind of value: an InputError with file and line, or an Isa."""
    tree = yaml.safe_load(shipped("isa", ".yaml")[name].read_text())
    # a few instructions are as good as all
    for key in list(tree.get("instructions", {}))[3:]:
        del tree["instructions"][key]
    rng = random.Random(name)
    bases = [base for base in ("i", "zicsr") if base != name]
    values = [
        None,
        "",
        0,
        -1,
        2**70,
        1.5,
        True,
        "x",
        "N",
        "1-0",
        "31-0",
        [],
        {},
        [1],
        {"a": {}},
        [{}],
        ["x", None],
        "é",
    ]
    for path in rng.sample(_paths(tree), k=min(8, len(_paths(tree)))):
        damaged = copy.deepcopy(tree)
        parent = damaged
        for key in path[:-1]:
            parent = parent[key]
        parent[path[-1]] = rng.choice(values)
        file = tmp_path / "damaged.yaml"
        file.write_text(yaml.safe_dump(damaged, sort_keys=False))
        try:
            load_isa(*bases, str(file))
        except InputError as error:
            assert error.file is not None and error.line is not None and "\n" not in str(error), (path, str(error))


def test_letters_of_a_base_name_mean_what_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file m.yaml in the current folder, say a design, is not the extension M of rv64im."""
    (tmp_path / "m.yaml").write_text("design: mine\n")
    monkeypatch.chdir(tmp_path)
    assert "mul" in load_isa("rv64im").instructions
