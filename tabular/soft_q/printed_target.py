"""The target of Eq. (5) as it is printed: the entropy outside γ, and what that changes.

Printed, a context with values x[a] is worth B(x) = E_π[γ x − α log π], π = softmax(x/α) by Eq. (4),
and Q ← R + E_{s′} B. Since E_π[x − α log π] = L_α(x),

    B(x) = L_α(x) − (1 − γ) E_π x,        ∂B/∂x_a = π_a (γ − (1 − γ)(log π_a + H(π))),

where the standard target has γ L_α(x). For a policy that is held, the printed target is the
standard one at temperature α/γ: the critic prices entropy at α/γ, and the actor acts at α. So the
actor does not improve what the critic measures, and B is not monotone:

- B(x + c) = B(x) + γ c still, so that one state alone still converges with factor γ;
- the Lipschitz constant in the sup norm is sup_π Σ_a π_a |γ − (1 − γ)(log π_a + H(π))|, which grows
  with log|A| and passes 1: no contraction in general (``lipschitz``);
- with enough actions the iteration goes to and fro for ever: ``staying`` is such a game, and
  ``printed_cycle`` its certificate.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import exp, log
from typing import Any

import numpy as np

from bounds.shared.numbers import Array, InputError, in_range, whole
from tabular.equilibria.softmax import log_sum_exp, softmax
from tabular.games.number_text import rational_text
from tabular.soft_q.one_agent import Form, World, by_context, check_temperature


def printed_values(q: Array, others: Array, gamma: float, alpha: float, form: Form) -> Array:
    """E_ν B of Q[..., s, aⁱ, o], shape [..., s]: what is added to R, γ included."""
    x, weight = by_context(q, others, form)
    value = log_sum_exp(x, alpha) - (1 - gamma) * (softmax(x, alpha) * x).sum(axis=-1)
    return np.asarray((weight * value).sum(axis=-1))


def printed_backup(given: World, q: Array, alpha: float, form: Form) -> Array:
    """One step of soft Q iteration with the printed target."""
    value = printed_values(q, given.others, given.gamma, alpha, form)
    return np.asarray(
        given.reward + (given.transition * value[..., None, None, None, :]).sum(axis=-1)
    )


def printed_iteration(given: World, alpha: float, form: Form, start: Array) -> Iterator[Array]:
    """Q and its printed backups, without end."""
    check_temperature(given, alpha)
    q = start
    while True:
        yield q
        q = printed_backup(given, q, alpha, form)


def lipschitz(gamma: float, actions: int, points: int = 20_001) -> float:
    """A lower value of B's Lipschitz constant in the sup norm, over one probability and equal rest.

    Σ_a π_a |γ − (1 − γ)(log π_a + H(π))| for π = (p, (1 − p)/(m − 1), …), the largest over a grid
    of p; every value is the norm of a derivative that occurs, whatever α is.

    >>> [round(lipschitz(0.1, actions), 3) for actions in (2, 10, 100)]
    [0.34, 1.124, 2.141]
    """
    in_range("gamma", gamma, 0, 1, open_high=True)
    whole("actions", actions, 1)
    if actions == 1:
        return gamma
    p = np.linspace(0, 1, points + 2)[1:-1]
    rest = (1 - p) / (actions - 1)
    entropy = -p * np.log(p) - (1 - p) * np.log(rest)
    parts: list[Array] = [
        mass * np.abs(gamma - (1 - gamma) * (np.log(share) + entropy))
        for mass, share in ((p, p), (1 - p, rest))
    ]
    return float((parts[0] + parts[1]).max())


def staying(gamma: float, stay: float, leaving: int) -> World:
    """One agent: in state 0 action 0 stays and pays ``stay``; ``leaving`` others lead to state 1.

    State 1 is for ever. All else pays 0.

    To and fro, from near the upper end of the cycle that ``printed_cycle`` certifies:

    >>> from itertools import islice
    >>> world = staying(gamma=0.1, stay=6.2, leaving=99)
    >>> start = staying_start(world, alpha=1.0, gap=4.5)
    >>> path = islice(printed_iteration(world, 1.0, "conditioned", start), 496, 500)
    >>> [round(float(q[0, 0, 0] - q[0, 1, 0]), 3) for q in path]
    [4.533, 4.876, 4.533, 4.876]
    """
    transition = np.zeros((2, leaving + 1, 1, 2))
    transition[..., 1] = 1
    transition[0, 0, 0] = [1, 0]
    reward = np.zeros((2, leaving + 1, 1))
    reward[0, 0] = stay
    return World(gamma, reward, transition, np.ones((2, 1)))


def staying_start(given: World, alpha: float, gap: float) -> Array:
    """Q of ``staying`` with all but Q(0, stay) at its fixed point, and that ``gap`` · α above."""
    actions = given.own_actions
    q = np.full(given.reward.shape, alpha * log(actions) / (1 - given.gamma))
    q[0, 0] += gap * alpha
    return q


def printed_cycle(
    gamma: Fraction, alpha: Fraction, stay: Fraction, leaving: int, claim: str
) -> dict[str, Any]:
    """The certificate that ``staying`` goes to and fro between two intervals of the gap for ever.

    ``InputError`` where no attracting cycle of two is found.
    """
    whole("leaving", leaving, 1)
    in_range("stay / alpha", stay / alpha, -100, 100)
    shift = float(stay / alpha) - log(leaving + 1)

    def step(x: float) -> float:
        share = exp(x) / (exp(x) + leaving)
        return shift + log(exp(x) + leaving) - (1 - float(gamma)) * share * x

    x = 0.0
    for _ in range(10_000):
        x = step(x)
    ends = sorted((x, step(x)))
    margin = (ends[1] - ends[0]) / 8
    nothing = f"stay: {stay} with {leaving} actions that leave: no cycle of two found"
    if margin < 1e-3:
        raise InputError(nothing)
    # a cycle that attracts: a little around one end falls strictly inside a little around the other
    slopes = [abs(step(e + margin) - step(e - margin)) / (2 * margin) for e in ends]
    if slopes[0] * slopes[1] >= 1:
        raise InputError(nothing)
    ratio = (slopes[1] / slopes[0]) ** 0.5  # so that each interval shrinks by the same factor
    widths = (margin * min(1.0, ratio), margin * min(1.0, 1 / ratio))
    intervals = [[_rational(e - w), _rational(e + w)] for e, w in zip(ends, widths, strict=True)]
    return {
        "format": "soft-certificate/1",
        "kind": "printed-cycle",
        "claim": claim,
        "gamma": rational_text(gamma),
        "alpha": rational_text(alpha),
        "stay": rational_text(stay),
        "leaving": leaving,
        "intervals": intervals,
    }


def _rational(x: float) -> str:
    return rational_text(Fraction(x).limit_denominator(10**6))
