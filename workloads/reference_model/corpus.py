"""The Python standard library's own sources as text: a list of files, split by name into training and held-out ones."""

from __future__ import annotations

import hashlib
import sysconfig
from pathlib import Path

import numpy as np

EXCLUDED = {"test", "tests", "idlelib", "lib2to3", "site-packages", "dist-packages", "encodings", "pydoc_data",
            "turtledemo", "ensurepip", "__pycache__", "idle_test", "tkinter"}  # fmt: skip
HELD_OUT_OF_256 = 26
EXCERPT = 4096


def files() -> list[Path]:
    """Sources in ASCII, in the order of their names, relative to the standard library's folder."""
    root = Path(sysconfig.get_paths()["stdlib"])
    found = (
        p for p in root.rglob("*.py") if not EXCLUDED & set(p.relative_to(root).parts) and p.read_bytes().isascii()
    )
    return sorted(found, key=lambda p: p.relative_to(root).as_posix())


def is_held_out(path: Path) -> bool:
    """Whether the first byte of the SHA-1 of the name within the standard library is below HELD_OUT_OF_256."""
    name = path.relative_to(sysconfig.get_paths()["stdlib"]).as_posix()
    return hashlib.sha1(name.encode()).digest()[0] < HELD_OUT_OF_256


def training_bytes() -> np.ndarray:
    """All training files behind one another: uint8."""
    return np.frombuffer(b"".join(p.read_bytes() for p in files() if not is_held_out(p)), np.uint8)


def excerpts(count: int, held_out: bool) -> bytes:
    """The middle EXCERPT bytes of evenly spaced files that have so many."""
    texts = [p.read_bytes() for p in files() if is_held_out(p) == held_out]
    texts = [t for t in texts if len(t) >= EXCERPT]
    if len(texts) < count:
        raise SystemExit(f"{len(texts)} files have {EXCERPT} bytes, {count} are needed")
    chosen = [texts[i * len(texts) // count] for i in range(count)]
    return b"".join(t[(len(t) - EXCERPT) // 2 :][:EXCERPT] for t in chosen)
