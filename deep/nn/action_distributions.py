"""Action distributions: network outputs to actions, probabilities and entropies.

Shapes are [run, agent, row, number] here, padded as in ``deep.envs.spaces``.

Choices. The numbers are logits, one softmax a choice: π(a|s) = Π_c π_c(a_c|s), so that log π and
the entropy are *sums* over an agent's choices. The entropy is exact. A relaxed sample is
straight-through (Jang et al. 2017): in value the one-hot of argmax(log π + g), g Gumbel noise, so a
sample of π; in gradient softmax((log π + g)/τ).

Boxes. The numbers are μ and log σ: u ~ N(μ, σ), a = low + (high − low)(1 + tanh u)/2, and the
density of the action a itself is

    log π(a|s) = Σ_d [log N(u_d; μ_d, σ_d) − log(1 − tanh² u_d) − log((high_d − low_d)/2)].

−log π of the sample stands for the entropy, with its gradient through the sample.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Protocol

import torch
from torch import Tensor

from bounds.shared.numbers import InputError
from deep.envs.spaces import Box, Choices, Space, action_width
from deep.seeding import Streams

#: log σ lies between these.
LOG_DEVIATIONS = (-10.0, 2.0)
#: The logit of what an agent does not have: its probability is 0, and 0 log 0 is 0 in floats too.
ABSENT = -1e9
#: Stands for 0 where a logarithm is taken of a number uniform on [0, 1).
SMALLEST = 2.0**-54


class Head(Protocol):
    """What the learners ask of a policy's distribution."""

    @property
    def outputs(self) -> int:
        """Numbers that the network has to give for an agent."""

    def target_entropy(self, share: float) -> tuple[float, ...]:
        """Per agent ``share`` of the largest entropy of choices; of boxes what SAC aims at."""

    def best(self, outputs: Tensor) -> Tensor:
        """The actions that a greedy agent plays: the likeliest choices, or tanh μ."""

    def sample(self, outputs: Tensor, streams: Streams) -> tuple[Tensor, Tensor]:
        """Actions, and their entropy [run, agent, row]: H(π) for choices, −log π for boxes."""

    def relaxed(self, outputs: Tensor, streams: Streams) -> tuple[Tensor, Tensor]:
        """As ``sample``, both with gradients for the outputs."""


@dataclass(frozen=True, eq=False)
class Categorical:
    """Choices. temperature: τ of relaxed samples."""

    spaces: tuple[Choices, ...]
    device: str = "cpu"
    temperature: float = 1.0

    @property
    def outputs(self) -> int:
        """A logit an option."""
        return action_width(self.spaces)

    def target_entropy(self, share: float) -> tuple[float, ...]:
        """``share`` of Σ_c log(options of c)."""
        return tuple(share * sum(map(math.log, space.sizes)) for space in self.spaces)

    def silent_entropy(self, share: float) -> tuple[float, ...]:
        """The same without the choices that are words."""
        silent = [space.sizes[: len(space.sizes) - space.words] for space in self.spaces]
        return tuple(share * sum(map(math.log, sizes)) for sizes in silent)

    @cached_property
    def words(self) -> Tensor:
        """Which options are words, [agent, option]."""
        ends = torch.tensor([[space.width - space.spoken, space.width] for space in self.spaces])
        place = torch.arange(self.outputs)
        return ((place >= ends[:, :1]) & (place < ends[:, 1:])).to(self.device)

    def probabilities(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """(π_c, log π_c) of every option, in the place of its logit; 0 in the padding."""
        logs = self._logs(outputs)
        return self._joined(logs.exp()), self._joined(logs)

    def log_probability(self, outputs: Tensor, actions: Tensor) -> Tensor:
        """log π(a|s) = Σ_c log π_c(a_c|s) of one-hots, [run, agent, row]."""
        return (self._joined(self._logs(outputs)) * actions).sum(-1)

    def best(self, outputs: Tensor) -> Tensor:
        """The likeliest option of every choice."""
        return self._one_hot(self._split(outputs).argmax(-2, keepdim=True), outputs.dtype)

    def sample(self, outputs: Tensor, streams: Streams) -> tuple[Tensor, Tensor]:
        """One-hots drawn from π, and H(π)."""
        logs = self._logs(outputs)
        chances = logs.exp()
        below = chances.cumsum(-2)
        u, total = uniform(streams, below[..., :1, :]), below[..., -1:, :]
        # below total: with u rounded to 1 the last option that has a chance is drawn, not one after
        index = ((below <= u * total) & (below < total)).sum(-2, keepdim=True)
        return self._one_hot(index, outputs.dtype), -(chances * logs).sum((2, 3))

    def relaxed(self, outputs: Tensor, streams: Streams) -> tuple[Tensor, Tensor]:
        """Straight-through one-hots drawn from π, and H(π)."""
        logs = self._logs(outputs)
        noisy = (logs + gumbel(streams, logs)) / self.temperature
        soft = self._joined(noisy.softmax(-2))
        hard = self._one_hot(noisy.argmax(-2, keepdim=True), outputs.dtype)
        return hard + (soft - soft.detach()), -(logs.exp() * logs).sum((2, 3))

    @property
    def several(self) -> bool:
        """Whether an agent has more than one choice."""
        return any(len(space.sizes) > 1 for space in self.spaces)

    @cached_property
    def others(self) -> tuple[tuple[range, Tensor], ...]:
        """Runs of options k, and [agent, number]: whether a number is of another choice than k."""
        of = torch.zeros(len(self.spaces), self.outputs, dtype=torch.int64)
        for agent, space in enumerate(self.spaces):
            for choice, start in enumerate(accumulate(space.sizes, initial=0)):
                of[agent, start:] = min(choice, len(space.sizes) - 1)
        starts = [
            k for k in range(self.outputs) if k == 0 or bool((of[:, k] != of[:, k - 1]).any())
        ]
        return tuple(
            (range(start, end), (of != of[:, start, None]).to(self.device))
            for start, end in pairwise([*starts, self.outputs])
        )

    @cached_property
    def _grid(self) -> tuple[Tensor, Tensor, Tensor]:
        """(number, absent, place): between the numbers and the options [choice, option].

        number[agent, option]: the logit of an option, flat over [choice, option]; 0 where there is
        none. absent[agent, choice, option, 1]: where there is none; of a choice that an agent does
        not have the first option is there, so that it has no entropy. place[agent, number]: the
        option, flat; in the padding one after the last.
        """
        choices = max(len(space.sizes) for space in self.spaces)
        options = max(max(space.sizes) for space in self.spaces)
        number = torch.zeros(len(self.spaces), choices * options, dtype=torch.int64)
        absent = torch.ones(len(self.spaces), choices, options, dtype=torch.bool)
        place = torch.full((len(self.spaces), self.outputs), choices * options)
        absent[:, :, 0] = False
        for agent, space in enumerate(self.spaces):
            start = 0
            for choice, size in enumerate(space.sizes):
                flat = choice * options + torch.arange(size)
                number[agent, flat] = start + torch.arange(size)
                place[agent, start : start + size] = flat
                absent[agent, choice, :size] = False
                start += size
        return number.to(self.device), absent.unsqueeze(-1).to(self.device), place.to(self.device)

    @cached_property
    def _padded(self) -> bool:
        """Whether options and numbers differ."""
        return self.several or len({space.width for space in self.spaces}) > 1

    def _split(self, outputs: Tensor) -> Tensor:
        """Logits [run, agent, choice, option, row]: long rows last, which is fast."""
        numbers: Tensor = outputs.mT
        if not self._padded:
            return numbers.unsqueeze(2)
        number, absent, _ = self._grid
        index = number.unsqueeze(-1).expand(len(numbers), -1, -1, numbers.shape[-1])
        logits: Tensor = numbers.gather(2, index).unflatten(2, absent.shape[1:3])
        return logits.masked_fill(absent, ABSENT)

    def _joined(self, options: Tensor) -> Tensor:
        """[run, agent, row, number] of [run, agent, choice, option, row]; 0 in the padding."""
        flat = options.flatten(2, 3)
        if self._padded:
            place = self._grid[2].unsqueeze(-1).expand(len(flat), -1, -1, flat.shape[-1])
            flat = torch.cat((flat, torch.zeros_like(flat[:, :, :1])), 2).gather(2, place)
        joined: Tensor = flat.mT
        return joined

    def _logs(self, outputs: Tensor) -> Tensor:
        return self._split(outputs).log_softmax(-2)

    def _one_hot(self, index: Tensor, dtype: torch.dtype) -> Tensor:
        options = torch.arange(self._grid[1].shape[2], device=index.device).unsqueeze(-1)
        return self._joined((index == options).to(dtype))


@dataclass(frozen=True, eq=False)
class TanhGaussian:
    """Boxes."""

    spaces: tuple[Box, ...]
    device: str = "cpu"

    @property
    def outputs(self) -> int:
        """μ and log σ for every number."""
        return 2 * action_width(self.spaces)

    def target_entropy(self, share: float) -> tuple[float, ...]:
        """−1 a number on [−1, 1] (Haarnoja et al. 2018b), so log((high − low)/2) more here."""
        del share
        return tuple(
            space.width * (math.log((space.high - space.low) / 2) - 1) for space in self.spaces
        )

    def best(self, outputs: Tensor) -> Tensor:
        """The action at u = μ."""
        return self._limits.scaled(outputs.chunk(2, -1)[0].tanh())

    def sample(self, outputs: Tensor, streams: Streams) -> tuple[Tensor, Tensor]:
        """Actions drawn from π, and −log π of them."""
        return self.relaxed(outputs, streams)

    def relaxed(self, outputs: Tensor, streams: Streams) -> tuple[Tensor, Tensor]:
        """The same with gradients through the sample."""
        mean, deviation = self._parameters(outputs)
        u = mean + deviation * normal(streams, mean)
        return self._limits.scaled(u.tanh()), -self._log_density(u, mean, deviation)

    def log_probability(self, outputs: Tensor, actions: Tensor) -> Tensor:
        """log π(a|s) of actions strictly inside of the box, [run, agent, row]."""
        unit = self._limits.unscaled(actions)
        return self._log_density(unit.atanh(), *self._parameters(outputs))

    def _parameters(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_deviation = outputs.chunk(2, -1)
        return mean, log_deviation.clamp(*LOG_DEVIATIONS).exp()

    def _log_density(self, u: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
        half = self._limits.half.to(u.dtype)
        shape = -0.5 * ((u - mean) / deviation) ** 2 - deviation.log()
        # log(1 − tanh² u), which would be log 0 for large u
        size = u.abs()
        slope = 2 * (math.log(2.0) - size - torch.log1p(torch.exp(-2 * size)))
        each = shape - 0.5 * math.log(2 * math.pi) - slope - half.log()
        return torch.where(half > 0, each, 0.0).sum(-1)

    @cached_property
    def _limits(self) -> Limits:
        return limits(self.spaces, self.device)


@dataclass(frozen=True, eq=False)
class TanhPoint:
    """Boxes without a density: a = low + (high − low)(1 + tanh μ)/2, to be explored with noise.

    noise: standard deviation of what is added to actions that explore, in half widths of the box.
    """

    spaces: tuple[Box, ...]
    device: str = "cpu"
    noise: float = 0.1

    @property
    def outputs(self) -> int:
        """μ for every number."""
        return action_width(self.spaces)

    def target_entropy(self, share: float) -> tuple[float, ...]:
        """There is no entropy."""
        del share
        return (0.0,) * len(self.spaces)

    def best(self, outputs: Tensor) -> Tensor:
        """The action."""
        return self._limits.scaled(outputs.tanh())

    def sample(self, outputs: Tensor, streams: Streams) -> tuple[Tensor, Tensor]:
        """The action with noise, cut to the box, and 0 for its entropy."""
        explored = outputs.tanh() + self.noise * normal(streams, outputs)
        return self._limits.scaled(explored.clamp(-1, 1)), outputs.new_zeros(outputs.shape[:-1])

    def relaxed(self, outputs: Tensor, streams: Streams) -> tuple[Tensor, Tensor]:
        """The action, and 0 for its entropy; nothing is drawn."""
        del streams
        return self.best(outputs), outputs.new_zeros(outputs.shape[:-1])

    @cached_property
    def _limits(self) -> Limits:
        return limits(self.spaces, self.device)


@dataclass(frozen=True, eq=False)
class Limits:
    """Boxes as numbers: middle and half width [agent, 1, number], 0 in the padding."""

    middle: Tensor
    half: Tensor

    def scaled(self, unit: Tensor) -> Tensor:
        """Actions from numbers between −1 and 1."""
        return self.middle.to(unit.dtype) + self.half.to(unit.dtype) * unit

    def unscaled(self, actions: Tensor) -> Tensor:
        """Numbers between −1 and 1 from actions, 0 in the padding."""
        half = self.half.to(actions.dtype)
        return torch.where(half > 0, (actions - self.middle.to(actions.dtype)) / half, 0.0)


def limits(spaces: Sequence[Box], device: str) -> Limits:
    """The ``Limits`` of a team."""
    middle = torch.zeros(len(spaces), 1, action_width(spaces), dtype=torch.float64)
    half = torch.zeros_like(middle)
    for agent, space in enumerate(spaces):
        middle[agent, :, : space.width] = (space.high + space.low) / 2
        half[agent, :, : space.width] = (space.high - space.low) / 2
    return Limits(middle.to(device), half.to(device))


def head(
    spaces: Sequence[Space], device: str, relaxation: float, noise: float | None = None
) -> Head:
    """The distribution of a team's policies; ``InputError`` if some choose and some do not.

    relaxation: τ of relaxed choices. noise: where boxes are to be played without a density,
    ``TanhPoint`` with it.
    """
    choices = tuple(space for space in spaces if isinstance(space, Choices))
    boxes = tuple(space for space in spaces if isinstance(space, Box))
    if choices and boxes:
        raise InputError(
            f"spaces: {len(choices)} agents choose and {len(boxes)} have continuous actions; "
            "a team needs one kind"
        )
    if choices:
        return Categorical(choices, device, relaxation)
    return TanhGaussian(boxes, device) if noise is None else TanhPoint(boxes, device, noise)


def joint(parts: Tensor, space: Choices) -> Tensor:
    """The law of all of an agent's choices at once, [..., joint option], row-major, from those of
    each, [..., option], one after the other.
    """
    law, start = parts[..., :1] * 0 + 1, 0
    for size in space.sizes:
        part = parts[..., start : start + size]
        law = (law.unsqueeze(-1) * part.unsqueeze(-2)).flatten(-2)
        start += size
    return law


def uniform(streams: Streams, like: Tensor) -> Tensor:
    """Numbers uniform on [0, 1] of the shape of ``like``; rounding may make a 1."""
    return streams.uniform(*like.shape[1:]).to(like.device, like.dtype)


def gumbel(streams: Streams, like: Tensor) -> Tensor:
    """−log(−log u), u uniform, of the shape of ``like``; finite, so computed in float64."""
    u = streams.uniform(*like.shape[1:]).clamp_(min=SMALLEST)
    return u.log_().neg_().log_().neg_().to(like.device, like.dtype)


def normal(streams: Streams, like: Tensor) -> Tensor:
    """Standard normal numbers of the shape of ``like``."""
    u = streams.uniform(*like.shape[1:]).clamp_(min=SMALLEST)
    return torch.erfinv(2 * u - 1).mul_(math.sqrt(2)).to(like.device, like.dtype)
