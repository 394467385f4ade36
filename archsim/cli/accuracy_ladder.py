"""archsim accuracy --ladder: formats and methods side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archsim.accuracy.ladder import Verdict
    from archsim.accuracy.measure import Experiment

OUTLIERS = 4
"""Channels that the second part of the ladder makes large."""


def run_ladder(model: str, plain: Experiment, html: Path | None) -> dict[str, Any]:
    """Measure everything, write the page if one is wanted, and give what --json prints."""
    import sys

    from archsim.accuracy import ladder
    from archsim.accuracy.experiment import with_outliers
    from archsim.cli.accuracy import entry
    from archsim.cli.output import bar
    from archsim.report.accuracy_figures import ladder_page

    subjects = {
        "weights": ladder.WEIGHTS,
        "activations": ladder.ACTIVATIONS,
        "weights and activations": ladder.BOTH,
        "KV cache": ladder.CACHE,
    }
    loud = f"activations, {OUTLIERS} outlier channels"
    with bar("ladder") as say:
        measured = ladder.climb(plain, [one for settings in subjects.values() for one in settings], say)
        with_loud = ladder.climb(with_outliers(plain, OUTLIERS), ladder.ACTIVATIONS, say)
    rows = [{"subject": name, **entry(measured[one])} for name, settings in subjects.items() for one in settings]
    rows += [{"subject": loud, **entry(with_loud[one])} for one in ladder.ACTIVATIONS]
    claims = [_claim(verdict, "") for verdict in ladder.judge(measured, ladder.CLAIMS)]
    claims += [_claim(v, f", {OUTLIERS} outlier channels") for v in ladder.judge(with_loud, ladder.OUTLIER_CLAIMS)]
    result = {"model": model, "measurements": rows, "claims": claims}
    if html is not None:
        html.write_text(ladder_page(result), encoding="utf-8")
        print(f"page: {html}", file=sys.stderr)
    return result


def print_ladder(result: dict[str, Any]) -> None:
    """Tables of claims and measurements."""
    from archsim.cli.output import print_table

    rows = [
        (
            r["subject"],
            r["weights"],
            r["activations"],
            r["kv"],
            r["method"],
            f"{r['bits_per_weight']:.3f}",
            f"{r['bits_per_cached_number']:.3f}",
            f"{r['difference_nats']:+.4f}",
            f"{r['difference_standard_error']:.4f}",
        )
        for r in result["measurements"]
    ]
    columns = ["", "weights", "activations", "KV cache", "method", "bits/weight", "bits/cached", "nats", "±"]
    print_table(columns, rows, left=5)
    claims = [
        (c["claim"], c["outcome"], f"{c['difference_nats']:+.4f}", f"{c['difference_standard_error']:.4f}")
        for c in result["claims"]
    ]
    print_table(["what is published", "on this model", "nats", "±"], claims, left=2)


def _claim(verdict: Verdict, where: str) -> dict[str, Any]:
    return {
        "claim": verdict.claim.text + where,
        "outcome": verdict.outcome,
        "difference_nats": verdict.difference.mean,
        "difference_standard_error": verdict.difference.error,
    }
