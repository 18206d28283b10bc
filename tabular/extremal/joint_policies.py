"""Coupling bounds in the total variation of joint policies, and games that attain them.

The coupling needs only the joint policies: with ε_J = max_s D_TV(π‖π_D) and ε̂_J = max_s D_TV(π‖π̂),
q may be 1 − ε_J and c̄ may be 1 − ε̂_J. As max_j ε_j ≤ ε_J ≤ 1 − Π(1 − ε_j) for independent agents,
that is never worse, and better exactly where ε_J is below its upper end: agents that err in
different states. Per-agent coupling-sup is at most n times the joint one: what the joint form keeps
at time t, K, is kept by the per-agent form to at least Kⁿ, and 1 − Kⁿ ≤ n (1 − K).

Nothing more is to be had: for every consistent choice of all these numbers there is a game that
attains the joint form. In the states that count the agents' errors multiply to 1 − ε_J, and each
agent's full ε_j sits in a state of its own that nobody reaches, since maxima are over all states.

Of the data form's κ the joint version 1 − ε_J − ε̂_J is neither better nor worse than the product
over agents: the sum counts twice what happens to fall together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from bounds.formula.error_profile import ErrorProfile
from bounds.formula.symbols import survival
from bounds.shared.numbers import Array, Operand, in_range
from tabular.cases.case import Case
from tabular.cases.errors import Errors, profile, total_variation
from tabular.extremal.latch_and_lanes import latch
from tabular.games.arrays import exact_array, zeros


def joint_latch(
    gamma: Fraction,
    policy_shift: Sequence[Fraction],
    opponent_model: Sequence[Fraction],
    model_error: Fraction,
    joint_shift: Fraction,
    joint_model: Fraction,
    *,
    branch_length: int | None = None,
    r_hi: Fraction = Fraction(1),
    r_lo: Fraction = Fraction(-1),
) -> Case:
    """Attains ``coupling-sup`` in terms of ε_J = ``joint_shift`` and ε̂_J = ``joint_model``.

    A ``latch`` whose errors in good multiply to 1 − ε_J and 1 − ε̂_J, with one unreachable state an
    agent where it errs by its full ε_πʲ and ε_π̂ʲ. Raises ``InputError`` where ε_J or ε̂_J is not
    between the largest of its agents' errors and 1 − Π(1 − error).
    """
    case = latch(
        gamma,
        shares("joint_shift", policy_shift, joint_shift),
        shares("joint_model", opponent_model, joint_model),
        model_error,
        branch_length=branch_length,
        r_hi=r_hi,
        r_lo=r_lo,
    )
    return with_unreachable_errors(case, policy_shift, opponent_model)


def shares(name: str, errors: Sequence[Fraction], joint: Fraction) -> list[Fraction]:
    """Errors e_j ≤ ``errors``[j] with 1 − Π(1 − e_j) = ``joint``: the first ones in full.

    ``name`` is what messages call ``joint``.
    """
    joint = in_range(name, joint, max(errors, default=0), 1 - survival(tuple(errors)))
    out = []
    kept, wanted = Fraction(1), 1 - joint
    for error in errors:
        share = error
        if kept * (1 - error) < wanted:
            share = 1 - wanted / kept
        kept *= 1 - share
        out.append(Fraction(share))
    return out


def with_unreachable_errors(
    case: Case, policy_shift: Sequence[Fraction], opponent_model: Sequence[Fraction]
) -> Case:
    """``case`` with one more state an agent, never reached, where this agent alone errs.

    There π plays action 0, π_Dʲ plays 1 instead with probability ε_πʲ, π̂ʲ with ε_π̂ʲ (an agent
    with a single action is given a second one that does the same). Agent 0 is the ego agent;
    ``opponent_model`` is for the others.
    """
    hats = [Fraction(0), *opponent_model]
    for j, (shift, hat) in enumerate(zip(policy_shift, hats, strict=True)):
        if case.actions[j] == 1 and shift + hat > 0:
            case = _second_action(case, j)
    n, states = case.n, case.n_states

    def world(table: Array) -> Array:
        out = zeros((states + n, table.shape[1], states + n), exact=True)
        out[:states, :, :states] = table
        for j in range(states, states + n):
            out[j, :, j] = Fraction(1)
        return out

    def plays(table: Array, agent: int, error: Fraction) -> Array:
        rows = zeros((n, table.shape[1]), exact=True)
        rows[:, 0] = Fraction(1)
        if error:
            rows[agent, :2] = exact_array([1 - error, error])
        return np.concatenate([table, rows])

    return replace(
        case,
        initial=np.concatenate([case.initial, zeros((n,), exact=True)]),
        transition=world(case.transition),
        model_transition=world(case.model_transition),
        reward=np.concatenate([case.reward, case.reward[[0] * n]]),
        policies=tuple(plays(p, j, Fraction(0)) for j, p in enumerate(case.policies)),
        data_policies=tuple(plays(p, j, policy_shift[j]) for j, p in enumerate(case.data_policies)),
        opponent_models=tuple(
            None if p is None else plays(p, j, hats[j]) for j, p in enumerate(case.opponent_models)
        ),
    )


def _second_action(case: Case, agent: int) -> Case:
    """``case`` where ``agent``, who has one action, has another with the same effects."""

    def doubled(table: Array) -> Array:
        """[s, a, ...] with the agent's axis of the joint action twice as long."""
        split = table.reshape(table.shape[0], *case.actions, *table.shape[2:])
        both = np.repeat(split, 2, axis=1 + agent)
        return both.reshape(table.shape[0], -1, *table.shape[2:])

    def idle(policy: Array) -> Array:
        return np.concatenate([policy, zeros(policy.shape, exact=True)], axis=1)

    def with_idle(policies: Sequence[Array | None]) -> tuple[Any, ...]:
        return tuple(p if p is None or j != agent else idle(p) for j, p in enumerate(policies))

    return replace(
        case,
        actions=(*case.actions[:agent], 2, *case.actions[agent + 1 :]),
        transition=doubled(case.transition),
        model_transition=doubled(case.model_transition),
        reward=doubled(case.reward),
        policies=with_idle(case.policies),
        data_policies=with_idle(case.data_policies),
        opponent_models=with_idle(case.opponent_models),
    )


def joint_profile(case: Case, errors: Errors) -> ErrorProfile:
    """The profile of ``case`` with ε_J and ε̂_J in place of the agents' own errors.

    As the ego agent's shift and one opponent's model error, so that q = 1 − ε_J, c̄ = 1 − ε̂_J;
    the bounds' values are then the joint forms. For all nⱼ = k, and for sup and expected only.
    """

    def largest(other: Array) -> Operand:
        return total_variation(case.joint, other).max(axis=-1)

    return replace(
        profile(case, errors),
        policy_shift=(errors.joint_policy_shift, 0 * errors.joint_policy_shift),
        opponent_model=(largest(case.joint_model),),
        opponent_lengths=None,
        joint_policy_shift=None,
    )
