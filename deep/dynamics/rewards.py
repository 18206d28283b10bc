"""Rewards of a model of the world: a network of their own, or the task's own function.

A dynamics model that predicts rewards along with observations hardly learns them: they are one or
two of some dozen targets and the only ones that are products, such as the distance to one of three
landmarks that a colour chooses. So they may have a network of their own, with the swish
x/(1 + e⁻ˣ) in its hidden layers, that reads what everybody does and observes next:

    r̂(a, o′),   trained on ½(r̂ − r)² by Adam at a rate that falls by a cosine to 0.

In a rollout o′ is what the dynamics model predicts. The network is one for all agents of a run, as
the replay is; inputs and targets are standard by the rows of the first fit. Or a task may offer its
reward as a function of the next observations (``deep.envs.particle.Scenario``), as PETS has it
(Chua et al. 2018).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from bounds.shared.numbers import InputError, in_range, whole
from deep.data.replay import Replay
from deep.data.validation_split import held_out, numbers
from deep.dynamics.exact import Dynamics
from deep.envs.spaces import Shape
from deep.nn.adam import adam
from deep.nn.stacked_mlp import networks
from deep.nn.standard import Standard, standard
from deep.nn.tensors import restore_tensors
from deep.seeding import Streams

#: Held-out rows that a fit is judged by, at most.
JUDGED = 4096

#: Rewards [run, ego, row, agent] of actions and next observations [run, ego, row, agent, number].
Reward = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class RewardSettings:
    """Settings of the rewards' own network."""

    hidden: tuple[int, ...] = (128, 128)
    """Units of the hidden layers."""
    learning_rate: float = 0.003
    """Adam's rate at the beginning of the first fit; later ones begin with a third."""
    batch: int = 128
    """Rows in a step."""
    first_steps: int = 2500
    """Gradient steps of the first fit."""
    steps: int = 1000
    """Gradient steps of a later fit."""

    def __post_init__(self) -> None:
        for layer, units in enumerate(self.hidden):
            whole(f"model.rewards.hidden[{layer}]", units, 1)
        if not self.hidden:
            raise InputError("model.rewards.hidden: no layer; give at least one")
        in_range("model.rewards.learning_rate", self.learning_rate, 0, 1)
        for name in ("batch", "first_steps", "steps"):
            whole(f"model.rewards.{name}", getattr(self, name), 1)


@dataclass(frozen=True, eq=False)
class RewardNetwork:
    """The network of every run; see the module.

    parameters[run, number]: of layer after layer the weights [out, in], then the biases. inputs,
    scale: of inputs and rewards. fits[run]: how many there were, the same in all runs.
    """

    shape: Shape
    settings: RewardSettings
    sizes: tuple[int, ...]
    parameters: Tensor
    inputs: Standard
    scale: Standard
    fits: Tensor

    def __call__(self, actions: Tensor, following: Tensor) -> Tensor:
        """See ``Reward``."""
        with torch.no_grad():
            x = self.inputs.bounded(_read(self.shape, actions, following).flatten(1, -2))
            found = self.scale.back(self._outputs(self.parameters, x))
            each: Tensor = found.unflatten(1, following.shape[1:-2])
            return each

    def fit(self, replay: Replay, share: float, streams: Streams) -> dict[str, Tensor]:
        """Fit to the replay's rows but for the ``share`` held out; metrics [run, agent].

        r2, slope: of held-out rows, 1 − Σ(r̂ − r)²/Σ(r − r̄)² and the covariance of r̂ and r over the
        variance of r; 1 where the rewards are predicted, 0 where their mean is.
        """
        out = held_out(numbers(replay), share)
        rows, kept = ((~out).nonzero().squeeze(-1), out.nonzero().squeeze(-1))
        x, y = self._rows(replay, rows.expand(streams.runs, -1))
        first = not bool(self.fits.any())
        if first:
            for own, new in ((self.inputs, standard(x)), (self.scale, standard(y))):
                own.mean.copy_(new.mean)
                own.deviation.copy_(new.deviation)
        self._descend(self.inputs.bounded(x), self.scale(y), first, streams)
        self.fits.add_(1)
        held = kept[torch.linspace(0, len(kept) - 1, min(len(kept), JUDGED)).long()]
        batch = replay.batch(held.expand(streams.runs, -1).to(replay.rows.device))
        return agreement(self(batch.actions, batch.next_observations), batch.rewards)

    def state(self) -> dict[str, Tensor]:
        """Every tensor that later rewards depend on, leading axis [run]; not copies."""
        return {
            "parameters": self.parameters,
            "inputs.mean": self.inputs.mean,
            "inputs.deviation": self.inputs.deviation,
            "scale.mean": self.scale.mean,
            "scale.deviation": self.scale.deviation,
            "fits": self.fits,
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Set the network to what ``state`` returned, bit for bit."""
        restore_tensors(self.state(), state)

    def _descend(self, x: Tensor, y: Tensor, first: bool, streams: Streams) -> None:
        settings = self.settings
        steps = settings.first_steps if first else settings.steps
        rate = settings.learning_rate * (1.0 if first else 1 / 3)
        adam_ = adam(self.parameters, rate)
        for step in range(steps):
            rows = streams.whole(x.shape[1], settings.batch).to(x.device).unsqueeze(-1)
            seen = x.gather(1, rows.expand(-1, -1, x.shape[-1]))
            wanted = y.gather(1, rows.expand(-1, -1, y.shape[-1]))
            moving = self.parameters.detach().requires_grad_()
            loss = 0.5 * (self._outputs(moving, seen) - wanted).square().mean((1, 2))
            (gradient,) = torch.autograd.grad(loss.sum(), moving)
            now = rate * 0.5 * (1 + math.cos(math.pi * step / steps))
            replace(adam_, rate=now).step(gradient)

    def _outputs(self, parameters: Tensor, x: Tensor) -> Tensor:
        """[run, row, number] of inputs [run, row, number]."""
        start, last = 0, len(self.sizes) - 2
        for layer, (fan_in, fan_out) in enumerate(pairwise(self.sizes)):
            end = start + fan_in * fan_out
            weight = parameters[:, start:end].unflatten(-1, (fan_out, fan_in))
            x = torch.baddbmm(parameters[:, None, end : end + fan_out], x, weight.mT)
            x = x if layer == last else functional.silu(x)
            start = end + fan_out
        return x

    def _rows(self, replay: Replay, index: Tensor) -> tuple[Tensor, Tensor]:
        batch = replay.batch(index.to(replay.rows.device))
        x = _read(self.shape, batch.actions, batch.next_observations)
        return x.to(self.parameters.dtype), batch.rewards.to(self.parameters.dtype)


@dataclass(frozen=True, eq=False)
class WithRewards:
    """``Dynamics`` whose rewards are ``reward``'s."""

    dynamics: Dynamics
    reward: Reward

    def begin(self, rows: Tensor) -> Any:
        """See ``Dynamics``."""
        return self.dynamics.begin(rows)

    def step(
        self, memory: Any, observations: Tensor, actions: Tensor, streams: Streams
    ) -> tuple[Any, Tensor, Tensor]:
        """See ``Dynamics``."""
        memory, following, _ = self.dynamics.step(memory, observations, actions, streams)
        return memory, following, self.reward(actions, following)


def agreement(predicted: Tensor, real: Tensor) -> dict[str, Tensor]:
    """r2 and slope [run, agent] of rewards [run, row, agent]; see ``RewardNetwork.fit``.

    0 where the real ones are all the same.
    """
    real, predicted = real.double(), predicted.double()
    apart = real - real.mean(1, keepdim=True)
    total = apart.square().sum(1)
    divisor = total.where(total > 0, 1.0)
    r2 = 1 - (predicted - real).square().sum(1) / divisor
    slope = (apart * (predicted - predicted.mean(1, keepdim=True))).sum(1) / divisor
    return {"r2": r2.where(total > 0, 0.0), "slope": slope.where(total > 0, 0.0)}


def reward_network(
    shape: Shape, settings: RewardSettings, streams: Streams, dtype: torch.dtype, device: str
) -> RewardNetwork:
    """A new network for each run of ``streams``."""
    read = sum(shape.observation_sizes) + sum(space.width for space in shape.spaces)
    sizes = (read, *settings.hidden, shape.agents)
    stack = networks(sizes, 1, 1, streams, dtype, device)

    def unscaled(count: int) -> Standard:
        zero = torch.zeros(streams.runs, count, dtype=dtype, device=device)
        return Standard(zero, zero.clone())

    return RewardNetwork(
        shape=shape,
        settings=settings,
        sizes=sizes,
        parameters=stack.parameters.detach().flatten(1).contiguous(),
        inputs=unscaled(read),
        scale=unscaled(shape.agents),
        fits=torch.zeros(streams.runs, dtype=torch.int64),
    )


def _read(shape: Shape, actions: Tensor, following: Tensor) -> Tensor:
    """Actions and next observations without padding, flat [run, ..., number]."""
    parts = []
    for joint, sizes in (
        (actions, [space.width for space in shape.spaces]),
        (following, shape.observation_sizes),
    ):
        parts += [joint[..., agent, :size] for agent, size in enumerate(sizes)]
    return torch.cat(parts, -1)
