"""QuantEcon as a witness: values of fixed policies, stationary distributions, recurrent classes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from quantecon import MarkovChain
from quantecon.markov import DiscreteDP

from bounds.shared.numbers import Array
from tabular.cases.case import Case, as_float
from tabular.cases.returns import state_values
from tabular.cases.strategies import cases, tables
from tabular.cases.time_suprema import expected_error, recurrent_classes
from tabular.games.chains import induced_reward, induced_transition
from tabular.games.policy import joint_policy
from tabular.games.random import garnet_arrays
from tests.support.cases import largest_reward, rounding
from tests.support.chains import Chain, chains
from tests.support.loops import learned

#: Unit roundoff of float64.
U = 2.0**-53


def witnessed_values(
    rewards: Array, transition: Array, gamma: float, actions: Sequence[int]
) -> Any:
    """The value of a deterministic policy of a decision process, by QuantEcon."""
    return DiscreteDP(rewards, transition, gamma).evaluate_policy(np.asarray(actions))


@given(cases(branched=False), st.booleans())
def test_values_of_cases(given: Case, model: bool) -> None:
    """The chain that the agents make together is a decision process with one action."""
    floats = as_float(given)
    joint = joint_policy(learned(floats) if model else floats.policies)
    transition = floats.model_transition if model else floats.transition
    witnessed = witnessed_values(
        induced_reward(floats.reward, joint)[:, None],
        induced_transition(transition, joint)[:, None],
        floats.gamma,
        [0] * floats.n_states,
    )
    values = state_values(given, model=model).astype(float)
    # the witness solves the same system in floats, so it is as far from the truth as ours may be
    assert np.abs(values - witnessed).max() <= rounding(given) * largest_reward(given)


@pytest.mark.parametrize("seed", range(5))
def test_deterministic_policies_of_one_agent(seed: int) -> None:
    """Here the witness has the actions, and reads the policy itself."""
    rng = np.random.default_rng(seed)
    drawn = garnet_arrays((3,), 4, 2, rng)
    chosen = rng.integers(3, size=4)
    policy = np.eye(3)[chosen]
    case = Case(
        0.9, (3,), 0, drawn.initial, drawn.transition, drawn.reward[0],
        (policy,), (policy,), drawn.transition, (None,),
    )  # fmt: skip
    witnessed = witnessed_values(drawn.reward[0], drawn.transition, 0.9, chosen)
    gap = np.abs(state_values(case) - witnessed).max()
    assert gap <= 2 * rounding(case) * largest_reward(case)


@given(chains())
def test_recurrent_classes(drawn: Chain) -> None:
    _, matrix, _ = drawn
    witness = MarkovChain(matrix.astype(float))
    expected = {frozenset(map(int, c)) for c in witness.recurrent_classes}
    assert {frozenset(map(int, c)) for c in recurrent_classes(matrix)} == expected


@given(st.integers(2, 4).flatmap(lambda n: st.tuples(tables((n, n)), tables((2, n)))))
def test_expected_errors_approach_the_stationary_one(drawn: tuple[Array, Array]) -> None:
    """|f_t − π e| ≤ τᵗ where any two rows of P share a mass of 1 − τ (Doeblin), as e is in [0, 1].

    And no proved upper value may be below the limit.
    """
    matrix, (initial, error) = drawn
    n = len(initial)
    matrix = (matrix + 1) / (n + 1)  # every state leads everywhere with at least 1/(n + 1)
    together = sum(matrix.min(axis=0))
    (stationary,) = MarkovChain(matrix.astype(float)).stationary_distributions
    limit = float(stationary @ error.astype(float))
    t = 60
    found = expected_error(initial, matrix, error, max_horizon=t)
    # the witness eliminates without subtractions (Grassmann, Taksar and Heyman), so that its
    # distribution has a relative error of a few n³ u
    slack = 8 * n**3 * U
    assert float(found.upper) >= limit - slack
    distribution = initial
    for _ in range(t):
        distribution = np.dot(distribution, matrix)
    assert abs(float(np.dot(distribution, error)) - limit) <= float((1 - together) ** t) + slack
    if found.horizon is not None:  # then the largest value is near the limit from below
        assert float(found.upper - found.value) <= 2 * float((1 - together) ** t) + slack


@given(st.integers(2, 4).flatmap(lambda n: st.tuples(tables((n, n)), tables((1, n)))))
def test_stationary_chains_have_constant_expected_errors(drawn: tuple[Array, Array]) -> None:
    matrix, (error,) = drawn
    floats = matrix.astype(float)
    for stationary in MarkovChain(floats).stationary_distributions:
        found = expected_error(stationary, floats, error.astype(float), max_horizon=50)
        # as above for the start, and 50 steps that round n + 2 times each
        slack = 8 * len(error) ** 3 * U + 50 * (len(error) + 2) * U
        limit = float(stationary @ error.astype(float))
        assert abs(found.value - limit) <= slack
        assert found.upper >= limit - slack
