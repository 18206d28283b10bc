"""Softmax and log-sum-exp at a temperature, down to 0, on floats and rationals."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from bounds.shared.numbers import Array, Operand
from tabular.games.arrays import is_exact_array, zeros


def log_sum_exp(x: Array, alpha: Operand) -> Array:
    """L_α(x) = α log Σ exp(x/α) over the last axis, max for α = 0."""
    top = x.max(axis=-1)
    if alpha == 0:
        return np.asarray(top, dtype=x.dtype)
    return np.asarray(top + alpha * np.log(np.exp((x - top[..., None]) / alpha).sum(axis=-1)))


def softmax(x: Array, alpha: Operand) -> Array:
    """exp(x/α)/Σ exp(x/α) over the last axis; for α = 0 the first of the best."""
    if alpha == 0:
        first = x.argmax(axis=-1)[..., None] == np.arange(x.shape[-1])
        choice = zeros(x.shape, exact=is_exact_array(x))
        choice[first] = Fraction(1) if is_exact_array(x) else 1.0
        return choice
    weights = np.exp((x - x.max(axis=-1, keepdims=True)) / alpha)
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))
