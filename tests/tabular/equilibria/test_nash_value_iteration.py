"""Stochastic games solved: Shapley's iteration within its bound, Nash iteration and its honesty.

Soccer has the properties that Littman (1994) describes; grid games have known optimal values.
"""

from dataclasses import replace
from fractions import Fraction
from itertools import product
from math import sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounds.shared.numbers import Array, InputError
from tabular.cases.strategies import games
from tabular.equilibria import nash_value_iteration
from tabular.equilibria.exploitability import (
    exploitability,
    profile_values,
    stage_payoffs,
    stage_regrets,
)
from tabular.equilibria.nash_value_iteration import Solution, solve
from tabular.equilibria.selection import NAMES, parse_selection
from tabular.equilibria.shapley import (
    TOLERANCE,
    contraction_steps,
    is_zero_sum,
    value_interval,
    value_iteration,
)
from tabular.equilibria.verification import payoff_sizes, refinement, stages
from tabular.equilibria.zero_sum_stage import best_guarantee
from tabular.games.arrays import exact_array, is_exact_array
from tabular.games.catalogue import find
from tabular.games.game import StochasticGame, as_float
from tabular.games.grid import COLUMNS, ROWS
from tabular.games.literature import repeated
from tabular.games.random import garnet
from tests.support.stage_games import lp_value


def solved(game: StochasticGame, name: str = "first") -> Solution:
    return solve(game, parse_selection(name, game.n))


def solved_or_not(game: StochasticGame, name: str) -> tuple[Solution | None, str]:
    try:
        return solved(game, name), ""
    except InputError as error:
        return None, str(error)


def zero_sum(game: StochasticGame) -> StochasticGame:
    """The game of the first two agents in which agent 1 loses what agent 0 receives."""
    reward = np.stack([game.reward[0], -game.reward[0]])
    return replace(game, reward=reward, name="", source="")


sizes = st.sampled_from([(2, 2), (2, 3), (3, 2)])
# iteration takes log(tolerance) / log(γ) steps, so 0.99 would take ten times as long as 0.9
gammas = st.sampled_from([Fraction(0), Fraction(1, 3), Fraction(1, 2), Fraction(9, 10)])
two_agents = st.tuples(sizes, gammas).flatmap(lambda d: games(actions=d[0], gamma=d[1]))


# Zero-sum games


@given(two_agents.map(zero_sum))
def test_values_are_within_the_proved_error(game: StochasticGame) -> None:
    """Best responses to the policies leave an exact interval for the value."""
    found = value_iteration(game)
    policies = tuple(normalised(own) for own in found.policies)
    low, high = value_interval(exploitability(game, policies))
    assert (low <= high).all()
    # rounding of sums of at most |S| + 2 products of size max |R| / (1 - γ), amplified by 1/(1 - γ)
    gap = 1 - float(game.gamma)
    size = float(np.abs(game.reward).max()) / gap
    slack = found.error + 20 * 2.0**-53 * size / gap
    assert (found.values >= low.astype(float) - slack).all()
    assert (found.values <= high.astype(float) + slack).all()
    assert found.error <= max(TOLERANCE, 40 * 2.0**-53 / gap**2) * max(size, 1e-300)


def normalised(policy: Array) -> Array:
    exact = exact_array(policy)
    return np.asarray(exact / exact.sum(axis=-1, keepdims=True))


@given(two_agents.map(zero_sum), st.integers(0, 10**6))
def test_the_step_is_a_contraction(game: StochasticGame, seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, two = exact_array(rng.integers(-9, 10, (2, game.n_states)))

    def step(values: Array) -> Array:
        return best_guarantee(stage_payoffs(game, np.stack([values, -values]))[:, 0])[1]

    assert np.abs(step(one) - step(two)).max() <= game.gamma * np.abs(one - two).max()


@given(two_agents.map(zero_sum))
def test_zero_sum_solutions(game: StochasticGame) -> None:
    found = solved(game)
    assert found.method == "shapley"
    assert (found.values[0] == -found.values[1]).all()
    if found.exact:
        assert found.exploitability == 0
        assert found.error == 0
    else:
        gap = 1 - float(game.gamma)
        size = float(np.abs(game.reward).max()) / gap
        # payoffs are rounded to RESOLUTION of their size, and the error adds up over time
        assert found.exploitability <= 8 * (payoff_sizes.RESOLUTION + TOLERANCE) * size / gap
    if game.n_states == 1:
        payoff = game.reward[0, 0].reshape(game.actions).astype(float)
        expected = lp_value(payoff) / (1 - float(game.gamma))
        # HiGHS keeps its constraints to 1e-7
        assert abs(float(found.values[0, 0]) - expected) <= 1e-6 / (1 - float(game.gamma))


def test_an_irrational_value() -> None:
    """Matching once goes on, so v = (1 + γv) / (2 + γv): v = (γ − 2 + √(γ² + 4)) / 2γ."""
    gamma = Fraction(1, 2)
    transition = exact_array(np.zeros((2, 4, 2), int))
    transition[0, 0, 0] = transition[0, 1:, 1] = transition[1, :, 1] = Fraction(1)
    reward = exact_array([[1, 0, 0, 1], [0, 0, 0, 0]])
    game = StochasticGame(
        (2, 2), transition, np.stack([reward, -reward]), exact_array([1, 0]), gamma
    )
    found = solved(game)
    value = (0.5 - 2 + sqrt(0.25 + 4)) / 1
    assert not found.exact
    assert not is_exact_array(found.values)
    assert abs(found.values[0, 0] - value) <= found.error + 4 * 2.0**-53
    # RESOLUTION of payoffs near 1, twice because γ = 1/2, and a little more
    assert found.exploitability <= 8 * payoff_sizes.RESOLUTION


def test_swapping_the_players_negates_the_value() -> None:
    rng = np.random.default_rng(0)
    game = zero_sum(garnet((2, 3), 5, 2, rng))
    turned = game.reward.reshape(2, 5, 2, 3).swapaxes(2, 3).reshape(2, 5, 6)[::-1]
    transition = game.transition.reshape(5, 2, 3, 5).swapaxes(1, 2).reshape(5, 6, 5)
    swapped = replace(game, actions=(3, 2), transition=transition, reward=turned)
    one, two = value_iteration(game), value_iteration(swapped)
    # turned is (-R, R): agent 0 of the swapped game is agent 1 of the other
    assert np.abs(one.values + two.values).max() <= one.error + two.error + 1e-13


def test_large_stage_games_of_zero_sum_games() -> None:
    """12 × 12 actions: too many supports, but the value needs none."""
    payoff = np.random.default_rng(0).integers(-9, 10, (12, 12))
    game = repeated([payoff, -payoff], Fraction(1, 2))
    found = solved(game)
    assert abs(found.values[0, 0] - 2 * lp_value(payoff.astype(float))) <= 1e-5
    # optimal strategies are exact and rounded once
    assert found.exploitability <= 1e-12
    with pytest.raises(InputError, match="12x12 actions are too many to enumerate"):
        solved(repeated([payoff, payoff.T], Fraction(1, 2)))


def test_value_iteration_is_for_zero_sum_games() -> None:
    assert is_zero_sum(find("soccer").build())
    for name in ("chicken", "two-state-mdp", "public-goods"):
        assert not is_zero_sum(find(name).build())
        with pytest.raises(InputError, match="not zero-sum"):
            value_iteration(find(name).build())


@pytest.mark.parametrize(("gamma", "tolerance"), [(0.0, 1e-3), (0.5, 1e-12), (0.99, 1e-6)])
def test_steps_of_a_contraction(gamma: float, tolerance: float) -> None:
    steps = contraction_steps(gamma, tolerance)
    assert gamma**steps <= tolerance * (1 - gamma)
    assert steps == 1 or gamma ** (steps - 1) > tolerance * (1 - gamma)


@pytest.fixture(scope="module")
def soccer() -> tuple[StochasticGame, Solution]:
    game = find("soccer").build()
    return game, solved(game)


def test_soccer_is_solved(soccer: tuple[StochasticGame, Solution]) -> None:
    game, found = soccer
    assert (found.method, found.status) == ("shapley", "converged")
    assert found.exploitability <= 1e-10
    assert found.error <= 1e-10
    # a goal is worth 1, and play goes on from even terms
    assert np.abs(found.values).max() <= 1 + found.error
    kick_off = np.flatnonzero(game.initial)
    ball_a, ball_b = found.values[0, kick_off]
    assert ball_a > 0.1  # the ball is worth something
    assert abs(ball_a + ball_b) <= 2 * found.error


def test_soccer_is_fair(soccer: tuple[StochasticGame, Solution]) -> None:
    """Turning the board by half and changing names negates the value."""
    game, found = soccer
    index = {name: s for s, name in enumerate(game.states)}
    last = ROWS * COLUMNS - 1
    for s, name in enumerate(game.states):
        _, a, _, b, _, owner = name.split()
        other = f"A {last - int(b)} B {last - int(a)} ball {'AB'[owner == 'A']}"
        gap = found.values[0, s] + found.values[0, index[other]]
        assert abs(gap) <= 2 * found.error + 1e-12


def test_soccer_needs_mixing(soccer: tuple[StochasticGame, Solution]) -> None:
    """Any deterministic policy loses something against its best response (Littman 1994)."""
    game, found = soccer
    own, other = found.policies
    assert ((own > 0.01) & (own < 0.99)).any()
    pure = np.eye(5)[own.argmax(axis=1)]
    kick_off = np.flatnonzero(game.initial)
    sure = exploitability(game, (pure, other)).best[1]
    assert (-sure[kick_off] < found.values[0, kick_off] - 0.01).all()


def test_soccers_stage_games_by_linear_programming(soccer: tuple[StochasticGame, Solution]) -> None:
    game, found = soccer
    stages = stage_payoffs(game, found.values)
    for s in range(0, game.n_states, 40):
        # HiGHS keeps its constraints to 1e-7
        assert abs(lp_value(stages[s, 0]) - found.values[0, s]) <= 1e-6


# General sums


@pytest.mark.parametrize(
    ("name", "selection", "values"),
    [
        ("repeated-prisoners-dilemma", "first", (10, 10)),
        ("iterated-prisoners-dilemma", "best-sum", (-50, -50)),
        ("battle-of-the-sexes", "best:0", (20, 10)),
        ("battle-of-the-sexes", "best:1", (10, 20)),
        ("chicken", "first", (20, 70)),
        ("chicken", "best-sum", (Fraction(140, 3), Fraction(140, 3))),
        ("stag-hunt", "saddle", (30, 30)),
        ("stag-hunt", "global-optimum", (40, 40)),
        ("climbing", "pareto", (110, 110)),
        ("shapley", "first", (Fraction(10, 3), Fraction(10, 3))),
        ("matching-pennies", "first", (0, 0)),
        ("rock-paper-scissors", "saddle", (0, 0)),
        ("three-player-matching-pennies", "first", (0, 0, 0)),
        ("public-goods", "first", (10,) * 4),
        ("two-state-mdp", "first", (Fraction(-60, 7),)),
        # Hu and Wellman (2003): four moves to the goal, and three, half the time for one of them
        ("grid-game-1", "best-sum", (Fraction(970299, 10000),) * 2),
        ("grid-game-2", "best:0", (Fraction(9801, 100), Fraction(9801, 200))),
    ],
)
def test_known_values(name: str, selection: str, values: tuple[Any, ...]) -> None:
    game = find(name).build()
    found = solved(game, selection)
    assert found.exact
    assert found.status == "converged"
    assert found.values[:, game.initial.argmax()].tolist() == list(values)
    assert found.exploitability == 0
    assert (found.regret == 0).all()


@given(gammas.flatmap(lambda gamma: games(gamma=gamma)), st.sampled_from(NAMES))
def test_answers_describe_their_policies(game: StochasticGame, name: str) -> None:
    found, refusal = solved_or_not(game, name)
    if found is None:
        assert name in ("saddle", "global-optimum")
        assert f"selection: {name}: stage game of state" in refusal
        assert "\n" not in refusal
        return
    described = game if found.exact else as_float(game)
    assert np.array_equal(found.values, profile_values(described, found.policies))
    stage = stage_regrets(described, found.policies, found.values).max(axis=-1)
    assert np.array_equal(found.regret, stage)
    assert found.exact == is_exact_array(found.values)
    assert all(
        own.shape == (game.n_states, size)
        for own, size in zip(found.policies, game.actions, strict=True)
    )
    if found.exact:
        assert found.status == "converged"
        assert found.exploitability == 0
        certain = exploitability(game, found.policies)
        assert certain.exploitability == 0
    if found.status == "converged":
        gap = 1 - float(game.gamma)
        size = float(np.abs(game.reward).max()) / gap
        # Q is rounded to RESOLUTION, pygambit's mixtures (three agents) have a regret of 1e-8, and
        # what a stage loses adds up over time
        lost = 8 * payoff_sizes.RESOLUTION if game.n < 3 else 1e-7
        assert found.exploitability <= lost * max(size, 1) / gap
    assert (found.period > 0) == (found.status == "cycle")


def test_a_cycle_is_reported_with_what_its_policies_are_worth() -> None:
    found = solved(find("garnet").build())
    assert (found.status, found.exact) == ("cycle", False)
    assert found.period > 1
    assert found.residual > 0.1
    assert found.exploitability > 1
    assert solved(find("garnet").build(), "best-sum").exploitability == 0


def test_one_agent_is_a_decision_process() -> None:
    for name in ("two-state-mdp", "river-swim"):
        game = find(name).build()
        found = solved(game)
        best = max(
            sum(profile_values(game, (exact_array(np.eye(2, dtype=int)[list(choice)]),))[0])
            for choice in product(range(2), repeat=game.n_states)
        )
        assert (found.method, found.exact) == ("policy-iteration", True)
        assert sum(found.values[0]) == best
        assert set(found.policies[0].ravel()) == {0, 1}
        floats = solved(as_float(game))
        assert not floats.exact
        assert np.allclose(floats.values, found.values.astype(float), rtol=1e-12)


def test_rewards_in_another_unit() -> None:
    """A power of two scales every float without rounding, so everything but the values stays."""
    game = find("garnet").build()
    for name in ("first", "best-sum"):
        one = solved(as_float(game), name)
        two = solved(as_float(replace(game, reward=1024 * game.reward)), name)
        assert (one.status, one.iterations, one.period) == (two.status, two.iterations, two.period)
        assert all(np.array_equal(a, b) for a, b in zip(one.policies, two.policies, strict=True))
        assert np.array_equal(1024 * one.values, two.values)


def test_the_state_of_a_missing_equilibrium_is_named() -> None:
    with pytest.raises(InputError) as refused:
        solved(find("grid-game-1").build(), "saddle")
    assert "selection: saddle: stage game of state 17 (2 4) in iteration 2: none of its" in str(
        refused.value
    )


def test_the_limit_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nash_value_iteration, "contraction_steps", lambda *_: 3)
    game = as_float(find("chicken").build())
    found = solved(game)
    assert (found.status, found.iterations) == ("limit", 6)


# Planted mistakes are found by the exploitability, and by the check


def plant(monkeypatch: pytest.MonkeyPatch, payoffs: Any) -> None:
    """``payoffs(game, values)`` in the place of stage games, wherever they are solved."""

    def relative(game: StochasticGame, values: Array) -> Array:
        own = (game.gamma * values).T
        return np.asarray(payoffs(game, values) - own.reshape(*own.shape, *[1] * game.n))

    monkeypatch.setattr(stages, "stage_payoffs", payoffs)
    monkeypatch.setattr(stages, "relative_payoffs", relative)
    monkeypatch.setattr(refinement, "stage_payoffs", payoffs)


def test_forgetting_the_future_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    game = find("grid-game-1").build()
    plant(monkeypatch, lambda played, values: stage_payoffs(played, values * 0))
    found = solved(as_float(game), "best-sum")
    assert found.exploitability > 1
    assert found.status == "unverified"


def test_swapped_agents_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, lambda played, values: stage_payoffs(played, values[::-1]))
    found = [
        solved(as_float(find(name).build()), "best:0")
        for name in ("unequal-coordination", "grid-game-2", "garnet")
    ]
    assert any(one.exploitability > 0.01 for one in found)
    assert all(one.status != "converged" for one in found if one.exploitability > 0.01)
