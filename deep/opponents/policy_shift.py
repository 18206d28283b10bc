"""The policy shift ε_π of each agent, as a mean over states that the agents have met.

Two policies are D_TV(πⁱ, π_Dⁱ) apart, which has a closed form for choices and for one number. Each
agent knows its own policies, so nobody is asked; conditioned ones are compared given the same
inferred actions, so that the shift is that of the policies alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from deep.agents.policies import Policies
from deep.envs.spaces import Choices, Space
from deep.nn.action_distributions import TanhPoint
from deep.nn.stacked_mlp import Networks
from deep.opponents.errors import oracle
from deep.opponents.fitting import History
from deep.opponents.models import Opponents, real_opponents
from deep.seeding import Streams, forked


def measurable(spaces: Sequence[Space], density: bool) -> bool:
    """Whether D_TV has a closed form; density: whether policies for numbers have one at all."""
    return all(isinstance(space, Choices) or (density and space.width == 1) for space in spaces)


def policy_shift(policies: Policies, before: Tensor, history: History, streams: Streams) -> Tensor:
    """Mean of D_TV between the policies and those of the parameters ``before``, [run, agent].

    0 where it is not ``measurable``. The streams, for inferred actions, move on by one number.
    """
    seen, drawing = history.by_ego()[0], forked(streams)
    if not measurable(policies.shape.spaces, not isinstance(policies.head, TanhPoint)):
        return torch.zeros(len(seen), policies.shape.agents, dtype=torch.float64)
    at = drawing.state()

    def player(stack: Networks) -> Opponents:
        one = replace(policies, stack=stack)

        def outputs(observations: Tensor, _: Streams) -> Tensor:
            drawing.restore(at)
            return one.outputs(observations, drawing)

        return real_opponents(policies.shape, policies.head, outputs)

    then = Networks(policies.stack.sizes, before)
    # every other agent is told the same
    return oracle(player(policies.stack), player(then), seen).mean.amax(1)
