"""Arrays of floats, of exact rationals, and sparse matrices, behind the same few operations.

Exact arrays have dtype object and ``fractions.Fraction`` entries; their products and linear systems
go through python-flint. Float arrays may carry leading batch axes. Sparse matrices are float CSR.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat

from bounds.shared.numbers import Array, InputError, Operand, shown

#: How far the sum of a float distribution may be from 1.
SUM_TOLERANCE = 1e-9
#: Largest reward of a float game, so that discounted sums and their products stay finite.
MAX_FLOAT = 1e100
#: Residual, relative to the right-hand side, at which iterative solves of sparse systems stop.
SOLVE_TOLERANCE = 1e-12


def is_sparse(array: Any) -> bool:
    """Whether ``array`` is a scipy.sparse matrix (asked without importing scipy)."""
    return hasattr(array, "tocsr")


def is_exact_array(array: Any) -> bool:
    """Whether ``array`` holds Fractions."""
    return isinstance(array, np.ndarray) and array.dtype == object


def exact_array(nested: Any) -> Array:
    """An exact array from nested sequences, or an array, of ints, Fractions or floats.

    Floats are taken at their binary value.
    """
    given = np.asarray(nested, dtype=object)
    flat = np.empty(given.size, dtype=object)
    flat[:] = [x if isinstance(x, Fraction) else Fraction(x) for x in given.ravel()]
    return flat.reshape(given.shape)


def zeros(shape: tuple[int, ...], *, exact: bool) -> Array:
    """Zeros of ``shape``: Fractions or floats."""
    return np.full(shape, Fraction(0), dtype=object) if exact else np.zeros(shape)


def check_finite(key: str, array: Array) -> None:
    """``InputError`` naming the first entry that is infinite or NaN."""
    if is_exact_array(array):
        return
    bad = ~np.isfinite(array)
    if bad.any():
        index = np.argwhere(bad)[0]
        raise InputError(
            f"{_at(key, index)}: {array[tuple(index)]} is not a finite number; correct it"
        )


def check_size(key: str, array: Array) -> None:
    """``InputError`` naming the first float entry beyond ``MAX_FLOAT``: sums would overflow."""
    if is_exact_array(array):
        return
    bad = np.abs(array) > MAX_FLOAT
    if bad.any():
        index = np.argwhere(bad)[0]
        value = array[tuple(index)]
        raise InputError(f"{_at(key, index)}: {value} is beyond {MAX_FLOAT:g}; rescale the rewards")


def check_distribution(key: str, array: Any) -> None:
    """``InputError`` unless every row (last axis) of ``array`` is a probability distribution.

    Sums must be 1 exactly for Fractions, to ``SUM_TOLERANCE`` for floats.
    """
    if is_sparse(array):
        check_finite(key, array.data)
        if (array.data < 0).any():
            raise InputError(f"{key}: holds the negative probability {array.data.min()}")
        sums = np.asarray(array.sum(axis=1)).ravel()
    else:
        check_finite(key, array)
        negative = array < 0
        if negative.any():
            index = np.argwhere(negative)[0]
            value = shown(array[tuple(index)])
            raise InputError(f"{_at(key, index)}: probability {value} is negative; use 0 or more")
        sums = array.sum(axis=-1)
    wrong = sums != 1 if is_exact_array(array) else np.abs(sums - 1) > SUM_TOLERANCE
    if np.any(wrong):
        index = np.argwhere(np.atleast_1d(wrong))[0] if np.ndim(sums) else np.array([], int)
        value = np.asarray(sums)[tuple(index)]
        text = f"{value:.12g}" if isinstance(value, float) else shown(value)
        raise InputError(f"{_at(key, index)}: probabilities sum to {text}, not 1")


def _at(key: str, index: Any) -> str:
    return key + "".join(f"[{i}]" for i in index)


def to_flint(matrix: Array) -> fmpq_mat:
    """A two-dimensional exact array as a flint matrix."""
    rows, columns = matrix.shape
    return fmpq_mat(rows, columns, [fmpq(x.numerator, x.denominator) for x in matrix.ravel()])


def from_flint(matrix: fmpq_mat) -> Array:
    """A flint matrix as an exact array."""
    out = np.empty(matrix.nrows() * matrix.ncols(), dtype=object)
    out[:] = [Fraction(int(x.p), int(x.q)) for x in matrix.entries()]
    return out.reshape(matrix.nrows(), matrix.ncols())


def apply(matrix: Any, vector: Array) -> Array:
    """Σ_{s_next} matrix[s, s_next] vector[s_next]: one step backwards in time."""
    if is_exact_array(vector):
        return from_flint(to_flint(matrix) * to_flint(vector[:, None])).ravel()
    if is_sparse(matrix):
        return np.asarray(matrix @ vector)
    return np.asarray((matrix @ vector[..., None])[..., 0])


def push(distribution: Array, matrix: Any) -> Array:
    """Σ_s distribution[s] matrix[s, s_next]: one step forwards in time."""
    if is_exact_array(distribution):
        return from_flint(to_flint(distribution[None, :]) * to_flint(matrix)).ravel()
    if is_sparse(matrix):
        return np.asarray(matrix.T @ distribution)
    return np.asarray((distribution[..., None, :] @ matrix)[..., 0, :])


def pushes(distribution: Array, matrix: Any) -> Iterator[Array]:
    """distribution matrixᵗ for t = 0, 1, 2, … without end."""
    if is_exact_array(distribution):
        row, step = to_flint(distribution[None, :]), to_flint(matrix)
        while True:
            yield from_flint(row)[0]
            row = row * step
    while True:
        yield distribution
        distribution = push(distribution, matrix)


def discounted_value(matrix: Any, reward: Array, gamma: Operand) -> Array:
    """v = (I − γ matrix)⁻¹ reward, shape [..., s]: the solution of v = reward + γ matrix v."""
    return _solve_discounted(matrix, reward, gamma, transpose=False)


def discounted_occupancy(distribution: Array, matrix: Any, gamma: Operand) -> Array:
    """x = distribution (I − γ matrix)⁻¹ = Σ_{t≥0} γᵗ distribution matrixᵗ, shape [..., s]."""
    return _solve_discounted(matrix, distribution, gamma, transpose=True)


def _solve_discounted(matrix: Any, right: Array, gamma: Operand, transpose: bool) -> Array:
    if is_sparse(matrix):
        return _solve_sparse(matrix.T if transpose else matrix, right, float(gamma), transpose)
    if transpose:
        matrix = np.swapaxes(matrix, -1, -2)
    if is_exact_array(right):
        identity = exact_array(np.eye(matrix.shape[-1], dtype=int))
        return from_flint(to_flint(identity - gamma * matrix).solve(to_flint(right[:, None])))[:, 0]
    left = np.eye(matrix.shape[-1]) - gamma * matrix
    return np.asarray(np.linalg.solve(left, right[..., None])[..., 0])


def _solve_sparse(matrix: Any, right: Array, gamma: float, transpose: bool) -> Array:
    """Krylov steps, then fixed-point steps until the residual proves the tolerance.

    The residual r of v bounds its error: ‖v − v*‖ ≤ ‖r‖ / (1 − γ) in the sup norm, or in the
    1-norm for the transposed system, because ‖γ matrix‖ ≤ γ in that norm.
    """
    from scipy.sparse import linalg as sparse_linalg

    norm = (lambda x: np.abs(x).sum()) if transpose else (lambda x: np.abs(x).max(initial=0.0))
    size = norm(right)
    if size == 0:
        return np.zeros_like(right)
    n = right.shape[0]
    operator = sparse_linalg.LinearOperator((n, n), matvec=lambda v: v - gamma * (matrix @ v))
    value, _ = sparse_linalg.gmres(
        operator, right, rtol=SOLVE_TOLERANCE / 10, atol=0.0, restart=40, maxiter=10
    )
    # each fixed-point step shrinks the residual by γ
    steps = int(np.ceil(np.log(SOLVE_TOLERANCE) / np.log(gamma))) + 1 if gamma > 0 else 1
    for _ in range(steps):
        residual = right + gamma * (matrix @ value) - value
        if norm(residual) <= SOLVE_TOLERANCE * size:
            break
        value = value + residual
    return np.asarray(value)
