"""Cases from games: policies drawn by seed, and models, opponents and data policies with errors.

Every perturbation mixes the truth with something else, p̂ = (1 − ε) p + ε q, so that
D_TV(p‖p̂) = ε D_TV(p‖q) ≤ ε, with equality where q puts its mass outside the support of p.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from bounds.shared.numbers import Array, Operand, in_range
from tabular.cases.case import Case, case_of
from tabular.games.arrays import is_sparse
from tabular.games.game import StochasticGame
from tabular.games.policy import mixed


def random_distributions(
    shape: tuple[int, ...], rng: np.random.Generator, *, exact: bool, denominator: int = 12
) -> Array:
    """Random distributions along the last axis of ``shape``.

    Exact: multiples of 1/denominator, all compositions equally likely. Float: uniform on the
    simplex.
    """
    if not exact:
        return rng.dirichlet(np.ones(shape[-1]), size=shape[:-1])
    rows = int(np.prod(shape[:-1]))
    out = np.empty((rows, shape[-1]), dtype=object)
    for row in out:
        cuts = np.sort(rng.choice(denominator + shape[-1] - 1, shape[-1] - 1, replace=False))
        parts = np.diff([-1, *cuts, denominator + shape[-1] - 1]) - 1
        row[:] = [Fraction(int(x), denominator) for x in parts]
    return out.reshape(shape)


def elsewhere(distribution: Array, rng: np.random.Generator) -> Array:
    """For every row a point mass where the row has least, outside its support if there is room."""
    # the noise only breaks ties at random
    keys = distribution.astype(float) + 1e-9 * rng.random(distribution.shape)
    exact = distribution.dtype == object
    points = np.zeros(distribution.shape, dtype=bool)
    np.put_along_axis(points, keys.argmin(axis=-1)[..., None], True, axis=-1)
    out = np.full(distribution.shape, Fraction(0)) if exact else np.zeros(distribution.shape)
    out[points] = Fraction(1) if exact else 1.0
    return out


def near_dense(truth: Array, error: Operand, rng: np.random.Generator) -> Array:
    """(1 − error) truth + error · ``elsewhere``."""
    return mixed(truth, elsewhere(truth, rng), error)


def near_sparse(truth: Any, error: float, rng: np.random.Generator) -> Any:
    """The same for CSR rows, with the point masses on states drawn uniformly."""
    from scipy import sparse

    rows, columns = truth.shape
    targets = rng.integers(0, columns, size=rows)
    points = sparse.csr_array((np.ones(rows), targets, np.arange(rows + 1)), shape=truth.shape)
    return ((1 - error) * truth + error * points).tocsr()


def perturbed_case(
    game: StochasticGame,
    rng: np.random.Generator,
    *,
    ego: int = 0,
    model_error: Operand = Fraction(1, 100),
    policy_shift: Operand = Fraction(1, 20),
    opponent_error: Operand = Fraction(1, 20),
    branch_length: int | None = 5,
    opponent_lengths: Sequence[int | None] | None = None,
) -> Case:
    """A case of ``game`` with random policies and errors of at most the given sizes.

    π is drawn at random; π_D, π̂ʲ and T̂ are mixed with point masses outside the support of the
    truth where there is room, so that the errors are as large as asked where they can be.
    """
    for name, value in (
        ("model_error", model_error),
        ("policy_shift", policy_shift),
        ("opponent_error", opponent_error),
    ):
        in_range(name, value, 0, 1)
    exact = game.is_exact
    dynamics = near_sparse if is_sparse(game.transition) else near_dense

    def size(error: Operand) -> Operand:
        return Fraction(error) if exact else float(error)

    policies = tuple(
        random_distributions((game.n_states, size), rng, exact=exact) for size in game.actions
    )
    return case_of(
        game,
        ego,
        policies,
        data_policies=tuple(near_dense(p, size(policy_shift), rng) for p in policies),
        model_transition=dynamics(game.transition, size(model_error), rng),
        opponent_models=tuple(
            None if j == ego else near_dense(p, size(opponent_error), rng)
            for j, p in enumerate(policies)
        ),
        branch_length=branch_length,
        opponent_lengths=opponent_lengths,
        note=f"{game.name}, perturbed",
    )
