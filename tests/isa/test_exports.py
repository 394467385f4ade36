"""Documentation and the schema for editors fit the instruction sets that ship."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from archsim.common.errors import InputError
from archsim.common.resources import shipped
from archsim.common.yamlfile import load_yaml
from archsim.isa.diagram import bit_diagram
from archsim.isa.exports import CODE, DOCUMENTS, json_schema
from archsim.isa.load import load_isa
from archsim.isa.spec import Isa


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


def test_documents_tell_everything(isa: Isa) -> None:
    texts = {name: export(isa, "Xqt") for name, export in DOCUMENTS.items()}
    plain = html.unescape(re.sub(r"<[^>]*>", "", texts["html"]))
    for name, instruction in isa.extensions["Xqt"].instructions.items():
        source = instruction.operation.source.rstrip()
        assert f"\n### {name}\n" in texts["markdown"]
        assert bit_diagram(instruction) in texts["markdown"]
        assert f'<h3 id="{name}">{name}</h3>' in texts["html"] and f'<a href="#{name}">' in texts["html"]
        assert f"\\hypertarget{{{name}}}" in texts["latex"] and f"\\hyperlink{{{name}}}" in texts["latex"]
        assert all(source in text for text in (texts["markdown"], plain, texts["latex"]))
    for name, state in isa.extensions["Xqt"].state.items():
        assert f"| `{name}` |" in texts["markdown"]
        for field, (_, _, values) in state.fields.items():
            assert f"`{name}.{field}`" in texts["markdown"] and all(value in plain for value in values)
    assert "http" not in re.sub(r"https?://[^<]*", "", plain) and "<script" not in texts["html"]


class Tables(HTMLParser):
    """Widths of the rows of bit diagrams, and whether every element that is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.widths: list[int] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "col"):
            self.open.append(tag)
        if tag == "tr":
            self.widths.append(0)
        if tag == "td" and ("colspan" in dict(attrs)):
            self.widths[-1] += int(str(dict(attrs)["colspan"]))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_is_well_formed_and_diagrams_have_all_bits(isa: Isa) -> None:
    parser = Tables()
    parser.feed(DOCUMENTS["html"](isa, "Xqt"))
    assert parser.open == []
    count = len(isa.extensions["Xqt"].instructions)
    assert [width for width in parser.widths if width] == [32] * 2 * count


def test_latex_escapes_and_closes_everything(tmp_path: Path) -> None:
    odd = r"50% of $x_1 & #{2}\end{document} ~^ <>| \N{SNOWMAN}"
    (tmp_path / "x.yaml").write_text(
        "extension: Xodd\nlong_name: %s\nsource: here\nrequires: [I]\ninstructions:\n  x.odd:\n    long_name: %s\n"
        '    encoding: {match: "00000000000000000000000000001011"}\n    assembly: ""\n    unit: alu\n'
        "    operation: pass\n" % ((json.dumps(odd),) * 2)
    )
    text = DOCUMENTS["latex"](load_isa("rv64i", str(tmp_path / "x.yaml")), "Xodd")
    assert r"50\% of \$x\_1 \& \#\{2\}\textbackslash{}end\{document\}" in text
    assert text.isascii() and text.count("\\end{document}") == 1 == text.count("\\begin{document}")
    stack = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if kind == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert stack == []
    outside = re.sub(r"\\begin\{verbatim\}.*?\\end\{verbatim\}", "", text, flags=re.DOTALL)
    unescaped = re.sub(r"\\[\\{}$&#_%]", "", outside)
    assert unescaped.count("{") == unescaped.count("}")


def test_facts_of_a_design_stand_in_documents(isa: Isa) -> None:
    facts = {"qt.mma": {"cycles to the next": "128", "energy": "3 nJ"}}
    for export in DOCUMENTS.values():
        text = export(isa, "Xqt", facts, "edge-npu")
        assert "edge-npu" in text and text.count("3 nJ") == 2 and text.count("128") >= 2


def test_exports_of_an_unknown_extension(isa: Isa) -> None:
    for export in (*CODE.values(), *DOCUMENTS.values()):
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
