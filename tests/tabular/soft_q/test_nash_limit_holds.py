"""Theorem 7 where it holds: soft values within α log|A|/(1 − γ) of Nash Q's; wrong ones fall."""

from fractions import Fraction as F
from itertools import islice
from math import log
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounds.library import soft_q
from bounds.shared.numbers import Array, InputError
from tabular.cases.strategies import games
from tabular.equilibria.logit_stage import residual
from tabular.equilibria.nash_value_iteration import solve as nash
from tabular.equilibria.selection import parse_selection
from tabular.equilibria.shapley import value_iteration
from tabular.games.catalogue import find
from tabular.games.game import StochasticGame
from tabular.games.literature import repeated
from tabular.games.random import coordination, garnet_arrays
from tabular.soft_q import nash_limit_holds
from tabular.soft_q.all_agents import simultaneous_iteration, values_of
from tabular.soft_q.nash_limit_holds import (
    soft_matrix,
    soft_shapley,
    soft_shapley_of,
    team,
)

ALPHAS = st.sampled_from((1e-3, 0.05, 0.5, 5.0))
#: Rounding of values up to 10³ in systems with 1/(1 − γ) ≤ 100.
ROUNDING = 1e-8


@given(games(), ALPHAS)
def test_joint_maximisers_are_within_the_gap(game: StochasticGame, alpha: float) -> None:
    transition, gamma = game.transition.astype(float), float(game.gamma)
    for j in range(game.n):
        hard = team(game.gamma, game.transition, game.reward[j], 0)
        warm = team(gamma, transition, game.reward[j].astype(float), alpha)
        gap = soft_q.nash_gap(alpha, log(game.joint_actions), gamma)
        over = warm.v - hard.v.astype(float)
        assert (over >= -warm.error - ROUNDING).all()
        assert (over <= gap + warm.error + ROUNDING).all()
        over = warm.q[..., 0] - hard.q[..., 0].astype(float)
        assert (over >= -warm.error - ROUNDING).all()
        assert (over <= gamma * gap + warm.error + ROUNDING).all()


@given(
    st.sampled_from([(1,), (2, 3), (2, 2, 2)]), st.sampled_from([F(0), F(1, 2), F(9, 10)]), ALPHAS
)
def test_constant_rewards_attain_the_gap(actions: Any, gamma: F, alpha: float) -> None:
    game = repeated(np.full((len(actions), *actions), F(3, 2)), gamma)
    hard = team(game.gamma, game.transition, game.reward[0], 0).v[0]
    assert hard == F(3, 2) / (1 - gamma)
    warm = team(
        float(gamma), np.ones((1, game.joint_actions, 1)), game.reward[0].astype(float), alpha
    )
    gap = soft_q.nash_gap(alpha, log(game.joint_actions), float(gamma))
    assert warm.v[0] - float(hard) == pytest.approx(gap, abs=1e-12)


@pytest.mark.parametrize("name", ["climbing", "penalty", "stag-hunt", "unequal-coordination"])
def test_nash_q_with_global_optima_has_the_cooperative_values(name: str) -> None:
    game = find(name).build()
    answer = nash(game, parse_selection("global-optimum", game.n))
    assert answer.exact
    for j in range(game.n):
        assert (answer.values[j] == team(game.gamma, game.transition, game.reward[j], 0).v).all()


def test_and_so_it_is_in_random_coordination_games() -> None:
    game = coordination(2, 3, 4, np.random.default_rng(3), exact=True)
    answer = nash(game, parse_selection("global-optimum", game.n))
    assert (answer.values[0] == team(game.gamma, game.transition, game.reward[0], 0).v).all()


# Zero-sum games: one saddle with entropies


@given(st.sampled_from([(1, 1), (2, 2), (3, 2), (1, 4), (4, 5)]), ALPHAS, st.integers(0, 9999))
def test_the_soft_saddle(shape: tuple[int, int], alpha: float, seed: int) -> None:
    table = np.random.default_rng(seed).uniform(-1, 1, size=(20, *shape))
    found = soft_matrix(table, alpha)
    # the bounds from both sides meet up to the rounding of exp(x/α), x/α up to 10³
    assert found.gap.max() <= 1e-10
    both = np.stack([table, -table], axis=1)
    # the value is flat at the saddle: a gap g leaves the policies √(2g/α) from it
    assert residual(both, (found.p, found.q), alpha).max() <= 10 * np.sqrt(2e-10 / alpha)
    turned = soft_matrix(-np.swapaxes(table, -1, -2), alpha)
    assert turned.value == pytest.approx(-found.value, abs=1e-9)
    shifted = soft_matrix(table + 3, alpha)
    assert shifted.value == pytest.approx(found.value + 3, abs=1e-9)


def test_known_saddles() -> None:
    pennies = np.array([[1.0, -1.0], [-1.0, 1.0]])
    found = soft_matrix(pennies, 0.3)
    assert found.value == pytest.approx(0, abs=1e-12)
    assert found.p == pytest.approx([0.5, 0.5])
    one = soft_matrix(np.array([[1.0], [2.0], [4.0]]), 0.5)
    assert one.value == pytest.approx(0.5 * np.log(np.exp([2, 4, 8]).sum()))


def zero_sum(seed: int, actions: tuple[int, int], gamma: float, batch: int) -> tuple[Any, Array]:
    arrays = garnet_arrays(actions, 3, 2, np.random.default_rng(seed), batch=(batch,))
    reward = arrays.reward[:, 0]
    values = [
        value_iteration(
            StochasticGame(
                actions,
                arrays.transition[i],
                np.stack([reward[i], -reward[i]]),
                arrays.initial[i],
                gamma,
            )
        ).values
        for i in range(batch)
    ]
    return arrays, np.stack(values)


def saddle_holds(alpha: float, gamma: float) -> bool:
    """−α log|A¹| ≤ (1 − γ)(V_α − V₀) ≤ α log|A⁰|, and nearer by a tenth at a tenth of α."""
    arrays, hard = zero_sum(1, (3, 2), gamma, 6)
    far = []
    for a in (alpha, alpha / 10):
        found = soft_shapley(gamma, (3, 2), arrays.transition, arrays.reward[:, 0], a)
        if found.error > 1e-6:
            return False
        over = (found.values - hard) * (1 - gamma)
        if over.min() < -a * log(2) - ROUNDING or over.max() > a * log(3) + ROUNDING:
            return False
        far.append(np.abs(over).max())
    return far[1] < far[0]


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.8])
def test_the_soft_saddle_of_stochastic_games(gamma: float) -> None:
    assert saddle_holds(0.3, gamma)


def test_an_agent_alone_attains_the_saddles_gap() -> None:
    alpha, gamma = 0.4, 0.5
    for actions, sign in (((3, 1), 1), ((1, 3), -1)):
        found = soft_shapley(gamma, actions, np.ones((1, 3, 1)), np.full((1, 3), 2.0), alpha)
        gap = soft_q.nash_gap(alpha, log(3), gamma)
        assert found.values[0] == pytest.approx(2 / (1 - gamma) + sign * gap)


def test_soft_saddle_of_the_catalogue() -> None:
    found = soft_shapley_of(find("rock-paper-scissors").build(), 0.2)
    assert found.values == pytest.approx(0, abs=1e-9)
    assert found.policies[0] == pytest.approx(1 / 3, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("_entropy", lambda p: np.zeros(p.shape[:-1])),
        ("_entropy", lambda p: 2 * soft_nash_entropy(p)),
        ("softmax", lambda x, alpha: np.exp(x / alpha) / np.exp(x / alpha).sum(axis=0)),
        ("log_sum_exp", lambda x, alpha: x.max(axis=-1)),
    ],
)
def test_wrong_saddles_are_caught(name: str, wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nash_limit_holds, "MAX_NEWTON", 20)
    monkeypatch.setattr(nash_limit_holds, name, wrong)
    table = np.array([[0.3, -0.2], [0.1, 0.6]])[None]
    found = soft_matrix(table, 0.5)
    both = np.stack([table, -table], axis=1)
    assert found.gap.max() > 1e-10 or residual(both, (found.p, found.q), 0.5).max() > 1e-3


soft_nash_entropy = nash_limit_holds._entropy


# Zero-sum games: every agent for itself


@pytest.mark.parametrize("alpha", [0.05, 0.3, 1.0])
def test_fixed_points_of_all_agents_are_within_the_gap(alpha: float) -> None:
    gamma, batch = 0.5, 12
    arrays, hard = zero_sum(2, (2, 2), gamma, batch)
    reward = np.stack([arrays.reward[:, 0], -arrays.reward[:, 0]], axis=1)
    steps = simultaneous_iteration(
        gamma, (2, 2), arrays.transition, reward, alpha, rate=min(0.5, alpha / 4)
    )
    *_, before, last = islice(steps, 2500)
    still = np.abs(last.q - before.q).max(axis=(-3, -2, -1)) < 1e-11
    still &= (
        np.max(
            [
                np.abs(p - b).max(axis=(-2, -1))
                for p, b in zip(last.policies, before.policies, strict=True)
            ],
            axis=0,
        )
        < 1e-11
    )
    assert still.sum() >= batch // 2
    values = values_of(last, (2, 2), alpha)[still]
    over = np.stack([values[:, 0] - hard[still], values[:, 1] + hard[still]])
    assert over.min() >= -1e-7
    assert over.max() <= soft_q.nash_gap(alpha, log(4), gamma) + 1e-7
    assert over.max() > 0.1 * soft_q.nash_gap(alpha, log(4), gamma)
    # the sum of both is the discounted entropy, which is what the proof uses
    total = over.sum(axis=0)
    assert (total <= soft_q.nash_gap(alpha, log(4), gamma) + 1e-7).all()


def test_what_users_get_wrong() -> None:
    for alpha in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(InputError, match="alpha"):
            soft_matrix(np.zeros((2, 2)), alpha)
    with pytest.raises(InputError, match="zero-sum"):
        soft_shapley_of(find("stag-hunt").build(), 0.1)
    with pytest.raises(InputError, match="gamma"):
        soft_shapley(1.0, (2, 2), np.ones((1, 4, 1)), np.zeros((1, 4)), 0.1)
