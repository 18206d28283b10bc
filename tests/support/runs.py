"""Runs of less than a second, and what is left of them."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deep.aorpo.settings import model_settings
from deep.dynamics.ensemble import DynamicsSettings
from deep.dynamics.rewards import RewardSettings
from deep.opponents.fitting import OpponentSettings
from deep.training import checkpoint
from deep.training.presets import preset
from deep.training.run import Run, start
from deep.training.settings import Settings
from deep.training.trainer import Trainer

#: Settings of a run of less than a second.
SMALL = {
    "environments": 3,
    "updates": 2,
    "update_every": 20,
    "warm_up": 40,
    "capacity": 150,
    "evaluation_episodes": 4,
    "record_every": 5,
    "evaluate_every": 7,
    "checkpoint_every": 6,
}


def small(task: str = "speaker-listener", algorithm: str = "masac", **changes: Any) -> Settings:
    """A run of less than a second; the replay fills up and turns over within it."""
    settings = preset("laptop", task, algorithm)
    learner = replace(settings.learner, batch=8, hidden=(8, 8))
    return modelled(
        replace(settings, learner=learner, **({"episodes": 30, "seeds": (3, 5)} | SMALL | changes))
    )


#: Models of a run of less than a second, used from the first round on.
TINY = {
    "warmup_episodes": 0,
    "rollouts": 8,
    "k": 3,
    "rollout_length_epochs": (0, 1),
    "epoch": 6,
    "fit_every": 40,
    "conditioned": True,
    "rewards": RewardSettings(hidden=(8,), batch=16, first_steps=8, steps=4),
    "dynamics": DynamicsSettings(
        members=2, hidden=(8,), batch=32, max_rows=150, max_epochs=2, validation_share=0.4
    ),
    "opponents": OpponentSettings(
        hidden=(8,), max_rows=150, batch=32, max_epochs=2, validation_share=0.35
    ),
}


def modelled(settings: Settings, **changes: Any) -> Settings:
    """The same with small models, if it has any."""
    learner: Any = settings.learner
    models = model_settings(learner)
    if models is not None:
        learner = replace(learner, model=replace(models, **(TINY | changes)))
        # opponent models need 32 rows held out
        settings = replace(settings, warm_up=max(settings.warm_up, 120))
    return replace(settings, learner=learner)


def new(tmp_path: Path, settings: Settings, name: str = "run") -> Run:
    """A run that has started, in a folder of its own."""
    return start(settings, tmp_path / name)


def kept(trainer: Trainer) -> dict[str, Tensor]:
    """A copy of everything that a checkpoint holds."""
    return {name: tensor.detach().clone() for name, tensor in trainer.state().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    """Whether two checkpoints agree bit for bit."""
    return a.keys() == b.keys() and all(torch.equal(t, b[name]) for name, t in a.items())


def last(run: Run) -> dict[str, Tensor]:
    """The last checkpoint, without how long it took and the length of the table."""
    tensors = checkpoint.load(checkpoint.paths(run.checkpoints)[-1]).tensors
    return {name: t for name, t in tensors.items() if not name.startswith("run/")}


def table(run: Run) -> list[dict[str, str]]:
    """The rows of the run's metrics.csv."""
    with (run.folder / "metrics.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
