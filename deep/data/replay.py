"""Replay: the transitions of every run, each run's own, in tensors that are allocated once.

A transition is one row [observations, actions, rewards, next observations, terminated], so that
drawing one is one look-up in memory. When the replay is full the oldest rows are overwritten.
Nothing is scaled or standardised: what comes out is what went in.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from bounds.shared.numbers import InputError, whole
from deep.data.batch import Batch, packed, row_width, unpacked
from deep.envs.spaces import Shape
from deep.seeding import Streams


@dataclass(eq=False)
class Replay:
    """``rows[run, row, number]``; ``added``: transitions so far, those overwritten included."""

    shape: Shape
    rows: Tensor
    added: int = field(default=0)

    @property
    def capacity(self) -> int:
        """Rows that there is room for."""
        return self.rows.shape[1]

    @property
    def size(self) -> int:
        """Rows that hold a transition."""
        return min(self.added, self.capacity)

    def add(
        self,
        observations: Tensor,
        actions: Tensor,
        rewards: Tensor,
        next_observations: Tensor,
        terminated: Tensor,
    ) -> None:
        """Append transitions with the axes of ``Batch``, an environment a row."""
        added = Batch(
            observations=observations,
            actions=actions,
            rewards=rewards,
            next_observations=next_observations,
            terminated=terminated,
        )
        new = packed(added, self.rows.dtype)[:, -self.capacity :]
        skipped = observations.shape[1] - new.shape[1]
        start = (self.added + skipped) % self.capacity
        before_end = min(new.shape[1], self.capacity - start)
        self.rows[:, start : start + before_end] = new[:, :before_end]
        self.rows[:, : new.shape[1] - before_end] = new[:, before_end:]
        self.added += observations.shape[1]

    def sample(self, streams: Streams, rows: int) -> Batch:
        """``rows`` transitions of every run, drawn uniformly and with replacement."""
        if self.size == 0:
            raise InputError("replay: empty; add transitions before drawing any")
        index = streams.whole(self.size, rows).to(self.rows.device)
        return self.batch(index)

    def sample_apart(self, streams: Streams, egos: int, rows: int) -> Batch:
        """``rows`` transitions for each of ``egos`` agents of every run, [run, ego, row, ...].

        All are drawn from the one replay of the run, uniformly and with replacement.
        """
        together = self.sample(streams, egos * rows)
        apart = {name: part.unflatten(1, (egos, rows)) for name, part in vars(together).items()}
        return Batch(**apart)

    def batch(self, index: Tensor) -> Batch:
        """The transitions in the rows ``index[run, row]``."""
        runs, capacity, width = self.rows.shape
        first = torch.arange(0, runs * capacity, capacity, device=index.device).unsqueeze(-1)
        flat = self.rows.view(-1, width).index_select(0, (index + first).flatten())
        return unpacked(self.shape, flat.view(runs, -1, width))

    def state(self) -> dict[str, Tensor]:
        """The rows that hold a transition, as they are (no copies), and how many were added."""
        return {"rows": self.rows[:, : self.size], "added": torch.tensor(self.added)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Set the replay to what ``state`` returned."""
        rows = state["rows"]
        if rows.shape[1] > self.capacity:
            raise InputError(
                f"replay: {rows.shape[1]} rows do not fit into {self.capacity}; give more capacity"
            )
        self.rows[:, : rows.shape[1]] = rows
        self.added = int(state["added"])


def replay(shape: Shape, runs: int, capacity: int, dtype: torch.dtype, device: str) -> Replay:
    """An empty replay. Memory is taken as it fills up."""
    whole("capacity", capacity, 1)
    return Replay(shape, torch.empty(runs, capacity, row_width(shape), dtype=dtype, device=device))
