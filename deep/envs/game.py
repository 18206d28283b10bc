"""A finite stochastic game as an environment, so that neural parts meet exact answers.

Every agent observes the state as a one-hot and chooses one of its own actions; the next state is
drawn from the game's own distribution, by inversion, in float64. The game never ends; episodes of
the environment do, at a time limit. Its discount is the learner's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bounds.shared.numbers import Array, InputError, whole
from deep.envs.render import Disc, draw, on_a_ring
from deep.envs.spaces import Choices, chosen
from deep.seeding import Streams
from tabular.games.arrays import is_sparse
from tabular.games.game import StochasticGame

#: The most numbers in a transition array: states · joint actions · states.
MOST = 10**8


@dataclass(frozen=True, eq=False)
class GameState:
    """``index``: states of the game, int64, [run, env] or any leading axes; ``time``: steps."""

    index: Tensor
    time: int

    def at(self, *index: int) -> GameState:
        """One game, or the games of one run, with those leading axes gone."""
        return GameState(self.index[index], self.time)


@dataclass(frozen=True, eq=False)
class GameEnv:
    """``game`` to act in, ``episode_steps`` at a time."""

    game: StochasticGame
    episode_steps: int = 25
    dtype: torch.dtype = torch.float32
    device: str = "cpu"

    def __post_init__(self) -> None:
        whole("episode_steps", self.episode_steps, 1)
        numbers = prod((self.game.n_states, self.game.joint_actions, self.game.n_states))
        if numbers > MOST:
            raise InputError(
                f"game: {numbers} transition probabilities; an environment holds at most {MOST}"
            )

    @property
    def name(self) -> str:
        """The game."""
        return self.game.name or "game"

    @property
    def agents(self) -> tuple[str, ...]:
        """Names of the agents."""
        return tuple(f"agent_{i}" for i in range(self.game.n))

    @property
    def spaces(self) -> tuple[Choices, ...]:
        """One choice an agent."""
        return tuple(Choices((size,)) for size in self.game.actions)

    @property
    def observation_sizes(self) -> tuple[int, ...]:
        """The number of states, for every agent."""
        return (self.game.n_states,) * self.game.n

    def reset(self, streams: Streams, *shape: int) -> GameState:
        """New games, leading axes [run, *shape], started from the initial distribution."""
        initial = self._edges(self.game.initial.astype(float))
        return GameState(_draw(initial, streams.uniform(*shape).to(self.device)), 0)

    def step(
        self, state: GameState, actions: Tensor, streams: Streams | None = None
    ) -> tuple[GameState, Tensor]:
        """The next state and the rewards [..., agent] for actions [..., agent, number].

        The option with the largest number is played. ``streams`` has a generator for every index of
        the first axis.
        """
        if streams is None:
            raise TypeError("the next state is random: give streams")
        uniform = streams.uniform(*state.index.shape[1:]).to(self.device)
        own = chosen(self.spaces, actions)[..., 0]
        joint = (own * self._strides).sum(-1)
        row = state.index * self.game.joint_actions + joint
        after = GameState(_draw(self._transition[row], uniform), state.time + 1)
        return after, self._reward[row]

    def observe(self, state: GameState) -> Tensor:
        """The state as a one-hot, the same for all agents, [..., agent, number]."""
        seen = functional.one_hot(state.index, self.game.n_states).to(self.dtype)
        return seen.unsqueeze(-2).expand(*state.index.shape, self.game.n, self.game.n_states)

    def frame(self, state: GameState, size: int = 240) -> Array:
        """A picture of one game: its states on a ring, the current one filled."""
        places = on_a_ring(self.game.n_states)
        discs = [Disc(x, y, 0.12, (0.75, 0.75, 0.75), ring=True) for x, y in places]
        x, y = places[int(state.index)]
        return draw([*discs, Disc(x, y, 0.1, (0.15, 0.35, 0.85))], size=size)

    @cached_property
    def _strides(self) -> Tensor:
        """Joint actions are row-major, agent 0 slowest."""
        strides = [prod(self.game.actions[i + 1 :]) for i in range(self.game.n)]
        return torch.tensor(strides, device=self.device)

    @cached_property
    def _transition(self) -> Tensor:
        """Cumulative probabilities, [s·a, s_next]."""
        transition = self.game.transition
        dense = transition.toarray() if is_sparse(transition) else transition
        return self._edges(dense.astype(float).reshape(-1, self.game.n_states))

    @cached_property
    def _reward(self) -> Tensor:
        """[s·a, agent]."""
        reward = self.game.reward.astype(float).reshape(self.game.n, -1)
        return torch.tensor(reward.T, dtype=self.dtype, device=self.device)

    def _edges(self, rows: Array) -> Tensor:
        """Cumulative sums, exactly 1 from the last possible state on, so no other is ever drawn."""
        sums = np.cumsum(rows, axis=-1)
        return torch.tensor(sums / sums[..., -1:], device=self.device)


def _draw(edges: Tensor, uniform: Tensor) -> Tensor:
    """The first index whose cumulative probability exceeds the number in [0, 1)."""
    return (uniform.unsqueeze(-1) >= edges).sum(-1)
