"""Means over seeds with their intervals: Student's for one run, Welch's for a difference.

Seeds are independent runs, so a mean over few of them has Student's t interval if their values are
about normal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bounds.shared.numbers import Array, InputError, in_range

#: Level of the intervals.
LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class Interval:
    """A statistic and the ends of its interval of probability ``level``; arrays of one shape."""

    value: Array
    low: Array
    high: Array
    level: float


@dataclass(frozen=True)
class Mean:
    """The mean over seeds of something, and its interval at ``LEVEL``."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f})"


def mean(values: Array, level: float = LEVEL) -> Interval:
    """Mean over the last axis, [..., seed], and Student's interval.

    x̄ ± t_{(1+level)/2, n−1} s/√n. One seed has no interval: its ends are NaN.
    """
    from scipy import stats

    in_range("level", level, 0, 1, open_high=True)
    values = np.asarray(values, dtype=float)
    count = values.shape[-1]
    if count == 0:
        raise InputError("values: no seed; give at least one")
    centre = values.mean(-1)
    if count == 1:
        half = np.full_like(centre, np.nan)
    else:
        quantile = stats.t.ppf((1 + level) / 2, count - 1)
        half = quantile * values.std(-1, ddof=1) / count**0.5
    return Interval(centre, centre - half, centre + half, level)


def over_seeds(means: Array) -> Mean:
    """``mean`` of one number a seed, [seed], at ``LEVEL``."""
    found = mean(means)
    return Mean(float(found.value), float(found.low), float(found.high))


def difference(a: Array, b: Array) -> Mean:
    """Mean of ``a`` less that of ``b``, each [seed], and Welch's interval at ``LEVEL``."""
    from scipy import stats

    parts = np.array([x.var(ddof=1) / len(x) for x in (a, b)])
    value, variance = float(a.mean() - b.mean()), float(parts.sum())
    if variance == 0:
        return Mean(value, value, value)
    freedom = variance**2 / float((parts**2 / (len(a) - 1, len(b) - 1)).sum())
    half = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * variance**0.5
    return Mean(value, value - half, value + half)
