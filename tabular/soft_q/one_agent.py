"""Soft Q iteration of the ego agent among fixed opponents (MASQL), with true or learned models.

The ego agent i sees Q[s, aⁱ, o], o = a⁻ⁱ the joint action of the others, drawn from ν(o|s) =
Π_{j≠i} πʲ(aʲ|s); α ≥ 0 is the temperature, and L_α(x) = α log Σ_a exp(x_a/α), L_0 = max. The
operator is

    (T Q)(s, aⁱ, o) = R(s, aⁱ, o) + γ Σ_{s′} T(s′|s, aⁱ, o) V(s′),

with one of the two values that the paper's policies have:

- conditioned: πⁱ(aⁱ|s, o) ∝ exp(Q(s, aⁱ, o)/α), as in Eq. (4), and V(s) = E_{o~ν} L_α(Q(s, ·, o));
- independent: πⁱ(aⁱ|s) ∝ exp(E_{o~ν} Q(s, aⁱ, o)/α), V(s) = L_α(E_{o~ν} Q(s, ·, o)), which is at
  most the conditioned one (Jensen).

The entropy is discounted as the rest is (Haarnoja et al. 2018); ``tabular.soft_q.printed_target``
has the target of Eq. (5) as it is printed. Both operators are monotone and T(Q + c) = T Q + γ c, so
they contract with factor γ in the sup norm, and no smaller one (``bounds.proofs.soft_q``). The
values of the fixed point lie between (min R + α log|Aⁱ|)/(1 − γ) and (max R + α log|Aⁱ|)/(1 − γ).

``solve`` finds the fixed point by soft policy iteration, which is Newton's method and monotone:
a few dozen linear systems, whatever γ is. Exact games are solved exactly for α = 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Literal, get_args

import numpy as np

from bounds.shared.numbers import Array, InputError, Operand, in_range, shown
from tabular.cases.case import Case
from tabular.equilibria.softmax import log_sum_exp, softmax
from tabular.games.arrays import apply, discounted_value, is_exact_array, is_sparse, zeros
from tabular.games.policy import joint_policy, replaced

Form = Literal["conditioned", "independent"]
FORMS: tuple[Form, ...] = get_args(Form)

#: Temperatures beyond this would overflow in α log|A|.
MAX_ALPHA = 1e100
#: Linear systems that are solved in floats; exact steps find ever better deterministic policies,
#: of which there are finitely many.
MAX_STEPS = 200


@dataclass(frozen=True, eq=False)
class World:
    """What the ego agent meets, after optional batch axes.

    gamma: γ; reward: R[s, aⁱ, o]; transition: T[s, aⁱ, o, s_next]; others: ν[s, o].
    """

    gamma: Operand
    reward: Array
    transition: Array
    others: Array

    @property
    def own_actions(self) -> int:
        """|Aⁱ|."""
        return int(self.reward.shape[-2])

    @property
    def is_exact(self) -> bool:
        """Whether the numbers are rational."""
        return is_exact_array(self.reward)


@dataclass(frozen=True, eq=False)
class SoftQ:
    """A fixed point: ``q[s, aⁱ, o]``, ``v[s]``, ``policy[s, aⁱ, o]`` and how it was found.

    The policy of the independent form is the same for all o. steps: linear systems solved. error:
    an upper value of max |v − V*|, from the residual r of v: r/(1 − γ), without the rounding of r
    itself; 0 where everything is exact.
    """

    q: Array
    v: Array
    policy: Array
    alpha: Operand
    form: Form
    steps: int
    error: float


def world(case: Case, *, model: bool = False) -> World:
    """The ego agent's world: reality, or with ``model`` the dynamics model and opponent models."""
    transition = case.model_transition if model else case.transition
    if is_sparse(transition):
        raise InputError("transition: a sparse matrix; soft Q iteration needs a dense array")
    policies = replaced(case.policies, case.opponent_models) if model else case.policies
    return ego_world(case.gamma, case.actions, case.ego, case.reward, transition, policies)


def ego_world(
    gamma: Operand,
    actions: tuple[int, ...],
    ego: int,
    reward: Array,
    transition: Array,
    policies: tuple[Array, ...],
) -> World:
    """``World`` from R[s, a], T[s, a, s_next] and policies [s, aʲ] over joint actions a."""
    batch = reward.shape[:-1]
    own, rest = actions[ego], prod(actions) // actions[ego]
    front = len(batch)

    def split(table: Array, *tail: int) -> Array:
        wide = np.moveaxis(table.reshape(*batch, *actions, *tail), front + ego, front)
        return wide.reshape(*batch, own, rest, *tail)

    others = [policy for j, policy in enumerate(policies) if j != ego]
    if others:
        drawn = joint_policy(others)
    else:
        drawn = zeros((*batch, 1), exact=is_exact_array(reward)) + gamma**0
    return World(gamma, split(reward), split(transition, transition.shape[-1]), drawn)


def by_context(q: Array, others: Array, form: Form) -> tuple[Array, Array]:
    """(x[..., c, aⁱ], weight[..., c]): what the ego agent compares in each of its contexts c.

    conditioned: one context an o, weighted by ν; independent: one, with E_ν Q.
    """
    by_context = np.swapaxes(q, -1, -2)
    if form == "conditioned":
        return by_context, others
    mean = (others[..., None] * by_context).sum(axis=-2)[..., None, :]
    one = zeros(others.shape[:-1], exact=is_exact_array(q)) + (others * 0).sum(axis=-1) + 1
    return mean, one[..., None]


def soft_values(q: Array, others: Array, alpha: Operand, form: Form) -> Array:
    """V[..., s] of Q[..., s, aⁱ, o] among opponents ν[..., s, o]."""
    x, weight = by_context(q, others, form)
    return np.asarray((weight * log_sum_exp(x, alpha)).sum(axis=-1))


def soft_policy(q: Array, others: Array, alpha: Operand, form: Form) -> Array:
    """πⁱ[..., s, aⁱ, o]; in the independent form the same for every o."""
    x, _ = by_context(q, others, form)
    return np.asarray(np.broadcast_to(np.swapaxes(softmax(x, alpha), -1, -2), q.shape))


def lookahead(given: World, v: Array) -> Array:
    """Q[..., s, aⁱ, o] = R + γ Σ_{s′} T(s′|·) v(s′)."""
    if given.is_exact:
        flat = given.transition.reshape(-1, given.transition.shape[-1])
        return np.asarray(given.reward + given.gamma * apply(flat, v).reshape(given.reward.shape))
    following = (given.transition * v[..., None, None, None, :]).sum(axis=-1)
    return np.asarray(given.reward + given.gamma * following)


def backup(given: World, q: Array, alpha: Operand, form: Form) -> Array:
    """T Q, one step of soft Q iteration."""
    return lookahead(given, soft_values(q, given.others, alpha, form))


def iteration(
    given: World, alpha: Operand, form: Form, start: Array | None = None
) -> Iterator[Array]:
    """Q, T Q, T² Q, … without end, from ``start`` or 0.

    >>> from itertools import islice
    >>> from tabular.cases.case import case_of
    >>> from tabular.games.catalogue import find
    >>> from tabular.games.policy import uniform
    >>> mdp = find("two-state-mdp").build()
    >>> given = world(case_of(mdp, ego=0, policies=uniform(mdp)))
    >>> print(*(q[0, 0, 0] for q in islice(iteration(given, 0, "independent"), 4)))
    0 5 371/40 13567/1600
    """
    check_temperature(given, alpha)
    q = zeros(given.reward.shape, exact=given.is_exact) if start is None else start
    while True:
        yield q
        q = backup(given, q, alpha, form)


def solve(given: World, alpha: Operand, form: Form) -> SoftQ:
    """The fixed point of T, by soft policy iteration.

    Floats: until the residual is a few roundings of the values, or after ``MAX_STEPS``; ``error``
    says how far v may be from V*. Exact (α = 0): until v is its own backup, exactly.
    """
    check_temperature(given, alpha)
    if form not in FORMS:
        raise InputError(f"form: {shown(form)} is not a form; take one of {', '.join(FORMS)}")
    v = zeros(given.others.shape[:-1], exact=given.is_exact)
    q, steps = lookahead(given, v), 0
    while True:
        better = soft_values(q, given.others, alpha, form)
        residual = np.abs(better - v).max()
        small = 0 if given.is_exact else _rounding(given, better)
        if residual <= small or (steps == MAX_STEPS and not given.is_exact):
            break
        v = _evaluate(given, q, alpha, form)
        q, steps = lookahead(given, v), steps + 1
    policy = soft_policy(q, given.others, alpha, form)
    error = 0.0 if given.is_exact else float(residual / (1 - given.gamma))
    return SoftQ(q=q, v=v, policy=policy, alpha=alpha, form=form, steps=steps, error=error)


def _evaluate(given: World, q: Array, alpha: Operand, form: Form) -> Array:
    """The value, bonus α H included, of the policy that is soft-greedy for q: a linear system."""
    policy = soft_policy(q, given.others, alpha, form)
    weight = policy * given.others[..., None, :]
    reward = (weight * given.reward).sum(axis=(-2, -1))
    matrix = (weight[..., None] * given.transition).sum(axis=(-3, -2))
    if alpha != 0:
        x, contexts = by_context(q, given.others, form)
        own = softmax(x, alpha)
        logs = np.log(own, out=np.zeros_like(own), where=own > 0)
        reward = reward - alpha * (contexts * (own * logs).sum(axis=-1)).sum(axis=-1)
    return discounted_value(matrix, reward, given.gamma)


def _rounding(given: World, v: Array) -> float:
    """Some roundings of what is added up in one backup: a sum over states, contexts and actions."""
    size = float(np.abs(given.reward).max(initial=0.0) + np.abs(v).max(initial=0.0))
    terms = sum(given.transition.shape[-4:])
    return terms * float(np.finfo(float).eps) * size


def check_temperature(given: World, alpha: Operand) -> None:
    """``InputError`` unless α can be used with these numbers."""
    in_range("alpha", alpha, 0, MAX_ALPHA)
    if given.is_exact and alpha != 0:
        raise InputError(
            f"alpha: {shown(alpha)} with exact numbers, whose soft values are irrational; "
            "take 0, or a game of floats"
        )
