"""The algorithms by name, and how an agent is put together for a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Union

import torch

from deep.agents.actor_critic import ActorCriticSettings
from deep.agents.learner import Learner
from deep.agents.maddpg import Maddpg, maddpg
from deep.agents.masac import Masac, masac
from deep.agents.rounds import ModelFree, Rounds
from deep.aorpo.build import model_based
from deep.aorpo.settings import Aordpg, Aorpo
from deep.envs.batch import World
from deep.envs.spaces import Shape
from deep.seeding import streams


class Chosen(Protocol):
    """What of a run's settings (``deep.training.settings.Settings``) an agent is made of."""

    @property
    def seeds(self) -> tuple[int, ...]:
        """A run each."""

    @property
    def learner(self) -> Any:
        """The algorithm's own settings."""

    @property
    def updates(self) -> int:
        """Gradient steps in a round."""

    @property
    def capacity(self) -> int:
        """Transitions that the replay holds."""


@dataclass(frozen=True, eq=False)
class Agent:
    """A learner of all agents of all runs, and the rounds that train it."""

    learner: Learner
    rounds: Rounds


#: An agent at its start, for a world, from (settings, world, dtype, device).
Assemble = Callable[[Chosen, World, torch.dtype, str], Agent]


@dataclass(frozen=True)
class Algorithm:
    """``settings``: the class of its own settings."""

    settings: type[ActorCriticSettings]
    assemble: Assemble


def model_free(build: Callable[..., Learner]) -> Assemble:
    """The learner that ``build`` makes, and gradient steps on what was really met."""

    def assemble(chosen: Chosen, world: World, dtype: torch.dtype, device: str) -> Agent:
        shape = Shape(world.observation_sizes, world.spaces)
        drawing = streams(chosen.seeds, "initialise")
        learner = build(shape, chosen.learner, drawing, dtype, device)
        return Agent(learner, ModelFree(learner, chosen.learner.batch, chosen.updates))

    return assemble


def opponent_wise(build: Callable[..., Any]) -> Assemble:
    """The learner that ``build`` makes, and the rounds of Algorithm 1."""

    def assemble(chosen: Chosen, world: World, dtype: torch.dtype, device: str) -> Agent:
        learner, rounds = model_based(
            build=build,
            settings=chosen.learner,
            world=world,
            seeds=chosen.seeds,
            updates=chosen.updates,
            capacity=chosen.capacity,
            dtype=dtype,
            device=device,
        )
        return Agent(learner, rounds)

    return assemble


#: The algorithms; to add one is to add an entry here.
ALGORITHMS = {
    "masac": Algorithm(Masac, model_free(masac)),
    "maddpg": Algorithm(Maddpg, model_free(maddpg)),
    "aorpo": Algorithm(Aorpo, opponent_wise(masac)),
    "aordpg": Algorithm(Aordpg, opponent_wise(maddpg)),
}

if TYPE_CHECKING:
    LearnerSettings = ActorCriticSettings
else:
    #: Settings of any algorithm's learner: the union of those in ``ALGORITHMS``.
    LearnerSettings = Union[tuple(each.settings for each in ALGORITHMS.values())]  # noqa: UP007
