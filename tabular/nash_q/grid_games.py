"""Hu and Wellman's grid games: equilibrium Q-values, and which pairs of learners play equilibria.

The publication lets agents choose among the moves that stay on the grid; the catalogue's games have
all four, and a move off the grid stays. So the game here is the catalogue's with every such move
replaced by a copy of the agent's first move on the grid (``published_game``): the same strategies,
the same values. The difference matters: with moves that stay, grid game 1 also has stationary
equilibria in which one agent gives up.

A trained pair plays greedily: agent 0 its part of the equilibria that its own learner selects from
its own tables, agent 1 likewise; single-agent learners the largest value. Both then follow fixed
stationary policies, and three questions are answered exactly as far as floats go:

- what both earn from the start;
- whether neither gains by deviating there: each faces a decision process, which is solved;
- whether their path is a *joint optimal* one: both earn what they do at the equilibrium that is
  best for one of them. In grid game 1 both finish together in the fewest moves; in grid game 2 one
  does, and the other is held up only by its barrier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from bounds.shared.numbers import Array, InputError, shown
from tabular.equilibria.exploitability import best_response, profile_values, stage_payoffs
from tabular.equilibria.nash_value_iteration import Solution, solve
from tabular.equilibria.selection import parse_selection
from tabular.equilibria.support_enumeration import support_enumeration
from tabular.games.catalogue import find
from tabular.games.game import StochasticGame, as_float, joint_action, split_action
from tabular.games.grid import GOALS, RIGHT, moves_on_the_grid
from tabular.games.policy import Policies
from tabular.nash_q.learning import Learned, nash_q
from tabular.nash_q.stage_equilibria import Legal, used_equilibria

SINGLE = "single"
#: Learners of the publication, by its names: (shown, selection of agent 0, selection of agent 1).
KINDS = (
    ("single", SINGLE, SINGLE),
    ("first Nash", "first", "first"),
    ("second Nash", "second", "second"),
    ("best expected Nash", "best:0", "best:1"),
)
LEARNERS = ("first", "second", "best:0", "best:1")
#: What returns may differ by and count as equal: more than rounding, less than any two paths do.
CLOSE = 1e-6


@lru_cache(maxsize=2)
def published_game(name: str) -> tuple[StochasticGame, Legal]:
    """The grid game ``name`` and its moves on the grid; others copy the first of these."""
    if name not in GOALS:
        raise InputError(f"game: {shown(name)}; give one of {', '.join(GOALS)}")
    game, legal = find(name).build(), moves_on_the_grid(GOALS[name])
    copies = np.empty((game.n_states, game.joint_actions), int)
    for s, a in np.ndindex(copies.shape):
        own = split_action(game.actions, a)
        played = [x if legal[j][s, x] else int(legal[j][s].argmax()) for j, x in enumerate(own)]
        copies[s, a] = joint_action(game.actions, played)
    states = np.arange(game.n_states)[:, None]
    published = replace(
        game,
        transition=game.transition[states, copies],
        reward=game.reward[:, states, copies],
    )
    return published, legal


@lru_cache(maxsize=8)
def _solution(name: str, selection: str) -> Solution:
    return solve(published_game(name)[0], parse_selection(selection, 2))


def start(game: StochasticGame) -> int:
    """The state in which every episode starts."""
    return int(np.flatnonzero(game.initial)[0])


def equilibrium_table(name: str, selection: str) -> Array:
    """Exact Q[agent, a⁰, a¹] at the start, of the equilibrium that ``selection`` leads to.

    ``InputError`` where Nash value iteration with it does not settle on one.
    """
    game, found = published_game(name)[0], _solution(name, selection)
    if not found.exact:
        raise InputError(
            f"selection: {selection}: value iteration of {name} ends with {found.status}, not with "
            "an exact equilibrium; choose another"
        )
    return np.asarray(stage_payoffs(game, found.values)[start(game)])


def learn(
    name: str, learners: Sequence[str], rng: np.random.Generator, *, runs: int, episodes: int
) -> Learned:
    """Offline training as published: random moves on the grid, all learners on the same ones."""
    game, legal = published_game(name)
    return nash_q(game, learners, rng, runs=runs, episodes=episodes, legal=legal)


def greedy(learned: Learned, learner: str, agent: int, legal: Legal) -> Array:
    """What ``agent`` plays by its own tables, [run, s, aʲ]."""
    if learner == SINGLE:
        values = np.where(legal[agent], learned.single[agent], -np.inf)
        return np.asarray(np.eye(values.shape[-1])[values.argmax(axis=-1)])
    tables = np.moveaxis(learned.table(learner), 2, 1)  # [run, s, agent, a⁰, a¹]
    runs, states = tables.shape[:2]
    tiled = np.tile(legal[0], (runs, 1)), np.tile(legal[1], (runs, 1))
    payoffs = tables.reshape(-1, *tables.shape[2:])
    used = used_equilibria(payoffs, tiled, [learner], np.zeros(len(payoffs), int))
    return used.strategies[agent].reshape(runs, states, -1)


@dataclass(frozen=True, eq=False)
class Played:
    """What a pair of learners does after training, one entry a run.

    returns: [run, agent] from the start, un-normalised; gains: [run, agent], by the best deviation.
    """

    returns: Array
    gains: Array

    @property
    def equilibrium(self) -> Array:
        """Whether no agent gains by deviating from the start, [run]."""
        return np.asarray((self.gains <= CLOSE).all(axis=1))

    def optimal(self, payoffs: Sequence[Sequence[float]]) -> Array:
        """Whether both earn one of the pairs ``payoffs``, [run]."""
        near = [np.abs(self.returns - np.array(pair)).max(axis=1) <= CLOSE for pair in payoffs]
        return np.asarray(np.any(near, axis=0))


def play(name: str, policies: Sequence[Array]) -> Played:
    """Agents follow ``policies[j][run, s, aʲ]``."""
    game, _ = published_game(name)
    floats, at = as_float(game), start(game)
    returns, gains = [], []
    for pair in zip(*policies, strict=True):
        profile: Policies = tuple(pair)
        values = profile_values(floats, profile)[:, at]
        best = [float(best_response(floats, profile, j).values[at]) for j in range(2)]
        returns.append(values)
        gains.append(np.array(best) - values)
    return Played(np.array(returns), np.array(gains))


def optimal_payoffs(name: str) -> list[tuple[float, float]]:
    """What both earn from the start on joint optimal paths."""
    at = start(published_game(name)[0])
    solutions = [_solution(name, selection) for selection in ("best:0", "best:1")]
    return sorted(
        {(float(own[at]), float(other[at])) for own, other in (s.values for s in solutions)}
    )


def third_equilibrium() -> tuple[float, float, Policies]:
    """Grid game 2's symmetric equilibrium: P(into the middle) at the start, value, policies.

    Floats. Beyond the start the policies are those of ``best-sum``. What the start is worth, V, is
    the payoff of the mixed equilibrium of its stage game, in which V itself stands; found by
    iteration, which shrinks errors by the chance of coming back.
    """
    name = "grid-game-2"
    game, legal = published_game(name)
    floats, at = as_float(game), start(game)
    found = _solution(name, "best-sum")
    policies = [policy.astype(float) for policy in found.policies]
    values = found.values.astype(float)
    moves = np.ix_(*(np.flatnonzero(own[at]) for own in legal))
    values[:, at], before = 0.0, np.inf
    while abs(values[0, at] - before) > CLOSE**2:
        before = float(values[0, at])
        payoffs = stage_payoffs(floats, values)[at]
        stage = np.stack([payoffs[j][moves] for j in range(2)])
        listed = support_enumeration(stage)
        mixed = [np.count_nonzero(own, axis=-1) > 1 for own in listed.strategies]
        place = int(np.flatnonzero(mixed[0] & mixed[1])[0])
        values[:, at] = listed.payoffs[place]
    for j, own in enumerate(listed.profile(place)):
        policies[j][at] = 0
        policies[j][at, legal[j][at]] = own
    return float(policies[0][at, RIGHT]), float(values[0, at]), tuple(policies)
