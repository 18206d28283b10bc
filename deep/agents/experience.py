"""Shared and private experience: the rows of a batch that an agent learns from.

``Shared``: all agents of a run learn from the same transitions, [run, row, agent, number], and in
the next state everyone acts by the policies that are trained (MASAC, MADDPG).

``Private``: every agent is the ego of transitions of its own, [run, ego, row, agent, number], as
where each has a model of its own, and in the next state the others act as the ego believes them to
(AORPO). Agent i's critics and policy meet what is in slice i and nothing else.

Either way a learner's own numbers are [run, agent, row, number]: agent i's, in its own rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from deep.seeding import Streams


def own(joint: Tensor) -> Tensor:
    """Each ego's own part, [run, agent, row, ...] of [run, ego, row, agent, ...]; a view."""
    return joint.diagonal(dim1=1, dim2=3).movedim(-1, 1)


class Experience(Protocol):
    """Where in a batch the agents find what they learn from.

    "joint" is a tensor of all agents with a batch's axes: [run, row, agent, number] if shared,
    [run, ego, row, agent, number] if private.
    """

    def groups(self, agents: int) -> int:
        """How many different joint rows there are in a run: 1, or one an agent."""

    def own(self, joint: Tensor) -> Tensor:
        """Each agent's own part of ``joint``, [run, agent, row, number]; a view."""

    def grouped(self, rows: Tensor) -> Tensor:
        """[run, group, row, ...] of ``rows``, whatever its axes after the rows'."""

    def after(self, observations: Tensor, own: Tensor, streams: Streams) -> Tensor:
        """What all do in the next state, joint, where each agent does ``own`` by its policy.

        observations: joint, of the next state. own[run, agent, row, number]. Without gradients.
        """


@dataclass(frozen=True)
class Shared:
    """All agents learn from the same rows, and are each other's others."""

    def groups(self, agents: int) -> int:
        """See ``Experience``."""
        del agents
        return 1

    def own(self, joint: Tensor) -> Tensor:
        """See ``Experience``."""
        return joint.transpose(1, 2)

    def grouped(self, rows: Tensor) -> Tensor:
        """See ``Experience``."""
        return rows.unsqueeze(1)

    def after(self, observations: Tensor, own: Tensor, streams: Streams) -> Tensor:
        """See ``Experience``."""
        del observations, streams
        return own.transpose(1, 2)


@dataclass(frozen=True, eq=False)
class Private:
    """Every agent learns from rows of its own.

    others: what each ego believes all to do at joint observations [run, ego, row, agent, number],
    actions of the same axes, drawn from the streams. What it says of the egos themselves is not
    read, so it may be anything.
    """

    others: Callable[[Tensor, Streams], Tensor]

    def groups(self, agents: int) -> int:
        """See ``Experience``."""
        return agents

    def own(self, joint: Tensor) -> Tensor:
        """See ``Experience``."""
        return own(joint)

    def grouped(self, rows: Tensor) -> Tensor:
        """See ``Experience``."""
        return rows

    def after(self, observations: Tensor, own: Tensor, streams: Streams) -> Tensor:
        """See ``Experience``."""
        with torch.no_grad():
            believed = self.others(observations, streams).to(own.dtype)
            ego = torch.eye(own.shape[1], dtype=torch.bool, device=own.device)
            return torch.where(ego[:, None, :, None], own.unsqueeze(3), believed)


SHARED = Shared()
