"""Theorem 7 beyond its classes: soft learners in games that iterated strict dominance solves.

Climb is such a game, and in neither of the classes of ``tabular.soft_q.nash_limit_holds``: its only
equilibrium is no global optimum (the follower is paid 1 there and 2 at the other landmark) and no
saddle point (an agent is hurt where the other one leaves). Convergence needs another argument
there, for two agents learning at once (``tabular.soft_q.all_agents``, full steps), where *the next
state does not depend on the actions*: then the future adds the same to all own actions, and play in
each state is that of its stage game U, whatever γ is.

1. *Enclosure.* Let the other agent play each of its actions b with probability at most m(b). Then
   u(d) − u(a) is at least g(d, a), the least mean of U(d, ·) − U(a, ·) over such distributions
   (worst actions first), and a soft reply plays a with probability at most
   1/(1 + Σ_{d≠a} exp(g(d, a)/α)). From m = 1 for all, round after round, this encloses what all
   soft learners play after as many steps, from *every* start. If d strictly dominates a in what is
   left, g(d, a) tends to the least gain, and m(a) to 0 as α → 0. So if strict dominance leaves one
   profile e, the shares ηʲ beside eʲ tend to 0, for α below some positive number.
2. *Convergence.* Where soft replies have shares ≤ η ≤ 1/2 beside e, they move by at most
   η (1 − η)/α times the span by which u moves, in total variation: along a segment of u the
   derivative is q (1 − q)(difference of two means), q the share of the actions that gain most. The
   other's move of D_TV moves spans by at most D (``interactions``). If
   c = max_j ηʲ (1 − ηʲ) Dʲ/α < 1, policies contract by c a step to the only logit equilibrium, and
   then values by γ.
3. *Distance.* L_α(u) = u(eʲ) − α log πʲ(eʲ), and u(eʲ) is a mean of U(eʲ, ·) with the other's
   shares; so V_α − V₀ lies between the least of u(eʲ) − U(e) and the most of that less
   α log(1 − ηʲ), over 1 − γ. It is exponentially small in 1/α. V₀ are the only Nash Q-values.

Everything is rounded outwards: floats are moved by the part ``SPARE`` of the largest number that
went into them, against the conclusion.

Soft values may lie below V₀, other than in the classes. At temperatures where the enclosure leaves
too much, ``enclosure`` refuses: nothing is shown there. Steps 1 and 2 apply wherever it does not,
in hot games with several equilibria too; for step 3, ``value_bounds`` wants dominance to leave e.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bounds.shared.numbers import Array, InputError, shown
from tabular.equilibria.strict_dominance import undominated
from tabular.games.game import StochasticGame
from tabular.soft_q.all_agents import interactions

#: Most rounds, and the part of the shares whose fall is worth another one.
MAX_ROUNDS, WORTH = 1000, 1e-3
#: A sum of m products of floats is off by at most (m + 2) 2⁻⁵³ of the sum of their sizes, exp(x) by
#: a few of 2⁻⁵³ (1 + |x|), |x| ≤ 745: this pays for m and |x| up to a thousand.
SPARE = 2.0**-40


@dataclass(frozen=True, eq=False)
class Enclosure:
    """Where the soft replies of a stage game are at temperature α, after ``rounds`` of them.

    profile: e, an action an agent. eta: [agent], bounds on the shares beside it. factor: c of the
    module, by which policies contract. low, high: [agent], bounds on L_α(u) − U(e).
    """

    profile: tuple[int, int]
    rounds: int
    eta: Array
    factor: float
    low: Array
    high: Array


def enclosure(payoffs: Array, alpha: float) -> Enclosure:
    """The bounds of the module for a stage game ``payoffs[agent, a⁰, a¹]``, in floats.

    ``InputError`` for other than two agents, and where the policies are not shown to contract.
    """
    if not 0 < alpha < np.inf:
        raise InputError(
            f"alpha: {shown(alpha)} is not a temperature; give a finite number above 0"
        )
    if len(payoffs) != 2:
        raise InputError(f"payoffs: {len(payoffs)} agents; the enclosure is for 2")
    tables = payoffs[0].astype(float), payoffs[1].T.astype(float)  # the own action first
    most = [np.ones(len(table)) for table in tables]
    rounds, moving = 0, True
    while moving and rounds < MAX_ROUNDS:
        before, rounds = most, rounds + 1
        most = [
            np.minimum(most[j], replies(table, most[1 - j], alpha))
            for j, table in enumerate(tables)
        ]
        moving = any((new < (1 - WORTH) * old).any() for new, old in zip(most, before, strict=True))
    profile = int(most[0].argmax()), int(most[1].argmax())
    eta = np.array([np.delete(own, e).sum() for own, e in zip(most, profile, strict=True)])
    eta = eta * (1 + SPARE)
    spans = interactions(payoffs.astype(float)).sum(axis=1)
    factor = float((eta * (1 - eta) * spans).max() / alpha) * (1 + SPARE)
    if eta.max() > 0.5 or factor >= 1:
        raise InputError(
            f"alpha: at {alpha:.3g} soft replies are not shown to contract (a share of "
            f"{eta.max():.3g} beside one profile, factor {factor:.3g}); lower it, if strict "
            "dominance solves the game"
        )
    low, high = [], []
    for j, table in enumerate(tables):
        beside = table[profile[j]] - table[profile[j], profile[1 - j]]
        spare = SPARE * np.abs(table).max()
        low.append(least_mean(beside, most[1 - j]) - spare)
        more = -alpha * np.log1p(-eta[j]) * (1 + SPARE)
        high.append(-least_mean(-beside, most[1 - j]) + spare + more)
    return Enclosure(
        profile=profile,
        rounds=rounds,
        eta=eta,
        factor=factor,
        low=np.array(low),
        high=np.array(high),
    )


def replies(table: Array, most: Array, alpha: float) -> Array:
    """Upper bounds on soft replies [a] to shares of b of at most ``most``, for ``table[a, b]``."""
    gains = least_mean(table[None, :, :] - table[:, None, :], most)  # [a, d]
    gains = gains - SPARE * np.abs(table).max() * (1 - np.eye(len(table)))  # of d = a it is 0
    with np.errstate(over="ignore"):  # 1/inf is 0, as it should be
        return np.asarray((1 + SPARE) / np.exp(gains / alpha).sum(axis=1))


def least_mean(x: Array, most: Array) -> Array:
    """min Σ_b p(b) x[..., b] over distributions p ≤ ``most``, whose entries sum to 1 or more.

    Rounded to nearest: off by less than ``SPARE``/2 of the largest |x|.
    """
    order = x.argsort(axis=-1)
    room = most[order]
    p = np.clip(1 - (room.cumsum(axis=-1) - room), 0, room)
    return np.asarray((p * np.take_along_axis(x, order, axis=-1)).sum(axis=-1))


def value_bounds(game: StochasticGame, alpha: float) -> tuple[Array, Array]:
    """(low, high) [agent], bounds on V_α − V₀ in every state of a game; un-normalised values.

    ``InputError`` where the next state depends on the actions, where strict dominance leaves more
    than one profile, and where ``enclosure`` refuses.
    """
    if not bool((game.transition == game.transition[:, :1]).all()):
        raise InputError(
            "transition: the next state depends on the actions; these bounds are for games where "
            "it does not"
        )
    stages = [_solved(stage(game, s), alpha, s) for s in range(game.n_states)]
    low = np.min([found.low for found in stages], axis=0)
    high = np.max([found.high for found in stages], axis=0)
    horizon = 1 / (1 - float(game.gamma))
    return (low - SPARE * np.abs(low)) * horizon, (high + SPARE * np.abs(high)) * horizon


def _solved(payoffs: Array, alpha: float, state: int) -> Enclosure:
    found = enclosure(payoffs, alpha)
    left = [own[0] for own in undominated(payoffs[None])]
    if [int(own.sum()) for own in left] != [1, 1]:
        kept = "x".join(str(int(own.sum())) for own in left)
        raise InputError(
            f"reward: strict dominance leaves {kept} actions in state {state}; these bounds are "
            "for games that it solves"
        )
    if found.profile != tuple(int(own.argmax()) for own in left):
        raise InputError(f"alpha: at {alpha:.3g} another profile leads in state {state}; lower it")
    return found


def stage(game: StochasticGame, state: int) -> Array:
    """The rewards of ``state`` as a stage game [agent, a⁰, a¹, …]."""
    return np.asarray(game.reward[:, state].reshape(game.n, *game.actions))
