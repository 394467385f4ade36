"""The garbage collector, kept from looking again and again at what lives on."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """No search for reference cycles meanwhile.

    Modules, instruction sets and programs are large trees that stay: while they are loaded, a tenth of the time would
    go into finding that none of it is garbage.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
