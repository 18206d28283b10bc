"""The paper's errors, measured on a case: total variation distances of policies and dynamics.

D_TV(p‖q) = ½ Σ|p − q|. Policy and opponent-model errors are maxima over all states, reachable or
not, as the paper defines them; expected model errors are maxima over time
(``tabular.cases.time_suprema``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bounds.formula.error_profile import ErrorProfile
from bounds.shared.numbers import Array, Operand
from tabular.cases.case import Case
from tabular.cases.time_suprema import MAX_HORIZON, ExpectedError, expected_error
from tabular.games.arrays import is_exact_array, is_sparse, zeros
from tabular.games.chains import induced_reward, induced_transition


@dataclass(frozen=True, eq=False)
class Errors:
    """Every ε of the paper for one case (or arrays of them for a batch).

    policy_shift: ε_πʲ [agent]; opponent_model: ε_π̂ʲ [agent], None for the ego agent.
    joint_policy_shift: max_s D_TV of the joint policies π and π_D.
    model_sup: max_{s,a} D_TV(T‖T̂).
    data: ε_m, expected under π_D; current: ε′_m, expected under π. Both in T.
    r_max: max |R|; span: max R − min R, of the ego agent.
    """

    policy_shift: tuple[Operand, ...]
    opponent_model: tuple[Operand, ...]
    joint_policy_shift: Operand
    model_sup: Operand
    data: ExpectedError
    current: ExpectedError
    r_max: Operand
    span: Operand


def total_variation(p: Array, q: Array) -> Array:
    """D_TV(p‖q) = ½ Σ|p − q| over the last axis."""
    if is_exact_array(p):
        gap = zeros(p.shape, exact=True)
        differ = p != q  # comparing rationals is cheaper than subtracting them
        gap[differ] = np.abs(p[differ] - q[differ])
        return np.asarray(gap.sum(axis=-1) / 2)
    # float rounding may leave a distance just above 1
    return np.asarray(np.minimum(np.abs(p - q).sum(axis=-1) / 2, 1.0))


def model_divergence(case: Case) -> Array:
    """D_TV(T(·|s,a)‖T̂(·|s,a)), shape [s, a]."""
    if is_sparse(case.transition):
        distance = np.asarray(abs(case.transition - case.model_transition).sum(axis=1)).ravel() / 2
        return np.minimum(distance, 1.0).reshape(case.n_states, case.joint_actions)
    return total_variation(case.transition, case.model_transition)


def measure(case: Case, *, max_horizon: int = MAX_HORIZON) -> Errors:
    """Every error of ``case``; expected errors look at t up to ``max_horizon``."""
    divergence = model_divergence(case)

    def expected(joint: Array) -> ExpectedError:
        matrix = induced_transition(case.transition, joint)
        error = induced_reward(divergence, joint)
        return expected_error(case.initial, matrix, error, max_horizon=max_horizon)

    def largest(array: Array, axes: int) -> Operand:
        value = array.reshape(*array.shape[: array.ndim - axes], -1).max(axis=-1)
        return value if np.ndim(value) else _item(value)

    current = expected(case.joint)
    same = all(p is d for p, d in zip(case.policies, case.data_policies, strict=True))
    top = largest(case.reward, 2)
    bottom = -largest(-case.reward, 2)
    return Errors(
        policy_shift=tuple(
            largest(total_variation(p, d), 1)
            for p, d in zip(case.policies, case.data_policies, strict=True)
        ),
        opponent_model=tuple(
            None
            if j == case.ego
            else 0 * case.gamma + largest(total_variation(p, p if m is None else m), 1)
            for j, (p, m) in enumerate(zip(case.policies, case.opponent_models, strict=True))
        ),
        joint_policy_shift=largest(total_variation(case.joint, case.joint_data), 1),
        model_sup=largest(divergence, 2),
        data=current if same else expected(case.joint_data),
        current=current,
        r_max=largest(np.abs(case.reward), 2),
        span=top - bottom,
    )


def profile(case: Case, errors: Errors, *, proved: bool = False) -> ErrorProfile:
    """The errors as the bounds want them: ego agent first, opponents in order.

    proved: take the proved upper values of ε_m and ε′_m instead of the maxima over 0..H.
    """
    order = (case.ego, *case.opponents)
    lengths = case.opponent_lengths
    return ErrorProfile(
        gamma=case.gamma,
        policy_shift=tuple(errors.policy_shift[j] for j in order),
        opponent_model=tuple(errors.opponent_model[j] for j in case.opponents),
        model_data=errors.data.upper if proved else errors.data.value,
        model_current=errors.current.upper if proved else errors.current.value,
        model_sup=errors.model_sup,
        k=case.branch_length,
        opponent_lengths=None if lengths is None else tuple(lengths[j] for j in case.opponents),
        r_max=errors.r_max,
        span=errors.span,
        joint_policy_shift=errors.joint_policy_shift,
    )


def _item(value: Operand) -> Operand:
    return float(value) if isinstance(value, np.floating | float) else value
