"""Observations made of one size for policies and critics, by what the warm-up met.

Where some numbers of an observation are large and others small, the first layer learns the large
ones first. So each number is made standard with its mean and deviation over the warm-up, agent by
agent and run by run. They are taken once, before the first gradient step, and then stay: what
moves with the data would move every network's input. Until then, and where it is not wanted,
observations are read as they are. (The released code has batch normalisation there, whose numbers
move.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from deep.envs.spaces import Shape
from deep.nn.standard import FARTHEST, Standard, standard


@dataclass(frozen=True, eq=False)
class StandardInputs:
    """``scale``: mean and deviation [run, agent · number] of padded joint observations."""

    scale: Standard
    agents: int

    def joint(self, observations: Tensor) -> Tensor:
        """Standard and flat, [run, ..., agent · number] of observations [run, ..., agent, number].

        Not beyond ten deviations, and 0 in the padding.
        """
        return self.scale.bounded(observations.flatten(-2))

    def own(self, observations: Tensor, agents: Sequence[int] | None = None) -> Tensor:
        """The same of what one agent each observes, [run, agent, row, number].

        agents: which they are, None for all in order.
        """
        axes = (len(observations), self.agents, 1, observations.shape[-1])
        mean, divisor = self.scale.mean.view(axes), self.scale.divisor.view(axes)
        if agents is not None:
            mean, divisor = mean[:, list(agents)], divisor[:, list(agents)]
        return ((observations - mean) / divisor).clamp_(-FARTHEST, FARTHEST)

    def measure(self, observations: Tensor) -> None:
        """Take the mean and deviation of observations [run, row, agent, number]."""
        found = standard(observations.flatten(-2))
        self.scale.mean.copy_(found.mean)
        self.scale.deviation.copy_(found.deviation)

    def state(self) -> dict[str, Tensor]:
        """See ``Learner``."""
        return {"inputs.mean": self.scale.mean, "inputs.deviation": self.scale.deviation}


def standard_inputs(shape: Shape, runs: int, dtype: torch.dtype, device: str) -> StandardInputs:
    """Observations as they are, until they are measured."""
    size = (runs, shape.agents * shape.observation_width)
    mean = torch.zeros(size, dtype=dtype, device=device)
    return StandardInputs(Standard(mean, torch.zeros_like(mean)), shape.agents)
