"""The states of particle worlds beside the replay, for exact dynamics.

A state is kept for every transition, in the row that the replay puts the transition into: both are
rings of one capacity, filled side by side.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from deep.dynamics.exact import packed
from deep.envs.particle import State


@dataclass(eq=False)
class StateReplay:
    """``rows[run, row, number]`` as of ``deep.dynamics.exact.packed``; ``added``: states so far."""

    rows: Tensor
    added: int = field(default=0)

    def add(self, state: State) -> None:
        """Append the states of all worlds, [run, env], before they are stepped."""
        new = packed(state).to(self.rows)
        index = torch.arange(self.added, self.added + new.shape[1]) % self.rows.shape[1]
        self.rows[:, index] = new
        self.added += new.shape[1]

    def state(self) -> dict[str, Tensor]:
        """The rows that hold a state, as they are, and how many were added."""
        size = min(self.added, self.rows.shape[1])
        return {"rows": self.rows[:, :size], "added": torch.tensor(self.added)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Set the rows to what ``state`` returned."""
        rows = state["rows"]
        self.rows[:, : rows.shape[1]] = rows
        self.added = int(state["added"])


def state_replay(like: State, capacity: int) -> StateReplay:
    """Room for ``capacity`` states of worlds like these, [run, env]."""
    numbers = packed(like)
    return StateReplay(numbers.new_empty(len(numbers), capacity, numbers.shape[-1]))
