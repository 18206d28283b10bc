"""Selections of one equilibrium of a stage game; an error where it has none of that kind.

The choices, by the names that users give:

- ``any``: one that is found with little work, for games with too many equilibria to list
  (``stage_equilibria``)
- ``first``: the first in the order of the solver (for two agents that of ``support_enumeration``:
  pure before mixed; for more, pure ones in the order of joint actions, then pygambit's)
- ``best:J``: the best for agent J
- ``best-sum``: the largest sum of the agents' payoffs
- ``pareto``: the first that no other equilibrium of the list dominates
- ``global-optimum``, ``saddle``: one that satisfies the condition (``stage_game``)

Equal candidates: the first. For two agents the list holds the extreme equilibria, and that is
enough for every choice but the last: a payoff is largest at a corner, and a global optimum needs a
pure one. Saddle points form a product of two polytopes whose corners need not be extreme
equilibria; where no extreme one is a saddle, two zero-sum games decide (``saddle_point``).

Floats: payoffs that differ by less than the part ``TIE`` of what is received are equal. Received is
what the profile plays, E |payoff − base|, where an agent's base is its payoff of smallest size: so
neither an offset that all payoffs have in common nor a fine that nobody risks makes payoffs equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from bounds.shared.numbers import Array, InputError, shown
from tabular.equilibria.stage_game import Strategies, expected_payoffs, is_global_optimum, is_saddle
from tabular.equilibria.support_enumeration import Equilibria
from tabular.equilibria.zero_sum_stage import best_guarantee
from tabular.games.arrays import is_exact_array

#: Names without an agent; ``best:J`` is the other.
NAMES = ("first", "any", "best-sum", "pareto", "global-optimum", "saddle")
#: How close float payoffs count as equal, as a part of what is received; and as a part of an
#: offset, which its floats are rounded to: 8 units in the last place.
TIE, OFFSET_TIE = 1e-9, 2.0**-50


@dataclass(frozen=True)
class Selection:
    """A choice of equilibrium: a name of ``NAMES``, or ``best`` with an agent."""

    name: str
    agent: int | None = None

    def __str__(self) -> str:
        return self.name if self.agent is None else f"{self.name}:{self.agent}"


class NoSuchEquilibriumError(InputError):
    """No equilibrium is as asked for; ``game`` is the index in the batch, ``why`` the reason."""

    def __init__(self, game: int, why: str) -> None:
        super().__init__(f"stage game {game}: {why}")
        self.game = game
        self.why = why


def parse_selection(text: str, n: int) -> Selection:
    """The selection called ``text`` for ``n`` agents; ``InputError`` for anything else."""
    if text in NAMES:
        return Selection(text)
    name, _, agent = text.partition(":")
    if name == "best" and agent.isascii() and agent.isdecimal() and len(agent) < 10:
        if int(agent) < n:
            return Selection("best", int(agent))
        raise InputError(f"selection: {text}: there is no agent {int(agent)}, only 0..{n - 1}")
    raise InputError(f"selection: {shown(text)}; give {', '.join(NAMES)} or best:J for agent J")


def select(equilibria: Equilibria, payoffs: Array, selection: Selection) -> Equilibria:
    """One equilibrium of each game of ``payoffs[game, agent, a⁰, …]``, out of its list.

    Raises ``NoSuchEquilibriumError`` for the first game without one.
    """
    games = len(payoffs)
    present = np.bincount(equilibria.game, minlength=games)
    if (present == 0).any() and selection.name != "global-optimum":
        raise NoSuchEquilibriumError(int(present.argmin()), "no equilibrium was found")
    fits = _fits(equilibria, payoffs, selection)
    chosen = np.flatnonzero(fits)
    first = np.searchsorted(equilibria.game[chosen], np.arange(games))
    has = np.bincount(equilibria.game[chosen], minlength=games) > 0
    if selection.name == "saddle" and not has.all() and payoffs.shape[1] == 2:
        return _with_saddle_points(equilibria.take(chosen[first[has]]), payoffs, has, present)
    if not has.all():
        raise _none(int(has.argmin()), present, selection)
    return equilibria.take(chosen[first])


def _based(payoffs: Array) -> tuple[Array, Array]:
    """``payoffs[game, agent, …]`` without each agent's base, and the bases [game, agent]."""
    flat = payoffs.reshape(*payoffs.shape[:2], -1)
    if is_exact_array(payoffs):
        return payoffs, np.full(flat.shape[:2], Fraction(0))
    base = np.take_along_axis(flat, np.abs(flat).argmin(axis=-1)[..., None], axis=-1)
    return (flat - base).reshape(payoffs.shape), base[..., 0]


def _slack(based: Array, base: Array, strategies: Strategies) -> Array:
    """What payoffs may differ by and count as equal, [e, agent]: 0 for exact games.

    ``based[e, agent, …]`` are payoffs without the bases ``base[e, agent]``.
    """
    if is_exact_array(based):
        return base
    return TIE * expected_payoffs(np.abs(based), strategies) + OFFSET_TIE * np.abs(base)


def _none(game: int, present: Array, selection: Selection) -> NoSuchEquilibriumError:
    what = {"saddle": "a saddle point", "global-optimum": "a global optimum"}
    kind = what.get(selection.name, str(selection))
    count = int(present[game])
    of = {0: "no joint action is", 1: "its one equilibrium is not"}
    who = of.get(count, f"none of its {count} equilibria is")
    return NoSuchEquilibriumError(game, f"{who} {kind}; choose another selection")


def _fits(found: Equilibria, payoffs: Array, selection: Selection) -> Array:
    """Which rows may be taken, [e]."""
    game = found.game
    if selection.name in ("first", "any") or not len(game):
        return np.ones(len(game), bool)
    certain = all(map(is_exact_array, found.strategies))
    tables, bases = _based(payoffs if certain else payoffs.astype(float))
    based = tables[game]
    slack = _slack(based, bases[game], found.strategies)
    if selection.name == "global-optimum":
        return np.asarray(is_global_optimum(based, found.strategies, slack), bool)
    if selection.name == "saddle":
        return np.asarray(is_saddle(based, found.strategies, slack), bool)
    own = expected_payoffs(based, found.strategies)
    if selection.name == "pareto":
        return _undominated(game, own, slack)
    if selection.agent is None:
        score, room = own.sum(axis=1), slack.sum(axis=1)
    else:
        score, room = own[:, selection.agent], slack[:, selection.agent]
    starts = np.searchsorted(game, np.arange(len(payoffs)))
    best = np.maximum.reduceat(score, starts)[game]
    leads = np.where(score == best, room, 0 * room)
    return np.asarray(score >= best - np.maximum(room, np.maximum.reduceat(leads, starts)[game]))


def _undominated(game: Array, own: Array, slack: Array) -> Array:
    """Which rows no other row of the same game dominates."""
    counts = np.bincount(game)
    starts = np.cumsum(counts) - counts
    number = counts[game]
    this = np.repeat(np.arange(len(game)), number)
    other = np.arange(len(this)) - np.repeat(np.cumsum(number) - number, number)
    other += starts[game[this]]
    gain = own[other] - own[this]
    room = np.maximum(slack[this], slack[other])
    dominated = (gain >= -room).all(axis=1) & (gain > room).any(axis=1)
    out = np.ones(len(game), bool)
    out[this[dominated]] = False
    return out


def _with_saddle_points(
    found: Equilibria, payoffs: Array, has: Array, present: Array
) -> Equilibria:
    rows: list[Any] = [None] * len(payoffs)
    for e, g in enumerate(found.game):
        rows[g] = found.profile(e)
    for g in np.flatnonzero(~has):
        rows[g] = saddle_point(payoffs[g])
        if rows[g] is None:
            raise _none(int(g), present, Selection("saddle"))
    strategies = tuple(np.stack([row[j] for row in rows]) for j in range(2))
    return Equilibria(np.arange(len(payoffs)), strategies, expected_payoffs(payoffs, strategies))


def saddle_point(payoffs: Array) -> Strategies | None:
    """A saddle point of one game of two agents, if there is one; exact in, exact out.

    At a saddle point x is at once maximin for payoffs A of agent 0 and minimax for B of agent 1, so
    with the values u of A and v of B (agent 0 as the minimiser) it guarantees 0 in the zero-sum
    game with columns A − u and v − B; no strategy guarantees more. The same for y. Conversely any
    such x and y are a saddle point.
    """
    A, B = payoffs
    u, v = best_guarantee(A)[1], best_guarantee(B.T)[1]
    x, for_x = best_guarantee(np.concatenate([A - u, v - B], axis=1))
    y, for_y = best_guarantee(np.concatenate([(u - A).T, (B - v).T], axis=1))
    tables, bases = _based(payoffs[None])
    slack = _slack(tables, bases, (x[None], y[None])).max()
    return (x, y) if min(for_x, for_y) >= -slack else None
