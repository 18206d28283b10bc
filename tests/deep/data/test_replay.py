"""Replay against a plain list, and its draws against their distribution."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bounds.shared.numbers import InputError
from deep.data.replay import Replay, replay
from deep.envs.spaces import Choices, Shape
from deep.seeding import streams

SHAPE = Shape((2, 3), (Choices((2,)), Choices((4,))))


def fill(memory: Replay, runs: int, sizes: list[int], seed: int = 0) -> list[list[torch.Tensor]]:
    """Add transitions in pieces of ``sizes``; all that was added, in the order of ``Batch``."""
    draw = torch.Generator().manual_seed(seed)
    added = []
    for size in sizes:
        parts = [
            torch.randn(runs, size, 2, 3, generator=draw) * 1e6,
            torch.randn(runs, size, 2, 4, generator=draw),
            torch.randn(runs, size, 2, generator=draw) * 1e-6,
            torch.randn(runs, size, 2, 3, generator=draw),
            (torch.randn(runs, size, generator=draw) > 0).float(),
        ]
        memory.add(*parts)
        added.append(parts)
    return [list(torch.cat(pieces, 1).unbind(1)) for pieces in zip(*added, strict=True)]


@given(st.integers(1, 12), st.lists(st.integers(0, 20), min_size=1, max_size=5), st.integers(1, 3))
def test_the_last_transitions_are_kept_as_they_are(
    capacity: int, sizes: list[int], runs: int
) -> None:
    memory = replay(SHAPE, runs, capacity, torch.float32, "cpu")
    added = fill(memory, runs, sizes)
    total = sum(sizes)
    assert (memory.added, memory.size) == (total, min(total, capacity))
    last = range(max(0, total - capacity), total)
    index = torch.tensor([i % capacity for i in last], dtype=torch.int64).expand(runs, -1)
    batch = memory.batch(index)
    names = ("observations", "actions", "rewards", "next_observations", "terminated")
    for name, pieces in zip(names, added, strict=True):
        for place, i in enumerate(last):
            assert torch.equal(getattr(batch, name)[:, place], pieces[i]), name


def test_draws_are_uniform_over_what_is_there() -> None:
    memory = replay(SHAPE, 2, 50, torch.float32, "cpu")
    added = fill(memory, 2, [30])
    count = 60_000
    batch = memory.sample(streams([0, 1], "replay"), count)
    known = torch.stack(added[2], 1)
    for run in range(2):
        drawn = (batch.rewards[run, :, None] == known[run]).all(-1)
        assert bool((drawn.sum(1) == 1).all())
        # chi-square with 29 degrees of freedom; above 78 with probability 2e-6
        expected = count / 30
        assert float(((drawn.sum(0) - expected) ** 2 / expected).sum()) < 78
    # runs draw apart: equal places in about one of thirty draws, within 5 standard errors
    same = (batch.rewards[0, :, None] == known[0]).all(-1).long().argmax(1)
    other = (batch.rewards[1, :, None] == known[1]).all(-1).long().argmax(1)
    share = float((same == other).double().mean())
    assert abs(share - 1 / 30) < 5 * math.sqrt(1 / 30 * 29 / 30 / count)


def test_a_run_draws_the_same_beside_others() -> None:
    beside, alone = (replay(SHAPE, runs, 40, torch.float32, "cpu") for runs in (3, 1))
    fill(beside, 3, [25, 30])
    alone.rows.copy_(beside.rows[1:2])
    alone.added = beside.added
    mine = beside.sample(streams([4, 5, 6], "replay"), 100)
    own = alone.sample(streams([5], "replay"), 100)
    assert torch.equal(mine.observations[1:2], own.observations)
    assert torch.equal(mine.actions[1:2], own.actions)


def test_state_and_restore() -> None:
    memory, other = (replay(SHAPE, 2, 20, torch.float32, "cpu") for _ in range(2))
    fill(memory, 2, [13])
    other.restore({name: tensor.clone() for name, tensor in memory.state().items()})
    assert memory.state()["rows"].shape[1] == 13
    for one in (memory, other):
        fill(one, 2, [15], seed=1)
    assert memory.added == other.added == 28
    assert torch.equal(memory.rows, other.rows)
    with pytest.raises(InputError, match=r"^replay: 20 rows do not fit into 5; give more capacity"):
        replay(SHAPE, 2, 5, torch.float32, "cpu").restore(memory.state())


def test_bad_input() -> None:
    with pytest.raises(InputError, match=r"^capacity: 0 is not a whole number, 1 or more"):
        replay(SHAPE, 1, 0, torch.float32, "cpu")
    with pytest.raises(InputError, match=r"^replay: empty; add transitions before drawing any"):
        replay(SHAPE, 1, 5, torch.float32, "cpu").sample(streams([0], "replay"), 3)
