"""Robust means over seeds and tasks: the interquartile mean with a stratified bootstrap.

Where some seeds fail altogether their values are not normal, and the interquartile mean (the mean
of the middle half) with a percentile bootstrap tells more than Student's interval
(``tabular.records.intervals``) does (Agarwal et al. 2021). The bootstrap is stratified: seeds are
drawn anew within each task. Random numbers come from the generator given.

>>> import numpy as np
>>> returns = [np.array([-7.1, -6.9, -7.4, -13.0]), np.array([-20.5, -19.9, -21.0, -20.2])]
>>> found = bootstrap(returns, np.random.default_rng(0), level=0.95)
>>> round(float(found.value), 3), bool(found.low < found.value < found.high)
(-15.125, True)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from bounds.shared.numbers import Array, InputError, in_range, whole
from tabular.records.intervals import Interval


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
