"""Plans of mixed precision whose price is time on a design."""

from __future__ import annotations

import pytest

from archsim.accuracy.mixed import Sensitivity, plan_under
from archsim.common.errors import InputError
from archsim.design import load_design
from archsim.explore.precision import decode_cycles
from archsim.formats import parse_format

SIZES = {"wide": (1024, 256), "tall": (256, 1024), "twin": (256, 1024)}
FORMATS = [parse_format(name) for name in ("int2-g64-asym", "int4-g64-asym", "int8-g64-asym")]


def prices(design: str) -> dict[tuple[str, str], float]:
    return decode_cycles(load_design(design), SIZES, FORMATS, lambda done, total, what: None)


def test_what_the_unit_multiplies_itself_costs_by_its_bytes_and_what_is_unpacked_does_not() -> None:
    native, unpacked = prices("edge-npu-formats"), prices("edge-npu")
    for name in SIZES:
        assert native[name, "int2-g64-asym"] < native[name, "int4-g64-asym"] < native[name, "int8-g64-asym"]
        # its unit has int4 and int8: int2 passes through the vector unit first, and saves next to nothing
        assert unpacked[name, "int2-g64-asym"] > 0.9 * unpacked[name, "int4-g64-asym"]
        assert native[name, "int2-g64-asym"] < 0.95 * native[name, "int4-g64-asym"]
    assert native["tall", "int4-g64-asym"] == native["twin", "int4-g64-asym"]


def test_a_plan_pays_for_what_is_gained() -> None:
    """What costs nothing more is taken, however little it gains; then the best gain for the price."""
    costs = {(name, form.name): 0.0 for name in SIZES for form in FORMATS}
    costs |= {("wide", "int2-g64-asym"): 1.0, ("tall", "int2-g64-asym"): 5.0, ("twin", "int2-g64-asym"): 0.1}
    price = {(name, form.name): float(form.bits) for name in SIZES for form in FORMATS}
    price["twin", "int4-g64-asym"] = 2.0
    plan = plan_under(Sensitivity(SIZES, FORMATS, costs), price, 8.0, "8 cycles")
    assert {name: form.bits for name, form in plan.items()} == {"wide": 2, "tall": 4, "twin": 4}
    with pytest.raises(InputError, match="5 cycles are less than the smallest format takes"):
        plan_under(Sensitivity(SIZES, FORMATS, costs), price, 5.0, "5 cycles")


def test_a_design_that_cannot_multiply_a_format_is_told() -> None:
    with pytest.raises(InputError, match="need a matrix unit that multiplies fp4"):
        decode_cycles(load_design("edge-npu"), SIZES, [parse_format("mxfp4")], lambda done, total, what: None)
