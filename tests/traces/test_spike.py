"""Spike commit logs, written by hand after its format."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from archsim.common.errors import InputError
from archsim.traces.detect import detect
from archsim.traces.load import trace_of
from archsim.traces.spike import read_spike_log

LOG = """\
core   0: 0x0000000000001000 (0x00000297) auipc   t0, 0x0
core   0: 3 0x0000000000001000 (0x00000297) x5  0x0000000000001000
core   0: 0x0000000000001004 (0x02028593) addi    a1, t0, 32
core   0: 3 0x0000000000001004 (0x02028593) x11 0x0000000000001020
core   0: 0x0000000000001008 (0x0182b283) ld      t0, 24(t0)
core   0: 3 0x0000000000001008 (0x0182b283) x5  0x0000000080000000 mem 0x0000000000001018
core   0: >>>>  _start
core   0: 0x0000000080000000 (0x00b2b423) sd      a1, 8(t0)
core   0: 3 0x0000000080000000 (0x00b2b423) mem 0x0000000080000008 0x0000000000001020
hello from the program
core   0: 0x0000000080000004 (0x0000557d) c.li    a0, -1
core   0: 3 0x0000000080000004 (0x557d) x10 0xffffffffffffffff
core   0: 0x0000000080000006 (0x30529073) csrw    mtvec, t0
core   0: 3 0x0000000080000006 (0x30529073) c773_mtvec 0x0000000080000000
core   0: 0x000000008000000a (0x300022f3) csrr    t0, mstatus
core   0: 3 0x000000008000000a (0x300022f3) x5  0x8000000a00006000 c768_mstatus 0x8000000a00006000
core   0: 0x000000008000000e (0xf2000553) fmv.d.x fa0, zero
core   0: 3 0x000000008000000e (0xf2000553) c768_mstatus 0x8000000a00006000 f10 0xffffffff00000000
core   0: 0x0000000080000012 (0x00b2a52f) amoadd.w a0, a1, (t0)
core   0: 3 0x0000000080000012 (0x00b2a52f) x10 0x0000000000000007 mem 0x0000000080000100 mem 0x80000100 0x00000008
core   0: 0x0000000080000016 (0x00000073) ecall
core   0: exception trap_machine_ecall, epc 0x0000000080000016
core   0:           tval 0x0000000000000000
core   0: 0x0000000080000000 (0x0005006f) j       pc + 0x50000
core   0: 3 0x0000000080000000 (0x0005006f)
"""

PC = [0x1000, 0x1004, 0x1008, *(0x80000000 + n for n in (0, 4, 6, 10, 14, 18, 0))]
WORDS = [
    0x00000297, 0x02028593, 0x0182B283, 0x00B2B423, 0x557D, 0x30529073, 0x300022F3, 0xF2000553, 0x00B2A52F, 0x0005006F,
]  # fmt: skip
VALUES = [0x1000, 0x1020, 0x80000000, 0, -1, 0, -0x7FFFFFF5FFFFA000, 0xFFFFFFFF00000000 - (1 << 64), 7, 0]
ADDRESSES = [0, 0, 0x1018, 0x80000008, 0, 0, 0, 0, 0x80000100, 0]


def log_file(folder: Path, text: str) -> Path:
    path = folder / "spike.log"
    path.write_bytes(text.encode())
    return path


def test_every_kind_of_line(tmp_path: Path) -> None:
    harts = read_spike_log(log_file(tmp_path, LOG))
    assert list(harts) == [0]
    hart = harts[0]
    assert (hart.pc.dtype, hart.word.dtype, hart.rd_value.dtype, hart.has_rd.dtype, hart.mem_addr.dtype) == (
        np.uint64, np.uint32, np.int64, np.bool_, np.uint64,
    )  # fmt: skip
    assert hart.pc.tolist() == PC
    assert hart.word.tolist() == WORDS
    assert hart.rd_value.tolist() == VALUES
    assert hart.has_rd.tolist() == [value != 0 for value in VALUES]
    assert hart.mem_addr.tolist() == ADDRESSES
    assert hart.exceptions == ((9, "trap_machine_ecall", 0x80000016),)
    assert hart.committed


def test_compressed_files_and_dos_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "spike.log.gz"
    path.write_bytes(gzip.compress(LOG.replace("\n", "\r\n").encode()))
    assert detect(path) == "spike"
    assert read_spike_log(path)[0].rd_value.tolist() == VALUES


def test_harts_are_told_apart(tmp_path: Path) -> None:
    lines = [
        f"core {hart:3}: 3 0x{0x80000000 + 4 * n:016x} (0x00000013) x{n + 1:<2} 0x{hart * 100 + n:016x}\n"
        for n in range(10)
        for hart in (1, 0, 12)
    ]
    harts = read_spike_log(log_file(tmp_path, "".join(lines)))
    assert list(harts) == [0, 1, 12]
    assert harts[12].rd_value.tolist() == [1200 + n for n in range(10)]


def test_a_log_without_commits_has_the_instructions_alone(tmp_path: Path) -> None:
    lines = [line for line in LOG.splitlines(keepends=True) if not line.startswith("core   0: 3 ")]
    path = log_file(tmp_path, "".join(lines))
    hart = read_spike_log(path)[0]
    assert hart.pc.tolist() == [*PC[:-1], 0x80000016, PC[-1]]
    assert not hart.has_rd.any()
    assert not hart.committed
    with pytest.raises(InputError, match="no values of registers; record it with: spike -l --log-commits"):
        trace_of({0: hart}, path)


@pytest.mark.parametrize("cut", [1, 5, 20, 35])
def test_a_last_line_that_was_cut_off_is_left_out(tmp_path: Path, cut: int) -> None:
    line = "core   0: 3 0x0000000080000018 (0x00000013) x1  0x0000000000000001\n"
    hart = read_spike_log(log_file(tmp_path, LOG + line[:-cut]))[0]
    assert hart.pc.tolist() == PC


@pytest.mark.parametrize(
    "line",
    [
        "core   0: 3 0x80000000\n",
        "core   0: 3 0x12345678123456789 (0x13)\n",
        "core   0: 3 0x80000000 (0x123456789)\n",
        "core   0: 3 0x80000000 (0x13) x1 0x1 \x00\n",
        "core   x: 3 0x80000000 (0x13)\n",
        "core dumped\n",
    ],
)
def test_a_line_that_is_not_understood_is_named(tmp_path: Path, line: str) -> None:
    path = log_file(tmp_path, LOG + line + "\n")
    with pytest.raises(InputError, match="not a line of a Spike log") as error:
        read_spike_log(path)
    assert str(error.value).startswith(f"{path}:{LOG.count(chr(10)) + 1}: ")
    assert "\n" not in str(error.value)


def test_files_without_a_log(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no instruction of a Spike log"):
        read_spike_log(log_file(tmp_path, "hello\n"))
    with pytest.raises(InputError, match="cannot read: No such file"):
        read_spike_log(tmp_path / "missing.log")
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(LOG.encode() * 50)[:-200])
    with pytest.raises(InputError, match="cannot read: "):
        read_spike_log(path)


def test_words_and_values_stay_as_they_were_executed(tmp_path: Path) -> None:
    """Even where code is overwritten while it runs: one address of this log has two words."""
    trace = trace_of(read_spike_log(log_file(tmp_path, LOG)), Path("spike.log"))
    ((index, value),) = trace.harts
    assert index.dtype == np.int32
    halves = np.append(trace.words.view(np.uint16), 0).astype(int)
    long = halves[index] & 3 == 3
    assert np.where(long, halves[index] | halves[index + 1] << 16, halves[index]).tolist() == WORDS
    assert value.tolist() == VALUES
    assert trace.initial.tolist() == [[0] * 33]


def test_slots_follow_each_other_where_instructions_do(tmp_path: Path) -> None:
    """So that a taken branch shows, also over code that is never executed; far addresses take no room."""
    far = 1 << 39
    pc = [0x1000, 0x1004, 0x1006, 0x100A, 0x1010, 0x1004, 0x1006, far, far + 4, far + 4, 0x1000]
    text = "".join(
        f"core   0: 3 0x{address:016x} (0x{'4501' if address == 0x1004 else '00000013'})\n" for address in pc
    )
    trace = trace_of(read_spike_log(log_file(tmp_path, text)), Path("spike.log"))
    ((index, _),) = trace.harts
    sizes = [1 if address == 0x1004 else 2 for address in pc[:-1]]
    follows = (np.diff(index) == sizes).tolist()
    assert follows == [True, True, True, False, False, True, False, True, False, False]
    assert len(trace.words) <= 10
