"""Oracle metrics: exact errors of a run's models, which only the simulator can know.

No agent sees any of this. It is measured with the evaluations, in states that the agents meet now
(times 0, 5, 10, … of an episode in some worlds, actions sampled), and draws from streams of its
own. Per ego agent i:

- ``oracle_opponent_error``: mean over opponents j and states of D_TV(πʲ(·|oʲ)‖π̂ʲ(·|oʲ)), exact in
  every state (``deep.opponents.marginal_policies``); where agents choose;
- ``oracle_opponent_largest``: the same with the largest over the states in the place of their mean,
  nearer to the paper's ε_π̂ʲ, a maximum over all states;
- ``compounding_dynamics``: ε_c(k) (``deep.dynamics.compounding_error``) of the dynamics model's
  mean prediction under the actions of the real trajectory, which are sampled;
- ``compounding_drawn``: the same of what branches draw, a member in every step and perhaps noise;
- ``fresh_reward_r2`` and ``fresh_reward_slope``: of the own reward, as branches predict it one step
  after real states and actions (``deep.dynamics.rewards.agreement``): 1 where it is predicted, 0
  where its mean is;
- ``compounding``: ε_c(k) where the opponents' actions are their models' too, in all k steps.
  Everyone acts greedily, so that a perfect model of a deterministic world is at 0.

Of deterministic dynamics total variation says nothing (ledger row
``tv-bounds-on-deterministic-dynamics``), so it is not there for T̂.
"""

from __future__ import annotations

import torch
from torch import Tensor

from deep.agents.policies import Policies
from deep.aorpo.models import AgentModels
from deep.aorpo.settings import ModelBasedSettings
from deep.dynamics.compounding_error import Acting, compounding, trajectory
from deep.dynamics.exact import Dynamics, exact, packed
from deep.dynamics.rewards import agreement
from deep.envs.batch import World
from deep.envs.particle import ParticleEnv
from deep.envs.spaces import Choices
from deep.nn.action_distributions import joint
from deep.opponents import marginal_policies
from deep.opponents.models import OpponentModels, Opponents
from deep.seeding import Streams

#: Worlds of a run that are looked at, and the steps between two looks.
WORLDS, EVERY = 48, 5


def oracle_metrics(
    world: World,
    policies: Policies,
    models: AgentModels,
    settings: ModelBasedSettings,
    streams: Streams,
) -> dict[str, Tensor]:
    """All of them, [run, ego]: those of opponents and of dynamics that are learned and played."""
    errors_wanted, ensemble = not settings.exact_opponents, models.ensemble
    if not (errors_wanted or ensemble):
        return {}
    seen, states = met(
        world=world,
        policies=policies,
        worlds=WORLDS,
        times=range(world.episode_steps)[::EVERY],
        streams=streams,
    )
    found: dict[str, Tensor] = {}
    if errors_wanted:
        found |= of_opponents(models.played_opponents, policies, models.inference_opponents, seen)
    if ensemble is not None:
        found |= of_branches(
            world=world,
            policies=policies,
            opponents=models.played_opponents,
            model=ensemble.mean_prediction,
            drawn=models.dynamics,
            seen=seen,
            states=states,
            k=settings.k,
            streams=streams,
        )
        found |= of_rewards(world, policies, models.dynamics, seen, states, streams)
    return found


def of_rewards(
    world: World,
    policies: Policies,
    model: Dynamics,
    seen: Tensor,
    states: Tensor | None,
    streams: Streams,
) -> dict[str, Tensor]:
    """How well own rewards are predicted, [run, agent]. seen, states: of ``met``."""
    start, truth = every_ego(seen), exact(world, states)
    rows = torch.arange(seen.shape[1]).expand(len(seen), seen.shape[2], -1)
    actions = everyone(policies, streams, greedy=False)(0, start)
    real, predicted = (
        each.step(each.begin(rows), start, actions, streams)[2].diagonal(dim1=1, dim2=3)
        for each in (truth, model)
    )
    found = agreement(predicted, real)
    return {f"fresh_reward_{name}": each for name, each in found.items()}


def of_opponents(
    opponents: Opponents, policies: Policies, inferring: OpponentModels | None, seen: Tensor
) -> dict[str, Tensor]:
    """The two errors of opponents, [run, ego]; empty where there is no exact one.

    seen[run, row, agent, number]: what the agents observe. inferring: see
    ``deep.opponents.marginal_policies.laws``.
    """
    if not marginal_policies.enumerable(policies, inferring):
        return {}
    agents = seen.shape[2]
    real = marginal_policies.laws(policies, inferring, seen.transpose(1, 2))
    believed = opponents.probabilities(every_ego(seen)).double()
    mean = believed.new_zeros(len(seen), agents, agents)
    largest = mean.clone()
    for j, space in enumerate(policies.shape.spaces):
        assert isinstance(space, Choices)  # as there are laws
        model = joint(believed[..., j, :], space)  # [run, ego, row, option]
        each = (model - real[j].unsqueeze(1)).abs().sum(-1) / 2
        mean[:, :, j], largest[:, :, j] = each.mean(-1), each.amax(-1)
    others = ~torch.eye(agents, dtype=torch.bool, device=seen.device)
    return {
        "oracle_opponent_error": (mean * others).sum(-1) / (agents - 1),
        "oracle_opponent_largest": (largest * others).sum(-1) / (agents - 1),
    }


def of_branches(
    world: World,
    policies: Policies,
    opponents: Opponents,
    model: Dynamics,
    drawn: Dynamics,
    seen: Tensor,
    states: Tensor | None,
    k: int,
    streams: Streams,
) -> dict[str, Tensor]:
    """The compounding errors of branches of k steps, [run, ego].

    seen, states: of ``met``. model: mean predictions. drawn: what branches play.
    """
    start, truth = every_ego(seen), exact(world, states)
    rows = torch.arange(seen.shape[1]).expand(len(seen), seen.shape[2], -1)

    def apart(real: Acting, branch: Acting, model: Dynamics = model) -> Tensor:
        there, here = (
            trajectory(
                dynamics=each,
                memory=each.begin(rows),
                start=start,
                act=acting,
                steps=k,
                streams=streams,
            )
            for each, acting in ((truth, real), (model, branch))
        )
        return compounding(there, here, world.observation_sizes).value[..., -1]

    sampled = everyone(policies, streams, greedy=False)
    played: list[Tensor] = []

    def kept(step: int, observations: Tensor) -> Tensor:
        played.append(sampled(step, observations))
        return played[-1]

    def again(step: int, _: Tensor) -> Tensor:
        return played[step]

    lengths = torch.full((len(seen), seen.shape[2], seen.shape[2]), k)
    greedy = everyone(policies, streams, greedy=True)
    return {
        "compounding_dynamics": apart(kept, again),
        "compounding_drawn": apart(again, again, drawn),
        "compounding": apart(greedy, mixed(policies, opponents, lengths, streams)),
    }


def met(
    world: World, policies: Policies, worlds: int, times: range, streams: Streams
) -> tuple[Tensor, Tensor | None]:
    """What the agents meet at these times of an episode, and the states for exact dynamics.

    Observations [run, row, agent, number], rows time by time, and of particle worlds the ``packed``
    states [run, row, number].
    """
    state = world.reset(streams, worlds)
    seen, states = [], []
    for time in range(times[-1] + 1):
        observations = world.observe(state)
        if time in times:
            seen.append(observations)
            if isinstance(world, ParticleEnv):
                states.append(packed(state))
        state, _ = world.step(state, policies.act(observations, streams, greedy=False), streams)
    return torch.cat(seen, 1), torch.cat(states, 1) if states else None


def everyone(policies: Policies, streams: Streams, *, greedy: bool) -> Acting:
    """Everyone's real policy in every ego's branches."""

    def act(_: int, seen: Tensor) -> Tensor:
        flat = policies.act(seen.flatten(1, 2), streams, greedy)
        played: Tensor = flat.unflatten(1, seen.shape[1:3])
        return played

    return act


def mixed(policies: Policies, opponents: Opponents, lengths: Tensor, streams: Streams) -> Acting:
    """Greedy actions, opponent j's by its model before the step lengths[run, ego, j]."""
    real = everyone(policies, streams, greedy=True)

    def act(step: int, seen: Tensor) -> Tensor:
        modelled = opponents.best(seen, streams)
        asked = (step >= lengths)[:, :, None, :, None].to(seen.device)
        own = torch.eye(seen.shape[3], dtype=torch.bool, device=seen.device)[:, None, :, None]
        return torch.where(asked | own, real(step, seen), modelled)

    return act


def every_ego(seen: Tensor) -> Tensor:
    """[run, ego, row, agent, number], the same for all egos, of [run, row, agent, number]."""
    return seen.unsqueeze(1).expand(-1, seen.shape[2], -1, -1, -1).contiguous()
