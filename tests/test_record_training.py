"""The recorded training runs: every command is one that works, and the records are of them."""

import json
import sys
from pathlib import Path

import pytest
import tyro

from deep.commands.main import Train, commands
from deep.training.settings import Settings, as_json, check

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
sys.path.insert(0, str(NOTEBOOKS))

import record_training  # noqa: E402  (of the notebooks' folder)

#: Settings that came after some of the runs were recorded, with the values they had.
LATER = {"cool": 0, "penalty": 0.0, "standardise": False, "signal": 0.0}
LATER_OF_MODELS = {"opponent_error": "mismatch"}


def settings_of(name: str) -> Settings:
    arguments = ["train", *record_training.RUNS[name].split()]
    train = tyro.cli(commands(arguments), args=arguments, config=(tyro.conf.FlagCreatePairsOff,))
    assert isinstance(train, Train)
    return check(train.settings)


@pytest.mark.parametrize("name", record_training.RUNS)
def test_a_record_is_of_the_command_that_makes_it(name: str) -> None:
    wanted = as_json(settings_of(name))
    folder = record_training.DATA / name
    assert {path.name for path in folder.iterdir()} >= {*record_training.KEPT, "evaluation.json"}
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    recorded = manifest["settings"]
    later = {key: value for key, value in LATER.items() if key in wanted["learner"]}
    recorded["learner"] = later | recorded["learner"]
    if "model" in recorded["learner"]:
        recorded["learner"]["model"] = LATER_OF_MODELS | recorded["learner"]["model"]
    for key in ("record_every", "checkpoint_every", "evaluate_every", "evaluation_episodes"):
        wanted.pop(key), recorded.pop(key)  # no number that is learned depends on them
    assert recorded == wanted


def test_an_unknown_name_is_answered_with_the_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert record_training.command([]) == 0
    assert capsys.readouterr().out.split() == list(record_training.RUNS)
    assert record_training.command(["spread"]) == 2
    assert "spread is not one of" in capsys.readouterr().err
