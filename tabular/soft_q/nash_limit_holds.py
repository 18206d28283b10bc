"""Theorem 7 where it holds: soft fixed points that lead to the Nash Q-values as α → 0.

L_α(x) lies in [max x, max x + α log m] for m entries, and γ-discounting sums that up. So:

- *Common payoff, and global optima.* An agent that maximises over all joint actions,
  V = L_α(Q) over a, has V₀ ≤ V_α ≤ V₀ + α log|A|/(1 − γ) and Q₀ ≤ Q_α ≤ Q₀ + γ α log|A|/(1 − γ),
  and V₀ = max Q₀ is the value of Nash Q wherever its stage games have a global optimum: every agent
  gets its own maximum there. Both ends are attained: the upper one by constant rewards, the lower
  one by |A| = 1 (``team``).
- *Zero-sum games, one saddle for both agents*, V = max_p min_q p·Qq + α H(p) − α H(q): Shapley's
  operator with a bonus, a γ-contraction, and
  −α log|A¹| ≤ (1 − γ)(V_α − V₀) ≤ α log|A⁰| (``soft_shapley``). Attained where an agent has one
  action and the reward is constant.
- *Zero-sum games, every agent for itself*: at any fixed point of all agents learning at once
  (``tabular.soft_q.all_agents``), 0 ≤ Vʲ − V₀ʲ ≤ α log|A|/(1 − γ). Agent j's soft value is at least
  what it can secure, and both values add up to no more than the discounted entropies, α (log|A⁰| +
  log|A¹|)/(1 − γ). Attained where the opponent has one action; how much of it can be reached
  against more is open.

So where they are fixed points at all, they are within α log|A|/(1 − γ) of Nash Q's values. For
independent agents in other games that is false, global optimum or not:
``tabular.soft_q.nash_limit_fails``. It is true of them in games that strict dominance solves, such
as Climb: ``tabular.soft_q.strict_dominance``.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from bounds.shared.numbers import Array, InputError, Operand, in_range
from tabular.equilibria.shapley import is_zero_sum
from tabular.equilibria.softmax import log_sum_exp, softmax
from tabular.games.arrays import is_exact_array, zeros
from tabular.games.game import StochasticGame
from tabular.soft_q.one_agent import MAX_ALPHA, SoftQ, World, solve

#: Newton steps for matrix games, halvings of one step, and steps that close no gap: only rounding
#: is left then.
MAX_NEWTON, MAX_HALVINGS, MAX_STALLED = 200, 40, 4


def team(gamma: Operand, transition: Array, reward: Array, alpha: Operand) -> SoftQ:
    """The fixed point of V = L_α(Q) over joint actions, for one agent's reward [..., s, a].

    Its ``q`` is [..., s, a, 1]: no one else acts. Exact games for α = 0.
    """
    exact = is_exact_array(reward)
    one = zeros((*reward.shape[:-1], 1), exact=exact) + (Fraction(1) if exact else 1.0)
    given = World(gamma, reward[..., None], transition[..., :, :, None, :], one)
    return solve(given, alpha, "conditioned")


@dataclass(frozen=True, eq=False)
class MatrixSaddle:
    """The saddle of p·Uq + α H(p) − α H(q): value, p, q, and the proved gap around the value."""

    value: Array
    p: Array
    q: Array
    gap: Array


def soft_matrix(table: Array, alpha: float, start: Array | None = None) -> MatrixSaddle:
    """The saddle of matrix games U[..., a, b] with entropies, agent 0 maximising; floats.

    Newton's method on log q for the convex L_α(Uq) − α H(q), damped. p and q bound the value from
    both sides: L_α(Uq) − α H(q) ≥ value ≥ α H(p) − L_α(−pU).
    """
    if not 0 < alpha <= MAX_ALPHA:
        raise InputError(f"alpha: {alpha} is not a temperature; give a finite number above 0")
    lead, own, other = table.shape[:-2], *table.shape[-2:]
    u = table.reshape(-1, own, other)
    logs = np.zeros((len(u), other)) if start is None else start.reshape(-1, other)
    logs = _normalised(logs)
    eps = float(np.finfo(float).eps)
    small = 4 * eps * (np.abs(u).max(axis=(-2, -1)) + alpha * (own + other))
    least, lowest, stalled = np.inf, np.inf, 0
    for _ in range(MAX_NEWTON):
        q = np.exp(logs)
        p = softmax(np.einsum("gab,gb->ga", u, q), alpha)
        upper = _upper(u, logs, alpha)
        low = alpha * _entropy(p) - log_sum_exp(-np.einsum("gab,ga->gb", u, p), alpha)
        gap = float(np.maximum(upper - low, small).sum())
        level = float(upper.sum())
        moved = gap < 0.9 * least or level < lowest - float(small.sum())
        least, lowest = min(least, gap), min(lowest, level)
        stalled = 0 if moved else stalled + 1
        if gap <= small.sum() or stalled == MAX_STALLED:
            break
        target = -np.einsum("gab,ga->gb", u, p) / alpha
        residual = target - logs
        spread = p[:, :, None] * (u - np.einsum("gab,ga->gb", u, p)[:, None, :])
        curve = np.einsum("gab,gac->gbc", u, spread) / alpha**2  # Uᵀ (diag p − p pᵀ) U/α²
        shares = np.eye(other) * q[:, :, None] - q[:, :, None] * q[:, None, :]
        direction = np.linalg.solve(np.eye(other) + curve @ shares, residual[..., None])[..., 0]
        slope = -alpha * np.einsum("gb,gbc,gc->g", residual, shares, direction)
        length = np.ones(len(u))
        for _ in range(MAX_HALVINGS):
            after = _normalised(logs + length[:, None] * direction)
            worse = _upper(u, after, alpha) > upper + 0.1 * length * np.minimum(slope, 0) + small
            if not worse.any():
                break
            length = np.where(worse, length / 2, length)
        logs = after
    q = np.exp(logs)
    p = softmax(np.einsum("gab,gb->ga", u, q), alpha)
    upper = _upper(u, logs, alpha)
    low = alpha * _entropy(p) - log_sum_exp(-np.einsum("gab,ga->gb", u, p), alpha)
    return MatrixSaddle(
        ((upper + low) / 2).reshape(lead),
        p.reshape(*lead, own),
        q.reshape(*lead, other),
        np.maximum(upper - low, 0).reshape(lead),
    )


def _upper(u: Array, logs: Array, alpha: float) -> Array:
    q = np.exp(logs)
    soft = log_sum_exp(np.einsum("gab,gb->ga", u, q), alpha)
    return np.asarray(soft + alpha * (q * logs).sum(axis=-1))


def _normalised(logs: Array) -> Array:
    return np.asarray(logs - log_sum_exp(logs, 1.0)[..., None])


def _entropy(p: Array) -> Array:
    return np.asarray(-(p * np.log(p, out=np.zeros_like(p), where=p > 0)).sum(axis=-1))


@dataclass(frozen=True, eq=False)
class SoftShapley:
    """Agent 0's values [..., s] of the zero-sum game with entropies, and both policies.

    error: an upper value of max |values − V_α|, rounding of sums aside; steps: iterations.
    """

    values: Array
    policies: tuple[Array, Array]
    error: float
    steps: int


def soft_shapley(
    gamma: float, actions: tuple[int, int], transition: Array, reward: Array, alpha: float
) -> SoftShapley:
    """Shapley's value iteration with entropies, for agent 0's reward [..., s, a]; floats.

    Until a step changes no value by more than about the rounding; the error is
    (γ change + gap)/(1 − γ), as without entropies (``tabular.equilibria.shapley``).
    """
    in_range("gamma", gamma, 0, 1, open_high=True)
    values = np.zeros(reward.shape[:-1])
    size = float(np.abs(reward).max(initial=0.0)) + alpha * float(np.log(max(actions)))
    small = 8 * float(np.finfo(float).eps) * size / (1 - gamma)
    most = 2 if gamma == 0 else int(np.ceil(np.log(1e-16 * (1 - gamma)) / np.log(gamma))) + 2
    start: Array | None = None
    steps, change, saddle = 0, np.inf, soft_matrix(np.zeros((1, *actions)), alpha)
    while steps < most and change > small:
        steps += 1
        following = (transition * values[..., None, None, :]).sum(axis=-1)
        stages = (reward + gamma * following).reshape(*values.shape, *actions)
        saddle = soft_matrix(stages, alpha, start)
        change = float(np.abs(saddle.value - values).max())
        values = saddle.value
        start = np.log(np.maximum(saddle.q, 1e-300))
    error = (gamma * change + float(saddle.gap.max())) / (1 - gamma)
    return SoftShapley(values, (saddle.p, saddle.q), error, steps)


def soft_shapley_of(game: StochasticGame, alpha: float) -> SoftShapley:
    """``soft_shapley`` of a zero-sum game; ``InputError`` for others.

    >>> from tabular.games.catalogue import find
    >>> found = soft_shapley_of(find("rock-paper-scissors").build(), alpha=0.2)
    >>> round(float(found.values[0]), 6)
    0.0
    """
    if not is_zero_sum(game):
        raise InputError("reward: not zero-sum, or not of two agents")
    return soft_shapley(
        float(game.gamma),
        (game.actions[0], game.actions[1]),
        game.transition.astype(float),
        game.reward[0].astype(float),
        alpha,
    )
