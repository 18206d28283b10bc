"""Zero-sum stochastic games of two agents by Shapley's value iteration.

Shapley (1953), Stochastic games. With V agent 0's values, the stage game of state s is the matrix
Q[s, a⁰, a¹] = R[s, a] + γ Σ_{s_next} T[s, a, s_next] V[s_next], and

    (𝒯V)[s] = value of Q[s, ·, ·]

is a γ-contraction in the sup norm whose fixed point V* is the value of the game. If every stage is
solved to within δ, then V_{k+1} of V_k satisfies

    max_s |V_{k+1} − V*| ≤ (γ max_s |V_{k+1} − V_k| + δ) / (1 − γ),

which is the bound that is reported, with δ the largest gap between what the two players' strategies
guarantee in the last step. Iteration stops when that bound is small, or cannot become smaller.

The contraction is slow where γ is near 1. So after ``PATIENCE`` steps each step is followed by one
of Hoffman and Karp (1966, On nonterminating stochastic games): V becomes what agent 0's best
response earns against agent 1's optimal stage strategies. That is at least V* and, from the second
on, at most what the step itself gives, and usually as good as thousands of steps.

Floats: the value of an exact zero-sum game may be irrational.
``tabular.equilibria.nash_value_iteration`` looks for an exact equilibrium near the answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, log

import numpy as np

from bounds.shared.numbers import Array, InputError, Operand
from bounds.shared.progress import Progress
from tabular.equilibria.exploitability import Exploitability, best_response, stage_payoffs
from tabular.equilibria.zero_sum_stage import best_guarantee, solve_matrix
from tabular.games.game import StochasticGame, as_float
from tabular.games.policy import Policies

#: The error at which iteration stops, as a part of the rewards that bind, divided by 1 − γ.
TOLERANCE = 1e-12
#: Steps before policies are improved as well, most of such steps, and most without progress.
PATIENCE, MAX_IMPROVEMENTS, MAX_IDLE = 300, 200, 5
#: Float rewards whose sums differ by this part of what is added are constant-sum: four roundings.
ROUNDED = 2.0**-51


@dataclass(frozen=True, eq=False)
class ZeroSumSolution:
    """What value iteration found.

    values: [s], agent 0's; agent 1's are their negatives.
    policies: optimal strategies of the stage games at these values, [s, a_own] of each agent.
    error: proved largest distance of ``values`` from the game's, rounding of sums aside.
    residual: the last step's largest change; iterations: the number of steps.
    """

    values: Array
    policies: Policies
    error: float
    residual: float
    iterations: int


def is_zero_sum(game: StochasticGame) -> bool:
    """Whether there are two agents, and one always receives what the other loses."""
    return game.n == 2 and bool((game.reward[0] == -game.reward[1]).all())


def contraction_steps(gamma: Operand, tolerance: float) -> int:
    """How many steps of a γ-contraction bring any error below ``tolerance`` of the first one."""
    if gamma == 0:
        return 1
    return max(1, ceil(log(tolerance * (1 - gamma)) / log(gamma)))


def as_zero_sum(game: StochasticGame) -> StochasticGame | None:
    """The zero-sum game with the equilibria of ``game``, or None where its sums are not constant.

    Of two agents whose rewards always add up to one constant, the second's values are those of the
    zero-sum game and c/(1 − γ), whatever is played. In floats the sum may be off by rounding, a few
    units in the last place of what is added.
    """
    if is_zero_sum(game):
        return game
    if game.n != 2:
        return None
    one, two = game.reward
    total = one + two
    if game.is_exact:
        same = bool((total == total.flat[0]).all())
    else:
        sizes = np.abs(one) + np.abs(two)
        constant = total.flat[sizes.argmin()]
        same = bool((np.abs(total - constant) <= ROUNDED * (sizes + abs(constant))).all())
    return replace(game, reward=np.stack([one, -one])) if same else None


def value_iteration(
    game: StochasticGame, tolerance: float = TOLERANCE, bar: Progress | None = None
) -> ZeroSumSolution:
    """Shapley's value iteration from V = 0, in floats; ``bar`` shows the iterations.

    ``tolerance`` is the error aimed at as a part of R / (1 − γ), where R is what is played and
    binds. After ``PATIENCE`` steps each also improves the policies. ``InputError`` for games that
    are not zero-sum.
    """
    if not is_zero_sum(game):
        raise InputError(
            "reward: not zero-sum, or not of two agents; use nash_value_iteration.solve"
        )
    played = as_float(game)
    gamma = float(played.gamma)
    values = np.zeros(played.n_states)
    limit = min(contraction_steps(gamma, tolerance) + 1, PATIENCE + MAX_IMPROVEMENTS)
    steps = (bar or Progress()).over(range(1, limit + 1), "Shapley's iteration")
    iterations, smallest, idle = 0, np.inf, 0
    for _ in steps:
        iterations += 1
        tables = _matrices(played, values)
        x, after = best_guarantee(tables)
        residual = float(np.abs(after - values).max())
        values = after
        if gamma * residual <= tolerance / 2 * _binding_size(played, tables, x):
            break
        if iterations > PATIENCE:
            idle = 0 if residual < smallest else idle + 1
            smallest = min(smallest, residual)
            if idle == MAX_IDLE:
                break
            values = _conceded(played, values)
    last = solve_matrix(_matrices(played, values))
    # one more step, whose change and gap are known: it gives the bound
    change = float(np.abs(last.guaranteed - values).max())
    gap = float((last.conceded - last.guaranteed).max())
    error = (gamma * change + max(gap, 0.0)) / (1 - gamma)
    return ZeroSumSolution(
        values=last.guaranteed,
        policies=(last.x, last.y),
        error=error,
        residual=change,
        iterations=iterations + 1,
    )


def _binding_size(game: StochasticGame, tables: Array, x: Array) -> float:
    """max_s Σ_i x_i |R_ij| where j is the reply that leaves agent 0 least.

    A fine that nobody risks is no part of it.
    """
    least = (x[:, :, None] * tables).sum(axis=1).argmin(axis=1)
    rewards = np.abs(game.reward[0]).reshape(tables.shape)
    binding = np.take_along_axis(rewards, least[:, None, None], axis=2)[:, :, 0]
    return float((x * binding).sum(axis=1).max())


def _conceded(game: StochasticGame, values: Array) -> Array:
    """What agent 0's best response earns against agent 1's optimal stage strategies, [s]."""
    y = best_guarantee(-_matrices(game, values).swapaxes(1, 2))[0]
    own = np.full((game.n_states, game.actions[0]), 1.0 / game.actions[0])
    return best_response(game, (own, y), 0).values


def value_interval(found: Exploitability) -> tuple[Array, Array]:
    """Bounds on agent 0's value of every state, [s] each, from best responses to any two policies.

    Agent 0's policy earns at least −best[1] and agent 1's concedes at most best[0], so the value
    lies between; exactly, for exact games.

    >>> from tabular.equilibria.exploitability import exploitability
    >>> from tabular.games.catalogue import find
    >>> from tabular.games.policy import uniform
    >>> pennies = find("matching-pennies").build()
    >>> low, high = value_interval(exploitability(pennies, uniform(pennies)))
    >>> print(*low, *high)
    0 0
    """
    return -found.best[1], found.best[0]


def _matrices(game: StochasticGame, values: Array) -> Array:
    """Agent 0's stage games, [s, a⁰, a¹]."""
    return stage_payoffs(game, np.stack([values, -values]))[:, 0]
