"""What a validation suite is: rows of a reference file, each simulated, with their errors."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import isfinite, nan
from pathlib import Path
from statistics import geometric_mean
from typing import Any

from archsim.common.errors import InputError, nearest
from archsim.common.resources import find

FOLDER = "workloads/reference"
Progress = Callable[[int, int, str], None]
"""Called with the rows done, how many there are, and the row that is next."""


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        name: what was run.
        kind: the class that errors are summed up by.
        quantity: what was measured, with its unit ("cycles", "bandwidth GB/s").
        simulated, reference: the two figures.
        note: what a reader must know to judge the error.
        detail: more figures of the simulation, JSON-able.
    """

    name: str
    kind: str
    quantity: str
    simulated: float
    reference: float
    note: str = ""
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def error(self) -> float:
        """Relative error, signed: simulated / reference - 1 (a reference of 0 is met exactly or missed infinitely)."""
        if self.reference == 0:
            return 0.0 if self.simulated == 0 else float("inf")
        return self.simulated / self.reference - 1

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {**vars(self), "error": self.error}


@dataclass(frozen=True)
class Suite:
    """A kind of validation.

    Attributes:
        name: as on the command line.
        about: what is compared with what, in a line.
        reference: file of workloads/reference that is read where the user names none.
        columns: what a reference file must have; more columns are welcome.
        simulate: reference rows (column -> text, and "line" -> its number) and a progress function, to rows.
    """

    name: str
    about: str
    reference: str
    columns: tuple[str, ...]
    simulate: Callable[[list[dict[str, str]], Progress], list[Row]]


def read_reference(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a CSV file with a head; lines that begin with # are its source.

    Returns:
        Column -> text for each row, and "line" -> its number in the file.

    Raises:
        InputError: the file cannot be read, lacks a column, or a row has too few or too many fields.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror}", file=path, remedy="check the path") from None
    except UnicodeDecodeError:
        raise InputError("is no text", file=path, remedy="give a CSV file") from None
    kept = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip() and not line.startswith("#")]
    if not kept:
        raise InputError("is empty", file=path, remedy=f"give a CSV file of columns {', '.join(columns)}")
    head = next(csv.reader([kept[0][1]]))
    for column in columns:
        if column not in head:
            near = nearest(column, head)
            remedy = f"rename {near!r}" if near else f"the file has {', '.join(head)}"
            raise InputError(f"has no column {column!r}", file=path, line=kept[0][0], remedy=remedy)
    rows = []
    for number, line in kept[1:]:
        fields = next(csv.reader(io.StringIO(line)))
        if len(fields) != len(head):
            raise InputError(
                f"has {len(fields)} fields, its head {len(head)}", file=path, line=number, remedy="mend the row"
            )
        rows.append({**dict(zip(head, fields, strict=True)), "line": str(number)})
    return rows


def run_suite(suite: Suite, reference: str | None, progress: Progress) -> list[Row]:
    """Simulate every row of a suite's reference.

    Args:
        reference: a user's file, or None for the one that ships.

    Raises:
        InputError: the file is wrong; it says which line.
    """
    path = find("reference", reference or suite.reference, FOLDER, ".csv")
    rows = read_reference(path, suite.columns)
    if not rows:
        raise InputError("has no rows", file=path, remedy="add some")
    try:
        return suite.simulate(rows, progress)
    except InputError as error:
        if error.file is not None:
            raise
        raise InputError(error.message, remedy=error.remedy, file=path, line=error.line) from None


def number(row: dict[str, str], column: str) -> float:
    """A field of a reference row as a number.

    Raises:
        InputError: it is none, or negative.
    """
    try:
        value = float(row[column])
    except ValueError:
        value = nan
    if not isfinite(value) or value < 0:
        what = "less than nothing" if value < 0 else "not a number"
        raise InputError(f"{column} is {row[column]!r}, {what}", line=int(row["line"]), remedy="mend the row")
    return value


def size_of(row: dict[str, str], column: str) -> int:
    """A field of a reference row as a whole number from 1.

    Raises:
        InputError: it is none.
    """
    size = number(row, column)
    if size < 1 or size != int(size):
        raise InputError(
            f"{column} is {row[column]!r}, no whole number from 1", line=int(row["line"]), remedy="mend the row"
        )
    return int(size)


def by_class(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Errors summed up by class and quantity.

    Returns:
        Per class: rows, mean and worst absolute error, and the geometric mean of simulated / reference.
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.kind, row.quantity), []).append(row)
    result = []
    for (kind, quantity), some in groups.items():
        errors = [abs(row.error) for row in some]
        ratios = [row.simulated / row.reference for row in some if row.simulated > 0 and row.reference > 0]
        result.append(
            {
                "class": kind,
                "quantity": quantity,
                "rows": len(some),
                "mean_error": sum(errors) / len(errors),
                "worst_error": max(errors),
                "geometric_mean_ratio": geometric_mean(ratios) if ratios else None,
            }
        )
    return result
