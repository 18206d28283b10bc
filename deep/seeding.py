"""Random streams: one generator a run, named by its purpose.

A run's numbers come from its own generator, so they do not depend on which runs are beside it, and
a purpose draws from its own stream, so more draws for one (evaluation, say) leave the others as
they were. Numbers are drawn in float64 on the CPU whatever computes with them: a float32 run and a
run on a GPU start from the same numbers, rounded.

Where runs go on for different times (rollout lengths, early stopping, calls to opponents) the
longest would have the others draw more numbers than they do alone. Such work draws from a fork: it
takes exactly one number of each run's stream, whatever happens then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from bounds.shared.numbers import InputError, whole


@dataclass(frozen=True, eq=False)
class Streams:
    """One generator a run; every draw has the leading axis [run] and advances the generators."""

    generators: tuple[Generator, ...]

    @property
    def runs(self) -> int:
        """Number of runs."""
        return len(self.generators)

    def uniform(self, *shape: int) -> Tensor:
        """Numbers uniform on [0, 1), float64, shape [run, *shape]."""
        drawn = torch.empty((self.runs, *shape), dtype=torch.float64)
        for run, generator in enumerate(self.generators):
            drawn[run].uniform_(generator=generator)
        return drawn

    def whole(self, below: int, *shape: int) -> Tensor:
        """Numbers uniform on 0..below − 1, int64, shape [run, *shape]."""
        return choose(self.uniform(*shape), below)

    def state(self) -> Tensor:
        """The generators' states, one row of bytes a run."""
        return torch.stack([generator.get_state() for generator in self.generators])

    def restore(self, state: Tensor) -> None:
        """Set the generators to what ``state`` returned."""
        for generator, row in zip(self.generators, state, strict=True):
            generator.set_state(row.clone())  # torch crashes on a row that is a view


def streams(seeds: Sequence[int], purpose: str) -> Streams:
    """The streams of the runs ``seeds`` for ``purpose``, always the same for the same two.

    Raises ``InputError`` where there is no seed, one is negative, or one comes twice.
    """
    if not seeds:
        raise InputError("seeds: none; give at least one")
    for i, seed in enumerate(seeds):
        whole(f"seeds[{i}]", seed)
        if seed in seeds[:i]:
            raise InputError(f"seeds[{i}]: {seed} is there already; give each seed once")
    return Streams(tuple(_generator(int(seed), purpose) for seed in seeds))


def forked(streams: Streams) -> Streams:
    """New streams, started from one number of each run's stream."""
    seeds = (streams.uniform() * 2.0**53).long().tolist()
    return Streams(tuple(Generator().manual_seed(seed) for seed in seeds))


def choose(uniform: Tensor, count: int) -> Tensor:
    """⌊count · u⌋, a choice out of 0..count − 1 for each u in [0, 1)."""
    # count · u can round up to count
    return (uniform * count).long().clamp(max=count - 1)


def _generator(seed: int, purpose: str) -> Generator:
    sequence = np.random.SeedSequence(seed, spawn_key=tuple(purpose.encode()))
    # torch takes seeds below 2⁶³ on every platform
    return Generator().manual_seed(int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1)))
