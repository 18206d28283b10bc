"""Zero-sum stage games: duality without a gap, linear programming as the witness, any size."""

from fractions import Fraction
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounds.shared.numbers import Array, InputError
from tabular.equilibria import zero_sum_stage
from tabular.equilibria.support_enumeration import support_enumeration
from tabular.equilibria.zero_sum_stage import best_guarantee, solve_matrix
from tabular.games.arrays import exact_array
from tests.support.stage_games import lp_value


@st.composite
def matrices(draw: st.DrawFn, largest: int = 5) -> Array:
    shape = draw(st.tuples(st.integers(1, largest), st.integers(1, largest)))
    entries = draw(st.lists(st.integers(-3, 3), min_size=prod(shape), max_size=prod(shape)))
    scale = draw(st.sampled_from([Fraction(1), Fraction(1, 7), Fraction(10**6)]))
    return scale * exact_array(np.array(entries).reshape(shape))


@given(matrices())
def test_duality_without_a_gap(payoff: Array) -> None:
    found = solve_matrix(payoff)
    assert found.guaranteed == found.conceded
    for own in (found.x, found.y):
        assert own.sum() == 1
        assert (own >= 0).all()
    assert (found.x @ payoff).min() == found.guaranteed
    assert (payoff @ found.y).max() == found.conceded


@given(matrices(largest=4))
def test_the_values_of_its_equilibria(payoff: Array) -> None:
    """Every equilibrium of the bimatrix game (A, −A) has the value of A."""
    equilibria = support_enumeration(np.stack([payoff, -payoff]))
    value = solve_matrix(payoff).guaranteed
    assert all(own == value for own in equilibria.payoffs[:, 0])


@given(matrices())
def test_floats_lose_only_rounding(payoff: Array) -> None:
    floats = payoff.astype(float)
    found, exact = solve_matrix(floats), solve_matrix(exact_array(floats))
    size = float(np.abs(floats).max())
    # what any strategy guarantees is at most the value; sums of five products round five times
    assert found.guaranteed <= float(exact.guaranteed) + 8 * 2.0**-53 * size
    assert found.conceded >= float(exact.guaranteed) - 8 * 2.0**-53 * size
    # candidates are solved through determinants of at most 5×5, entries of 1/7 carry rounding
    assert found.conceded - found.guaranteed <= 1e-12 * size


@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 6))
def test_linear_programming_agrees(seed: int, rows: int, columns: int) -> None:
    payoff = np.random.default_rng(seed).normal(size=(rows, columns))
    found = solve_matrix(payoff)
    # HiGHS keeps its constraints to 1e-7
    assert abs(found.guaranteed - lp_value(payoff)) <= 1e-6
    assert found.conceded - found.guaranteed >= -1e-15
    # determinants of normal numbers are seldom nearly 0: a loss of 1e-9 means 1e6 roundings
    assert found.conceded - found.guaranteed <= 1e-9


@pytest.mark.parametrize("shape", [(15, 15), (4, 30), (30, 4)])
def test_large_matrices(shape: tuple[int, int]) -> None:
    """Too many candidates: the simplex method, in integers also for floats."""
    payoff = np.random.default_rng(0).normal(size=shape)
    found = solve_matrix(payoff)
    assert abs(found.guaranteed - lp_value(payoff)) <= 1e-6
    # exact strategies, rounded once
    assert abs(found.conceded - found.guaranteed) <= sum(shape) * 2.0**-52 * np.abs(payoff).max()


@given(st.integers(0, 10**6))
def test_both_ways_agree(seed: int) -> None:
    payoff = np.random.default_rng(seed).integers(-2, 3, (4, 5)).astype(float)
    tried = best_guarantee(payoff)[1]
    pivoted = best_guarantee(exact_array(payoff))[1]
    assert abs(tried - float(pivoted)) <= 1e-13


def test_batches_and_single_games() -> None:
    rng = np.random.default_rng(0)
    payoff = rng.normal(size=(6, 5, 3, 4))
    together = solve_matrix(payoff)
    assert together.x.shape == (6, 5, 3)
    assert together.y.shape == (6, 5, 4)
    for i, j in np.ndindex(6, 5):
        alone = solve_matrix(payoff[i, j])
        assert alone.guaranteed == together.guaranteed[i, j]
        assert np.array_equal(alone.y, together.y[i, j])
    assert best_guarantee(np.zeros((0, 2, 2)))[1].shape == (0,)


def test_known_values() -> None:
    half, third = Fraction(1, 2), Fraction(1, 3)
    pennies = solve_matrix(exact_array([[1, -1], [-1, 1]]))
    assert (pennies.guaranteed, list(pennies.x), list(pennies.y)) == (0, [half] * 2, [half] * 2)
    rock = solve_matrix(exact_array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]))
    assert (rock.guaranteed, list(rock.x)) == (0, [third] * 3)
    saddle = solve_matrix(exact_array([[3, 5], [2, 9]]))
    assert (saddle.guaranteed, list(saddle.x), list(saddle.y)) == (3, [1, 0], [1, 0])


def test_a_player_without_actions() -> None:
    with pytest.raises(InputError, match="give each player an action"):
        solve_matrix(np.zeros((2, 0)))


def test_a_lost_candidate_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the mixed candidates the gap shows that the strategies are not optimal."""
    pennies = np.array([[1.0, -1], [-1, 1]])
    assert solve_matrix(pennies).conceded == solve_matrix(pennies).guaranteed == 0
    monkeypatch.setattr(zero_sum_stage, "min", lambda *_: 1, raising=False)
    assert solve_matrix(pennies).conceded - solve_matrix(pennies).guaranteed == 2
