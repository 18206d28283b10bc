"""Spaces: what agents observe and may do, as vectors of numbers.

A choice among k options is a one-hot vector of k numbers; several choices at once are the one-hots
one after the other; a continuous action is its numbers. Joint actions are one tensor
[..., agent, number], padded with zeros to the widest agent, so that a relaxed choice (a point of
the simplex) and a continuous action need no other code than a choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from deep.seeding import Streams, choose


@dataclass(frozen=True)
class Choices:
    """One choice out of ``sizes[i]`` options for every i, each a one-hot.

    words: how many of the choices, the last ones, are words that others hear and nothing else.
    """

    sizes: tuple[int, ...]
    words: int = 0

    @property
    def width(self) -> int:
        """Numbers in the vector."""
        return sum(self.sizes)

    @property
    def spoken(self) -> int:
        """Numbers in the vector that are words; they are the last ones."""
        return sum(self.sizes[len(self.sizes) - self.words :])


@dataclass(frozen=True)
class Box:
    """``width`` numbers between ``low`` and ``high``."""

    width: int
    low: float = 0.0
    high: float = 1.0


Space = Choices | Box


def action_width(spaces: Sequence[Space]) -> int:
    """Numbers in the vector of the widest agent."""
    return max(space.width for space in spaces)


def one_hot(spaces: Sequence[Space], chosen: Tensor, dtype: torch.dtype) -> Tensor:
    """Actions [..., agent, number] from indices ``chosen[..., agent, choice]``, int64.

    Agents with fewer choices than the last axis holds leave the rest unread.
    """
    actions = torch.zeros(
        (*chosen.shape[:-1], action_width(spaces)), dtype=dtype, device=chosen.device
    )
    for agent, space in enumerate(spaces):
        start = 0
        for choice, size in enumerate(_sizes(space)):
            part = actions[..., agent, start : start + size]
            part.scatter_(-1, chosen[..., agent, choice, None], 1.0)
            start += size
    return actions


def chosen(spaces: Sequence[Space], actions: Tensor) -> Tensor:
    """Indices [..., agent, choice] of the largest number of every choice, 0 in the padding."""
    most = max(len(_sizes(space)) for space in spaces)
    indices = torch.zeros((*actions.shape[:-1], most), dtype=torch.int64, device=actions.device)
    for agent, space in enumerate(spaces):
        start = 0
        for choice, size in enumerate(_sizes(space)):
            indices[..., agent, choice] = actions[..., agent, start : start + size].argmax(-1)
            start += size
    return indices


def random_actions(
    spaces: Sequence[Space],
    streams: Streams,
    envs: int,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
) -> Tensor:
    """Uniformly random actions, shape [run, env, agent, number]."""
    agents, width = len(spaces), action_width(spaces)
    uniform = streams.uniform(envs, agents, width)
    actions = torch.zeros_like(uniform)
    for agent, space in enumerate(spaces):
        part = uniform[:, :, agent, : space.width]
        if isinstance(space, Box):
            actions[:, :, agent, : space.width] = space.low + (space.high - space.low) * part
            continue
        start = 0
        for choice, size in enumerate(space.sizes):
            index = choose(part[..., choice, None], size)
            actions[:, :, agent, start : start + size].scatter_(-1, index, 1.0)
            start += size
    return actions.to(device, dtype)


def _sizes(space: Space) -> tuple[int, ...]:
    if isinstance(space, Choices):
        return space.sizes
    raise TypeError("continuous actions have no indices")


@dataclass(frozen=True)
class Shape:
    """What each agent observes, as a count of numbers, and what it may do."""

    observation_sizes: tuple[int, ...]
    spaces: tuple[Space, ...]

    @property
    def agents(self) -> int:
        """Number of agents."""
        return len(self.spaces)

    @property
    def observation_width(self) -> int:
        """Numbers in a padded observation."""
        return max(self.observation_sizes)

    @property
    def action_width(self) -> int:
        """Numbers in a padded action."""
        return action_width(self.spaces)
