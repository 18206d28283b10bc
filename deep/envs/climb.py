"""Climb with continuous actions; ``tabular.games.climb`` defines the task and has its equilibria.

Two agents. Observation of both: [0:2] the state as a one-hot. Action: one number in [−1, 1], cut to
that range. The state changes with probability 1/4, whatever is played. Rewards are those of
``tabular.games.climb``; there is no other convention. The game never ends; episodes stop at 25
steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from bounds.shared.numbers import Array
from deep.envs.render import Disc, draw
from deep.envs.spaces import Box
from deep.seeding import Streams
from tabular.games.climb import HIGH, LANDMARK, LOW, SIGNS, SWITCH, equilibrium, rewards


@dataclass(frozen=True, eq=False)
class ClimbState:
    """state: 0 or 1, int64, [run, env] or any leading axes. played: the actions of the last step,
    [..., agent], 0 before the first. time: steps since the reset.
    """

    state: Tensor
    played: Tensor
    time: int

    def at(self, *index: int) -> ClimbState:
        """One game, or the games of one run, with those leading axes gone."""
        return ClimbState(self.state[index], self.played[index], self.time)


@dataclass(frozen=True)
class ClimbEnv:
    """The task as an environment."""

    episode_steps: int = 25
    dtype: torch.dtype = torch.float32
    device: str = "cpu"

    name = "climb"
    agents = ("agent_0", "agent_1")
    spaces = (Box(1, LOW, HIGH),) * 2
    observation_sizes = (2, 2)

    def reset(self, streams: Streams, *shape: int) -> ClimbState:
        """New games, leading axes [run, *shape], each state equally likely."""
        state = streams.whole(2, *shape).to(self.device)
        played = torch.zeros((*state.shape, 2), dtype=self.dtype, device=self.device)
        return ClimbState(state, played, 0)

    def step(
        self, state: ClimbState, actions: Tensor, streams: Streams | None = None
    ) -> tuple[ClimbState, Tensor]:
        """The next state and the rewards [..., agent] for actions [..., agent, 1].

        ``streams`` has a generator for every index of the first axis.
        """
        if streams is None:
            raise TypeError("the next state is random: give streams")
        changes = streams.uniform(*state.state.shape[1:]).to(self.device) < float(SWITCH)
        with torch.no_grad():
            played = actions[..., 0].clamp(LOW, HIGH)
            earned = torch.stack(rewards(state.state, *played.unbind(-1)), -1)
        return ClimbState(state.state ^ changes, played, state.time + 1), earned

    def observe(self, state: ClimbState) -> Tensor:
        """The state as a one-hot, [..., agent, 2]."""
        seen = functional.one_hot(state.state, 2).to(self.dtype)
        return seen.unsqueeze(-2).expand(*state.state.shape, 2, 2)

    def frame(self, state: ClimbState, size: int = 240) -> Array:
        """A picture of one game: both landmarks, the equilibrium ringed, where the agents are."""
        marks = [float(sign * LANDMARK) for sign in SIGNS]
        discs = [Disc(mark, mark, 0.06, (0.6, 0.6, 0.6)) for mark in marks]
        x, y = (float(c) for c in equilibrium(int(state.state)))
        a, b = state.played.tolist()
        agents = Disc(a, b, 0.05, (0.15, 0.35, 0.85))
        return draw([*discs, Disc(x, y, 0.1, (0.1, 0.6, 0.1), ring=True), agents], size=size)
