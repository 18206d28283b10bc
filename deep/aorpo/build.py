"""Put AORPO and AORDPG together: Algorithm 1 on top of MASAC and of MADDPG, by composition.

An agent i has a policy πⁱ(a|oⁱ, â⁻ⁱ) and critics, as in the model-free algorithm, and besides them
a dynamics model, which it may share with the others, and a model of every opponent. Its critics and
policy learn in rows of its own, half real and half from its own branches (``deep.aorpo.rounds``).
In their targets the others act as its opponent models say, so that no real policy is looked at
beyond what is counted as a call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from bounds.shared.numbers import InputError
from deep.agents.actor_critic import ActorCritic
from deep.agents.experience import Private
from deep.agents.standard_inputs import standard_inputs
from deep.aorpo.branches import Branches
from deep.aorpo.communication import Communication, interactions
from deep.aorpo.data_policies import data_policies
from deep.aorpo.models import AgentModels
from deep.aorpo.rounds import ModelBasedRounds
from deep.aorpo.settings import Aordpg, Aorpo, ModelBasedSettings
from deep.data.model_replay import model_replay
from deep.dynamics.ensemble import ensemble, outcomes, predicts_states
from deep.dynamics.exact import Dynamics, exact
from deep.dynamics.rewards import Reward, WithRewards, reward_network
from deep.dynamics.state_replay import StateReplay, state_replay
from deep.envs.batch import World
from deep.envs.particle import ParticleEnv
from deep.envs.spaces import Shape
from deep.opponents.models import (
    OpponentModels,
    Opponents,
    ego_view,
    opponent_models,
    opponent_view,
    real_opponents,
)
from deep.seeding import Streams, streams


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

    seen = None
    if settings.standardise:
        seen = standard_inputs(shape, len(seeds), dtype, device)

    def opponents(view: Callable[[int, int], int], name: str) -> OpponentModels:
        hidden = model.opponents.hidden
        return opponent_models(
            shape=shape,
            hidden=hidden,
            view=view,
            streams=draws(f"initialise {name}"),
            dtype=dtype,
            device=device,
            seen=seen,
        )

    def others(observations: Tensor, drawing: Streams) -> Tensor:
        return models.played_opponents.sample(observations, drawing)

    believed = opponents(opponent_view, "opponents")
    inferring = opponents(ego_view, "inference") if model.conditioned else None
    learner = build(
        shape=shape,
        settings=settings,
        streams=draws("initialise"),
        dtype=dtype,
        device=device,
        inference=None if inferring is None else inferring.inference,
        experience=Private(others),
        seen=seen,
    )
    kept = _state_replay(model, world, draws("layout"), capacity)
    learned = rewards = None
    dynamics: Dynamics
    if model.exact_dynamics:
        dynamics = exact(world, None if kept is None else kept.rows)
    else:
        together = predicts_states(world) or model.reward_source == "ensemble"
        dynamics = learned = ensemble(
            shape=shape,
            settings=model.dynamics,
            predicted=outcomes(world, rewards=together, deterministic=model.dynamics.deterministic),
            streams=draws("initialise dynamics"),
            dtype=dtype,
            device=device,
            egos=None if model.dynamics.per_ego else 1,
        )
        if not together and model.reward_source == "network":
            rewards = reward_network(
                shape, model.rewards, draws("initialise rewards"), dtype, device
            )
            dynamics = WithRewards(learned, rewards)
        elif not together:
            dynamics = WithRewards(learned, known_reward(world))
    models = AgentModels(
        rollout_opponents=believed,
        inference_opponents=inferring,
        played_opponents=_real(learner) if model.exact_opponents else believed.opponents,
        dynamics=dynamics,
        ensemble=learned,
        rewards=rewards,
    )
    communication = Communication(
        act=lambda observations, drawing: learner.act(observations, drawing, greedy=False),
        width=shape.action_width,
        interactions=interactions(len(seeds), shape.agents),
    )
    rounds = ModelBasedRounds(
        settings=model,
        batch=settings.batch,
        updates=updates,
        learner=learner,
        models=models,
        branches=Branches(
            rollouts=model.rollouts,
            rounds=model.buffer_rounds,
            models=models,
            policies=learner.policies,
            communication=communication,
            model_buffer=model_replay(
                shape=shape, runs=len(seeds), capacity=model.buffer_rows, dtype=dtype, device=device
            ),
            state_replay=kept,
        ),
        streams={name: draws(name) for name in ("dynamics", "opponents", "rollouts")},
        policies_before_round=learner.policies.stack.parameters.detach().clone(),
        data_policies=data_policies(learner.policies),
    )
    return learner, rounds


def known_reward(world: World) -> Reward:
    """The task's own reward of next observations; ``InputError`` where it offers none."""
    offered = world.scenario.observed_reward if isinstance(world, ParticleEnv) else None
    if offered is None:
        raise InputError(
            f"model.reward_source: {world.name} does not offer its reward as a function of "
            "observations; take network"
        )

    def reward(_: Tensor, following: Tensor) -> Tensor:
        return offered(following)

    return reward


def _real(learner: ActorCritic) -> Opponents:
    """The agents' own policies in the place of opponent models."""
    policies = learner.policies
    return real_opponents(policies.shape, policies.head, policies.outputs)


def _state_replay(
    model: ModelBasedSettings, world: World, layout: Streams, capacity: int
) -> StateReplay | None:
    if not (model.exact_dynamics and isinstance(world, ParticleEnv)):
        return None
    return state_replay(world.reset(layout, 1), capacity)
