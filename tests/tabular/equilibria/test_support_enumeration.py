"""All extreme equilibria: exact, the same as pygambit's, and floats no worse than fractions.

pygambit is the witness: ``enummixed`` in rationals enumerates the vertices by another method.
"""

from fractions import Fraction
from typing import Any

import numpy as np
import pygambit
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bounds.shared.numbers import Array, InputError
from tabular.equilibria import determinants, support_enumeration
from tabular.equilibria.stage_game import regret
from tabular.equilibria.support_enumeration import Equilibria
from tabular.equilibria.support_enumeration import support_enumeration as solved
from tabular.games.arrays import exact_array
from tests.support.stage_games import stage_games

Profile = tuple[tuple[Any, ...], ...]

bimatrix_games = stage_games(agents=2)


def listed(found: Equilibria) -> list[Profile]:
    return [tuple(tuple(own.tolist()) for own in found.profile(e)) for e in range(len(found))]


def witnessed(payoffs: Array) -> set[Profile]:
    """pygambit repeats some equilibria of degenerate games, so a set."""
    game = pygambit.StrategicGame.from_arrays(*payoffs)
    return {
        tuple(
            tuple(Fraction(int(w.numerator), int(w.denominator)) for _, w in profile[player])
            for player in profile.game.players
        )
        for profile in pygambit.nash.enummixed_solve(game, rational=True).equilibria
    }


@given(bimatrix_games)
@example(exact_array([[[1, -1], [-1, 1]], [[0, 0], [0, 0]]]))
@example(exact_array(np.zeros((2, 3, 4), int)))
@example(exact_array([[[1, 1, 0], [1, 0, 1]], [[0, 1, 1], [1, 0, 0]]]))
def test_the_same_as_pygambit(payoffs: Array) -> None:
    found = listed(solved(payoffs))
    assert len(set(found)) == len(found)
    assert set(found) == witnessed(payoffs)


@given(bimatrix_games)
def test_equilibria_have_no_regret(payoffs: Array) -> None:
    found = solved(payoffs)
    assert len(found) > 0
    for e in range(len(found)):
        profile = found.profile(e)
        assert all(own.sum() == 1 and (own >= 0).all() for own in profile)
        assert regret(payoffs, profile) == 0
        x, y = profile
        for j in range(2):
            assert found.payoffs[e, j] == x @ payoffs[j] @ y


@given(bimatrix_games)
def test_pure_equilibria_are_all_there(payoffs: Array) -> None:
    A, B = payoffs
    stable = (A.max(axis=0) == A) & (B.max(axis=1, keepdims=True) == B)
    found = solved(payoffs)
    one = [(own == 1).argmax(axis=1) for own in found.strategies]
    is_pure = np.logical_and(*((own == 1).any(axis=1) for own in found.strategies))
    pairs = set(zip(one[0][is_pure].tolist(), one[1][is_pure].tolist(), strict=True))
    assert pairs == set(zip(*(i.tolist() for i in np.nonzero(stable)), strict=True))


positive = st.fractions(Fraction(1, 9), 9, max_denominator=9)
shifts = st.fractions(-9, 9, max_denominator=9)


@given(bimatrix_games, positive, positive, shifts, st.randoms(use_true_random=False))
def test_what_does_not_change_equilibria(
    payoffs: Array, scale: Fraction, other: Fraction, shift: Fraction, random: Any
) -> None:
    """Positive affine maps, numbers that depend on the others' actions alone, new names."""
    A, B = payoffs
    columns = exact_array([random.randint(-3, 3) for _ in range(A.shape[1])])
    rows = exact_array([random.randint(-3, 3) for _ in range(A.shape[0])])
    mapped = np.stack([scale * A + columns[None, :], other * B + rows[:, None] + shift])
    found = listed(solved(payoffs))
    assert listed(solved(mapped)) == found
    players_swapped = np.stack([B.T, A.T])
    assert {(y, x) for x, y in listed(solved(players_swapped))} == set(found)
    order = [random.sample(range(size), size) for size in A.shape]
    renamed = solved(payoffs[:, order[0]][:, :, order[1]])
    back = [np.argsort(names) for names in order]
    named_again = Equilibria(
        renamed.game,
        tuple(own[:, b] for own, b in zip(renamed.strategies, back, strict=True)),
        renamed.payoffs,
    )
    assert set(listed(named_again)) == set(found)


def test_order_and_unequal_supports() -> None:
    """Pure before mixed; a degenerate game mixes one action against two."""
    chicken = exact_array([[[6, 2], [7, 0]], [[6, 7], [2, 0]]])
    third = Fraction(1, 3)
    assert listed(solved(chicken)) == [
        ((1, 0), (0, 1)),
        ((0, 1), (1, 0)),
        ((2 * third, third), (2 * third, third)),
    ]
    tie = exact_array([[[1, 0], [0, 1]], [[1, 1], [0, 1]]])
    half = Fraction(1, 2)
    assert listed(solved(tie)) == [
        ((1, 0), (1, 0)),
        ((1, 0), (half, half)),
        ((0, 1), (0, 1)),
    ]


# Floats


def scaled_games() -> st.SearchStrategy[Array]:
    """Float games in which rounding matters: tenths, large shifts, tiny and huge sizes, noise."""

    def build(drawn: tuple[Array, str, int]) -> Array:
        table, kind, seed = drawn
        floats = table.astype(float)
        if kind == "tenths":
            return floats / 10
        if kind == "rank one":
            rng = np.random.default_rng(seed)
            return rng.normal(size=(2, table.shape[1], 1)) * rng.normal(size=(2, 1, table.shape[2]))
        if kind == "shifted":
            return floats / 10 + 1e6
        if kind == "tiny":
            return floats * 1e-100
        if kind == "huge":
            return floats * 1e99
        if kind == "mixed sizes":
            return floats * 10.0 ** np.random.default_rng(seed).integers(-90, 90, table.shape)
        return floats + 1e-15 * np.random.default_rng(seed).integers(-2, 3, table.shape)

    kinds = ("tenths", "rank one", "shifted", "tiny", "huge", "mixed sizes", "noise")
    return st.tuples(bimatrix_games, st.sampled_from(kinds), st.integers(0, 99)).map(build)


def assert_floats_follow(floats: Array) -> None:
    found, certain = solved(floats), solved(exact_array(floats))
    assert len(found) == len(certain)
    for own, exact in zip(found.strategies, certain.strategies, strict=True):
        assert ((own > 0) == (exact > 0)).all()
        # each determinant is correct to ACCURACY of itself, so is their sum, and so is the ratio
        # to 2 ACCURACY / (1 - ACCURACY)
        assert np.allclose(own, exact.astype(float), rtol=3 * determinants.ACCURACY, atol=0)


@given(scaled_games())
def test_floats_find_the_same_equilibria(floats: Array) -> None:
    assert_floats_follow(floats)


@given(st.integers(0, 10**6), st.integers(2, 5), st.integers(2, 5))
def test_generic_floats(seed: int, rows: int, columns: int) -> None:
    floats = np.random.default_rng(seed).normal(size=(2, rows, columns))
    assert_floats_follow(floats)
    assert len(solved(floats)) % 2 == 1  # a nondegenerate game has an odd number (Wilson 1971)


def test_a_batch_is_its_games() -> None:
    rng = np.random.default_rng(0)
    games = np.concatenate(
        [
            rng.normal(size=(50, 2, 3, 4)),
            rng.integers(-1, 2, (50, 2, 3, 4)),
            rng.integers(-1, 2, (50, 2, 3, 4)) / 10,
        ]
    )
    together = solved(games)
    assert (np.diff(together.game) >= 0).all()
    for g, game in enumerate(games):
        assert listed(together.take(together.game == g)) == listed(solved(game))


def test_small_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    games = np.random.default_rng(0).integers(-1, 2, (40, 2, 3, 3)) / 10
    whole = solved(games)
    monkeypatch.setattr(support_enumeration, "CHUNK", 100)
    parts = solved(games)
    assert listed(parts) == listed(whole)
    assert np.array_equal(parts.game, whole.game)


def test_no_games() -> None:
    assert len(solved(np.zeros((0, 2, 3, 3)))) == 0
    assert len(solved(np.zeros((0, 2, 3, 3), dtype=object))) == 0


# Planted mistakes are found


def mistakes() -> int:
    """How many of 200 games of rank one, whose larger determinants are noise, come out wrong."""
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(200):
        floats = rng.normal(size=(2, 3, 1)) * rng.normal(size=(2, 1, 3))
        try:
            assert_floats_follow(floats)
        except AssertionError:
            wrong += 1
    return wrong


def test_trust_in_floats_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert mistakes() == 0
    monkeypatch.setattr(determinants, "_unsure", lambda total, *_: np.zeros(total.shape[-1], bool))
    assert mistakes() > 0


def test_a_grid_that_is_too_coarse_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    normal = determinants._normal

    def coarse(table: Array) -> tuple[Array, Array]:
        shifted, grid = normal(table)
        return shifted, grid * 2.0**60

    monkeypatch.setattr(determinants, "_normal", coarse)
    assert mistakes() > 0


def test_a_wrong_sign_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = determinants.cofactors

    def unsigned(rows: int, k: int) -> tuple[list[Array], list[int]]:
        index, signs = plain(rows, k)
        return index, [1] * len(signs)

    games = exact_array(np.random.default_rng(0).integers(-2, 3, (40, 2, 3, 3)))
    assert all(set(listed(solved(game))) == witnessed(game) for game in games)
    monkeypatch.setattr(support_enumeration, "cofactors", unsigned)
    assert any(set(listed(solved(game))) != witnessed(game) for game in games)


# Sizes


@pytest.mark.parametrize("shape", [(11, 11), (2, 63), (63, 1), (30, 5)])
def test_games_that_are_too_large(shape: tuple[int, int]) -> None:
    with pytest.raises(InputError) as refused:
        solved(np.zeros((2, *shape)))
    assert f"{shape[0]}x{shape[1]} actions are too many" in str(refused.value)
    assert "use the selection any" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_other_numbers_of_agents() -> None:
    with pytest.raises(InputError, match="3 agents"):
        solved(np.zeros((1, 3, 2, 2)))


@pytest.mark.parametrize("shape", [(2, 62), (62, 1), (1, 1), (7, 7)])
def test_games_that_are_not(shape: tuple[int, int]) -> None:
    payoffs = exact_array(np.random.default_rng(0).integers(-50, 50, (2, *shape)))
    found = solved(payoffs)
    assert len(found) > 0
    for e in range(len(found)):
        assert regret(payoffs, found.profile(e)) == 0
