"""Errors against their definitions in plain Python; maxima over time and the proofs behind them."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from bounds.formula.error_profile import ErrorProfile
from bounds.shared.numbers import Array
from tabular.cases import errors, time_suprema
from tabular.cases.case import Case
from tabular.cases.errors import total_variation
from tabular.cases.strategies import cases, distributions, profiles
from tabular.games.arrays import exact_array, is_exact_array
from tests.support.case_laws import (
    assert_errors_are_their_definitions,
    assert_errors_of_a_batch_agree,
    assert_float_errors_agree,
    assert_float_maximum_over_time,
    assert_maxima_of_a_batch,
    assert_maximum_over_time,
    assert_sparse_errors_agree,
    assert_the_majorant_proves_the_upper_value,
)
from tests.support.cases import clock, random_batch
from tests.support.chains import Chain, chains, over_time
from tests.support.loops import expected_over_time, largest_event

#: Unit roundoff of float64.
U = 2.0**-53
HALF = Fraction(1, 2)


# Definitions


@given(st.integers(1, 6).flatmap(lambda n: st.tuples(distributions(n), distributions(n))))
def test_total_variation_is_the_largest_event(pair: tuple[Array, Array]) -> None:
    p, q = pair
    assert total_variation(p, q) == largest_event(p, q)
    assert 0 <= total_variation(p, q) <= 1
    # two terms are rounded per entry, and their sums once each
    difference = float(total_variation(p.astype(float), q.astype(float)))
    assert abs(difference - float(largest_event(p, q))) <= (len(p) + 2) * U


@given(cases())
def test_errors_are_their_definitions(given: Case) -> None:
    assert_errors_are_their_definitions(given)


@given(cases())
def test_the_joint_shift_lies_between_the_largest_and_the_independent_one(given: Case) -> None:
    found = errors.measure(given, max_horizon=0)
    together = Fraction(1)
    for shift in found.policy_shift:
        together *= 1 - shift
    assert max(found.policy_shift) <= found.joint_policy_shift <= 1 - together


@given(cases(branched=True))
def test_profiles_have_the_ego_agent_first(given: Case) -> None:
    found = errors.measure(given, max_horizon=3)
    for proved in (False, True):
        made = errors.profile(given, found, proved=proved)
        others = [j for j in range(given.n) if j != given.ego]
        assert made.policy_shift == tuple(found.policy_shift[j] for j in (given.ego, *others))
        assert made.opponent_model == tuple(found.opponent_model[j] for j in others)
        assert made.model_data == (found.data.upper if proved else found.data.value)
        assert made.model_current == (found.current.upper if proved else found.current.value)
        assert (made.model_sup, made.joint_policy_shift) == (
            found.model_sup,
            found.joint_policy_shift,
        )
        assert (made.gamma, made.k) == (given.gamma, given.branch_length)
        assert (made.r_max, made.span) == (found.r_max, found.span)
        if given.opponent_lengths is not None:
            assert made.opponent_lengths == tuple(given.opponent_lengths[j] for j in others)


@given(profiles() | profiles(exact=False))
def test_drawn_profiles_are_consistent(drawn: ErrorProfile) -> None:
    """The public strategy: errors that belong together, in one arithmetic."""
    assert max(drawn.model_data, drawn.model_current) <= drawn.model_sup
    assert drawn.span <= 2 * drawn.r_max
    assert drawn.joint_policy_shift is None or drawn.joint_policy_shift >= max(drawn.policy_shift)
    kinds = {isinstance(x, float) for x in (drawn.gamma, drawn.model_sup, drawn.r_max, drawn.span)}
    assert len(kinds) == 1


@given(cases())
def test_float_errors_agree_with_exact_ones(given: Case) -> None:
    assert_float_errors_agree(given)


@given(cases(exact=False))
def test_sparse_errors_agree_with_dense_ones(given: Case) -> None:
    assert_sparse_errors_agree(given)


@pytest.mark.parametrize("seed", [0, 1])
def test_errors_of_a_batch_are_those_of_its_cases(seed: int) -> None:
    assert_errors_of_a_batch_agree(random_batch(seed, 5, None))


# Maxima over time


@given(chains(), st.integers(0, 12))
def test_the_maximum_and_its_upper_value(drawn: Chain, limit: int) -> None:
    assert_maximum_over_time(drawn, limit)


@given(chains(), st.integers(0, 12))
def test_the_majorant_proves_the_upper_value(drawn: Chain, limit: int) -> None:
    assert_the_majorant_proves_the_upper_value(drawn, limit)


@given(chains(kind="permutation"))
def test_periodic_chains_are_always_settled(drawn: Chain) -> None:
    """A permutation of at most four states repeats after at most 4 steps."""
    found = time_suprema.expected_error(*drawn, max_horizon=4)
    assert found.horizon is None
    assert found.value == max(over_time(drawn, 12))


def test_a_supremum_that_is_never_reached() -> None:
    """Half the rest is absorbed a step: f_t = 1 − 2⁻ᵗ, so no t attains the supremum 1."""
    matrix = exact_array([[HALF, HALF], [0, 1]])
    found = time_suprema.expected_error(
        exact_array([1, 0]), matrix, exact_array([0, 1]), max_horizon=9
    )
    assert found.value == 1 - HALF**9
    assert found.upper == 1
    assert found.horizon == 9


def test_a_maximum_in_the_middle_is_proved() -> None:
    """A bump travels through the chain: 0, 1, 0, 0, … and then a quiet end."""
    matrix = exact_array([[0, 1, 0], [0, 0, 1], [0, 0, 1]])
    found = time_suprema.expected_error(
        exact_array([1, 0, 0]), matrix, exact_array([0, 1, Fraction(1, 3)]), max_horizon=50
    )
    assert (found.value, found.horizon) == (1, None)


def test_the_majorant_weighs_where_the_chain_is_absorbed() -> None:
    """Absorbed with 1/4 where the error is 1, with 3/4 where it is 0: the limit is 1/4."""
    quarter = Fraction(1, 4)
    matrix = exact_array([[0, quarter, 1 - quarter], [0, 1, 0], [0, 0, 1]])
    found = time_suprema.expected_error(
        exact_array([1, 0, 0]), matrix, exact_array([0, 1, 0]), max_horizon=50
    )
    assert (found.value, found.upper, found.horizon) == (quarter, quarter, None)


def test_no_error_at_all_is_settled_at_once() -> None:
    found = time_suprema.expected_error(
        exact_array([1, 0]), exact_array([[HALF, HALF], [0, 1]]), exact_array([0, 0])
    )
    assert (found.value, found.upper, found.horizon, found.steps) == (0, 0, None, 0)


def test_long_numbers_end_the_exact_search() -> None:
    """A tenth of the rest is absorbed a step, so numbers grow by 3.3 bits each."""
    tenth = Fraction(1, 10)
    matrix = exact_array([[1 - tenth, tenth], [0, 1]])
    found = time_suprema.expected_error(
        exact_array([1, 0]), matrix, exact_array([0, 1]), max_horizon=10**6
    )
    assert found.steps == found.horizon < 10_000
    assert found.upper == 1
    assert found.value == 1 - (1 - tenth) ** found.steps


@given(chains(), st.booleans(), st.integers(0, 12))
def test_float_and_sparse_maxima(drawn: Chain, thin: bool, limit: int) -> None:
    assert_float_maximum_over_time(drawn, thin, limit)


@given(st.lists(chains(exact=False), min_size=1, max_size=5), st.integers(0, 12))
def test_a_batch_of_chains_is_a_loop(drawn: list[Chain], limit: int) -> None:
    n = min(len(initial) for initial, _, _ in drawn)
    assert_maxima_of_a_batch([x for x in drawn if len(x[0]) == n], limit)


def test_a_batch_does_not_take_a_slow_leak_for_rest() -> None:
    """10⁻¹³ a step ends in the state with error 1: the supremum is 1, not the first value 0."""
    leak = 1e-13
    matrix = np.array([[1 - leak, leak], [0, 1]])
    found = time_suprema.expected_error(np.array([[1.0, 0]]), matrix[None], np.array([[0, 1.0]]))
    assert found.upper[0] > 0.99


@pytest.mark.parametrize("leak", [1e-6, 1e-10, 1e-13, 1e-15])
def test_a_slow_leak_does_not_lower_the_proved_upper_value(leak: float) -> None:
    """There is one recurrent class, so the chain ends in its state of error 1 with certainty.

    The system for the probability of ending there has condition number 1/leak, so solving it
    without using that such probabilities sum to 1 loses up to u/leak.
    """
    matrix, error = np.array([[1 - leak, leak], [0, 1]]), np.array([0, 1.0])
    found = time_suprema.expected_error(np.array([1.0, 0]), matrix, error, max_horizon=20)
    assert found.upper >= 1 - 8 * U


# Recurrent classes


def reachable(matrix: Array, start: int) -> set[int]:
    found, waiting = {start}, [start]
    while waiting:
        s = waiting.pop()
        fresh = [u for u in range(len(matrix)) if matrix[s][u] != 0 and u not in found]
        found.update(fresh)
        waiting += fresh
    return found


def closed_classes(matrix: Array) -> set[frozenset[int]]:
    """A state is recurrent if it can be reached again from whatever it reaches."""
    reach = [reachable(matrix, s) for s in range(len(matrix))]
    return {frozenset(r) for s, r in enumerate(reach) if all(s in reach[u] for u in r)}


@given(
    st.integers(1, 9).flatmap(
        lambda n: st.lists(
            st.lists(st.sampled_from((0, 0, 0, 1)), min_size=n, max_size=n), min_size=n, max_size=n
        )
    )
)
def test_recurrent_classes(links: list[list[int]]) -> None:
    for s, row in enumerate(links):
        if not any(row):
            row[s] = 1
    weights = np.array(links, dtype=float)
    matrix = weights / weights.sum(axis=1, keepdims=True)
    expected = closed_classes(matrix)
    exact = exact_array([[Fraction(x, sum(row)) for x in row] for row in links])
    for chain_matrix in (matrix, exact, sparse.csr_array(matrix)):
        classes = time_suprema.recurrent_classes(chain_matrix)
        assert {frozenset(map(int, c)) for c in classes} == expected
        assert len(classes) == len(expected)


def test_zeros_that_a_sparse_matrix_stores_are_no_links() -> None:
    """Products with deterministic policies store zeros: the chain below stays where it is."""
    values, columns, starts = np.array([1.0, 0, 0, 1]), np.array([0, 1, 0, 1]), np.array([0, 2, 4])
    stored = sparse.csr_array((values, columns, starts), shape=(2, 2))
    assert [list(map(int, c)) for c in time_suprema.recurrent_classes(stored)] == [[0], [1]]


# The clock


@pytest.mark.parametrize("phases", range(1, 8))
def test_the_clock_has_expected_error_1_in_n_at_every_time(phases: int) -> None:
    found = errors.measure(clock(phases))
    for error in (found.data, found.current):
        assert (error.value, error.upper, error.horizon) == (Fraction(1, phases),) * 2 + (None,)
    assert found.model_sup == 1
    assert set(expected_over_time(clock(phases), False, 20)) == {Fraction(1, phases)}


def test_the_data_error_is_not_measured_twice_where_the_policies_are_the_same() -> None:
    given = clock(3)
    found = errors.measure(given)
    assert found.data is found.current
    copied = replace(given, data_policies=tuple(p.copy() for p in given.policies))
    again = errors.measure(copied)
    assert is_exact_array(again.data.majorant) == is_exact_array(found.data.majorant)
    assert (again.data.value, again.data.horizon) == (found.data.value, found.data.horizon)
