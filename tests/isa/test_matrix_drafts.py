"""Shipped matrix extensions and vector drafts have the encodings of the published tables, all of them and no others."""

from __future__ import annotations

import pytest

from archsim.common.errors import InputError
from archsim.isa.load import load_isa
from tests.isa.tables import Row, rows

EXTENSIONS = {
    "spacemit_ime_0.6.csv": ("xsmt",),
    "rv_vector_drafts.csv": ("zvabd", "zvdot4a", "zvqwdota8i", "zvqwbdota8i", "zvfdota", "zvfofpmin", "zvzip"),
    "zvt_zvvm_drafts.csv: zvt": ("zvti8i32mm", "zvtofp8fmm", "zvtmoves"),
    "zvt_zvvm_drafts.csv: Zvv": ("zvvmm", "zvvmtls", "zvvmttls", "zvvfmm"),
}
BASE = {"V", "D", "F", "Zicsr", "I", "M", "A", "C", "Zvaltfmt"}


def mnemonic(row: Row) -> str:
    """Ours for a row: int8 is what a mnemonic without width means, and a scale operand is part of it."""
    name = row["name"].replace(" (.i8)", "").replace(" (.i4)", ".i4")
    return name.replace(".vv (v0.scale)", ".scale.vv")


@pytest.mark.parametrize("table", EXTENSIONS)
def test_names_and_bits_are_the_published_ones(table: str) -> None:
    file, _, group = table.partition(": ")
    published = [row for row in rows(file) if row["group"].startswith(group)]
    isa = load_isa("rv64gcv", *EXTENSIONS[table])
    plain = load_isa("rv64gcv").instructions
    ours = {name: one.match for name, one in isa.instructions.items() if name not in plain}
    assert ours == {mnemonic(row): row["match"] for row in published}
    assert len(ours) == len(published)


@pytest.mark.parametrize("table", EXTENSIONS)
def test_fields_are_where_the_tables_have_them(table: str) -> None:
    """Every bit that varies belongs to a field; register fields lie where the table's do, under UDB's names."""
    file, _, group = table.partition(": ")
    isa = load_isa("rv64gcv", *EXTENSIONS[table])
    names = {"rs1": "xs1", "rs2": "xs2", "rd": "xd", "zvt_mtd8": "mtd", "zvt_mtd16": "mtd", "lambda": "lam"}
    for row in rows(file):
        if not row["group"].startswith(group):
            continue
        instruction = isa.instructions[mnemonic(row)]
        own = {variable.name: variable for variable in instruction.variables}
        for entry in row["variables"].split(";") if row["variables"] else ():
            name, location = entry.split(":")
            bits = [
                bit
                for part in location.split("|")
                for bit in range(int(part.split("-")[0]), int(part.split("-")[-1]) - 1, -1)
            ]
            name = names.get(name, name)
            if row["name"].startswith("vqwbdota") and name == "vs2":
                # the field's low bits are the number ci
                assert [*own["vs2"].bits, *own["ci"].bits] == bits
            elif name == "reserved":
                assert sorted(own["imm"].bits) == sorted(bits)
            else:
                variable = own.get(name) or own.get({"vs1": "xs1", "vd": "vs3"}.get(name, ""))
                assert variable is not None, (row["name"], name)
                assert list(variable.bits) == bits, (row["name"], name)


def test_drafts_that_share_words_are_not_loaded_together() -> None:
    with pytest.raises(InputError, match="conflicts with"):
        load_isa("rv64gcv", "zvvmtls", "zvtbase")


def test_what_shares_no_words_is_loaded_together() -> None:
    everything = (
        "xsmt",
        "zvvmm",
        "zvvmtls",
        "zvvmttls",
        "zvvfmm",
        *EXTENSIONS["rv_vector_drafts.csv"],
        "zvbb",
        "zvfbfwma",
    )
    assert len(load_isa("rv64gcv", *everything).instructions) > 900
    assert len(load_isa("rv64gcv", "xsmt", "zvtofp8fmm", "zvti8i32mm", "zvtmoves").instructions) > 800


def test_words_of_other_assemblers() -> None:
    """LLVM 22 (+xsmtvdot) and GNU as (zvqwbdota8i, zvzip) write these words."""
    isa = load_isa("rv64gcv", "xsmt", "zvqwbdota8i", "zvzip", "zvfdota", "zvabd")
    words = {
        "smt.vmadot v4, v2, v3": 0xE231322B, "vzip.vv v1, v2, v3": 0xFA21A0D7, "vpaire.vv v1, v2, v3, v0.t": 0x3C2180D7,
        "vunzipe.v v1, v2": 0x4A25A0D7, "vqwbdotau.vv v16, v8, v31, 1": 0xBA9F8877,
        "vfbdota.vv v16, v8, v31": 0xAE8F9877, "vwabda.vx v10, v9, a0, v0.t": 0xF4954557,
    }  # fmt: skip
    for text, word in words.items():
        segment = isa.assemble(text).segments[0]
        assert int.from_bytes(segment.data[:4], "little") == word, text
        assert isa.disassemble(word) == text
