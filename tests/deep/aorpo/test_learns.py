"""AORPO learns a finite game within seconds, from what its models made up.

In this game the best that can be done in a state pays most at once too, so wrong next states are
not noticed here; the law of branches (``tests.deep.aorpo.test_rollouts``,
``tests.deep.aorpo.test_build``) shows them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from deep.aorpo.models import AgentModels
from deep.aorpo.settings import ModelBasedSettings
from deep.data.batch import Batch
from deep.data.model_replay import ModelReplay
from deep.dynamics.ensemble import DynamicsSettings
from deep.opponents.fitting import OpponentSettings
from deep.seeding import streams
from deep.training.presets import preset
from deep.training.run import Run, assemble
from deep.training.settings import Settings
from tabular.games.catalogue import find

SEEDS = (0, 1, 2)
MODELS = ModelBasedSettings(
    warmup_episodes=15,
    rollouts=64,
    k=3,
    rollout_length_epochs=(0, 1),
    epoch=30,
    real_ratio=0.0,
    buffer_rounds=4,
    fit_every=500,
    dynamics=DynamicsSettings(members=2, hidden=(32,), batch=64, max_rows=2000, max_epochs=20),
    opponents=OpponentSettings(hidden=(16,), max_rows=512, batch=128, max_epochs=2),
)


#: MADDPG, with models or without, stops exploring early unless its logits are held small.
MORE: dict[str, dict[str, Any]] = {"aorpo": {}, "aordpg": {"penalty": 0.05}}


def settings(algorithm: str = "aorpo") -> Settings:
    """Batches are all made up once the models are used."""
    usual = preset("laptop", "game:unequal-coordination", algorithm)
    given = {"learning_rate": 0.005, "batch": 128, "hidden": (32, 32), "model": MODELS}
    learner = replace(usual.learner, **(given | MORE[algorithm]))  # type: ignore[arg-type]
    return replace(
        usual, learner=learner, seeds=SEEDS, episodes=150, updates=4, capacity=4000, warm_up=600
    )


def joint_actions(algorithm: str = "aorpo") -> list[list[tuple[int, int]]]:
    """Greedy joint actions in the two states, by run, after training."""
    torch.set_num_threads(1)
    chosen = settings(algorithm)
    trainer = assemble(Run(Path(), "run", chosen, "cpu"))
    while trainer.episodes < chosen.episodes:
        trainer.episode()
    states = torch.eye(2)[None, :, None, :].expand(3, 2, 2, 2).contiguous()
    own = trainer.learner.act(states, streams(SEEDS, "test"), greedy=True).argmax(-1)
    return [[(int(a), int(b)) for a, b in run] for run in own.tolist()]


def value(joint: list[tuple[int, int]]) -> float:
    """The return of a stationary joint policy, in both states, exactly; rewards are shared."""
    game = find("unequal-coordination").build()
    rows = [3 * a + b for a, b in joint]
    moved = game.transition[[0, 1], rows].astype(float)
    v = np.linalg.solve(np.eye(2) - 0.9 * moved, game.reward[0][[0, 1], rows].astype(float))
    return float(game.initial.astype(float) @ v)


def best(joint: list[tuple[int, int]]) -> bool:
    """Whether no joint policy has a larger return, so that it is an equilibrium, and the best."""
    every = itertools.product(itertools.product(range(2), range(3)), repeat=2)
    return value(joint) >= max(value(list(each)) for each in every) - 1e-9


@pytest.mark.parametrize("algorithm", ["aorpo", "aordpg"])
def test_it_learns_the_best_equilibrium(algorithm: str) -> None:
    assert all(best(joint) for joint in joint_actions(algorithm))


def test_only_one_joint_policy_is_the_best() -> None:
    """The one that pays most in state 0, and in state 1 what leads there."""
    every = itertools.product(itertools.product(range(2), range(3)), repeat=2)
    assert [each for each in every if best(list(each))] == [((0, 0), (0, 2))]


def changed(monkeypatch: pytest.MonkeyPatch, change: Callable[[Batch], Batch]) -> None:
    """Whatever is made up is ``change``d before it is kept."""
    add = ModelReplay.add

    def spoiled(self: ModelReplay, batch: Batch, alive: Tensor | None = None) -> None:
        add(self, change(batch), alive)

    monkeypatch.setattr(ModelReplay, "add", spoiled)


def rewards_of_other_branches(monkeypatch: pytest.MonkeyPatch) -> None:
    changed(monkeypatch, lambda batch: replace(batch, rewards=batch.rewards.roll(1, 2)))


def actions_that_were_not_played(monkeypatch: pytest.MonkeyPatch) -> None:
    changed(monkeypatch, lambda batch: replace(batch, actions=batch.actions.roll(1, 2)))


def dynamics_that_are_never_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AgentModels, "fit_dynamics", lambda *_: {})


@pytest.mark.parametrize(
    "plant",
    [
        rewards_of_other_branches,
        actions_that_were_not_played,
        dynamics_that_are_never_fitted,
    ],
)
def test_it_fails_when_what_is_made_up_is_wrong(
    monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    plant(monkeypatch)
    assert not all(best(joint) for joint in joint_actions())
