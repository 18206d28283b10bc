"""A batch of transitions, and the rows that replays keep of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from deep.envs.spaces import Shape


@dataclass(frozen=True, eq=False)
class Batch:
    """Transitions of every run.

    observations, next_observations [run, row, agent, number]; actions [run, row, agent, number];
    rewards [run, row, agent]; terminated [run, row]: 1 where the game ended in the next state. An
    episode that was cut by a time limit did not end.

    Where every ego agent has transitions of its own, all axes are [run, ego, row, ...].
    """

    observations: Tensor
    actions: Tensor
    rewards: Tensor
    next_observations: Tensor
    terminated: Tensor


def packed(batch: Batch, dtype: torch.dtype) -> Tensor:
    """The batch as rows [..., row, number]."""
    parts = (
        batch.observations.flatten(-2),
        batch.actions.flatten(-2),
        batch.rewards,
        batch.next_observations.flatten(-2),
        batch.terminated.unsqueeze(-1),
    )
    return torch.cat([part.to(dtype) for part in parts], -1)


def unpacked(shape: Shape, rows: Tensor) -> Batch:
    """The batch that was ``packed``; views."""
    observations, actions, rewards, following, terminated = rows.split(_widths(shape), -1)
    return Batch(
        observations=observations.unflatten(-1, (shape.agents, -1)),
        actions=actions.unflatten(-1, (shape.agents, -1)),
        rewards=rewards,
        next_observations=following.unflatten(-1, (shape.agents, -1)),
        terminated=terminated.squeeze(-1),
    )


def row_width(shape: Shape) -> int:
    """Numbers of a transition."""
    return sum(_widths(shape))


def _widths(shape: Shape) -> list[int]:
    seen, done = shape.agents * shape.observation_width, shape.agents * shape.action_width
    return [seen, done, shape.agents, seen, 1]
