"""Markov chains with an error in each state, and that error over time by plain loops."""

from functools import lru_cache
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


def over_time(chain: Chain, count: int) -> list[Any]:
    """f_t = d₀Pᵗe for t = 0..count−1, kept for a while: mistakes are planted beside few chains."""
    initial, matrix, error = chain
    return list(_over_time(tuple(initial), tuple(map(tuple, matrix)), tuple(error), count))


@lru_cache(maxsize=256)
def _over_time(
    d: tuple[Any, ...], matrix: tuple[tuple[Any, ...], ...], error: tuple[Any, ...], count: int
) -> tuple[Any, ...]:
    found = []
    for _ in range(count):
        found.append(sum(x * e for x, e in zip(d, error, strict=True)))
        d = tuple(sum(d[s] * matrix[s][u] for s in range(len(d))) for u in range(len(d)))
    return tuple(found)
