"""The Pareto front against its definition, point by point."""

from __future__ import annotations

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.common.errors import InputError
from archsim.explore.pareto import non_dominated, pareto

# few different values, so that ties and equal points occur
COSTS = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(st.integers(-3, 3), min_size=width, max_size=width), min_size=1, max_size=40)
)


def dominates(a: list[int], b: list[int]) -> bool:
    return all(x <= y for x, y in zip(a, b, strict=True)) and any(x < y for x, y in zip(a, b, strict=True))


@given(COSTS)
def test_front_is_what_nothing_dominates(costs: list[list[int]]) -> None:
    expected = [not any(dominates(rival, point) for rival in costs) for point in costs]
    assert non_dominated(np.array(costs, float)).tolist() == expected


def test_no_points_have_no_front() -> None:
    assert non_dominated(np.empty((0, 2))).tolist() == []


FRAME = pandas.DataFrame(
    {"time_s": [3.0, 1.0, 2.0, None, 3.0], "tokens_per_s": [9.0, 1.0, 5.0, 99.0, 8.0], "design": list("abcde")}
)


def test_rows_in_order_and_errors_left_out() -> None:
    assert list(pareto(FRAME, {"time_s": "min", "tokens_per_s": "max"})["design"]) == ["a", "b", "c"]
    assert list(pareto(FRAME, {"time_s": "max", "tokens_per_s": "max"})["design"]) == ["a"]
    assert list(pareto(FRAME, {"time_s": "min"})["design"]) == ["b"]


@pytest.mark.parametrize(
    ("objectives", "message"),
    [
        ({}, "needs an objective"),
        ({"time": "min"}, "unknown objective 'time'; did you mean 'time_s'"),
        ({"time_s": "least"}, "objective time_s is 'least'; use min or max"),
        ({"design": "min"}, "objective design holds no numbers"),
    ],
)
def test_bad_objectives(objectives: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        pareto(FRAME, objectives)
