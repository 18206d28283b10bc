"""What a dynamics model predicts, and how its network's numbers become a next state and rewards.

Everything is predicted for all agents at once, given their joint observation and action.

Numbers (``Numbers``, Chua et al. 2018). The targets are y = (o' − o, r) without padding, made
standard by the mean and deviation of the training rows. The network gives μ and x per target:

    y ~ N(μ, e^ℓ),   ℓ = low + softplus(u − low),   u = high − softplus(high − x).

``low`` and ``high`` are learned, and 0.01 times their mean distance is added to the loss. A draw
uses the standard deviation e^(ℓ/2). A target that never varied keeps its value and is in no loss.

States (``States``), for worlds in which every agent observes the same one-hot of a finite state.
The network gives logits of the next state, from which it is drawn, and the rewards' means, which
are not drawn.

The loss is in nats a target: ½((y − μ)² e^−ℓ + ℓ + log 2π) on average over the targets of
``Numbers``; for ``States`` −log p(s') plus half the rewards' mean squared error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from bounds.numbers import InputError
from deep.distributions import normal
from deep.learner import Shape
from deep.seeding import Streams

#: ``low`` and ``high`` of a new model, in log-variances of standard targets.
LOG_VARIANCES = (-10.0, 0.5)
#: What the distance of ``high`` from ``low`` adds to the loss.
DISTANCE = 0.01


@dataclass(frozen=True, eq=False)
class Standard:
    """Numbers made standard per run. mean, deviation[run, number]; deviation 0: a constant."""

    mean: Tensor
    deviation: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """(x − mean)/deviation of ``x[run, ..., number]``; constants are divided by 1."""
        divisor = torch.where(self.deviation > 0, self.deviation, 1.0)
        return (x - _beside(self.mean, x)) / _beside(divisor, x)

    def back(self, z: Tensor) -> Tensor:
        """mean + deviation · z, so that a constant comes back exactly."""
        return _beside(self.mean, z) + _beside(self.deviation, z) * z

    @property
    def varies(self) -> Tensor:
        """1 where a number is no constant, else 0, [run, number]."""
        return (self.deviation > 0).to(self.mean.dtype)


def standard(x: Tensor) -> Standard:
    """The mean and deviation of ``x[run, row, number]`` over the rows, run by run."""
    runs = [run.double() for run in x]  # by themselves, so that sums are those of a run alone
    mean = torch.stack([run.mean(0) for run in runs])
    deviation = torch.stack([run.std(0, correction=0) for run in runs])
    same = torch.stack([(run == run[:1]).all(0) for run in runs])
    return Standard(mean.to(x.dtype), deviation.masked_fill(same, 0.0).to(x.dtype))


class Outcomes(Protocol):
    """What the ensemble asks of a kind of prediction.

    said[..., row, number]: the networks' numbers; limits[..., number]: learned beside the networks;
    targets[..., row, number] are standard where ``scaled`` says so.
    """

    @property
    def read(self) -> Sequence[int]:
        """Which numbers of the flat padded observations, then actions, the networks read."""

    @property
    def outputs(self) -> int:
        """Numbers that a network has to give."""

    @property
    def scaled(self) -> Sequence[bool]:
        """Whether each target is made standard."""

    @property
    def first_limits(self) -> Sequence[float]:
        """Numbers learned beside a network, at the start."""

    def targets(self, observations: Tensor, following: Tensor, rewards: Tensor) -> Tensor:
        """[..., number], not standard, of [..., agent, number] and rewards [..., agent]."""

    def loss(self, said: Tensor, limits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Nats a target, [...]; ``weights[..., number]`` is 0 for targets that are constants."""

    def penalty(self, limits: Tensor) -> Tensor:
        """What training adds to the loss, [...]."""

    def draw(
        self, said: Tensor, limits: Tensor, seen: Tensor, scale: Standard, streams: Streams
    ) -> tuple[Tensor, Tensor]:
        """Next observations [run, ego, row, agent, number] and rewards [run, ego, row, agent].

        said[run, ego, row, number]; limits[run, ego, row or 1, number]; seen: the observations now;
        scale: of the targets.
        """

    def centre(self, said: Tensor, seen: Tensor, scale: Standard) -> tuple[Tensor, Tensor]:
        """As ``draw`` of said[run, ego, member, row, number], but nothing is drawn.

        Means over the members of numbers and the mixture's likeliest state.
        """

    def errors(self, said: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Mean squared error of the members' mean, [run, ego], of standard targets."""

    def inside(
        self, said: Tensor, limits: Tensor, targets: Tensor, weights: Tensor, share: float
    ) -> Tensor:
        """Share of the targets in the members' mixture's central interval, [run, ego].

        said[run, ego, member, row, number], limits[run, ego, member, number], targets[run, 1, row,
        number], weights[run, 1, number]. It is ``share`` where the mixture is right.
        """


@dataclass(frozen=True)
class Numbers:
    """Gaussian differences of observations, and rewards, of agents of this ``shape``."""

    shape: Shape

    @property
    def read(self) -> list[int]:
        """Everything but the padding."""
        seen, done = self.shape.observation_width, self.shape.action_width
        actions = [space.width for space in self.shape.spaces]
        first = self.shape.agents * seen
        return [
            *_present(self.shape.observation_sizes, seen),
            *(first + column for column in _present(actions, done)),
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
    def first_limits(self) -> tuple[float, ...]:
        """``low`` of every target, then ``high``."""
        low, high = LOG_VARIANCES
        return (low,) * self._targets + (high,) * self._targets

    def targets(self, observations: Tensor, following: Tensor, rewards: Tensor) -> Tensor:
        """o' − o without padding, then the rewards."""
        change = (following - observations).flatten(-2)
        return torch.cat((change[..., self._columns], rewards), -1)

    def loss(self, said: Tensor, limits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """See the module."""
        mean, log_variance = gaussian(said, limits.unsqueeze(-2))
        square = (targets - mean).square() * (-log_variance).exp()
        each = 0.5 * (square + log_variance + math.log(2 * math.pi))
        return _average(each, weights)

    def penalty(self, limits: Tensor) -> Tensor:
        """See the module."""
        low, high = limits.chunk(2, -1)
        return DISTANCE * (high - low).mean(-1)

    def draw(
        self, said: Tensor, limits: Tensor, seen: Tensor, scale: Standard, streams: Streams
    ) -> tuple[Tensor, Tensor]:
        """μ + e^(ℓ/2) ε, ε standard normal."""
        mean, log_variance = gaussian(said, limits)
        deviation = (0.5 * log_variance).exp()
        return self._split(scale.back(mean + deviation * normal(streams, mean)), seen)

    def centre(self, said: Tensor, seen: Tensor, scale: Standard) -> tuple[Tensor, Tensor]:
        """The members' mean μ."""
        return self._split(scale.back(said.chunk(2, -1)[0].mean(2)), seen)

    def errors(self, said: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Of μ."""
        return _average((said.chunk(2, -1)[0].mean(2) - targets).square(), weights)

    def inside(
        self, said: Tensor, limits: Tensor, targets: Tensor, weights: Tensor, share: float
    ) -> Tensor:
        """Where the mixture's distribution function lies within share/2 of ½."""
        mean, log_variance = gaussian(said, limits.unsqueeze(-2))
        z = (targets.unsqueeze(2) - mean) * (-0.5 * log_variance).exp()
        below = torch.special.ndtr(z).mean(2)
        return _average(((below - 0.5).abs() <= share / 2).to(said.dtype), weights)

    @property
    def _targets(self) -> int:
        return sum(self.shape.observation_sizes) + self.shape.agents

    @property
    def _columns(self) -> list[int]:
        return _present(self.shape.observation_sizes, self.shape.observation_width)

    def _split(self, y: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        change, rewards = y.split([y.shape[-1] - self.shape.agents, self.shape.agents], -1)
        following = seen.flatten(-2).clone()
        following[..., self._columns] += change
        return following.view(seen.shape), rewards


@dataclass(frozen=True)
class States:
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
        return [*range(self.states), *(first + column for column in _present(widths, done))]

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
    def first_limits(self) -> tuple[float, ...]:
        """None."""
        return ()

    def targets(self, observations: Tensor, following: Tensor, rewards: Tensor) -> Tensor:
        """The next state's index, then the rewards."""
        index = following[..., :1, :].argmax(-1).to(rewards.dtype)
        return torch.cat((index, rewards), -1)

    def loss(self, said: Tensor, limits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """See the module."""
        logs, rewards = self._split(said)
        index = targets[..., :1].long()
        surprise = -logs.log_softmax(-1).gather(-1, index).mean((-2, -1))
        square = 0.5 * (rewards - targets[..., 1:]).square()
        return surprise + _average(square, weights[..., 1:])

    def penalty(self, limits: Tensor) -> Tensor:
        """Nothing."""
        return limits.sum(-1)

    def draw(
        self, said: Tensor, limits: Tensor, seen: Tensor, scale: Standard, streams: Streams
    ) -> tuple[Tensor, Tensor]:
        """A state by inversion, in float64."""
        logits, rewards = self._split(said)
        below = logits.double().softmax(-1).cumsum(-1)
        uniform = streams.uniform(*below.shape[1:-1]).to(below.device).unsqueeze(-1)
        # rounding may leave the last sum below 1
        index = (uniform * below[..., -1:] >= below).sum(-1).clamp_(max=self.states - 1)
        return self._seen(index, seen), self._rewards(rewards, scale)

    def centre(self, said: Tensor, seen: Tensor, scale: Standard) -> tuple[Tensor, Tensor]:
        """The mixture's likeliest state, and the members' mean rewards."""
        index = self.distribution(said).argmax(-1)
        return self._seen(index, seen), self._rewards(self._split(said)[1].mean(2), scale)

    def distribution(self, said: Tensor) -> Tensor:
        """The mixture over members, p(s') = Σ_b p_b(s')/B, float64 [run, ego, row, state]."""
        return self._split(said)[0].double().softmax(-1).mean(2)

    def errors(self, said: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Of the rewards."""
        square = (self._split(said)[1].mean(2) - targets[..., 1:]).square()
        return _average(square.expand(*said.shape[:2], -1, -1), weights[..., 1:])

    def inside(
        self, said: Tensor, limits: Tensor, targets: Tensor, weights: Tensor, share: float
    ) -> Tensor:
        """Of the next states: the expectation over u of [F(s' − 1) + u p(s') is central].

        So spread over its jump the distribution function is uniform where the mixture is right, and
        nothing need be drawn.
        """
        p = self.distribution(said)
        index = targets[..., :1].long().expand(*p.shape[:3], 1)
        chance = p.gather(-1, index)
        above = p.cumsum(-1).gather(-1, index)
        low, high = (1 - share) / 2, (1 + share) / 2
        overlap = above.clamp(low, high) - (above - chance).clamp(low, high)
        return (overlap / chance.clamp(min=1e-300)).mean((-2, -1)).to(said.dtype)

    def _split(self, said: Tensor) -> tuple[Tensor, Tensor]:
        logits, rewards = said.split([self.states, self.shape.agents], -1)
        return logits, rewards

    def _seen(self, index: Tensor, like: Tensor) -> Tensor:
        one = functional.one_hot(index, self.states).to(like.dtype)
        return one.unsqueeze(-2).expand_as(like).contiguous()

    def _rewards(self, standardised: Tensor, scale: Standard) -> Tensor:
        return Standard(scale.mean[:, 1:], scale.deviation[:, 1:]).back(standardised)


def gaussian(said: Tensor, limits: Tensor) -> tuple[Tensor, Tensor]:
    """μ and ℓ of the module, from said[..., number] and ``limits`` of as many axes."""
    mean, x = said.chunk(2, -1)
    low, high = limits.chunk(2, -1)
    limited = high - softplus(high - x)
    return mean, low + softplus(limited - low)


def softplus(x: Tensor) -> Tensor:
    """log(1 + eˣ), differentiable; torch's own rounds the last numbers of a batch another way."""
    return x.clamp(min=0) + (-x.abs()).exp().log1p()


def _average(each: Tensor, weights: Tensor) -> Tensor:
    """Σ w·each / (rows Σ w) over each[..., row, number]; 0 where every weight is 0."""
    total = (each * weights.unsqueeze(-2)).flatten(-2).mean(-1)
    return total * (each.shape[-1] / weights.sum(-1).clamp(min=1.0))


def _beside(numbers: Tensor, x: Tensor) -> Tensor:
    """numbers[run, number] for ``x[run, ..., number]``."""
    return numbers.view(len(numbers), *[1] * (x.ndim - 2), -1)


def _present(sizes: Sequence[int], width: int) -> list[int]:
    """Flat columns of [agent, number], padded to ``width``, that are not padding."""
    return [width * agent + number for agent, size in enumerate(sizes) for number in range(size)]
