"""Evaluating points in worker processes that end when their parent does, however it ends."""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any

from archsim.common.errors import InputError, SimulationError

Evaluate = Callable[[dict[str, Any]], dict[str, Any]]


def evaluate_all(
    points: dict[str, dict[str, Any]], evaluate: Evaluate, workers: int
) -> Generator[tuple[str, dict[str, Any]], None, None]:
    """Evaluate points by key, and give (key, outcome) as each finishes; close the iterator to stop them all.

    Args:
        points: key -> point.
        evaluate: a function of a module, so that other processes can import it.
        workers: processes; 0 evaluates here, one point after the other, for a debugger.

    Returns:
        Outcomes: {"point", "result"}, or {"point", "error"} where the point cannot be evaluated.

    Raises:
        InputError: no space was left on the disk.
        SimulationError: a worker died.
    """
    if workers == 0 or not points:
        for key, point in points.items():
            yield key, attempt(evaluate, point)
        return
    context = get_context("spawn")
    # Only the parent holds the other end: it closes when the parent goes, even if killed.
    tether, held = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(min(workers, len(points)), context, initializer=_tie, initargs=(tether,))
    try:
        futures = {pool.submit(attempt, evaluate, point): key for key, point in points.items()}
        for future in as_completed(futures):
            yield futures[future], future.result()
        pool.shutdown()
    except BrokenProcessPool:
        raise SimulationError(
            "a worker process died: out of memory, or a script without \"if __name__ == '__main__':\"; "
            "started again, the sweep goes on where it was"
        ) from None
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise InputError(
            "no space is left on the disk", file=error.filename, remedy="free some and start again"
        ) from None
    finally:
        held.close()
        pool.shutdown(cancel_futures=True)
        tether.close()


def attempt(evaluate: Evaluate, point: dict[str, Any]) -> dict[str, Any]:
    """Evaluate one point; what is wrong with it is its outcome, not the end of the sweep."""
    try:
        return {"point": point, "result": evaluate(point)}
    except (InputError, SimulationError) as error:
        return {"point": point, "error": str(error)}


def _tie(tether: Connection) -> None:
    """In a worker: leave interrupts to the parent, and end at once when its end of the tether closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def follow() -> None:
        wait([tether])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
