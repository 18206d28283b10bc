"""Determinants with a row of ones, of all subsets of rows and columns, with certain signs.

For the table B of a batch of games, R a set of k rows and C one of k + 1 columns, E(R, C) is the
determinant of B[R, C] above a row of ones. ``minors`` finds all of them without a division, by
expanding along the first row of R, the smaller ones first. Cramer's rule in ``support_enumeration``
needs nothing else.

The table holds floats, or Python's integers (dtype object), for which everything is exact. Floats
come with the same expansion in absolute values, which bounds the rounding errors; ``unsure`` says
in which games some determinant may be off by more than the part ``ACCURACY`` of itself. Adding a
number to a row does not change E, so rows are shifted by their entry of smallest size first:
payoffs with a large common part lose nothing, nor do small ones beside a huge one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import combinations
from math import gcd, lcm
from typing import Any

import numpy as np

from bounds.shared.numbers import Array

#: Largest relative rounding error of a determinant that counts as sure.
ACCURACY = 1e-9
#: Unit roundoff of float64.
UNIT = 2.0**-53
#: Integers up to here are floats.
EXACT_BELOW = 2.0**53
#: Above what products that underflow can lose, and below all others (entries are at most 1).
UNDERFLOW = 2.0**-1000


@dataclass(frozen=True, eq=False)
class Minors:
    """E(R, C) of a batch of games; lists over k = 0, 1, …, sets in lexicographic order.

    values, signs: [k][R, C, game]; floats are those of the table times a power of two.
    unsure: [game].
    """

    values: Sequence[Array]
    signs: Sequence[Array]
    unsure: Array


def minors(table: Array) -> Minors:
    """All E(R, C) of ``table[row, column, game]``."""
    rows, columns, games = table.shape
    exact = table.dtype == object
    unsure = np.zeros(games, bool)
    values = [np.full((1, columns, games), 1, dtype=table.dtype)]
    sizes = values[:]
    if not exact:
        table, grid = _normal(table)
        absolute = np.abs(table)
    for k in range(1, min(rows, columns - 1) + 1):
        first, rest, chosen, left = _expansion(rows, columns, k)
        total: Any = 0
        bound: Any = 0
        for place in range(k + 1):
            cell = np.ix_(first, chosen[:, place])
            minor = np.ix_(rest, left[:, place])
            term = table[cell] * values[-1][minor]
            total = total - term if place % 2 else total + term
            if not exact:
                bound = bound + absolute[cell] * sizes[-1][minor]
        values.append(total)
        if not exact:
            sizes.append(bound)
            unsure |= _unsure(total, bound, k, grid)
    signs = [(v > 0).astype(np.int8) - (v < 0).astype(np.int8) for v in values]
    return Minors(values, signs, unsure)


def _normal(table: Array) -> tuple[Array, Array]:
    """Rows shifted by their smallest entry, games scaled by a power of two to entries of at most 1.

    And the largest power of two, after scaling, of which the entries as given were multiples.
    """
    mantissa, exponent = np.frexp(table)
    whole = np.abs(mantissa * EXACT_BELOW).astype(np.int64)
    last = np.ldexp((whole & -whole).astype(float), exponent - 53)  # the last bit of each entry
    grid = np.where(whole == 0, np.inf, last).min(axis=(0, 1))
    least = np.abs(table).argmin(axis=1, keepdims=True)
    shifted = table - np.take_along_axis(table, least, axis=1)
    _, power = np.frexp(np.abs(shifted).max(axis=(0, 1)))
    grid = np.ldexp(np.where(np.isfinite(grid), grid, 1.0), -power)
    # what is a multiple and at most 1 is 0 where the grid is coarser than 1; its powers stay finite
    return np.ldexp(shifted, -power), np.minimum(grid, 1.0)


def _unsure(total: Array, bound: Array, k: int, grid: Array) -> Array:
    """Which games have a determinant of k rows that rounding may have spoiled, [game].

    A term of the expansion multiplies k differences (one rounding each); level l multiplies once
    and adds at most l times: d = Σ_{l ≤ k} (l + 2) roundings. The error is at most γ_d bound, where
    γ_d = d u / (1 − d u) (Higham 2002, Accuracy and Stability of Numerical Algorithms, lemma 3.1)
    and the bound's own float value is at least 1 − γ_d of it: together less than 2 d u. Where the
    entries are multiples of ``grid`` and the bound is below 2⁵² gridᵏ, nothing was rounded.
    """
    d = sum(level + 2 for level in range(1, k + 1))
    error = (2 * d * UNIT) * bound + UNDERFLOW
    rounded = bound >= EXACT_BELOW / 2 * grid**k
    return np.asarray((rounded & (error > ACCURACY * np.abs(total))).any(axis=(0, 1)))


@lru_cache(maxsize=64)
def _expansion(rows: int, columns: int, k: int) -> tuple[Array, Array, Array, Array]:
    """How to expand E(R, C) with k rows.

    The first row [R], the index of the others [R], the columns [C, place], and the index of C
    without that place [C, place].
    """
    sets = list(combinations(range(rows), k))
    chosen = list(combinations(range(columns), k + 1))
    smaller = {c: i for i, c in enumerate(combinations(range(rows), k - 1))}
    fewer = {c: i for i, c in enumerate(combinations(range(columns), k))}
    return (
        np.array([c[0] for c in sets]),
        np.array([smaller[c[1:]] for c in sets]),
        np.array(chosen),
        np.array([[fewer[c[:p] + c[p + 1 :]] for p in range(k + 1)] for c in chosen]),
    )


@lru_cache(maxsize=64)
def cofactors(rows: int, k: int) -> tuple[list[Array], list[int]]:
    """Where det B[I, J] with the row of I's place p replaced by ones is found, |I| = |J| = k.

    It is (−1)^{k−1−p} E(I∖i, J): for each p the index of I∖i among the sets of k − 1 rows, [I], and
    the sign.
    """
    smaller = {c: i for i, c in enumerate(combinations(range(rows), k - 1))}
    sets = list(combinations(range(rows), k))
    index = [np.array([smaller[c[:p] + c[p + 1 :]] for c in sets]) for p in range(k)]
    return index, [(-1) ** (k - 1 - p) for p in range(k)]


def integers(table: Array) -> Array:
    """``table`` times the positive number that makes its entries the smallest Python integers."""
    flat = [x if isinstance(x, Fraction) else Fraction(x) for x in table.ravel().tolist()]
    scale = lcm(*(x.denominator for x in flat))
    whole = [x.numerator * (scale // x.denominator) for x in flat]
    common = gcd(*whole) or 1
    out = np.empty(len(flat), dtype=object)
    out[:] = [x // common for x in whole]
    return out.reshape(table.shape)
