"""Finding what ships with archsim (isa/, configs/, workloads/) and the user's own files before it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from archsim.common.errors import unknown


@cache
def data_root() -> Path:
    """The folder that holds isa/, configs/ and workloads/: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "data"
    return inside if inside.is_dir() else package.parent


def shipped(folder: str, suffix: str) -> dict[str, Path]:
    """Names and paths of what ships in a folder such as "configs/designs"."""
    return {path.name[: -len(suffix)]: path for path in sorted((data_root() / folder).glob(f"*{suffix}"))}


def find(kind: str, name: str, folder: str, suffix: str = ".yaml") -> Path:
    """The file a name means: the user's own first (a path, or NAME + suffix in the current folder), then shipped.

    Raises:
        InputError: there is none; suggests the nearest shipped name.
    """
    own = Path(name)
    for candidate in (own, own.with_name(own.name + suffix)) if own.name else ():
        if candidate.is_file():
            return candidate
    known = shipped(folder, suffix)
    if name in known:
        return known[name]
    raise unknown(kind, name, known)
