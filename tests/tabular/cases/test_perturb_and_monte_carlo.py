"""Perturbed cases have the errors that were asked for; simulations have the radius they state."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import log, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from bounds.library.published import BOUNDS
from bounds.shared.numbers import InputError
from tabular.cases.case import as_float
from tabular.cases.check import check
from tabular.cases.errors import measure
from tabular.cases.files import case_json, load_case
from tabular.cases.monte_carlo import simulate
from tabular.cases.perturb import (
    elsewhere,
    near_dense,
    near_sparse,
    perturbed_case,
    random_distributions,
)
from tabular.cases.returns import branched_return, model_return, real_return
from tabular.cases.strategies import distributions, errors, games
from tabular.commands.main import main
from tabular.games.arrays import check_distribution, is_exact_array
from tabular.games.catalogue import CATALOGUE, find
from tabular.games.game import StochasticGame
from tabular.games.random import garnet, sparse_garnet
from tests.support.cases import latch, leak

#: Unit roundoff of float64.
U = 2.0**-53
SMALL = [name for name in CATALOGUE if name not in ("grid-game-1", "grid-game-2", "soccer")]


# Distributions


def test_exact_distributions_are_all_compositions_equally_often() -> None:
    rng = np.random.default_rng(0)
    drawn = random_distributions((6000, 3), rng, exact=True, denominator=2)
    check_distribution("drawn", drawn)
    counts = Counter(tuple(row) for row in drawn)
    assert len(counts) == 6  # the compositions of 2 into 3 parts
    expected = 1000
    # six standard deviations of a binomial count
    assert all(abs(n - expected) < 6 * sqrt(6000 * 1 / 6 * 5 / 6) for n in counts.values())


@given(st.integers(1, 5), st.booleans(), st.integers(0, 2**32))
def test_random_distributions_are_distributions(size: int, exact: bool, seed: int) -> None:
    drawn = random_distributions((2, 3, size), np.random.default_rng(seed), exact=exact)
    assert drawn.shape == (2, 3, size)
    assert is_exact_array(drawn) == exact
    check_distribution("drawn", drawn)
    if exact:
        assert all(12 % x.denominator == 0 for x in drawn.ravel())


@given(
    st.integers(1, 5).flatmap(lambda n: distributions(n) | distributions(n, exact=False)),
    st.integers(0, 99),
)
def test_elsewhere_is_a_point_where_least_is(row: Any, seed: int) -> None:
    point = elsewhere(row[None], np.random.default_rng(seed))[0]
    assert sorted(point) == [0] * (len(row) - 1) + [1]
    place = int(np.argmax(point))
    # ties are broken by noise of 1e-9, which cannot outweigh more
    assert float(row[place]) <= float(min(row)) + 1e-9
    assert is_exact_array(point) == is_exact_array(row)


@given(st.integers(2, 5).flatmap(distributions), errors(), st.integers(0, 99))
def test_near_distributions_have_the_error_where_there_is_room(
    row: Any, error: Fraction, seed: int
) -> None:
    """D_TV = ε (1 − p) with p the mass of the point that is mixed in: ε where that is 0."""
    near = near_dense(row[None], error, np.random.default_rng(seed))[0]
    assert near.sum() == 1
    assert abs(row - near).sum() / 2 == error * (1 - min(row))


@given(errors(exact=False), st.integers(0, 99))
def test_sparse_rows_are_perturbed_by_at_most_the_error(error: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = sparse_garnet((2, 2), 30, 3, rng).transition
    near = near_sparse(truth, error, rng)
    assert sparse.issparse(near)
    check_distribution("near", near)
    distance = np.asarray(abs(truth - near).sum(axis=1)).ravel() / 2
    # each of at most four entries of a row is rounded twice
    assert distance.max() <= error + 8 * U
    # 30 states, 3 successors: some of 120 rows is mixed with a state that is no successor
    assert abs(distance.max() - error) <= 8 * U


# Perturbed cases


@given(games(), errors(), errors(), errors(), st.integers(0, 99))
def test_errors_are_what_was_asked_for(
    game: StochasticGame, model: Fraction, shift: Fraction, opponent: Fraction, seed: int
) -> None:
    ego = seed % game.n
    case = perturbed_case(
        game,
        np.random.default_rng(seed),
        ego=ego,
        model_error=model,
        policy_shift=shift,
        opponent_error=opponent,
        branch_length=2,
    )
    assert case.is_exact
    found = measure(case, max_horizon=0)

    def room(array: Any) -> Fraction:
        return 1 - array.min(axis=-1).min()

    assert found.model_sup == model * room(game.transition)
    for j, policy in enumerate(case.policies):
        assert found.policy_shift[j] == shift * room(policy)
        expected = None if j == ego else opponent * room(policy)
        assert found.opponent_model[j] == expected
    assert (case.ego, case.branch_length, case.gamma) == (ego, 2, game.gamma)
    assert (case.reward == game.reward[ego]).all()


@pytest.mark.parametrize("name", SMALL)
def test_games_of_the_catalogue_make_cases_on_which_valid_bounds_hold(name: str) -> None:
    game = find(name).build()
    case = perturbed_case(game, np.random.default_rng(5), branch_length=2)
    found = check(case, [bound for bound in BOUNDS if bound.valid], max_horizon=20)
    assert found.verdicts
    assert not any(verdict.refuted for verdict in found.verdicts)


def same_numbers(one: Any, other: Any) -> bool:
    return json.dumps(case_json(one)) == json.dumps(case_json(other))


@pytest.mark.parametrize("exact", [True, False])
def test_seeds_reproduce_cases(exact: bool) -> None:
    game = garnet((2, 3), 3, 2, np.random.default_rng(1), exact=exact)
    one, again, other = (perturbed_case(game, np.random.default_rng(s)) for s in (4, 4, 5))
    assert one.is_exact == exact
    assert same_numbers(one, again)
    assert not same_numbers(one, other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_error": Fraction(-1, 2)}, "model_error: -1/2"),
        ({"policy_shift": 2}, "policy_shift: 2"),
        ({"opponent_error": float("nan")}, "opponent_error: nan"),
        ({"ego": 2}, "ego: 2"),
        ({"branch_length": -1}, "branch_length: -1"),
        ({"opponent_lengths": [None, 9]}, r"opponent_lengths\[1\]: 9"),
    ],
)
def test_impossible_perturbations(change: dict[str, Any], message: str) -> None:
    game = find("chicken").build()
    with pytest.raises(InputError, match=message):
        perturbed_case(game, np.random.default_rng(0), **change)


def test_a_sparse_game_makes_a_sparse_case() -> None:
    game = find("soccer").build()
    case = perturbed_case(game, np.random.default_rng(0), model_error=0.1, branch_length=1)
    assert sparse.issparse(case.model_transition)
    found = measure(case, max_horizon=1)
    assert 0 < found.model_sup <= 0.1 + 8 * U
    assert max(found.policy_shift) <= 0.05 + 8 * U


# The commands


def test_games_lists_the_catalogue(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["games"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(CATALOGUE)
    assert len(lines) >= 12
    assert main(["games", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["games"]
    assert [row["name"] for row in rows] == list(CATALOGUE)
    for row in rows:
        game = find(row["name"]).build()
        assert (row["agents"], row["states"], row["actions"], row["exact"]) == (
            game.n,
            game.n_states,
            list(game.actions),
            game.is_exact,
        )
        assert Fraction(row["gamma"]) == Fraction(str(game.gamma))
        assert row["source"]
        assert row["title"]


@pytest.mark.parametrize("name", SMALL)
def test_case_writes_a_file_that_check_reads(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "case.json"
    arguments = ["case", name, "--out", str(path), "--seed", "3", "--branch-length", "2"]
    assert main(arguments) == 0
    assert capsys.readouterr().out == f"{path}\n"
    case = load_case(path)
    game = find(name).build()
    assert case.is_exact
    assert same_numbers(case, perturbed_case(game, np.random.default_rng(3), branch_length=2))
    written = path.read_bytes()
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"{path} exists" in printed.err
    assert len(printed.err.splitlines()) == 1
    assert path.read_bytes() == written
    assert [p.name for p in tmp_path.iterdir()] == ["case.json"]


def test_case_takes_every_setting(tmp_path: Path) -> None:
    path = tmp_path / "new" / "case.json"
    arguments = [
        "case", "three-player-matching-pennies", "--out", str(path), "--ego", "1", "--seed", "7",
        "--model-error", "0", "--policy-shift", "0.25", "--opponent-error", "1/3",
        "--branch-length", "4", "--opponent-lengths", "0", "3",
    ]  # fmt: skip
    assert main(arguments) == 0
    case = load_case(path)
    assert (case.ego, case.branch_length, case.opponent_lengths) == (1, 4, (0, None, 3))
    found = measure(case)
    assert found.model_sup == 0
    assert 0 < max(found.policy_shift) <= Fraction(1, 4)
    assert 0 < max(e for e in found.opponent_model if e is not None) <= Fraction(1, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["chiken"], "the nearest name is chicken"),
        (["chicken", "--ego", "2"], "--ego: 2"),
        (["chicken", "--ego", "-1"], "--ego: -1"),
        (["chicken", "--seed", "-1"], "--seed: -1"),
        (["chicken", "--model-error", "2"], "model_error: 2"),
        (["chicken", "--policy-shift", "-1/2"], "policy_shift: -1/2"),
        (["chicken", "--opponent-error", "x"], "--opponent-error: 'x'"),
        (["chicken", "--opponent-error", "1/0"], "--opponent-error: '1/0' divides by zero"),
        (["chicken", "--opponent-error", "nan"], "--opponent-error: 'nan'"),
        (["chicken", "--branch-length", "-1"], "branch_length: -1"),
        (["chicken", "--branch-length", "x"], "branch-length"),
        (["chicken", "--opponent-lengths", "1", "2"], "--opponent-lengths: 2 numbers for 1"),
        (["chicken", "--opponent-lengths", "6"], "opponent_lengths[1]: 6"),
        (["soccer"], "only single dense cases"),
    ],
)
def test_case_refuses_in_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "case.json"
    assert main(["case", *arguments, "--out", str(path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert message in line
    assert not path.exists()


# Simulation


@given(
    st.integers(1, 500),
    st.floats(0, 1 - 1e-12),
    st.sampled_from(["real", "model", "branched"]),
    st.integers(0, 99),
)
def test_the_radius_is_hoeffdings(samples: int, confidence: float, which: str, seed: int) -> None:
    case = as_float(latch(2))
    found = simulate(
        case, which, np.random.default_rng(seed), samples=samples, confidence=confidence
    )
    span, gamma = 4, 0.9
    expected = span / (1 - gamma) * sqrt(log(2 / (1 - confidence)) / (2 * samples))
    # a handful of operations
    assert abs(found.radius - expected) <= 10 * U * expected / (1 - gamma)
    assert (found.samples, found.confidence) == (samples, confidence)
    # no mean of rewards lies outside their range
    assert -1 / (1 - gamma) - 1e-9 <= found.mean <= 3 / (1 - gamma) + 1e-9


RETURNS: dict[str, Callable[..., Any]] = {
    "real": real_return,
    "model": model_return,
    "branched": branched_return,
}


@pytest.mark.parametrize("which", RETURNS)
def test_the_stated_confidence_is_kept(which: str) -> None:
    """At 50% at least half of 200 runs are inside; that fewer than 70 are has probability 1e-5."""
    case = as_float(latch(2))
    value = RETURNS[which](case)
    inside = 0
    for seed in range(200):
        found = simulate(case, which, np.random.default_rng(seed), samples=100, confidence=0.5)
        inside += abs(found.mean - value) <= found.radius
    assert inside >= 70


@pytest.mark.parametrize("which", RETURNS)
def test_certain_rewards_are_found_exactly(which: str) -> None:
    """Every reward is 2, so every sample is 2/(1 − γ) and the radius is 0."""
    case = as_float(latch(2))
    found = simulate(
        replace(case, reward=0 * case.reward + 2), which, np.random.default_rng(0), samples=50
    )
    assert found.radius == 0
    # a mean of equal numbers and one division
    assert abs(found.mean - 20) <= 100 * U * 20


def test_the_seed_reproduces_the_estimate() -> None:
    case = as_float(latch(2))
    one, again, other = (
        simulate(case, "branched", np.random.default_rng(s), samples=1000).mean for s in (1, 1, 2)
    )
    assert one == again != other


def test_exact_cases_are_simulated_as_their_floats() -> None:
    one, other = (
        simulate(case, "branched", np.random.default_rng(1), samples=500)
        for case in (latch(2), as_float(latch(2)))
    )
    assert one == other


@pytest.mark.parametrize(
    ("change", "message"),
    [({"samples": 0}, "samples: 0"), ({"confidence": 1}, "confidence: 1"),
     ({"confidence": -0.5}, "confidence: -0.5"), ({"samples": 1.5}, "samples: 1.5")],
)  # fmt: skip
def test_impossible_simulations(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        simulate(leak(), "real", np.random.default_rng(0), **change)


def test_only_three_returns_can_be_simulated() -> None:
    with pytest.raises(ValueError, match="somewhere"):
        simulate(leak(branch_length=1), "somewhere", np.random.default_rng(0), samples=10)


def test_no_branched_return_without_a_branch_length() -> None:
    with pytest.raises(ValueError, match="branch_length"):
        simulate(leak(), "branched", np.random.default_rng(0), samples=10)
