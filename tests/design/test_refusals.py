"""What a wrong design file is told: the whole line."""

from __future__ import annotations

from pathlib import Path

import pytest

from archsim.common.errors import InputError
from archsim.common.resources import shipped
from archsim.design import load_device, load_energy
from tests.design.writing import refusal, write


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clok: 1 GHz\n", "FILE:3: unknown field of the file 'clok'; did you mean 'clock'?"),
        ("core:\n  scratchpad:\n    sise: 1 MiB\n",
         "FILE:5: unknown field of core.scratchpad 'sise'; did you mean 'size'?"),
        ("clock: 1 ns\n", "FILE:3: clock: unit 'ns' in '1 ns' is not one of 'Hz'; write it in 'Hz'"),
        ("clock: 1\n", "FILE:3: clock: 1 has no unit; write it with its unit, such as '1 Hz'"),
        ("clock: fast\n", "FILE:3: clock: 'fast' is no quantity; write a number and a unit of 'Hz'"),
        ("clock: 1 kHz\n", "FILE:3: clock: '1 kHz' is out of bounds; use at least 1e+06 Hz and at most 1e+11 Hz"),
        ("cores: 0\n", "FILE:3: cores: 0 is out of bounds; use at least 1 and at most 1024"),
        ("cores: 1.5\n", "FILE:3: cores: 1.5 is not whole; write a whole number of them"),
        ("clock: 1e999 Hz\n",
         "FILE:3: clock: '1e999 Hz' is out of bounds; use at least 1e+06 Hz and at most 1e+11 Hz"),
        ("parameters: {TM: .inf}\n", "FILE:3: parameters.TM: inf is out of bounds; use at least 1"),
        ("parameters: {TM: .nan}\n", "FILE:3: parameters.TM: nan is out of bounds; use at least 1"),
        ("cores: 4 GHz\n", "FILE:3: cores: '4 GHz' is no number; write a number without a unit"),
        ("core:\n  l1d: {line: 64.5 B}\n",
         "FILE:4: core.l1d.line: '64.5 B' is not whole; write a whole number of B"),
        ("isa: rv64im\n", "FILE:3: isa: 'rv64im' is no list of names; write [first, second]"),
        ("core: 5\n", "FILE:3: core: 5 is no mapping; write its fields"),
        ("core:\n  matrix: {kind: dot_produkt}\n",
         "FILE:4: core.matrix.kind: unknown value 'dot_produkt'; did you mean 'dot_product'?"),
        ("core:\n  matrix: {double_buffered: 1}\n",
         "FILE:4: core.matrix.double_buffered: 1 is no truth value; write true or false"),
        ("core:\n  matrix:\n    formats:\n      int9: 1.0\n",
         "FILE:6: unknown field of core.matrix.formats 'int9'; did you mean 'int8'?"),
        ("core:\n  matrix:\n    formats:\n      int8: 0\n",
         "FILE:6: core.matrix.formats.int8: 0 is out of bounds; use above 0 and at most 64"),
        ("core:\n  vector:\n    rates: {exp: null}\n",
         "FILE:5: core.vector.rates has no 'exp'; add 'exp: 1.0'"),
        ("core:\n  scratchpad: {banks: 12}\n",
         "FILE:4: core.scratchpad.banks: 12 is not a power of two; use a power of two"),
        ("core:\n  scratchpad: {width: 24 B}\n",
         "FILE:4: core.scratchpad.width: '24 B' is not a power of two; use a power of two"),
        ("core:\n  scratchpad: {size: 1000000 B}\n",
         "FILE:4: core.scratchpad.size: 1000000 B is no multiple of banks x width = 256 B; "
         "change size, banks or width"),
        ("core:\n  scratchpad: {size: 4352 B, granule: 512 B}\n",
         "FILE:4: core.scratchpad.granule: 512 B does not divide the size of 4352 B; use a smaller granule"),
        ("core:\n  l1d: {size: 33 KiB, ways: 5}\n",
         "FILE:4: core.l1d.size: 33792 B is no multiple of line x ways = 320 B; change size, line or ways"),
        ("core:\n  l1d: {size: 48 KiB}\n",
         "FILE:4: core.l1d.size: size / (line x ways) = 192 sets is not a power of two; change size, line or ways"),
        ("core:\n  l1d: {size: 128 B}\n",
         "FILE:4: core.l1d.size: 128 B is no multiple of line x ways = 256 B; change size, line or ways"),
        ("core:\n  matrix: {rows: 4}\n",
         "FILE:4: core.matrix.rows: a dot_product unit takes one activation row per cycle, not 4; "
         "leave rows out, or use kind: systolic_ws"),
        ("core:\n  matrix: {kind: systolic_ws}\n",
         "SHIPPED:22: core.matrix.depth: a systolic_ws array is one element deep, not 16; "
         "leave depth out and use rows, or use kind: dot_product"),
        ("core:\n  matrix: {columns: 32}\n",
         "FILE:4: core.matrix.columns: 32 columns are never filled by tiles of TN = 16 rows; "
         "use fewer columns, or a larger TN"),
        ("core:\n  matrix: {depth: 256}\n",
         "FILE:4: core.matrix: 256 elements at once are never filled by tile rows of TROWB = 128 B; "
         "use less depth, or a larger TROWB"),
        ("parameters: {TROWB: 96}\n", "FILE:3: parameters: TROWB = 96 is not a power of two; use a power of two"),
        ("parameters: {TM: 0}\n", "FILE:3: parameters.TM: 0 is out of bounds; use at least 1"),
        ("parameters: {TN: null}\n",
         "FILE:3: parameters: extension xqt needs TN; write parameters: {TM: 16, TN: 16, TROWB: 128}"),
        ("core:\n  dma: {burst: 16 B}\n",
         "FILE:4: core.dma.burst: 16 B is no multiple of the 32 B that lpddr5-6400-x16 moves at once; "
         "use at least 32 B"),
        ("memory: {device: ddr4-3200, interleave: 32 B}\n",
         "FILE:3: memory.interleave: 32 B is no multiple of the 64 B that ddr4-3200 moves at once; "
         "use at least 64 B"),
        ("memory: {size: 64 GiB}\n",
         "FILE:3: memory.size: 64 GiB is more than 4 channels x 2 ranks of lpddr5-6400-x16 hold, 16 GiB; "
         "use more channels or ranks, or less"),
        ("memory: {device: lpddr5-6400x16}\n",
         "FILE:3: memory.device: unknown memory device 'lpddr5-6400x16'; did you mean 'lpddr5-6400-x16'?"),
        ("technology: {node: 45 nm}\n",
         "SHIPPED:10: technology.energy: table 7nm is for 7 nm, not 45 nm; change node or energy"),
        ("memory: {channels: null}\n",
         "FILE:3: memory has no 'channels'; add 'channels: ...' (channels of the device)"),
        ("interconnect: {latency: null}\n",
         "FILE:3: interconnect has no 'latency'; add 'latency: ...' (one way, in s)"),
        ("core: {dma: {queue: 65}}\n",
         "FILE:3: core.dma.queue: 65 is out of bounds; use at least 1 and at most 64"),
        ("core: {hart: {branch_penalty: 2 ns}}\n",
         "FILE:3: core.hart.branch_penalty: unit 'ns' in '2 ns' is not one of 'cycles'; write it in 'cycles'"),
    ],
)  # fmt: skip
def test_refused(tmp_path: Path, text: str, message: str) -> None:
    edge = str(shipped("configs/designs", ".yaml")["edge-npu"])
    assert refusal(write(tmp_path, text)).replace(edge, "SHIPPED") == message


def test_an_unknown_base_points_at_the_line(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("design: x\n# a comment\nbase: edge-nup\n", encoding="utf-8")
    assert refusal(path) == "FILE:3: base: unknown design 'edge-nup'; did you mean 'edge-npu'?"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("tCL: 22 tCK", "tCL: 22", "FILE:14: tCL: 22 has no unit; write it with its unit, such as '22 tCK'"),
        ("tCL: 22 tCK", "tCLL: 22 tCK", "FILE:14: unknown field of the file 'tCLL'; did you mean 'tCL'?"),
        ("tCL: 22 tCK\n", "", "FILE:3: the file has no 'tCL'; add 'tCL: ...' (read to data, in tCK)"),
        ("tRC: 74 tCK", "tRC: 40 tCK", "FILE:19: tRC: '40 tCK' is too small; use at least tRAS + tRP, 74 tCK"),
        ("tRC: 74 tCK", "tRC: 73 tCK", "FILE:19: tRC: '73 tCK' is too small; use at least tRAS + tRP, 74 tCK"),
        ("tFAW: 34 tCK", "tFAW: 3 tCK", "FILE:24: tFAW: '3 tCK' is too small; use at least tRRD_S, 4 tCK, or 0"),
        ("rows: 65536", "rows: 60000", "FILE:11: rows: 60000 is not a power of two; use a power of two"),
        ("bank_groups: 4", "bank_groups: 3", "FILE:9: bank_groups: 3 is not a power of two; use a power of two"),
        ("tREFI: 12480 tCK", "tREFI: 500 tCK", "FILE:31: tREFI: '500 tCK' is too small; use more than tRFC, 576 tCK"),
        ("row_bytes: 8192 B", "row_bytes: 8000 B",
         "FILE:12: row_bytes: '8000 B' is not a power of two; use a power of two"),
        ("row_bytes: 8192 B", "row_bytes: 32 B",
         "FILE:12: row_bytes: '32 B' is too small; use at least tx_bytes, 64 B"),
        ("tCK: 0.625 ns", "tCK: 625 MHz", "FILE:6: tCK: unit 'MHz' in '625 MHz' is not one of 's'; write it in 's'"),
    ],
)  # fmt: skip
def test_refused_devices(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = _changed(tmp_path, "configs/memory", "ddr4-3200", old, new)
    with pytest.raises(InputError) as caught:
        load_device(str(path))
    assert str(caught.value).replace(str(path), "FILE") == message


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mac.int8: {value: 0.1 pJ, confidence: medium, source:",
         "mac.int8: {value: 0.1 pJ, confidence: medium, sauce:",
         "unknown field of entries.mac.int8 'sauce'; did you mean 'source'?"),
        ("mac.int8: {value: 0.1 pJ,", "mac.int8: {value: 0.1,",
         "entries.mac.int8.value: 0.1 has no unit; write it with its unit, such as '0.1 J'"),
        ("mac.int8: {value: 0.1 pJ,", "mac.int8: {",
         "entries.mac.int8 has no 'value'; add 'value: ...' (of one event, in J)"),
        ("mac.int8: {value: 0.1 pJ, confidence: medium", "mac.int8: {value: 0.1 pJ, confidence: sure",
         "entries.mac.int8.confidence: unknown value 'sure'; known: high, low, medium"),
        ("wire.byte_mm:", "wire.byte:", "entries has no 'wire.byte_mm'; add 'wire.byte_mm: ...'"),
        ("areas:", "surfaces:", "the file has no mapping 'areas'; add 'areas:'"),
    ],
)  # fmt: skip
def test_refused_energy_tables(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = _changed(tmp_path, "configs/energy", "7nm", old, new)
    with pytest.raises(InputError) as caught:
        load_energy(str(path))
    place, _, text = str(caught.value).partition(": ")
    assert place.startswith(str(path)) and place[len(str(path)) + 1 :].isdigit()
    assert text == message


def _changed(folder: Path, data: str, name: str, old: str, new: str) -> Path:
    source = shipped(data, ".yaml")[name].read_text(encoding="utf-8")
    assert old in source
    path = folder / "changed.yaml"
    path.write_text(source.replace(old, new, 1), encoding="utf-8")
    return path
