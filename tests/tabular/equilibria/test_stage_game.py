"""Payoff tables as users write them; regret, global optima and saddle points from first principles.

The definitions are checked against loops over joint actions.
"""

from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounds.shared.numbers import Array, InputError
from tabular.equilibria.stage_game import (
    Strategies,
    deviation_payoffs,
    expected_payoffs,
    is_global_optimum,
    is_saddle,
    regret,
    regrets,
    stage_game,
)
from tabular.games.arrays import exact_array
from tests.support.stage_games import stage_games

HALF = Fraction(1, 2)


@st.composite
def profiles(draw: st.DrawFn, payoffs: Array) -> Strategies:
    """Exact strategies, often pure."""
    out = []
    for size in payoffs.shape[1:]:
        weights = draw(st.lists(st.integers(0, 2), min_size=size, max_size=size).filter(any))
        out.append(exact_array([Fraction(w, sum(weights)) for w in weights]))
    return tuple(out)


games_with_profiles = stage_games().flatmap(lambda g: st.tuples(st.just(g), profiles(g)))


def payoff(payoffs: Array, strategies: Strategies, j: int) -> Any:
    """Agent j's expected payoff, joint action by joint action."""
    return sum(
        prod((own[a] for own, a in zip(strategies, joint, strict=True)), start=Fraction(1))
        * payoffs[(j, *joint)]
        for joint in product(*map(range, payoffs.shape[1:]))
    )


def pure(size: int, a: int) -> Array:
    return exact_array(np.eye(size, dtype=int)[a])


@given(games_with_profiles)
def test_payoffs_and_regrets(drawn: tuple[Array, Strategies]) -> None:
    payoffs, strategies = drawn
    at = expected_payoffs(payoffs, strategies)
    for j, size in enumerate(payoffs.shape[1:]):
        assert at[j] == payoff(payoffs, strategies, j)
        deviations = [
            payoff(payoffs, (*strategies[:j], pure(size, a), *strategies[j + 1 :]), j)
            for a in range(size)
        ]
        assert deviation_payoffs(payoffs, strategies, j).tolist() == deviations
        assert regrets(payoffs, strategies)[j] == max(deviations) - at[j]
    assert regret(payoffs, strategies) == regrets(payoffs, strategies).max() >= 0


@given(games_with_profiles)
def test_conditions_of_hu_and_wellman(drawn: tuple[Array, Strategies]) -> None:
    payoffs, strategies = drawn
    n, at = len(payoffs), expected_payoffs(payoffs, strategies)
    joint_actions = list(product(*map(range, payoffs.shape[1:])))
    optimum = all(at[j] >= payoffs[(j, *joint)] for j in range(n) for joint in joint_actions)
    assert bool(is_global_optimum(payoffs, strategies)) == optimum
    saddle = regret(payoffs, strategies) == 0
    for j, joint in product(range(n), joint_actions):
        others = [pure(size, a) for size, a in zip(payoffs.shape[1:], joint, strict=True)]
        others[j] = strategies[j]  # the others deviate, agent j stays
        saddle = saddle and payoff(payoffs, tuple(others), j) >= at[j]
    assert bool(is_saddle(payoffs, strategies)) == saddle
    if optimum:
        assert regret(payoffs, strategies) == 0


def test_known_conditions() -> None:
    """Three games like those with which Hu and Wellman (2003) explain the two conditions."""
    first = exact_array([[[10, 0], [3, -1]], [[9, 3], [0, 2]]])
    second = exact_array([[[5, 0], [6, 2]], [[5, 6], [0, 2]]])
    third = exact_array([[[10, 0], [3, 2]], [[9, 3], [0, 2]]])
    up, down = (pure(2, 0),) * 2, (pure(2, 1),) * 2
    assert is_global_optimum(first, up)
    assert not is_saddle(first, up)
    assert not is_saddle(first, down)
    assert is_saddle(second, down)
    assert not is_global_optimum(second, down)
    assert is_global_optimum(third, up)
    assert is_saddle(third, down)


@given(st.lists(games_with_profiles, min_size=2, max_size=4))
def test_a_batch_is_its_games(drawn: list[tuple[Array, Strategies]]) -> None:
    same = [d for d in drawn if d[0].shape == drawn[0][0].shape]
    payoffs = np.stack([game for game, _ in same])
    strategies = tuple(np.stack(own) for own in zip(*(s for _, s in same), strict=True))
    for function in (expected_payoffs, regrets, regret, is_global_optimum, is_saddle):
        together = function(payoffs, strategies)
        for i, (game, own) in enumerate(same):
            assert np.array_equal(together[i], function(game, own))


@given(games_with_profiles)
def test_floats_follow(drawn: tuple[Array, Strategies]) -> None:
    payoffs, strategies = drawn
    floats = tuple(own.astype(float) for own in strategies)
    found = regret(payoffs.astype(float), floats)
    # payoffs are at most 2, sums have at most 16 terms of at most three factors
    assert abs(found - float(regret(payoffs, strategies))) <= 16 * 5 * 2 * 2.0**-52


# Tables as users write them


def test_what_is_exact_stays_exact() -> None:
    table = stage_game([[[1, HALF], [0, 2]], [[0, 1], [1, 0]]])
    assert table.dtype == object
    assert table[0, 0, 1] == HALF
    assert all(isinstance(x, Fraction) for x in table.ravel())
    assert stage_game([[[1, 0.5], [0, 2]], [[0, 1], [1, 0]]]).dtype == float
    assert stage_game(np.ones((2, 3, 1), int)).dtype == object
    assert stage_game(np.ones((2, 3, 1))).dtype == float


@pytest.mark.parametrize(
    ("payoffs", "expected"),
    [
        ([[[1, 2], [3]], [[1, 2], [3, 4]]], "payoffs[0][1]: ragged: shape (1,)"),
        ([[[1, 2], [3, 4]], [[1, 2]]], "payoffs[1]: ragged: shape (1, 2)"),
        ([[[1, 2], [3, [4]]], [[1, 2], [3, 4]]], "payoffs[0][1][1]: ragged"),
        ([[[1, 2], [3, 4]]], "payoffs: shape (1, 2, 2); give one table an agent"),
        ([[1, 2], [3, 4]], "payoffs: shape (2, 2)"),
        ([], "payoffs: empty"),
        ([[], []], "payoffs[0]: empty"),
        (7, "payoffs: shape ()"),
        ([["1", 2]], "payoffs[0][0]: '1' is not a number"),
        ([[True, 2]], "payoffs[0][0]: True is not a number"),
        ([[None, 2]], "payoffs[0][0]: None is not a number"),
        ([[1.0, float("nan")]], "payoffs[0][1]: nan is not a finite number"),
        ([[1.0, float("-inf")]], "payoffs[0][1]: -inf is not a finite number"),
        ([[1.0, 1e200]], "payoffs[0][1]: 1e+200 is beyond"),
        ([[1.0, 10**400]], "payoffs: not all entries are real numbers"),
        (np.array([[1j, 2]]), "payoffs: an array of complex128"),
        (np.zeros((2, 0, 2)), "payoffs: shape (2, 0, 2)"),
    ],
)
def test_tables_that_are_none(payoffs: Any, expected: str) -> None:
    with pytest.raises(InputError) as refused:
        stage_game(payoffs)
    assert expected in str(refused.value)
    assert "\n" not in str(refused.value)
