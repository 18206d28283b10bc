"""Counts of how often the stage games met the conditions of Nash Q-learning's theorem.

Hu and Wellman (2003) prove convergence under this assumption: *every* stage game met while learning
has a global optimum, or *every* one has a saddle point, and that one is used for the update. Here
each update looks at the stage game (Q⁰, Q¹)(s′) of each learner and records

- ``optimum``: the game has a global optimum; ``optimum-used``: the equilibrium used is one;
- ``saddle``: the game has a pure saddle point; ``saddle-used``: the equilibrium used is a saddle;
- ``several``: the game has more than one pure equilibrium; ``none``: it has no pure one;
- ``mixed-used``: the equilibrium used is mixed.

Payoffs that differ by less than the part ``TIE`` of the game's largest count as equal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bounds.shared.numbers import Array
from tabular.equilibria.selection import TIE
from tabular.nash_q.stage_equilibria import Used

FLAGS = ("optimum", "optimum-used", "saddle", "saddle-used", "several", "none", "mixed-used")


@dataclass(frozen=True, eq=False)
class Monitor:
    """Counts, over the course of learning in equal phases of episodes.

    updates: [phase, run], those from a state that does not end the episode.
    counts: [phase, run, learner, flag], how many of these had each of ``FLAGS``.
    """

    updates: Array
    counts: Array

    def fractions(self) -> Array:
        """Share of the stage games with each flag, [phase, learner, flag], all runs together."""
        met = np.maximum(self.updates.sum(axis=1), 1)
        return np.asarray(self.counts.sum(axis=1) / met[:, None, None])

    def assumption_held(self) -> Array:
        """Whether the theorem's assumption held throughout, [run, learner]."""
        total, met = self.counts.sum(axis=0), self.updates.sum(axis=0)[:, None]
        optima, saddles = (
            total[..., FLAGS.index(f"{kind}-used")] for kind in ("optimum", "saddle")
        )
        return np.asarray((optima == met) | (saddles == met))

    def violations(self) -> Array:
        """How many stage games broke the assumption, [run, learner].

        It wants one kind of equilibrium throughout, so these are the games met less the larger of
        the two counts of uses.
        """
        total, met = self.counts.sum(axis=0), self.updates.sum(axis=0)[:, None]
        optima, saddles = (
            total[..., FLAGS.index(f"{kind}-used")] for kind in ("optimum", "saddle")
        )
        return np.asarray(met - np.maximum(optima, saddles))


def new_monitor(phases: int, runs: int, learners: int) -> Monitor:
    """A monitor that has seen nothing."""
    met = np.zeros((phases, runs), np.int64)
    return Monitor(met, np.zeros((phases, runs, learners, len(FLAGS)), np.int64))


def flags(payoffs: Array, legal: tuple[Array, Array], used: Used) -> Array:
    """``FLAGS`` of the stage games ``payoffs[game, agent, a⁰, a¹]``, [game, flag]."""
    both = (legal[0][:, :, None] & legal[1][:, None, :])[:, None]
    high = np.where(both, payoffs, -np.inf)
    low = np.where(both, payoffs, np.inf)
    top = high.max(axis=(2, 3))
    slack = TIE * np.maximum(np.abs(top), np.abs(low.min(axis=(2, 3))))
    room = slack[:, :, None, None]
    optimal = (high >= top[:, :, None, None] - room).all(axis=1).any(axis=(1, 2))
    stable = both[:, 0] & (high[:, 0] >= high[:, 0].max(axis=1, keepdims=True) - room[:, 0])
    stable &= high[:, 1] >= high[:, 1].max(axis=2, keepdims=True) - room[:, 1]
    # what agent 0 receives at least in each row, and agent 1 in each column
    safe = stable & (high[:, 0] <= low[:, 0].min(axis=2, keepdims=True) + room[:, 0])
    safe &= high[:, 1] <= low[:, 1].min(axis=1, keepdims=True) + room[:, 1]
    number = stable.sum(axis=(1, 2))
    x, y = used.strategies
    legal_payoffs = np.where(both, payoffs, 0)
    rows = np.where(legal[1], (x[:, None, :] @ legal_payoffs[:, 0])[:, 0], np.inf)
    columns = np.where(legal[0], (legal_payoffs[:, 1] @ y[:, :, None])[:, :, 0], np.inf)
    worst = np.stack([rows.min(axis=1), columns.min(axis=1)], axis=1)
    return np.stack(
        [
            optimal,
            (used.payoffs >= top - slack).all(axis=1),
            safe.any(axis=(1, 2)),
            (worst >= used.payoffs - slack).all(axis=1),
            number > 1,
            number == 0,
            np.maximum(np.count_nonzero(x, axis=1), np.count_nonzero(y, axis=1)) > 1,
        ],
        axis=1,
    )
