"""AORPO and AORDPG: Algorithm 1 on top of MASAC and of MADDPG, by composition.

An agent i has a policy πⁱ(a|oⁱ, â⁻ⁱ) and critics, as in the model-free algorithm, and besides them
a dynamics model of its own and a model of every opponent. Its critics and policy learn in rows of
its own, half real and half from its own branches (``deep.aorpo.rounds``). In their targets the
others act as its opponent models say, so that no real policy is looked at beyond what is counted
as a call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from bounds.shared.numbers import InputError
from deep.agents.actor_critic import ActorCritic
from deep.agents.experience import Private
from deep.agents.maddpg import Maddpg
from deep.agents.masac import Masac
from deep.aorpo.communication import Communication, interactions
from deep.aorpo.rounds import Minds, ModelBased, ModelBasedRounds, Usage
from deep.aorpo.schemes import Scheme, adaptive, all_models, all_real, planned, released
from deep.data.model_replay import model_replay
from deep.dynamics.ensemble import ensemble, outcomes
from deep.dynamics.exact import exact
from deep.dynamics.state_replay import StateReplay, state_replay
from deep.envs.batch import World
from deep.envs.particle import ParticleEnv
from deep.envs.spaces import Shape
from deep.opponents.models import (
    OpponentModels,
    Opponents,
    opponent_models,
    own,
    real_opponents,
    theirs,
)
from deep.seeding import Streams, streams


@dataclass(frozen=True)
class Aorpo(Masac):
    """Settings of AORPO: those of MASAC, and of the models."""

    model: ModelBased = field(default_factory=ModelBased)
    """The models and their use."""


@dataclass(frozen=True)
class Aordpg(Maddpg):
    """Settings of AORDPG: those of MADDPG, and of the models."""

    model: ModelBased = field(default_factory=ModelBased)
    """The models and their use."""


def model_based(
    build: Callable[..., ActorCritic],
    settings: Aorpo | Aordpg,
    world: World,
    seeds: Sequence[int],
    updates: int,
    capacity: int,
    dtype: torch.dtype,
    device: str,
) -> tuple[ActorCritic, ModelBasedRounds]:
    """A learner that ``build`` makes, and the rounds that train it.

    updates: gradient steps in a round. capacity: of D_env, for the states that exact particle
    dynamics need beside it. Everything is drawn from streams of ``seeds``.
    """
    model, shape = settings.model, Shape(world.observation_sizes, world.spaces)
    if shape.agents < 2:
        raise InputError(f"task: {world.name} has one agent, and there are no others to model")

    def draws(purpose: str) -> Streams:
        return streams(seeds, purpose)

    def models(view: Callable[[int, int], int], name: str) -> OpponentModels:
        hidden = model.opponents.hidden
        return opponent_models(shape, hidden, view, draws(f"initialise {name}"), dtype, device)

    def others(observations: Tensor, drawing: Streams) -> Tensor:
        return minds.played.sample(observations, drawing)

    believed = models(theirs, "opponents")
    inferring = models(own, "inference") if model.conditioned else None
    learner = build(
        shape,
        settings,
        draws("initialise"),
        dtype,
        device,
        None if inferring is None else inferring.inference,
        Private(others),
    )
    kept = _kept(model, world, draws("layout"), capacity)
    if model.exact_dynamics:
        learned, dynamics = None, exact(world, None if kept is None else kept.rows)
    else:
        learned = dynamics = ensemble(
            shape, model.dynamics, outcomes(world), draws("initialise dynamics"), dtype, device
        )
    played = _real(learner) if model.exact_opponents else believed.opponents
    minds = Minds(believed, inferring, played, dynamics, learned)
    rounds = ModelBasedRounds(
        model,
        settings.batch,
        updates,
        learner,
        minds,
        _scheme(model),
        Communication(
            lambda observations, drawing: learner.act(observations, drawing, greedy=False),
            shape.action_width,
            interactions(len(seeds), shape.agents),
        ),
        model_replay(shape, len(seeds), model.keep * model.rollouts * model.k, dtype, device),
        kept,
        {name: draws(name) for name in ("dynamics", "opponents", "rollouts")},
        learner.policies.stack.parameters.detach().clone(),
    )
    return learner, rounds


def _scheme(model: ModelBased) -> Scheme:
    schemes: dict[Usage, Scheme] = {
        "adaptive": adaptive,
        "all-models": all_models,
        "all-real": all_real,
        "planned": planned(model.calls),
        "released": released,
    }
    return schemes[model.scheme]


def _real(learner: ActorCritic) -> Opponents:
    """The agents' own policies in the place of opponent models."""
    policies = learner.policies
    return real_opponents(policies.shape, policies.head, policies.outputs)


def _kept(model: ModelBased, world: World, layout: Streams, capacity: int) -> StateReplay | None:
    if not (model.exact_dynamics and isinstance(world, ParticleEnv)):
        return None
    return state_replay(world.reset(layout, 1), capacity)
