"""What a learner is, for whoever collects transitions and asks for updates.

A learner trains all agents of all runs. It draws from streams that it is given, named by purpose
("initialise", "explore", "update"), so that a run's numbers do not depend on the runs beside it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from bounds.numbers import InputError, in_range
from deep.seeding import Streams
from deep.spaces import Space, action_width

if TYPE_CHECKING:
    from deep.replay import Batch


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


@dataclass(frozen=True, eq=False)
class Inference:
    """What each agent believes the others to do: input for opponent-conditioned policies.

    size: numbers for an agent. infer: each agent's own observations [run, agent, row, number] to
    what it infers from them, [run, agent, row, size], drawing from the streams.
    """

    size: int
    infer: Callable[[Tensor, Streams], Tensor]


class Learner(Protocol):
    """Policies of all agents in all runs, and how they get better."""

    def act(self, observations: Tensor, streams: Streams, greedy: bool) -> Tensor:
        """Actions [run, env, agent, number] for observations [run, env, agent, number].

        Drawn from the policies, or, ``greedy``, the likeliest; a choice is a one-hot.
        """

    def update(self, batch: Batch, streams: Streams) -> dict[str, Tensor]:
        """One gradient step of everything; metrics [run, agent] (see ``deep.metrics``).

        Whether the batch's agents share their rows or not, the learner was built for one of the two
        (see ``deep.experience``).
        """

    def state(self) -> dict[str, Tensor]:
        """Every tensor that the next steps depend on, leading axis [run]; not copies."""

    def restore(self, state: dict[str, Tensor]) -> None:
        """Set the learner to what ``state`` returned, bit for bit."""


def positive(where: str, value: float) -> None:
    """``InputError`` unless ``value`` is a number above 0."""
    if not in_range(where, value, 0, sys.float_info.max):
        raise InputError(f"{where}: 0; give a number above 0")


def restore_tensors(own: dict[str, Tensor], given: dict[str, Tensor]) -> None:
    """Copy ``given`` into the tensors ``own``; ``InputError`` where they do not match."""
    for name in sorted(own.keys() | given.keys()):
        if name not in own or name not in given:
            where = "the learner" if name in given else "the file"
            raise InputError(f"{name}: missing in {where}; restore with the settings it had")
        if own[name].shape != given[name].shape or own[name].dtype != given[name].dtype:
            raise InputError(
                f"{name}: {given[name].dtype} {list(given[name].shape)} in the file, "
                f"{own[name].dtype} {list(own[name].shape)} in the learner; restore with the "
                "settings it had"
            )
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(given[name])
