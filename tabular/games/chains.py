"""The Markov chain and the rewards that a joint policy induces in a game."""

from __future__ import annotations

from typing import Any

import numpy as np

from bounds.shared.numbers import Array, Operand
from tabular.games.arrays import (
    is_exact_array,
    is_sparse,
    zeros,
)


def induced_transition(transition: Any, joint: Array) -> Any:
    """P[s, s_next] = Σ_a joint[s, a] T[s, a, s_next]."""
    if is_sparse(transition):
        from scipy import sparse

        states, actions = joint.shape
        columns = np.arange(states * actions)
        starts = np.arange(0, states * actions + 1, actions)
        weights = sparse.csr_array((joint.ravel(), columns, starts))
        return (weights @ transition).tocsr()
    if is_exact_array(joint):
        # multiplying rationals is slow, and most of a game's transitions are zero
        s, a, s_next = np.nonzero(transition)
        matrix = zeros((joint.shape[0], transition.shape[-1]), exact=True)
        np.add.at(matrix, (s, s_next), joint[s, a] * transition[s, a, s_next])
        return matrix
    return (joint[..., None, :] @ transition)[..., 0, :]


def induced_reward(reward: Array, joint: Array) -> Array:
    """r[s] = Σ_a joint[s, a] R[s, a]."""
    return np.asarray((joint * reward).sum(axis=-1))


def dot(distribution: Array, vector: Array) -> Operand:
    """Σ_s distribution[s] vector[s] over the last axis; a scalar where there is no batch axis."""
    product = np.asarray((distribution * vector).sum(axis=-1), dtype=vector.dtype)
    return product if product.ndim else product.item()
