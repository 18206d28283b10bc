"""The tasks by name, and the worlds made of them.

The particle tasks have the names of ``deep.envs.scenarios``, "climb" is Climb with continuous
actions, and "game:NAME" is the finite game NAME of ``tabular.games.catalogue``, in episodes of 25
steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

import torch

from bounds.shared.numbers import InputError, shown
from deep.envs.batch import World
from deep.envs.climb import ClimbEnv
from deep.envs.game import GameEnv
from deep.envs.particle import ParticleEnv
from deep.envs.physics import Physics
from deep.envs.scenarios import SCENARIOS, scenario
from tabular.games import catalogue

GAME = "game:"


def names() -> tuple[str, ...]:
    """All tasks."""
    return (*SCENARIOS, "climb", *(GAME + name for name in catalogue.CATALOGUE))


def check_task(task: str) -> str:
    """``task`` if there is one of this name; else ``InputError`` with the nearest name."""
    if task not in names():
        near = get_close_matches(task[:100].lower(), names(), n=1, cutoff=0.0)[0]
        raise InputError(f"task: {shown(task)} is not known; the nearest name is {near}")
    return task


def world(
    task: str,
    counts: Mapping[str, int],
    *,
    integrator: str = "original",
    continuous: bool = False,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
) -> World:
    """The world of ``task`` with these numbers of bodies; ``InputError`` where it has none such."""
    check_task(task)
    if task in SCENARIOS:
        return ParticleEnv(
            scenario=scenario(task, **counts),
            physics=Physics(integrator),
            continuous=continuous,
            dtype=dtype,
            device=device,
        )
    for name, count in counts.items():
        raise InputError(f"{name}: {count} given, but the agents of {task} are fixed; leave it out")
    if task == "climb":
        return ClimbEnv(dtype=dtype, device=device)
    if continuous:
        raise InputError(f"continuous: the actions of {task} are choices; leave it out")
    return GameEnv(catalogue.find(task.removeprefix(GAME)).build(), dtype=dtype, device=device)
