"""The model buffer: a replay of model transitions for every ego agent, and batches of both kinds.

The axes are [run, ego, row, ...], and each ego's memory fills up by itself: rollouts need not be of
one length. A learner's batch mixes such rows with real ones, in a stated share.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bounds.shared.numbers import InputError, in_range, whole
from deep.data.batch import Batch, packed, row_width, unpacked
from deep.data.replay import Replay
from deep.envs.spaces import Shape
from deep.seeding import Streams


@dataclass(frozen=True, eq=False)
class ModelReplay:
    """``rows[run, ego, row, number]``; the oldest are overwritten when an ego's are full.

    added[run, ego], int64 on the CPU: transitions so far, those overwritten included. drawn[run,
    ego], likewise: of how many of the newest rows batches are, at most.
    """

    shape: Shape
    rows: Tensor
    added: Tensor
    drawn: Tensor

    @property
    def capacity(self) -> int:
        """Rows that there is room for, of each ego."""
        return self.rows.shape[2]

    @property
    def sizes(self) -> Tensor:
        """Rows that hold a transition, [run, ego]."""
        return self.added.clamp(max=self.capacity)

    def add(self, batch: Batch, alive: Tensor | None = None) -> None:
        """Append a private batch; only to the egos that ``alive[run, ego]`` names, if given."""
        count = batch.terminated.shape[2]
        new = packed(batch, self.rows.dtype)[:, :, -self.capacity :]
        runs, egos, kept, width = new.shape
        chosen = torch.ones_like(self.added, dtype=torch.bool) if alive is None else alive.cpu()
        position = self.added.unsqueeze(-1) + torch.arange(count - kept, count)
        first = torch.arange(runs * egos).view(runs, egos, 1) * self.capacity
        index = (position % self.capacity + first)[chosen].flatten().to(self.rows.device)
        self.rows.view(-1, width)[index] = new[chosen.to(new.device)].flatten(0, 1)
        self.added.add_(count * chosen)

    def sample(self, streams: Streams, rows: int) -> Batch:
        """``rows`` of the newest ``drawn`` transitions of every ego, uniform, with replacement."""
        sizes = torch.minimum(self.sizes, self.drawn).unsqueeze(-1)
        if not sizes.all():
            run, ego, _ = (sizes == 0).nonzero()[0].tolist()
            raise InputError(
                f"replay: that of agent {ego} in run {run} is empty; add transitions before "
                "drawing any"
            )
        uniform = streams.uniform(sizes.shape[1], rows)
        # below the size even rounded: u is at most 1 − 2⁻⁵³
        age = (uniform * sizes).long()
        index = (self.added.unsqueeze(-1) - sizes + age) % self.capacity
        return self.batch(index.to(self.rows.device))

    def batch(self, index: Tensor) -> Batch:
        """The transitions in the rows ``index[run, ego, row]``."""
        runs, egos, capacity, width = self.rows.shape
        first = torch.arange(runs * egos, device=index.device).view(runs, egos, 1) * capacity
        flat = self.rows.view(-1, width).index_select(0, (index + first).flatten())
        return unpacked(self.shape, flat.view(*index.shape, width))

    def clear(self) -> None:
        """Forget everything."""
        self.added.zero_()

    def state(self) -> dict[str, Tensor]:
        """The rows up to the fullest ego's last, zeros where there is none, and ``added``."""
        sizes = self.sizes
        most = int(sizes.max())
        rows = self.rows[:, :, :most]
        if bool((sizes < most).any()):
            there = torch.arange(most) < sizes.unsqueeze(-1)
            rows = torch.where(there.unsqueeze(-1).to(rows.device), rows, 0)
        return {"rows": rows, "added": self.added, "drawn": self.drawn}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Set the replay to what ``state`` returned."""
        rows = state["rows"]
        if rows.shape[2] > self.capacity:
            raise InputError(
                f"replay: {rows.shape[2]} rows do not fit into {self.capacity}; give more capacity"
            )
        self.rows[:, :, : rows.shape[2]] = rows
        self.added.copy_(state["added"])
        self.drawn.copy_(state["drawn"])


def model_replay(
    shape: Shape, runs: int, capacity: int, dtype: torch.dtype, device: str
) -> ModelReplay:
    """Empty replays of all agents. Memory is taken as they fill up."""
    whole("capacity", capacity, 1)
    axes = (runs, shape.agents)
    rows = torch.empty(*axes, capacity, row_width(shape), dtype=dtype, device=device)
    drawn = torch.full(axes, capacity)
    return ModelReplay(shape, rows, torch.zeros(axes, dtype=torch.int64), drawn)


def joined(first: Batch, second: Batch) -> Batch:
    """The rows of ``first`` and then those of ``second``."""
    return Batch(
        observations=torch.cat((first.observations, second.observations), -3),
        actions=torch.cat((first.actions, second.actions), -3),
        rewards=torch.cat((first.rewards, second.rewards), -2),
        next_observations=torch.cat((first.next_observations, second.next_observations), -3),
        terminated=torch.cat((first.terminated, second.terminated), -1),
    )


def mixed(real: Replay, model: ModelReplay, rows: int, share: float, streams: Streams) -> Batch:
    """``rows`` transitions of every ego: first ``share`` of them real, the others its model's.

    The real ones are drawn for each ego apart from the run's one replay; their number is rounded to
    a whole one, a half to the even.
    """
    true = round(in_range("share", share, 0, 1) * rows)
    parts = []
    if true:
        parts.append(real.sample_apart(streams, model.shape.agents, true))
    if true < rows:
        parts.append(model.sample(streams, rows - true))
    return parts[0] if len(parts) == 1 else joined(*parts)
