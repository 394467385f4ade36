"""Results of points from the user's store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archsim.common.collection import collector_paused
from archsim.explore.fingerprint import Fingerprint
from archsim.explore.store import Store, results_folder


def stored_result(
    point: dict[str, Any], evaluate: Callable[..., dict[str, Any]], progress: Callable[..., None] | None, fresh: bool
) -> dict[str, Any]:
    """``evaluate(point, progress)`` from the store, evaluated and stored first if it is not there, or if `fresh`."""
    key = Fingerprint().key(point, evaluate)
    with Store(results_folder()) as store:
        stored = None if fresh else store.get(key)
        if stored is None or "result" not in stored:
            with collector_paused():
                stored = {"point": point, "result": evaluate(point, progress)}
            store.put(key, stored)
    return dict(stored["result"])
