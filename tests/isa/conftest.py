from __future__ import annotations

import pytest

from archsim.isa.load import load_isa
from archsim.isa.spec import Isa


@pytest.fixture(scope="session")
def isa() -> Isa:
    """The base, multiplication, control registers and tiles."""
    return load_isa("rv64im", "zicsr", "zicntr", "xqt")
