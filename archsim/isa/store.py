"""Loaded instruction sets kept on disk, so that the next process need not read and check the same files again."""

from __future__ import annotations

import hashlib
import os
import pickle
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

from archsim.common.cachedir import cache_dir
from archsim.isa.spec import Isa


def stored(request: object, files: Iterable[Path], make: Callable[[], Isa]) -> Isa:
    """What `make` gives, or what it gave before for the same request, files and code.

    Args:
        request: all that `make` depends on besides the files; its repr counts.
        files: their contents count.
        make: loads and checks; its errors are not kept.
    """
    digest = hashlib.sha256(repr(request).encode() + _code())
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    path = cache_dir() / "isa" / f"{digest.hexdigest()[:32]}.pickle"
    # whatever is wrong with a kept file, loading again is right
    with suppress(Exception):
        found = pickle.loads(path.read_bytes())
        if isinstance(found, Isa):
            return found
    isa = make()
    with suppress(OSError):
        _write(path, pickle.dumps(isa, protocol=pickle.HIGHEST_PROTOCOL))
    return isa


@cache
def _code() -> bytes:
    """Digest of the code that loads and checks."""
    sources = [*sorted(Path(__file__).parent.glob("*.py")), Path(__file__).parent.parent / "common" / "yamlfile.py"]
    return hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).digest()


def _write(path: Path, content: bytes) -> None:
    """Write so that nobody ever sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
    os.replace(temporary, path)
