"""Lint: what published tables are known to contain, every rule on a small file, and nothing on what ships."""

from __future__ import annotations

import json
import random
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.common.errors import InputError
from archsim.common.resources import shipped
from archsim.common.yamlfile import load_yaml
from archsim.isa.encoding import decode, encode, overlaps
from archsim.isa.findings import Finding
from archsim.isa.lint import Report, lint
from archsim.isa.load import load_isa
from archsim.isa.space import count, cubes, room
from archsim.isa.spec import Instruction, Variable
from tests.cli.run_archsim import Outcome, archsim
from tests.isa.tables import as_published, extension, mnemonic, rows

XUANTIE, SPACEMIT, DRAFTS = (
    rows(f"{name}.csv") for name in ("xuantie_matrix_0.6", "spacemit_ime_0.6", "zvt_zvvm_drafts")
)
ZVT = [row for row in DRAFTS if row["group"].startswith("zvt")]
ZVVM = [row for row in DRAFTS if row["group"].startswith("Zvv")]


def write(folder: Path, name: str, text: str) -> str:
    path = folder / f"{name.lower()}.yaml"
    path.write_text(text)
    return str(path)


def of_rule(report: Report, rule: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.rule == rule]


def pairs(report: Report) -> set[frozenset[str]]:
    return {frozenset(finding.instructions) for finding in of_rule(report, "overlap")}


def by_hand(table: list[dict[str, str]]) -> set[frozenset[str]]:
    """Pairs of a table whose patterns no bit tells apart, found without anything of archsim."""
    return {
        frozenset((mnemonic(one), mnemonic(two)))
        for one, two in combinations(table, 2)
        if all("-" in bits or bits[0] == bits[1] for bits in zip(one["match"], two["match"], strict=True))
    }


def test_the_published_table_of_xuantie_has_its_27_multiplications_on_loads_and_stores(tmp_path: Path) -> None:
    group = {mnemonic(row): row["group"] for row in XUANTIE}
    assert len(group) == 224
    report = lint(write(tmp_path, "Xt", extension(XUANTIE, "Xt", as_published)))
    assert report.failed and pairs(report) == by_hand([as_published(row) for row in XUANTIE])
    on_loads = {pair for pair in pairs(report) if {group[name] for name in pair} == {"load_store", "matmul"}}
    assert len(on_loads) == 27
    assert {name for pair in on_loads for name in pair if group[name] == "matmul"} == {
        name for name in group if group[name] == "matmul"
    }
    forms = pairs(report) - on_loads
    assert len(forms) == 30
    assert all({name.rpartition(".mv.i")[0] or name.rpartition(".mm")[0] for name in pair} for pair in forms)
    text = next(one.text for one in of_rule(report, "overlap") if set(one.instructions) == {"mlbe32", "mmacc.w.b"})
    line = next(number for number, text in enumerate(Path(report.findings[0].file).read_text().splitlines(), 1)
                if text == "  mmacc.w.b:")  # fmt: skip
    assert text == (
        # bits 24 and 23 are 1, bits 19 and 18 (of rs1) are 0
        f"mlbe32 with rs2 = 24-31, rs1 = 0-7 is also mmacc.w.b with any operands (xt.yaml:{line}), as 0x1580082b"
    )


def test_row_7_of_30_forms_of_xuantie_is_another_instruction(tmp_path: Path) -> None:
    file = write(tmp_path, "Xt", extension(XUANTIE, "Xt"))
    report = lint(file)
    assert len(pairs(report)) == 30
    unreachable = of_rule(report, "unreachable")
    assert len(unreachable) == 30
    for finding in unreachable:
        special = finding.instructions[0].replace(".mv.i", ".mm")
        assert finding.text.startswith(
            f"uimm3 = 7 of {finding.instructions[0]} cannot be reached: {special} takes these words (xt.yaml:"
        )
        line = int(finding.text.rpartition(":")[2].rstrip(")"))
        assert finding.file == file and Path(file).read_text().splitlines()[line - 1] == f"  {special}:"


def corrected(text: str) -> str:
    """XuanTie's table with row 7 left to the `.mm` forms."""
    return text.replace('{name: uimm3, location: "25-23"}', '{name: uimm3, location: "25-23", not: 7}')


def test_the_corrected_table_is_clean_and_collides_with_spacemit_in_8_pairs(tmp_path: Path) -> None:
    ours = write(tmp_path, "Xt", corrected(extension(XUANTIE, "Xt")))
    theirs = write(tmp_path, "Xsmt", extension(SPACEMIT, "Xsmt"))
    assert not lint(ours).failed and not lint(theirs).failed
    report = lint(ours, theirs)
    assert pairs(report) == {
        frozenset(pair)
        for pair in [
            *((f"mscte{size}", "smt.vpack.vv") for size in (8, 16, 32, 64)),
            *((f"mmin.w.{form}", "smt.vpack.vv") for form in ("mm", "mv.i")),
            *((f"mn4cliplu.w.{form}", "smt.vnpack4.vv") for form in ("mm", "mv.i")),
        ]
    }
    assert len(pairs(report)) == 8
    together = by_hand(XUANTIE + SPACEMIT) - by_hand(XUANTIE)
    assert pairs(report) == together


def test_zvt_collides_with_the_tile_loads_of_zvvm_in_8_pairs(tmp_path: Path) -> None:
    ours, theirs = write(tmp_path, "Zt", extension(ZVT, "Zt")), write(tmp_path, "Zw", extension(ZVVM, "Zw"))
    assert not lint(ours).failed and not lint(theirs).failed
    report = lint(ours, theirs)
    expected = {frozenset((f"vt{kind[0]}e{size}", kind[1])) for kind in (("l", "vmtl.v"), ("s", "vmts.v"))
                for size in (8, 16, 32, 64)}  # fmt: skip
    assert pairs(report) == expected == by_hand(DRAFTS)
    text = next(one.text for one in of_rule(report, "overlap") if set(one.instructions) == {"vtle16", "vmtl.v"})
    assert "is also vmtl.v with lambda = 1, vm = 1, vd = 0 (zw.yaml:" in text


@pytest.mark.parametrize("name", shipped("isa", ".yaml"))
def test_each_shipped_file_is_clean(name: str) -> None:
    assert [one for one in lint(name).findings if one.severity == "error"] == []


def test_what_ships_is_clean_together() -> None:
    """Everything but what a file before it rules out, itself or by what it requires."""
    trees = {tree["extension"]: tree for tree in map(load_yaml, shipped("isa", ".yaml").values())}

    def needed(extension: str) -> set[str]:
        own = {str(other).split()[0] for other in trees[extension].get("requires", [])}
        return {extension}.union(*map(needed, own))

    ruled_out: set[str] = set()
    chosen = []
    for name, path in shipped("isa", ".yaml").items():
        group = needed(load_yaml(path)["extension"])
        if not group & ruled_out:
            chosen.append(name)
            ruled_out |= {str(other).split()[0] for one in group for other in trees[one].get("conflicts", [])}
    errors = [one for one in lint("rv64gcv", *chosen).findings if one.severity == "error"]
    assert errors == [] and len(chosen) > 30


SMALL = """\
extension: Xs
long_name: Small
source: here
requires: [I]
state:
  m: {kind: register_file, count: 8, type: int8, shape: [4]}
  a: {kind: csr, address: 0x800, description: a number}
instructions:
  xs.one:
    long_name: One
    description: loads one
    encoding:
      match: "000000000000-----000000--0001011"
      variables: [{name: md, location: 8-7, register: m}, {name: xs1, location: 19-15, register: X}]
    assembly: md, (xs1)
    unit: vector
    work: {elements: 1, bits: 8, class: alu}
    memory:
      - {access: read, address: "X[xs1]", rows: 1, row_bytes: 1, stride: 0}
    operation: m[md, 0] = load_i8(X[xs1])
"""
ANOTHER = SMALL.replace("Xs", "Xr").replace("  m:", "  n:").replace("  a:", "  b:").replace("0x800", "0x801")
ANOTHER = ANOTHER.replace("register: m", "register: n").replace("m[md", "n[md").replace("xs.one", "xr.one")


@pytest.mark.parametrize(
    ("old", "new", "severity", "rule", "line", "text"),
    [
        ("", "", "warning", "unreachable", 1, "no instruction can name m4, m5, m6, m7 of m"),
        ("xs.one", "xs.One", "warning", "name", 9, "mnemonic xs.One is not of small letters, digits, dots and _"),
        ("xs.one", "ret", "warning", "name", 9, "mnemonic ret hides the pseudo-instruction of that name"),
        ("register: X}", "register: X, not: 32}", "warning", "unreachable", 9,
         "'not:' of xs1 of xs.one names [32], which it cannot hold"),
        ("8-7, register: m}", "8-7, register: m, not: [0, 1, 2, 3]}", "error", "unreachable", 9,
         "xs.one has no word: 'not:' leaves a variable no value"),
        ("    work: {elements: 1, bits: 8, class: alu}\n", "", "warning", "no-timing", 9,
         "xs.one has no 'work': unit vector takes its latency alone for it"),
        ("    unit: vector\n", "", "error", "no-timing", 10, "instruction xs.one has no 'unit'; add 'unit:' (class"),
        ("    operation: m[md, 0] = load_i8(X[xs1])\n", "", "error", "no-operation", 10,
         "instruction xs.one has no 'operation'; add 'operation:' (its meaning, in the operation language)"),
        ("    description: loads one\n", "", "note", "no-description", 1,
         "1 without description (their long_name is all that documentation says): xs.one"),
        ("load_i8(X[xs1])", "0", "note", "no-description", 1, "1 without description (parameters and state): m"),
        ("match: \"000", "match: \"-00", "error", "unused-bits", 13,
         "bits [31] of xs.one are '-' but no variable's; make them 0 or 1, or add a variable"),
        ("requires: [I]", "requires: [I, Xq]", "error", "load", 4,
         "extension Xs requires Xq, which is not loaded; load Xq, too"),
        ("m[md, 0]", "m[mx, 0]", "error", "load", 20, "operation of xs.one: the register of m must be an operand"),
        ("int8", "int9", "error", "load", 6, "unknown type of state m 'int9'; did you mean 'int8'?"),
    ],
)  # fmt: skip
def test_rules(tmp_path: Path, old: str, new: str, severity: str, rule: str, line: int, text: str) -> None:
    assert old in SMALL
    report = lint(write(tmp_path, "Xs", SMALL.replace(old, new)))
    found = [(one.severity, one.rule, one.line) for one in report.findings if text in one.text]
    assert found == [(severity, rule, line)], report.findings
    assert report.failed == (severity == "error")


def test_an_operand_that_nothing_looks_at(tmp_path: Path) -> None:
    text = SMALL.replace(
        '    memory:\n      - {access: read, address: "X[xs1]", rows: 1, row_bytes: 1, stride: 0}\n', ""
    )
    report = lint(write(tmp_path, "Xs", text.replace("load_i8(X[xs1])", "0")))
    assert [one.text for one in of_rule(report, "unused-bits")] == [
        "nothing looks at xs1 of xs.one: bits 19, 18, 17, 16, 15 say nothing"
    ]


def test_it_goes_on_after_the_first_problem_and_names_clashes_across_files(tmp_path: Path) -> None:
    one = write(tmp_path, "Xs", SMALL.replace("unit: vector", "unit: vectro"))
    two = write(tmp_path, "Xr", ANOTHER + ANOTHER[ANOTHER.index("  xr.one") :].replace("xr.one", "x.two"))
    report = lint(one, two)
    errors = {(Path(finding.file).name, finding.rule) for finding in report.findings if finding.severity == "error"}
    assert errors == {("xs.yaml", "load"), ("xr.yaml", "overlap")}
    same = write(tmp_path, "Xr", ANOTHER.replace("xr.one", "xs.one").replace("  n:", "  m:").replace(" n}", " m}"))
    report = lint(write(tmp_path, "Xs", SMALL), same)
    clashes = [finding.text for finding in report.findings if finding.rule == "name" and finding.severity == "error"]
    assert [text.split(" (")[0].split(";")[0] for text in clashes] == [
        "state m has the name of state m of extension Xs",
        "instruction xs.one is already there",
    ]


def test_declared_conflicts_and_cases(tmp_path: Path) -> None:
    one = write(tmp_path, "Xs", SMALL)
    two = write(tmp_path, "Xr", ANOTHER.replace("requires: [I]", "requires: [I]\nconflicts: [Xs]"))
    report = lint(one, two)
    assert [finding.rule for finding in report.findings if finding.severity == "error"] == ["conflict", "overlap"]
    assert lint("zihintpause", "i").failed is False
    assert of_rule(lint("zihintpause", "i"), "overlap") == []


def test_a_file_that_is_no_yaml_is_a_finding(tmp_path: Path) -> None:
    report = lint(write(tmp_path, "Xs", "a: [\n"), write(tmp_path, "Xr", ANOTHER))
    assert [(one.rule, Path(one.file).name) for one in report.findings if one.severity == "error"] == [
        ("load", "xs.yaml")
    ]
    with pytest.raises(InputError, match="unknown extension 'xqtt'"):
        lint("xqtt")


def test_tables_of_encodings_assemble_and_trap(tmp_path: Path) -> None:
    import archsim as package

    isa = load_isa("rv64im", write(tmp_path, "Xt", corrected(extension(XUANTIE, "Xt"))))
    assert isa.extensions["Xt"].encodings_only and isa.instructions["mzero"].is_encoding_only
    program = isa.assemble("mlae8 5, 6, 3\n")
    word = int.from_bytes(program.segments[0].data[:4], "little")
    assert word == 0x0400002B | 5 << 20 | 6 << 15 | 3 << 7
    assert isa.disassemble(word) == "mlae8 5, 6, 3"
    with pytest.raises(package.SimulationError, match="illegal instruction"):
        package.run(program, "edge-npu", isa=isa, fidelity="functional")
    notes = {one.rule: one.text for one in lint(str(tmp_path / "xt.yaml")).findings}
    assert notes["no-operation"].startswith("224 without operation: they trap when executed: ")


# -- the algorithms


def made(index: int, match: str, *variables: Variable) -> Instruction:
    add = load_isa("rv64i").instructions["add"]
    return Instruction(f"x{index}", "", "", match, variables, "", "alu", add.operation, {}, (), add.file, 1)


@st.composite
def patterns(draw: st.DrawFn) -> list[Instruction]:
    """Instructions of 16 bits whose variables may not have some values."""
    result = []
    for index in range(draw(st.integers(2, 6))):
        fixed = draw(st.text("01-", min_size=10, max_size=10))
        free = [15 - at for at, character in enumerate(fixed) if character == "-"]
        draw(st.randoms()).shuffle(free)
        cut = draw(st.integers(0, len(free)))
        groups = [bits for bits in (free[:cut], free[cut:]) if bits]
        variables = [
            Variable(f"v{at}", tuple(bits), forbidden=draw(st.frozensets(st.integers(0, (1 << len(bits)) - 1))))
            for at, bits in enumerate(groups)
        ]
        result.append(made(index, fixed + "000001", *variables))
    return result


@given(patterns())
@settings(deadline=None, max_examples=200)
def test_overlap_and_space_by_brute_force(instructions: list[Instruction]) -> None:
    """All 1,024 words tried on every instruction."""

    def has(instruction: Instruction, word: int) -> bool:
        if word & instruction.mask != instruction.value:
            return False
        for variable in instruction.variables:
            value = 0
            for bit in variable.bits:
                value = 2 * value + (word >> bit & 1)
            if value in variable.forbidden:
                return False
        return True

    words = {id(one): {word for word in range(1, 1 << 16, 64) if has(one, word)} for one in instructions}
    expected = [(a.name, b.name) for a, b in combinations(instructions, 2) if words[id(a)] & words[id(b)]]
    assert [(a.name, b.name) for a, b in overlaps(instructions)] == expected
    taken = [cube for one in instructions for cube in cubes(one)]
    for one in instructions:
        assert sum(1 << 16 - mask.bit_count() for mask, _ in cubes(one)) == len(words[id(one)])
    # the cubes know 16 bits: the upper 16 count as fixed
    assert count(taken, 0xFFFF << 16) == len(set().union(*words.values()))


def test_overlaps_among_2000_instructions_are_those_of_every_pair() -> None:
    random.seed(3)
    instructions = []
    for index in range(2000):
        opcode = random.choice(["0001011", "0101011", "1010111"])
        funct = "".join(random.choice("01") for _ in range(10))
        extra = "".join(random.choice("01-") for _ in range(5))
        instructions.append(made(index, f"{funct[:7]}{extra}-----{funct[7:]}-----{opcode}"))
    patterns = np.array([list(one.match) for one in instructions])
    agree = np.ones((2000, 2000), bool)
    for bits in patterns.T:
        agree &= (bits[:, None] == bits) | (bits[:, None] == "-") | (bits == "-")
    assert len(overlaps(instructions)) == (agree.sum() - 2000) // 2 > 50


def test_space_of_custom_0_beside_xqt() -> None:
    isa = load_isa("rv64im", "xqt")
    own = list(isa.instructions.values())
    left = room(own, 0x0B)
    for funct3 in left.funct3:
        assert not any(int(one.match[17:20].replace("-", "0"), 2) == funct3 for one in own if one.value & 127 == 0x0B)
    for funct3, free in left.funct7.items():
        for funct7 in free[:8]:
            word = funct7 << 25 | funct3 << 12 | 0x0B
            assert all(decode(isa, word | random.randrange(1 << 10) << 15) is None for _ in range(20))
    used = sum(
        len({encode(one, dict(zip(names, values, strict=True))) for values in _all(one)})
        for one in own
        if one.value & 127 == 0x0B and sum(variable.width for variable in one.variables) <= 12
        for names in [[variable.name for variable in one.variables]]
    )
    assert used <= left.used <= 2**25
    assert room(own, 0x2B).used == 0 and room(own, 0x2B).funct3 == tuple(range(8))
    assert room(own, 0x37).used == 2**25 and room(own, 0x37).free_fraction == 0


def _all(instruction: Instruction) -> list[tuple[int, ...]]:
    from itertools import product

    return list(product(*(set(range(1 << variable.width)) - variable.forbidden for variable in instruction.variables)))


# -- the command


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*arguments: str) -> Outcome:
        return archsim("isa", "lint", *arguments, capsys=capsys, monkeypatch=monkeypatch)

    file = write(tmp_path, "Xs", SMALL)
    done = run(file, "--free")
    assert done.code == 0 and "custom-0 (0x0b)" in done.out and "0 errors, 1 warning, 1 note" in done.out
    done = run(file, write(tmp_path, "Xr", ANOTHER), "--json", "--free")
    assert done.code == 1
    document = json.loads(done.out)
    assert document["counts"]["error"] == 1
    overlap = next(one for one in document["findings"] if one["rule"] == "overlap")
    assert overlap["instructions"] == ["xs.one", "xr.one"] and overlap["line"] == 9
    assert overlap["example"] == 0b1011
    assert [one["name"] for one in document["free"]] == ["custom-0"]
    assert document["free"][0]["used_words"] == 4 * 32
    assert run("nothing").code == 2
