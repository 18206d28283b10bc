"""Logit equilibria: pygambit's branch solves our equations, and ends near a Nash equilibrium."""

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounds.shared.numbers import InputError
from tabular.equilibria.gambit import logit_equilibria
from tabular.equilibria.logit_stage import logit_equilibrium, logit_responses, residual, softmax
from tabular.equilibria.stage_game import regret
from tabular.equilibria.support_enumeration import support_enumeration

#: pygambit follows the branch to about 1e-9 in log probabilities
TRACED = 1e-6


@given(st.integers(0, 10**6), st.sampled_from([0.2, 0.5, 1.0, 3.0]))
def test_points_of_the_branch_solve_the_equations(seed: int, alpha: float) -> None:
    payoffs = np.random.default_rng(seed).normal(size=(2, 3, 2))
    found = logit_equilibrium(payoffs, alpha)
    assert residual(payoffs, found, alpha) <= TRACED
    # a logit equilibrium maximises payoff + alpha entropy; TRACED times payoffs below 6 in size
    assert regret(payoffs, found) <= alpha * log(3) + 12 * TRACED


def test_three_agents_and_exact_payoffs() -> None:
    rng = np.random.default_rng(0)
    payoffs = rng.integers(-2, 3, (3, 2, 2, 2))
    found = logit_equilibrium(payoffs, 1.0)
    assert residual(payoffs, found, 1.0) <= TRACED


def test_matching_pennies_are_uniform_at_every_temperature() -> None:
    payoffs = np.array([[[1.0, -1], [-1, 1]], [[-1, 1], [1, -1]]])
    for found in logit_equilibria(payoffs, [0.0, 0.1, 10.0]):
        assert all(np.allclose(own, 0.5, atol=TRACED) for own in found)


def test_the_branch_leads_to_one_equilibrium() -> None:
    """Towards α = 0 the branch of a game with three equilibria is near one of them."""
    payoffs = np.array([[[4.0, 0], [3, 3]], [[4, 3], [0, 3]]])
    found = logit_equilibrium(payoffs, 0.02)
    nash = support_enumeration(payoffs)
    distances = [
        max(np.abs(own - other).max() for own, other in zip(found, nash.profile(e), strict=True))
        for e in range(len(nash))
    ]
    # a payoff gap of at least 1 - 4 d between the actions at distance d from a pure equilibrium
    # leaves the other action exp(-(1 - 4 d)/0.02) < 1e-20
    assert min(distances) <= TRACED
    assert sorted(distances)[1] > 0.5


def test_answers_keep_the_order_of_the_questions() -> None:
    payoffs = np.random.default_rng(1).normal(size=(2, 2, 2))
    asked = [2.0, 0.0, 0.5]
    together = logit_equilibria(payoffs, asked)
    assert [own.tolist() for own in together[1]] == [[0.5, 0.5]] * 2
    for rationality, found in zip(asked, together, strict=True):
        if rationality:
            assert residual(payoffs, found, 1 / rationality) <= TRACED


@given(st.lists(st.floats(-800, 800), min_size=1, max_size=5))
def test_softmax_does_not_overflow(scores: list[float]) -> None:
    weights = softmax(np.array(scores))
    # five terms, each rounded a few times
    assert abs(weights.sum() - 1) <= 20 * 2.0**-53
    assert (weights >= 0).all()
    shifted = softmax(np.array(scores) + 1e3)
    # adding 1e3 rounds the scores by up to 1800 / 2**53, and weights by that part
    assert np.allclose(shifted, weights, rtol=4 * 1800 * 2.0**-52, atol=0)


def test_responses_in_batches() -> None:
    rng = np.random.default_rng(0)
    payoffs = rng.normal(size=(4, 2, 3, 2))
    strategies = (rng.dirichlet(np.ones(3), 4), rng.dirichlet(np.ones(2), 4))
    together = logit_responses(payoffs, strategies, 0.7)
    distances = residual(payoffs, strategies, 0.7)
    for g in range(4):
        alone = tuple(own[g] for own in strategies)
        for a, b in zip(logit_responses(payoffs[g], alone, 0.7), together, strict=True):
            assert np.allclose(a, b[g], rtol=1e-14)  # the same sums in another order
        assert distances[g] == pytest.approx(residual(payoffs[g], alone, 0.7), rel=1e-13)


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("inf"), float("nan")])
def test_temperatures_that_are_none(alpha: float) -> None:
    with pytest.raises(InputError, match="is not a temperature"):
        logit_equilibrium(np.zeros((2, 2, 2)), alpha)


@pytest.mark.parametrize(
    ("asked", "why"), [([-1.0], "0 or more"), ([float("nan")], "finite"), ([1.0, 1.0], "twice")]
)
def test_rationalities_that_are_none(asked: list[float], why: str) -> None:
    with pytest.raises(InputError, match=why):
        logit_equilibria(np.zeros((2, 2, 2)), asked)
