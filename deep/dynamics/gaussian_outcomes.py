"""The Gaussian head of a dynamics model (PETS, Chua et al. 2018): observations and rewards.

The targets are y = (o' − o, r) without padding, made standard. The network gives μ and x for each:

    y ~ N(μ, e^ℓ),   ℓ = low + softplus(u − low),   u = high − softplus(high − x),

with ``low`` and ``high`` learned. A draw uses the standard deviation, e^(ℓ/2). The surprise of a
target is ½(z² + ℓ + log 2π), z² = (y − μ)² e^−ℓ.

Training goes down the mean of e^(βℓ) ½(z² + ℓ) over rows and targets, e^(βℓ) taken as a constant
(Seitzer et al. 2022), plus 0.01 times the mean of high − low. Plain likelihood, β = 0, weights
errors by e^−ℓ: the changes of observations, nearly certain, drown the rewards, which are then
hardly learned at all. Chua et al. have β = 0; β = ½ is the default here.

Held-out rows are judged by the mean surprise in which z² counts as 25 at most. Rare jumps such as
contacts, dozens of deviations away, would otherwise outweigh everything else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from deep.dynamics.outcomes import average, present
from deep.envs.spaces import Shape
from deep.nn.action_distributions import normal
from deep.nn.standard import Affine, Standard
from deep.seeding import Streams

#: ``low`` and ``high`` of a new model, in log-variances of standard targets.
LOG_VARIANCES = (-10.0, 0.5)
#: What the distance of ``high`` from ``low`` adds to the objective.
DISTANCE = 0.01
#: The most that z² counts in held-out rows.
LARGEST = 25.0


@dataclass(frozen=True)
class GaussianOutcomes:
    """Gaussian changes of observations, and rewards, of agents of this ``shape``.

    beta: β. rewards: whether they are predicted; else they come out as 0. deterministic: a draw is
    the mean of the member that was dealt, for worlds where nothing is random.
    """

    shape: Shape
    beta: float = 0.5
    rewards: bool = True
    deterministic: bool = False

    @property
    def read(self) -> list[int]:
        """Everything but the padding."""
        seen, done = self.shape.observation_width, self.shape.action_width
        actions = [space.width for space in self.shape.spaces]
        first = self.shape.agents * seen
        return [
            *present(self.shape.observation_sizes, seen),
            *(first + column for column in present(actions, done)),
        ]

    @property
    def outputs(self) -> int:
        """μ and x of every target."""
        return 2 * self._targets

    @property
    def scaled(self) -> tuple[bool, ...]:
        """All."""
        return (True,) * self._targets

    @property
    def initial_log_variance_bounds(self) -> tuple[float, ...]:
        """``low`` of every target, then ``high``."""
        low, high = LOG_VARIANCES
        return (low,) * self._targets + (high,) * self._targets

    def targets(self, observations: Tensor, following: Tensor, rewards: Tensor) -> Tensor:
        """o' − o without padding, then the rewards."""
        change = (following - observations).flatten(-2)[..., self._columns]
        return torch.cat((change, rewards), -1) if self.rewards else change

    def loss(
        self, outputs: Tensor, variance_bounds: Tensor, targets: Tensor, weights: Tensor
    ) -> Tensor:
        """See the module."""
        mean, log_variance = gaussian(outputs, variance_bounds.unsqueeze(-2))
        square = ((targets - mean).square() * (-log_variance).exp()).clamp(max=LARGEST)
        return average(0.5 * (square + log_variance + math.log(2 * math.pi)), weights)

    def objective(
        self, outputs: Tensor, variance_bounds: Tensor, targets: Tensor, weights: Tensor
    ) -> Tensor:
        """See the module."""
        mean, log_variance = gaussian(outputs, variance_bounds.unsqueeze(-2))
        square = (targets - mean).square() * (-log_variance).exp()
        each = (self.beta * log_variance.detach()).exp() * (0.5 * (square + log_variance))
        low, high = variance_bounds.chunk(2, -1)
        return average(each, weights) + DISTANCE * (high - low).mean(-1)

    def rescale(
        self, layer: tuple[Tensor, Tensor], variance_bounds: Tensor, change: Affine
    ) -> None:
        """μ → factor · μ + shift, and ℓ, ``low``, ``high`` → those + 2 log factor."""
        weight, bias = layer
        count, more = self._targets, 2 * change.factor.log()
        weight[:, :count].mul_(change.factor.unsqueeze(-1))
        bias[:, 0, :count].mul_(change.factor).add_(change.shift)
        bias[:, 0, count:].add_(more)
        variance_bounds.add_(more.repeat(1, 2))

    def draw(
        self,
        outputs: Tensor,
        variance_bounds: Tensor,
        seen: Tensor,
        scale: Standard,
        streams: Streams,
    ) -> tuple[Tensor, Tensor]:
        """μ + e^(ℓ/2) ε, ε standard normal; μ where ``deterministic``."""
        mean, log_variance = gaussian(outputs, variance_bounds)
        if self.deterministic:
            return self._split(scale.back(mean), seen)
        deviation = (0.5 * log_variance).exp()
        return self._split(scale.back(mean + deviation * normal(streams, mean)), seen)

    def mean_prediction(
        self, outputs: Tensor, seen: Tensor, scale: Standard
    ) -> tuple[Tensor, Tensor]:
        """The members' mean μ."""
        return self._split(scale.back(outputs.chunk(2, -1)[0].mean(2)), seen)

    def errors(self, outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Of μ."""
        return average((outputs.chunk(2, -1)[0].mean(2) - targets).square(), weights)

    def coverage(
        self,
        outputs: Tensor,
        variance_bounds: Tensor,
        targets: Tensor,
        weights: Tensor,
        share: float,
    ) -> Tensor:
        """Where the mixture's distribution function lies within share/2 of ½."""
        mean, log_variance = gaussian(outputs, variance_bounds.unsqueeze(-2))
        z = (targets.unsqueeze(2) - mean) * (-0.5 * log_variance).exp()
        below = torch.special.ndtr(z).mean(2)
        return average(((below - 0.5).abs() <= share / 2).to(outputs.dtype), weights)

    @property
    def _targets(self) -> int:
        return len(self._columns) + self.shape.agents * self.rewards

    @property
    def _columns(self) -> list[int]:
        return present(self.shape.observation_sizes, self.shape.observation_width)

    def _split(self, y: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        change, rewards = y[..., : len(self._columns)], y[..., len(self._columns) :]
        if not self.rewards:
            rewards = y.new_zeros(*y.shape[:-1], self.shape.agents)
        following = seen.flatten(-2).clone()
        following[..., self._columns] += change
        return following.view(seen.shape), rewards


def gaussian(outputs: Tensor, variance_bounds: Tensor) -> tuple[Tensor, Tensor]:
    """μ and ℓ of the module, from outputs[..., number] and ``variance_bounds`` of as many axes."""
    mean, x = outputs.chunk(2, -1)
    low, high = variance_bounds.chunk(2, -1)
    limited = high - softplus(high - x)
    return mean, low + softplus(limited - low)


def softplus(x: Tensor) -> Tensor:
    """log(1 + eˣ), differentiable; torch's own rounds the last numbers of a batch another way."""
    return x.clamp(min=0) + (-x.abs()).exp().log1p()
