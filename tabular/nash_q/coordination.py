"""Whether two trained Nash Q-learners select the same equilibrium, and what becomes of them.

Each agent of a pair has tables of its own, for both agents, and plays *its* part of the equilibria
that *its* learner selects from them. Three things are told apart, run by run:

- ``both_optimal``: whether the equilibria in one learner's tables lead to a joint optimal path, had
  *both* agents played their parts of these. If not, its values are to blame;
- ``agree``: whether both learners select the same profile in every state that the pair reaches from
  the start;
- ``optimal``: whether the pair does end on a joint optimal path.

Where they agree, the pair plays what each of them would with its own copy; where they do not,
nothing says that the two halves of different equilibria are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bounds.shared.numbers import Array
from tabular.games.game import as_float
from tabular.nash_q.grid_games import greedy, optimal_payoffs, play, published_game, start
from tabular.nash_q.learning import Learned

#: Policies that differ by less than this are the same: more than an enumeration's rounding.
SAME = 1e-6


@dataclass(frozen=True, eq=False)
class Coordination:
    """One entry a run, of a pair of learners; see the module. both_optimal: [agent, run].

    stuck: whether both lose for ever, by collisions: neither's return is above 0.
    """

    both_optimal: Array
    agree: Array
    optimal: Array
    stuck: Array


def coordination(name: str, learned: Learned, pair: Sequence[str]) -> Coordination:
    """What becomes of the pair in grid game ``name``; agent j plays by learner ``pair[j]``."""
    _, legal = published_game(name)
    optimal = optimal_payoffs(name)
    # selected[learner of agent j][whose part]: [run, s, a]
    selected = [[greedy(learned, learner, part, legal) for part in range(2)] for learner in pair]
    own = [play(name, both).optimal(optimal) for both in selected]
    played = play(name, (selected[0][0], selected[1][1]))
    return Coordination(
        np.stack(own),
        _agreeing(name, selected),
        played.optimal(optimal),
        np.asarray((played.returns <= 0).all(axis=1)),
    )


def _agreeing(name: str, selected: Sequence[Sequence[Array]]) -> Array:
    """Whether the two profiles are the same in all states that the pair reaches, [run]."""
    game = as_float(published_game(name)[0])
    differ = np.any(
        [np.abs(one - other).max(axis=-1) > SAME for one, other in zip(*selected, strict=True)],
        axis=0,
    )  # [run, s]
    out = np.ones(len(differ), bool)
    for run in range(len(differ)):
        x, y = selected[0][0][run], selected[1][1][run]
        joint = (x[:, :, None] * y[:, None, :]).reshape(game.n_states, -1)
        follows = (joint[..., None] * game.transition).sum(axis=1) > 0
        seen, border = {start(game)}, [start(game)]
        while border:
            border = [int(s) for s in np.flatnonzero(follows[border].any(axis=0)) if s not in seen]
            seen.update(border)
        out[run] = not differ[run, sorted(seen)].any()
    return out


def summary(found: Coordination) -> dict[str, Any]:
    """Shares of the runs, for the record: optimal among those that agree, and among the others."""

    def share(flags: Array, among: Array) -> float | None:
        return round(float(flags[among].mean()), 4) if among.any() else None

    every = np.ones_like(found.agree)
    return {
        "own_optimal": [share(own, every) for own in found.both_optimal],
        "agree": share(found.agree, every),
        "optimal_where_they_agree": share(found.optimal, found.agree),
        "optimal_where_they_do_not": share(found.optimal, ~found.agree),
        "stuck_where_they_do_not": share(found.stuck, ~found.agree),
    }
