"""Compile once before the workers start, so that they load from the cache instead of all compiling the same."""

from __future__ import annotations

import pytest
from hypothesis import settings

# how long an example takes is this computer's business, not a property
settings.register_profile("archsim", deadline=None)
settings.load_profile("archsim")

WARM_UP = """
    li t0, 16
    csrw qtm, t0
    li a0, 0
    li a7, 93
    ecall
"""


def pytest_sessionstart(session: pytest.Session) -> None:
    if hasattr(session.config, "workerinput") or session.config.option.collectonly:
        return
    import archsim
    from archsim.machine.compiled import tables_of

    design = archsim.load_design("edge-npu")
    isa = archsim.load_isa(*design.isa, parameters=design.parameters)
    tables = tables_of(isa)
    for name in isa.instructions:
        if name.startswith("q"):
            tables.compile(tables.coded.number[name], 0, timed=True)
    for fidelity in ("functional", "timed"):
        archsim.run(isa.assemble(WARM_UP), design, isa=isa, fidelity=fidelity)
