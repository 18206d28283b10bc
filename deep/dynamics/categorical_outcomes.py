"""The categorical head of a dynamics model: the next state of a finite world, and rewards.

The network gives logits of the next state, which is drawn, and the rewards' means, which are not:
the loss is −log p(s') plus half the mean squared error of the standard rewards.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from bounds.shared.numbers import InputError
from deep.dynamics.outcomes import average, present
from deep.envs.spaces import Shape
from deep.nn.standard import Affine, Standard
from deep.seeding import Streams


@dataclass(frozen=True)
class CategoricalOutcomes:
    """Next states out of as many as each agent observes numbers, and mean rewards."""

    shape: Shape

    def __post_init__(self) -> None:
        if len(set(self.shape.observation_sizes)) > 1:
            raise InputError(
                f"observations: {self.shape.observation_sizes} numbers; where all agents observe "
                "one state they have as many, so predict numbers here"
            )

    @property
    def read(self) -> list[int]:
        """The state as the first agent observes it, and the actions without padding."""
        done, first = self.shape.action_width, self.shape.agents * self.states
        widths = [space.width for space in self.shape.spaces]
        return [*range(self.states), *(first + column for column in present(widths, done))]

    @property
    def states(self) -> int:
        """Number of states."""
        return self.shape.observation_width

    @property
    def outputs(self) -> int:
        """A logit a state, and the mean rewards."""
        return self.states + self.shape.agents

    @property
    def scaled(self) -> tuple[bool, ...]:
        """The rewards; the first target is a state's index."""
        return (False,) + (True,) * self.shape.agents

    @property
    def initial_log_variance_bounds(self) -> tuple[float, ...]:
        """None."""
        return ()

    def targets(self, observations: Tensor, following: Tensor, rewards: Tensor) -> Tensor:
        """The next state's index, then the rewards."""
        index = following[..., :1, :].argmax(-1).to(rewards.dtype)
        return torch.cat((index, rewards), -1)

    def loss(
        self, outputs: Tensor, variance_bounds: Tensor, targets: Tensor, weights: Tensor
    ) -> Tensor:
        """See the module."""
        logs, rewards = self._split(outputs)
        index = targets[..., :1].long()
        surprise = -logs.log_softmax(-1).gather(-1, index).mean((-2, -1))
        square = 0.5 * (rewards - targets[..., 1:]).square()
        return surprise + average(square, weights[..., 1:])

    def objective(
        self, outputs: Tensor, variance_bounds: Tensor, targets: Tensor, weights: Tensor
    ) -> Tensor:
        """The loss."""
        return self.loss(outputs, variance_bounds, targets, weights) + variance_bounds.sum(-1)

    def rescale(
        self, layer: tuple[Tensor, Tensor], variance_bounds: Tensor, change: Affine
    ) -> None:
        """The rewards → factor · reward + shift."""
        weight, bias = layer
        factor, shift = change.factor[:, 1:], change.shift[:, 1:]
        weight[:, self.states :].mul_(factor.unsqueeze(-1))
        bias[:, 0, self.states :].mul_(factor).add_(shift)

    def draw(
        self,
        outputs: Tensor,
        variance_bounds: Tensor,
        seen: Tensor,
        scale: Standard,
        streams: Streams,
    ) -> tuple[Tensor, Tensor]:
        """A state by inversion, in float64."""
        logits, rewards = self._split(outputs)
        below = logits.double().softmax(-1).cumsum(-1)
        uniform = streams.uniform(*below.shape[1:-1]).to(below.device).unsqueeze(-1)
        # rounding may leave the last sum below 1
        index = (uniform * below[..., -1:] >= below).sum(-1).clamp_(max=self.states - 1)
        return self._seen(index, seen), self._rewards(rewards, scale)

    def mean_prediction(
        self, outputs: Tensor, seen: Tensor, scale: Standard
    ) -> tuple[Tensor, Tensor]:
        """The mixture's likeliest state, and the members' mean rewards."""
        index = self.distribution(outputs).argmax(-1)
        return self._seen(index, seen), self._rewards(self._split(outputs)[1].mean(2), scale)

    def distribution(self, outputs: Tensor) -> Tensor:
        """The mixture over members, p(s') = Σ_b p_b(s')/B, float64 [run, ego, row, state]."""
        return self._split(outputs)[0].double().softmax(-1).mean(2)

    def errors(self, outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Of the rewards."""
        square = (self._split(outputs)[1].mean(2) - targets[..., 1:]).square()
        return average(square.expand(*outputs.shape[:2], -1, -1), weights[..., 1:])

    def coverage(
        self,
        outputs: Tensor,
        variance_bounds: Tensor,
        targets: Tensor,
        weights: Tensor,
        share: float,
    ) -> Tensor:
        """Of the next states: the expectation over u of [F(s' − 1) + u p(s') is central].

        So spread over its jump the distribution function is uniform where the mixture is right, and
        nothing need be drawn.
        """
        p = self.distribution(outputs)
        index = targets[..., :1].long().expand(*p.shape[:3], 1)
        chance = p.gather(-1, index)
        above = p.cumsum(-1).gather(-1, index)
        low, high = (1 - share) / 2, (1 + share) / 2
        overlap = above.clamp(low, high) - (above - chance).clamp(low, high)
        return (overlap / chance.clamp(min=1e-300)).mean((-2, -1)).to(outputs.dtype)

    def _split(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        logits, rewards = outputs.split([self.states, self.shape.agents], -1)
        return logits, rewards

    def _seen(self, index: Tensor, like: Tensor) -> Tensor:
        one = functional.one_hot(index, self.states).to(like.dtype)
        return one.unsqueeze(-2).expand_as(like).contiguous()

    def _rewards(self, standardised: Tensor, scale: Standard) -> Tensor:
        return Standard(scale.mean[:, 1:], scale.deviation[:, 1:]).back(standardised)
