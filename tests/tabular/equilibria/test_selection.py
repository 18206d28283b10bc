"""Selections: what each means by its definition, errors where there is none, saddle points."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bounds.shared.numbers import Array, InputError
from tabular.equilibria.selection import (
    NAMES,
    NoSuchEquilibriumError,
    Selection,
    parse_selection,
    saddle_point,
    select,
)
from tabular.equilibria.stage_equilibria import all_equilibria, selected
from tabular.equilibria.stage_game import Strategies, is_global_optimum, is_saddle, regret
from tabular.games.arrays import exact_array
from tests.support.stage_games import stage_games

CHICKEN = exact_array([[[6, 2], [7, 0]], [[6, 7], [2, 0]]])
STAG_HUNT = exact_array([[[4, 0], [3, 3]], [[4, 3], [0, 3]]])
SEXES = exact_array([[[2, -1], [-1, 1]], [[1, -1], [-1, 2]]])
#: Agent 1 is indifferent, so the only saddle point is no extreme equilibrium.
INDIFFERENT = exact_array([[[1, -1], [-1, 1]], [[0, 0], [0, 0]]])


def chosen(payoffs: Array, name: str) -> Strategies:
    return selected(payoffs[None], parse_selection(name, len(payoffs))).profile(0)


@pytest.mark.parametrize(
    ("payoffs", "name", "expected"),
    [
        (CHICKEN, "first", (2, 7)),
        (CHICKEN, "best:0", (7, 2)),
        (CHICKEN, "best:1", (2, 7)),
        (CHICKEN, "best-sum", (Fraction(14, 3), Fraction(14, 3))),
        (CHICKEN, "pareto", (2, 7)),
        (STAG_HUNT, "global-optimum", (4, 4)),
        (STAG_HUNT, "saddle", (3, 3)),
        (STAG_HUNT, "pareto", (4, 4)),
        (SEXES, "best:1", (1, 2)),
        (INDIFFERENT, "saddle", (0, 0)),
    ],
)
def test_known_choices(payoffs: Array, name: str, expected: tuple[int, int]) -> None:
    for table in (payoffs, payoffs.astype(float)):
        found = selected(table[None], parse_selection(name, 2))
        assert found.payoffs[0].tolist() == pytest.approx([float(x) for x in expected], abs=1e-15)
        assert regret(table, found.profile(0)) <= 1e-15
    assert selected(payoffs[None], parse_selection(name, 2)).payoffs[0].tolist() == list(expected)


@given(stage_games(agents=2))
@example(INDIFFERENT)
def test_what_the_choices_mean(payoffs: Array) -> None:
    everything = all_equilibria(payoffs[None])
    own = everything.payoffs
    rows = [everything.profile(e) for e in range(len(everything))]

    def row(name: str) -> list[Fraction]:
        found = selected(payoffs[None], parse_selection(name, 2))
        assert len(found) == 1
        assert regret(payoffs, found.profile(0)) == 0
        return list(found.payoffs[0])

    assert row("first") == list(own[0])
    for j in range(2):
        assert row(f"best:{j}")[j] == own[:, j].max()
    assert sum(row("best-sum")) == own.sum(axis=1).max()
    front = row("pareto")
    assert not any((other >= front).all() and (other > front).any() for other in own)
    optimal = [r for r in rows if is_global_optimum(payoffs, r)]
    assert (no_choice(payoffs, "global-optimum") is None) == bool(optimal)
    saddles = [r for r in rows if is_saddle(payoffs, r)]
    point = saddle_point(payoffs)
    assert point is not None or not saddles
    assert (no_choice(payoffs, "saddle") is None) == (point is not None)
    if point is not None:
        assert is_saddle(payoffs, point)
        assert is_saddle(payoffs, chosen(payoffs, "saddle"))


def no_choice(payoffs: Array, name: str) -> str | None:
    try:
        selected(payoffs[None], parse_selection(name, len(payoffs)))
    except NoSuchEquilibriumError as error:
        return str(error)
    return None


@given(st.lists(stage_games(agents=2, largest=3), min_size=2, max_size=6))
def test_a_batch_is_its_games(drawn: list[Array]) -> None:
    games = np.stack([game for game in drawn if game.shape == drawn[0].shape])
    for name in (*NAMES, "best:1"):
        lacking = [no_choice(game, name) is not None for game in games]
        if any(lacking):
            with pytest.raises(NoSuchEquilibriumError) as refused:
                selected(games, parse_selection(name, 2))
            assert refused.value.game == lacking.index(True)
            assert str(refused.value).startswith(f"stage game {refused.value.game}: ")
            continue
        together = selected(games, parse_selection(name, 2))
        assert together.game.tolist() == list(range(len(games)))
        for g, game in enumerate(games):
            alone = selected(game[None], parse_selection(name, 2))
            assert all(
                np.array_equal(a, b)
                for a, b in zip(alone.profile(0), together.profile(g), strict=True)
            )


def test_ties_of_floats_go_to_the_first() -> None:
    """Payoffs that differ by rounding are equal, so that the choice does not hang on it."""
    payoffs = np.array([[[3.0, 0], [0, 3 * (1 + 2.0**-52)]], [[3.0, 0], [0, 3.0]]])
    for name in ("best:0", "best-sum", "pareto", "global-optimum"):
        assert chosen(payoffs, name)[0].tolist() == [1, 0]
    assert chosen(exact_array(payoffs), "best:0")[0].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("payoffs", "name", "why"),
    [
        (CHICKEN, "global-optimum", "none of its 3 equilibria is a global optimum"),
        (CHICKEN, "saddle", "none of its 3 equilibria is a saddle point"),
        (
            exact_array([[[3, 0], [5, 1]], [[3, 5], [0, 1]]]),
            "global-optimum",
            "its one equilibrium is not a global optimum",
        ),
    ],
)
def test_none_found_is_an_error(payoffs: Array, name: str, why: str) -> None:
    assert no_choice(payoffs, name) == f"stage game 0: {why}; choose another selection"


def test_a_game_without_equilibria_is_an_error() -> None:
    games = np.stack([CHICKEN, CHICKEN])
    found = all_equilibria(games)
    with pytest.raises(NoSuchEquilibriumError, match="stage game 1: no equilibrium was found"):
        select(found.take(found.game == 0), games, Selection("first"))


@pytest.mark.parametrize("text", [*NAMES, "best:0", "best:2"])
def test_names(text: str) -> None:
    assert str(parse_selection(text, 3)) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("best", "selection: 'best'; give first, any, best-sum"),
        ("", "selection: ''; give first"),
        ("FIRST", "selection: 'FIRST'"),
        ("best:-1", "selection: 'best:-1'"),
        ("best:x", "or best:J for agent J"),
        ("best:3", "selection: best:3: there is no agent 3, only 0..2"),
        ("best:" + "9" * 100, "selection: 'best:999"),
        ("first:1", "selection: 'first:1'"),
        ("best:²", "selection: 'best:²'"),
    ],
)
def test_names_that_are_none(text: str, expected: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_selection(text, 3)
    assert expected in str(refused.value)
