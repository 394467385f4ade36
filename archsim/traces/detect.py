"""Which format a trace file has, from its first bytes."""

from __future__ import annotations

import zlib
from pathlib import Path

from archsim.common.errors import InputError
from archsim.traces.archsim_trace import looks_like_trace
from archsim.traces.spike import looks_like_spike, open_log

_HEAD = 1 << 16


def detect(path: str | Path) -> str:
    """The format of a trace file: "archsim" (written by run --record) or "spike" (a commit log, perhaps gzipped).

    Raises:
        InputError: the file cannot be read, or has another format.
    """
    found = known_format(path)
    if found is None:
        raise InputError(
            "is no trace in a known format",
            file=Path(path),
            remedy="give a file of 'archsim run --record', or a log of 'spike -l --log-commits'",
        )
    return found


def known_format(path: str | Path) -> str | None:
    """As detect(), but None where the file has another format."""
    path = Path(path)
    try:
        with path.open("rb") as stream:
            if looks_like_trace(stream.read(64)):
                return "archsim"
        with open_log(path) as stream:
            if looks_like_spike(stream.read(_HEAD).splitlines(keepends=True)):
                return "spike"
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror or error}", file=path, remedy="check the path") from None
    except (EOFError, zlib.error):
        pass  # starts as a gzip file does, and is none
    return None
