"""Repeated elimination of strictly dominated actions in games of two agents.

An action is strictly dominated here if another one of the agent that is left pays more against
every action of the other agent that is left. No equilibrium, mixed or correlated, plays it. Floats
are compared as they are; exact games exactly.
"""

from __future__ import annotations

import numpy as np

from bounds.shared.numbers import Array


def undominated(payoffs: Array, legal: tuple[Array, Array] | None = None) -> tuple[Array, Array]:
    """What elimination leaves of ``payoffs[game, agent, a⁰, a¹]``: masks [game, aʲ].

    legal: legal[j][game, aʲ], the actions to start from; all where it is not given.
    """
    sizes = payoffs.shape[2:]
    left = legal or tuple(np.ones((len(payoffs), size), bool) for size in sizes)
    rows, columns = left[0], left[1]
    while True:
        fewer_rows = rows & ~_dominated(payoffs[:, 0], rows, columns)
        fewer_columns = columns & ~_dominated(payoffs[:, 1].swapaxes(1, 2), columns, fewer_rows)
        if (fewer_rows == rows).all() and (fewer_columns == columns).all():
            return rows, columns
        rows, columns = fewer_rows, fewer_columns


def _dominated(table: Array, own: Array, other: Array) -> Array:
    """Which actions of ``table[game, own, other]`` one of ``own`` beats everywhere in ``other``."""
    above = (table[:, :, None, :] > table[:, None, :, :]).astype(bool)
    beats = (above | ~other[:, None, None, :]).all(axis=3) & own[:, :, None]
    return np.asarray(beats.any(axis=1))
