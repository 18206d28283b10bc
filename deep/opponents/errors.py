"""Estimators of the opponent models' errors ε_π̂ʲ, for each ego agent and opponent.

The paper's ε_π̂ʲ is max_s D_TV(πʲ‖π̂ʲ). From samples that cannot be estimated: a state that was not
seen may hold any error. Everything here is a mean over the states s_1..s_N of the rows given, and
``oracle`` alone also gives the maximum over them. With D̄ = 1/N Σ_t D_TV(πʲ(·|s_t)‖π̂ʲ(·|s_t)):

- ``mismatch`` ≥ D̄: 1 − π̂ʲ(aʲ_t|s_t) has mean P(a ≠ â) for independent draws a ~ π, â ~ π̂, and no
  coupling of two laws differs less often than D_TV. For choices. Where π is random it is far above
  D̄: a perfect model of a uniform choice among two has mismatch ½.
- ``bretagnolle_huber`` ≥ D̄: D_TV ≤ √(1 − e^{−KL}) (Bretagnolle and Huber 1979) and D_TV ≤ √(KL/2)
  (Pinsker); KL = E_π(−log π̂) − H(π) is at most the mean of −log π̂ where H(π) ≥ 0, as for choices.
- ``pooled_residual`` ≤ D̄: for numbers, z = (atanh a − μ)/σ, a on [−1, 1], is standard normal if
  π̂ = π. A function of an action does not raise D_TV, nor does averaging over states and over the
  numbers of an action, so the distance of the pooled z's histogram from the normal law is below D̄.
- ``pooled_rank`` ≤ D̄, for choices in the same way: how often the model's likeliest option is
  played, its second likeliest, …, against how often it says.
- ``oracle`` = D̄, by looking at the real policies, which no agent may: for ablations and tests.

All but the oracle see the agents' own history alone, which is what Algorithm 1 allows.

The intervals hold for the states at hand, whatever made them: given the past, a row's summand has
the conditional mean that is averaged, so Azuma's inequality applies and rows need not be
independent, as they are not on a trajectory. Two things they do need. The rows must not have been
used to fit π̂: use held-out ones (``deep.opponents.fitting.split``); that these also stopped the
fit makes them slightly too kind. And the actions are those of the policies that collected the rows:
where πʲ has moved on, the error is that of the older ones, and the shift ε_π comes on top.

A perfect model of a uniform choice among two, and what each estimator makes of it:

>>> import torch
>>> from deep.envs.spaces import Choices, Shape, random_actions
>>> from deep.nn.action_distributions import head
>>> from deep.seeding import streams
>>> shape, rows = Shape((1, 1), (Choices((2,)),) * 2), 1000
>>> uniform = lambda observations, _: observations.new_zeros(1, 2, rows, 2)  # logits
>>> perfect = Opponents(shape, head(shape.spaces, "cpu", 1.0), uniform)
>>> actions = random_actions(shape.spaces, streams([0], "played"), rows)
>>> history = History(torch.zeros(1, rows, 2, 1), actions, torch.arange(rows))
>>> likelihood = nll(perfect, history)
>>> found = mismatch(perfect, history), bretagnolle_huber(likelihood), pooled_rank(perfect, history)
>>> [round(float(estimate.value[0, 0, 1]), 2) for estimate in found]
[0.5, 0.59, 0.02]
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from bounds.shared.numbers import InputError, in_range, whole
from deep.envs.spaces import Box, Choices
from deep.nn.action_distributions import Categorical, TanhGaussian, joint, limits
from deep.opponents.fitting import History
from deep.opponents.models import INSIDE, Opponents

#: Probability with which an interval holds, unless told otherwise.
LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class Estimate:
    """value, low, high: [run, ego, opponent], float64; 0 of an agent about itself.

    The true mean lies in [low, high] with probability at least ``level``, for each entry by itself.
    states: the rows that it is a mean over.
    """

    value: Tensor
    low: Tensor
    high: Tensor
    level: float
    states: int


def mismatch(opponents: Opponents, history: History, level: float = LEVEL) -> Estimate:
    """Mean of 1 − π̂(a|s) over the actions seen: an upper estimate of D̄, for choices.

    Interval: Azuma–Hoeffding, radius √(ln(2/(1 − level))/(2N)).
    """
    _choosing(opponents, "mismatch")
    seen, done = history.by_ego()
    missed = 1 - opponents.log_probability(seen, done).double().exp()
    return _bounded(missed, level)


def match_rate(opponents: Opponents, history: History, level: float = LEVEL) -> Estimate:
    """Share of rows in which every choice seen was the model's likeliest; for choices.

    What the released code divides. 1 − it is ``mismatch`` of the model that plays its likeliest
    action. Interval as there.
    """
    _choosing(opponents, "match_rate")
    seen, done = history.by_ego()
    same = (opponents.best(seen) == done).all(-1).double()
    return _bounded(same, level)


def nll(opponents: Opponents, history: History, level: float = LEVEL) -> Estimate:
    """Mean of −log π̂(a|s) over the actions seen, in nats: a diagnostic.

    It is unbounded, so the interval is the usual normal one, right for many independent rows only.
    """
    in_range("level", level, 0, 1, open_high=True)
    seen, done = history.by_ego()
    each = -opponents.log_probability(seen, done).double()
    count = each.shape[2]
    value = each.mean(2)
    quantile = math.sqrt(2) * float(torch.erfinv(torch.tensor(level, dtype=torch.float64)))
    radius = quantile * each.std(2, correction=0) / math.sqrt(count)
    return without_self(
        Estimate(value=value, low=value - radius, high=value + radius, level=level, states=count)
    )


def bretagnolle_huber(likelihood: Estimate) -> Estimate:
    """√min(1 − e^{−x}, x/2) of the x = ``nll`` of choices: an upper estimate of D̄.

    The function rises and is concave, so by Jensen the mean over states may be put in. Its interval
    is that of ``nll`` (only its upper end bounds D̄).
    """

    def bound(x: Tensor) -> Tensor:
        kept = x.clamp(min=0)
        return torch.minimum(-torch.expm1(-kept), kept / 2).sqrt()

    return replace(
        likelihood,
        value=bound(likelihood.value),
        low=bound(likelihood.low),
        high=bound(likelihood.high),
    )


def pooled_residual(
    opponents: Opponents, history: History, level: float = LEVEL, bins: int = 20
) -> Estimate:
    """Distance of the pooled residuals from the standard normal law: a lower estimate of D̄.

    z's are put into ``bins`` intervals of equal normal probability, an agent's numbers pooled;
    value = ½ Σ_b |share_b − 1/bins|. For tanh-Gaussian models. The interval is about the same
    distance of the laws behind the shares. Each union of bins has a share that Azuma's inequality
    bounds, and there are 2^bins of them: radius √((bins ln 2 − ln(1 − level))/(2N)). So D̄ ≥ low,
    with probability at least ``level``; ``high`` says nothing about D̄.
    """
    whole("bins", bins, 2)
    in_range("level", level, 0, 1, open_high=True)
    seen, done = history.by_ego()
    boxes = [space for space in opponents.shape.spaces if isinstance(space, Box)]
    index = normal_bins(opponents, seen, done, bins)
    count = index.shape[2]
    gap = torch.zeros(*index.shape[:2], len(boxes), dtype=torch.float64, device=index.device)
    for agent, box in enumerate(boxes):
        own = index[:, :, :, agent, : box.width].flatten(2)
        shares = torch.stack([(own == b).double().mean(2) for b in range(bins)], -1)
        gap[:, :, agent] = (shares - 1 / bins).abs().sum(-1) / 2
    radius = math.sqrt((bins * math.log(2) - math.log(1 - level)) / (2 * count))
    return _around(gap, radius, level, count)


def normal_bins(opponents: Opponents, seen: Tensor, done: Tensor, bins: int) -> Tensor:
    """Which of ``bins`` intervals of equal probability by its model each number of an action is in.

    seen, done: ``History.by_ego``'s; found like ``done``, int64, 0..bins − 1. Nonsense in the
    padding and of an agent about itself. For tanh-Gaussian models.
    """
    mean, deviation = opponents.normals(seen)
    assert isinstance(opponents.head, TanhGaussian)  # or there are no normals
    boxes = [space for space in opponents.shape.spaces if isinstance(space, Box)]
    unit = limits(boxes, str(done.device)).unscaled(done.transpose(2, 3)).transpose(2, 3)
    u = unit.double().clamp(INSIDE - 1, 1 - INSIDE).atanh()
    z = (u - mean.double()) / deviation.double().clamp(min=torch.finfo(torch.float64).tiny)
    index: Tensor = (torch.special.ndtr(z) * bins).long().clamp(0, bins - 1)
    return index


def pooled_rank(opponents: Opponents, history: History, level: float = LEVEL) -> Estimate:
    """Distance of the ranks played from those that the model expects: a lower estimate of D̄.

    An option's rank r is its place by π̂, the likeliest first. value = ½ Σ_r |share of rows with
    rank r − mean π̂ of rank r|, an agent's choices pooled. For choices. The interval is as that of
    ``pooled_residual``, with options in the place of bins. A perfect model has about 0 here,
    whatever its entropy, and so has one that is wrong about which of two equally likely options.
    """
    _choosing(opponents, "pooled_rank")
    in_range("level", level, 0, 1, open_high=True)
    seen, done = history.by_ego()
    chances, count = opponents.probabilities(seen).double(), seen.shape[2]
    spaces = [space for space in opponents.shape.spaces if isinstance(space, Choices)]
    most = max(max(space.sizes) for space in spaces)
    gaps = torch.zeros(*chances.shape[:2], len(spaces), most, dtype=torch.float64)
    for agent, space in enumerate(spaces):
        start = 0
        for size in space.sizes:
            part = slice(start, start + size)
            ranked, order = chances[..., agent, part].sort(stable=True, dim=-1, descending=True)
            played = done[..., agent, part].double().gather(-1, order)
            gaps[:, :, agent, :size] += (played - ranked).mean(2).cpu() / len(space.sizes)
            start += size
    radius = math.sqrt((most * math.log(2) - math.log(1 - level)) / (2 * count))
    return _around(gaps.abs().sum(-1) / 2, radius, level, count)


@dataclass(frozen=True, eq=False)
class Oracle:
    """ORACLE: D_TV(π‖π̂) itself, which no agent can know. [run, ego, opponent], 0 on the diagonal.

    mean, largest: over the states given. each[run, ego, row, agent]: in each of them.
    """

    mean: Tensor
    largest: Tensor
    each: Tensor


def oracle(opponents: Opponents, real: Opponents, observations: Tensor) -> Oracle:
    """ORACLE: the exact distances in the states ``observations[run, ego, row, agent, number]``.

    real: ``opponents.real_opponents``. For choices, the distance of joint laws over all of an
    agent's choices; for tanh-Gaussians with one number, that of the two normal laws, as tanh is one
    to one. ``InputError`` where an agent has more numbers: there is no closed form.
    """
    if isinstance(opponents.head, Categorical):
        p, q = opponents.probabilities(observations), real.probabilities(observations)
        each = torch.zeros(p.shape[:-1], dtype=torch.float64, device=p.device)
        for agent, space in enumerate(opponents.shape.spaces):
            assert isinstance(space, Choices)  # as the models are categorical
            laws = [joint(law[..., agent, :].double(), space) for law in (p, q)]
            each[..., agent] = (laws[0] - laws[1]).abs().sum(-1) / 2
    else:
        for agent, space in enumerate(opponents.shape.spaces):
            if space.width > 1:
                raise InputError(
                    f"agent {agent}: {space.width} numbers an action; the exact distance of "
                    "tanh-Gaussians is known for one"
                )
        ours, truth = opponents.normals(observations), real.normals(observations)
        each = normal_distance(*(x[..., 0].double() for x in (*truth, *ours)))
    each.diagonal(dim1=1, dim2=3).zero_()
    return Oracle(each.mean(2), each.amax(2), each)


def normal_distance(mean: Tensor, deviation: Tensor, mean2: Tensor, deviation2: Tensor) -> Tensor:
    """D_TV(N(μ, σ)‖N(μ₂, σ₂)), exact up to rounding; float64.

    The densities cross where (x − μ)²/σ² − (x − μ₂)²/σ₂² = 2 log(σ₂/σ): at one point if σ = σ₂,
    else at two, between which the narrower law is the denser one. The distance is the difference of
    both laws' probabilities there. 0 where both are the same.
    """
    # the narrower law is moved to N(0, 1): the other is N(shift, ratio), ratio ≥ 1
    swap = deviation > deviation2
    narrow, wide = (
        torch.where(swap, deviation2, deviation),
        torch.where(swap, deviation, deviation2),
    )
    # 0 by 0 of an agent about itself
    narrow = torch.where(narrow > 0, narrow, 1.0)
    wide = torch.where(wide > 0, wide, 1.0)
    shift, ratio = (mean - mean2).abs() / narrow, wide / narrow
    equal = torch.erf(shift / (2 * math.sqrt(2)))
    # x²(r² − 1) + 2 x d − d² − 2 r² log r = 0, d the shift, r the ratio: roots of opposite sign
    a, c = (ratio - 1) * (ratio + 1), shift**2 + 2 * ratio**2 * ratio.log()
    root = (shift**2 + a * c).sqrt()
    # the positive root without cancellation, and the negative one
    high = c / (shift + root)
    low = -(shift + root) / a
    inside = _between(low, high) - _between((low - shift) / ratio, (high - shift) / ratio)
    distance = torch.where(a > 0, inside, equal)
    return torch.where((shift == 0) & (a == 0), 0.0, distance).clamp(0, 1)


def _between(low: Tensor, high: Tensor) -> Tensor:
    """P(low < x < high) of a standard normal x."""
    mass: Tensor = torch.special.ndtr(high) - torch.special.ndtr(low)
    return mass


def _choosing(opponents: Opponents, what: str) -> None:
    if not isinstance(opponents.head, Categorical):
        raise InputError(
            f"{what}: actions are numbers, which never match; take pooled_residual or nll"
        )


def _bounded(each: Tensor, level: float) -> Estimate:
    """The mean of numbers in [0, 1], [run, ego, row, agent]."""
    in_range("level", level, 0, 1, open_high=True)
    count = each.shape[2]
    return _around(each.mean(2), math.sqrt(math.log(2 / (1 - level)) / (2 * count)), level, count)


def _around(value: Tensor, radius: float, level: float, count: int) -> Estimate:
    low, high = (value - radius).clamp(min=0), (value + radius).clamp(max=1)
    return without_self(Estimate(value=value, low=low, high=high, level=level, states=count))


def without_self(estimate: Estimate) -> Estimate:
    """``estimate`` with 0 of every agent about itself, changed in place."""
    for tensor in (estimate.value, estimate.low, estimate.high):
        tensor.diagonal(dim1=1, dim2=2).zero_()
    return estimate
