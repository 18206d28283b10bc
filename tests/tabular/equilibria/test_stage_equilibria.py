"""Equilibria of one, two and more agents, pygambit's part in it, and what happens without it."""

import subprocess
import sys
from fractions import Fraction
from itertools import product

import numpy as np
import pygambit
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounds.shared.numbers import Array, InputError
from tabular.equilibria import gambit, stage_equilibria
from tabular.equilibria.gambit import one_equilibrium
from tabular.equilibria.selection import NoSuchEquilibriumError, Selection
from tabular.equilibria.stage_equilibria import (
    all_equilibria,
    check_solvable,
    pure_equilibria,
    selected,
)
from tabular.equilibria.stage_game import regret
from tabular.games.arrays import exact_array
from tabular.games.catalogue import find
from tests.support.stage_games import stage_games

#: enumpoly accepts profiles with a regret of 1e-8 of the game's payoffs, here at most 2 in size
POLY = 4e-8


def table(name: str) -> Array:
    stage = find(name).build()
    return stage.reward[:, 0].reshape(stage.n, *stage.actions)


@given(stage_games())
def test_pure_equilibria(payoffs: Array) -> None:
    found = pure_equilibria(payoffs[None])
    played = [
        tuple(int((own[e] == 1).argmax()) for own in found.strategies) for e in range(len(found))
    ]
    expected = []
    for joint in product(*map(range, payoffs.shape[1:])):
        profile = tuple(
            exact_array(np.eye(size, dtype=int)[a])
            for size, a in zip(payoffs.shape[1:], joint, strict=True)
        )
        if regret(payoffs, profile) == 0:
            expected.append(joint)
    assert played == expected
    for e, joint in enumerate(played):
        assert found.payoffs[e].tolist() == [payoffs[(j, *joint)] for j in range(len(payoffs))]


@given(stage_games(agents=3))
def test_three_agents(payoffs: Array) -> None:
    found = all_equilibria(payoffs[None])
    for e in range(len(found)):
        own = found.profile(e)
        assert float(regret(payoffs, own)) <= POLY
        # mixtures sum to 1 up to pygambit's rounding
        assert all(abs(float(x.sum()) - 1) <= 1e-9 for x in own)
    pure = pure_equilibria(payoffs[None])
    first = [own[: len(pure)].astype(float) for own in found.strategies]
    assert all(
        np.array_equal(a, b.astype(float)) for a, b in zip(first, pure.strategies, strict=True)
    )


@given(stage_games(agents=1, largest=5))
def test_one_agent_takes_the_best_action(payoffs: Array) -> None:
    found = all_equilibria(payoffs[None])
    best = [a for a in range(payoffs.shape[1]) if payoffs[0, a] == payoffs.max()]
    assert [int(row.argmax()) for row in found.strategies[0]] == best
    assert (selected(payoffs[None], Selection("first")).payoffs == payoffs.max()).all()


def test_jordans_game() -> None:
    payoffs = table("three-player-matching-pennies")
    (found,) = [all_equilibria(payoffs[None]).profile(0)]
    assert all(np.allclose(own, 0.5, atol=1e-6) for own in found)  # enumpoly's six digits
    assert len(pure_equilibria(payoffs[None])) == 0
    with pytest.raises(NoSuchEquilibriumError, match="no joint action is a global optimum"):
        selected(payoffs[None], Selection("global-optimum"))


def test_pure_equilibria_are_enough_where_pygambit_is_not_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stage_equilibria, "isolated_equilibria", None)
    payoffs = table("public-goods")
    found = selected(payoffs[None], Selection("first"))
    assert found.payoffs.tolist() == [[1, 1, 1, 1]]
    assert isinstance(found.payoffs[0, 0], Fraction)
    common = np.stack([payoffs[0]] * 4)
    best = selected(common[None], Selection("global-optimum"))
    assert best.payoffs[0, 0] == payoffs[0].max()


def test_a_degenerate_game_without_isolated_equilibria(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the list holds what pygambit's Newton method finds."""
    monkeypatch.setattr(stage_equilibria, "isolated_equilibria", lambda _: [])
    payoffs = table("three-player-matching-pennies")
    found = all_equilibria(payoffs[None])
    assert len(found) == 1
    # gnm stops at a regret of 1e-8 or so; payoffs are ±1
    assert float(regret(payoffs, found.profile(0))) <= 1e-6


@given(stage_games(agents=2))
def test_one_equilibrium_of_two_agents_is_exact(payoffs: Array) -> None:
    found = one_equilibrium(payoffs)
    assert regret(payoffs, found) == 0
    assert all(isinstance(x, Fraction) for own in found for x in own)


def test_one_equilibrium_of_a_large_game() -> None:
    payoffs = exact_array(np.random.default_rng(0).integers(-9, 10, (2, 12, 12)))
    with pytest.raises(InputError, match="use the selection any"):
        all_equilibria(payoffs[None])
    assert regret(payoffs, one_equilibrium(payoffs)) == 0


def test_one_equilibrium_of_many_agents() -> None:
    payoffs = np.random.default_rng(0).normal(size=(3, 4, 4, 4))
    # gnm's last Newton step is accepted at 1e-8 or so
    assert regret(payoffs, one_equilibrium(payoffs)) <= 1e-6


def test_where_the_newton_method_finds_none() -> None:
    """A degenerate game on which pygambit's path leads nowhere."""
    payoffs = np.random.default_rng(999999).integers(-2, 3, (3, 3, 2, 2, 2))[1].astype(float)
    assert len(pure_equilibria(payoffs[None])) == 0
    assert gambit.isolated_equilibria(payoffs) == []
    assert not pygambit.nash.gnm_solve(gambit.as_gambit(payoffs)).equilibria
    # simplicial subdivision stops at 1e-7 of the range of payoffs, here 4
    assert regret(payoffs, one_equilibrium(payoffs)) <= 4e-7


def test_games_that_are_too_large() -> None:
    with pytest.raises(InputError, match="5x5x5 actions have 29791 profiles"):
        gambit.isolated_equilibria(np.zeros((3, 5, 5, 5)))
    with pytest.raises(InputError, match="are 10000000 joint actions"):
        check_solvable((10,) * 7, Selection("any"))
    with pytest.raises(InputError, match="12x12 actions are too many"):
        check_solvable((12, 12), Selection("first"))
    check_solvable((12, 12), Selection("any"))
    check_solvable((10, 10), Selection("first"))
    check_solvable((10, 10, 10), Selection("first"))


def test_without_pygambit_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygambit", None)
    payoffs = table("three-player-matching-pennies")
    for call in (
        lambda: selected(payoffs[None], Selection("first")),
        lambda: one_equilibrium(payoffs),
        lambda: gambit.logit_equilibria(payoffs, [1.0]),
    ):
        with pytest.raises(
            InputError, match=r"pip install 'opponentwise\[equilibria\]'"
        ) as refused:
            call()
        assert "\n" not in str(refused.value)
    assert len(selected(table("chicken")[None], Selection("first"))) == 1  # two agents are core


def test_pygambit_is_imported_where_it_is_needed() -> None:
    code = (
        "import sys, tabular.equilibria.nash_value_iteration, tabular.commands.main, "
        "tabular.equilibria.logit_stage; print('pygambit' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


@given(st.integers(0, 10**6))
def test_a_batch_of_three_agent_games(seed: int) -> None:
    games = np.random.default_rng(seed).integers(-2, 3, (3, 3, 2, 2, 2)).astype(float)
    together = selected(games, Selection("first"))
    for g, game in enumerate(games):
        alone = selected(game[None], Selection("first")).profile(0)
        assert all(np.array_equal(a, b) for a, b in zip(alone, together.profile(g), strict=True))
