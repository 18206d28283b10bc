"""The compounding error ε_c(h) of the paper: how far a model drifts from the world in h steps.

A real trajectory (s₀, a₀, s₁, …, s_h) and a branched rollout ŝ₀ = s₀, ŝ₁, …, ŝ_h from the same
start, in which the next states are the model's (the actions too, if opponent models act). Following
Nagabandi et al. (2018) the paper defines

    ε_c(h) = 1/h Σ_{i=1..h} ‖s_i − ŝ_i‖²

where s is the joint observation, all agents' numbers without padding. It is in squared units of the
observations. The start states are averaged over, with a confidence interval (normal, so for some
dozens of starts and more; they have to be drawn independently).

In a random world two real trajectories drift apart as well, so ε_c is not 0 for a perfect model:
compare it with ``compounding`` of a second real trajectory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from scipy.stats import norm
from torch import Tensor

from bounds.shared.numbers import InputError, in_range, whole
from deep.dynamics.exact import Dynamics
from deep.seeding import Streams

#: Actions [run, ego, row, agent, number] at a step 0, 1, … for observations of the same axes.
Acting = Callable[[int, Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Compounding:
    """ε_c(h) for h = 1..k with intervals, each [run, ego, h − 1].

    level: the probability that an interval covers the mean; starts: start states averaged over.
    """

    value: Tensor
    low: Tensor
    high: Tensor
    level: float
    starts: int


def trajectory(
    dynamics: Dynamics, memory: Any, start: Tensor, act: Acting, steps: int, streams: Streams
) -> Tensor:
    """Observations [run, ego, row, 0..steps, agent, number] from ``start`` under ``dynamics``.

    memory: what ``dynamics.begin`` returned. Policies give a rollout, the actions of a real
    trajectory give the rollout under those; ``deep.dynamics.exact`` gives the real trajectory.
    """
    whole("steps", steps, 1)
    seen = [start]
    for step in range(steps):
        actions = act(step, seen[-1])
        memory, following, _ = dynamics.step(memory, seen[-1], actions, streams)
        seen.append(following)
    return torch.stack(seen, 3)


def compounding(
    real: Tensor, predicted: Tensor, sizes: Sequence[int], level: float = 0.95
) -> Compounding:
    """ε_c of two ``trajectory`` results with the same starts.

    sizes: numbers that each agent observes; the rest is padding and is not looked at. Raises
    ``InputError`` where shapes differ, or there is one start only.
    """
    in_range("level", level, 0, 1, open_high=True)
    if real.shape != predicted.shape:
        raise InputError(
            f"predicted: {list(predicted.shape)} numbers beside {list(real.shape)} real ones; "
            "give trajectories of the same starts and steps"
        )
    starts = real.shape[2]
    if starts < 2:
        raise InputError(f"starts: {starts}; give 2 or more for an interval")
    width = real.shape[-1]
    columns = [width * agent + i for agent, size in enumerate(sizes) for i in range(size)]
    apart = (real.double() - predicted.double())[:, :, :, 1:].flatten(-2)[..., columns]
    square = apart.square().sum(-1)
    lengths = torch.arange(1, square.shape[-1] + 1, dtype=square.dtype, device=square.device)
    errors = square.cumsum(-1) / lengths
    mean = errors.mean(2)
    radius = float(norm.ppf((1 + level) / 2)) * errors.std(2) / starts**0.5
    return Compounding(
        value=mean, low=(mean - radius).clamp(min=0), high=mean + radius, level=level, starts=starts
    )
