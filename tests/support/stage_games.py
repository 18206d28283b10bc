"""Small stage games with many ties, and the value of a matrix game by linear programming."""

from math import prod

import numpy as np
from hypothesis import strategies as st
from scipy.optimize import linprog

from bounds.shared.numbers import Array
from tabular.games.arrays import exact_array


@st.composite
def stage_games(
    draw: st.DrawFn, agents: int | None = None, largest: int = 4, size: int = 2
) -> Array:
    """An exact payoff table [agent, a⁰, …] of small whole numbers: ties are common."""
    n = draw(st.integers(1, 3)) if agents is None else agents
    actions = tuple(draw(st.integers(1, largest if n < 3 else 2)) for _ in range(n))
    entries = draw(
        st.lists(st.integers(-size, size), min_size=n * prod(actions), max_size=n * prod(actions))
    )
    return exact_array(np.array(entries).reshape(n, *actions))


def lp_value(payoff: Array) -> float:
    """max v such that x guarantees v, by HiGHS."""
    rows, columns = payoff.shape
    result = linprog(
        np.r_[np.zeros(rows), -1],
        A_ub=np.c_[-payoff.T, np.ones(columns)],
        b_ub=np.zeros(columns),
        A_eq=[np.r_[np.ones(rows), 0]],
        b_eq=[1],
        bounds=[(0, None)] * rows + [(None, None)],
        method="highs",
    )
    assert result.status == 0
    return float(-result.fun)
