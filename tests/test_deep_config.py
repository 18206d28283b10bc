"""Settings: presets that can be run, and what cannot be run is answered in one line."""

import json
from dataclasses import replace
from typing import Any

import pytest

from bounds.numbers import InputError
from deep.algorithms import ALGORITHMS
from deep.config import PRESETS, Settings, as_json, check, from_json, preset
from deep.masac import Masac
from deep.tasks import names, world


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_run_on_every_task(name: str, algorithm: str) -> None:
    for task in names():
        settings = preset(name, task, algorithm)
        if algorithm.startswith("ao") and len(world(task, {}).agents) == 1:
            with pytest.raises(InputError, match=r"has one agent; take masac or maddpg$"):
                check(settings)
            continue
        assert check(settings) is settings
        assert (settings.task, settings.algorithm) == (task, algorithm)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_settings_survive_json(algorithm: str) -> None:
    settings = replace(preset("paper", "spread", algorithm), agents=4, landmarks=2)
    assert from_json(json.loads(json.dumps(as_json(settings))), "here") == settings


def test_the_paper_preset_has_the_scale_of_the_paper() -> None:
    settings = preset("paper", "speaker-listener", "masac")
    assert (settings.episodes, settings.environments, len(settings.seeds)) == (12_000, 15, 5)
    assert (settings.updates, settings.update_every, settings.capacity) == (1, 100, 10**6)
    assert (settings.learner.tau, settings.learner.gamma) == (0.001, 0.95)
    assert (settings.learner.batch, settings.learner.learning_rate) == (1024, 0.005)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"task": "sprad"}, "task: 'sprad' is not known; the nearest name is spread"),
        ({"task": "game:chiken"}, "nearest name is game:chicken"),
        ({"algorithm": "mazac"}, "algorithm: 'mazac' is not known; the nearest name is masac"),
        ({"algorithm": "maddpg"}, "learner: Masac given for maddpg; give Maddpg"),
        ({"learner": Masac(batch=2000)}, "batch: 2000 is larger than the warm-up of 1500 steps"),
        ({"capacity": 1400}, "capacity: 1400 transitions are fewer than the warm-up of 1500"),
        ({"environments": 10**5, "capacity": 2000}, "capacity: 2000 is below the 100000"),
        ({"task": "push", "agents": 5}, "agents: 5 given, but in push its numbers are fixed"),
        ({"agents": 101}, "agents: 101 is not a whole number, 1..100"),
        ({"agents": 0}, "agents: 0 is not a whole number, 1..100"),
        ({"task": "climb", "agents": 3}, "agents: 3 given, but the agents of climb are fixed"),
        ({"task": "game:chicken", "continuous": True}, "the actions of game:chicken are choices"),
        ({"episodes": 0}, "episodes: 0 is not a whole number, 1 or more"),
        ({"updates": -1}, "updates: -1 is not a whole number, 1 or more"),
        ({"evaluate_every": -1}, "evaluate_every: -1 is not a whole number"),
        ({"threads": 0}, "threads: 0 is not a whole number"),
        ({"seeds": (0, 1, 0)}, "seeds[2]: 0 is there already"),
        ({"seeds": ()}, "seeds: none"),
        ({"seeds": (-1,)}, "seeds[0]: -1 is not a whole number"),
    ],
)
def test_what_cannot_be_run_is_one_line(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as error:
        check(replace(preset("laptop", "spread", "masac"), **changes))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("name", "value"), [("learning_rate", -1.0), ("tau", 2.0), ("gamma", 1)])
def test_rates_out_of_range_are_one_line(name: str, value: float) -> None:
    with pytest.raises(InputError, match=f"^{name}: "):
        replace(Masac(), **{name: value})


def test_settings_of_another_version_are_one_line() -> None:
    value = as_json(Settings())
    for odd in (
        {k: v for k, v in value.items() if k != "warm_up"},
        value | {"more": 1},
        value | {"algorithm": "new"},
        value | {"learner": {}},
        value | {"learner": None},
        [],
        None,
    ):
        with pytest.raises(InputError, match=r"^manifest\.json: ") as error:
            from_json(odd, "manifest.json")
        assert "\n" not in str(error.value)
