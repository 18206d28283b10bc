r"""Maxima over time of an expected error, with a proof that no later time exceeds them.

ε = sup_t f_t with f_t = d₀ Pᵗ e, where e[s] is the expected error in state s. Looking at t = 0..H
gives a lower value; two certificates turn it into the supremum:

- the state distribution repeats exactly, d_H = d_{H′} with H′ < H: then f is periodic;
- a majorant: h ≥ Pᴴ e with P h ≤ h (superharmonic). Then for every m ≥ 0

      f_{H+m} = d₀ Pᵐ (Pᴴ e) ≤ d₀ Pᵐ h ≤ d₀ h,

  so sup_t f_t ≤ max(max_{t<H} f_t, d₀ h). h is built from the recurrent classes C of P: on C the
  constant max_C Pᴴe, on transient states the expectation of that constant where the chain is
  absorbed, plus a constant that lifts it above Pᴴe. As H grows d₀h tends to the limit of f (unless
  P is periodic), so the gap closes. (Sparse chains and batches take max_s Pᴴe on transient states,
  or on all: superharmonic too, cheaper, and as good where there is one recurrent class.)

Where neither certificate closes the gap (a supremum that is approached and never reached), the
largest t that was looked at is reported as the horizon, with the proved upper value beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bounds.shared.numbers import Array, Operand
from tabular.games.arrays import (
    apply,
    exact_array,
    from_flint,
    is_exact_array,
    is_sparse,
    push,
    to_flint,
)

#: The largest t that is looked at in float64.
MAX_HORIZON = 1000
#: In exact arithmetic the search for a certificate stops when numbers reach this many bits.
MAX_BITS = 4000
#: Gap between value and proved upper value at which a float maximum counts as settled.
FLOAT_GAP = 1e-12


@dataclass(frozen=True, eq=False)
class ExpectedError:
    """max_{t=0..H} d₀Pᵗe, and what is proved about all t.

    value: the maximum over the times looked at. upper: a proved upper value of the supremum over
    all t. horizon: None where the two agree (the maximum is proved), else H. steps: H.
    majorant: the h of the module's certificate at time H ([s], exact or float), where one was used.
    In a batch every field is an array, and horizon is an array with −1 for proved.
    """

    value: Operand
    upper: Operand
    horizon: Any
    steps: int
    majorant: Array | None = None


def expected_error(
    initial: Array, matrix: Any, error: Array, *, max_horizon: int = MAX_HORIZON
) -> ExpectedError:
    """sup_t d₀Pᵗe for d₀ = ``initial`` [..., s], P = ``matrix`` [..., s, s_next], e = ``error``.

    Looks at t up to ``max_horizon`` where no proof is found earlier.
    """
    if initial.ndim > 1:
        return _batched(initial, matrix, error, max_horizon)
    exact = is_exact_array(error)
    zero = error.dtype.type(0) if not exact else 0 * error[0]
    if not np.any(error):
        return ExpectedError(value=zero, upper=zero, horizon=None, steps=0, majorant=0 * error)
    value, distribution, ahead = zero, initial, error  # ahead = Pᵗ e
    seen: set[tuple[Any, ...]] = set()
    majorant_of = _majorants(matrix, exact)
    upper, majorant = None, None
    for t in range(max_horizon + 1):
        key = tuple(distribution) if exact else (hash(distribution.tobytes()),)
        if key in seen:
            return ExpectedError(value, value, None, t)
        seen.add(key)
        majorant = majorant_of(ahead)
        upper = max(value, _total(initial, majorant))
        value = max(value, _total(distribution, error))
        if upper - value <= (0 if exact else FLOAT_GAP):
            return ExpectedError(
                value=value, upper=max(upper, value), horizon=None, steps=t, majorant=majorant
            )
        if t == max_horizon or (exact and _bits(ahead) > MAX_BITS):
            break
        distribution, ahead = push(distribution, matrix), apply(matrix, ahead)
    return ExpectedError(value=value, upper=upper, horizon=t, steps=t, majorant=majorant)


def _total(distribution: Array, vector: Array) -> Operand:
    return (distribution * vector).sum()


def _bits(vector: Array) -> int:
    return max(int(x.denominator.bit_length()) for x in vector)


def recurrent_classes(matrix: Any) -> list[Array]:
    """The closed communicating classes of the chain ``matrix`` [s, s_next], as index arrays."""
    if is_sparse(matrix):
        return _sparse_classes(matrix)
    reach = np.asarray(matrix != 0, dtype=np.float32) + np.eye(matrix.shape[0], dtype=np.float32)
    steps = 1
    while steps < matrix.shape[0]:  # reach holds who is reached within `steps` steps
        reach = (reach @ reach > 0).astype(np.float32)
        steps *= 2
    mutual = (reach > 0) & (reach.T > 0)
    recurrent = ((reach > 0) <= mutual).all(axis=1)
    first = mutual.argmax(axis=1)  # the smallest member of a state's class names the class
    return [np.flatnonzero(recurrent & (first == c)) for c in np.unique(first[recurrent])]


def _sparse_classes(matrix: Any) -> list[Array]:
    from scipy.sparse.csgraph import connected_components

    links = matrix.copy()
    links.eliminate_zeros()
    count, label = connected_components(links, directed=True, connection="strong")
    entries = links.tocoo()
    crossing = label[entries.row] != label[entries.col]
    leaves = np.zeros(count, dtype=bool)
    leaves[label[entries.row[crossing]]] = True
    return [np.flatnonzero(label == c) for c in np.flatnonzero(~leaves)]


def _majorants(matrix: Any, exact: bool) -> Callable[[Array], Array]:
    """g ↦ a superharmonic h ≥ g, for the chain ``matrix``."""
    classes = recurrent_classes(matrix)
    transient = np.setdiff1d(np.arange(matrix.shape[0]), np.concatenate(classes))
    absorbed = None
    if transient.size and not is_sparse(matrix):
        inner = matrix[np.ix_(transient, transient)]
        into = np.stack([matrix[np.ix_(transient, c)].sum(axis=1) for c in classes], axis=1)
        absorbed = _absorption(inner, into, exact)

    def majorant(g: Array) -> Array:
        tops = np.array([g[c].max() for c in classes], dtype=g.dtype)
        h = np.full_like(g, g.max())
        for c, top in zip(classes, tops, strict=True):
            h[c] = top
        if absorbed is not None:
            h[transient] = absorbed @ tops
            lift = (g[transient] - h[transient]).max()
            if lift > 0:
                h = h + lift
        return h

    return majorant


def _absorption(inner: Array, into: Array, exact: bool) -> Array:
    """Probability [transient state, class] of ending in each recurrent class."""
    if exact:
        identity = exact_array(np.eye(inner.shape[0], dtype=int))
        return from_flint(to_flint(identity - inner).solve(to_flint(into)))
    absorbed = np.linalg.solve(np.eye(inner.shape[0]) - inner, into)
    # a slow leak makes the system nearly singular; the chain is absorbed with probability 1 anyway
    return np.asarray(absorbed / absorbed.sum(axis=1, keepdims=True))


def _batched(initial: Array, matrix: Array, error: Array, max_horizon: int) -> ExpectedError:
    """All chains of a batch side by side, with the constant majorant max_s Pᵗe.

    A chain also counts as settled once its distribution stays exactly the same.
    """
    batch = initial.shape[:-1]
    initial, error = initial.reshape(-1, initial.shape[-1]), error.reshape(-1, error.shape[-1])
    matrix = matrix.reshape(-1, *matrix.shape[-2:])
    value, upper = np.zeros(len(initial)), np.zeros(len(initial))
    horizon = np.full(len(initial), -1)
    open_ = np.arange(len(initial))  # the chains whose maximum is not settled yet
    distribution, ahead = initial, error
    for t in range(max_horizon + 1):
        upper[open_] = np.maximum(value[open_], ahead.max(axis=-1))
        value[open_] = np.maximum(value[open_], (distribution * error[open_]).sum(axis=-1))
        following = push(distribution, matrix[open_])
        still = (following == distribution).all(axis=-1)
        upper[open_[still]] = value[open_[still]]
        upper = np.maximum(upper, value)
        keep = upper[open_] - value[open_] > FLOAT_GAP
        horizon[open_] = t
        horizon[open_[~keep]] = -1
        if t == max_horizon or not keep.any():
            break
        ahead = apply(matrix[open_[keep]], ahead[keep])
        distribution, open_ = following[keep], open_[keep]
    return ExpectedError(value.reshape(batch), upper.reshape(batch), horizon.reshape(batch), t)
