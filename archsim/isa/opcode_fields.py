"""Operand fields by the names that riscv-opcodes gives them, and what they mean to archsim.

Names and bits are those of arg_lut.csv of github.com/riscv/riscv-opcodes (commit 03bc43b, BSD-3-Clause); registers,
signs and words follow from the RISC-V Unprivileged ISA Specification 20240411.
"""

from __future__ import annotations

import re
from typing import Any

_ARG_LUT = """
rd 11 7|rt 19 15|rs1 19 15|rs2 24 20|rs2_n0 24 20|rs3 31 27|aqrl 26 25|aq 26 26|rl 25 25|fm 31 28|pred 27 24|succ 23 20
rm 14 12|funct3 14 12|funct2 26 25|imm20 31 12|jimm20 31 12|imm12 31 20|csr 31 20|imm12hi 31 25|bimm12hi 31 25
imm12lo 11 7|bimm12lo 11 7|shamtq 26 20|shamtw 24 20|shamtw4 23 20|shamtd 25 20|bs 31 30|rnum 23 20|rc 29 25|imm2 21 20
imm3 22 20|imm4 23 20|imm5 24 20|imm6 25 20|opcode 6 0|funct7 31 25|vd 11 7|vs3 11 7|vs1 19 15|vs2 24 20|vm 25 25
wd 26 26|amoop 31 27|nf 31 29|simm5 19 15|zimm5 19 15|zimm 19 15|imm8 27 20|zimm10 29 20|zimm11 30 20|zimm6hi 26 26
zimm6lo 19 15|c_nzuimm10 12 5|c_uimm7lo 6 5|c_uimm7hi 12 10|c_uimm8lo 6 5|c_uimm8hi 12 10|c_uimm9lo 6 5|c_uimm9hi 12 10
c_nzimm6lo 6 2|c_nzimm6hi 12 12|c_imm6lo 6 2|c_imm6hi 12 12|c_nzimm10hi 12 12|c_nzimm10lo 6 2|c_nzimm18hi 12 12
c_nzimm18lo 6 2|c_imm12 12 2|c_bimm9lo 6 2|c_bimm9hi 12 10|c_nzuimm5 6 2|c_nzuimm6lo 6 2|c_nzuimm6hi 12 12
c_uimm8splo 6 2|c_uimm8sphi 12 12|c_uimm8sp_s 12 7|c_uimm10splo 6 2|c_uimm10sphi 12 12|c_uimm9splo 6 2|c_uimm9sphi 12 12
c_uimm10sp_s 12 7|c_uimm9sp_s 12 7|c_uimm2 6 5|c_uimm1 5 5|c_rlist 7 4|c_spimm 3 2|c_index 9 2|rs1_p 9 7|rs2_p 4 2
rd_p 4 2|rd_rs1_n0 11 7|rd_rs1_p 9 7|rd_rs1 11 7|rd_n2 11 7|rd_n0 11 7|rs1_n0 11 7|c_rs2_n0 6 2|c_rs1_n0 11 7|c_rs2 6 2
c_sreg1 9 7|c_sreg2 4 2|rd_p_e 4 3|rs2_p_e 4 3|rd_n0_e 11 8|c_rs2_e 6 3|rd_e 11 8|rs2_e 24 21
mop_r_t_30 30 30|mop_r_t_27_26 27 26|mop_r_t_21_20 21 20|mop_rr_t_30 30 30|mop_rr_t_27_26 27 26|c_mop_t 10 8
"""
_OWN = """
xd 11 7|xs1 19 15|xs2 24 20|xs3 31 27|fd 11 7|fs1 19 15|fs2 24 20|fs3 31 27
"""


def _table(text: str) -> dict[str, tuple[int, int]]:
    rows = (row.split() for row in text.replace("\n", "|").split("|") if row)
    return {name: (int(high), int(low)) for name, high, low in rows}


ARG_LUT = _table(_ARG_LUT)
"""Field -> its highest and lowest bit, as riscv-opcodes has it."""
FIELDS = ARG_LUT | _table(_OWN)
"""The same, and the names that the Unified Database and archsim have for registers."""

COMBINED: dict[tuple[str, ...], dict[str, Any]] = {
    ("bimm12hi", "bimm12lo"): {"name": "imm", "location": "31|7|30-25|11-8", "signed": True, "left_shift": 1},
    ("imm12hi", "imm12lo"): {"name": "imm", "location": "31-25|11-7", "signed": True},
    ("zimm6hi", "zimm6lo"): {"name": "imm", "location": "26|19-15"},
    ("jimm20",): {"name": "imm", "location": "31|19-12|20|30-21", "signed": True, "left_shift": 1},
}
"""Fields that are one operand together -> that operand, as a variable in YAML."""

_WORDS: dict[str, dict[str, Any]] = {
    "imm12": {"name": "imm", "signed": True},
    "imm20": {"name": "imm", "hexadecimal": True},
    "simm5": {"name": "imm", "signed": True},
    "zimm": {"name": "uimm"},
    "zimm5": {"name": "uimm"},
    **{name: {"name": "shamt", "hexadecimal": True} for name in ("shamtw", "shamtd")},
    "vm": {"values": ["v0.t", ""], "default": 1},
    "rm": {"values": ["rne", "rtz", "rdn", "rup", "rmm", None, None, "dyn"], "default": 7},
    "pred": {"letters": "iorw"},
    "succ": {"letters": "iorw"},
}
_INTEGER = re.compile(r"(?:c_)?(rd|rs\d)(?:_rs1)?(_p)?(?:_n([02]))?")


def variable_entry(field: str, high: int, low: int) -> dict[str, Any]:
    """What a field means where nothing else is said, as a variable in YAML.

    rd and rs are integer registers (named xd, xs1, ...: the Unified Database's names), vd and vs vector registers, fd
    and fs floating-point registers, and anything else is an immediate, unsigned unless known better.
    """
    location = f"{high}-{low}" if high > low else str(high)
    integer = _INTEGER.fullmatch(field)
    if integer:
        entry: dict[str, Any] = {"name": f"x{integer[1][1:]}", "location": location, "register": "X"}
        if integer[2]:
            entry["add"] = 8
        if integer[3]:
            entry["not"] = [0, 2] if integer[3] == "2" else [0]
        return entry
    register = re.fullmatch(r"([xfv])(?:d|s\d)", field)
    if register:
        return {"name": field, "location": location, "register": register[1].upper()}
    return {"name": field, "location": location} | _WORDS.get(field, {})
