"""What a program needs of its own extension is compiled by two processes, and is then in the cache."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import archsim
from archsim.machine.compiled import CodeTables
from archsim.machine.jit import cached_modules
from archsim.machine.precompile import compile_missing

names = ["qt.zero", "qt.zeroa", "qt.cvtf", "qv.zero", "addi"]
isa = archsim.load_isa("rv64im", "zicsr", "xqt")
tables = CodeTables(isa)
compile_missing(tables, names, timed=False)
there = cached_modules()
assert all(tables.module(name) in there for name in names[:4]), there
assert tables.module("addi") not in there
here = [name for name in names[:4] if tables.functions.reshape(-1, 8)[tables.coded.number[name], 0]]
print(len(here))
"""


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one processor compiles nothing ahead")
def test_both_halves_are_cached(tmp_path: Path) -> None:
    environment = {**os.environ, "ARCHSIM_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "2"
