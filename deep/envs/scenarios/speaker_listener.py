"""Cooperative communication (simple_speaker_listener): one knows the goal, the other can go there.

Three coloured landmarks, one of them the listener's goal. The speaker stands still and says one of
three words; the listener moves and hears the word of the step before. No collisions.

- speaker_0: observes [0:3] the goal's colour; action: one word of three;
- listener_0: observes [0:2] its velocity, [2:8] the landmarks relative to it, [8:11] the word
  heard; action: five moves.

Reward of either agent: −(listener's distance to its goal)². mpe2 gives the same; the original
code's shared reward is the sum over both, twice as much.
"""

from __future__ import annotations

import torch
from torch import Tensor

from deep.envs import observation as see
from deep.envs.particle import Body, Scenario, State
from deep.envs.scenarios.colours import GREY, LANDMARKS, colours


def speaker_listener() -> Scenario:
    """The task."""
    return Scenario(
        name="speaker-listener",
        agents=(
            Body("speaker_0", 0.075, GREY, movable=False, words=(3,)),
            Body("listener_0", 0.075, GREY),
        ),
        landmarks=tuple(Body(f"landmark_{i}", 0.04, c) for i, c in enumerate(LANDMARKS)),
        goals=((1,),),
        private=lambda landmark, goal: colours(LANDMARKS, goal, landmark),
        observed=(
            see.private(range(3)),
            see.velocity(1) + see.landmarks(3, 1) + see.message(range(3)),
        ),
        reward=reward,
        observed_reward=observed_reward,
    )


def observed_reward(seen: Tensor) -> Tensor:
    """The same of observations: the speaker sees the goal's colour, the listener the way there."""
    colour = seen[..., 0, :3].unsqueeze(-2)
    known = torch.tensor(LANDMARKS, dtype=seen.dtype, device=seen.device)
    goal = (colour - known).square().sum(-1).argmin(-1)
    squared = seen[..., 1, 2:8].unflatten(-1, (3, 2)).square().sum(-1)
    chosen: Tensor = squared.take_along_dim(goal.unsqueeze(-1), -1)
    return chosen.neg().expand(*chosen.shape[:-1], 2)


def reward(state: State) -> Tensor:
    """−|p − p_goal|² of the listener for both, [..., agent]."""
    goal = state.landmark.take_along_dim(state.goal.unsqueeze(-1), -2)
    squared = (state.position[..., 1:, :] - goal).square().sum(-1)
    return squared.neg_().expand(*squared.shape[:-1], 2)
