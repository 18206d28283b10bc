"""Game files and the command ``nash``: what it prints, its exit codes, bad input in one line."""

import json
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from bounds.shared.files import json_text, write_json
from bounds.shared.numbers import InputError
from tabular.cases.strategies import games
from tabular.commands.main import main
from tabular.equilibria.verification import rounding_check
from tabular.games.catalogue import find
from tabular.games.files import REQUIRED, game_json, load_game, parse_game
from tabular.games.game import StochasticGame
from tests.support.cases import example as example_case

#: The keys that the JSON object has at least.
KEYS = (
    "values", "policies", "regret", "exploitability", "selection", "iterations", "exact",
)  # fmt: skip


def written(tmp_path: Path, value: Any, name: str = "game.json") -> str:
    return str(write_json(tmp_path / name, value))


def catalogued(tmp_path: Path, name: str) -> str:
    return written(tmp_path, game_json(find(name).build()), f"{name}.json")


def chicken() -> dict[str, Any]:
    """Chicken as a file: one state, two agents."""
    return {
        "format": "stochastic-game-case/1",
        "gamma": "9/10",
        "actions": [2, 2],
        "initial": [1],
        "transition": [[[1]] * 4],
        "reward": [[[6, 2, 7, 0]], [[6, 7, 2, 0]]],
    }


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    code = main(["nash", *arguments, "--json"])
    printed = capsys.readouterr()
    assert printed.err == ""
    assert len(printed.out.splitlines()) == 1
    result: dict[str, Any] = json.loads(printed.out, parse_constant=pytest.fail)
    assert set(KEYS) <= set(result)
    assert code == (0 if result["status"] == "converged" else 3)
    return result


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["nash", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith("python -m tabular: ")
    assert len(line) < 400
    return line.removeprefix("python -m tabular: ")


# What is printed


def test_exact_numbers_are_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, chicken())
    result = answer(capsys, path, "--selection", "best-sum")
    assert result["values"] == [["140/3"], ["140/3"]]
    assert result["policies"] == [[["2/3", "1/3"]], [["2/3", "1/3"]]]
    assert result["regret"] == ["0"]
    assert result["exploitability"] == "0"
    assert result["selection"] == "best-sum"
    assert result["exact"] is True
    assert result["iterations"] > 0
    assert result["method"] == "nash-value-iteration"
    assert answer(capsys, path)["selection"] == "first"
    assert answer(capsys, path, "--selection", "best:1")["values"] == [["20"], ["70"]]


def test_floats_are_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, chicken() | {"gamma": 0.9})
    result = answer(capsys, path, "--selection", "best-sum")
    assert result["exact"] is False
    assert result["values"][0][0] == pytest.approx(140 / 3, rel=1e-9)
    # Q is rounded to 2**-40 of payoffs below 64, and errors add up to ten times that
    assert 0 <= result["exploitability"] <= 8 * 64 * 2.0**-40 * 10
    assert isinstance(result["policies"][0][0][0], float)


@pytest.mark.parametrize("name", ["matching-pennies", "river-swim", "public-goods"])
def test_one_two_and_four_agents(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    game = find(name).build()
    result = answer(capsys, catalogued(tmp_path, name))
    assert np.shape(result["values"]) == (game.n, game.n_states)
    assert [len(own) for own in result["policies"]] == [game.n_states] * game.n
    assert [len(own[0]) for own in result["policies"]] == list(game.actions)
    assert result["regret"] == ["0"] * game.n_states
    assert (result["exploitability"], result["exact"]) == ("0", True)


def test_a_cycle_ends_with_three(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = catalogued(tmp_path, "garnet")
    result = answer(capsys, path)
    assert (result["status"], result["exact"]) == ("cycle", False)
    assert result["exploitability"] > 1
    assert main(["nash", path]) == 3
    assert (
        f"not converged: the values cycle with period {result['period']}" in capsys.readouterr().out
    )


def test_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nash", catalogued(tmp_path, "grid-game-1"), "--selection", "best-sum"]) == 0
    out = capsys.readouterr().out
    assert "method          nash-value-iteration, selection best-sum" in out
    assert "arithmetic      exact" in out
    assert "exploitability  0" in out
    assert out.splitlines()[-1] == "… and 18 states more; --json has them all"
    assert main(["nash", catalogued(tmp_path, "matching-pennies")]) == 0
    out = capsys.readouterr().out
    assert "value error     at most 0" in out
    assert out.splitlines()[-1].split() == ["0", "0", "1/2", "1/2", "0", "1/2", "1/2", "0"]


# The check, and all equilibria


def test_what_fails_the_check_is_not_called_converged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounding_check, "ALLOWED", 0.0)  # nothing passes for rounding
    path = written(tmp_path, chicken() | {"gamma": 0.9})
    result = answer(capsys, path, "--selection", "best-sum")
    assert result["status"] == "unverified"
    assert main(["nash", path, "--selection", "best-sum"]) == 3
    assert "not verified: its regret is more than rounding explains" in capsys.readouterr().out


def test_all_equilibria_of_one_state(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, chicken())
    assert main(["nash", path, "--all", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["equilibria"]
    assert [one["values"] for one in found] == [["20", "70"], ["70", "20"], ["140/3", "140/3"]]
    assert found[2]["policies"] == [["2/3", "1/3"], ["2/3", "1/3"]]
    assert all(one["verified"] and one["exact"] and one["regret"] == "0" for one in found)
    assert main(["nash", path, "--all"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("equilibria      3\n")
    assert "NOT VERIFIED" not in out


def test_all_of_a_float_game(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, chicken() | {"gamma": 0.9})
    assert main(["nash", path, "--all", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["equilibria"]
    assert len(found) == 3
    assert all(one["verified"] and not one["exact"] for one in found)
    # payoffs of at most 10 a step, 70 in all: some roundings of that
    assert all(0 <= one["regret"] <= one["regret_bound"] <= 1e-10 for one in found)


@pytest.mark.parametrize("flags", [("--selection", "pareto"), ("--temperature", "1")])
def test_all_is_no_selection(
    flags: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refusal(capsys, written(tmp_path, chicken()), "--all", *flags)
    assert line == "--all: beside a selection or a temperature; leave one of the two out"


def test_all_is_for_one_state(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = refusal(capsys, catalogued(tmp_path, "grid-game-2"), "--all")
    assert line.startswith("game: 57 states; all equilibria are listed for one state only")


@pytest.mark.parametrize("temperature", ["1e-300", "1e-12"])
def test_the_smallest_temperatures_end(
    temperature: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In an answer or in a message, within seconds."""
    begun = time.process_time()
    code = main(["nash", written(tmp_path, chicken()), "--temperature", temperature])
    assert time.process_time() - begun < 60
    printed = capsys.readouterr()
    assert code in (0, 2, 3)
    assert (code == 2) == (printed.out == "")
    assert len(printed.err.splitlines()) == (code == 2)


# Game files


@given(games() | games(exact=False))
def test_what_is_written_is_read_back(game: StochasticGame) -> None:
    found = parse_game(json.loads(json_text(game_json(game))))
    assert found.actions == game.actions
    assert (found.gamma, type(found.gamma)) == (game.gamma, type(game.gamma))
    for key in ("transition", "reward", "initial"):
        one, two = getattr(found, key), getattr(game, key)
        assert one.dtype == two.dtype
        assert np.array_equal(one, two)


def test_a_case_file_with_all_rewards_is_a_game_file() -> None:
    case = example_case() | {"reward": [[[0] * 6] * 2, [[1] * 6] * 2]}
    game = parse_game(case)
    assert game.is_exact
    assert (game.n, game.n_states) == (2, 2)
    assert (game.name, game.source) == ("an example", "nowhere")
    assert game.transition[1, 0, 0] == Fraction(1, 4)


def test_one_agent_may_give_one_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    single = chicken() | {"actions": [4], "reward": [[6, 2, 7, 0]]}
    assert answer(capsys, written(tmp_path, single))["values"] == [["70"]]
    nested = chicken() | {"actions": [4], "reward": [[[6, 2, 7, 0]]]}
    assert parse_game(nested).reward.tolist() == parse_game(single).reward.tolist()


def test_sparse_games_are_not_written() -> None:
    with pytest.raises(InputError, match="transition: sparse"):
        game_json(find("soccer").build())


def test_files_of_the_command_case_hold_one_agents_rewards(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "case.json"
    assert main(["case", "chicken", "--out", str(path)]) == 0
    capsys.readouterr()
    line = refusal(capsys, str(path))
    assert line == (
        "reward: the payoffs of one agent; equilibria need those of all 2, [agent][s][a]"
    )


# Bad input

BAD: list[tuple[dict[str, Any], str]] = [
    ({"reward": [[[6, 2, 7, 0]], [[6, 7, 2]]]}, "reward[1][0]: 3 entries, and this case needs 4"),
    ({"reward": [[[6, 2, 7, 0]]]}, "reward: 1 entries, and this case needs 2"),
    ({"reward": [[[6, 2, 7, 0]], [[6, 7, [2], 0]]]}, "reward[1][0][2]: a list of 1 entries"),
    ({"reward": [[6, 2, 7, 0], [6, 7, 2, 0]]}, "reward: the payoffs of one agent"),
    ({"reward": []}, "reward: 0 entries"),
    ({"reward": None}, "reward: null"),
    ({"reward": [[[6, 2, 7, "x"]], [[6, 7, 2, 0]]]}, "reward[0][0][3]: 'x' is not a rational"),
    ({"reward": [[[6, 2, 7, 1e200]], [[6, 7, 2, 0]]]}, "reward[0][0][3]: 1e+200 is beyond"),
    ({"transition": [[[1]] * 3]}, "transition[0]: 3 entries, and this case needs 4"),
    ({"transition": [[["1/2"]] * 4]}, "transition[0][0]: probabilities sum to 1/2, not 1"),
    ({"initial": []}, "initial: empty"),
    ({"initial": ["1/2"]}, "initial: probabilities sum to 1/2"),
    ({"gamma": 1}, "gamma: 1 is not in [0, 1)"),
    ({"gamma": True}, "gamma: True; give a number"),
    ({"actions": [2, 0]}, "actions[1]: 0"),
    ({"actions": []}, "actions: empty"),
    ({"actions": 4}, "actions: 4; give a list"),
    ({"format": "game"}, "format: 'game'"),
    ({"rewards": []}, "'rewards': not a key of a case; did you mean reward?"),
]


@pytest.mark.parametrize(("change", "expected"), BAD)
def test_bad_files(
    change: dict[str, Any], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert expected in refusal(capsys, written(tmp_path, chicken() | change))


@pytest.mark.parametrize("key", REQUIRED)
def test_missing_keys(key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    value = {k: v for k, v in chicken().items() if k != key}
    line = refusal(capsys, written(tmp_path, value))
    assert line == f"{key}: missing; the case format needs it"


def test_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "cannot be read" in refusal(capsys, str(tmp_path / "absent.json"))
    (tmp_path / "text.json").write_text("{")
    assert "not JSON" in refusal(capsys, str(tmp_path / "text.json"))


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ("best", "selection: 'best'; give first"),
        ("best:2", "selection: best:2: there is no agent 2, only 0..1"),
        ("saddle", "selection: saddle: stage game of state 0 in iteration 1: none of its 3"),
        ("global-optimum", "is a global optimum; choose another selection"),
    ],
)
def test_selections_that_are_none(
    selection: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, chicken())
    assert expected in refusal(capsys, path, "--selection", selection)


def test_games_that_are_too_large(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    size = 12
    reward = np.random.default_rng(0).integers(0, 9, (2, 1, size * size)).tolist()
    value = chicken() | {
        "actions": [size, size],
        "transition": [[[1]] * size**2],
        "reward": reward,
    }
    line = refusal(capsys, written(tmp_path, value))
    assert "12x12 actions are too many to enumerate supports" in line
    assert "use the selection any, for one equilibrium" in line


def test_three_agents_without_pygambit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pygambit", None)
    line = refusal(capsys, catalogued(tmp_path, "three-player-matching-pennies"))
    assert "pip install 'opponentwise[equilibria]'" in line


def test_the_file_is_read_from_disk(tmp_path: Path) -> None:
    game = load_game(Path(catalogued(tmp_path, "stag-hunt")))
    assert game.reward.tolist() == find("stag-hunt").build().reward.tolist()
