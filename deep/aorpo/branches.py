"""Branched rollouts into the model buffers, and batches of real and model transitions.

``Branches`` holds what a rollout needs beside the lengths, and what is kept of it: M states are
drawn from D_env, branches go from there (``deep.aorpo.rollouts``) and their rows into the egos' own
D_model. Batches for gradient steps are drawn from both, ``real_ratio`` of them real (Algorithm 1,
lines 14 to 23).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from deep.agents.policies import Policies
from deep.aorpo.communication import Communication
from deep.aorpo.models import AgentModels
from deep.aorpo.rollouts import roll
from deep.data.batch import Batch
from deep.data.model_replay import ModelReplay, mixed
from deep.data.replay import Replay
from deep.dynamics.state_replay import StateReplay
from deep.nn.tensors import flat, part
from deep.seeding import Streams


@dataclass(frozen=True, eq=False)
class Branches:
    """Rollouts of all ego agents of all runs.

    rollouts: branches of an agent at a time, M. rounds: of how many rounds of branches, as long as
    they are now, batches are. policies: the agents' own. communication: the real
    agents. model_buffer: D_model of each ego. state_replay: the world's states beside D_env, for
    exact dynamics of particle worlds; None elsewhere.
    """

    rollouts: int
    rounds: int
    models: AgentModels
    policies: Policies
    communication: Communication
    model_buffer: ModelReplay
    state_replay: StateReplay | None

    def roll(self, replay: Replay, k: Tensor, lengths: Tensor, streams: Streams) -> None:
        """Branches of k[run, ego] steps with lengths[run, ego, opponent], into the model buffer."""
        self.model_buffer.drawn.copy_(self.rounds * self.rollouts * k)
        rows = streams.whole(replay.size, self.model_buffer.shape.agents, self.rollouts)
        rows = rows.to(replay.rows.device)
        start = replay.batch(rows.flatten(1)).observations.unflatten(1, rows.shape[1:])
        dynamics = self.models.dynamics

        def act(observations: Tensor, drawing: Streams) -> Tensor:
            return self.policies.act_alone(observations, drawing, greedy=False)

        for step in roll(
            start=start,
            memory=dynamics.begin(rows),
            lengths=lengths,
            k=k,
            dynamics=dynamics,
            act=act,
            opponents=self.models.played_opponents,
            communication=self.communication,
            streams=streams,
        ):
            transitions = Batch(
                observations=step.observations,
                actions=step.actions,
                rewards=step.rewards,
                next_observations=step.next_observations,
                terminated=torch.zeros_like(step.rewards[..., 0]),
            )
            self.model_buffer.add(transitions, step.alive)

    def batch(self, replay: Replay, rows: int, real_ratio: float, streams: Streams) -> Batch:
        """``rows`` transitions of every ego: real and model ones, all real while no others are."""
        if bool(self.model_buffer.added.any()):
            return mixed(
                real=replay, model=self.model_buffer, rows=rows, share=real_ratio, streams=streams
            )
        return replay.sample_apart(streams, self.model_buffer.shape.agents, rows)

    def observe_state(self, state: Any) -> None:
        """Keep the world's states that exact dynamics start from."""
        if self.state_replay is not None:
            self.state_replay.add(state)

    def state(self) -> dict[str, Tensor]:
        """Every tensor that later rollouts and batches depend on; not copies."""
        return flat({name: each.state() for name, each in self._kept.items()})

    def restore(self, state: dict[str, Tensor]) -> None:
        """Set all that is kept to what ``state`` returned."""
        for name, each in self._kept.items():
            each.restore(part(state, name))

    @property
    def _kept(self) -> dict[str, Any]:
        kept = {
            "interactions": self.communication.interactions,
            "model_buffer": self.model_buffer,
            "state_replay": self.state_replay,
        }
        return {name: each for name, each in kept.items() if each is not None}
