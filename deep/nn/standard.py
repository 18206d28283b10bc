"""Numbers made standard by a mean and a deviation of each run, and the way back."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

#: The largest standard input; of normal numbers not one in 10²² is beyond.
FARTHEST = 10.0
#: Deviations of so many units in the last place of the mean are rounding.
NOISE = 16


@dataclass(frozen=True, eq=False)
class Standard:
    """Numbers made standard per run. mean, deviation[run, number]; deviation 0: a constant."""

    mean: Tensor
    deviation: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """(x − mean)/deviation of ``x[run, ..., number]``; constants are divided by 1."""
        return (x - _beside(self.mean, x)) / _beside(self.divisor, x)

    def bounded(self, x: Tensor) -> Tensor:
        """The same within ±``FARTHEST``, for inputs: what hardly varied may be far out later on."""
        return self(x).clamp_(-FARTHEST, FARTHEST)

    def back(self, z: Tensor) -> Tensor:
        """mean + deviation · z, so that a constant comes back exactly."""
        return _beside(self.mean, z) + _beside(self.deviation, z) * z

    @property
    def divisor(self) -> Tensor:
        """The deviation, 1 for constants."""
        return self.deviation.where(self.deviation > 0, 1.0)

    @property
    def varies(self) -> Tensor:
        """1 where a number is no constant, else 0, [run, number]."""
        return (self.deviation > 0).to(self.mean.dtype)


@dataclass(frozen=True, eq=False)
class Affine:
    """Numbers z made standard in one way as in another, factor · z + shift, [..., number]."""

    factor: Tensor
    shift: Tensor


def change(old: Standard, new: Standard, known: Tensor) -> Affine:
    """How to go from ``old`` to ``new``: z → (mean + deviation z − mean')/deviation'.

    As in ``Standard`` a deviation of 0 counts as 1. Where not ``known`` nothing is changed.
    """
    factor = old.divisor / new.divisor
    shift = (old.mean - new.mean) / new.divisor
    return Affine(factor.where(known, 1.0), shift.where(known, 0.0))


def standard(x: Tensor) -> Standard:
    """The mean and deviation of ``x[run, row, number]`` over the rows, run by run.

    What varies by no more than the rounding of its numbers is a constant.
    """
    runs = [run.double() for run in x]  # by themselves, so that sums are those of a run alone
    mean = torch.stack([run.mean(0) for run in runs])
    deviation = torch.stack([run.std(0, correction=0) for run in runs])
    same = torch.stack([(run == run[:1]).all(0) for run in runs])
    noise = deviation <= NOISE * torch.finfo(x.dtype).eps * mean.abs()
    return Standard(mean.to(x.dtype), deviation.masked_fill(same | noise, 0.0).to(x.dtype))


def _beside(numbers: Tensor, x: Tensor) -> Tensor:
    """numbers[run, number] for ``x[run, ..., number]``."""
    return numbers.view(len(numbers), *[1] * (x.ndim - 2), -1)
