"""The equilibria that Nash Q-learners use of the stage games they meet, thousands at a time.

A stage game is the two tables ``payoffs[agent, a⁰, a¹]`` of a learner at one state, floats; in a
state some own actions may be missing (``legal``). What a learner uses is named by its selection:

- ``first``, ``second``: by number in the list of extreme equilibria, the pure ones first, in the
  order of the joint actions, then the others in the order of ``support_enumeration`` (of the game
  without its strictly dominated actions). A game with one equilibrium has no second; there
  ``second`` is that one;
- ``best:J``: the best of the list for agent J, Hu and Wellman's best expected Nash; the first of
  equal ones, up to the part ``TIE`` of the largest payoff;
- any other name of ``selection``. ``global-optimum`` and ``saddle`` stop with an error at a stage
  game that has none.

Most stage games are settled without enumeration: a first or second pure equilibrium, or one that
pays agent J the most that the whole table does, once or after strictly dominated actions are gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bounds.shared.numbers import Array
from tabular.equilibria.selection import TIE, parse_selection, select
from tabular.equilibria.strict_dominance import undominated
from tabular.equilibria.support_enumeration import Equilibria, support_enumeration

SECOND = "second"
#: Games with up to so many actions an agent are enumerated together, larger ones apart.
SIZES = (2, 3)

#: legal[j][game, aʲ], the actions that agent j has; at least one each.
Legal = tuple[Array, Array]


@dataclass(frozen=True, eq=False)
class Used:
    """The equilibria used in a batch of stage games.

    strategies: x[game, a⁰], y[game, a¹].
    payoffs: [game, agent].
    """

    strategies: tuple[Array, Array]
    payoffs: Array

    def put(self, games: Array, others: Used) -> None:
        """Write ``others`` in the place of ``games``."""
        for mine, new in zip(self.strategies, others.strategies, strict=True):
            mine[games] = new
        self.payoffs[games] = others.payoffs


def check_selection(name: str) -> str:
    """``name`` if it is a selection for two agents; else ``InputError``."""
    return name if name == SECOND else str(parse_selection(name, 2))


def used_equilibria(payoffs: Array, legal: Legal, names: Sequence[str], which: Array) -> Used:
    """What learners with selections ``names`` use in ``payoffs[game, agent, a⁰, a¹]``.

    which: [game], the index in ``names`` of each game's learner.
    """
    codes = np.array([_code(name) for name in names])[which]
    used, settled = _by_pure(payoffs, legal, codes)
    rest = np.flatnonzero(~settled & (codes >= 0))
    if rest.size:
        part, own, wanted = payoffs[rest], undominated(*_at(payoffs, legal, rest)), codes[rest]
        found, settled = _by_pure(part, own, wanted)
        still = np.flatnonzero(~settled)
        if still.size:
            found.put(still, enumerated(*_at(part, own, still), wanted[still]))
        used.put(rest, found)
    for number in np.unique(which[codes < 0]):
        rest = np.flatnonzero(which == number)
        whole = closed(*_at(payoffs, legal, rest))
        chosen = select(support_enumeration(whole), whole, parse_selection(names[number], 2))
        used.put(rest, Used((chosen.strategies[0], chosen.strategies[1]), chosen.payoffs))
    return used


def _code(name: str) -> int:
    """0 and 1 for the first and the second, 2 + J for the best for agent J, −1 for others."""
    if name == SECOND:
        return 1
    selection = parse_selection(name, 2)
    if selection.agent is not None:
        return 2 + selection.agent
    return 0 if selection.name == "first" else -1


def _at(payoffs: Array, legal: Legal, games: Array) -> tuple[Array, Legal]:
    return payoffs[games], (legal[0][games], legal[1][games])


def _by_pure(payoffs: Array, legal: Legal, codes: Array) -> tuple[Used, Array]:
    """A pure equilibrium of each game, and whether it is sure to be the one."""
    both = legal[0][:, :, None] & legal[1][:, None, :]
    inside = np.where(both[:, None], payoffs, -np.inf)
    pure = (inside[:, 0] == inside[:, 0].max(axis=1, keepdims=True)) & both
    pure &= inside[:, 1] == inside[:, 1].max(axis=2, keepdims=True)
    games, rows, columns = pure.shape
    pure = pure.reshape(games, -1)
    number = pure.sum(axis=-1)
    own = inside.reshape(games, 2, -1)[np.arange(games), np.maximum(codes - 2, 0)]
    best = pure & (own >= own.max(axis=-1, keepdims=True) - _slack(payoffs, both)[:, None])
    joint = np.select(
        [(codes == 1) & (number > 1), codes >= 2],
        [(pure.cumsum(axis=-1) == 2).argmax(axis=-1), best.argmax(axis=-1)],
        pure.argmax(axis=-1),
    )
    settled = np.select(
        [codes == 0, codes == 1, codes >= 2],
        [number > 0, (number > 1) | (both.sum(axis=(1, 2)) == 1), best.any(axis=-1)],
        False,
    )
    at = payoffs.reshape(games, 2, -1)[np.arange(games), :, joint]
    return Used((np.eye(rows)[joint // columns], np.eye(columns)[joint % columns]), at), settled


def enumerated(payoffs: Array, legal: Legal, codes: Array) -> Used:
    """The first, second or best equilibrium by enumeration, games of about one size together."""
    used = Used((np.zeros(legal[0].shape), np.zeros(legal[1].shape)), np.zeros((len(payoffs), 2)))
    places = [np.argsort(~own, axis=1, kind="stable") for own in legal]
    most = np.maximum(legal[0].sum(axis=1), legal[1].sum(axis=1))
    for low, high in pairwise((0, *SIZES, most.max(initial=0))):
        games = np.flatnonzero((most > low) & (most <= high))
        if not games.size:
            continue
        rows, columns = (place[games, :high] for place in places)
        index = games[:, None, None], rows[:, :, None], columns[:, None, :]
        own = legal[0][games[:, None], rows], legal[1][games[:, None], columns]
        tables = closed(np.stack([payoffs[:, j][index] for j in range(2)], axis=1), own)
        chosen = _numbered(support_enumeration(tables), tables, codes[games])
        used.strategies[0][games[:, None], rows] = chosen.strategies[0]
        used.strategies[1][games[:, None], columns] = chosen.strategies[1]
        used.payoffs[games] = chosen.payoffs
    return used


def _numbered(found: Equilibria, tables: Array, codes: Array) -> Equilibria:
    """The first, second or best of each game's list, pure ones first."""
    mixed = [np.count_nonzero(own, axis=-1) > 1 for own in found.strategies]
    found = found.take(np.lexsort((mixed[0] | mixed[1], found.game)))
    counts = np.bincount(found.game, minlength=len(tables))
    starts = np.cumsum(counts) - counts
    own = found.payoffs[np.arange(len(found)), np.maximum(codes - 2, 0)[found.game]]
    slack = _slack(tables, np.ones((len(tables), *tables.shape[2:]), bool))
    top = np.flatnonzero(own >= (np.maximum.reduceat(own, starts) - slack)[found.game])
    best = top[np.searchsorted(found.game[top], np.arange(len(tables)))]
    return found.take(np.where(codes >= 2, best, starts + ((counts > 1) & (codes == 1))))


def _slack(payoffs: Array, both: Array) -> Array:
    """What payoffs of each game may differ by and count as equal."""
    return np.asarray(TIE * np.abs(np.where(both[:, None], payoffs, 0)).max(axis=(1, 2, 3)))


def closed(payoffs: Array, legal: Legal) -> Array:
    """Games of full size with the same equilibria, global optima and saddle points.

    An own action that is not legal is strictly dominated; where only the other's is not, an agent
    receives the most that it can legally receive, so that no such move hurts it.
    """
    both = (legal[0][:, :, None] & legal[1][:, None, :])[:, None]
    most = np.where(both, payoffs, -np.inf).max(axis=(-2, -1), keepdims=True)
    least = np.where(both, payoffs, np.inf).min(axis=(-2, -1), keepdims=True)
    low = least - np.where(most > least, most - least, 1)
    own = np.stack(np.broadcast_arrays(legal[0][:, :, None], legal[1][:, None, :]), axis=1)
    return np.asarray(np.where(both, payoffs, np.where(own, most, low)))
