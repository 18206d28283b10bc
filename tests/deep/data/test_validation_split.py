"""Which rows judge: the same ones for ever, and of every stretch nearly the same share."""

from fractions import Fraction
from math import isqrt

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deep.data.replay import replay
from deep.data.validation_split import STEP, held_out, numbers, off
from deep.envs.spaces import Box, Shape

LINE = Shape((1,), (Box(1, -1, 1),))
SHARES = st.floats(0.001, 0.999)


@given(st.integers(1, 300), st.lists(st.integers(1, 200), min_size=1, max_size=4))
def test_no_row_ever_changes_sides(capacity: int, pieces: list[int]) -> None:
    """Rewards carry the numbers of transitions, whose side is asked for after each addition."""
    kept, count, sides = replay(LINE, 1, capacity, torch.float64, "cpu"), 0, dict[int, bool]()
    for piece in pieces:
        rewards = torch.arange(count, count + piece, dtype=torch.float64).view(1, piece, 1)
        blank = torch.zeros(1, piece, 1, 1)
        kept.add(blank, blank, rewards, blank, torch.zeros(1, piece))
        count += piece
        found = numbers(kept)
        assert found.tolist() == kept.rows[0, : kept.size, 2].tolist()
        for number, side in zip(found.tolist(), held_out(found, 0.3).tolist(), strict=True):
            assert sides.setdefault(number, side) == side


@given(st.integers(0, 10**12), SHARES)
def test_multiples_of_the_golden_ratio(number: int, share: float) -> None:
    """t g mod 1 below the share, in fractions; g = (√5 − 1)/2 with 60 digits after the point."""
    digits = 10**60
    golden = Fraction(isqrt(5 * digits**2) - digits, 2 * digits)
    part = number * golden % 1
    if abs(part - Fraction(share)) > Fraction(number + 1, 2**53):
        assert held_out(torch.tensor([number]), share).tolist() == [part < Fraction(share)]


@given(st.integers(0, 10**9), st.integers(1, 3000), SHARES)
def test_a_stretch_has_its_share(first: int, rows: int, share: float) -> None:
    held = int(held_out(torch.arange(first, first + rows), share).sum())
    assert abs(held - share * rows) <= off(rows)


def worst(share: float, rows: int) -> float:
    """The furthest off of all stretches of so many rows among the first 30,000."""
    counts = np.cumsum([0, *held_out(torch.arange(30_000), share).tolist()])
    return float(np.abs(counts[rows:] - counts[:-rows] - share * rows).max())


def test_no_stretch_is_further_off_and_some_come_near() -> None:
    """Fibonacci numbers are one piece, at most 3/2 off; some others come to a third of theirs."""
    shares = (0.01, 0.1, 0.2, 0.35, 0.5, 0.9)
    limits = {1: 1.5, 89: 1.5, 610: 1.5, 4: 3, 100: 4.5, 1500: 7.5}
    for rows, limit in limits.items():
        assert off(rows) == limit
        assert limit / 3 < max(worst(share, rows) for share in shares) <= limit


@pytest.mark.parametrize("step", [STEP + 2**50, 2**61, 2**63 // 377])
def test_other_steps_are_further_off(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    monkeypatch.setattr("deep.data.validation_split.STEP", step)
    assert any(worst(0.35, rows) > off(rows) for rows in range(1, 2000, 7))


def test_growing_stretches_only_gain() -> None:
    """What config asks of the first fit holds for all later ones."""
    sides = held_out(torch.arange(500), 0.35).cumsum(0)
    assert bool((sides.diff() >= 0).all())
