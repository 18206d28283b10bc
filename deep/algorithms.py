"""The learners by name, and the rounds that train them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deep.environments import World
from deep.learner import Learner
from deep.maddpg import Maddpg, maddpg
from deep.masac import Masac, masac
from deep.rounds import ModelFree, Rounds


@dataclass(frozen=True)
class Algorithm:
    """``settings``: their class. ``build``: of (shape, settings, streams, dtype, device).

    rounds: of (settings of the run, world, learner).
    """

    settings: type[Any]
    build: Callable[..., Learner]
    rounds: Callable[[Any, World, Learner], Rounds]


def model_free(settings: Any, world: World, learner: Learner) -> Rounds:
    """Rounds of gradient steps on what was really met."""
    del world, learner
    return ModelFree(settings.learner.batch, settings.updates)


ALGORITHMS = {
    "masac": Algorithm(Masac, masac, model_free),
    "maddpg": Algorithm(Maddpg, maddpg, model_free),
}
