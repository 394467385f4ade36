"""Sweeps: every point of a grid, evaluated once, in worker processes, and stored as it finishes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from archsim.common.resources import find
from archsim.explore.fingerprint import Fingerprint
from archsim.explore.grid import load_spec
from archsim.explore.point import check_spec, simulate_point
from archsim.explore.store import Store, results_folder
from archsim.explore.table import table_of
from archsim.explore.workers import Evaluate, evaluate_all

if TYPE_CHECKING:
    import pandas


def sweep(
    spec_path: str | Path,
    *,
    workers: int = 2,
    out: Path | None = None,
    evaluate: Evaluate | None = None,
    progress: bool = False,
    retry: bool = False,
) -> pandas.DataFrame:
    """Run a sweep, or go on with one that was interrupted or killed: no finished point is evaluated again.

    In a script, call it under ``if __name__ == "__main__":``, because workers import the script.

    Args:
        spec_path: a specification (see explore.grid), or the name of a shipped one.
        workers: processes; 0 evaluates in this one.
        out: folder of the result store; the user's own if None.
        evaluate: point -> JSON-able result, a function of a module; a simulation of the point if None.
        progress: show a bar on stderr.
        retry: evaluate points again whose outcome was an error.

    Returns:
        One row per point, in the order of the grid, the last field varying fastest: columns of settings and figures
        (names carry units), and ``error``: why a point has no figures. ``frame.attrs`` holds the sweep's name, the
        fields that vary (``varying``) and its ``objectives``.

    Raises:
        InputError: the specification is wrong, or the store cannot be written; what is finished stays stored.
        SimulationError: a worker process died.
    """
    spec = load_spec(find("sweep", str(spec_path), "configs/sweeps"))
    if evaluate is None:
        check_spec(spec)
    evaluate, fingerprint = evaluate or simulate_point, Fingerprint()
    points = spec.points()
    keys = [fingerprint.key(point, evaluate) for point in points]
    with Store(out or results_folder()) as store:
        outcomes = {key: outcome for key in keys if (outcome := store.get(key)) and not (retry and "error" in outcome)}
        missing = {key: point for key, point in zip(keys, points, strict=True) if key not in outcomes}
        with (
            _bar(spec.name, len(keys), len(keys) - len(missing), progress) as advance,
            closing(evaluate_all(missing, evaluate, workers)) as finished,
        ):
            for key, outcome in finished:
                store.put(key, outcome)
                outcomes[key] = outcome
                advance()
    frame = table_of(spec.settings(), [outcomes[key] for key in keys])
    varying = [field.name for field in spec.grid]
    frame.attrs = {"sweep": spec.name, "varying": varying, "objectives": spec.objectives}
    return frame


@contextmanager
def _bar(title: str, total: int, done: int, shown: bool) -> Iterator[Callable[[], None]]:
    """A progress bar on stderr; gives the function that says one more point is finished."""
    if not shown:
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=total, completed=done)
        yield lambda: bar.advance(task)
