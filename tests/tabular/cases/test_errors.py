"""Errors against their definitions in plain Python; maxima over time and the proofs behind them."""

from dataclasses import replace
from fractions import Fraction
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from bounds.formula.error_profile import ErrorProfile
from bounds.shared.numbers import Array
from tabular.cases import errors, time_suprema
from tabular.cases.case import Case, as_float
from tabular.cases.errors import total_variation
from tabular.cases.strategies import cases, distributions, profiles
from tabular.games.arrays import exact_array, is_exact_array
from tests.support.case_laws import assert_errors_are_their_definitions, assert_maximum_over_time
from tests.support.cases import clock, sparse_case
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
    exact = errors.measure(given, max_horizon=8)
    floats = errors.measure(as_float(given), max_horizon=8)
    # one rounding a number that is read, one a subtraction, one an addition
    rows = (max(given.n_states, given.joint_actions) + given.n + 4) * U
    for one, other in zip(exact.policy_shift, floats.policy_shift, strict=True):
        assert abs(float(one) - other) <= rows
    for one, other in zip(exact.opponent_model, floats.opponent_model, strict=True):
        assert (one is None) == (other is None)
        assert one is None or abs(float(one) - other) <= rows
    assert abs(float(exact.model_sup) - floats.model_sup) <= rows
    assert abs(float(exact.joint_policy_shift) - floats.joint_policy_shift) <= rows
    # each step of the chain rounds once more; a float maximum may stop FLOAT_GAP below the top
    time = 10 * (given.n_states + given.joint_actions + given.n) * U + time_suprema.FLOAT_GAP
    for one, other in ((exact.data, floats.data), (exact.current, floats.current)):
        assert other.value <= float(one.upper) + time
        if one.steps <= other.steps or other.horizon is None:
            assert float(one.value) <= other.value + time


@given(cases(exact=False))
def test_sparse_errors_agree_with_dense_ones(given: Case) -> None:
    dense, thin = (errors.measure(c, max_horizon=8) for c in (given, sparse_case(given)))
    rows = 2 * (given.n_states + 4) * U
    assert abs(dense.model_sup - thin.model_sup) <= rows
    assert (dense.policy_shift, dense.opponent_model) == (thin.policy_shift, thin.opponent_model)
    assert (dense.r_max, dense.span) == (thin.r_max, thin.span)
    # as in the test above
    time = 20 * (given.n_states + given.joint_actions + given.n) * U + time_suprema.FLOAT_GAP
    for one, other in ((dense.data, thin.data), (dense.current, thin.current)):
        assert other.value <= one.upper + time
        assert one.value <= other.upper + time
        if one.horizon is None and other.horizon is None:
            assert abs(one.value - other.value) <= time


# Maxima over time


@given(chains(), st.integers(0, 12))
def test_the_maximum_and_its_upper_value(drawn: Chain, limit: int) -> None:
    assert_maximum_over_time(drawn, limit)


@given(chains(), st.integers(0, 12))
def test_the_majorant_proves_the_upper_value(drawn: Chain, limit: int) -> None:
    initial, matrix, error = drawn
    found = time_suprema.expected_error(*drawn, max_horizon=limit)
    h = found.majorant
    if h is None:  # then the distribution at the last step was there before
        seen = [list(initial)]
        for _ in range(found.steps):
            seen.append(list(np.dot(seen[-1], matrix)))
        assert seen[-1] in seen[:-1]
        return
    ahead = error
    for _ in range(found.steps):
        ahead = np.dot(matrix, ahead)
    assert (h >= ahead).all()
    assert (np.dot(matrix, h) <= h).all()
    assert found.upper == max(found.value, np.dot(initial, h))


@given(chains(kind="permutation"))
def test_periodic_chains_are_always_settled(drawn: Chain) -> None:
    """A permutation of at most four states repeats after at most 4 steps."""
    found = time_suprema.expected_error(*drawn, max_horizon=4)
    assert found.horizon is None
    assert found.value == max(islice(over_time(*drawn), 12))


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
    initial, matrix, error = (x.astype(float) for x in drawn)
    used = sparse.csr_array(matrix) if thin else matrix
    found = time_suprema.expected_error(initial, used, error, max_horizon=limit)
    values = list(islice(over_time(*drawn), found.steps + 41))
    # entries are multiples of 1/4 and 1/3, so transient states are left within s steps with
    # probability at least 4^−s, and the solve for the majorant has ‖(I − Q)⁻¹‖ ≤ s 4^s ≤ 1024;
    # 16 roundings a step and state are more than there are
    slack = 16 * 4 * 1024 * (found.steps + 2) * U
    assert abs(found.value - float(max(values[: found.steps + 1]))) <= slack
    assert found.upper >= float(max(values)) - slack
    settled = found.upper - found.value <= time_suprema.FLOAT_GAP
    assert (found.horizon is None) == settled
    assert found.horizon in (None, found.steps)


@given(st.lists(chains(exact=False), min_size=1, max_size=5), st.integers(0, 12))
def test_a_batch_of_chains_is_a_loop(drawn: list[Chain], limit: int) -> None:
    n = min(len(initial) for initial, _, _ in drawn)
    same = [x for x in drawn if len(x[0]) == n]
    initial, matrix, error = (np.stack([x[i] for x in same]) for i in range(3))
    found = time_suprema.expected_error(initial, matrix, error, max_horizon=limit)
    for i, one in enumerate(same):
        values = list(islice(over_time(*one), limit + 41))
        settled = found.horizon[i] == -1
        # a chain counts as settled once it moves by no more than FLOAT_GAP a step; within 12 steps
        # that happens where it stands still or its moves shrink tenfold a step, so a ninth of
        # FLOAT_GAP is to come; and sums of a few numbers round a few times a step
        slack = 2 * time_suprema.FLOAT_GAP + 16 * (limit + 2) * n * U
        assert found.value[i] <= max(values[: limit + 1]) + slack
        assert found.upper[i] >= max(values) - slack
        if settled:
            assert abs(found.value[i] - max(values)) <= slack
        else:
            assert found.horizon[i] == limit
            assert abs(found.value[i] - max(values[: limit + 1])) <= slack


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
    assert set(expected_over_time(clock(phases), clock(phases).policies, 20)) == {
        Fraction(1, phases)
    }


def test_the_data_error_is_not_measured_twice_where_the_policies_are_the_same() -> None:
    given = clock(3)
    found = errors.measure(given)
    assert found.data is found.current
    copied = replace(given, data_policies=tuple(p.copy() for p in given.policies))
    again = errors.measure(copied)
    assert is_exact_array(again.data.majorant) == is_exact_array(found.data.majorant)
    assert (again.data.value, again.data.horizon) == (found.data.value, found.data.horizon)
