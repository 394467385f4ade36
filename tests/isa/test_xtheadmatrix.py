"""XuanTie's 224 instructions have the words of the published table (its multiplies at uop = 10)."""

from __future__ import annotations

import archsim
from tests.isa.tables import rows


def test_every_word() -> None:
    isa = archsim.load_isa("rv64i", "xtheadmatrixew")
    own = {name: one.match for name, one in isa.instructions.items() if one.extension.startswith("XTheadMatrix")}
    assert own == {row["name"]: row["match"] for row in rows("xuantie_matrix_0.6.csv")}
    assert len(own) == 224
