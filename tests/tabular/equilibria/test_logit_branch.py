"""Logit equilibria of whole games: the equations, independent witnesses, the command, bad input."""

import json
from fractions import Fraction
from itertools import islice
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounds.shared.files import write_json
from bounds.shared.numbers import Array, InputError
from tabular.cases.strategies import games
from tabular.commands.main import main
from tabular.equilibria import logit_branch as module
from tabular.equilibria.gambit import logit_equilibria
from tabular.equilibria.logit_branch import LogitValues, as_solution, described, logit_values
from tabular.equilibria.nash_value_iteration import solve
from tabular.equilibria.selection import parse_selection
from tabular.games.catalogue import find
from tabular.games.files import game_json
from tabular.games.game import StochasticGame, as_float, as_sparse
from tabular.games.literature import matching_pennies
from tabular.games.random import garnet
from tabular.soft_q.all_agents import Learners, simultaneous_iteration
from tabular.soft_q.one_agent import ego_world
from tabular.soft_q.one_agent import solve as soft_solve

ALPHAS = st.sampled_from((0.05, 0.3, 1.0, 10.0))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def one_step(game: StochasticGame, found: LogitValues) -> tuple[float, float]:
    """How far all agents learning at once move from ``found``: policies (D_TV) and values."""
    floats = as_float(game)
    q = floats.reward + float(game.gamma) * np.einsum(
        "sat,jt->jsa", floats.transition, found.soft_values
    )
    steps = simultaneous_iteration(
        float(game.gamma), game.actions, floats.transition, floats.reward, found.alpha,
        Learners(q, found.policies),
    )  # fmt: skip
    _, after = islice(steps, 2)
    moved = [
        np.abs(a - b).sum(axis=-1) / 2 for a, b in zip(after.policies, found.policies, strict=True)
    ]
    return max(float(x.max()) for x in moved), float(np.abs(after.q - q).max())


@given(games(), ALPHAS)
def test_every_game_is_solved_and_no_learner_moves(game: StochasticGame, alpha: float) -> None:
    found = logit_values(game, alpha)
    assert found.status == "converged"
    policies, values = one_step(game, found)
    assert policies <= module.TOLERANCE
    # the soft values are those of the policies: a log-sum-exp moves them by twice span u times
    # the distance of the policies, and rounding is below 1e-9 at values up to 10^3 + 10 α
    size = 1 + np.abs(found.soft_values).max()
    assert values <= 1e-7 * size
    # a policy maximises returns with entropy, which is worth at most α log|Aʲ|/(1 − γ)
    most = alpha * log(max(game.actions)) / (1 - float(game.gamma))
    assert as_solution(game, found).exploitability <= most + 1e-9 * size


@given(st.integers(0, 9999), st.sampled_from([(2, 2), (3, 2), (2, 2, 2)]), ALPHAS)
def test_one_state_without_a_future_is_gambits_branch(
    seed: int, actions: tuple[int, ...], alpha: float
) -> None:
    payoffs = rng(seed).normal(size=(len(actions), *actions))
    flat = payoffs.reshape(len(actions), 1, -1)
    game = StochasticGame(actions, np.ones((1, flat.shape[2], 1)), flat, np.ones(1), 0.0)
    found = logit_values(game, alpha)
    witness = logit_equilibria(payoffs, [1 / alpha])[0]
    for own, other in zip(found.policies, witness, strict=True):
        # pygambit corrects its points to about 1e-8
        assert own[0] == pytest.approx(other, abs=1e-6)


@pytest.mark.parametrize("name", ["two-state-mdp", "river-swim"])
@pytest.mark.parametrize("alpha", [0.01, 0.3, 5.0])
def test_one_agent_is_soft_optimal(name: str, alpha: float) -> None:
    game = as_float(find(name).build())
    world = ego_world(game.gamma, game.actions, 0, game.reward[0], game.transition, ())
    soft = soft_solve(world, alpha, "conditioned")
    found = logit_values(game, alpha)
    assert found.soft_values[0] == pytest.approx(soft.v, rel=1e-9)
    assert found.policies[0] == pytest.approx(soft.policy[..., 0], abs=1e-7)


def test_learners_that_converge_find_the_same() -> None:
    game = as_float(garnet((2, 3), 4, 2, rng(4), exact=True))
    game = StochasticGame(game.actions, game.transition, game.reward, game.initial, 0.5)
    # above the sufficient temperature span R/(2 (1 − γ)²) = 2 span R there is one fixed point
    alpha = 2.1 * float(np.ptp(game.reward, axis=(1, 2)).max())
    *_, last = islice(
        simultaneous_iteration(0.5, game.actions, game.transition, game.reward, alpha), 200
    )
    for own, other in zip(logit_values(game, alpha).policies, last.policies, strict=True):
        assert own == pytest.approx(other, abs=1e-9)


def test_an_equilibrium_where_learners_go_round() -> None:
    """Below α = 1 all agents at once cycle in matching pennies from every start but this one."""
    found = logit_values(matching_pennies(), 0.2)
    assert found.status == "converged"
    for own in found.policies:
        assert own == pytest.approx(0.5, abs=1e-9)
    shapley = logit_values(find("shapley").build(), 0.01)
    for own in shapley.policies:
        assert own == pytest.approx(1 / 3, abs=1e-9)


def test_a_branch_that_turns_back() -> None:
    found = logit_values(find("garnet").build(), 0.01)
    assert (found.status, found.turned) == ("converged", True)
    assert not logit_values(find("garnet").build(), 1.0).turned


def test_climb_leads_to_its_nash_values() -> None:
    game = find("climb").build()
    nash = solve(game, parse_selection("first", 2)).values.astype(float)
    far = [np.abs(logit_values(game, alpha).soft_values - nash).max() for alpha in (1.0, 0.1, 0.05)]
    assert far[0] > far[1] > far[2]
    assert far[2] < 0.02 * far[0]


def test_uniform_play_is_no_equilibrium_and_says_so() -> None:
    game = find("stag-hunt").build()
    uniform = tuple(np.full((1, 2), 0.5) for _ in range(2))
    found = described(game, uniform, 1.0)
    assert found.status == "limit"
    # u = (2, 3), and γ adds the same to both
    assert found.residual == pytest.approx(np.e / (1 + np.e) - 0.5)


# Planted mistakes


def wrong_reward(game: StochasticGame) -> StochasticGame:
    return StochasticGame(
        game.actions, game.transition, game.reward[::-1], game.initial, game.gamma
    )


def wrong_discount(game: StochasticGame) -> StochasticGame:
    return StochasticGame(game.actions, game.transition, game.reward, game.initial, game.gamma**2)


@pytest.mark.parametrize("wrong", [wrong_reward, wrong_discount])
def test_a_branch_of_other_equations_is_not_called_converged(
    wrong: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    branch = module._Branch
    monkeypatch.setattr(module, "_Branch", lambda game: branch(wrong(game)))
    for seed in range(3):
        game = as_float(garnet((2, 2), 3, 2, rng(seed), exact=True))
        assert logit_values(game, 0.1).status == "limit"


def test_derivatives_are_those_of_the_equations() -> None:
    for actions in ((3,), (2, 3), (2, 3, 2)):
        branch = module._Branch(as_float(garnet(actions, 3, 2, rng(1), exact=True)))
        point = branch.start() + 0.1 * rng(2).normal(size=branch.size + 1)
        slopes = branch.equations(point)[1]
        for k in range(branch.size + 1):
            step = 1e-6 * np.eye(branch.size + 1)[k]
            ends = [branch.equations(point + sign * step)[0] for sign in (1, -1)]
            # the third derivatives of sums of products of exp are below 10^3: 1e-9, and rounding
            assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(slopes[:, k], abs=1e-7)
        assert np.abs(branch.equations(branch.start())[0]).max() < 1e-12


def test_a_branch_that_is_cut_off_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_POINTS", 3)
    found = logit_values(find("climb").build(), 0.05)
    assert (found.status, found.points) == ("limit", 3)
    assert found.residual > 0.1
    monkeypatch.setattr(module, "MAX_POINTS", 20_000)
    monkeypatch.setattr(module, "MAX_CORRECTIONS", 0)
    assert logit_values(find("climb").build(), 0.05).status == "limit"


# The command


def written(tmp_path: Path, name: str) -> str:
    return str(write_json(tmp_path / "game.json", game_json(find(name).build())))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, "stag-hunt")
    assert main(["nash", path, "--temperature", "0.5", "--json"]) == 0
    result = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    game = find("stag-hunt").build()
    found = logit_values(game, 0.5)
    assert (result["selection"], result["temperature"]) == ("logit", 0.5)
    assert (result["exact"], result["status"], result["value_error"]) == (False, "converged", None)
    assert result["method"] == "logit-homotopy"
    assert result["soft_values"] == found.soft_values.tolist()
    assert result["policies"] == [own.tolist() for own in found.policies]
    solution = as_solution(game, found)
    assert result["values"] == solution.values.tolist()
    assert result["exploitability"] == solution.exploitability > 0
    assert result["regret"] == solution.regret.tolist()
    assert result["residual"] == found.residual
    assert result["iterations"] == found.points
    assert main(["nash", path, "--temperature", "0.5"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0] == "temperature     0.5"
    assert "logit-homotopy, selection logit" in out


def test_the_command_ends_with_three(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_POINTS", 3)
    assert main(["nash", written(tmp_path, "climb"), "--temperature", "0.05"]) == 3
    assert "not converged in 3 iterations" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--temperature", "0"], "temperature: 0.0; give a finite number above 0"),
        (["--temperature", "-1"], "temperature: -1.0"),
        (["--temperature", "inf"], "temperature: inf"),
        (["--temperature", "nan"], "temperature: nan"),
        (["--temperature", "1", "--selection", "saddle"], "selection: saddle beside a temperature"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["nash", written(tmp_path, "chicken"), *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert why in line


def test_games_that_are_too_large() -> None:
    size = 60
    reward: Array = np.zeros((2, size, size * size))
    transition = np.full((size, size * size, size), 1 / size)
    game = StochasticGame((size, size), transition, reward, np.full(size, 1 / size), 0.5)
    with pytest.raises(InputError, match="7320 equations, more than 2500") as error:
        logit_values(game, 1.0)
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="sparse"):
        logit_values(as_sparse(find("chicken").build()), 1.0)


def test_exact_numbers_are_answered_in_floats() -> None:
    game = find("chicken").build()
    assert isinstance(game.gamma, Fraction)
    found = logit_values(game, 1.0)
    assert found.soft_values.dtype == float
    assert one_step(game, found)[0] <= module.TOLERANCE
