"""Logit responses and equilibria (quantal response) of stage games, at temperature α > 0.

The logit response to the others' play is πʲ(aʲ) ∝ exp(uʲ(aʲ, π⁻ʲ) / α), the softmax of a soft
Q-learner; a logit equilibrium is a profile that responds to itself (McKelvey and Palfrey 1995,
Quantal response equilibria for normal form games). Its regret is at most α log |Aʲ|, because it
maximises uʲ + α entropy, and the entropy lies between 0 and log |Aʲ|.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bounds.shared.numbers import Array, InputError, Operand
from tabular.equilibria.gambit import logit_equilibria
from tabular.equilibria.stage_game import Strategies, deviation_payoffs


def logit_responses(payoffs: Array, strategies: Sequence[Array], alpha: Operand) -> Strategies:
    """Every agent's logit response to the others, floats of shape [..., aʲ].

    ``payoffs[..., agent, a⁰, a¹, …]``; ``alpha`` is a number, or an array that broadcasts over
    [..., 1].
    """
    floats = payoffs.astype(float)
    others = [own.astype(float) for own in strategies]
    return tuple(
        softmax(deviation_payoffs(floats, others, j) / alpha) for j in range(len(strategies))
    )


def softmax(scores: Array) -> Array:
    """exp(scores) over their sum on the last axis, without overflow."""
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def residual(payoffs: Array, strategies: Sequence[Array], alpha: Operand) -> Operand:
    """max_j D_TV(πʲ ‖ logit response to π⁻ʲ), shape [...]; 0 at a logit equilibrium.

    >>> from tabular.equilibria.stage_game import stage_game
    >>> stag_hunt = stage_game([[[4, 0], [3, 3]], [[4, 3], [0, 3]]])
    >>> uniform = (np.array([0.5, 0.5]),) * 2
    >>> round(float(residual(stag_hunt, uniform, alpha=1.0)), 4)
    0.2311
    """
    responses = logit_responses(payoffs, strategies, alpha)
    distances = [
        np.abs(own - response).sum(axis=-1) / 2
        for own, response in zip(strategies, responses, strict=True)
    ]
    return np.max(np.stack(distances), axis=0)


def logit_equilibrium(payoffs: Array, alpha: float) -> Strategies:
    """The logit equilibrium of one game on the principal branch at temperature ``alpha``.

    Through pygambit, an optional extra. As α → 0 the branch leads to one Nash equilibrium.
    """
    if not 0 < alpha < np.inf:
        raise InputError(f"alpha: {alpha} is not a temperature; give a finite number above 0")
    return logit_equilibria(payoffs, [1 / float(alpha)])[0]
