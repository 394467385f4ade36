"""Loops compiled by numba when they are first called, and kept on disk.

numba's cache watches the file of a function and no other. So a compiled function calls no other one, and takes tables
as arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

from archsim.common.cachedir import cache_dir


class Compiled:
    """A function that numba compiles on its first call."""

    def __init__(self, function: Callable[..., Any], fastmath: Any) -> None:
        self._function, self._fastmath = function, fastmath
        self._dispatcher: Any = None
        update_wrapper(self, function)

    def __call__(self, *arguments: Any) -> Any:
        if self._dispatcher is None:
            self._dispatcher = self._compile()
        return self._dispatcher(*arguments)

    def _compile(self) -> Any:
        import numba

        saved = numba.config.CACHE_DIR  # type: ignore[attr-defined]
        folder = cache_dir() / "jit-formats"
        folder.mkdir(parents=True, exist_ok=True)
        numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]
        try:
            options = {"nogil": True, "error_model": "numpy", "fastmath": self._fastmath}
            return numba.njit(cache=True, **options)(self._function)
        finally:
            numba.config.CACHE_DIR = saved  # type: ignore[attr-defined]


def compiled(function: Callable[..., Any]) -> Compiled:
    """Compile with the arithmetic of IEEE 754."""
    return Compiled(function, False)


def compiled_without_nan(function: Callable[..., Any]) -> Compiled:
    """As compiled(), for arguments that are known to hold no NaN, where +0 and -0 may stand for each other.

    Only then does LLVM find minima and maxima of floats in vectors. It changes no other result.
    """
    return Compiled(function, {"nnan", "nsz"})
