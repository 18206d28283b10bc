"""What several seeds say together: means with Student's interval, and robust means with resampling.

Seeds are independent runs, so a mean over few of them has Student's t interval if their values are
about normal. Where some seeds fail altogether they are not, and the interquartile mean (the mean of
the middle half) with a percentile bootstrap tells more (Agarwal et al. 2021). The bootstrap is
stratified: seeds are drawn anew within each task. Random numbers come from the generator given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from bounds.shared.numbers import Array, InputError, in_range, whole


@dataclass(frozen=True, eq=False)
class Interval:
    """A statistic and the ends of its interval of probability ``level``; arrays of one shape."""

    value: Array
    low: Array
    high: Array
    level: float


def mean(values: Array, level: float = 0.95) -> Interval:
    """Mean over the last axis, [..., seed], and Student's interval.

    x̄ ± t_{(1+level)/2, n−1} s/√n. One seed has no interval: its ends are NaN.
    """
    in_range("level", level, 0, 1, open_high=True)
    values = np.asarray(values, dtype=float)
    count = values.shape[-1]
    if count == 0:
        raise InputError("values: no seed; give at least one")
    centre = values.mean(-1)
    if count == 1:
        gap = np.full_like(centre, np.nan)
    else:
        quantile = stats.t.ppf((1 + level) / 2, count - 1)
        gap = quantile * values.std(-1, ddof=1) / np.sqrt(count)
    return Interval(centre, centre - gap, centre + gap, level)


def interquartile_mean(values: Array) -> float:
    """Mean of what lies between the quartiles of all numbers: a quarter is cut off at each end.

    The n/4 lowest and highest are left out, the outermost kept in part where n/4 is not whole.
    """
    ordered = np.sort(np.asarray(values, dtype=float), axis=None)
    count = len(ordered)
    if count == 0:
        raise InputError("values: none; give at least one")
    # how much of each number lies in the middle half
    edges = np.arange(count + 1)
    weights = np.clip(np.minimum(edges[1:], 0.75 * count) - np.maximum(edges[:-1], count / 4), 0, 1)
    return float(weights @ ordered / weights.sum())


def bootstrap(
    tasks: Sequence[Array],
    generator: np.random.Generator,
    statistic: Callable[[Array], float] = interquartile_mean,
    level: float = 0.95,
    draws: int = 2000,
) -> Interval:
    """``statistic`` of all seeds of all tasks, and its stratified percentile bootstrap.

    tasks: one array of seeds' values for each task. ``draws`` times, every task's seeds are drawn
    with replacement from its own.
    """
    in_range("level", level, 0, 1, open_high=True)
    whole("draws", draws, 2)
    if not tasks or any(len(each) == 0 for each in tasks):
        raise InputError("tasks: one has no seed; give at least one to each")
    found = np.empty(draws)
    for draw in range(draws):
        again = [each[generator.integers(len(each), size=len(each))] for each in tasks]
        found[draw] = statistic(np.concatenate(again))
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    value = np.asarray(statistic(np.concatenate(list(tasks))))
    return Interval(value, np.asarray(low), np.asarray(high), level)
