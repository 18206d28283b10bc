"""The command ``bias``: what it prints of a run, and what it cannot measure, in one line."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from deep.commands.main import main
from deep.training.run import train
from tests.support.runs import modelled, new, small


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = modelled(small("spread", "aorpo", episodes=12, evaluate_every=0))
    begun = new(tmp_path_factory.mktemp("bias"), settings)
    assert train(begun) == 0
    return begun.folder


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["bias", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    return line.removeprefix("python -m deep: ")


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["bias", *arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    return found


QUICK = ("--k", "1", "3", "--segments", "8", "--draws", "1")


def test_the_object(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, str(run), *QUICK)
    assert found["seeds"] == [3, 5]
    assert found["agents"] == ["agent_0", "agent_1", "agent_2"]
    assert [one["k"] for one in found["branches"]] == [1, 3]
    for one in found["branches"]:
        assert one["segments"] == 8
        assert one["calls"] == 0  # all-models
        for seed in range(2):
            for ego in range(3):
                parts = sum(one["reward"][seed][ego]) + sum(one["dynamics"][seed][ego])
                parts += sum(map(sum, one["opponents"][seed][ego]))
                assert parts == pytest.approx(one["bias"][seed][ego], abs=1e-9)
                assert one["absolute"][seed][ego] <= 3 * one["trivial"][seed][ego]
                assert one["lengths"][seed][ego] == [one["k"]] * 3
    assert answer(capsys, str(run), *QUICK) == found  # the same numbers again


def test_real_opponents_have_no_part_and_are_asked(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (one,) = answer(
        capsys, str(run), "--k", "3", "--segments", "8", "--draws", "1", "--scheme", "all-real"
    )["branches"]
    assert one["calls"] > 0
    assert all(x == 0 for seed in one["opponents"] for ego in seed for row in ego for x in row)


def test_known_rewards_are_better(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = answer(capsys, str(run), *QUICK, "--reward", "known")["branches"][0]
    learned = answer(capsys, str(run), *QUICK)["branches"][0]
    # of next states that are predicted badly, by a network of eight units
    assert known["reward"] != learned["reward"]
    assert known["trivial"] == learned["trivial"]


def test_the_table(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bias", str(run), *QUICK]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].split()[:4] == ["seed", "ego", "k", "bias"]
    assert "model of agent_2" in out
    assert "Ĝ − G of branches over 8 fresh segments, normal 95 % intervals" in out
    assert out.count("k = 3: bias") == 6


def test_the_interval_that_needs_no_law(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ranged = (str(run), *QUICK, "--reward-range", "-20", "5")
    found = answer(capsys, *ranged)
    for one in found["branches"]:
        free = one.pop("distribution_free")
        for seed in range(2):
            for ego in range(3):
                assert free["radius"][seed][ego] > one["radius"][seed][ego]
                assert 0 <= free["clipped"][seed][ego] < 1
    # the other numbers are what they are without
    plain = answer(capsys, str(run), *QUICK)
    assert all(one.pop("distribution_free") is None for one in plain["branches"])
    assert found == plain
    assert main(["bias", *ranged]) == 0
    assert capsys.readouterr().out.count("  distribution-free 95 % interval: ") == 6
    said = refusal(capsys, str(run), *QUICK, "--reward-range", "-0.1", "0")
    assert said.startswith("--reward-range: -0.1 0 leaves out a reward of -")
    assert refusal(capsys, str(run), "--reward-range", "1", "0").startswith("--reward-range: 1 0;")


def test_the_picture(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bias.png"
    assert main(["bias", str(run), *QUICK, "--plot", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(path)
    with Image.open(path) as picture:
        assert picture.size[0] > picture.size[1] > 300
    before = path.read_bytes()
    assert "exists; choose another name" in refusal(capsys, str(run), "--plot", str(path))
    assert path.read_bytes() == before
    assert "does not end in .png" in refusal(capsys, str(run), "--plot", str(tmp_path / "bias.gif"))


def test_what_cannot_be_measured(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refusal(capsys, str(run), "--k", "26").startswith("--k[0]: 26 is not a whole number")
    assert refusal(capsys, str(run), "--k", "0").startswith("--k[0]: 0")
    assert refusal(capsys, str(run), "--segments", "1").startswith("--segments: 1")
    assert refusal(capsys, str(run), "--draws", "0").startswith("--draws: 0")
    assert "the nearest name is all-real" in refusal(capsys, str(run), "--scheme", "all-reel")
    assert "is not a run" in refusal(capsys, str(tmp_path))
    free = new(tmp_path, small("spread", episodes=6), "free")
    assert "has no checkpoint yet" in refusal(capsys, str(free.folder))
    assert train(free) == 0
    capsys.readouterr()
    assert "has no learned dynamics; give a run of aorpo" in refusal(capsys, str(free.folder))
    early = modelled(small("spread", "aorpo", episodes=6), warmup_episodes=1000)
    late = new(tmp_path, early, "late")
    assert train(late) == 0
    capsys.readouterr()
    assert "its models are not in use yet" in refusal(capsys, str(late.folder))
