"""Streams that split off from others, for work that takes a run's own number of draws.

Where runs go on for different times (rollout lengths, early stopping, calls to opponents) the
longest would have the others draw more numbers than they do alone. Such work draws from a fork: it
takes exactly one number of each run's stream, whatever happens then.
"""

from __future__ import annotations

from torch import Generator

from deep.seeding import Streams


def forked(streams: Streams) -> Streams:
    """New streams, started from one number of each run's stream."""
    seeds = (streams.uniform() * 2.0**53).long().tolist()
    return Streams(tuple(Generator().manual_seed(seed) for seed in seeds))
