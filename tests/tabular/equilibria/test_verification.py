"""Float equilibria against rounding: the proved regret, planted errors, fines, offsets, scales."""

from dataclasses import replace
from fractions import Fraction
from time import process_time

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bounds.shared.numbers import Array, InputError
from tabular.cases.strategies import games, tables
from tabular.equilibria.exploitability import profile_values, stage_payoffs
from tabular.equilibria.nash_value_iteration import Solution, solve
from tabular.equilibria.selection import parse_selection
from tabular.equilibria.stage_game import deviation_payoffs, expected_payoffs, regret
from tabular.equilibria.support_enumeration import support_enumeration
from tabular.equilibria.verification.near_rationals import near_rationals
from tabular.equilibria.verification.one_state import one_state_equilibria
from tabular.equilibria.verification.payoff_sizes import centred, rounded
from tabular.equilibria.verification.refinement import as_exact
from tabular.equilibria.verification.rounding_check import rounding_check
from tabular.games.arrays import exact_array
from tabular.games.catalogue import find
from tabular.games.game import StochasticGame, as_float
from tabular.games.literature import repeated
from tabular.games.policy import Policies
from tabular.games.random import garnet
from tests.support.stage_games import lp_value, stage_games

#: Fines of "not available".
FINES = (1e9, 1e12, 1e15)


def solved(game: StochasticGame, name: str = "first") -> Solution:
    return solve(game, parse_selection(name, game.n))


def exact_policies(policies: Policies) -> Policies:
    """The rationals that the floats are, divided by their sums."""
    certain = [exact_array(own) for own in policies]
    return tuple(own / own.sum(axis=-1, keepdims=True) for own in certain)


def true_regret(game: StochasticGame, policies: Policies) -> Array:
    """The largest gain of one deviation by one action, [s], in rational numbers."""
    certain, drawn = as_exact(game), exact_policies(policies)
    payoffs = stage_payoffs(certain, profile_values(certain, drawn))
    at = expected_payoffs(payoffs, drawn)
    gains = [
        (deviation_payoffs(payoffs, drawn, j) - at[:, j, None]).max(axis=-1)
        for j in range(certain.n)
    ]
    return np.asarray(np.maximum.reduce(gains))


# The proved regret


@st.composite
def games_with_policies(draw: st.DrawFn) -> tuple[StochasticGame, Policies]:
    game = draw(games(exact=False))
    size = draw(st.sampled_from([1.0, 1e-12, 1e12]))
    offset = draw(st.sampled_from([0.0, 1.0, 1e9]))
    game = replace(game, reward=size * game.reward + offset)
    policies = [draw(tables((game.n_states, own), exact=False)) for own in game.actions]
    return game, tuple(policies)


@given(games_with_policies())
def test_the_bound_is_never_below_the_regret(drawn: tuple[StochasticGame, Policies]) -> None:
    """In rational numbers, of policies that are no equilibria mostly."""
    game, policies = drawn
    check = rounding_check(game, policies)
    truth = true_regret(game, policies)
    assert all(Fraction(float(b)) >= r for b, r in zip(check.bound, truth, strict=True))


@given(games(), st.sampled_from(["first", "best-sum"]))
def test_an_equilibrium_that_was_rounded_once_passes(game: StochasticGame, name: str) -> None:
    found = solved(game, name)
    assume(found.exact)
    floats = as_float(game)
    check = rounding_check(floats, tuple(own.astype(float) for own in found.policies))
    assert check.holds
    assert check.excess < 1


@pytest.mark.parametrize("fine", FINES)
@pytest.mark.parametrize("slip", [1e-10, 1e-6])
def test_a_planted_slip_is_found_beside_a_fine(fine: float, slip: float) -> None:
    """Weights moved by 10⁻¹⁰ gain a third of that; κ w is near 10⁻¹³ here, as γ is 9/10."""
    game = fined(fine)
    found = solved(game)
    assert found.status == "converged"
    x, y = (own.copy() for own in found.policies)
    x[0, :2] += np.array([slip, -slip])
    check = rounding_check(game, (x, y))
    assert not check.holds
    assert check.excess > 5e10 * slip
    assert (check.bound.astype(float) >= true_regret(game, (x, y)).astype(float)).all()


# Fines: the right values are from the rational game without the fined actions


def fined(fine: float) -> StochasticGame:
    """Two states; each agent's third action costs it ``fine``."""
    own = np.array([[[0.37, 0.81], [0.64, 0.22]], [[0.4, 0.0], [0.5, 0.1]]])
    other = np.array([[[0.55, 0.13], [0.19, 0.92]], [[0.4, 0.5], [0.0, 0.1]]])
    reward = np.zeros((2, 2, 3, 3))
    reward[0, :, :2, :2], reward[1, :, :2, :2] = own, other
    reward[0, :, 2], reward[1, :, :, 2] = -fine, -fine
    transition = np.zeros((2, 9, 2))
    transition[0], transition[1] = [0.3, 0.7], [1, 0]
    return StochasticGame((3, 3), transition, reward.reshape(2, 2, 9), np.array([1.0, 0.0]), 0.9)


def unfined(game: StochasticGame) -> StochasticGame:
    """The same without the third actions, in exact numbers."""
    reward = game.reward.reshape(2, -1, 3, 3)[:, :, :2, :2].reshape(2, -1, 4)
    transition = game.transition.reshape(-1, 3, 3, game.n_states)[:, :2, :2]
    smaller = replace(
        game,
        actions=(2, 2),
        reward=reward,
        transition=transition.reshape(-1, 4, game.n_states),
    )
    return as_exact(smaller)


@pytest.mark.parametrize("fine", FINES)
def test_fines_that_nobody_risks(fine: float) -> None:
    game = fined(fine)
    found = solved(game)
    assert found.status == "converged"
    right = solved(unfined(game))
    # one stage equilibrium is mixed, the other pure: values are linear in it, and agree to rounding
    assert np.allclose(found.values, right.values.astype(float), rtol=1e-12)
    assert found.values[:, 0] == pytest.approx([3.503924, 2.954121], abs=1e-6)
    assert (found.policies[0][:, 2] == 0).all()
    assert (found.policies[1][:, 2] == 0).all()
    assert found.exploitability <= 1e-11
    truth = true_regret(game, found.policies)
    assert all(Fraction(float(b)) >= r for b, r in zip(found.regret_bound, truth, strict=True))


@pytest.mark.parametrize("fine", FINES)
def test_fines_in_a_zero_sum_game(fine: float) -> None:
    own = np.zeros((2, 3, 3))
    own[0, :2, :2], own[1, :2, :2] = [[3, -1], [-2, 4]], [[0.3, -0.1], [-0.2, 0.1]]
    own[:, :2, 2], own[:, 2] = fine, -fine
    reward = np.stack([own, -own]).reshape(2, 2, 9)
    transition = np.zeros((2, 9, 2))
    transition[0], transition[1] = [0.5, 0.5], [1, 0]
    game = StochasticGame((3, 3), transition, reward, np.array([1.0, 0.0]), 0.9)
    found = solved(game)
    assert (found.method, found.status) == ("shapley", "converged")
    # both stage games are separable: v₀ = 1 + γ(v₀ + v₁)/2, v₁ = 1/70 + γ v₀
    first = Fraction(1) + Fraction(9, 20) * Fraction(1, 70)
    first /= 1 - Fraction(9, 20) - Fraction(81, 200)
    second = Fraction(1, 70) + Fraction(9, 10) * first
    assert found.values[0] == pytest.approx([float(first), float(second)], rel=1e-12)
    assert found.values[0] == pytest.approx([6.94089, 6.26108], abs=1e-5)
    assert found.exploitability <= 1e-10


def test_random_games_with_fines_of_any_size() -> None:
    """Answers that are called converged pass a check in rational numbers."""
    rng = np.random.default_rng(0)
    verdicts = []
    for _ in range(60):
        game = as_float(garnet((3, 3), 2, 2, rng))
        reward = game.reward.copy()
        hit = rng.random(reward.shape) < 0.2
        reward[hit] = -(10.0 ** rng.uniform(3, 15))
        game = replace(game, reward=reward)
        found = solved(game)
        verdicts.append(found.status)
        truth = true_regret(game, found.policies)
        bound = [Fraction(float(b)) for b in found.regret_bound]
        assert all(b >= r for b, r in zip(bound, truth, strict=True))
        if found.status == "converged":
            # where fines cannot be avoided the values are of their size, and rounding is too
            assert float(truth.max()) <= 1e-9 * max(1.0, float(np.abs(found.values).max()))
    assert verdicts.count("converged") >= 30


# Offsets and units


def test_an_offset_changes_no_choice() -> None:
    stag_hunt = np.array([[[3.0, 3.0], [0.0, 3.4]], [[3.0, 0.0], [3.0, 3.4]]])
    for offset in (0.0, 1e9, -1e9):
        game = as_float(repeated(list(stag_hunt + offset), Fraction(0)))
        found = solved(game, "best-sum")
        assert found.policies[0][0].tolist() == [0, 1]
        assert found.policies[1][0].tolist() == [0, 1]


@given(games(exact=False, actions=(2, 3)))
def test_offsets_are_taken_off_exactly(game: StochasticGame) -> None:
    whole = replace(game, reward=np.rint(game.reward))
    moved = replace(whole, reward=whole.reward + np.array([2.0**40, -(2.0**35)])[:, None, None])
    bare = centred(moved)
    # each agent's rewards differ from the first game's by one number
    for own, other in zip(bare.reward, whole.reward, strict=True):
        assert len(np.unique(own - other)) == 1
    assert np.abs(bare.reward).max() <= 2 * np.abs(whole.reward).max()


def test_a_fine_is_no_offset() -> None:
    reward = np.array([[[1.0, 1.0, 1.0, -1e12]], [[1.0, 2.0, 3.0, 4.0]]])
    game = replace(as_float(find("chicken").build()), reward=reward)
    assert centred(game).reward[0, 0].tolist() == [0, 0, 0, -1e12 - 1]
    assert np.array_equal(centred(game).reward[1], reward[1])


@pytest.mark.parametrize("power", [-300, -40, 40, 300])
def test_units_change_nothing(power: int) -> None:
    """A power of two scales every float without rounding."""
    one = fined(1e12)
    two = replace(one, reward=np.ldexp(one.reward, power))
    found, scaled = solved(one), solved(two)
    assert scaled.status == found.status == "converged"
    assert np.array_equal(np.ldexp(found.values, power), scaled.values)
    assert np.array_equal(np.ldexp(found.regret_bound, power), scaled.regret_bound)


def test_entries_are_rounded_by_their_own_size() -> None:
    """Ties up to rounding become ties; a small entry keeps its digits beside a fine."""
    table = np.array([1.0, 1.0 + 2.0**-50, 0.3, -1e15]).reshape(1, 1, 4)
    out = rounded(table, np.abs(table)).ravel()
    assert out[0] == out[1]
    assert abs(out[2] - 0.3) <= 2.0**-40
    assert out[3] == -1e15


# Constant sums


@given(stage_games(agents=2), st.sampled_from([0, 1, 100, -7, 10**9]))
def test_constant_sums_are_zero_sums(payoffs: Array, constant: int) -> None:
    own = payoffs[0]
    game = repeated([own, constant - own], Fraction(1, 2))
    found = solved(as_float(game))
    assert found.method == "shapley"
    # HiGHS keeps its constraints to 1e-7
    assert found.values[0, 0] / 2 == pytest.approx(lp_value(own.astype(float)), abs=1e-6)
    assert found.values.sum() == pytest.approx(2 * constant, rel=1e-12, abs=1e-9)


def test_large_constant_sums_need_no_list() -> None:
    payoff = np.random.default_rng(0).integers(0, 100, (12, 12))
    found = solved(repeated([payoff, 100 - payoff], Fraction(0)))
    assert found.method == "shapley"
    assert float(found.values[0, 0]) == pytest.approx(lp_value(payoff.astype(float)), abs=1e-5)


def test_zero_sum_up_to_rounding() -> None:
    rng = np.random.default_rng(1)
    own = rng.uniform(-1, 1, (3, 3)) / 3
    other = -own * (1 + rng.uniform(-1, 1, own.shape) * 2.0**-53)
    assert solved(as_float(repeated([own, other], Fraction(1, 2)))).method == "shapley"
    assert (
        solved(as_float(repeated([own, -own + 1e-6 * own**2], Fraction(1, 2)))).method != "shapley"
    )


# Discounts near 1


def test_a_discount_near_one_is_no_wait() -> None:
    """10 000 times as far as one step: a contraction would need 500 000 steps."""
    dilemma = [[[7.0, 2.0], [9.0, 3.0]], [[7.0, 9.0], [2.0, 3.0]]]
    game = as_float(repeated([np.array(own) for own in dilemma], Fraction(9999, 10000)))
    begun = process_time()
    found = solved(game)
    # generous: it takes a tenth of a second; plain iteration would take minutes
    assert process_time() - begun < 20
    assert found.status == "converged"
    assert found.iterations < 1000
    assert found.values[:, 0] == pytest.approx([30000, 30000], rel=1e-12)
    assert found.policies[0][0].tolist() == [0, 1]


# Large games of several agents


def test_any_of_a_game_without_pure_equilibria() -> None:
    rng = np.random.default_rng(2)
    payoffs = rng.integers(0, 50, (3, 5, 4, 3))
    while _has_pure(payoffs):
        payoffs = rng.integers(0, 50, payoffs.shape)
    found = solved(repeated(list(payoffs), Fraction(0)), "any")
    assert found.status == "converged"
    assert float(max(found.regret_bound)) <= 1e-9


def _has_pure(payoffs: Array) -> bool:
    stable = np.ones(payoffs.shape[1:], bool)
    for j, own in enumerate(payoffs):
        stable &= own == own.max(axis=j, keepdims=True)
    return bool(stable.any())


# All equilibria of one state


@given(stage_games(agents=2))
def test_all_equilibria_of_two_agents(payoffs: Array) -> None:
    game = repeated(list(payoffs), Fraction(1, 2))
    listed = one_state_equilibria(game)
    expected = support_enumeration(payoffs[None])
    assert len(listed) == len(expected)
    for number, one in enumerate(listed):
        assert (one.exact, one.verified, one.regret) == (True, True, 0)
        assert regret(payoffs, one.strategies) == 0
        assert all(
            np.array_equal(a, b)
            for a, b in zip(one.strategies, expected.profile(number), strict=True)
        )
        assert one.values.tolist() == (2 * expected.payoffs[number]).tolist()


def test_nine_equilibria_of_three_agents() -> None:
    """The case 2x2x2 that has nine; those with irrational weights would be floats."""
    payoffs = np.array(
        [
            [[[9, 0], [0, 3]], [[0, 3], [9, 0]]],
            [[[8, 0], [0, 4]], [[0, 4], [8, 0]]],
            [[[12, 0], [0, 2]], [[0, 6], [4, 0]]],
        ]
    )
    listed = one_state_equilibria(repeated(list(payoffs), Fraction(0)))
    assert len(listed) == 9
    assert all(one.verified for one in listed)
    assert all(one.regret_bound <= 1e-9 for one in listed)


def test_more_states_have_no_list() -> None:
    with pytest.raises(InputError, match="game: 57 states; all equilibria are listed for one"):
        one_state_equilibria(find("grid-game-2").build())


# Rationals near floats


def test_rationals_near_floats() -> None:
    found = near_rationals((np.array([[1 / 3, 2 / 3]]), np.array([[1.0, 0.0]])))
    assert found is not None
    assert found[0].tolist() == [[Fraction(1, 3), Fraction(2, 3)]]
    assert found[1].tolist() == [[1, 0]]
    assert near_rationals((np.array([[1 / 3, 2 / 3 + 1e-6]]),)) is None
