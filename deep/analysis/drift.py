"""Fig. 5 in small: compounding error and calls of branches, by scheme and branch length.

An AORPO agent that was trained so far branches off from real states under each scheme that the
paper compares: adaptive, all-models, all-real. Beside every branch runs the world itself, from the
same state, with everyone's real policy. All act greedily, so that what separates the two is the
models: those of the opponents where they play, and the dynamics model's mean prediction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from bounds.planning.schemes import SCHEMES
from deep.agents.actor_critic import ActorCritic
from deep.aorpo.model_errors import every_ego, everyone, met, mixed
from deep.aorpo.rounds import ModelBasedRounds
from deep.aorpo.schemes import Estimates, lengths
from deep.dynamics.compounding_error import compounding, trajectory
from deep.dynamics.ensemble import Ensemble
from deep.dynamics.exact import exact
from deep.envs.batch import World
from deep.seeding import Streams

#: The schemes of Fig. 5.
COMPARED = {name: scheme for name, scheme in SCHEMES.items() if scheme.published}


@dataclass(frozen=True, eq=False)
class Drift:
    """errors: for each scheme ε_c(k) of branches of k steps, [run, ego, k − 1].

    calls: for each scheme the calls of such a branch, [run, ego, k − 1]. opponents: the errors that
    the adaptive scheme divides, [run, ego, opponent].
    """

    errors: Mapping[str, Tensor]
    calls: Mapping[str, Tensor]
    opponents: Tensor


def drift(
    world: World,
    learner: ActorCritic,
    rounds: ModelBasedRounds,
    errors: Tensor,
    longest: int,
    starts: int,
    streams: Streams,
) -> Drift:
    """``Drift`` for k = 1..``longest``, the mean over ``starts`` states of every run.

    The states are what the agents meet 5 steps into an episode. errors[run, ego, opponent]: ε_π̂ of
    the opponent models.
    """
    found: dict[str, list[Tensor]] = {name: [] for name in COMPARED}
    calls: dict[str, list[Tensor]] = {name: [] for name in COMPARED}
    policies, ensemble = learner.policies, rounds.models.ensemble
    assert isinstance(ensemble, Ensemble)
    seen, states = met(
        world=world, policies=policies, worlds=starts, times=range(5, 6), streams=streams
    )
    start, truth = every_ego(seen), exact(world, states)
    agents = seen.shape[2]
    estimates = Estimates(
        gamma=learner.settings.gamma,
        opponent_error=errors,
        policy_shift=torch.zeros(errors.shape[:2]),
    )
    rows = torch.arange(starts).expand(streams.runs, agents, starts)
    others = ~torch.eye(agents, dtype=torch.bool)
    real = everyone(policies, streams, greedy=True)
    true = trajectory(
        dynamics=truth,
        memory=truth.begin(rows),
        start=start,
        act=real,
        steps=longest,
        streams=streams,
    )
    for k in range(1, longest + 1):
        for name, scheme in COMPARED.items():
            _, n = lengths(scheme, estimates, k)
            played = mixed(policies, rounds.models.played_opponents, n, streams)
            branch = trajectory(
                dynamics=ensemble.mean_prediction,
                memory=None,
                start=start,
                act=played,
                steps=k,
                streams=streams,
            )
            each = compounding(true[:, :, :, : k + 1], branch, world.observation_sizes)
            found[name].append(each.value[..., -1])
            calls[name].append(((k - n) * others).sum(-1))
    return Drift(
        {name: torch.stack(each, -1) for name, each in found.items()},
        {name: torch.stack(each, -1) for name, each in calls.items()},
        errors,
    )
