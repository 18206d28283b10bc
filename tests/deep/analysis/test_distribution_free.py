"""The interval that needs no law: its formula, coverage at the worst case, games, clipping."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bounds.shared.numbers import InputError
from deep.analysis.branch_bias import QUANTILE
from deep.analysis.distribution_free import (
    RewardRange,
    distribution_free,
    empirical_bernstein,
)
from deep.dynamics.rewards import WithRewards
from deep.seeding import streams
from tests.support.bias_games import K, Setting, setting, truth

TIMES = 40


@pytest.fixture(scope="module")
def made() -> Setting:
    return setting(times=TIMES, rows=60)


def covering(made: Setting) -> RewardRange:
    """A range of the game's own rewards."""
    return RewardRange(float(np.min(made.game.reward)), float(np.max(made.game.reward)))


def test_the_formula() -> None:
    each = torch.tensor([0.0, 1.0, 0.0, 1.0], dtype=torch.float64)
    by_hand = (2 / 3 * np.log(80) / 4) ** 0.5 + 7 * 2 * np.log(80) / 9
    assert float(empirical_bernstein(each, 2.0)) == pytest.approx(by_hand, rel=1e-12)


@pytest.mark.parametrize("events", [0.5, 1, 3, 10])
def test_rare_events_are_covered_where_normal_intervals_fail(events: float) -> None:
    """An event of probability events/n that carries the whole range, 4,000 samples of n = 150."""
    n, times = 150, 4000
    hits = np.random.default_rng(0).random((times, n)) < events / n
    each = torch.from_numpy(hits.astype(float))
    off = (each.mean(-1) - events / n).abs()
    assert bool((off <= empirical_bernstein(each, 1.0)).double().mean() >= 0.95)
    normal = QUANTILE * each.std(-1) / n**0.5
    if events <= 3:
        assert float((off <= normal).double().mean()) < 0.93


def test_games_are_covered(made: Setting) -> None:
    """Both intervals are of one number; this one is the wider."""
    dynamics, opponents = truth(made.case)
    value = float(dynamics.sum() + opponents.sum())
    within = covering(made)
    found = distribution_free(made.model, made.segments, within, 2, streams(range(TIMES), "free"))
    assert bool(((found.bias[:, 0] - value).abs() <= found.radius[:, 0]).all())
    # no bias of its own: within four deviations over the runs
    error = float(found.bias[:, 0].std()) / TIMES**0.5
    assert abs(float(found.bias[:, 0].mean()) - value) <= 4 * error
    assert not found.clipped.any()
    discounted = sum(float(made.case.gamma) ** step for step in range(K))
    floor = 7 * 2 * (within.high - within.low) * discounted * np.log(80) / (3 * 59)
    assert bool((found.radius > floor).all())


def test_the_model_is_clipped_and_it_is_told(made: Setting) -> None:
    """A model that promises 1000 promises no more than the range allows."""

    dynamics = WithRewards(
        made.model.dynamics, lambda acted, seen: torch.full(acted.shape[:-1], 1000.0)
    )
    boasting = replace(made.model, dynamics=dynamics)
    within = covering(made)
    found = distribution_free(boasting, made.segments, within, 1, streams(range(TIMES), "free"))
    assert bool((found.clipped == 1).all())
    discounted = sum(float(made.case.gamma) ** step for step in range(K))
    most = (within.high - within.low) * discounted
    assert bool((found.bias <= most + 1e-9).all())
    assert bool((found.bias > 0).all())


def test_what_is_refused(made: Setting) -> None:
    with pytest.raises(InputError, match=r"--reward-range: 1 0; give two finite numbers"):
        RewardRange(1.0, 0.0)
    with pytest.raises(InputError, match="give two finite numbers"):
        RewardRange(0.0, float("inf"))
    with pytest.raises(InputError, match="give two finite numbers"):
        RewardRange(float("nan"), 1.0)
    low = covering(made).low
    with pytest.raises(InputError, match=r"leaves out a reward of .* that was paid; widen it"):
        distribution_free(
            made.model,
            made.segments,
            RewardRange(low - 2, low - 1),
            1,
            streams(range(TIMES), "free"),
        )
