"""A learner on a finite game, read out as tables: exact policies, models and errors.

Whatever networks say is asked for in every state and for every joint action, so that the theory can
be computed and not estimated. All tables are float64.

- Policies that infer the others' actions are marginalised over all that they may infer
  (``deep.opponents.marginal_policies``).
- Dynamics: T̂ⁱ(s′|s, a) of each ego agent, the mixture over the members of its ensemble.
- Opponent models: π̂ʲ(·|s) of each ego agent, as branches play them.

Rewards are the game's own: the theory has no error of rewards, and what the ensembles predict of
them is not looked at. π_D is whoever acted before the last round (see ``Watched``).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bounds.shared.numbers import Array, InputError
from deep.agents.policies import Policies
from deep.aorpo.rounds import ModelBasedRounds
from deep.envs.game import GameEnv
from deep.nn.action_distributions import Categorical
from deep.opponents import marginal_policies
from deep.training.trainer import Trainer
from tabular.cases.case import Case
from tabular.games import policy
from tabular.games.arrays import is_sparse
from tabular.games.game import StochasticGame

#: How far from 1 a distribution of networks in float32 may sum: softmax rounds each of at most some
#: thousand entries by 6e-8 of itself. What is off by more is not a distribution.
OFF = 1e-5


@dataclass(frozen=True, eq=False)
class Tables:
    """One run's networks as tables.

    policies: one array [s, aʲ] an agent. dynamics: T̂ of each ego agent, [s, a, s_next].
    opponents: of each ego agent one array [s, aʲ] an agent, None for itself; all None where real
    policies are played in the place of models.
    """

    policies: policy.Policies
    dynamics: tuple[Array, ...]
    opponents: tuple[tuple[Array | None, ...], ...]


@dataclass(eq=False)
class Watched:
    """A trainer on a finite game, and who acts in it.

    acting, data: policies of each run, those that act now and those that acted before the last
    round: π and π_D. At the start both are the same.
    """

    trainer: Trainer
    game: StochasticGame
    acting: tuple[policy.Policies, ...]
    data: tuple[policy.Policies, ...]

    def step(self) -> bool:
        """``Trainer.step``; whether it ended the episodes."""
        updates = self.trainer.updates
        done = self.trainer.step()
        if self.trainer.updates > updates:
            self.data, self.acting = self.acting, policies(self.trainer)
        return done

    def episode(self) -> None:
        """Go on until the worlds are at their time limit."""
        while not self.step():
            pass

    def cases(self) -> tuple[tuple[Case, ...], ...]:
        """What each agent of each run believes, and what is so, [run][ego]."""
        return tuple(
            tuple(case(self.game, each, data, ego) for ego in range(self.game.n))
            for each, data in zip(read(self.trainer), self.data, strict=True)
        )


def watched(trainer: Trainer) -> Watched:
    """``trainer`` with its policies of now; ``InputError`` unless it plays a finite game.

    There may be no more than one round in a step of all worlds: of two, the first one's policies
    would have collected nothing.
    """
    side, every = trainer.environments.count, trainer.cadence.update_every
    if side > every:
        raise InputError(
            f"environments: {side} make more than one round of {every} steps at once; give fewer"
        )
    now = policies(trainer)
    return Watched(trainer, _world(trainer).game, now, now)


def case(game: StochasticGame, tables: Tables, data: policy.Policies, ego: int) -> Case:
    """What agent ``ego`` believes, as a case with the rewards, start and discount of ``game``."""
    transition = game.transition.toarray() if is_sparse(game.transition) else game.transition
    shape = (game.n_states, game.joint_actions, game.n_states)
    return Case(
        gamma=float(game.gamma),
        actions=game.actions,
        ego=ego,
        initial=game.initial.astype(float),
        transition=transition.astype(float).reshape(shape),
        reward=game.reward[ego].astype(float),
        policies=tables.policies,
        data_policies=data,
        model_transition=tables.dynamics[ego],
        opponent_models=tables.opponents[ego],
        source=game.source,
    )


def read(trainer: Trainer) -> tuple[Tables, ...]:
    """The tables of every run, as they are now."""
    rounds = trainer.rounds
    if not isinstance(rounds, ModelBasedRounds):
        raise InputError("algorithm: has no models to look at; train aorpo or aordpg")
    dynamics, opponents = _dynamics(trainer, rounds), _opponents(trainer, rounds)
    return tuple(
        Tables(own, dynamics[run], opponents[run]) for run, own in enumerate(policies(trainer))
    )


def policies(trainer: Trainer) -> tuple[policy.Policies, ...]:
    """πʲ(a|s) of every run, one array [s, aʲ] an agent."""
    env = _world(trainer)
    found: Policies = trainer.learner.policies  # type: ignore[attr-defined]
    if not isinstance(found.head, Categorical):
        raise InputError("learner: its policies do not choose at random; train aorpo")
    rounds = trainer.rounds
    own = rounds.models.inference_opponents if isinstance(rounds, ModelBasedRounds) else None
    runs = len(trainer.seeds)
    each = marginal_policies.laws(found, own, _states(env).expand(runs, env.game.n, -1, -1))
    return tuple(tuple(distributions(law[run]) for law in each) for run in range(runs))


def distributions(values: Tensor) -> Array:
    """Rows that sum to 1 in float64, from those that do up to ``OFF``."""
    rows = values.detach().cpu().double().numpy()
    total = rows.sum(axis=-1, keepdims=True)
    off = float(np.abs(total - 1).max())
    if not off <= OFF:
        raise ValueError(f"rows of networks sum to 1 up to {off}, and {OFF} is rounding")
    return np.asarray(rows / total)


def _world(trainer: Trainer) -> GameEnv:
    world: Any = trainer.environments.world
    if not isinstance(world, GameEnv):
        raise InputError(f"task: {world.name} is no finite game; give one of game:NAME")
    return world


def _states(env: GameEnv) -> Tensor:
    """All states as they are observed, [state, number]."""
    return torch.eye(env.game.n_states, dtype=env.dtype, device=env.device)


def _dynamics(trainer: Trainer, rounds: ModelBasedRounds) -> list[tuple[Array, ...]]:
    """T̂ [run][ego], [s, a, s_next]."""
    env = _world(trainer)
    game, runs = env.game, len(trainer.seeds)
    shape = (game.n_states, game.joint_actions, game.n_states)
    if rounds.models.ensemble is None:
        transition = game.transition.toarray() if is_sparse(game.transition) else game.transition
        return [(transition.astype(float).reshape(shape),) * game.n] * runs
    width = rounds.models.ensemble.shape.action_width
    own = [functional.one_hot(torch.tensor(a), width) for a in product(*map(range, game.actions))]
    # rows s·|A| + a, joint actions row-major
    actions = torch.stack([each for _ in range(game.n_states) for each in own]).to(env.dtype)
    seen = _states(env).repeat_interleave(game.joint_actions, 0).unsqueeze(1)
    rows = len(actions)
    found = rounds.models.ensemble.distribution(
        seen.expand(runs, game.n, rows, game.n, -1), actions.expand(runs, game.n, -1, -1, -1)
    )
    return [
        tuple(distributions(found[run, ego]).reshape(shape) for ego in range(game.n))
        for run in range(runs)
    ]


def _opponents(
    trainer: Trainer, rounds: ModelBasedRounds
) -> list[tuple[tuple[Array | None, ...], ...]]:
    """π̂ʲ [run][ego][agent], [s, aʲ]."""
    env = _world(trainer)
    game, runs = env.game, len(trainer.seeds)
    agents = range(game.n)
    if rounds.settings.exact_opponents:
        return [((None,) * game.n,) * game.n] * runs
    seen = _states(env).unsqueeze(1).expand(runs, game.n, -1, game.n, -1)
    found = rounds.models.rollout_opponents.opponents.probabilities(seen)
    return [
        tuple(
            tuple(
                None if j == ego else distributions(found[run, ego, :, j, : game.actions[j]])
                for j in agents
            )
            for ego in agents
        )
        for run in range(runs)
    ]
