"""The validation split: which transitions judge models and are never trained on.

Transition t, counted from the first of training, is held out if the fractional part of t g is below
the share, g = 1/golden ratio. So no transition changes sides, wherever it lies in a replay, and
multiples of g are spread so evenly that any stretch of N transitions in a row has nearly the share:

    |held out − share · N| ≤ 3/2 · (Fibonacci numbers that N is the sum of, taken greedily).

For N = F, a Fibonacci number: g is so close to a fraction with denominator F that the F fractional
parts are places of an even grid, each moved by less than half a gap and all in one direction. An
arc of the circle holds ⌊share · F⌋ or ⌈share · F⌉ places of the grid, and so moved the count is off
by less than 3/2. A stretch is cut into such ones. Growing stretches only gain.

g is taken as a multiple of 2⁻⁶⁴, so that nothing is rounded: it is as good as the number itself for
stretches of up to 10⁹.
"""

from __future__ import annotations

import torch
from torch import Tensor

from deep.data.replay import Replay

#: g · 2⁶⁴ to the nearest odd number, as int64 holds it: products wrap around, which is the modulus.
STEP = 0x9E3779B97F4A7C15 - 2**64


def held_out(numbers: Tensor, share: float) -> Tensor:
    """Whether the transitions with these ``numbers``, int64, are held out; bool, as many."""
    # 53 bits of the fractional part, so that float64 has it exactly
    part = (numbers.cpu() * STEP >> 11) & (2**53 - 1)
    return part.double() * 2.0**-53 < share


def off(rows: int) -> float:
    """Largest deviation of the number of held-out rows from share * ``rows``, for any share."""
    numbers = [1, 2]
    while numbers[-1] <= rows:
        numbers.append(numbers[-1] + numbers[-2])
    parts = 0
    for number in reversed(numbers):
        if number <= rows:
            rows -= number
            parts += 1
    return 1.5 * parts


def numbers(replay: Replay) -> Tensor:
    """Of the transition in each row of the replay, how many came before it, int64 [row]."""
    last = replay.added - 1
    return last - (last - torch.arange(replay.size)) % replay.capacity
