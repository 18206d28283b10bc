"""Theorem 7 where it fails: independent soft learners whose limit is not what Nash Q selects.

Repeated 2×2 games with a global optimum, so that Nash Q-learning's assumption holds in every stage
game and its values are (optimum's payoff)/(1 − γ). All agents learn at once from uniform play, πʲ ←
softmax(uʲ/α) (``tabular.soft_q.all_agents``); the values drop out of the differences, so γ does not
matter.

*The argument.* Let ``limit`` be the profile opposite to the optimum, and gainʲ(x) what agent j's
action in it pays more than its other one, where the other agent plays its own with probability x;
gainʲ is linear. Let gainʲ(1/2) ≥ 0 for both agents, > 0 for one, and gainʲ(1) > 0 for both. Then
the soft replies to the box x ∈ [1/2, 1]² lie in it, and none of its inner border is a fixed point.
Uniform play is in the box. So for every α > 0 the learners stay in it, and so does the branch of
logit equilibria from uniform play (α = ∞). The agent with gain(1/2) > 0 always replies with at
least 1/(1 + exp(−δ/α)) on the limit, δ its least gain on the box; that tends to 1 as α → 0, and
with it the other's reply. In a symmetric game the condition says that the limit risk-dominates
(Harsanyi and Selten 1988).

*The smallest games*, by the largest payoff in whole numbers from 0 (``smallest``):

- payoffs 0 and 1: each agent is paid for what the *other* one does. No soft learner ever leaves
  uniform play, which is worth half of the optimum. (Every profile is an equilibrium.)
- 3, the smallest with two strict equilibria: nine games, one of them symmetric, the stag hunt
  (3, 0; 2, 2). All hunt hares. With payoffs up to 2, two strict equilibria and the other one worse
  for both, it pays 1 at the other one, 0 beside it, and at most 1 beside the optimum's 2: no agent
  ever leaves uniform play for it.
- In two of the nine the limit is no saddle point either, so that no reading of Nash Q's assumption
  selects it. The smallest symmetric game of that kind is (4, 0; 2, 3).

*The conditioned form*, πʲ(aʲ|o) ∝ exp(Qʲ(aʲ, o)/α) with o drawn from the other's average play, has
one stationary average play, by two linear equations (``conditioned_play``); at α = 1/log b it is
rational. In (4, 0; 2, 3) the optimum's share is (1 + b²)/(2 + b² + b³) → 0 as α → 0: the same
limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any, Literal

import numpy as np

from bounds.shared.numbers import Array, InputError
from tabular.games.arrays import exact_array
from tabular.games.number_text import rational_text
from tabular.soft_q.all_agents import power_softmax

_F = Fraction
Criterion = Literal["any", "strict", "no-saddle"]
#: Temperatures of the enclosures in a certificate.
ALPHAS = (_F(1), _F(1, 2), _F(1, 4), _F(1, 8), _F(1, 16))


def symmetric(row: Sequence[Sequence[int]]) -> Array:
    """payoffs[agent, a⁰, a¹] of the symmetric game whose row player has ``row``; exact."""
    return exact_array([row, [list(column) for column in zip(*row, strict=True)]])


#: The games of the module's docstring; the global optimum is (0, 0) in each.
SMALLEST = symmetric([[1, 0], [1, 0]])
STAG_HUNT = symmetric([[3, 0], [2, 2]])
NO_SADDLE = symmetric([[4, 0], [2, 3]])


def gains(payoffs: Array) -> tuple[Array, Array]:
    """(gain at 1/2, gain at 1) [..., agent]: action 1 over 0, by the other's chance of 1."""
    first = payoffs[..., 0, 1, :] - payoffs[..., 0, 0, :]  # by the other's action
    second = payoffs[..., 1, :, 1] - payoffs[..., 1, :, 0]
    by_other = np.stack([first, second], axis=-2)
    half = _F(1, 2) if payoffs.dtype == object else 0.5
    return np.asarray(by_other.sum(axis=-1) * half), by_other[..., 1]


def wrong_limit(payoffs: Array) -> Any:
    """Whether (0, 0) is an optimum and the learners' limit (1, 1) is worse for both; shape [...].

    By the argument of the module: sufficient, not necessary.
    """
    half, end = gains(payoffs)
    inside = ((half >= 0) & (end > 0)).all(axis=-1) & (half > 0).any(axis=-1)
    worse = (payoffs[..., 1, 1] < payoffs[..., 0, 0]).all(axis=-1)
    return inside & worse & optimal(payoffs)


def optimal(payoffs: Array) -> Any:
    """Whether (0, 0) is the only global optimum; shape [...]."""
    rest = np.stack([payoffs[..., 0, 1], payoffs[..., 1, 0], payoffs[..., 1, 1]], axis=-1)
    best = payoffs[..., 0, 0]
    most = (best[..., None] >= rest).all(axis=(-2, -1))
    return most & (best[..., None] > rest).any(axis=-2).all(axis=-1)


def stays_uniform(payoffs: Array) -> Any:
    """Whether (0, 0) is an optimum and uniform play, worth less, is never left; shape [...]."""
    half, _ = gains(payoffs)
    worse = (payoffs.mean(axis=(-2, -1)) < payoffs[..., 0, 0]).all(axis=-1)
    return (half == 0).all(axis=-1) & optimal(payoffs) & worse


def strict(payoffs: Array) -> Any:
    """Whether (0, 0) and (1, 1) are strict equilibria; shape [...]."""
    one = (payoffs[..., 0, 0, 0] > payoffs[..., 0, 1, 0]) & (
        payoffs[..., 1, 0, 0] > payoffs[..., 1, 0, 1]
    )
    other = (payoffs[..., 0, 1, 1] > payoffs[..., 0, 0, 1]) & (
        payoffs[..., 1, 1, 1] > payoffs[..., 1, 1, 0]
    )
    return one & other


def limit_is_saddle(payoffs: Array) -> Any:
    """Whether no deviation of the other hurts an agent at (1, 1); shape [...]."""
    return (payoffs[..., 0, 1, 0] >= payoffs[..., 0, 1, 1]) & (
        payoffs[..., 1, 0, 1] >= payoffs[..., 1, 1, 1]
    )


@dataclass(frozen=True, eq=False)
class Smallest:
    """The largest payoff, how many games were looked at for it, and those that fail the claim."""

    payoff: int
    examined: int
    games: Array


def smallest(criterion: Criterion, most: int = 4, *, symmetric_only: bool = False) -> Smallest:
    """All failing 2×2 games with payoffs in 0..N for the least N ≤ ``most`` at which there is one.

    any: uniform play is never left, or the limit is (1, 1); strict: the limit is (1, 1), and both
    are strict equilibria; no-saddle: and the limit is no saddle point.
    """
    for payoff in range(1, most + 1):
        numbers = np.arange(payoff + 1)
        # (0, 0) must be a global optimum, so nothing exceeds the agent's payoff there
        tables = np.array(
            [t for t in product(numbers, repeat=4) if t[0] == max(t)], dtype=np.int64
        ).reshape(-1, 2, 2)
        pairs = np.stack(np.broadcast_arrays(tables[:, None], tables[None]), axis=2)
        games = pairs.reshape(-1, 2, 2, 2).astype(float)
        if symmetric_only:
            games = games[(games[:, 0] == np.swapaxes(games[:, 1], 1, 2)).all(axis=(1, 2))]
        if criterion == "any":
            fails = wrong_limit(games) | stays_uniform(games)
        else:
            fails = wrong_limit(games) & strict(games)
        if criterion == "no-saddle":
            fails = fails & ~limit_is_saddle(games)
        if fails.any():
            return Smallest(payoff, len(games), games[fails].astype(int))
    raise InputError(f"most: no such game with payoffs up to {most}; give more")


def limit_certificate(payoffs: Array, claim: str) -> dict[str, Any]:
    """The certificate that the learners' limit is not the global optimum (0, 0), for the checker.

    With the shares of the limit at each of ``ALPHAS``, as intervals that the soft replies map into
    themselves. ``InputError`` where the argument of the module does not apply.
    """
    certificate: dict[str, Any] = {
        "format": "soft-certificate/1",
        "kind": "wrong-limit",
        "claim": claim,
        "payoffs": [[[rational_text(x) for x in row] for row in table] for table in payoffs],
        "optimum": [0, 0],
    }
    if stays_uniform(payoffs):
        return certificate | {"limit": "uniform"}
    if not wrong_limit(payoffs):
        raise InputError("payoffs: the learners' limit is not known to be opposite to an optimum")
    rows = [{"alpha": rational_text(a), "boxes": _boxes(payoffs, a)} for a in ALPHAS]
    return certificate | {"limit": [1, 1], "enclosures": rows}


def _boxes(payoffs: Array, alpha: Fraction) -> list[list[str]]:
    """Intervals [agent] around the limit's shares, from those of all replies to the box."""
    half, end = (np.asarray(g, dtype=float) for g in gains(payoffs))
    low, high = np.full(2, 0.5), np.ones(2)
    for _ in range(200):
        # the gain is linear in the other's share, and the share grows with the gain
        ends = [half + (end - half) * (2 * x[::-1] - 1) for x in (low, high)]
        shares = [1 / (1 + np.exp(-e / float(alpha))) for e in ends]
        low, high = np.minimum(*shares), np.maximum(*shares)
    grid = 10**9  # outwards, by more than the iteration and the floats leave open
    return [
        [
            rational_text(max(_F(1, 2), _F(int(a * grid) - 2, grid))),
            rational_text(min(_F(1), _F(int(b * grid) + 3, grid))),
        ]
        for a, b in zip(low, high, strict=True)
    ]


def conditioned_play(payoffs: Array, base: Fraction) -> tuple[Fraction, Fraction]:
    """Both agents' shares of action 0 in the conditioned form at α = 1/log(base), exactly.

    x = y σ⁰(0) + (1 − y) σ⁰(1), y = x σ¹(0) + (1 − x) σ¹(1) with σʲ(o) the soft reply's share of
    action 0 to o: the only solution, as all σ lie strictly between 0 and 1.

    >>> print(*conditioned_play(NO_SADDLE, Fraction(10)))
    101/1102 101/1102
    """
    first, second = (
        [power_softmax(table[o], base)[0] for o in range(2)] for table in (payoffs[0].T, payoffs[1])
    )
    slopes = first[0] - first[1], second[0] - second[1]
    x = (first[1] + slopes[0] * second[1]) / (1 - slopes[0] * slopes[1])
    return x, second[1] + slopes[1] * x
