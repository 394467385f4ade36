"""Compiling: numba with a disk cache that cannot go stale, and generated source in real files.

numba's cache does not notice a change in another file that a cached function calls. So everything compiled lives in a
folder named by a hash over every source that compiled code can reach, in ARCHSIM_CACHE_DIR, NUMBA_CACHE_DIR or the
user's cache folder.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import llvmlite
import numba

from archsim.common.cachedir import cache_dir

F = TypeVar("F", bound=Callable[..., Any])


@cache
def cache_folder() -> Path:
    """Where compiled code of exactly this source is kept."""
    own = os.environ.get("NUMBA_CACHE_DIR")
    base = Path(own) if own and "ARCHSIM_CACHE_DIR" not in os.environ else cache_dir()
    digest = hashlib.sha256(f"{numba.__version__} {llvmlite.__version__} {sys.version}".encode())
    package = Path(__file__).resolve().parent
    for path in sorted(package.glob("*.py")):
        text = path.read_bytes()
        if b"@njit" in text or path.name.endswith("layout.py") or path.name in ("jit.py", "memory_gates.py"):
            digest.update(text)
    folder = base / f"jit-{digest.hexdigest()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def njit(function: F) -> F:
    """numba.njit into the keyed cache folder."""
    return _cached(numba.njit(cache=False, nogil=True, error_model="numpy"), function)


def njit_inline(function: F) -> F:
    """As njit, and always a part of whoever calls it: for the steps of a hot loop, where calls would cost more."""
    return _cached(numba.njit(cache=False, nogil=True, error_model="numpy", forceinline=True), function)


def _cached(decorate: Callable[[Any], Any], function: Any) -> Any:
    dispatcher = decorate(function)
    _enable(dispatcher)
    return dispatcher


def _enable(dispatcher: Any) -> None:
    saved = numba.config.CACHE_DIR  # type: ignore[attr-defined]
    numba.config.CACHE_DIR = str(cache_folder())  # type: ignore[attr-defined]
    try:
        dispatcher.enable_caching()
    finally:
        numba.config.CACHE_DIR = saved  # type: ignore[attr-defined]


def module_name_of(name: str, source: str) -> str:
    return f"archsim_generated_{name}_{hashlib.sha256(source.encode()).hexdigest()[:16]}"


def cached_modules() -> set[str]:
    """Names of generated modules with compiled code on disk."""
    return {path.name.partition(".")[0] for path in cache_folder().glob("generated_*/*.nbc")}


def load_generated(name: str, source: str) -> ModuleType:
    """Write generated source to a file of its own (named by its content) and import it."""
    module_name = module_name_of(name, source)
    if module_name in sys.modules:
        return sys.modules[module_name]
    folder = cache_folder() / "generated"
    folder.mkdir(exist_ok=True)
    path = folder / f"{module_name}.py"
    if not path.exists():
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(source)
        temporary.replace(path)
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    return module


def address_of(function: Callable[..., Any]) -> int:
    """Machine address of a plain function of (ctx, w, imm), compiled on demand and cached on disk."""
    if function in _ADDRESSES:
        return _ADDRESSES[function]
    from numba import types

    saved = numba.config.CACHE_DIR, numba.config.SLP_VECTORIZE  # type: ignore[attr-defined]
    numba.config.CACHE_DIR = str(cache_folder())  # type: ignore[attr-defined]
    # loops of a few rounds (a matrix instruction's dot products) are unrolled, and only this makes vectors of them
    numba.config.SLP_VECTORIZE = 1  # type: ignore[attr-defined]
    try:
        signature = types.int64(types.CPointer(types.int64), types.int64, types.int64)
        compiled = numba.cfunc(signature, cache=True, error_model="numpy")(function)
    finally:
        numba.config.CACHE_DIR, numba.config.SLP_VECTORIZE = saved  # type: ignore[attr-defined]
    _KEEP.append(compiled)
    _ADDRESSES[function] = int(compiled.address or 0)
    return _ADDRESSES[function]


_KEEP: list[Any] = []
"""Compiled functions must outlive their addresses."""
_ADDRESSES: dict[Callable[..., Any], int] = {}
