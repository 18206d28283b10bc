"""Evaluate agents: whole episodes, from random streams of their own.

Nothing that training draws from is touched, so a run is bit for bit the same however often it is
evaluated. The return of an agent is Σ_{t<T} rⁱ_t, not discounted, in the convention of the task's
file; no reward is scaled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from deep.agents.learner import Learner
from deep.envs.batch import World
from deep.seeding import streams

#: The most worlds of a run that are played side by side.
SIDE_BY_SIDE = 500


@dataclass(frozen=True, eq=False)
class Evaluation:
    """``returns[run, episode, agent]``, float64 on the CPU."""

    seeds: tuple[int, ...]
    agents: tuple[str, ...]
    returns: Tensor

    @property
    def means(self) -> Tensor:
        """Mean return [run, agent]."""
        return self.returns.mean(1)

    @property
    def errors(self) -> Tensor:
        """Standard error of the mean [run, agent]; NaN for a single episode."""
        episodes = self.returns.shape[1]
        spread = self.returns.var(1, correction=0).mul(episodes)
        return (spread / (episodes * (episodes - 1) or float("nan"))).sqrt()


def evaluate(
    world: World,
    learner: Learner,
    seeds: Sequence[int],
    episodes: int,
    purpose: str,
    *,
    greedy: bool = True,
) -> Evaluation:
    """``episodes`` episodes of every run; ``purpose`` names the streams, so the starts.

    greedy: the most probable, or the mean, action; else actions are sampled as in training.
    """
    starts, play = streams(seeds, f"{purpose}: worlds"), streams(seeds, f"{purpose}: actions")
    parts = []
    for done in range(0, episodes, SIDE_BY_SIDE):
        state = world.reset(starts, min(SIDE_BY_SIDE, episodes - done))
        total: Tensor | None = None
        for _ in range(world.episode_steps):
            actions = learner.act(world.observe(state), play, greedy=greedy)
            state, rewards = world.step(state, actions, starts)
            total = rewards.double() if total is None else total + rewards
        assert total is not None
        parts.append(total.cpu())
    return Evaluation(tuple(seeds), world.agents, torch.cat(parts, 1))
