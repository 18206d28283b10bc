"""Exact evaluation: induced chains, returns, values, occupancies and marginals.

All returns are un-normalised and start at t = 0: η = E Σ_{t≥0} γᵗ R(s_t, a_t). Multiply by γ for
the paper's sum from t = 1, by 1 − γ for the normalised return.

Everything works on float arrays (with batch axes), exact arrays, and sparse transitions alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bounds.shared.numbers import Array, Operand
from tabular.cases.case import Case
from tabular.games.arrays import (
    discounted_occupancy,
    discounted_value,
    push,
    pushes,
)
from tabular.games.chains import dot, induced_reward, induced_transition


def state_values(case: Case, *, model: bool = False) -> Array:
    """V[s], the ego agent's return from each state, in reality or in the learned world."""
    joint = case.joint_model if model else case.joint
    transition = case.model_transition if model else case.transition
    matrix = induced_transition(transition, joint)
    return discounted_value(matrix, induced_reward(case.reward, joint), case.gamma)


def real_return(case: Case) -> Operand:
    """η[πⁱ, π⁻ⁱ]: the real policies in the real dynamics T."""
    return dot(case.initial, state_values(case))


def model_return(case: Case) -> Operand:
    """η̂[πⁱ, π̂⁻ⁱ]: the ego agent among its opponent models, in T̂."""
    return dot(case.initial, state_values(case, model=True))


def occupancy(case: Case) -> Array:
    """Σ_{t≥0} γᵗ Pr(s_t = s), shape [s], of the real policies in T; it sums to 1/(1 − γ).

    >>> from tabular.cases.case import case_of
    >>> from tabular.games.catalogue import find
    >>> from tabular.games.policy import uniform
    >>> mdp = find("two-state-mdp").build()
    >>> print(*occupancy(case_of(mdp, ego=0, policies=uniform(mdp))))
    80/61 1140/61
    """
    matrix = induced_transition(case.transition, case.joint)
    return discounted_occupancy(case.initial, matrix, case.gamma)


def state_marginals(initial: Array, transition: Any, joint: Array) -> Iterator[Array]:
    """Pr(s_t = s), shape [s], for t = 0, 1, 2, … without end."""
    yield from pushes(initial, induced_transition(transition, joint))


def state_action_marginals(initial: Array, transition: Any, joint: Array) -> Iterator[Array]:
    """Pr(s_t = s, a_t = a), shape [s, a], for t = 0, 1, 2, … without end.

    >>> from itertools import islice
    >>> from tabular.games.catalogue import find
    >>> from tabular.games.policy import joint_policy, uniform
    >>> mdp = find("two-state-mdp").build()
    >>> law = state_action_marginals(mdp.initial, mdp.transition, joint_policy(uniform(mdp)))
    >>> for table in islice(law, 2):
    ...     print(*table.ravel())
    1/2 1/2 0 0
    1/8 1/8 3/8 3/8
    """
    for states in state_marginals(initial, transition, joint):
        yield states[..., None] * joint


def branched_return(case: Case) -> Operand:
    """η_branch: k-step branched rollouts, opponent-wise lengths as Algorithm 1 plays them.

    Before the branch point everyone follows π_D in T. Action number l after it comes from πⁱ, from
    π̂ʲ where l ≤ nⱼ or nⱼ = k, else from the real πʲ; the first k of them move the state by T̂, and
    action k + 1 is taken in the last state. At time t the branch point is (t − k)⁺, so with P̂_l and
    r̂_l of action number l,

        Σ_{t=0..k} γᵗ d₀ P̂_1…P̂_t r̂_{t+1} + γ^{k+1} d₀ P_D (I − γP_D)⁻¹ P̂_1…P̂_k r̂_{k+1}.
    """
    k = case.branch_length
    if k is None:
        raise ValueError("the case has no branch_length, so it has no branched return")
    matrix_data = induced_transition(case.transition, case.joint_data)
    late = push(discounted_occupancy(case.initial, matrix_data, case.gamma), matrix_data)
    early = case.initial
    total, weight = 0 * case.gamma, case.gamma**0
    changes = sorted({length for length in case.lengths() if length < k})
    for start, stop in zip([0, *changes], [*changes, k], strict=True):
        joint = case.joint_after_branch(stop)  # the same for all actions start+1..stop
        matrix = induced_transition(case.model_transition, joint)
        reward = induced_reward(case.reward, joint)
        for _ in range(stop - start):
            total = total + weight * dot(early, reward)
            weight = weight * case.gamma
            early, late = push(early, matrix), push(late, matrix)
    reward = induced_reward(case.reward, case.joint_after_branch(k + 1))
    return total + weight * dot(early, reward) + weight * case.gamma * dot(late, reward)
