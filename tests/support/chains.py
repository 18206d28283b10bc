"""Markov chains with an error in each state, and that error over time by plain loops."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from hypothesis import strategies as st

from bounds.shared.numbers import Array
from tabular.cases.strategies import distributions, errors, tables
from tabular.games.arrays import exact_array

#: (initial [s], matrix [s, s_next], error [s]).
Chain = tuple[Array, Array, Array]


@st.composite
def chains(draw: st.DrawFn, *, exact: bool = True, kind: str | None = None) -> Chain:
    """(initial, matrix, error): any chain, a permutation, or one that only moves upwards."""
    n = draw(st.integers(1, 4))
    kind = draw(st.sampled_from(("any", "permutation", "upwards"))) if kind is None else kind
    if kind == "any":
        matrix = draw(tables((n, n)))
    elif kind == "permutation":
        matrix = exact_array(np.eye(n, dtype=int)[list(draw(st.permutations(range(n))))])
    else:
        rows = [[0] * s + list(draw(distributions(n - s))) for s in range(n)]
        matrix = exact_array(rows)
    error = exact_array(draw(st.tuples(*[errors()] * n)))
    found = (draw(distributions(n)), matrix, error)
    return found if exact else tuple(x.astype(float) for x in found)


def over_time(initial: Array, matrix: Array, error: Array) -> Iterator[Any]:
    """f_t = d₀Pᵗe for t = 0, 1, 2, …"""
    d = list(initial)
    while True:
        yield sum(x * e for x, e in zip(d, error, strict=True))
        d = [sum(d[s] * matrix[s][u] for s in range(len(d))) for u in range(len(d))]
