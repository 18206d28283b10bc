"""Zero-sum stage games: the value of a matrix and both players' optimal strategies.

The row player receives ``payoff[i, j]`` and the column player loses it. By the minimax theorem

    value = max_x min_j Σ_i x_i payoff[i, j] = min_y max_i Σ_j payoff[i, j] y_j.

Exact matrices, of any size, are solved by the simplex method in integers (pivots as Edmonds 1967,
Systems of distinct representatives and linear algebra: every entry stays a subdeterminant; Bland's
rule, so that it ends).

Batches of small float matrices are solved together. Some optimal x solves a square system, so it is
among the candidates x ∝ ±E(I∖i, J) of ``minors``; whichever candidate guarantees most is taken,
and what it guarantees is computed from the matrix itself. So rounding can cost a little of the
value, never the meaning of a number: ``MatrixSolution`` has what x guarantees and what y concedes,
and the value lies between the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import comb
from typing import Any

import numpy as np

from bounds.shared.numbers import Array, InputError
from tabular.equilibria.determinants import cofactors, integers, minors
from tabular.games.arrays import is_exact_array

#: Largest number C(m + n, m) of candidates of a float matrix that is solved by trying all of them.
MAX_CANDIDATES = 1000
#: How many candidates times columns are worked on at once.
CHUNK = 4_000_000


@dataclass(frozen=True, eq=False)
class MatrixSolution:
    """Optimal strategies of a batch of zero-sum games.

    x: [..., i]; guaranteed: [...], min_j Σ_i x_i payoff[i, j], at most the value.
    y: [..., j]; conceded: [...], max_i Σ_j payoff[i, j] y_j, at least the value.
    """

    x: Array
    y: Array
    guaranteed: Array
    conceded: Array


def solve_matrix(payoff: Array) -> MatrixSolution:
    """Both players' optimal strategies for ``payoff[..., i, j]``; exact in, exact out."""
    x, guaranteed = best_guarantee(payoff)
    if is_exact_array(payoff):
        y = best_guarantee(-payoff.swapaxes(-1, -2))[0]
        conceded = (payoff * y[..., None, :]).sum(axis=-1).max(axis=-1)
        return MatrixSolution(x, y, guaranteed, np.asarray(conceded))
    y, kept = best_guarantee(-payoff.swapaxes(-1, -2))
    return MatrixSolution(x, y, guaranteed, np.asarray(-kept))


def best_guarantee(payoff: Array) -> tuple[Array, Array]:
    """A maximin strategy x [..., i] of the row player, and what it guarantees, [...]."""
    rows, columns = payoff.shape[-2:]
    if rows == 0 or columns == 0:
        raise InputError(f"payoff: shape {payoff.shape}; give each player an action")
    flat = payoff.reshape(-1, rows, columns)
    if is_exact_array(payoff) or comb(rows + columns, rows) > MAX_CANDIDATES:
        x = _zero_like(flat, rows)
        for g, table in enumerate(flat):
            x[g] = _simplex(table)
        worst = (x[:, :, None] * flat).sum(axis=1).min(axis=1)
    else:
        step = max(1, CHUNK // (comb(rows + columns, rows) * columns))
        pieces = [_best_candidates(flat[g : g + step]) for g in range(0, len(flat) or 1, step)]
        x, worst = (np.concatenate(part) for part in zip(*pieces, strict=True))
    return x.reshape(*payoff.shape[:-2], rows), worst.reshape(payoff.shape[:-2])


def _zero_like(flat: Array, rows: int) -> Array:
    exact = is_exact_array(flat)
    return np.full((len(flat), rows), Fraction(0) if exact else 0.0)


def _best_candidates(flat: Array) -> tuple[Array, Array]:
    """x and its guarantee for the float matrices ``flat[game, i, j]``, by trying all candidates."""
    games, rows, columns = flat.shape
    last = np.ascontiguousarray(np.moveaxis(flat, 0, -1))
    values = minors(last).values
    x, worst = np.zeros((games, rows)), np.full(games, -np.inf)
    for k in range(1, min(rows, columns) + 1):
        index, turns = cofactors(rows, k)
        supports = np.array(list(combinations(range(rows), k)))
        weights = np.stack(
            [values[k - 1][i] * turn for i, turn in zip(index, turns, strict=True)]
        )  # [place, I, J, game]
        total = weights.sum(axis=0)
        possible = ((weights > 0).all(axis=0) | (weights < 0).all(axis=0)) & np.isfinite(total)
        shares = np.where(possible, weights, 0.0) / np.where(possible, total, 1.0)
        received: Any = 0  # [I, J, column, game]
        for share, rows_here in zip(shares, supports.T, strict=True):
            received = received + share[:, :, None] * last[rows_here][:, None]
        low = np.where(possible, received.min(axis=2), -np.inf)
        low = low.reshape(possible.shape[0] * possible.shape[1], games)
        best = low.argmax(axis=0)
        better = np.flatnonzero(low[best, np.arange(games)] > worst)
        a, b = np.unravel_index(best[better], possible.shape[:2])
        worst[better] = low[best[better], better]
        x[better] = 0.0
        x[better[:, None], supports[a]] = shares[:, a, b, better].T
    return x, worst


def _simplex(table: Array) -> Array:
    """A maximin strategy of the row player of one matrix, exactly (for floats: then rounded).

    With M = table + shift > 0 in integers, max Σ_j z_j subject to M z ≤ 1, z ≥ 0 has the value
    1 / value(M), and its dual is a maximin strategy divided by value(M).
    """
    rows, columns = table.shape
    whole = integers(table)
    whole = whole - whole.min() + 1
    size = columns + rows
    tableau = np.full((rows + 1, size + 1), 0, dtype=object)
    tableau[:rows, :columns] = whole
    tableau[np.arange(rows), columns + np.arange(rows)] = 1
    tableau[:rows, -1] = 1
    tableau[-1, :columns] = -1
    basis = list(range(columns, size))
    pivot = 1
    while True:
        entering = next((j for j in range(size) if tableau[-1, j] < 0), None)
        if entering is None:
            break
        leaving = min(
            (i for i in range(rows) if tableau[i, entering] > 0),
            key=lambda i: (Fraction(tableau[i, -1], tableau[i, entering]), basis[i]),
        )
        row, column = tableau[leaving].copy(), tableau[:, entering].copy()
        tableau = (tableau * row[entering] - column[:, None] * row[None, :]) // pivot
        tableau[leaving] = row
        basis[leaving], pivot = entering, row[entering]
    dual = tableau[-1, columns:size]
    total = dual.sum()
    exact = is_exact_array(table)
    shares = [Fraction(weight, total) for weight in dual]
    return np.array(shares if exact else [float(x) for x in shares], dtype=table.dtype)
