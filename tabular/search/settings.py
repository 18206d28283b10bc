"""Settings of the parameter box as rows of numbers: drawn, mutated, and made plain fractions.

A row is γ, k, r_max, span, the model error, n policy shifts (ego agent first) and n − 1 opponent
model errors. ``profiles`` reads rows as one ``ErrorProfile`` over arrays, ``exact_profile`` reads
one row as fractions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from bounds.formula.error_profile import ErrorProfile
from bounds.shared.numbers import Array

#: Columns of a row before the policy shifts.
GAMMA, K, R_MAX, SPAN, ERROR, FIRST = range(6)


@dataclass(frozen=True)
class Box:
    """Which settings are searched: n agents, the longest branch (None: no branches), errors."""

    n: int
    max_k: int | None
    shifts: bool
    hats: bool

    @property
    def columns(self) -> int:
        """Numbers in a row."""
        return FIRST + 2 * self.n - 1


def drawn(rng: np.random.Generator, size: int, box: Box) -> Array:
    """``size`` rows [row, column], spread over the whole box: corners, tiny and large numbers.

    The errors of one kind sit on one agent, on all alike, or anywhere.
    """
    rows = np.zeros((size, box.columns))
    near_one = 1 - 10.0 ** rng.uniform(-4, 0, size)
    plain = rng.choice([0.0, 0.5, 0.9, 0.95, 0.99], size)
    rows[:, GAMMA] = np.where(rng.random(size) < 0.5, plain, near_one)
    if box.max_k is not None:
        longer = 10 ** rng.uniform(0, np.log10(box.max_k), size)
        short = rng.integers(0, min(box.max_k, 5) + 1, size)
        rows[:, K] = np.floor(np.where(rng.random(size) < 0.5, short, longer))
    rows[:, R_MAX] = np.where(rng.random(size) < 0.8, 1.0, 10.0 ** rng.uniform(-3, 3, size))
    rows[:, SPAN] = rows[:, R_MAX] * np.where(rng.random(size) < 0.7, 2.0, rng.uniform(0, 2, size))
    rows[:, ERROR] = _errors(rng, size)
    if box.shifts:
        rows[:, FIRST : FIRST + box.n] = _spread(rng, size, box.n)
    if box.hats:
        rows[:, FIRST + box.n :] = _spread(rng, size, box.n - 1)
    return rows


def _errors(rng: np.random.Generator, size: int) -> Array:
    some = np.where(rng.random(size) < 0.7, 10.0 ** rng.uniform(-4, 0, size), 0.0)
    return np.where(rng.random(size) < 0.05, 1.0, some)


def _spread(rng: np.random.Generator, size: int, count: int) -> Array:
    if count == 0:
        return np.zeros((size, 0))
    total = np.repeat(_errors(rng, size)[:, None], count, axis=1)
    one = rng.integers(count, size=size)[:, None] == np.arange(count)
    free = np.stack([_errors(rng, size) for _ in range(count)], axis=1)
    how = rng.integers(3, size=size)[:, None]
    return np.select([how == 0, how == 1], [total * one, total], free)


def mutated(rng: np.random.Generator, rows: Array, box: Box) -> Array:
    """A changed copy of ``rows``: about two numbers each, by factors, to 0, or to 1."""
    out = rows.copy()
    change = rng.random(out.shape) < 2 / box.columns
    factor = np.exp(rng.normal(0, 0.5, out.shape))
    moved = out * factor
    moved[:, GAMMA] = 1 - np.minimum((1 - out[:, GAMMA]) * factor[:, GAMMA], 1)
    moved[:, K] = np.round(out[:, K] * factor[:, K]) + rng.integers(-1, 2, len(out))
    errors = moved[:, ERROR:]
    errors[:] = np.where(rng.random(errors.shape) < 0.1, rng.integers(0, 2, errors.shape), errors)
    out = np.where(change, moved, out)
    out[:, GAMMA] = np.clip(out[:, GAMMA], 0, 1 - 1e-5)
    out[:, K] = np.clip(out[:, K], 0, box.max_k or 0)
    out[:, R_MAX] = np.clip(out[:, R_MAX], 1e-6, 1e6)
    out[:, SPAN] = np.minimum(out[:, SPAN], 2 * out[:, R_MAX])
    out[:, ERROR:] = np.clip(out[:, ERROR:], 0, 1)
    if not box.shifts:
        out[:, FIRST : FIRST + box.n] = 0
    if not box.hats:
        out[:, FIRST + box.n :] = 0
    return out


def profiles(rows: Array, box: Box) -> ErrorProfile:
    """All rows as one profile over arrays; the model error is ``model_sup``."""
    return ErrorProfile(
        gamma=rows[:, GAMMA],
        policy_shift=tuple(rows[:, FIRST + j] for j in range(box.n)),
        opponent_model=tuple(rows[:, FIRST + box.n + j] for j in range(box.n - 1)),
        model_sup=rows[:, ERROR],
        k=None if box.max_k is None else rows[:, K].astype(np.int64),
        r_max=rows[:, R_MAX],
        span=rows[:, SPAN],
    )


def exact_profile(row: Array, box: Box, denominator: int) -> ErrorProfile:
    """One row in fractions whose denominators are at most ``denominator``."""

    def plain(x: float) -> Fraction:
        return Fraction(x).limit_denominator(denominator)

    gamma, r_max = plain(row[GAMMA]), plain(row[R_MAX])
    return ErrorProfile(
        gamma=gamma if gamma < 1 else 1 - Fraction(1, denominator),
        policy_shift=tuple(plain(x) for x in row[FIRST : FIRST + box.n]),
        opponent_model=tuple(plain(x) for x in row[FIRST + box.n :]),
        model_sup=plain(row[ERROR]),
        k=None if box.max_k is None else int(row[K]),
        r_max=r_max,
        span=min(plain(row[SPAN]), 2 * r_max),
    )


def simpler(setting: ErrorProfile) -> Iterator[ErrorProfile]:
    """Settings one step simpler: fewer agents or errors, a shorter branch, one number plainer."""
    errs = [
        j for j in range(1, setting.n) if setting.policy_shift[j] + setting.opponent_model[j - 1]
    ]
    for kept in (errs, errs[:1], [*range(1, setting.n)][: setting.n - 2]):
        yield replace(
            setting,
            policy_shift=(setting.policy_shift[0], *(setting.policy_shift[j] for j in kept)),
            opponent_model=tuple(setting.opponent_model[j - 1] for j in kept),
        )
    nothing = (Fraction(0),) * setting.n
    yield replace(setting, policy_shift=nothing)
    yield replace(setting, opponent_model=nothing[1:])
    if setting.k is not None:
        yield from (setting.with_(k=k) for k in (0, 1, 2, setting.k // 2, setting.k - 1) if k >= 0)
    for scale in (1, 10, 100, 1000, Fraction(1, 10), Fraction(1, 100), Fraction(1, 1000)):
        yield setting.with_(r_max=Fraction(scale), span=2 * Fraction(scale))
        yield setting.with_(r_max=Fraction(scale), span=Fraction(scale))
    yield from (setting.with_(gamma=g) for g in _plainer(setting.gamma) if g < 1)
    yield from (setting.with_(model_sup=e) for e in _plainer(setting.model_sup))
    for name in ("policy_shift", "opponent_model"):
        given = getattr(setting, name)
        for j, value in enumerate(given):
            for e in _plainer(value):
                change: dict[str, Any] = {name: (*given[:j], e, *given[j + 1 :])}
                yield replace(setting, **change)


def _plainer(x: Fraction) -> Iterator[Fraction]:
    yield from (Fraction(0), Fraction(1), Fraction(1, 2), Fraction(9, 10), Fraction(1, 10))
    yield from (x.limit_denominator(d) for d in (2, 5, 10, 20, 100))


def weight(setting: ErrorProfile) -> int:
    """How much there is to read in a setting: digits, agents, steps."""
    numbers = (
        setting.gamma,
        setting.model_sup,
        setting.span,
        setting.r_max,
        *setting.policy_shift,
        *setting.opponent_model,
    )
    digits = sum(
        len(str(x.numerator)) + len(str(x.denominator)) + (x != 0) + (x.denominator > 1)
        for x in numbers
    )
    return int(digits + 6 * setting.n + (setting.k or 0))
