"""Comm(s, j) of Algorithm 1: calls to real opponents are made and counted here alone.

Two things are counted, of each run:

- steps: what all agents did together in the real environment. A step is one action of each agent.
- calls [ego, opponent]: how often agent i sent a simulated state to agent j and got its action. A
  call is one action of one agent.

Dynamics interactions are the paper's "episodes in the training stage (the agents interacts with the
dynamics environment 25 times in an episode)": steps/25.

Normalised agent interactions count both (``tabular.records.interactions``),

    (n · steps + Σ_i Σ_{j≠i} calls_ij) / n / 25.

The paper does not say how calls to some of the agents make full interactions. Its released code
weighs a call by the called agent's share of all numbers observed and acted with, 1/n where agents
are alike; it counts M/n times too few calls (once an agent, not once a branch) and rounds down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from bounds.shared.numbers import whole
from deep.nn.tensors import restore_tensors
from deep.seeding import Streams, forked
from tabular.records.interactions import EPISODE, normalised

#: Actions [run, row, agent, number] of all agents for observations [run, row, agent, number].
Act = Callable[[Tensor, Streams], Tensor]


@dataclass(frozen=True, eq=False)
class Interactions:
    """What was asked of the world and of real agents: steps[run], calls[run, ego, opponent]."""

    steps: Tensor
    calls: Tensor

    def stepped(self, count: int) -> None:
        """``count`` steps of the real environment in every run."""
        self.steps.add_(whole("count", count))

    @property
    def dynamics(self) -> Tensor:
        """Dynamics interactions [run], in episodes, float64."""
        return self.steps.double() / EPISODE

    @property
    def normalised(self) -> Tensor:
        """Normalised agent interactions [run], float64; see the module."""
        calls = self.calls.sum((1, 2)).double()
        found: Tensor = normalised(self.steps.double(), calls, self.calls.shape[1])
        return found

    def state(self) -> dict[str, Tensor]:
        """The counters, leading axis [run]; not copies."""
        return {"steps": self.steps, "calls": self.calls}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Set the counters to what ``state`` returned."""
        restore_tensors(self.state(), state)


def interactions(runs: int, agents: int) -> Interactions:
    """Counters at 0, int64, on the CPU."""
    whole("runs", runs, 1)
    whole("agents", agents, 1)
    return Interactions(
        torch.zeros(runs, dtype=torch.int64),
        torch.zeros(runs, agents, agents, dtype=torch.int64),
    )


@dataclass(frozen=True, eq=False)
class Communication:
    """Real agents to ask.

    act: all real policies, as they play. width: numbers of an action. interactions: the counters.
    """

    act: Act
    width: int
    interactions: Interactions

    def ask(self, observations: Tensor, wanted: Tensor, streams: Streams) -> Tensor:
        """The real agents' actions in simulated states, [run, ego, row, agent, number].

        observations[run, ego, row, agent, number]; wanted[run, ego, agent], on the CPU: whom each
        ego agent asks, in all its rows. Adds a call a row for each of them. What was not asked for
        is NaN, so that an action that was not paid for cannot be used by mistake. The streams move
        on by one number of each run, whoever asks.

        ``ValueError`` where an agent asks itself.
        """
        if bool(wanted.diagonal(dim1=1, dim2=2).any()):
            raise ValueError("wanted: an agent asks itself")
        drawing = forked(streams)
        runs, egos, rows, agents = observations.shape[:4]
        if not bool(wanted.any()):
            return observations.new_full((runs, egos, rows, agents, self.width), torch.nan)
        with torch.no_grad():
            flat = self.act(observations.flatten(1, 2), drawing)
        actions: Tensor = flat.unflatten(1, (egos, rows))
        self.interactions.calls.add_(wanted.long() * rows)
        asked = wanted.to(actions.device)[:, :, None, :, None]
        return actions.masked_fill(~asked, torch.nan)
