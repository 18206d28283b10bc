"""Rational policies with small denominators near float ones."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from tabular.games.policy import Policies

#: How far a float probability may be from the rational that it is taken for.
NEAR = 1e-7
#: Largest denominator of such a rational.
MAX_DENOMINATOR = 10_000


def near_rationals(policies: Policies) -> Policies | None:
    """Fractions with small denominators in place of floats, where they are near and sum to 1."""
    found = []
    for policy in policies:
        exact = np.empty(policy.shape, dtype=object)
        for index, x in np.ndenumerate(policy):
            exact[index] = Fraction(float(x)).limit_denominator(MAX_DENOMINATOR)
        near = np.abs(exact.astype(float) - policy) <= NEAR
        if not near.all() or (exact.sum(axis=-1) != 1).any():
            return None
        found.append(exact)
    return tuple(found)
