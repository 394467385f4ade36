"""The folder for what archsim may compute again: results and compiled code."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """ARCHSIM_CACHE_DIR, else ``archsim`` in XDG_CACHE_HOME or ~/.cache; it may not exist yet."""
    own = os.environ.get("ARCHSIM_CACHE_DIR")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "archsim"
