"""Theorem 6 for one agent: the fixed points' distance, its bounds, the game that attains them."""

from dataclasses import replace
from fractions import Fraction as F
from math import comb
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounds.library import soft_q
from bounds.library.published import find
from bounds.shared.numbers import Array, InputError
from tabular.cases.case import Case, as_float
from tabular.cases.check import check
from tabular.cases.strategies import cases
from tabular.games.game import StochasticGame
from tabular.games.policy import random_policies
from tabular.games.random import garnet
from tabular.soft_q import learned_models
from tabular.soft_q.learned_models import (
    bounds_of,
    distance,
    learning_curve,
    median_band,
    model_errors,
    sample_error,
    soft_latch,
    value_bound,
)
from tabular.soft_q.one_agent import FORMS

ERRORS = st.fractions(0, 1, max_denominator=12)
DISCOUNTS = st.sampled_from([F(0), F(1, 2), F(9, 10), F(95, 100)])
ALPHAS = st.sampled_from((1e-3, 0.1, 1.0, 30.0))
FORM = st.sampled_from(FORMS)


@given(cases(branched=False), FORM)
def test_the_bounds_hold_exactly_without_temperature(case: Case, form: Any) -> None:
    found = distance(case, 0, form)
    of_v, of_q = bounds_of(case)
    assert found.v <= of_v
    assert found.q <= of_q


@given(cases(branched=False), FORM, ALPHAS)
def test_the_bounds_hold_for_every_temperature(case: Case, form: Any, alpha: float) -> None:
    found = distance(as_float(case), alpha, form)
    # both fixed points are known to their own errors; what is above is rounding of the residuals
    slack = found.real.error + found.model.error + 1e-9
    for value, bound in zip((found.v, found.q), bounds_of(case), strict=True):
        assert value <= float(bound) + slack


@given(st.data(), DISCOUNTS, ERRORS, st.integers(1, 3), st.integers(1, 3), FORM)
def test_the_latch_attains_both_bounds(
    data: st.DataObject, gamma: F, error: F, n: int, own: int, form: Any
) -> None:
    hat = data.draw(st.lists(ERRORS, min_size=n - 1, max_size=n - 1))
    case = soft_latch(gamma, hat, error, own, r_hi=F(5, 2), r_lo=F(1, 3))
    errors = model_errors(case)
    assert list(errors.opponent_model) == hat
    assert errors.model_sup == error
    found = distance(case, 0, form)
    if any(hat) or error:  # else the bounds are 0, and so are the distances
        assert found.v > 0 or gamma == 0
    assert (found.v, found.q) == bounds_of(case)
    warm = distance(as_float(case), data.draw(ALPHAS), form)
    # values up to 100 · (2.5 + 30 log 3)/(1 − γ), solved to about 10⁻¹² of them
    assert warm.v == pytest.approx(float(found.v), abs=1e-8)


def test_the_value_bound_is_the_coupling_bound_of_the_whole_case() -> None:
    case = soft_latch(F(9, 10), [F(1, 10), F(1, 5)], F(1, 20), 2)
    (verdict,) = check(case, [find("coupling-sup", "model")]).verdicts
    assert bounds_of(case)[0] == verdict.value == verdict.discrepancy


def test_the_range_of_the_bonus_is_not_needed() -> None:
    """Adding α log|A| to the span, as for a fixed policy, would be 8 times too much here."""
    case = soft_latch(F(9, 10), [F(1, 10)], F(1, 20), 8)
    found = distance(as_float(case), 7.0, "conditioned")
    assert found.v == pytest.approx(float(bounds_of(case)[0]))
    wide = replace(model_errors(case), span=2 + 7 * np.log(8), r_max=100)
    assert value_bound(wide) > 8 * found.v


def with_half_the_opponents(gamma: Any, span: Any, c_bar: Any, rho: Any) -> Any:
    return span * (1 / (1 - gamma) - (1 + c_bar) / 2 / (1 - gamma * rho))


def discounted_twice(gamma: Any, span: Any, rho: Any) -> Any:
    return soft_q.q_distance(gamma * gamma, span, rho)


def bounds_survive() -> bool:
    cases_ = [soft_latch(F(9, 10), [F(1, 4)], F(1, 10)), soft_latch(F(1, 2), [], F(1, 3), 2)]
    found = [distance(case, 0, form) for case in cases_ for form in FORMS]
    limits = [bounds_of(case) for case in cases_ for _ in FORMS]
    return all(d.v <= v and d.q <= q for d, (v, q) in zip(found, limits, strict=True))


def test_smaller_bounds_fall(monkeypatch: pytest.MonkeyPatch) -> None:
    assert bounds_survive()
    with monkeypatch.context() as m:
        m.setattr(learned_models, "q_distance", discounted_twice)
        assert not bounds_survive()
    with monkeypatch.context() as m:
        right = learned_models.value_bound
        m.setattr(learned_models, "value_bound", lambda e: right(e) * F(999, 1000))
        assert not bounds_survive()


# Learned models


def learned_game() -> tuple[StochasticGame, tuple[Array, ...]]:
    rng = np.random.default_rng(5)
    game = garnet((2, 2), 4, 3, rng)
    return game, random_policies(game.actions, 4, rng)


def test_learned_models_come_nearer_by_the_root() -> None:
    game, policies = learned_game()
    sizes = [2**i for i in range(7, 14)]
    for form in FORMS:
        curve = learning_curve(game, 0, policies, 0.2, form, sizes, 120, 7)
        assert (curve.distance <= curve.bound).all()
        low, middle, high = median_band(curve.rates)
        assert -3 / 4 < low <= middle <= high < -5 / 12  # nearer to −1/2 than to −1 and −1/3


def test_a_run_does_not_depend_on_the_others() -> None:
    game, policies = learned_game()
    few = learning_curve(game, 1, policies, 0.2, "independent", [10, 100], 3, 7)
    many = learning_curve(game, 1, policies, 0.2, "independent", [10, 100], 6, 7)
    # the batch may be solved in more Newton steps: rounding
    assert many.distance[:3] == pytest.approx(few.distance, abs=1e-9)
    assert (many.bound[:3] == few.bound).all()
    again = learning_curve(game, 1, policies, 0.2, "independent", [10, 100], 3, 8)
    assert (again.distance != few.distance).all()


def test_sample_errors_are_rarely_exceeded() -> None:
    """At most 10 % of runs may exceed the bound of 10 %; binomially, 24 of 100 never happens."""
    rng = np.random.default_rng(0)
    truth = rng.dirichlet(np.ones(3), size=8)
    limit = sample_error(3, 8, 50, 0.1)
    seen = rng.multinomial(50, truth, size=(100, 8)) / 50
    worst = (np.abs(seen - truth).sum(axis=-1) / 2).max(axis=-1)
    assert (worst > limit).sum() < 24
    assert sample_error(3, 8, 200, 0.1) == pytest.approx(limit / 2)
    assert sample_error(1, 8, 50, 0.1) == 0
    assert sample_error(2, 1, 2, 1.0) == pytest.approx(np.sqrt(np.log(2) / 4))


@pytest.mark.parametrize("count", [6, 20, 101, 2000])
def test_the_band_holds_the_median(count: int) -> None:
    values = np.arange(1, count + 1)[:, None] + np.zeros(2)
    low, middle, high = median_band(values)
    assert (middle == (count + 1) / 2).all()
    k = int(low[0])
    assert int(high[0]) == count + 1 - k
    missed = sum(comb(count, i) for i in range(k))  # fewer than k values below the median
    assert F(2 * missed, 2**count) <= F(5, 100) < F(2 * (missed + comb(count, k)), 2**count)


def test_what_users_get_wrong() -> None:
    game, policies = learned_game()
    for sizes in ([], [0, 1], [10, 10], [20, 10]):
        with pytest.raises(InputError, match="sizes"):
            learning_curve(game, 0, policies, 0.2, "independent", sizes, 3, 7)
    with pytest.raises(InputError, match="runs"):
        learning_curve(game, 0, policies, 0.2, "independent", [1], 0, 7)
    with pytest.raises(InputError, match="too few"):
        median_band(np.zeros((5, 1)))
    with pytest.raises(InputError, match="own_actions"):
        soft_latch(F(1, 2), [], F(1, 2), 0)
    one = garnet((1, 1), 1, 1, np.random.default_rng(0))
    curve = learning_curve(one, 0, [np.ones((1, 1))] * 2, 0.2, "independent", [1, 2], 2, 0)
    with pytest.raises(InputError, match="no rate"):
        _ = curve.rates
