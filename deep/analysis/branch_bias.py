r"""The bias of branches, measured on real transitions and told apart by its parts.

What a branch of k actions promises an ego agent, Ĝ_k = E Σ_{l<k} γˡ r̂_l, less what the same k
actions really earn from the same states, G_k, is

    Ĝ_k − G_k = Σ_{l<k} γˡ E[ Q̂_l(s_l, aⁱ_l, â⁻ⁱ_l) − r_l − γ V̂_{l+1}(s_{l+1}) ],

expectations over *real* segments (s_l, a_l, r_l); V̂_l is what the model expects of actions l+1..k,
Q̂_l = r̂ + γ E_T̂ V̂_{l+1}, and âʲ ~ π̂ʲ where opponent j is modelled in action l + 1. (The ego's own
action has one law on both sides, and E V̂_l(s_l) telescopes; ``tabular.cases.branch_bias`` has the
same identity in exact numbers.) Every term carries a name and a depth:

- reward: r̂(s_l, a_l) − r_l;
- dynamics: γ[V̂_{l+1}(ŝ′) − V̂_{l+1}(s_{l+1})], ŝ′ ~ T̂(s_l, a_l);
- opponent j: Q̂_l where j's real action becomes one of its model's, opponents in order: those before
  j act by their models already.

So no simulator is asked for anything: V̂ is a rollout of the model from ŝ′ and from s_{l+1}. The
absolute form Σ γˡ E|residual_l| has no cancelling between depths; an estimate of it is above it, as
model draws add their noise, the less the more draws there are. Both are far below what total
variation allows, ``trivial``: 2 r_max Σ γˡ, with the largest reward that was met.

Intervals are normal, over independent segments, each from an episode of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bounds.shared.numbers import InputError, whole
from deep.aorpo.communication import Communication
from deep.aorpo.rollouts import ActAlone, roll
from deep.dynamics.exact import Dynamics
from deep.opponents.models import Opponents
from deep.seeding import Streams

#: Quantile of a normal interval at 95 %.
QUANTILE = 1.96


@dataclass(frozen=True, eq=False)
class Segments:
    """k real steps of N episodes.

    observations [run, row, 0..k, agent, number]; actions [run, row, k, agent, number]; rewards
    [run, row, k, agent].
    """

    observations: Tensor
    actions: Tensor
    rewards: Tensor

    @property
    def k(self) -> int:
        """Steps."""
        return self.actions.shape[2]


@dataclass(frozen=True, eq=False)
class Model:
    """What an ego agent's branches are made of; lengths[run, ego, opponent] are its nⱼ."""

    dynamics: Dynamics
    act: ActAlone
    opponents: Opponents
    communication: Communication
    lengths: Tensor
    gamma: float


@dataclass(frozen=True, eq=False)
class MeasuredBias:
    """Each mean over segments with half the width of its 95 % interval, float64.

    bias, radius [run, ego]: Ĝ_k − G_k. absolute [run, ego]: Σ γˡ E|residual_l|. reward, dynamics
    [run, ego, depth] and opponents [run, ego, depth, agent]: the parts, discounted; they add up to
    ``bias``. reward_radius and so on: of each. trivial [run, ego]: 2 r_max Σ γˡ.
    """

    bias: Tensor
    radius: Tensor
    absolute: Tensor
    reward: Tensor
    reward_radius: Tensor
    dynamics: Tensor
    dynamics_radius: Tensor
    opponents: Tensor
    opponents_radius: Tensor
    trivial: Tensor
    segments: int


def measured_bias(model: Model, segments: Segments, draws: int, streams: Streams) -> MeasuredBias:
    """The bias of branches as long as the ``segments``, for every ego of every run.

    draws: of the model's chance for each transition, their mean is taken. ``InputError`` for fewer
    than two segments.
    """
    whole("draws", draws, 1)
    runs, count, k, agents = segments.rewards.shape
    if count < 2:
        raise InputError(f"segments: {count}; give 2 or more for an interval")
    shape = (runs, agents, count, k)
    reward, dynamics = (torch.zeros(shape, dtype=torch.float64) for _ in range(2))
    opponents = torch.zeros(*shape, agents, dtype=torch.float64)
    for depth in range(k):
        for _ in range(draws):
            one = _parts(model, segments, depth, streams)
            for into, part in zip((reward, dynamics, opponents), one, strict=True):
                into[:, :, :, depth] += model.gamma**depth * part / draws
    residual = reward + dynamics + opponents.sum(-1)
    powers = model.gamma ** torch.arange(k, dtype=torch.float64)
    largest = segments.rewards.double().abs().amax((1, 2))
    return MeasuredBias(
        bias=residual.sum(-1).mean(2),
        radius=_radius(residual.sum(-1)),
        absolute=residual.abs().mean(2).sum(-1),
        reward=reward.mean(2),
        reward_radius=_radius(reward),
        dynamics=dynamics.mean(2),
        dynamics_radius=_radius(dynamics),
        opponents=opponents.mean(2),
        opponents_radius=_radius(opponents),
        trivial=2 * largest * float(powers.sum()),
        segments=count,
    )


def _parts(
    model: Model, segments: Segments, depth: int, streams: Streams
) -> tuple[Tensor, Tensor, Tensor]:
    """reward, dynamics [run, ego, row] and opponents [run, ego, row, agent] of one depth."""
    agents = segments.rewards.shape[-1]
    seen, after = (for_egos(segments.observations[:, :, depth + i]) for i in range(2))
    acted = for_egos(segments.actions[:, :, depth])
    real = segments.rewards[:, :, depth].transpose(1, 2).double()
    predicted, following = _step(model, seen, acted, streams)
    ahead = value_draw(model, following, depth + 1, segments.k, streams)
    worth = predicted + model.gamma * ahead
    dynamics = model.gamma * (ahead - value_draw(model, after, depth + 1, segments.k, streams))
    opponents = torch.zeros(*real.shape, agents, dtype=torch.float64)
    modelled = model.opponents.sample(seen, streams).to(acted.dtype)
    playing = acted
    for agent in range(agents):
        by_model = (depth < model.lengths[:, :, agent]).clone()
        by_model[:, agent] = False  # nobody models itself
        if not bool(by_model.any()):
            continue
        chosen = torch.zeros_like(acted, dtype=torch.bool)
        chosen[:, :, :, agent] = by_model.to(acted.device)[:, :, None, None]
        playing = torch.where(chosen, modelled, playing)
        first, then = _step(model, seen, playing, streams)
        other = first + model.gamma * value_draw(model, then, depth + 1, segments.k, streams)
        opponents[..., agent] = torch.where(by_model[:, :, None], (other - worth).cpu(), 0.0)
        worth = torch.where(by_model[:, :, None].to(worth.device), other, worth)
    return (predicted - real).cpu(), dynamics.cpu(), opponents


def _step(model: Model, seen: Tensor, acted: Tensor, streams: Streams) -> tuple[Tensor, Tensor]:
    """The egos' own rewards [run, ego, row] and next observations by the model."""
    rows = torch.arange(seen.shape[2]).expand(*seen.shape[:2], -1)
    memory: Any = model.dynamics.begin(rows)
    _, following, rewards = model.dynamics.step(memory, seen, acted, streams)
    return own(rewards), following


def value_draw(model: Model, start: Tensor, depth: int, k: int, streams: Streams) -> Tensor:
    """One draw of V̂_depth from observations [run, ego, row, agent, number], [run, ego, row]."""
    total = torch.zeros(start.shape[:3], dtype=torch.float64, device=start.device)
    if depth == k:
        return total
    rows = torch.arange(start.shape[2]).expand(*start.shape[:2], -1)
    branch = roll(
        start=start,
        memory=model.dynamics.begin(rows),
        lengths=(model.lengths - depth).clamp(min=0),
        k=k - depth,
        dynamics=model.dynamics,
        act=model.act,
        opponents=model.opponents,
        communication=model.communication,
        streams=streams,
    )
    for p, step in enumerate(branch):
        total += model.gamma**p * own(step.rewards)
    return total


def for_egos(joint: Tensor) -> Tensor:
    """[run, row, agent, number] for every ego agent, [run, ego, row, agent, number]."""
    return joint.unsqueeze(1).expand(-1, joint.shape[2], *joint.shape[1:]).contiguous()


def own(rewards: Tensor) -> Tensor:
    """Each ego's own, float64 [run, ego, row] of [run, ego, row, agent]."""
    each: Tensor = rewards.diagonal(dim1=1, dim2=3).transpose(1, 2).double()
    return each


def _radius(each: Tensor) -> Tensor:
    """Half the width of the interval of the mean over axis 2."""
    radius: Tensor = QUANTILE * each.std(2) / each.shape[2] ** 0.5
    return radius


def in_words(found: MeasuredBias, run: int, ego: int, names: Callable[[int], str]) -> str:
    """One sentence that names the largest part and what would help."""
    parts = {
        "the reward model": float(found.reward[run, ego].sum()),
        "the dynamics model": float(found.dynamics[run, ego].sum()),
    }
    for agent in range(found.opponents.shape[-1]):
        if agent != ego:
            parts[f"the model of {names(agent)}"] = float(found.opponents[run, ego, :, agent].sum())
    bias, radius = float(found.bias[run, ego]), float(found.radius[run, ego])
    whole_ = sum(map(abs, parts.values()))
    if abs(bias) <= radius or whole_ == 0:
        return f"bias {bias:+.3g} ± {radius:.2g}: it cannot be told from 0 with these segments"
    name = max(parts, key=lambda part: abs(parts[part]))
    share = abs(parts[name]) / whole_
    return f"bias {bias:+.3g} ± {radius:.2g}: {share:.0%} of what adds up to it is {name}"
