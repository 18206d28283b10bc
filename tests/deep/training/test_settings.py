"""Settings: presets that can be run, and what cannot be run is answered in one line."""

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bounds.planning.schemes import SCHEMES
from bounds.shared.numbers import InputError
from deep.agents.masac import Masac
from deep.aorpo.settings import ModelBasedSettings, model_settings
from deep.dynamics.ensemble import DynamicsSettings
from deep.envs.tasks import names, world
from deep.opponents.fitting import OpponentSettings
from deep.training.algorithms import ALGORITHMS
from deep.training.presets import PRESETS, preset
from deep.training.run import Run, assemble
from deep.training.settings import Settings, as_json, check, from_json
from tests.support.runs import modelled, small


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
    assert settings.learner.standardise


@pytest.mark.parametrize(("task", "updates"), [("spread", 20), ("speaker-listener", 10)])
def test_the_paper_s_updates_a_round(task: str, updates: int) -> None:
    """G of the model-based algorithms, and one of their baselines; models of two sizes."""
    for algorithm in ALGORITHMS:
        modelled = algorithm.startswith("ao")
        for name in ("paper", "paper-code"):
            settings = preset(name, task, algorithm)
            assert settings.updates == (updates if modelled else 1)
    right, code = (
        model_settings(preset(name, task, "aorpo").learner) for name in ("paper", "paper-code")
    )
    assert right is not None
    assert code is not None
    assert (code.dynamics.members, code.dynamics.hidden) == (8, (512,) * 4)
    assert (code.dynamics.per_ego, code.reward_source) == (True, "ensemble")
    assert right.dynamics.hidden == (128, 128)
    assert (right.k, right.rollouts) == (code.k, code.rollouts)


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


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"warmup_episodes": -1}, "model.warmup_episodes: -1 is not a whole number, 0 or more"),
        ({"rollouts": 0}, "model.rollouts: 0 is not a whole number, 1 or more"),
        ({"k": 0}, "model.k: 0 is not a whole number, 1 or more"),
        (
            {"rollout_length_epochs": (3,)},
            "model.rollout_length_epochs: 1 numbers; give two epochs",
        ),
        ({"rollout_length_epochs": (-1, 3)}, "model.rollout_length_epochs[0]: -1 is not"),
        (
            {"rollout_length_epochs": (3, 3)},
            "model.rollout_length_epochs[1]: 3 is not a whole number, 4 or more",
        ),
        ({"epoch": 0}, "model.epoch: 0 is not"),
        ({"real_ratio": 1.1}, "model.real_ratio: 1.1 is not in [0, 1]"),
        ({"real_ratio": float("nan")}, "model.real_ratio: nan"),
        ({"buffer_rounds": 0}, "model.buffer_rounds: 0 is not"),
        ({"fit_every": 0}, "model.fit_every: 0 is not"),
        ({"calls": -1}, "model.calls: -1 is not"),
        ({"scheme": "adaptiv"}, "model.scheme: 'adaptiv' is not one of "),
    ],
)
def test_models_that_cannot_be_used_are_one_line(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as error:
        ModelBasedSettings(**changes)
    assert str(error.value).startswith(words)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("run", "models", "words"),
    [
        (
            ("game:two-state-mdp", "aorpo", {}),
            {},
            "algorithm: aorpo models the others",
        ),
        (
            ("spread", "aordpg", {"agents": 1}),
            {},
            "algorithm: aordpg models the others",
        ),
        (
            ("climb", "aordpg", {}),
            {"scheme": "planned"},
            "model.scheme: planned asks how far policies have moved, which has no closed form",
        ),
        (
            ("spread", "aorpo", {"continuous": True}),
            {"scheme": "planned"},
            "model.scheme: planned asks how far policies have moved, which has no closed form",
        ),
        (
            ("climb", "aorpo", {}),
            {"scheme": "released"},
            "model.scheme: released compares how often actions match, and numbers never do",
        ),
        (
            ("push", "aorpo", {}),
            {"reward_source": "known"},
            "model.reward_source: push does not offer its reward as a function of observations",
        ),
        (
            ("game:chicken", "aorpo", {}),
            {"reward_source": "known"},
            "model.reward_source: chicken does not offer its reward",
        ),
        (
            ("spread", "aorpo", {}),
            {"opponents": OpponentSettings(max_rows=150)},
            "model.opponents.validation_share: 0.2 of 150 rows may leave 26 to train on",
        ),
        (
            ("spread", "aorpo", {}),
            {"dynamics": DynamicsSettings(validation_share=0.99)},
            "model.dynamics.validation_share: 0.99 of 1500 rows may leave 8 to train on",
        ),
    ],
)
def test_models_that_do_not_suit_the_run_are_one_line(
    run: tuple[str, str, dict[str, Any]], models: dict[str, Any], words: str
) -> None:
    task, algorithm, changes = run
    settings = replace(preset("laptop", task, algorithm), **changes)
    learner: Any = settings.learner
    chosen = model_settings(learner)
    assert chosen is not None
    settings = replace(settings, learner=replace(learner, model=replace(chosen, **models)))
    with pytest.raises(InputError) as error:
        check(settings)
    assert str(error.value).startswith(words)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("algorithm", ["aorpo", "aordpg"])
def test_what_is_not_refused_can_be_played(algorithm: str, scheme: str) -> None:
    """Every scheme, with models and with the real policies, on choices and on numbers."""
    refused = 0
    for task, exact in itertools.product(("speaker-listener", "climb"), (False, True)):
        settings = modelled(small(task, algorithm), scheme=scheme, exact_opponents=exact)
        try:
            check(settings)
        except InputError:
            refused += 1
            continue
        trainer = assemble(Run(Path(), "run", settings, "cpu"))
        while trainer.updates < 6:
            trainer.step()
        assert "opponent_error" in trainer.averages.means()
    assert refused == (
        2 if scheme == "released" or (scheme, algorithm) == ("planned", "aordpg") else 0
    )
