"""Estimators of opponent errors: exact where they can be, on the right side, and covered."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import integrate, stats
from torch import Tensor

from bounds.shared.numbers import Array, InputError
from deep.envs.spaces import Box, Choices, Shape
from deep.nn.action_distributions import Categorical, TanhGaussian
from deep.opponents.errors import (
    Estimate,
    bretagnolle_huber,
    match_rate,
    mismatch,
    nll,
    normal_distance,
    oracle,
    pooled_rank,
    pooled_residual,
)
from deep.opponents.fitting import History
from deep.opponents.models import Opponents, pairs
from deep.seeding import streams
from tabular.cases.case import case_of
from tabular.cases.errors import measure, total_variation
from tabular.games.policy import mixed, random_policies
from tabular.games.random import garnet
from tests.support.table_players import act_of, models_of, real_of, seen_in, world

#: Independent repetitions, each as a run; and rows of each.
TIMES, ROWS = 400, 256
GAME = garnet((2, 3), 4, 2, np.random.default_rng(0))
REAL = random_policies(GAME.actions, 4, np.random.default_rng(1))
OTHER = random_policies(GAME.actions, 4, np.random.default_rng(2))
#: models[ego][opponent]: 0.3 of the way from the truth to somewhere else.
MODELS = [[mixed(p, o, 0.3) for p, o in zip(REAL, OTHER, strict=True)]] * 2


def played(rows: int, times: int = TIMES) -> History:
    """Trajectories of the real policies in the real game: rows are not independent."""
    env, drawing, acting = world(GAME), streams(range(times), "e"), streams(range(times), "a")
    state, seen, done = env.reset(drawing, 1), [], []
    for _ in range(rows):
        seen.append(env.observe(state))
        done.append(act_of(GAME, REAL)(seen[-1], acting))
        state, _ = env.step(state, done[-1], drawing)
    return History(torch.cat(seen, 1), torch.cat(done, 1), torch.arange(rows))


@pytest.fixture(scope="module")
def history() -> History:
    return played(ROWS)


def mean_of(history: History, function: Callable[[Array, Array], Array]) -> Tensor:
    """1/N Σ_t function(π, π̂)(s_t) [run, ego, opponent] of tables, in the states of each run."""
    states = history.observations[:, :, 0].argmax(-1)
    out = torch.zeros(len(states), 2, 2, dtype=torch.float64)
    for i, j in pairs(2):
        out[:, i, j] = torch.tensor(function(REAL[j], MODELS[i][j]))[states].mean(-1)
    return out


def covered(estimate: Estimate, truth: Tensor) -> Tensor:
    """Share of the repetitions whose interval holds the truth, [ego, opponent]."""
    return ((estimate.low <= truth) & (truth <= estimate.high)).double().mean(0)


def check_coverage(estimate: Estimate, truth: Tensor) -> None:
    """At least the level, up to five standard errors of a share of ``TIMES``."""
    slack = 5 * math.sqrt(estimate.level * (1 - estimate.level) / TIMES)
    assert bool((covered(estimate, truth) >= estimate.level - slack).all())


def off_diagonal(tensor: Tensor) -> Tensor:
    return torch.stack([tensor[:, i, j] for i, j in pairs(tensor.shape[1])], 1)


def test_mismatch_is_unbiased_and_covered(history: History) -> None:
    """E = 1 − Σ_a π π̂ in the states that came, on trajectories."""
    truth = mean_of(history, lambda p, q: 1 - (p * q).sum(-1))
    for level in (0.5, 0.9):
        found = mismatch(models_of(GAME, MODELS), history, level)
        check_coverage(found, truth)
        assert (found.level, found.states) == (level, ROWS)
        radius = math.sqrt(math.log(2 / (1 - level)) / (2 * ROWS))
        width = off_diagonal(found.high - found.low)
        torch.testing.assert_close(width, torch.full_like(width, 2 * radius))
    # the mean over 400 repetitions is within 5 standard errors; a row's deviation is at most 1/2
    gap = (found.value - truth).mean(0).abs()
    assert bool((gap < 5 * 0.5 / math.sqrt(TIMES * ROWS)).all())
    assert not found.value.diagonal(dim1=1, dim2=2).any()
    assert not found.high.diagonal(dim1=1, dim2=2).any()


def test_a_wrong_estimator_is_not_covered(history: History) -> None:
    """Power: the check of coverage refuses the mismatch of other models."""
    truth = mean_of(history, lambda p, q: 1 - (p * q).sum(-1))
    wrong = models_of(GAME, [OTHER] * 2)
    with pytest.raises(AssertionError):
        check_coverage(mismatch(wrong, history), truth)
    # and an interval a third as wide as it has to be
    found = mismatch(models_of(GAME, MODELS), history, 0.5)
    third = (found.high - found.low) / 10
    narrow = Estimate(found.value, found.value - third, found.value + third, 0.9, ROWS)
    with pytest.raises(AssertionError):
        check_coverage(narrow, truth)


def test_match_rate_counts_the_likeliest(history: History) -> None:
    def rate(p: Array, q: Array) -> Array:
        return np.take_along_axis(p, q.argmax(-1)[:, None], -1)[:, 0]

    found = match_rate(models_of(GAME, MODELS), history, 0.9)
    check_coverage(found, mean_of(history, rate))
    # the mismatch of the model that plays its likeliest action
    sure = [[np.eye(q.shape[1])[q.argmax(-1)] for q in MODELS[0]]] * 2
    other = mismatch(models_of(GAME, sure), history, 0.9)
    torch.testing.assert_close(
        off_diagonal(1 - found.value), off_diagonal(other.value), rtol=0, atol=1e-12
    )


def test_the_likelihood_and_its_bound(history: History) -> None:
    truth = mean_of(history, lambda p, q: -(p * np.log(q)).sum(-1))
    found = nll(models_of(GAME, MODELS), history, 0.9)
    check_coverage(found, truth)
    # the normal interval is not only wide: it misses some
    assert bool((off_diagonal(covered(found, truth).unsqueeze(0)) < 1).all())
    bound = bretagnolle_huber(found)
    distance = mean_of(history, total_variation)
    assert bool((off_diagonal(bound.high - distance) >= 0).all())
    assert bool((bound.low <= bound.value).all())
    assert bool((bound.value <= bound.high).all())


@given(seed=st.integers(0, 10_000), share=st.floats(0, 1), sharp=st.sampled_from([1, 5, 30]))
def test_upper_estimates_are_above_the_distance(seed: int, share: float, sharp: int) -> None:
    """In every state, with exact expectations: D_TV ≤ P(a ≠ â), ≤ √(1 − e^−x), ≤ √(x/2)."""
    rng = np.random.default_rng(seed)
    p, other = (rng.dirichlet(np.full(4, 1 / sharp), size=6) for _ in range(2))
    p, other = (0.999 * x + 0.001 / 4 for x in (p, other))
    q = mixed(p, other, share)
    distance = total_variation(p, q)
    likelihood = -(p * np.log(q)).sum(-1)
    assert (distance <= 1 - (p * q).sum(-1) + 1e-12).all()
    means = torch.tensor([[[likelihood.mean()]]])
    bound = bretagnolle_huber(Estimate(means, means, means, 0.9, 6))
    assert distance.mean() <= bound.value.item() + 1e-12
    # Bretagnolle-Huber and Pinsker with the divergence itself, from which the bound comes
    divergence = (p * np.log(p / q)).sum(-1)
    least = np.sqrt(np.minimum(-np.expm1(-divergence), divergence / 2).clip(0))
    assert (distance <= least + 1e-9).all()


def test_mismatch_of_a_perfect_model_is_that_of_chance() -> None:
    """What the docstring warns of: a uniform choice among two has ½, though D_TV is 0."""
    even = [np.full((4, 2), 0.5), np.full((4, 3), 1 / 3)]
    models = models_of(GAME, [even] * 2)
    history = played(32, 1)
    found = mismatch(models, history)
    assert found.value[0, 1, 0].item() == pytest.approx(1 / 2)
    assert found.value[0, 0, 1].item() == pytest.approx(2 / 3)
    seen = history.by_ego()[0]
    assert not oracle(models, real_of(GAME, even), seen).largest.any()


@given(seed=st.integers(0, 10_000))
def test_the_oracle_is_the_exact_distance(seed: int) -> None:
    """Against ``tabular``'s rational total variation, and its ε_π̂, the maximum over states."""
    rng = np.random.default_rng(seed)
    game = garnet((2, 3), 3, 2, rng, exact=True)

    def table(size: int) -> Array:
        drawn = rng.integers(1, 9, size=(3, size)) * (rng.random((3, size)) < 0.7)
        drawn[:, 0] += drawn.sum(-1) == 0
        return np.array(
            [[Fraction(int(x), int(row.sum())) for x in row] for row in drawn], dtype=object
        )

    policies, models = [table(2), table(3)], [[table(2), table(3)] for _ in range(2)]
    every = seen_in(game, np.arange(3)).expand(1, 2, -1, -1, -1)
    found = oracle(models_of(game, models), real_of(game, policies), every)
    for i, j in pairs(2):
        exact = total_variation(policies[j], models[i][j])
        # a softmax of logarithms, a sum of three and a half: rounding alone
        assert np.abs(found.each[0, i, :, j].numpy() - exact.astype(float)).max() < 1e-14
        own: list[Array | None] = [None, None]
        own[j] = models[i][j]
        errors = measure(case_of(game, i, policies, opponent_models=own))
        assert abs(found.largest[0, i, j].item() - float(errors.opponent_model[j])) < 1e-14
        assert abs(found.mean[0, i, j].item() - float(sum(exact) / 3)) < 1e-14
    assert not found.each.diagonal(dim1=1, dim2=3).any()


def test_the_oracle_counts_all_choices_together() -> None:
    """Two choices: the distance of the product laws, summed over all combinations."""
    spaces = (Choices((2, 3)), Choices((2, 3)))
    shape, both = Shape((1, 1), spaces), Categorical(spaces)
    generator = torch.Generator().manual_seed(0)
    outputs = [torch.randn(1, 2, 7, 5, dtype=torch.float64, generator=generator) for _ in range(2)]
    first, second = (Opponents(shape, both, lambda *_, o=o: o) for o in outputs)
    found = oracle(first, second, torch.zeros(1, 2, 7, 2, 1))
    for pair, (i, j) in enumerate(pairs(2)):
        laws = [[o[0, pair, :, :2].softmax(-1), o[0, pair, :, 2:].softmax(-1)] for o in outputs]
        total = torch.zeros(7, dtype=torch.float64)
        for a, b in product(range(2), range(3)):
            p, q = (x[:, a] * y[:, b] for x, y in laws)
            total += (p - q).abs() / 2
        torch.testing.assert_close(found.each[0, i, :, j], total, rtol=1e-12, atol=0)


@given(
    mean=st.floats(-3, 3),
    deviation=st.floats(0.05, 7),
    mean2=st.floats(-3, 3),
    deviation2=st.floats(0.05, 7),
)
@example(mean=0.0, deviation=1.0, mean2=0.0, deviation2=1.0)
@example(mean=0.0, deviation=1.0, mean2=1.0, deviation2=1.0)
@example(mean=0.0, deviation=1.0, mean2=0.0, deviation2=2.0)
@example(mean=0.5, deviation=1.0, mean2=0.5, deviation2=1.0 + 2**-50)
@example(mean=0.5, deviation=1.0, mean2=0.7, deviation2=1.0 + 2**-50)
def test_the_distance_of_normal_laws(
    mean: float, deviation: float, mean2: float, deviation2: float
) -> None:
    """Against quadrature of ½∫|p − q|, and the same both ways round."""
    numbers = [torch.tensor(x, dtype=torch.float64) for x in (mean, deviation, mean2, deviation2)]
    found = float(normal_distance(*numbers))
    assert found == float(normal_distance(*numbers[2:], *numbers[:2]))
    p, q = stats.norm(mean, deviation), stats.norm(mean2, deviation2)
    grid = np.linspace(-45, 45, 200_001)
    exact = integrate.simpson(np.abs(p.pdf(grid) - q.pdf(grid)), x=grid) / 2
    # the integrand has kinks: Simpson's error is at most a step² times the change of slope at each
    steepest = max(1 / min(deviation, deviation2) ** 2, 1)
    assert abs(found - exact) < 4 * (grid[1] - grid[0]) ** 2 * steepest + 1e-12


def gaussian(outputs: Callable[[Tensor], Tensor]) -> Opponents:
    """Two agents with one number each; outputs [run, pair, row, 2] of what each pair reads."""
    boxes = (Box(1, -2, 2), Box(1, 0, 1))
    head = TanhGaussian((boxes[1], boxes[0]))

    def says(observations: Tensor, _: object) -> Tensor:
        return outputs(torch.stack([observations[:, i, :, j] for i, j in pairs(2)], 1))

    return Opponents(Shape((1, 1), boxes), head, says)


def real_numbers(seen: Tensor) -> Tensor:
    return torch.cat((seen, torch.full_like(seen, -0.5)), -1)


def gaussian_history(rows: int, seed: int = 0) -> History:
    """Actions drawn from ``real_numbers``; observations normal, the same for all egos."""
    generator = torch.Generator().manual_seed(seed)
    seen = torch.randn(TIMES, rows, 2, 1, dtype=torch.float64, generator=generator)
    noise = torch.randn(TIMES, rows, 2, 1, dtype=torch.float64, generator=generator)
    unit = (seen + math.exp(-0.5) * noise).tanh()
    actions = torch.stack((2 * unit[:, :, 0], (unit[:, :, 1] + 1) / 2), 2)
    return History(seen, actions, torch.arange(rows))


def test_pooled_residuals_of_a_perfect_model_say_nothing() -> None:
    history = gaussian_history(ROWS)
    found = pooled_residual(gaussian(real_numbers), history)
    assert float((off_diagonal(found.low) > 0).double().mean()) <= 0.05
    seen = history.by_ego()[0][:1]
    assert not oracle(gaussian(real_numbers), gaussian(real_numbers), seen).largest.any()


@pytest.mark.parametrize(("shift", "factor"), [(0.5, 1.0), (0.0, 2.0), (-1.0, 0.5)])
def test_pooled_residuals_are_a_covered_lower_estimate(shift: float, factor: float) -> None:
    """A model off by the same in every state: the law of z is N(−shift/s, 1/factor)."""

    def wrong(seen: Tensor) -> Tensor:
        return real_numbers(seen) + torch.tensor([shift, math.log(factor)], dtype=torch.float64)

    history, bins = gaussian_history(1024), 20
    found = pooled_residual(gaussian(wrong), history, 0.9, bins)
    deviation = math.exp(-0.5)
    residual = stats.norm(-shift / (deviation * factor), 1 / factor)
    edges = stats.norm.ppf(np.linspace(0, 1, bins + 1))
    binned = np.abs(np.diff(residual.cdf(edges)) - 1 / bins).sum() / 2
    check_coverage(found, torch.full((TIMES, 2, 2), binned) * (1 - torch.eye(2)))
    seen = history.by_ego()[0]
    distance = oracle(gaussian(wrong), gaussian(real_numbers), seen).mean
    # exact: the same two normal laws in every state
    numbers = (0.0, deviation, shift, deviation * factor)
    laws = [torch.tensor(x, dtype=torch.float64) for x in numbers]
    expected = normal_distance(*laws).expand(TIMES, 2)
    torch.testing.assert_close(off_diagonal(distance), expected, rtol=1e-10, atol=1e-12)
    # twenty bins lose little of the distance, and the estimate is on its lower side
    assert binned <= float(distance[0, 0, 1]) <= binned + 0.02
    misses = (off_diagonal(found.low) > off_diagonal(distance)).double().mean()
    assert float(misses) <= 0.1
    # and it says something
    assert float(off_diagonal(found.low).mean()) > 0.02


def test_errors_that_cancel_over_states_are_not_seen() -> None:
    """Why it is a lower estimate only: off by +1 in half of the states and by −1 in the others."""

    def wrong(seen: Tensor) -> Tensor:
        sign = torch.where(seen > 0, 1.0, -1.0)
        return real_numbers(seen) + torch.cat((sign, torch.zeros_like(seen)), -1)

    history = gaussian_history(1024)
    found = pooled_residual(gaussian(wrong), history, 0.9)
    distance = oracle(gaussian(wrong), gaussian(real_numbers), history.by_ego()[0]).mean
    assert bool((off_diagonal(found.high) < off_diagonal(distance)).all())


def test_pooled_ranks_are_a_covered_lower_estimate(history: History) -> None:
    """Against the ranks' exact mean gap in the states that came, and against D̄."""

    def ranked(p: Array, q: Array) -> Array:
        order = np.argsort(-q, axis=-1, kind="stable")
        return np.take_along_axis(p - q, order, -1)

    found = pooled_rank(models_of(GAME, MODELS), history, 0.9)
    states = history.observations[:, :, 0].argmax(-1)
    truth = torch.zeros(TIMES, 2, 2, dtype=torch.float64)
    for i, j in pairs(2):
        gaps = torch.tensor(ranked(REAL[j], MODELS[i][j]))[states].mean(1)
        truth[:, i, j] = gaps.abs().sum(-1) / 2
    check_coverage(found, truth)
    distance = mean_of(history, total_variation)
    assert bool((truth <= distance + 1e-12).all())
    misses = (off_diagonal(found.low) > off_diagonal(distance)).double().mean()
    assert float(misses) <= 0.1
    # the truth itself as a model is not blamed, though its mismatch is large
    perfect = models_of(GAME, [REAL] * 2)
    blamed = off_diagonal(pooled_rank(perfect, history, 0.9).low) > 0
    assert float(blamed.double().mean()) <= 0.1
    assert bool((off_diagonal(mismatch(perfect, history).value) > 0.2).all())


def test_pooled_ranks_see_a_model_that_is_too_sure(history: History) -> None:
    sure = [[0.95 * np.eye(q.shape[1])[q.argmax(-1)] + 0.05 / q.shape[1] for q in REAL]] * 2
    found = pooled_rank(models_of(GAME, sure), history, 0.9)
    assert float((off_diagonal(found.low) > 0).double().mean()) > 0.99


def test_pooled_ranks_of_several_choices_are_averages() -> None:
    """Choices of 2 and 3 options, one played as the model says and one never as it thinks."""
    spaces = (Choices((2, 3)), Choices((2, 3)))
    logits = torch.tensor([0.0, 0.0, 9.0, 0.0, 0.0], dtype=torch.float64)
    opponents = Opponents(
        Shape((1, 1), spaces), Categorical(spaces), lambda *_: logits.expand(1, 2, 4, 5)
    )
    rows = torch.tensor([[1, 0], [0, 1], [1, 0], [0, 1]])
    second = torch.tensor([[0, 0, 1]]).expand(4, -1)
    actions = torch.cat((rows, second), -1)[None, :, None].expand(1, 4, 2, 5).double()
    found = pooled_rank(opponents, History(torch.zeros(1, 4, 2, 1), actions, torch.arange(4)))
    first, likeliest = 0.0, 1 / (1 + 2 * math.exp(-9.0))
    other = math.exp(-9.0) * likeliest
    # ranks 1, 2, 3 of the second choice are off by their chances, 0 or 1 played; halved by pooling
    expected = (first + likeliest + other + (1 - other)) / 2 / 2
    assert off_diagonal(found.value).tolist()[0] == pytest.approx([expected] * 2)


def test_what_cannot_be_estimated() -> None:
    numbers, choices = gaussian_history(4), played(4, 1)
    for estimator in (mismatch, match_rate, pooled_rank):
        with pytest.raises(InputError, match="never match"):
            estimator(gaussian(real_numbers), numbers)
    with pytest.raises(TypeError, match="Gaussian"):
        pooled_residual(models_of(GAME, MODELS), choices)
    with pytest.raises(InputError, match="bins"):
        pooled_residual(gaussian(real_numbers), numbers, bins=1)
    for level in (-0.1, 1.0):
        with pytest.raises(InputError, match="level"):
            mismatch(models_of(GAME, MODELS), choices, level)
    wide = (Box(2, 0, 1),) * 2
    several = Opponents(Shape((1, 1), wide), TanhGaussian(wide), lambda *_: torch.zeros(1, 2, 3, 4))
    with pytest.raises(InputError, match="2 numbers"):
        oracle(several, several, torch.zeros(1, 2, 3, 2, 1))


def test_several_numbers_are_pooled_without_their_padding() -> None:
    """Agents with 2 numbers and 1: a model that is right has small values for both."""
    boxes = (Box(2, -1, 1), Box(1, 0, 4))
    head = TanhGaussian((boxes[1], boxes[0]))
    opponents = Opponents(Shape((1, 1), boxes), head, lambda *_: torch.zeros(1, 2, 4000, 4))
    noise = torch.randn(1, 4000, 2, 2, generator=torch.Generator().manual_seed(0)).double()
    actions = noise.tanh()
    actions[:, :, 1] = 2 * (actions[:, :, 1] + 1)
    actions[:, :, 1, 1] = 0
    found = pooled_residual(
        opponents, History(torch.zeros(1, 4000, 2, 1), actions, torch.arange(4000))
    )
    # ½ Σ_b of 20 shares of 4000 rows: mean ½ · 20 · √(2 · 0.0475/(π 4000)) = 0.027
    assert bool((off_diagonal(found.value) < 0.05).all())
    assert bool((off_diagonal(found.low) == 0).all())
