r"""Where a branched discrepancy comes from: policy shift, dynamics, every opponent, by depth.

The real and the branched return differ for three reasons: branches start in states that the data
policies met, their states move by T̂, and opponents act as their models say. With V̂_i(s) what the
model expects of depth i, s, on, Q̂_i(s, a) = g_i R(s, a) + γ E_T̂ V̂_{i+1}, and m_i the law of the
*real* state i steps after the branch point, telescoping E V̂_i(s_i) gives

    η − η_branch = shift + Σ_i γⁱ { γ E_{m_i, π} (E_T V̂_{i+1} − E_T̂ V̂_{i+1})
                                  + Σ_j E_{m_i} [Q̂_i with πʲ − Q̂_i with π̂ʲ] },

where in Q̂ opponents before j act by their models and those after it really: their parts depend on
that order, their sum does not. It is an identity: no term is bounded, and every expectation is over
real states, so that in training it can be measured without a simulator. For one agent and the whole
horizon it is Lemma 4.3 of Luo et al. (2019, from memory).

Rewards after k model steps are summed over all branch points, discounted occupancies of π_D; those
before belong to branches from the start. shift = γᵏ Σ_s (occupancy of π − of π_D) E[r_k | s, π, T].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bounds.shared.numbers import Array, Operand
from tabular.cases.case import Case
from tabular.games.arrays import apply, discounted_occupancy, is_sparse, push
from tabular.games.chains import dot, induced_reward, induced_transition
from tabular.games.policy import joint_policy, replaced


@dataclass(frozen=True, eq=False)
class BranchBias:
    """The parts of η − η_branch; un-normalised, from t = 0.

    shift: of the policies. dynamics[i]: of the model of T at depth i, i = 0..k (the last is 0:
    action k + 1 moves nobody). opponents[i, agent]: of the model of each agent, 0 for the ego.
    """

    shift: Operand
    dynamics: Array
    opponents: Array

    @property
    def total(self) -> Operand:
        """η − η_branch."""
        return self.shift + self.dynamics.sum() + self.opponents.sum()


def branch_bias(case: Case) -> BranchBias:
    """The parts of the branched discrepancy of one case, exact if the case is.

    ``ValueError`` for a batch, and where there is no branch length.
    """
    k = case.branch_length
    if k is None:
        raise ValueError("the case has no branch_length, so it has no branched return")
    if case.is_batch:
        raise ValueError("a batch; take its cases one by one")
    zero, one = 0 * case.gamma, case.gamma**0
    real, reward = induced_transition(case.transition, case.joint), case.reward
    starts = discounted_occupancy(
        case.initial, induced_transition(case.transition, case.joint_data), case.gamma
    )
    last = discounted_occupancy(case.initial, real, case.gamma) - starts
    for _ in range(k):
        last = push(last, real)
    parts = [
        _parts(case, case.initial, [one] * k + [zero]),
        _parts(case, starts, [zero] * k + [one]),
    ]
    return BranchBias(
        shift=case.gamma**k * dot(last, induced_reward(reward, case.joint)),
        dynamics=parts[0][0] + parts[1][0],
        opponents=parts[0][1] + parts[1][1],
    )


def _parts(case: Case, start: Array, counted: list[Operand]) -> tuple[Array, Array]:
    """Dynamics [depth] and opponents [depth, agent] of branches from ``start``.

    counted: g_i, whether the reward of depth i counts.
    """
    real = induced_transition(case.transition, case.joint)
    depths, gamma = len(counted), case.gamma
    dynamics = np.full(depths, 0 * gamma)
    opponents = np.full((depths, case.n), 0 * gamma)
    values = _values(case, counted)
    law, weight = start, gamma**0
    for i in range(depths):
        ahead = gamma * (_ahead(case.transition, values[i + 1], case))
        modelled = gamma * _ahead(case.model_transition, values[i + 1], case)
        dynamics[i] = weight * dot(law, ((ahead - modelled) * case.joint).sum(axis=-1))
        worth = counted[i] * case.reward + modelled
        models, acting = _played(case, i + 1), case.policies
        for agent in case.opponents:
            only = tuple(m if j == agent else None for j, m in enumerate(models))
            after = replaced(acting, only)
            gap = joint_policy(acting) - joint_policy(after)
            opponents[i, agent] = weight * dot(law, (gap * worth).sum(axis=-1))
            acting = after
        law, weight = push(law, real), weight * gamma
    return dynamics, opponents


def _values(case: Case, counted: list[Operand]) -> list[Array]:
    """V̂_i [s] for i = 0..depths, 0 at the end."""
    values = [0 * induced_reward(case.reward, case.joint)]
    for i in reversed(range(len(counted))):
        worth = counted[i] * case.reward
        worth = worth + case.gamma * _ahead(case.model_transition, values[0], case)
        values.insert(0, (worth * case.joint_after_branch(i + 1)).sum(axis=-1))
    return values


def _played(case: Case, step: int) -> tuple[Array | None, ...]:
    """Who acts by a model in action number ``step``: None for real policies."""
    k = case.branch_length
    return tuple(
        model if step <= length or length == k else None
        for model, length in zip(case.opponent_models, case.lengths(), strict=True)
    )


def _ahead(transition: Array, values: Array, case: Case) -> Array:
    """Σ_{s_next} transition[s, a, s_next] values[s_next], [s, a]."""
    rows = transition if is_sparse(transition) else transition.reshape(-1, case.n_states)
    return np.asarray(apply(rows, values).reshape(case.n_states, case.joint_actions))
