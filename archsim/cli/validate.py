"""archsim validate: simulated figures against reference figures."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def register(app: typer.Typer) -> None:
    app.command()(validate)


def validate(
    suite: Annotated[str | None, typer.Argument(help="One suite (default: list them).")] = None,
    reference: Annotated[str | None, typer.Option(help="Another CSV file of the same columns.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare with other simulators, silicon and papers. Example: archsim validate systolic"""
    from archsim.cli.output import bar, print_json, print_table
    from archsim.common.errors import InputError
    from archsim.validation.suite import by_class, run_suite
    from archsim.validation.suites import NAMES, suite_of

    if suite is None:
        if reference is not None:
            raise InputError("--reference is for one suite", remedy="name it, as in 'archsim validate systolic'")
        suites = [suite_of(name) for name in NAMES]
        if json:
            print_json([{"suite": one.name, "about": one.about, "reference": one.reference} for one in suites])
        else:
            print_table(["suite", "compares"], [(one.name, one.about) for one in suites], left=2)
        return
    chosen = suite_of(suite)
    with bar(f"validate {suite}") as progress:
        rows = run_suite(chosen, reference, progress)
    classes = by_class(rows)
    if json:
        print_json({"suite": suite, "rows": [row.to_dict() for row in rows], "classes": classes})
        return
    print_table(
        ["what", "class", "quantity", "simulated", "reference", "error", "note"],
        [_row(row) for row in rows],
        chosen.about,
        left=3,
    )
    print_table(
        ["class", "quantity", "rows", "mean |error|", "worst |error|", "geometric mean of simulated / reference"],
        [_class(one) for one in classes],
        "By class",
        left=2,
    )


def _row(row: Any) -> tuple[str, ...]:
    return (
        row.name, row.kind, row.quantity, f"{row.simulated:,.6g}", f"{row.reference:,.6g}", _percent(row.error),
        row.note,
    )  # fmt: skip


def _class(one: dict[str, Any]) -> tuple[str, ...]:
    ratio = one["geometric_mean_ratio"]
    return (
        one["class"], one["quantity"], str(one["rows"]), _percent(one["mean_error"]), _percent(one["worst_error"]),
        "" if ratio is None else f"{ratio:.3f}",
    )  # fmt: skip


def _percent(error: float) -> str:
    return f"{100 * error:+.2f} %" if error else "0 %"
