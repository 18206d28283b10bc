r"""The discounted mass that is lost, y_t = 1 − x_t: Σ γᵗ y_t with y_{t+1} = min(1, a + c y_t).

c = 1 − gap is what a step keeps, ε what it loses besides, a = gap + ε. Floats add up what is lost,
never 1 minus what is kept, so errors far below the rounding of 1 keep their relative precision.
Before the mass is used up, at t = T,

    y_t = cᵗ y₀ + a (1 − cᵗ)/(1 − c),
    (1 − γc) Σ_{t<T} γᵗ y_t = y₀ + aγ (1 − γ^{T−1})/(1 − γ) − c γᵀ y_{T−1},

with 1 − cᵗ = −expm1(t log1p(−gap)) and 1 − γc = (1 − γ) + γ gap. The difference on the right
cancels only where T is far below 1/(1 − γ), and there what comes from T on is larger by as much:
what is lost stays lost, so it is at least γᵀ y_T/(1 − γ).
"""

from __future__ import annotations

import math
from functools import reduce

import numpy as np

from bounds.library.coupled_mass import decay, power_and_sum
from bounds.shared.numbers import Operand, is_exact


def lost_by(errors: tuple[Operand, ...]) -> Operand:
    """1 − Π(1 − error), a sum of non-negative terms; 0 for none."""
    return reduce(lambda lost, e: lost * (1 - e) + e, errors, 0)


def annuity(gamma: Operand, length: Operand) -> Operand:
    """1 + γ + … + γ^{length−1}; length may be inf, γ < 1."""
    if is_exact(gamma) and not isinstance(length, np.ndarray):
        return (1 - (0 if length == math.inf else gamma**length)) / (1 - gamma)
    return kept_and_lost(1 - np.asarray(gamma, dtype=float), length)[1]


def kept_and_lost(gap: Operand, n: Operand) -> tuple[Operand, Operand]:
    """(cⁿ, 1 + c + … + c^{n−1}) for c = 1 − gap, precise where the gap is tiny."""
    if is_exact(gap) and not isinstance(n, np.ndarray):
        return power_and_sum(1 - gap, n)
    gap, n = np.asarray(gap, dtype=float), np.asarray(n, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore", under="ignore"):
        exponent = np.where(n == 0, 0, n * np.log1p(-gap))
        exponent = np.where(gap == 0, 0, exponent)
        series = np.where(gap > 0, -np.expm1(exponent) / gap, n)
    return np.exp(exponent), series


def lost(
    y: Operand, gap: Operand, loss: Operand, gamma: Operand, length: Operand
) -> tuple[Operand, Operand]:
    """(Σ_{t<length} γᵗ y_t, y_length) for y_0 = y, y_{t+1} = min(1, gap + loss + (1 − gap) y_t).

    Exact numbers go through ``bounds.library.coupled_mass`` (without end: rounded up there by less
    than 2⁻⁶¹/(1 − γ)); floats and arrays broadcast. length may be inf.
    """
    if all(map(is_exact, (y, gap, loss, gamma))) and not isinstance(length, np.ndarray):
        kept, end = decay(1 - y, 1 - gap, loss, gamma, length)
        return annuity(gamma, length) - kept, 1 - end
    y, gap, loss, gamma, length = (np.asarray(v, float) for v in (y, gap, loss, gamma, length))
    c, a, left = 1 - gap, gap + loss, np.fmax(1 - y, 0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        falling = np.log1p(-gap * left / (gap * left + loss)) / np.log1p(-gap)
        used_up = np.ceil(np.where(gap > 0, falling, left / loss))
        used_up = np.where(left == 0, 0, np.where(loss > 0, np.fmax(used_up, 1), math.inf))
        steps = np.fmin(used_up, length)
        first = np.fmax(steps, 1)
        power, series = kept_and_lost(gap, first - 1)
        last = np.fmin(y * power + np.where(a > 0, a * series, 0), 1)
        until = y + a * gamma * annuity(gamma, first - 1) - c * gamma**first * last
        until = until / ((1 - gamma) + gamma * gap)
        rest = np.where(length > steps, annuity(gamma, length - steps), 0)
        total = np.where(steps > 0, until, 0) + np.where(rest > 0, gamma**steps * rest, 0)
        end = np.where(length < used_up, np.fmin(a + c * last, 1), 1)
        end = np.where(length > 0, end, y)
    return total, end
