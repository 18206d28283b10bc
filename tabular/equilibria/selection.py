"""Selections of one equilibrium of a stage game; an error where it has none of that kind.

The choices, by the names that users give:

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

Payoffs of floats that differ by less than the part ``TIE`` of the game's largest are equal.
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
NAMES = ("first", "best-sum", "pareto", "global-optimum", "saddle")
#: How close float payoffs count as equal, as a part of the game's largest.
TIE = 1e-9


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
    slack = slacks(payoffs)
    present = np.bincount(equilibria.game, minlength=games)
    if (present == 0).any() and selection.name != "global-optimum":
        raise NoSuchEquilibriumError(int(present.argmin()), "no equilibrium was found")
    fits = _fits(equilibria, payoffs, selection, slack)
    chosen = np.flatnonzero(fits)
    first = np.searchsorted(equilibria.game[chosen], np.arange(games))
    has = np.bincount(equilibria.game[chosen], minlength=games) > 0
    if selection.name == "saddle" and not has.all() and payoffs.shape[1] == 2:
        return _with_saddle_points(equilibria.take(chosen[first[has]]), payoffs, has, present)
    if not has.all():
        raise _none(int(has.argmin()), present, selection)
    return equilibria.take(chosen[first])


def slacks(payoffs: Array) -> Array:
    """What payoffs of each game may differ by and count as equal, [game]: 0 for exact games."""
    if is_exact_array(payoffs):
        return np.full(len(payoffs), Fraction(0))
    return np.asarray(TIE * np.abs(payoffs).reshape(len(payoffs), -1).max(axis=1))


def _none(game: int, present: Array, selection: Selection) -> NoSuchEquilibriumError:
    what = {"saddle": "a saddle point", "global-optimum": "a global optimum"}
    kind = what.get(selection.name, str(selection))
    count = int(present[game])
    of = {0: "no joint action is", 1: "its one equilibrium is not"}
    who = of.get(count, f"none of its {count} equilibria is")
    return NoSuchEquilibriumError(game, f"{who} {kind}; choose another selection")


def _fits(found: Equilibria, payoffs: Array, selection: Selection, slack: Array) -> Array:
    """Which rows may be taken, [e]."""
    game, own = found.game, found.payoffs
    if selection.name == "first":
        return np.ones(len(game), bool)
    if selection.name == "pareto":
        return _undominated(game, own, slack)
    if selection.name == "global-optimum":
        room = slack[game][:, None]
        return np.asarray(is_global_optimum(payoffs[game], found.strategies, room), bool)
    if selection.name == "saddle":
        room = slack[game][:, None]
        return np.asarray(is_saddle(payoffs[game], found.strategies, room), bool)
    score = own.sum(axis=1) if selection.agent is None else own[:, selection.agent]
    starts = np.searchsorted(game, np.arange(len(payoffs)))
    best = np.maximum.reduceat(score, starts)
    return np.asarray(score >= (best - slack)[game])


def _undominated(game: Array, own: Array, slack: Array) -> Array:
    """Which rows no other row of the same game dominates."""
    counts = np.bincount(game)
    starts = np.cumsum(counts) - counts
    number = counts[game]
    this = np.repeat(np.arange(len(game)), number)
    other = np.arange(len(this)) - np.repeat(np.cumsum(number) - number, number)
    other += starts[game[this]]
    gain = own[other] - own[this]
    room = slack[game[this]][:, None]
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
    slack = slacks(payoffs[None])[0]
    return (x, y) if min(for_x, for_y) >= -slack else None
