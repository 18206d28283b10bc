"""Policies of independent agents: one array πʲ[s, aʲ] an agent.

The joint policy is their product, π(a|s) = Π_j πʲ(aʲ|s), with joint actions in row-major order.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from bounds.shared.numbers import Array
from tabular.games.arrays import is_exact_array, zeros
from tabular.games.game import StochasticGame

#: One array [..., s, aʲ] an agent.
Policies = tuple[Array, ...]


def joint_policy(policies: Sequence[Array]) -> Array:
    """π(a|s) = Π_j πʲ(aʲ|s), shape [..., s, a], from the agents' policies [..., s, aʲ]."""
    joint = policies[0]
    for policy in policies[1:]:
        product = joint[..., :, None] * policy[..., None, :]
        joint = product.reshape(*product.shape[:-2], -1)
    return joint


def replaced(policies: Sequence[Array], others: Sequence[Array | None]) -> Policies:
    """``policies`` with ``others[j]`` in place of agent j's wherever it is not None."""
    return tuple(p if o is None else o for p, o in zip(policies, others, strict=True))


def uniform(game: StochasticGame) -> Policies:
    """Every agent plays uniformly at random in every state."""
    one = Fraction(1) if game.is_exact else 1.0
    return tuple(
        np.full((game.n_states, size), one / size, dtype=object if game.is_exact else float)
        for size in game.actions
    )


def mixed(policy: Array, other: Array, weight: float | Fraction) -> Array:
    """(1 − weight) policy + weight other, at D_TV = weight · D_TV(policy‖other) from ``policy``."""
    if not is_exact_array(policy):
        return np.asarray((1 - weight) * policy + weight * other)
    out = zeros(policy.shape, exact=True)
    for part, array in ((1 - weight, policy), (weight, other)):
        there = array != 0  # multiplying rationals is slow, and most entries are zero
        out[there] = out[there] + part * array[there]
    return out


def random_policies(
    actions: Sequence[int],
    n_states: int,
    rng: np.random.Generator,
    batch: tuple[int, ...] = (),
) -> Policies:
    """Policies drawn uniformly from the simplices, float64 of shape [*batch, s, aʲ] each."""
    return tuple(rng.dirichlet(np.ones(size), size=(*batch, n_states)) for size in actions)
