"""Means over seeds with their intervals: Student's for one run, Welch's for a difference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bounds.shared.numbers import Array

#: Level of the intervals.
LEVEL = 0.95


@dataclass(frozen=True)
class Mean:
    """The mean over seeds of something, and its interval at ``LEVEL``."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f})"


def over_seeds(means: Array) -> Mean:
    """Student's interval; NaN ends with one seed."""
    from scipy import stats

    count, value = len(means), float(means.mean())
    if count < 2:
        return Mean(value, float("nan"), float("nan"))
    half = float(stats.t.ppf((1 + LEVEL) / 2, count - 1) * means.std(ddof=1) / count**0.5)
    return Mean(value, value - half, value + half)


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
