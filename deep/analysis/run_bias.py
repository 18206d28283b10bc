"""The bias of a recorded run's branches, from fresh episodes of its task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from bounds.planning.schemes import SCHEMES
from bounds.shared.numbers import InputError, whole
from bounds.shared.progress import Progress
from deep.agents.actor_critic import ActorCritic
from deep.analysis.branch_bias import MeasuredBias, Model, Segments, measured_bias
from deep.analysis.distribution_free import DistributionFree, RewardRange, distribution_free
from deep.aorpo.build import known_reward
from deep.aorpo.communication import Communication, interactions
from deep.aorpo.rounds import ModelBasedRounds
from deep.aorpo.schemes import lengths
from deep.dynamics.rewards import WithRewards
from deep.envs.batch import World
from deep.seeding import Streams, streams
from deep.training import checkpoint
from deep.training.run import Run, assemble
from deep.training.trainer import Trainer


@dataclass(frozen=True, eq=False)
class RunBias:
    """Of branches of ``k`` steps with lengths[run, ego, opponent]; calls that measuring took.

    distribution_free: where a range of rewards was given.
    """

    k: int
    lengths: Tensor
    found: MeasuredBias
    distribution_free: DistributionFree | None
    calls: int


def run_bias(
    run: Run,
    ks: Sequence[int],
    scheme: str,
    segments: int,
    draws: int,
    reward: Literal["as trained", "known"],
    reward_range: RewardRange | None,
    bar: Progress,
) -> list[RunBias]:
    """For each k in ``ks``: segments of as many fresh episodes, one each, sampled actions.

    reward: known takes the task's own, of predicted observations. ``InputError`` for a run without
    learned dynamics in use, and where a branch is longer than an episode.
    """
    trainer = _restored(run)
    learner, rounds = trainer.learner, trainer.rounds
    if not isinstance(rounds, ModelBasedRounds) or rounds.models.ensemble is None:
        raise InputError(f"{run.folder}: has no learned dynamics; give a run of aorpo or aordpg")
    if rounds.last_dynamics_fit < 0:
        raise InputError(f"{run.folder}: its models are not in use yet; train it further")
    assert isinstance(learner, ActorCritic)
    world = trainer.environments.world
    for index, k in enumerate(ks):
        whole(f"--k[{index}]", k, 1, world.episode_steps)
    dynamics = rounds.models.dynamics
    if reward == "known":
        dynamics = WithRewards(rounds.models.ensemble, known_reward(world))
    # apart, so that a range given changes none of the other numbers
    drawing, bounded = (streams(run.settings.seeds, name) for name in ("bias", "bounded bias"))
    episodes = _played(world, learner, segments, drawing)
    found = []
    for k in bar.over(ks, "branch lengths"):
        counted = interactions(len(trainer.seeds), len(world.agents))
        model = Model(
            dynamics=dynamics,
            act=lambda seen, given: learner.policies.act_alone(seen, given, greedy=False),
            opponents=rounds.models.played_opponents,
            communication=Communication(
                act=lambda seen, given: learner.act(seen, given, greedy=False),
                width=trainer.replay.shape.action_width,
                interactions=counted,
            ),
            lengths=_lengths(trainer, rounds, scheme, k),
            gamma=learner.settings.gamma,
        )
        cut = _cut(episodes, k, drawing)
        one = measured_bias(model, cut, draws, drawing)
        free = None
        if reward_range is not None:
            free = distribution_free(model, cut, reward_range, draws, bounded)
        found.append(
            RunBias(
                k=k,
                lengths=model.lengths,
                found=one,
                distribution_free=free,
                calls=int(counted.calls.sum()),
            )
        )
    return found


def _restored(run: Run) -> Trainer:
    torch.set_num_threads(run.settings.threads)
    paths = checkpoint.paths(run.checkpoints)
    if not paths:
        raise InputError(f"{run.folder}: has no checkpoint yet; train it first")
    trainer = assemble(run)
    trainer.restore(checkpoint.load(paths[-1]).tensors)
    return trainer


def _lengths(trainer: Trainer, rounds: ModelBasedRounds, scheme: str, k: int) -> Tensor:
    """Lengths [run, ego, opponent] at this k, by what held-out rows say."""
    chosen = replace(rounds.settings, scheme=scheme)
    estimates = replace(rounds, settings=chosen).estimates(
        rounds.opponent_rows(trainer.replay).held_out
    )
    return lengths(SCHEMES[scheme], estimates, k, chosen.calls)[1]


def _played(world: World, learner: ActorCritic, episodes: int, drawing: Streams) -> Segments:
    """Whole episodes with sampled actions."""
    state: Any = world.reset(drawing, episodes)
    seen, done, paid = [world.observe(state)], [], []
    for _ in range(world.episode_steps):
        done.append(learner.act(seen[-1], drawing, greedy=False))
        state, rewards = world.step(state, done[-1], drawing)
        seen.append(world.observe(state))
        paid.append(rewards)
    return Segments(*(torch.stack(each, 2) for each in (seen, done, paid)))


def _cut(episodes: Segments, k: int, drawing: Streams) -> Segments:
    """k steps of each episode, from a uniform time on."""
    count, steps = episodes.rewards.shape[1:3]
    first = drawing.whole(steps - k + 1, count).to(episodes.rewards.device)

    def part(x: Tensor, length: int) -> Tensor:
        times = first.unsqueeze(-1) + torch.arange(length, device=first.device)
        index = times[(..., *[None] * (x.ndim - 3))].expand(-1, -1, -1, *x.shape[3:])
        return x.gather(2, index)

    return Segments(
        part(episodes.observations, k + 1), part(episodes.actions, k), part(episodes.rewards, k)
    )
