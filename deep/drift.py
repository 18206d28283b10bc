"""Fig. 5 in small: how far rollouts drift from the world, and what they ask, by usage and length.

An AORPO agent that was trained so far branches off from real states under each usage of opponents:
adaptive, all models, all real. Beside every branch runs the world itself, from the same state, with
everyone's real policy. All act greedily, so that what separates the two is the models: those of the
opponents where they play, and the dynamics model's mean prediction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from deep.actor_critic import ActorCritic
from deep.compounding import Compounding, compounding, trajectory
from deep.dynamics import exact, packed
from deep.ensemble import Ensemble
from deep.environments import World
from deep.lengths import adaptive, all_models, all_real
from deep.model_based import ModelBasedRounds
from deep.particle import ParticleEnv
from deep.seeding import Streams

#: How lengths are made of errors [run, ego, opponent] and k.
USAGES = {"adaptive": adaptive, "all models": all_models, "all real": all_real}


@dataclass(frozen=True, eq=False)
class Drift:
    """errors: for each usage ε_c(k) of branches of k steps, [run, ego, k − 1].

    calls: for each usage the calls of such a branch, [run, ego, k − 1]. opponents: the errors that
    the adaptive usage divides, [run, ego, opponent].
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
    found: dict[str, list[Tensor]] = {name: [] for name in USAGES}
    calls: dict[str, list[Tensor]] = {name: [] for name in USAGES}
    start, memory = _starts(world, learner, starts, streams)
    agents = start.shape[3]
    truth = exact(world, memory)
    rows = torch.arange(starts).expand(streams.runs, agents, starts)
    ensemble = rounds.minds.ensemble
    assert isinstance(ensemble, Ensemble)

    def real(_: int, seen: Tensor) -> Tensor:
        flat: Tensor = learner.act(seen.flatten(1, 2), streams, greedy=True)
        played: Tensor = flat.unflatten(1, seen.shape[1:3])
        return played

    true = trajectory(truth, truth.begin(rows), start, real, longest, streams)
    for k in range(1, longest + 1):
        for name, usage in USAGES.items():
            lengths = usage(errors, k)

            def played(step: int, seen: Tensor, lengths: Tensor = lengths) -> Tensor:
                modelled = rounds.minds.played.best(seen, streams)
                asked = (step >= lengths)[:, :, None, :, None].to(seen.device)
                own = torch.eye(agents, dtype=torch.bool)[None, :, None, :, None]
                return torch.where(asked | own, real(step, seen), modelled)

            branch = trajectory(ensemble.central, None, start, played, k, streams)
            each: Compounding = compounding(true[:, :, :, : k + 1], branch, world.observation_sizes)
            found[name].append(each.value[..., -1])
            others = ~torch.eye(agents, dtype=torch.bool)
            calls[name].append(((k - lengths) * others).sum(-1))
    return Drift(
        {name: torch.stack(each, -1) for name, each in found.items()},
        {name: torch.stack(each, -1) for name, each in calls.items()},
        errors,
    )


def _starts(
    world: World, learner: ActorCritic, starts: int, streams: Streams
) -> tuple[Tensor, Tensor | None]:
    """Observations [run, ego, row, agent, number], the same for all egos, and packed states."""
    state = world.reset(streams, starts)
    for _ in range(5):
        state, _ = world.step(
            state, learner.act(world.observe(state), streams, greedy=False), streams
        )
    seen = world.observe(state)
    joint = seen.unsqueeze(1).expand(-1, len(world.agents), -1, -1, -1).contiguous()
    return joint, packed(state) if isinstance(world, ParticleEnv) else None
