"""Extension files that strangers may send: each is refused with one line that names file, line and column.

The messages stand in malformed.txt. Nothing here may hang, take much memory, or end in another exception.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from archsim.common.errors import InputError
from archsim.common.resources import shipped
from archsim.isa.load import load_isa

GOOD = """\
extension: Xt
long_name: a test
source: here
requires: [I]
parameters:
  N: {default: 8, minimum: 2, maximum: 64, power_of_two: true}
state:
  m: {kind: register_file, count: 4, type: int8, shape: [N, 8]}
  m4: {kind: view, of: m, type: int4}
  room: {kind: scratch, type: int32, shape: [N]}
  mode: {kind: csr, address: 0x800, fields: {type: {location: 3-0}}}
  any: {kind: view, of: m, select: mode.type, types: [int8, int4], as: int}
  len: {kind: csr, address: 0x801, maximum: N}
instructions:
  t.one:
    long_name: one
    encoding:
      match: "000000000000-----00000---0001011"
      variables:
        - {name: xs1, location: 19-15, register: X}
        - {name: md, location: 9-7, register: m, not: [4, 5, 6, 7]}
    assembly: "md, xs1"
    unit: vector
    work: {elements: N, bits: 8, class: alu}
    operation: |
      for i in range(len):
          m[md, min(i, N - 1), 0] = X[xs1] + i
  t.two:
    long_name: two
    encoding:
      match: "0000001----------000-----0001011"
      variables:
        - {name: xd, location: 11-7, register: X}
        - {name: xs1, location: 19-15, register: X}
        - {name: xs2, location: 24-20, register: X}
    assembly: "xd, xs1, xs2"
    unit: alu
    operation: |
      X[xd] = X[xs1] + X[xs2]
"""
OPERATION = "      X[xd] = X[xs1] + X[xs2]\n"
MESSAGES = dict(
    line.split(": ", 1)
    for line in Path(__file__).with_name("malformed.txt").read_text().splitlines()
    if line[:1] != "#"
)


def operation(text: str) -> str:
    """GOOD with another operation."""
    return GOOD.replace(OPERATION, textwrap.indent(text, "      ") + "\n")


def change(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new, 1)


FILES: dict[str, str | bytes] = {}
FILES["overlapping bits"] = change(
    "location: 19-15, register: X}\n        - {name: md", "location: 12-8, register: X}\n        - {name: md"
)
FILES["a bit without variable"] = change("0000001----------000-----0001011", "0000001----------0-0-----0001011")
FILES["a bit of two variables"] = change("location: 24-20", "location: 19-15")
FILES["fixed bit in a variable"] = change("0000001----------000-----0001011", "0000001----------000----00001011")
FILES["short match"] = change("0000001----------000-----0001011", "000001----------000-----0001011")
FILES["unknown field"] = change("unit: alu", "unitt: alu")
FILES["wrong type"] = change("count: 4", "count: four")
FILES["wrong type of list"] = change("requires: [I]", "requires: I")
FILES["undeclared state"] = change("X[xs1] + X[xs2]", "Y[xs1]")
FILES["undeclared operand"] = change("X[xs1] + X[xs2]", "X[xs3]")
FILES["recursion between parameters"] = GOOD.replace(
    "  N: {default", "  A: {value: B + 1}\n  B: {value: A}\n  N: {default"
)
FILES["past a register"] = GOOD.replace("min(i, N - 1), 0]", "min(i, N - 1), 8]")
FILES["past a register by a variable"] = GOOD.replace("min(i, N - 1), 0]", "N + i, 0]")
FILES["unbounded loop"] = operation("for i in range(X[xs1]):\n    X[xd] = i")
FILES["while"] = operation("while 1 == 1:\n    X[xd] = 1")
FILES["name clash of instructions"] = (
    GOOD
    + """  add:
    long_name: clash
    encoding: {match: "00000110000000000000000000001011"}
    assembly: ""
    unit: alu
    operation: pass
"""
)
FILES["name clash of state"] = GOOD.replace("  len: {kind", "  N: {kind")
FILES["name twice"] = GOOD.replace("  t.two:", "  t.one:")
FILES["requires itself"] = GOOD.replace("requires: [I]", "requires: [I, Xt]")
FILES["requires nothing known"] = GOOD.replace("requires: [I]", "requires: [I, Xnone]")
FILES["yaml bomb"] = (
    "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(12))
    + GOOD
)
FILES["deep nesting"] = GOOD + "x: " + "[" * 100000 + "]" * 100000 + "\n"
FILES["10 MB"] = GOOD + "# " + "x" * 10_000_000 + "\n"
FILES["10 MB operation"] = operation("\n".join(["X[xd] = X[xs1]"] * 500_000))
FILES["tabs"] = GOOD.replace("    unit: alu", "\tunit: alu")
FILES["huge integer"] = GOOD.replace("default: 8", "default: " + "9" * 5000)
FILES["nan"] = GOOD.replace("default: 8", "default: .nan")
FILES["negative count"] = GOOD.replace("count: 4", "count: -4")
FILES["exploding template"] = GOOD.replace(
    "  t.two:\n",
    "  t.{a}{b}{c}{d}:\n    for: ["
    + ", ".join("[" + ", ".join(f"{{{k}: {i}}}" for i in range(50)) + "]" for k in "abcd")
    + "]\n",
)

FILES["large register file"] = GOOD.replace("shape: [N, 8]", "shape: [1048576, 1048576]")
FILES["many register files"] = GOOD.replace(
    "  len: {kind",
    "\n".join(f"  big{i}: {{kind: register_file, count: 64, type: int64, shape: [1048576]}}" for i in range(200))
    + "\n  len: {kind",
)
FILES["large scratch"] = GOOD.replace("type: int32, shape: [N]", "type: int32, shape: [100000000]")
FILES["csr clash"] = GOOD.replace("0x801", "0x800")
FILES["view of a view"] = GOOD.replace("  m4: {kind: view, of: m,", "  m4: {kind: view, of: any,")
FILES["select of nothing"] = GOOD.replace("select: mode.type", "select: mode.kind")
FILES["too many types"] = GOOD.replace("types: [int8, int4]", "types: [" + ", ".join(["int8"] * 17) + "]")
FILES["unknown memory access"] = GOOD.replace(
    "    work: {elements",
    "    memory: [{access: peek, address: 0, rows: 1, row_bytes: 1, stride: 0}]\n    work: {elements",
)
FILES["constraint"] = GOOD.replace("state:\n", "constraints: [N > 100]\nstate:\n", 1)
FILES["expands nothing"] = GOOD.replace("    unit: alu\n    operation: |\n" + OPERATION, '    expands: "nothing xd"\n')
FILES["attribute"] = operation("X[xd] = X.__class__")
FILES["import"] = operation("import os")
FILES["lambda"] = operation("f = lambda: 1")
FILES["comprehension"] = operation("X[xd] = [i for i in range(3)]")
FILES["f-string"] = operation('a = f"{xs1}"')
FILES["walrus"] = operation("X[xd] = (a := 1)")
FILES["unlisted function"] = operation("X[xd] = eval(1)")
FILES["dunder"] = operation("__import__ = 1")

FILES["deep parentheses"] = operation("X[xd] = " + "(" * 5000 + "1" + ")" * 5000)
FILES["long sum"] = operation("X[xd] = " + "+".join(["1"] * 50000))
FILES["nested loops"] = operation(
    "\n".join("    " * i + f"for i{i} in range(0x7FFFFFF):" for i in range(6)) + "\n" + "    " * 6 + "X[xd] = i0"
)

FILES["group beyond"] = GOOD.replace("register: m, not: [4, 5, 6, 7]", "register: m, group: 300, not: [4, 5, 6, 7]")
FILES["bad group"] = GOOD.replace("register: m, not: [4, 5, 6, 7]", "register: m, group: x, not: [4, 5, 6, 7]")
FILES["bad example"] = GOOD.replace(
    "    unit: alu\n", "    unit: alu\n    examples: [{operands: {xd: a0}, before: {q9: 1}}]\n"
)
FILES["non-string key"] = GOOD.replace("  t.two:", "  3.5:")
FILES["template that explodes in text"] = GOOD.replace(
    "  t.two:\n    long_name: two",
    '  t.two:\n    for: [[{a: "' + "{b}" * 99 + '", b: "' + "{c}" * 99 + '", c: "' + "{d}" * 99 + '", d: x}]]\n'
    '    long_name: "{a}"',
)
FILES["alias before its anchor"] = GOOD.replace("long_name: two", "long_name: *later")
FILES["two documents"] = GOOD + "---\na: 1\n"
FILES["a collection as a key"] = GOOD + "? [1, 2]\n: 3\n"
FILES["a tag that makes objects"] = GOOD.replace("source: here", "source: !!python/object/apply:os.system [ls]")
FILES["a chain of statements"] = operation("\n".join(["X[xd] = X[xs1]"] * 20_000))
FILES["an integer that does not fit"] = operation("X[xd] = 0x1FFFFFFFFFFFFFFFF")
FILES["a float where an int belongs"] = operation("X[xd] = 1.5")
FILES["a value that nobody uses"] = operation("min(1, 2)")
FILES["an assigned operand"] = operation("xs1 = 3")
FILES["a string"] = operation("X[xd] = 'abc'")
FILES["not Python"] = operation("X[xd] = = 3")
FILES["a needed version that is not there"] = GOOD.replace("requires: [I]", 'requires: ["I >= 99"]')
FILES["a unit that is none"] = GOOD.replace("unit: alu", "unit: alloy")
FILES["assembly without an operand"] = GOOD.replace('assembly: "xd, xs1, xs2"', 'assembly: "xd, xs1"')
FILES["empty"] = ""
FILES["list"] = "- 1\n- 2\n"
FILES["binary"] = bytes(range(256)) * 100
FILES["invalid utf-8"] = GOOD.encode() + b"# \xff\xfe\n"
FILES["nul"] = GOOD.encode() + b"\0"


def refuse(path: Path, content: str | bytes) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as caught:
        load_isa("rv64i", "zicsr", str(path))
    shipped_folder = f"{shipped('isa', '.yaml')['i'].parent}/"
    return str(caught.value).replace(str(path), "FILE").replace(shipped_folder, "")


def test_the_good_one_loads(tmp_path: Path) -> None:
    path = tmp_path / "xt.yaml"
    path.write_text(GOOD)
    assert "t.two" in load_isa("rv64i", "zicsr", str(path)).instructions


@pytest.mark.parametrize("name", FILES)
def test_refused_in_one_line(tmp_path: Path, name: str) -> None:
    message = refuse(tmp_path / "xt.yaml", FILES[name])
    assert message.startswith(MESSAGES[name]), message
    assert "\n" not in message


def test_every_file_has_its_message() -> None:
    assert FILES.keys() == MESSAGES.keys() and len(FILES) >= 40


BOMBS = ("yaml bomb", "deep nesting", "10 MB", "10 MB operation", "exploding template", "large register file",
         "many register files", "large scratch", "long sum", "deep parentheses", "nested loops")  # fmt: skip


def test_bombs_take_neither_time_nor_memory(tmp_path: Path) -> None:
    """All of them in a process of 20 seconds and 3 GiB of addresses."""
    for name in BOMBS:
        content = FILES[name]
        path = tmp_path / f"{name.replace(' ', '_')}.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    script = f"""
import pathlib
from archsim.common.errors import InputError
from archsim.common.resources import shipped
from archsim.isa.load import load_isa
for path in sorted(pathlib.Path({str(tmp_path)!r}).glob("*.yaml")):
    try:
        load_isa("rv64i", "zicsr", str(path))
        print("loaded", path)
    except InputError:
        pass
"""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))

    done = subprocess.run(
        [sys.executable, "-c", script], preexec_fn=limit, capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
