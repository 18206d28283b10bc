"""Learning rates of Nash Q-learning: how much of a new target is taken at the n-th visit.

In a game of one joint action the error after n updates, as a part of the first, is
e_n = Π_{i≤n} (1 − (1 − γ) rate(i)):

- ``published``, 1/n (Hu and Wellman 2003): about n^{−(1−γ)}/Γ(γ);
- ``polynomial``, n^{−ω} for 1/2 < ω < 1 (Even-Dar and Mansour 2003, Learning rates for
  Q-learning): about exp(−(1 − γ) n^{1−ω}/(1 − ω));
- ``rescaled``, 1/(1 + (1 − γ) n) (Wainwright 2019, Stochastic approximation with cone-contractive
  operators): exactly that rate again, e_n = 1/(1 + (1 − γ) n), as the product telescopes.

All three sum to infinity and their squares do not, which is what the theorem of convergence asks of
rates. At γ = 0.95, to be left with 1 % of the error takes 1/n more than 10³⁹ visits of every pair,
n^{−0.77} 691,976, n^{−0.6} 8,654 and the rescaled rate 1,980. What is learned is as noisy as the
last rate is large: the mean of about 1/rate targets.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bounds.shared.numbers import Array, InputError, in_range

#: Rates, each in (0, 1], of numbers of visits, each 1 or more; arrays of the same shape.
Rate = Callable[[Array], Array]


def published(visits: Array) -> Array:
    """1/n."""
    return np.asarray(1 / visits)


def polynomial(power: float) -> Rate:
    """n^{−ω}; ``InputError`` unless 1/2 < ω ≤ 1, as the squares must have a finite sum."""
    if not 0.5 < power <= 1:
        raise InputError(f"power: {power} is not in (1/2, 1]; the squares of the rates must sum up")

    def rate(visits: Array) -> Array:
        return np.asarray(visits**-power)

    return rate


def rescaled(gamma: float) -> Rate:
    """1/(1 + (1 − γ) n), for a game with this discount."""
    weight = 1 - float(in_range("gamma", gamma, 0, 1, open_high=True))

    def rate(visits: Array) -> Array:
        return np.asarray(1 / (1 + weight * visits))

    return rate
