"""Nash Q-learning as published (Hu and Wellman 2003), many runs at a time.

Two agents. A learner keeps the action values of *both* agents and updates the pair at the state and
joint action just seen, for every agent j,

    Q^j(s, a) ← (1 − 1/n) Q^j(s, a) + (1/n) (r^j + γ NashQ^j(s′)),

where n counts the visits of (s, a), this one included, and NashQ^j(s′) is what j receives at the
equilibrium of the stage game (Q⁰, Q¹)(s′) that the learner selects: 0 where the episode has ended.
All Q start at 0.

Which equilibrium is meant is in the learner's name (``tabular.nash_q.stage_equilibria``). As both
agents see the same rewards, agents with the same selection have the same tables; so a learner
stands for either agent, except that ``best:0`` is the best expected Nash learner of agent 0 and
``best:1`` that of agent 1. ``single`` is the comparison: single-agent Q-learning, agent j's values
of its own actions alone, with 1/n over the visits of (s, aʲ).

Exploration: with probability ``exploration`` an agent plays a legal action at random, else its part
of the equilibrium that learner ``acting[j]`` selects at s. 1 is the publication's offline training;
then all learners can be trained on the same experience at once, and are.

With the rate 1/n discounted values converge slowly where play goes on for ever (faster ones are
in ``tabular.nash_q.learning_rates``); in the grid games values need only travel a few steps.

Rewards are R(s, a), the mean over next states. An episode ends in a state that is absorbing and
pays nothing, or after ``steps`` steps. Every run has random numbers of its own, so that it does not
matter which runs are made together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bounds.shared.numbers import Array, InputError, in_range, shown, whole
from tabular.equilibria.support_enumeration import check_enumerable
from tabular.games.arrays import is_sparse
from tabular.games.game import StochasticGame
from tabular.nash_q.assumption_monitor import Monitor, flags, new_monitor
from tabular.nash_q.learning_rates import Rate, published
from tabular.nash_q.stage_equilibria import Legal, check_selection, used_equilibria

#: Random numbers of a step: start, next state, and for each agent whether and what it explores.
DRAWS = 6
#: Steps whose random numbers are drawn at once.
BLOCK = 1024


@dataclass(frozen=True, eq=False)
class Learned:
    """What the learners of all runs ended with.

    learners: their selections.
    tables: Q[learner, run, agent, s, a⁰, a¹]; 0 where an action is not legal.
    single: single-agent Q, [run, s, aʲ] for each agent.
    visits: n[run, s, a⁰, a¹]; steps: [run], moves made.
    monitor: what the stage games were like.
    """

    learners: tuple[str, ...]
    tables: Array
    single: tuple[Array, Array]
    visits: Array
    steps: Array
    monitor: Monitor

    def table(self, learner: str) -> Array:
        """Q[run, agent, s, a⁰, a¹] of one learner."""
        return np.asarray(self.tables[self.learners.index(learner)])


@dataclass(frozen=True, eq=False)
class World:
    """A game as tables to sample from.

    reward: [s, a, agent]; successors, cumulative: [s, a, number], next states and the probability
    of one up to here; initial: cumulative, [s]; final: [s].
    legal: legal[j][s, aʲ]; moves: moves[j][s, number], the legal actions; choices: [j][s], their
    number.
    """

    actions: tuple[int, int]
    gamma: float
    reward: Array
    successors: Array
    cumulative: Array
    initial: Array
    final: Array
    legal: Legal
    moves: tuple[Array, Array]
    choices: tuple[Array, Array]


def world(game: StochasticGame, legal: Legal | None = None) -> World:
    """``game`` as tables; all actions are legal where ``legal`` is not given."""
    if game.n != 2:
        raise InputError(f"game: {game.n} agents; Nash Q-learning here is for 2")
    check_enumerable(game.actions)
    from scipy import sparse

    s, joint = game.n_states, game.joint_actions
    rows = game.transition
    if not is_sparse(rows):
        rows = sparse.csr_array(rows.astype(float).reshape(s * joint, s))
    number = np.diff(rows.indptr)
    most = int(number.max())
    place = np.arange(most)[None, :] < number[:, None]
    successors = np.zeros((s * joint, most), int)
    weights = np.zeros((s * joint, most))
    successors[place], weights[place] = rows.indices, rows.data
    cumulative = weights.cumsum(axis=1)
    cumulative[:, -1] = np.inf  # so that no number is beyond the last one
    cumulative[~place] = np.inf
    np.put_along_axis(cumulative, number[:, None] - 1, np.inf, axis=1)
    reward = np.moveaxis(game.reward.astype(float), 0, -1)
    stays = (successors.reshape(s, joint, most)[:, :, 0] == np.arange(s)[:, None]) & (
        number.reshape(s, joint) == 1
    )
    initial = game.initial.astype(float).cumsum()
    initial[np.flatnonzero(game.initial)[-1] :] = np.inf
    given = legal or tuple(np.ones((s, size), bool) for size in game.actions)
    allowed = _checked_legal(given, game)
    return World(
        actions=(game.actions[0], game.actions[1]),
        gamma=float(game.gamma),
        reward=reward,
        successors=successors.reshape(s, joint, most),
        cumulative=cumulative.reshape(s, joint, most),
        initial=initial,
        final=stays.all(axis=1) & (reward == 0).all(axis=(1, 2)),
        legal=allowed,
        moves=(
            np.argsort(~allowed[0], axis=1, kind="stable"),
            np.argsort(~allowed[1], axis=1, kind="stable"),
        ),
        choices=(allowed[0].sum(axis=1), allowed[1].sum(axis=1)),
    )


def _checked_legal(legal: Sequence[Array], game: StochasticGame) -> Legal:
    for j, own in enumerate(legal):
        shape = (game.n_states, game.actions[j])
        if own.shape != shape or own.dtype != bool:
            raise InputError(f"legal[{j}]: {own.dtype} of shape {own.shape}; give bool of {shape}")
        if not own.any(axis=1).all():
            raise InputError(f"legal[{j}][{int(own.any(axis=1).argmin())}]: no legal action")
    return legal[0], legal[1]


def nash_q(
    game: StochasticGame,
    learners: Sequence[str],
    rng: np.random.Generator,
    *,
    runs: int,
    episodes: int,
    steps: int = 10_000,
    exploration: float = 1.0,
    acting: tuple[int, int] = (0, 0),
    legal: Legal | None = None,
    rate: Rate = published,
    phases: int = 10,
) -> Learned:
    """Train ``learners`` in ``runs`` independent runs of ``episodes`` episodes each.

    rate: of the n-th visit, in the place of 1/n (``tabular.nash_q.learning_rates``).
    """
    names = tuple(check_selection(name) for name in learners)
    whole("runs", runs, 1)
    whole("episodes", episodes, 1)
    whole("steps", steps, 1)
    whole("phases", phases, 1)
    in_range("exploration", exploration, 0, 1)
    if not names:
        raise InputError("learners: none given; name at least one selection")
    if not all(0 <= number < len(names) for number in acting):
        raise InputError(f"acting: {shown(acting)}; give two indices of the {len(names)} learners")
    tables = world(game, legal)
    training = _Training(
        tables, names, rng.spawn(runs), episodes=episodes, steps=steps, rate=rate, phases=phases
    )
    return training.run(exploration, acting)


class _Training:
    """The state of all runs while they learn."""

    def __init__(
        self,
        tables: World,
        names: tuple[str, ...],
        streams: Sequence[np.random.Generator],
        *,
        episodes: int,
        steps: int,
        rate: Rate,
        phases: int,
    ) -> None:
        self.world, self.names, self.streams = tables, names, streams
        self.episodes, self.limit, self.rate = episodes, steps, rate
        runs, (states, joint, _) = len(streams), tables.reward.shape
        # [run, s, a, learner, agent]: a stage game is one row
        self.q = np.zeros((runs, states, joint, len(names), 2))
        self.single = [np.zeros((runs, states, size)) for size in tables.actions]
        self.single_visits = [np.zeros((runs, states, size), np.int64) for size in tables.actions]
        self.visits = np.zeros((runs, states, joint), np.int64)
        self.steps = np.zeros(runs, np.int64)
        self.monitor = new_monitor(phases, runs, len(names))

    def run(self, exploration: float, acting: tuple[int, int]) -> Learned:
        """All episodes of all runs, in step with each other."""
        runs = len(self.streams)
        done, age = np.zeros(runs, np.int64), np.zeros(runs, np.int64)
        state = np.full(runs, -1)
        step = 0
        while (active := np.flatnonzero(done < self.episodes)).size:
            if step % BLOCK == 0:
                drawn = np.stack([g.random((BLOCK, DRAWS)) for g in self.streams], axis=1)
            u = drawn[step % BLOCK, active]
            step += 1
            fresh = state[active] < 0
            starts = np.searchsorted(self.world.initial, u[:, 0], side="right")
            s = np.where(fresh, starts, state[active])
            own = self._actions(active, s, u, exploration, acting)
            a = own[0] * self.world.actions[1] + own[1]
            number = (u[:, 1, None] >= self.world.cumulative[s, a]).sum(axis=1)
            after = self.world.successors[s, a, number]
            self._update(active, s, own, a, after, done[active])
            age[active] += 1
            over = self.world.final[after] | (age[active] >= self.limit)
            done[active] += over
            age[active[over]] = 0
            state[active] = np.where(over, -1, after)
            self.steps[active] += 1
        q = np.moveaxis(self.q, (3, 4), (0, 2))
        return Learned(
            learners=self.names,
            tables=q.reshape(*q.shape[:4], *self.world.actions),
            single=(self.single[0], self.single[1]),
            visits=self.visits.reshape(*self.visits.shape[:2], *self.world.actions),
            steps=self.steps,
            monitor=self.monitor,
        )

    def _actions(
        self, runs: Array, s: Array, u: Array, exploration: float, acting: tuple[int, int]
    ) -> list[Array]:
        own = []
        for j in range(2):
            number = (u[:, 2 + j] * self.world.choices[j][s]).astype(int)
            chosen = self.world.moves[j][s, number]
            if exploration < 1:
                stages = self._stages(runs, s, np.array([acting[j]]))
                name = self.names[acting[j]]
                used = used_equilibria(*stages, [name], np.zeros(len(runs), int))
                # no number is beyond the last action that is played
                upto = used.strategies[j].cumsum(axis=1)
                upto = np.where(upto >= upto[:, -1:], np.inf, upto)
                greedy = (u[:, 2 + j, None] >= upto).sum(axis=1)
                chosen = np.where(u[:, 4 + j] < exploration, chosen, greedy)
            own.append(chosen)
        return own

    def _stages(self, runs: Array, s: Array, learners: Array) -> tuple[Array, Legal]:
        """Stage games, one a pair of a run and a learner: those of a learner follow each other."""
        tables = self.q[runs, s][:, :, learners].transpose(2, 0, 3, 1)
        legal = [np.tile(own[s], (len(learners), 1)) for own in self.world.legal]
        return tables.reshape(-1, 2, *self.world.actions), (legal[0], legal[1])

    def _update(
        self, runs: Array, s: Array, own: list[Array], a: Array, after: Array, done: Array
    ) -> None:
        reward, gamma = self.world.reward[s, a], self.world.gamma
        number = len(self.names)
        future = np.zeros((len(runs), number, 2))
        going = np.flatnonzero(~self.world.final[after])
        if going.size:
            payoffs, legal = self._stages(runs[going], after[going], np.arange(number))
            which = np.repeat(np.arange(number), len(going))
            used = used_equilibria(payoffs, legal, self.names, which)
            future[going] = used.payoffs.reshape(number, -1, 2).swapaxes(0, 1)
            phase = done[going] * len(self.monitor.updates) // self.episodes
            self.monitor.updates[phase, runs[going]] += 1
            seen = flags(payoffs, legal, used).reshape(number, len(going), -1)
            self.monitor.counts[phase, runs[going]] += seen.swapaxes(0, 1)
        self.visits[runs, s, a] += 1
        rate = self.rate(self.visits[runs, s, a])
        old = self.q[runs, s, a]
        target = reward[:, None, :] + gamma * future
        self.q[runs, s, a] = old + rate[:, None, None] * (target - old)
        for j in range(2):
            # values of illegal actions stay 0 and must not count
            values = np.where(self.world.legal[j][after], self.single[j][runs, after], -np.inf)
            best = np.where(self.world.final[after], 0, values.max(axis=1))
            self.single_visits[j][runs, s, own[j]] += 1
            step = self.rate(self.single_visits[j][runs, s, own[j]])
            before = self.single[j][runs, s, own[j]]
            self.single[j][runs, s, own[j]] = before + step * (reward[:, j] + gamma * best - before)
