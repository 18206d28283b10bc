"""All agents learn at once: soft Q iteration against opponents who change as well.

Every agent j has Qʲ[s, a] over joint actions and a policy of its own, and all move together:

    uʲ(s, aʲ) = E_{a⁻ʲ ~ π⁻ʲ} Qʲ(s, aʲ, a⁻ʲ),      πʲ ← softmax(uʲ/α),
    Qʲ ← Rʲ + γ E_{s′} L_α(uʲ(s′, ·)),             L_α(x) = α log Σ exp(x/α).

(The conditioned form has no counterpart here: the agents cannot all see the others' actions first.)
A fixed point is a logit equilibrium of the game with the bonus α × entropy for every agent.

*When it converges.* With S = max_j span Rʲ/(1 − γ), the distance
N = max |Qʲ − Q̃ʲ| + (n − 1) S max D_TV(πʲ‖π̃ʲ) of two runs with span Qʲ ≤ S shrinks by

    β = γ + (n − 1) span R/(2 α (1 − γ))     in every step, so α > (n − 1) span R/(2 (1 − γ)²)

is enough. For D_TV(softmax(x/α)‖softmax(y/α)) ≤ span(x − y)/(4α); the policies move the uʲ by at
most (n − 1) S δ, and their differences over own actions by twice that
(``bounds.proofs.simultaneous_soft_q``; ``bounds.library.soft_q`` has the formulas).

In one state the values drop out of the differences, and the policies are those of γ = 0: there
ρ(D) < 4α is enough, with D_ij the largest second difference of agent i's payoff in aⁱ and aʲ. That
cannot be improved: in matching pennies ρ(D) = 4, and for α < 1 the map
(x, y) → (tanh(y/α), −tanh(x/α)) of x = 2p − 1 and y = 2q − 1 leads from every start but (0, 0) to
a cycle of four, such as (t, t), (t, −t), (−t, −t), (−t, t), with t = tanh(t/α) > 0.
``cycle_certificate`` has it in rationals: at α = 1/log 3, t = 1/2. Slower steps (``rate``) cure
that game, and not Shapley's, whose equilibrium repels at every rate for α < 1/6.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from bounds.library.soft_q import weight_of_policies
from bounds.shared.numbers import Array, InputError, Operand, in_range
from tabular.equilibria.softmax import log_sum_exp, softmax
from tabular.equilibria.stage_game import deviation_payoffs
from tabular.games.arrays import exact_array
from tabular.games.number_text import rational_text
from tabular.games.policy import Policies


@dataclass(frozen=True, eq=False)
class Learners:
    """q[..., agent, s, a] and one policy [..., s, aʲ] an agent."""

    q: Array
    policies: Policies


def simultaneous_iteration(
    gamma: float,
    actions: Sequence[int],
    transition: Array,
    reward: Array,
    alpha: float,
    start: Learners | None = None,
    rate: float = 1.0,
) -> Iterator[Learners]:
    """The learners after 0, 1, 2, … joint steps, without end; from ``start``, or 0 and uniform.

    transition: [..., s, a, s_next]; reward: [..., agent, s, a]; floats. rate: η in (0, 1], for
    slower policies, πʲ ← (1 − η) πʲ + η softmax(uʲ/α).
    """
    in_range("gamma", gamma, 0, 1, open_high=True)
    if not alpha > 0:
        raise InputError(f"alpha: {alpha} is not above 0; all agents at once need a temperature")
    if not 0 < rate <= 1:
        raise InputError(f"rate: {rate} is not in (0, 1]; 1 is the full step")
    now = uniform_start(actions, reward) if start is None else start
    while True:
        yield now
        own = own_values(now, actions)
        values = values_of(now, actions, alpha)[..., :, None, None, :]
        following = (transition[..., None, :, :, :] * values).sum(axis=-1)
        policies = tuple(
            (1 - rate) * before + rate * softmax(u, alpha)
            for before, u in zip(now.policies, own, strict=True)
        )
        now = Learners(reward + gamma * following, policies)


def own_values(learners: Learners, actions: Sequence[int]) -> tuple[Array, ...]:
    """uʲ[..., s, aʲ] = E_{π⁻ʲ} Qʲ, one array an agent."""
    by_state = np.swapaxes(learners.q, -3, -2)
    stages = by_state.reshape(*by_state.shape[:-1], *actions)
    return tuple(deviation_payoffs(stages, learners.policies, j) for j in range(len(actions)))


def values_of(learners: Learners, actions: Sequence[int], alpha: float) -> Array:
    """Vʲ = L_α(uʲ), shape [..., agent, s]."""
    return np.stack([log_sum_exp(u, alpha) for u in own_values(learners, actions)], axis=-2)


def uniform_start(actions: Sequence[int], reward: Array) -> Learners:
    """Q = 0, and everyone plays uniformly."""
    lead = (*reward.shape[:-3], reward.shape[-2])
    return Learners(
        np.zeros(reward.shape), tuple(np.full((*lead, size), 1 / size) for size in actions)
    )


def largest_span(reward: Array) -> Operand:
    """The largest max Rʲ − min Rʲ over the agents, an entry a game of a batch."""
    flat = reward.reshape(*reward.shape[:-2], -1)
    return (flat.max(axis=-1) - flat.min(axis=-1)).max(axis=-1)


def learners_distance(one: Learners, other: Learners, gamma: Operand, span: Operand) -> Operand:
    """N = max |Qʲ − Q̃ʲ| + (n − 1) S max D_TV(πʲ‖π̃ʲ), an entry a game of a batch."""
    n = len(one.policies)
    values = np.abs(one.q - other.q).max(axis=(-3, -2, -1))
    shifts = [
        np.abs(p - r).sum(axis=-1).max(axis=-1) / 2
        for p, r in zip(one.policies, other.policies, strict=True)
    ]
    return values + weight_of_policies(n, gamma, span) * np.max(shifts, axis=0)


def interactions(payoffs: Array) -> Array:
    """D[i, j] of a stage game ``payoffs[agent, a⁰, a¹, …]``; the diagonal is 0.

    The largest |R(aⁱ, aʲ) − R(aⁱ, bʲ) − R(bⁱ, aʲ) + R(bⁱ, bʲ)| of agent i, the others as they are.
    """
    n = len(payoffs)
    out = np.zeros((n, n), dtype=payoffs.dtype)
    for i, j in product(range(n), range(n)):
        if i == j:
            continue
        table = np.moveaxis(payoffs[i], (i, j), (0, 1))
        once = table[:, None] - table[None]  # [aⁱ, bⁱ, aʲ, …]
        twice = once[:, :, :, None] - once[:, :, None]
        out[i, j] = np.abs(twice).max()
    return out


def stage_alpha(payoffs: Array) -> float:
    """ρ(D)/4: above it the policies of a repeated game contract, whatever γ is."""
    eigenvalues = np.linalg.eigvals(interactions(payoffs).astype(float))
    return float(np.abs(eigenvalues).max()) / 4


def power_softmax(u: Array, base: Fraction) -> Array:
    """softmax(u/α) for α = 1/log(base): exact, where the differences of u are whole numbers."""
    steps = u - u[0]
    if any(step.denominator != 1 for step in steps):
        raise InputError(f"u: {[str(x) for x in u]}: differences are not whole; no exact softmax")
    weights = exact_array([base ** int(step) for step in steps])
    return np.asarray(weights / weights.sum())


def cycle_certificate(
    payoffs: Array, base: Fraction, start: Sequence[Array], claim: str
) -> dict[str, Any]:
    """That all agents at once, at α = 1/log(base), come back to ``start`` without standing still.

    Two agents, a repeated game, exact. ``InputError`` where a step is irrational, or where
    ``start`` is a fixed point or is not met again within 100 steps.
    """
    cycle, now = [], [exact_array(p) for p in start]
    for _ in range(100):
        cycle.append([[rational_text(x) for x in p] for p in now])
        own = [deviation_payoffs(payoffs, now, j) for j in range(len(now))]
        now = [power_softmax(u, base) for u in own]
        if all((p == q).all() for p, q in zip(now, start, strict=True)):
            break
    else:
        raise InputError("start: not met again within 100 steps; start on the cycle")
    if len(cycle) == 1:
        raise InputError("start: a fixed point of the learners; start on a cycle")
    return {
        "format": "soft-certificate/1",
        "kind": "cycle",
        "claim": claim,
        "payoffs": [[[rational_text(x) for x in row] for row in table] for table in payoffs],
        "base": rational_text(base),
        "cycle": cycle,
    }
