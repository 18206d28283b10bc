"""The schedule of branch lengths against fractions."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounds.shared.numbers import InputError
from deep.aorpo.rollout_schedule import linear


@given(start=st.integers(0, 20), more=st.integers(1, 40), k=st.integers(1, 30))
def test_the_linear_schedule(start: int, more: int, k: int) -> None:
    end = start + more
    each = [linear(epoch, start, end, k) for epoch in range(end + 5)]
    assert each[: start + 1] == [1] * (start + 1)
    assert each[end:] == [k] * 5
    assert each == sorted(each)
    exact = [1 + Fraction((k - 1) * (epoch - start), more) for epoch in range(start, end)]
    assert each[start:end] == [int(x // 1) for x in exact]


@pytest.mark.parametrize("odd", [(1, 5, 5, 3), (1, -1, 5, 3), (1, 0, 5, 0)])
def test_schedules_that_are_none(odd: tuple[int, int, int, int]) -> None:
    with pytest.raises(InputError):
        linear(*odd)
