"""Intervals that cover what they say, means of the middle half, and curves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from bounds.shared.numbers import InputError
from deep.analysis.figures import learning_curves
from deep.analysis.statistics import bootstrap, interquartile_mean
from tabular.records.intervals import mean

NUMBERS = arrays.arrays(float, st.integers(2, 12), elements=st.floats(-100, 100))


@given(NUMBERS, st.floats(0.5, 0.99))
def test_the_mean_and_its_interval_are_scipys(values: np.ndarray, level: float) -> None:
    found = mean(values, level)
    low = high = values.mean()
    if values.std(ddof=1) > 0:  # scipy has no interval of no width
        low, high = stats.t.interval(level, len(values) - 1, values.mean(), stats.sem(values))
    # a sum of 12 numbers of at most 100 and a quotient: roundings of 1e-16 each
    assert found.low == pytest.approx(low, abs=1e-10)
    assert found.high == pytest.approx(high, abs=1e-10)
    assert found.low <= found.value <= found.high


def test_intervals_cover_the_mean_as_often_as_they_say() -> None:
    values = np.random.default_rng(0).normal(3, 2, size=(4000, 5))
    found = mean(values, 0.9)
    inside = ((found.low <= 3) & (found.high >= 3)).mean()
    # 0.9 ± 4 √(0.9 · 0.1 / 4000), a level of 6e-5
    assert abs(inside - 0.9) < 0.019


def test_one_seed_has_no_interval() -> None:
    found = mean(np.array([[1.0], [2.0]]))
    assert found.value.tolist() == [1, 2]
    assert np.isnan(found.low).all()
    assert np.isnan(found.high).all()
    with pytest.raises(InputError, match="no seed"):
        mean(np.zeros((3, 0)))


@given(st.integers(1, 10), st.integers(0, 2**20))
def test_the_interquartile_mean_is_scipys_trimmed_mean(quarter: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=4 * quarter)
    # 4e-15: a sum of 20 numbers of about 1
    assert interquartile_mean(values) == pytest.approx(stats.trim_mean(values, 0.25), abs=1e-14)


@given(NUMBERS)
def test_the_interquartile_mean_moves_with_the_numbers(values: np.ndarray) -> None:
    middle = interquartile_mean(values)
    assert values.min() - 1e-9 <= middle <= values.max() + 1e-9  # rounding of sums up to 1e3
    assert interquartile_mean(values[::-1]) == middle
    assert interquartile_mean(3 - values) == pytest.approx(3 - middle, abs=1e-9)
    # as though every number were there four times, when quarters are whole
    assert interquartile_mean(np.repeat(values, 4)) == pytest.approx(middle, abs=1e-9)


def test_one_seed_that_fails_does_not_move_the_interquartile_mean() -> None:
    assert interquartile_mean(np.array([1, 2, 3, 4, -1e6, 1e6, 2, 3])) == 2.5


def test_the_bootstrap_is_repeatable_and_stratified() -> None:
    tasks = [np.array([0.0, 0.0, 0.0]), np.array([1.0, 1.0, 1.0])]
    found = [bootstrap(tasks, np.random.default_rng(5), draws=50) for _ in range(2)]
    assert found[0].low == found[1].low
    assert found[0].high == found[1].high
    # a task's seeds never stand for another's, so half of the numbers are always 0
    assert found[0].low == found[0].high == found[0].value == 0.5
    with pytest.raises(InputError, match="has no seed"):
        bootstrap([np.zeros(0)], np.random.default_rng(0))


def test_the_bootstrap_covers_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(200):
        found = bootstrap([rng.normal(size=30)], rng, np.mean, 0.9, 200)  # type: ignore[arg-type]
        hits += bool(found.low <= 0 <= found.high)
    # the percentile bootstrap of 30 numbers falls short by a few hundredths; 4 deviations of 0.021
    assert 0.78 < hits / 200 < 0.985


def test_curves_have_bands_names_and_units() -> None:
    x = np.arange(5.0)
    several, one = np.random.default_rng(0).normal(size=(5, 3)), np.zeros((5, 1))
    figure = learning_curves(
        [("ours", x, several), ("theirs", x, one)], levels=[("a heuristic", 2.0)]
    )
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "ours, 3 seeds",
        "theirs, 1 seeds",
    ]
    assert len(axes.collections) == 1
    assert axes.get_xlabel()
    assert axes.get_ylabel()
    assert axes.get_ylim()[1] > 2
