"""Branched rollouts with opponent-wise lengths, lines 8 to 21 of Algorithm 1.

From M real states each ego agent i of every run branches off and plays k steps by itself. In step
p = 1..k, in the state ŝ_p,

    aⁱ from its policy;  aʲ from its model π̂ʲ where p ≤ nⱼ, else from the real agent, Comm(ŝ_p, j);
    ŝ_{p+1} and the rewards from its dynamics model T̂.

All actions of a step are taken in the same state. A step is one row (ŝ, a, r, ŝ′) of the agent's
private D_model. A branch costs Σ_{j≠i} (k − nⱼ) calls.

``tabular.cases.returns.branched_return`` follows a branch of k steps by action number k + 1, in
which nⱼ = k means a model. It is what branches of k + 1 steps earn here, with n′ⱼ = k + 1 where nⱼ
= k and n′ⱼ = nⱼ elsewhere.

Axes are [run, ego, row, agent, number], as of ``deep.opponents.models``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from deep.agents.experience import own
from deep.aorpo.communication import Communication
from deep.seeding import Streams, forked

#: Own actions [run, agent, row, number] for own observations [run, agent, row, number].
ActAlone = Callable[[Tensor, Streams], Tensor]


class Simulator(Protocol):
    """What is asked of a dynamics model: one step of all branches."""

    def step(
        self, memory: Any, observations: Tensor, actions: Tensor, streams: Streams
    ) -> tuple[Any, Tensor, Tensor]:
        """(memory, next observations, rewards[run, ego, row, agent])."""


class Beliefs(Protocol):
    """What is asked of opponent models: ``deep.opponents.models.Opponents``."""

    def sample(self, observations: Tensor, streams: Streams) -> Tensor:
        """Actions [run, ego, row, agent, number]; those of an agent about itself are not read."""


@dataclass(frozen=True, eq=False)
class Step:
    """Step p of all branches.

    observations, actions, next_observations: [run, ego, row, agent, number]; rewards: [run, ego,
    row, agent]. alive[run, ego], on the CPU: whether p ≤ k there; where not, the rows are no part
    of any rollout, though they hold numbers.
    """

    observations: Tensor
    actions: Tensor
    rewards: Tensor
    next_observations: Tensor
    alive: Tensor


def roll(
    start: Tensor,
    memory: Any,
    lengths: Tensor,
    k: int | Tensor,
    dynamics: Simulator,
    act: ActAlone,
    opponents: Beliefs,
    communication: Communication,
    streams: Streams,
) -> Iterator[Step]:
    """The steps p = 1, 2, … of the branches from ``start``, up to the largest k; see the module.

    start: observations [run, ego, row, agent, number]. memory: what ``dynamics`` has to know of the
    states beyond their observations. lengths[run, ego, opponent], on the CPU: nⱼ; those of an agent
    for itself are not read. k: for all, or [run, ego]. act: the agents' own policies.

    The streams move on by one number of each run, at the call; a run's steps do not depend on how
    long others go on.
    """
    steps = k.cpu() if isinstance(k, Tensor) else torch.tensor(k)
    last, lengths = steps.expand(lengths.shape[:2]), lengths.cpu()
    others = ~torch.eye(lengths.shape[1], dtype=torch.bool)
    drawing = forked(streams)  # now, not at the first step that is asked for

    def steps_from(observations: Tensor, memory: Any) -> Iterator[Step]:
        for p in range(1, int(last.max()) + 1):
            alive = p <= last
            wanted = (p > lengths) & others & alive.unsqueeze(-1)
            modelled = opponents.sample(observations, drawing)
            real = communication.ask(observations, wanted, drawing)
            asked = wanted.to(modelled.device)[:, :, None, :, None]
            actions = torch.where(asked, real.to(modelled.dtype), modelled)
            # a view of the egos' own entries
            actions.diagonal(dim1=1, dim2=3).copy_(act(own(observations), drawing).movedim(1, -1))
            memory, following, rewards = dynamics.step(memory, observations, actions, drawing)
            yield Step(
                observations=observations,
                actions=actions,
                rewards=rewards,
                next_observations=following,
                alive=alive,
            )
            observations = following

    return steps_from(start, memory)
