"""Exact evaluation against plain loops over agents and time, Monte Carlo, floats, known limits."""

from dataclasses import replace
from fractions import Fraction
from itertools import islice, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from bounds.shared.numbers import Array, InputError
from tabular.cases import returns
from tabular.cases.case import Case, case_of
from tabular.cases.perturb import perturbed_case
from tabular.cases.strategies import cases, games
from tabular.games.arrays import exact_array
from tabular.games.chains import induced_reward, induced_transition
from tabular.games.game import StochasticGame, as_sparse, joint_action, split_action
from tabular.games.policy import joint_policy, uniform
from tabular.games.random import garnet
from tests.support.case_laws import (
    assert_branched_return_is_its_definition,
    assert_float_returns_agree,
    assert_returns_are_sums,
    assert_returns_of_a_batch_agree,
    assert_simulation_finds_each_return,
    assert_sparse_returns_agree,
)
from tests.support.cases import (
    random_batch,
    sampled_case,
)
from tests.support.loops import earned, learned, moved, players, plays

#: Unit roundoff of float64.
U = 2.0**-53
HALF = Fraction(1, 2)


# Returns


@given(cases(branched=False))
def test_returns_are_their_sums(given: Case) -> None:
    assert_returns_are_sums(given)


@given(cases(branched=True))
def test_the_branched_return_is_its_definition(given: Case) -> None:
    assert_branched_return_is_its_definition(given)


def visits(given: Case, horizon: int) -> Array:
    """Pr(s_t = s, a_t = a) [t, s, a] as a sum over all histories s₀ a₀ s₁ a₁ …"""
    found = exact_array(np.zeros((horizon, given.n_states, given.joint_actions), int))

    def follow(t: int, s: int, probability: Fraction) -> None:
        if t == horizon or not probability:
            return
        for a, chance in plays(given.policies, s):
            found[t, s, a] += probability * chance
            for u, onward in enumerate(given.transition[s, a]):
                follow(t + 1, u, probability * chance * onward)

    for s, probability in enumerate(given.initial):
        follow(0, s, probability)
    return found


@given(cases(branched=False, n_states=3))
def test_marginals_are_sums_over_histories(given: Case) -> None:
    expected = visits(given, 3)
    world = (given.initial, given.transition, given.joint)
    pairs = list(islice(returns.state_action_marginals(*world), 3))
    states = list(islice(returns.state_marginals(*world), 3))
    assert (np.array(pairs) == expected).all()
    assert (np.array(states) == expected.sum(axis=2)).all()


@given(cases(branched=False))
def test_occupancy(given: Case) -> None:
    occupied = returns.occupancy(given)
    assert occupied.sum() == 1 / (1 - given.gamma)
    assert (occupied >= 0).all()
    rewards = [earned(np.eye(given.n_states, dtype=int)[s], given.policies, given.reward)
               for s in range(given.n_states)]  # fmt: skip
    total = sum(x * r for x, r in zip(occupied, rewards, strict=True))
    assert total == returns.real_return(given)


@given(cases(branched=False), st.booleans())
def test_values_solve_the_bellman_equation(given: Case, model: bool) -> None:
    policies = learned(given) if model else given.policies
    transition = given.model_transition if model else given.transition
    values = returns.state_values(given, model=model)
    for s, value in enumerate(values):
        here = [int(u == s) for u in range(given.n_states)]
        ahead = sum(p * v for p, v in zip(moved(here, policies, transition), values, strict=True))
        assert value == earned(here, policies, given.reward) + given.gamma * ahead
    returned = returns.model_return if model else returns.real_return
    assert returned(given) == sum(p * v for p, v in zip(given.initial, values, strict=True))


# Branched rollouts at their limits


@given(cases(branched=True))
def test_every_length_k_is_the_plain_branch(given: Case) -> None:
    k = given.branch_length
    full = tuple(None if j == given.ego else k for j in range(given.n))
    everywhere = returns.branched_return(replace(given, opponent_lengths=full))
    assert everywhere == returns.branched_return(replace(given, opponent_lengths=None))


@given(cases(branched=True).filter(lambda c: c.branch_length > 0))
def test_every_length_0_is_real_opponents_in_the_model(given: Case) -> None:
    none = tuple(None if j == given.ego else 0 for j in range(given.n))
    real = replace(given, opponent_lengths=None, opponent_models=(None,) * given.n)
    short = returns.branched_return(replace(given, opponent_lengths=none))
    assert short == returns.branched_return(real)


@given(cases(branched=True))
def test_branch_length_0_only_changes_the_actions(given: Case) -> None:
    """At k = 0 the states are those of π_D in T, and the one action is the model's (nⱼ = 0 = k)."""
    none = replace(given, branch_length=0, opponent_lengths=None)
    here = exact_array(np.eye(given.n_states, dtype=int))
    reward = exact_array([earned(row, learned(given), given.reward) for row in here])
    matrix = exact_array([moved(row, given.data_policies, given.transition) for row in here])
    # a chain with one action: its return does not know branches, models or agents
    chain = StochasticGame((1,), matrix[:, None], reward[None, :, None], given.initial, given.gamma)
    plain = case_of(chain, 0, uniform(chain))
    assert returns.branched_return(none) == returns.real_return(plain)


@given(cases(branched=True), st.integers(0, 12))
def test_long_branches_approach_the_model_return(given: Case, k: int) -> None:
    """Rewards at times 0..k are the model's, and later ones differ by at most the span."""
    far = replace(given, branch_length=k, opponent_lengths=None)
    gap = returns.branched_return(far) - returns.model_return(given)
    span = given.reward.max() - given.reward.min()
    assert abs(gap) <= given.gamma ** (k + 1) * span / (1 - given.gamma)


@given(cases(branched=True, exact_opponents=True))
def test_without_any_error_all_returns_are_one(given: Case) -> None:
    perfect = replace(given, data_policies=given.policies, model_transition=given.transition)
    eta = returns.real_return(perfect)
    assert returns.model_return(perfect) == eta == returns.branched_return(perfect)


# Corners with a formula


@given(cases(gamma=Fraction(0), branched=True))
def test_no_discount_left_means_the_first_reward(given: Case) -> None:
    assert returns.real_return(given) == earned(given.initial, given.policies, given.reward)
    first = earned(given.initial, learned(given), given.reward)
    assert returns.model_return(given) == first
    assert returns.branched_return(given) == earned(given.initial, players(given, 1), given.reward)
    assert (returns.occupancy(given) == given.initial).all()


@given(cases(n_states=1, branched=True))
def test_one_state_is_a_repeated_game(given: Case) -> None:
    real, model = (earned([1], p, given.reward) for p in (given.policies, learned(given)))
    assert returns.real_return(given) == real / (1 - given.gamma)
    assert returns.model_return(given) == model / (1 - given.gamma)
    plain = replace(given, opponent_lengths=None)
    assert returns.branched_return(plain) == model / (1 - given.gamma)


@given(cases(actions=(1, 1), branched=True))
def test_one_action_makes_policies_irrelevant(given: Case) -> None:
    alone = StochasticGame((1,), given.transition, given.reward[None], given.initial, given.gamma)
    other = case_of(
        alone,
        0,
        uniform(alone),
        model_transition=given.model_transition,
        branch_length=given.branch_length,
    )
    for returned in (returns.real_return, returns.model_return, returns.branched_return):
        assert returned(given) == returned(other)


@given(cases(actions=(3,), branched=True))
def test_one_agent_has_no_opponents(given: Case) -> None:
    assert given.opponents == ()
    assert (given.joint == given.policies[0]).all()
    assert (given.joint_model == given.policies[0]).all()
    assert_branched_return_is_its_definition(given)


def test_a_case_without_branch_length_has_no_branched_return() -> None:
    game = garnet((2,), 2, 1, np.random.default_rng(0), exact=True)
    with pytest.raises(ValueError, match="no branch_length"):
        returns.branched_return(case_of(game, 0, uniform(game)))


# Joint actions and policies


@given(games())
def test_joint_actions_are_row_major(game: StochasticGame) -> None:
    own = list(product(*map(range, game.actions)))
    assert [joint_action(game.actions, x) for x in own] == list(range(game.joint_actions))
    assert [split_action(game.actions, a) for a in range(game.joint_actions)] == own


@given(cases())
def test_joint_policies_are_products(given: Case) -> None:
    joint = joint_policy(given.policies)
    for s in range(given.n_states):
        expected = [Fraction(0)] * given.joint_actions
        for a, probability in plays(given.policies, s):
            expected[a] = probability
        assert list(joint[s]) == expected


@given(cases(branched=False))
def test_the_induced_chain(given: Case) -> None:
    matrix = induced_transition(given.transition, given.joint)
    reward = induced_reward(given.reward, given.joint)
    for s in range(given.n_states):
        here = [int(u == s) for u in range(given.n_states)]
        assert list(matrix[s]) == moved(here, given.policies, given.transition)
        assert reward[s] == earned(here, given.policies, given.reward)


# Floats, batches, sparse matrices


@given(cases(branched=True))
def test_floats_agree_with_fractions(given: Case) -> None:
    assert_float_returns_agree(given)


@given(cases(exact=False, branched=True))
def test_sparse_equals_dense(given: Case) -> None:
    assert_sparse_returns_agree(given)


@pytest.mark.parametrize("lengths", [None, (None, 0), (None, 2), (None, 4)])
def test_a_batch_is_a_loop(lengths: tuple[int | None, ...] | None) -> None:
    assert_returns_of_a_batch_agree(random_batch(7, 5, lengths))


@given(cases(exact=False))
def test_float_marginals_are_those_of_the_exact_case(given: Case) -> None:
    """Three steps of the same chain by loops; a step rounds s + |A| + n times."""
    world = (given.initial, given.transition, given.joint)
    d = list(given.initial)
    for t, marginal in enumerate(islice(returns.state_marginals(*world), 4)):
        slack = (t + 1) * 4 * (given.n_states + given.joint_actions + given.n) * U
        assert np.abs(marginal - np.array(d, dtype=float)).max() <= slack
        d = moved(d, given.policies, given.transition)


# What makes no case


def plain() -> Case:
    rng = np.random.default_rng(0)
    return perturbed_case(garnet((2, 2), 2, 1, rng, exact=True), rng, branch_length=2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gamma": 1}, "gamma: 1 is not in"),
        ({"gamma": float("nan")}, "gamma: nan is not finite"),
        ({"actions": ()}, "actions: empty"),
        ({"actions": (2, 0)}, r"actions\[1\]: 0"),
        ({"actions": (2, 3)}, r"transition: shape \(2, 4, 2\), and this case needs \(2, 6, 2\)"),
        ({"ego": 2}, "ego: 2"),
        ({"initial": np.array([np.inf, 0])}, r"initial\[0\]: inf is not a finite number"),
        ({"initial": exact_array([HALF, 1])}, "initial: probabilities sum to 3/2, not 1"),
        ({"reward": np.array([[0, np.nan, 0, 0], [0] * 4])}, r"reward\[0\]\[1\]: nan"),
        ({"reward": np.zeros((2, 3))}, r"reward: shape \(2, 3\), and this case needs \(2, 4\)"),
        ({"reward": [[0] * 4] * 2}, r"reward: shape list, and this case needs \(2, 4\)"),
        ({"policies": (exact_array([[1, 0]] * 2),)}, "policies: 1 entries for 2 agents"),
        ({"data_policies": (None, None)}, r"data_policies\[0\]: missing"),
        ({"opponent_models": (exact_array([[1, 0]] * 2), None)}, r"opponent_models\[0\]: the ego"),
        ({"opponent_models": (None, exact_array([[1, 0]]))}, r"opponent_models\[1\]: shape"),
        ({"branch_length": -1}, "branch_length: -1"),
        ({"opponent_lengths": (None, 3)}, r"opponent_lengths\[1\]: 3"),
        ({"opponent_lengths": (None,)}, "opponent_lengths: 1 entries for 2 agents"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_impossible_cases(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(plain(), **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gamma": -HALF}, "gamma: -1/2"),
        ({"actions": (3,)}, r"transition: shape \(2, 2, 2\), and this game needs \(2, 3, 2\)"),
        ({"actions": (2, 1)}, r"reward: shape \(1, 2, 2\), and this game needs \(2, 2, 2\)"),
        ({"initial": exact_array([2, -1])}, r"initial\[1\]: probability -1 is negative"),
        ({"reward": np.full((1, 2, 2), np.inf)}, r"reward\[0\]\[0\]\[0\]: inf"),
        ({"states": ("one",)}, "states: 1 names for 2 states"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_impossible_games(changes: dict[str, Any], message: str) -> None:
    game = garnet((2,), 2, 1, np.random.default_rng(0), exact=True)
    with pytest.raises(InputError, match=message):
        replace(game, **changes)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[1.5, -0.5], [0, 1]], "transition: holds the negative probability -0.5"),
        ([[0.5, 0.25], [0, 1]], r"transition\[0\]: probabilities sum to 0.75, not 1"),
        ([[np.nan, 1], [0, 1]], r"transition\[0\]: nan is not a finite number"),
    ],
)
def test_impossible_sparse_games(rows: list[list[float]], message: str) -> None:
    matrix, none = sparse.csr_array(np.array(rows)), np.zeros((1, 2, 1))
    with pytest.raises(InputError, match=message):
        StochasticGame((1,), matrix, none, np.array([1.0, 0]), 0.5)


def test_sparse_stays_sparse() -> None:
    game = as_sparse(garnet((2,), 3, 2, np.random.default_rng(0)))
    assert as_sparse(game) is game


# Monte Carlo


@pytest.mark.parametrize("seed", range(4))
def test_simulation_finds_each_return(seed: int) -> None:
    """With confidence 1 − 10⁻⁹ a false alarm in these twelve runs has probability 1.2·10⁻⁸."""
    assert_simulation_finds_each_return(sampled_case(seed), seed)
