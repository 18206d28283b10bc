r"""An interval for the bias of branches that holds for any number of segments and any law.

The intervals of ``deep.analysis.branch_bias`` are normal, so right in the limit alone. Where all
rewards lie in a range [low, high] that somebody vouches for, the plain difference of a segment,

    X = V̂_0(s_0) − Σ_{l<k} γˡ r_l   in [−R, R],   R = (high − low) Σ_{l<k} γˡ,

has the mean Ĝ_k − G_k, and with probability 1 − δ or more, n segments of mean X̄ and variance V,

    |X̄ − (Ĝ_k − G_k)| ≤ √(2 V ln(4/δ)/n) + 7 · 2R ln(4/δ)/(3(n − 1))

(empirical Bernstein: Maurer and Pontil 2009, Theorem 4, both sides). The sum of residuals has the
same mean, but its range is not 2R: Σ_l γˡ times the range of what is left at depth l, about k/2
times as much. So this interval is the plain difference's.

No interval of this kind can be narrow for few segments, whatever the estimator: an event of
probability 1/n may carry all of R and be missing from the sample. The normal interval is the one to
work with; this one is for a claim that must hold.

A learned model's rewards have no range, so theirs are clipped to it here: the interval is that of
branches with clipped rewards. ``clipped`` says how many that were.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from bounds.shared.numbers import InputError, whole
from deep.analysis.branch_bias import Model, Segments, for_egos, own, value_draw
from deep.dynamics.exact import Dynamics
from deep.seeding import Streams

#: What the interval covers with, at least.
LEVEL = 0.95


@dataclass(frozen=True)
class RewardRange:
    """All rewards of the task lie between ``low`` and ``high``."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise InputError(
                f"--reward-range: {self.low:g} {self.high:g}; give two finite numbers, the lower "
                "first"
            )


@dataclass(frozen=True, eq=False)
class DistributionFree:
    """bias, radius [run, ego]: the interval bias ± radius, float64; see the module.

    clipped [run, ego]: the share of the model's rewards that were outside the range.
    """

    bias: Tensor
    radius: Tensor
    clipped: Tensor


@dataclass(frozen=True, eq=False)
class Clipped:
    """``Dynamics`` with rewards in a range. outside[run, ego], seen: own rewards, counted."""

    dynamics: Dynamics
    within: RewardRange
    outside: Tensor
    seen: Tensor

    def begin(self, rows: Tensor) -> Any:
        """See ``Dynamics``."""
        return self.dynamics.begin(rows)

    def step(
        self, memory: Any, observations: Tensor, actions: Tensor, streams: Streams
    ) -> tuple[Any, Tensor, Tensor]:
        """See ``Dynamics``."""
        memory, following, rewards = self.dynamics.step(memory, observations, actions, streams)
        inside = rewards.clamp(self.within.low, self.within.high)
        self.outside.add_(own(inside != rewards).sum(-1).cpu())
        self.seen.add_(rewards.shape[2])
        return memory, following, inside


def distribution_free(
    model: Model, segments: Segments, within: RewardRange, draws: int, streams: Streams
) -> DistributionFree:
    """The interval of every run and ego; ``draws`` branches start in each segment's first state.

    ``InputError`` for fewer than two segments, and where a real reward lies outside the range.
    """
    whole("draws", draws, 1)
    runs, count, k, agents = segments.rewards.shape
    if count < 2:
        raise InputError(f"segments: {count}; give 2 or more for an interval")
    _check(segments.rewards, within)
    counts = (torch.zeros(runs, agents, dtype=torch.float64) for _ in range(2))
    clipped = Clipped(model.dynamics, within, *counts)
    bounded = replace(model, dynamics=clipped)
    start = for_egos(segments.observations[:, :, 0])
    powers = model.gamma ** torch.arange(k, dtype=torch.float64)
    earned = (segments.rewards.double().cpu() * powers[:, None]).sum(2).transpose(1, 2)
    promised = [value_draw(bounded, start, 0, k, streams).cpu() for _ in range(draws)]
    each = torch.stack(promised).mean(0) - earned
    width = 2 * (within.high - within.low) * float(powers.sum())
    return DistributionFree(
        bias=each.mean(-1),
        radius=empirical_bernstein(each, width),
        clipped=clipped.outside / clipped.seen,
    )


def empirical_bernstein(each: Tensor, width: float) -> Tensor:
    """Half the interval of the mean over the last axis, of numbers in an interval of ``width``."""
    count = each.shape[-1]
    log = math.log(4 / (1 - LEVEL))
    radius: Tensor = (2 * each.var(-1) * log / count).sqrt() + 7 * width * log / (3 * (count - 1))
    return radius


def _check(rewards: Tensor, within: RewardRange) -> None:
    """``InputError`` where a real reward is left out, its rounding apart."""
    low, high = torch.tensor([within.low, within.high], dtype=rewards.dtype).tolist()
    left_out = rewards[(rewards < low) | (rewards > high)]
    if len(left_out):
        raise InputError(
            f"--reward-range: {within.low:g} {within.high:g} leaves out a reward of "
            f"{float(left_out[0]):g} that was paid; widen it"
        )
