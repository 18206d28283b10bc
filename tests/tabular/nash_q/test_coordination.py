"""Whether two learners mean the same equilibrium: planted tables, recorded shares."""

import json
from pathlib import Path

import numpy as np
import pytest

from bounds.shared.numbers import Array
from notebooks.record_nash_q import main
from tabular.games.grid import LEFT, RIGHT, UP
from tabular.nash_q.coordination import coordination, summary
from tabular.nash_q.grid_games import learn, published_game, start
from tabular.nash_q.learning import Learned

NAME = "grid-game-1"
RECORD = Path(__file__).parents[3] / "notebooks" / "data" / "nash_q"


def exact(name: str = NAME) -> Array:
    """The exact tables [agent, s, a⁰, a¹] of an equilibrium of grid game ``name``."""
    from tabular.equilibria.exploitability import stage_payoffs
    from tabular.equilibria.nash_value_iteration import solve
    from tabular.equilibria.selection import parse_selection

    game, _ = published_game(name)
    values = solve(game, parse_selection("best:0", 2)).values
    return np.moveaxis(stage_payoffs(game, values), 1, 0).astype(float)


def taught(*tables: Array, name: str = NAME) -> Learned:
    """Learners best:0 and best:1 of one run with these tables."""
    learned = learn(name, ["best:0", "best:1"], np.random.default_rng(0), runs=1, episodes=1)
    for number, table in enumerate(tables):
        learned.tables[number, 0] = table
    return learned


def preferring(own: int, other: int) -> Array:
    """Exact tables of grid game 1, in which the first moves (own, other) are worth 1 more."""
    table = exact()
    table[:, start(published_game(NAME)[0]), own, other] += 1
    return table


def test_exact_tables_agree_and_succeed() -> None:
    found = coordination(NAME, taught(exact(), exact()), ("best:0", "best:1"))
    assert found.both_optimal.all()
    assert found.agree.all()
    assert found.optimal.all()
    assert not found.stuck.any()


def test_different_first_moves_collide_for_ever() -> None:
    # agent 0 goes right as it means (right, up), agent 1 goes left as it means (up, left)
    learned = taught(preferring(RIGHT, UP), preferring(UP, LEFT))
    found = coordination(NAME, learned, ("best:0", "best:1"))
    assert found.both_optimal.all()  # either table alone would have done
    assert not found.agree.any()
    assert not found.optimal.any()
    assert found.stuck.all()
    # the other way round both go up, which is no equilibrium that either means, and works
    lucky = coordination(
        NAME, taught(preferring(UP, LEFT), preferring(RIGHT, UP)), ("best:0", "best:1")
    )
    assert not lucky.agree.any()
    assert lucky.optimal.all()


def test_states_that_are_not_reached_do_not_matter() -> None:
    game, _ = published_game(NAME)
    table, other = exact(), exact()
    # the agents have changed sides with each other: no equilibrium path leads there
    far = game.states.index("2 0")
    other[:, far] = other[:, far, ::-1, ::-1]
    found = coordination(NAME, taught(table, other), ("best:0", "best:1"))
    assert found.agree.all()


def test_tables_that_are_wrong_are_told_from_disagreement() -> None:
    table = exact()
    table[:, start(published_game(NAME)[0]), RIGHT, LEFT] += 50  # into the middle together
    found = coordination(NAME, taught(table, table), ("best:0", "best:1"))
    assert found.agree.all()
    assert not found.both_optimal.any()
    assert not found.optimal.any()


def test_shares_are_of_the_runs_named() -> None:
    learned = learn(NAME, ["best:0", "best:1"], np.random.default_rng(0), runs=3, episodes=1)
    pairs = [
        (exact(), exact()),
        (preferring(RIGHT, UP), preferring(UP, LEFT)),
        (preferring(UP, LEFT), preferring(RIGHT, UP)),
    ]
    for run, tables in enumerate(pairs):
        for number, table in enumerate(tables):
            learned.tables[number, run] = table
    assert summary(coordination(NAME, learned, ("best:0", "best:1"))) == {
        "own_optimal": [1.0, 1.0],
        "agree": pytest.approx(1 / 3, abs=1e-4),
        "optimal_where_they_agree": 1.0,
        "optimal_where_they_do_not": 0.5,
        "stuck_where_they_do_not": 0.5,
    }


# The record


def test_what_is_recorded_explains_the_best_expected_learners() -> None:
    for result in json.loads((RECORD / "results.json").read_text("utf-8")):
        best = "best expected Nash"
        (pair,) = [r for r in result["pairs"] if r["agents"] == [best] * 2]
        (row,) = [r for r in result["coordination"] if r["agents"] == [best] * 2]
        # their values are fine: either table alone succeeds nearly always, and so do pairs that
        # mean the same; what fails is pairs that do not
        assert min(row["own_optimal"]) > 0.85
        assert row["optimal_where_they_agree"] == 1
        assert row["optimal_where_they_do_not"] < 0.3
        total = row["agree"] + (1 - row["agree"]) * row["optimal_where_they_do_not"]
        assert pair["joint_optimal_path"] == pytest.approx(total, abs=1e-3)
        # learners with one selection have the same tables
        for name in ("first Nash", "second Nash"):
            (same,) = [r for r in result["coordination"] if r["agents"] == [name] * 2]
            assert same["agree"] == 1


def test_an_unknown_record_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grids"]) == 2
    assert capsys.readouterr().err == "grids: give grid or climb\n"
