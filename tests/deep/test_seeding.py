"""Streams: named, each run's own, and forks that use up one number."""

import pytest
import torch

from bounds.shared.numbers import InputError
from deep.seeding import Streams, choose, forked, streams


def test_a_run_has_its_own_numbers_for_every_purpose() -> None:
    several, alone = streams([0, 1], "x"), streams([1], "x")
    assert torch.equal(several.uniform(5)[1:], alone.uniform(5))
    assert not torch.equal(streams([1], "x").uniform(5), streams([1], "y").uniform(5))
    state = several.state()
    first = several.whole(7, 3)
    several.restore(state)
    assert torch.equal(several.whole(7, 3), first)


def test_forks_take_one_number_and_are_their_own() -> None:
    several, alone = streams([0, 1], "x"), streams([1], "x")
    first, second = forked(several), forked(several)
    assert torch.equal(first.uniform(5)[1:], forked(alone).uniform(5))
    assert not torch.equal(forked(several).uniform(5), second.uniform(5))
    plain = streams([0, 1], "x")
    plain.uniform(3)
    assert torch.equal(plain.state(), several.state())
    assert isinstance(first, Streams)


def test_a_choice_is_never_past_the_last() -> None:
    largest = torch.tensor(1 - 2**-53, dtype=torch.float64)
    assert [int(choose(largest, count)) for count in (1, 3, 10**15)] == [0, 2, 10**15 - 1]


@pytest.mark.parametrize("seeds", [(), (-1,), (0, 1, 0)])
def test_seeds_that_cannot_be(seeds: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"^seeds"):
        streams(seeds, "x")
