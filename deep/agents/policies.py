"""Decentralised policies of a team, of all runs at once, perhaps conditioned on inferred opponents.

Agent i's policy sees its own observation, πⁱ(a|oⁱ); with an ``Inference`` also what it believes the
others to do, πⁱ(a|oⁱ, â⁻ⁱ), as in Eq. (4).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from deep.agents.learner import Inference
from deep.agents.standard_inputs import StandardInputs
from deep.envs.spaces import Shape
from deep.nn.action_distributions import Head
from deep.nn.stacked_mlp import Networks, networks
from deep.seeding import Streams


@dataclass(frozen=True, eq=False)
class Policies:
    """``stack``: a group of one network for each agent. inputs: None: observations as they are."""

    shape: Shape
    head: Head
    stack: Networks
    inference: Inference | None
    inputs: StandardInputs | None = None

    def outputs(self, observations: Tensor, streams: Streams) -> Tensor:
        """What the networks say, [run, agent, row, number], with gradients for the parameters.

        observations[run, agent, row, number], each agent's own; the streams are for inferred
        actions.
        """
        seen = observations if self.inputs is None else self.inputs.own(observations)
        if self.inference is not None:
            inferred = self.inference.infer(observations, streams).to(observations.dtype)
            seen = torch.cat((observations, inferred), -1)
        return self.stack(seen.contiguous()).squeeze(2)

    def act(self, observations: Tensor, streams: Streams, greedy: bool) -> Tensor:
        """Actions [run, row, agent, number] at observations of these axes, without gradients."""
        return self.act_alone(observations.transpose(1, 2), streams, greedy).transpose(1, 2)

    def act_alone(self, observations: Tensor, streams: Streams, greedy: bool) -> Tensor:
        """The same, each agent in rows of its own: both are [run, agent, row, number]."""
        with torch.no_grad():
            outputs = self.outputs(observations, streams)
            return self.head.best(outputs) if greedy else self.head.sample(outputs, streams)[0]

    @property
    def copied(self) -> Policies:
        """The same policies on numbers of their own, without gradients."""
        return replace(self, stack=self.stack.copied)


def policies(
    shape: Shape,
    head: Head,
    hidden: tuple[int, ...],
    streams: Streams,
    dtype: torch.dtype,
    device: str,
    inference: Inference | None = None,
    seen: StandardInputs | None = None,
) -> Policies:
    """New policies."""
    more = 0 if inference is None else inference.size
    stack = networks(
        sizes=(shape.observation_width + more, *hidden, head.outputs),
        groups=shape.agents,
        members=1,
        streams=streams,
        dtype=dtype,
        device=device,
        inputs=[size + more for size in shape.observation_sizes],
    )
    return Policies(shape=shape, head=head, stack=stack, inference=inference, inputs=seen)
