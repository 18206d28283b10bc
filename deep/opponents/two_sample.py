"""ε_π̂ʲ as what tells an opponent's actions from its model's: 0 for a perfect model, whatever its
entropy.

For any set S(o) of options, P(a ∈ S) − π̂(S) averaged over states is at most D̄, the mean of D_TV;
the best S, those options that are likelier than the model says, gives D̄ itself. So a classifier
that finds a good S on some rows bounds D̄ from below on others, and where the model is right there
is nothing to be found (a classifier two-sample test, Lopez-Paz and Oquab 2017):

1. the rows are cut in two, the older and the newer half;
2. on one half the residuals 1[a = b] − π̂(b|o) of every option b are regressed on the observation
   (standard, with a constant) and on π̂(·|o), by ridge: ĝ_b(o), an estimate of π(b|o) − π̂(b|o);
3. on the other half, value = mean of 1[a ∈ S(o)] − π̂(S(o)|o), S(o) = {b: ĝ_b(o) > 0};
4. the same with the halves exchanged, and the mean of the two.

Given the rows before and S, each summand has the mean that is averaged and a range of 1, so
Azuma's inequality gives the interval about the mean value of the two S, which is at most D̄. With
the halves exchanged S comes from later rows, and that they do not hang on the earlier actions is an
assumption: episodes that lie in both halves, and learning between, break it a little. A value below
0 is noise and counts as 0.

Of an agent with several choices the one is looked at whose options told most on the first half: the
distance of one choice is at most that of all. Numbers are put into ``BINS`` intervals of equal
probability under the model, which do not raise a distance either.

``mismatch`` (``deep.opponents.errors``) bounds D̄ from above in its place and has 1 − Σπ̂² for a
perfect model, nothing but entropy. From 256 rows, softmax policies over five options of six normal
numbers, means over 200 draws (``python notebooks/opponent_estimates.py``, which has other numbers
of rows too); the last columns say how often the 95 % interval holds 0, and how often its lower end
is at most D̄:

    family                        D̄  mismatch    rank    two_sample       0    <= D̄
    perfect, uniform             0.000     0.800   0.048   0.013 ± 0.021    0.99    0.99
    perfect, random              0.000     0.512   0.039   0.013 ± 0.018    1.00    1.00
    perfect, nearly sure         0.000     0.033   0.007   0.003 ± 0.004    1.00    1.00
    0.3 wrong about a sure one   0.235     0.264   0.232   0.208 ± 0.008    0.00    1.00
    uniform for a sure one       0.783     0.800   0.171   0.508 ± 0.019    0.00    1.00
    uniform for a random one     0.470     0.800   0.109   0.365 ± 0.042    0.00    1.00
    moved on a little            0.211     0.541   0.069   0.148 ± 0.052    0.11    1.00
    two options exchanged        0.275     0.658   0.231   0.260 ± 0.089    0.03    1.00
    always one more of option 0  0.086     0.517   0.045   0.059 ± 0.030    0.80    1.00

What it cannot see is what nobody could with so few rows: errors without a pattern in o, as those of
a model that has learned all that its rows show. In training the exact distance of such models is
0.3 to 0.4 where this says 0.01, so equal lengths are what it mostly gives.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from bounds.shared.numbers import in_range
from deep.envs.spaces import Box, Choices
from deep.nn.action_distributions import Categorical
from deep.nn.standard import FARTHEST
from deep.opponents.errors import LEVEL, Estimate, normal_bins, without_self
from deep.opponents.fitting import History
from deep.opponents.models import Opponents

#: Intervals that a number is put into.
BINS = 5
#: Rows that pull the regression towards no difference.
RIDGE = 8.0


def two_sample(opponents: Opponents, history: History, level: float = LEVEL) -> Estimate:
    """The estimate of the module, at most D̄ but for noise, [run, ego, opponent]."""
    in_range("level", level, 0, 1, open_high=True)
    seen, done = history.by_ego()
    runs, egos, count = seen.shape[:3]
    value = torch.zeros(runs, egos, egos, dtype=torch.float64, device=seen.device)
    features = _features(seen)
    for agent, choices in enumerate(_choices(opponents, seen, done)):
        halves = [
            _told(choices, features[:, :, :, agent], slice(0, count // 2), slice(count // 2, None)),
            _told(choices, features[:, :, :, agent], slice(count // 2, None), slice(0, count // 2)),
        ]
        value[:, :, agent] = torch.stack(halves).mean(0)
    radius = math.sqrt(math.log(2 / (1 - level)) / (2 * count))
    return without_self(
        Estimate(
            value=value.clamp(min=0),
            low=(value - radius).clamp(min=0),
            high=(value + radius).clamp(0, 1),
            level=level,
            states=count,
        )
    )


#: (played, expected) of one choice: one-hots and π̂, [run, ego, row, option].
Choice = tuple[Tensor, Tensor]


def _choices(opponents: Opponents, seen: Tensor, done: Tensor) -> list[list[Choice]]:
    """Every choice of every agent."""
    if isinstance(opponents.head, Categorical):
        chances = opponents.probabilities(seen).double()
        found = []
        for agent, space in enumerate(opponents.shape.spaces):
            assert isinstance(space, Choices)  # as the models choose
            ends = [sum(space.sizes[: i + 1]) for i in range(len(space.sizes))]
            parts = [slice(end - size, end) for end, size in zip(ends, space.sizes, strict=True)]
            found.append([(done[..., agent, p].double(), chances[..., agent, p]) for p in parts])
        return found
    boxes = [space for space in opponents.shape.spaces if isinstance(space, Box)]
    index = normal_bins(opponents, seen, done, BINS)
    played = torch.nn.functional.one_hot(index, BINS).double()
    even = torch.full_like(played, 1 / BINS)
    return [
        [(played[..., agent, i, :], even[..., agent, i, :]) for i in range(box.width)]
        for agent, box in enumerate(boxes)
    ]


def _features(seen: Tensor) -> Tensor:
    """A constant and standard observations, float64 [run, ego, row, agent, number]."""
    x = seen.double()
    mean = x.mean(2, keepdim=True)
    deviation = x.std(2, keepdim=True, correction=0)
    z = ((x - mean) / deviation.where(deviation > 1e-6, 1.0)).clamp(-FARTHEST, FARTHEST)
    return torch.cat((torch.ones_like(z[..., :1]), z), -1)


def _told(choices: list[Choice], features: Tensor, fit: slice, judge: slice) -> Tensor:
    """The value of ``judge`` rows by what ``fit`` rows say, [run, ego]."""
    within: list[Tensor] = []
    beyond: list[Tensor] = []
    for played, expected in choices:
        residual, x = played - expected, torch.cat((features, expected), -1)
        told = x[:, :, fit]
        ridge = RIDGE * torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
        weights = torch.linalg.solve(told.mT @ told + ridge, told.mT @ residual[:, :, fit])
        chosen = (x @ weights > 0).double()
        each = (chosen * residual).sum(-1)
        within.append(each[:, :, fit].mean(-1))
        beyond.append(each[:, :, judge].mean(-1))
    best = torch.stack(within).argmax(0, keepdim=True)
    return torch.stack(beyond).gather(0, best).squeeze(0)
