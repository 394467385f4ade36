"""Instructions of a program compiled ahead on several processors: children fill the disk cache that all share."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import threading

from archsim.machine.compiled import CodeTables
from archsim.machine.jit import cached_modules

_WORTH_IT = 4
"""Instructions to compile from which on a child is quicker than its own start."""


def compile_missing(tables: CodeTables, used: list[str], *, timed: bool) -> None:
    """Compile what of a program's own instructions is not in the cache, half of it in a child.

    Args:
        used: mnemonics that occur in the program. Only those of extensions whose names begin with X count: standard
            instructions are cached after the first programs, and vector ones depend on the element width.
        timed: whether what they ask of their units is wanted, too.
    """
    missing = _missing(tables, used)
    if len(missing) < _WORTH_IT or not _may_fork():
        return
    child = os.fork()
    # whatever goes wrong in the child is compiled again, and reported, when it is executed
    with contextlib.suppress(BaseException) if child == 0 else contextlib.nullcontext():
        for name in missing[child == 0 :: 2]:
            tables.compile(tables.coded.number[name], 0, timed=timed)
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def _missing(tables: CodeTables, used: list[str]) -> list[str]:
    own = [name for name in used if name in tables.coded.number and _is_custom(tables, name)]
    if len(own) < _WORTH_IT:
        return []
    there = cached_modules()
    return [name for name in own if tables.module(name) not in there]


def _is_custom(tables: CodeTables, name: str) -> bool:
    instruction = tables.coded.isa.instructions[name]
    return instruction.extension[0] == "X" and instruction.vector is None and instruction.operation is not None


def _may_fork() -> bool:
    """Only a process of one thread that is nobody's worker, where there is another processor."""
    alone = threading.active_count() == 1 and multiprocessing.parent_process() is None
    return sys.platform == "linux" and alone and (os.cpu_count() or 1) > 1
