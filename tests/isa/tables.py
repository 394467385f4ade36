"""Published tables of encodings (workloads/reference/*.csv) as extension files without meanings."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable
from pathlib import Path

REFERENCE = Path(__file__).parents[2] / "workloads" / "reference"
Row = dict[str, str]


def rows(name: str) -> list[Row]:
    """The rows of a table, by column."""
    lines = (REFERENCE / name).read_text().splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def mnemonic(row: Row) -> str:
    """A row's name as one word: smt.vmadot (.i8) is smt.vmadot.i8."""
    return re.sub(r"\W+$", "", re.sub(r" \(\.?", ".", row["name"])).replace(" ", "_")


def extension(table: Iterable[Row], name: str, change: Callable[[Row], Row] = lambda row: row) -> str:
    """YAML text of an extension with the encodings of a table; operands are numbers, in the order of their fields."""
    lines = [f"extension: {name}", "long_name: A published table", "source: its publisher", "encodings_only: true"]
    lines.append("instructions:")
    for row in map(change, table):
        fields = dict(entry.split(":") for entry in row["variables"].split(";") if entry)
        variables = ", ".join(f'{{name: {field}, location: "{location}"}}' for field, location in fields.items())
        lines += [
            f"  {mnemonic(row)}:",
            f'    long_name: "{row["name"]}"',
            f'    encoding: {{match: "{row["match"]}", variables: [{variables}]}}',
            f'    assembly: "{", ".join(fields)}"',
        ]
    return "\n".join(lines) + "\n"


def as_published(row: Row) -> Row:
    """A row of XuanTie's table before its correction: uop (bits 27-26) of the matrix multiplications is 01, not 10."""
    if row["group"] != "matmul":
        return row
    assert row["match"][4:6] == "10"
    return {**row, "match": f"{row['match'][:4]}01{row['match'][6:]}"}
