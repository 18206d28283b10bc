"""Solving a stochastic game: values, stationary policies, and how good they are.

One agent: a Markov decision process, by policy iteration. Two agents with opposite rewards:
Shapley's value iteration (``shapley``), which converges. Everything else: Nash value iteration,
the deterministic form of Nash Q-learning,

    V[j, s] ← payoff of agent j at the selected equilibrium of Q[s, ·], where
    Q[s, j, a] = R[j, s, a] + γ Σ_{s_next} T[s, a, s_next] V[j, s_next].

It has no guarantee: with a fixed selection the step need not be a contraction, and it can cycle
(Zinkevich, Greenwald and Littman 2005, Cyclic equilibria in Markov games). So it ends in one of
three ways, which the answer's ``status`` names: *converged* (the values change by less than
``TOLERANCE`` of their size), *cycle* of some period (the same values, bit for bit, as some steps
before), or *limit* (twice the steps that a contraction would need).

In every case the answer describes the last policies themselves: ``values`` are their exact returns,
``regret`` what a stage deviation at these values gains, ``exploitability`` what the best deviation
gains. Iteration is in floats, with Q rounded to 2⁻⁴⁰ of its largest entry so that ties stay ties.
For an exact game, rational policies near the last ones are then tried: if they are, state by state,
the selected equilibria of the stage games at their own values, in rational arithmetic, then the
answer is exact (``exact``; its regret and exploitability are 0 and not small). (Mixed stage
equilibria of three or more agents are selected in floats; there the rationals must be an exact
equilibrium within ``NEAR`` of the selected one.) Many games have no such answer: equilibria of
stochastic games can be irrational.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import comb

import numpy as np

from bounds.shared.numbers import Array, InputError, Operand
from bounds.shared.progress import Progress
from tabular.equilibria.exploitability import (
    Exploitability,
    best_response,
    exploitability,
    profile_values,
    stage_payoffs,
    stage_regrets,
)
from tabular.equilibria.selection import NoSuchEquilibriumError, Selection
from tabular.equilibria.shapley import contraction_steps, is_zero_sum, value_iteration
from tabular.equilibria.stage_equilibria import check_solvable, selected
from tabular.games.arrays import is_exact_array
from tabular.games.game import StochasticGame, as_float
from tabular.games.policy import Policies, uniform

#: The change, as a part of the largest value, at which Nash value iteration has converged.
TOLERANCE = 1e-12
#: Q is rounded to this part of its largest entry.
RESOLUTION = 2.0**-40
#: How far a float probability may be from the rational that it is taken for.
NEAR = 1e-7
#: Largest denominator of such a rational.
MAX_DENOMINATOR = 10_000
#: How often rational policies are replaced by the selected equilibria at their values.
EXACT_ROUNDS = 4
#: Largest exact game that is solved exactly: states, and stage games' pairs of supports in all.
MAX_EXACT_STATES = 200
MAX_EXACT_SYSTEMS = 200_000


@dataclass(frozen=True, eq=False)
class Solution:
    """Policies of a stochastic game, what they earn, and how they were found.

    policies: πʲ[s, aʲ]; values: [agent, s], their un-normalised returns.
    regret: [s], the largest gain of one agent by one deviation.
    deviations: exact best responses (``exploitability`` and more).
    selection: which equilibrium of a stage game was asked for.
    method: "policy-iteration", "shapley" or "nash-value-iteration".
    status: "converged", "cycle" or "limit"; period: of a cycle, else 0.
    iterations, residual: steps of the method, and the largest change of values in the last one.
    error: proved distance from the value of a zero-sum game, or None.
    exact: whether policies, values, regret and exploitability are rational and an equilibrium.
    """

    policies: Policies
    values: Array
    regret: Array
    deviations: Exploitability
    selection: Selection
    method: str
    status: str
    period: int
    iterations: int
    residual: Operand
    error: Operand
    exact: bool

    @property
    def exploitability(self) -> Operand:
        """The largest gain by deviating, over agents and states."""
        return self.deviations.exploitability


@dataclass(frozen=True, eq=False)
class _Found:
    """Policies with the story of how they were found."""

    policies: Policies
    method: str
    status: str = "converged"
    period: int = 0
    iterations: int = 0
    residual: Operand = 0


def solve(game: StochasticGame, selection: Selection, bar: Progress | None = None) -> Solution:
    """Solve ``game`` with the stated selection of stage equilibria; ``bar`` shows the iterations.

    ``InputError`` where a stage game on the way has no such equilibrium, or is too large.
    """
    bar = bar or Progress()
    if game.n == 1:
        return _described(game, _decision_process(game), selection)
    if is_zero_sum(game) and selection.name != "global-optimum":
        found = _shapley(as_float(game), selection, bar)
    else:
        check_solvable(game.actions)
        found = _iterated(as_float(game), selection, bar)
    if game.is_exact and _is_small(game):
        exact = _exact_policies(game, found.policies, selection)
        if exact is not None:
            found = replace(found, policies=exact, status="converged", period=0)
            return _described(game, found, selection)
    return _described(as_float(game), found, selection)


def _is_small(game: StochasticGame) -> bool:
    systems = comb(sum(game.actions), game.actions[0]) if game.n == 2 else game.joint_actions
    return game.n_states <= MAX_EXACT_STATES and game.n_states * systems <= MAX_EXACT_SYSTEMS


def _described(game: StochasticGame, found: _Found, selection: Selection) -> Solution:
    deviations = exploitability(game, found.policies)
    values = deviations.values
    regret = stage_regrets(game, found.policies, values).max(axis=-1)
    error = None
    if found.method == "shapley":
        # the value lies between what agent 0 is sure of and what agent 1 concedes
        error = np.maximum(deviations.gains[0], deviations.gains[1]).max()
    return Solution(
        policies=found.policies,
        values=values,
        regret=regret,
        deviations=deviations,
        selection=selection,
        method=found.method,
        status=found.status,
        period=found.period,
        iterations=found.iterations,
        residual=found.residual,
        error=error,
        exact=game.is_exact,
    )


def _decision_process(game: StochasticGame) -> _Found:
    response = best_response(game, uniform(game), 0)
    states = np.arange(game.n_states)
    policy = uniform(game)[0] * 0
    policy[states, response.actions] += 1
    return _Found((policy,), "policy-iteration", iterations=response.rounds)


def _shapley(game: StochasticGame, selection: Selection, bar: Progress) -> _Found:
    solved = value_iteration(game, bar=bar)
    policies = solved.policies
    try:
        check_solvable(game.actions)
    except InputError:  # too large to enumerate: the matrix solver's equilibrium is as good
        pass
    else:
        values = np.stack([solved.values, -solved.values])
        policies = _stage(game, values, selection, solved.iterations)[0]
    return _Found(policies, "shapley", iterations=solved.iterations, residual=solved.residual)


def _iterated(game: StochasticGame, selection: Selection, bar: Progress) -> _Found:
    """Nash value iteration on a float game."""
    values = np.zeros((game.n, game.n_states))
    seen: dict[bytes, int] = {values.tobytes(): 0}
    limit = 2 * contraction_steps(float(game.gamma), TOLERANCE)
    status, period, residual = "limit", 0, np.inf
    policies: Policies = ()
    iterations = 0
    for iterations in bar.over(range(1, limit + 1), "Nash value iteration"):
        policies, after = _stage(game, values, selection, iterations)
        residual = float(np.abs(after - values).max())
        values = after
        if residual <= TOLERANCE * float(np.abs(values).max()):
            status = "converged"
            break
        before = seen.setdefault(values.tobytes(), iterations)
        if before < iterations:
            status, period = "cycle", iterations - before
            break
    return _Found(
        policies=policies,
        method="nash-value-iteration",
        status=status,
        period=period,
        iterations=iterations,
        residual=residual,
    )


def _stage(
    game: StochasticGame, values: Array, selection: Selection, iteration: int
) -> tuple[Policies, Array]:
    """The selected equilibria at ``values`` [agent, s], and their payoffs [agent, s]."""
    payoffs = stage_payoffs(game, values)
    if not is_exact_array(payoffs):
        payoffs = rounded(payoffs)
    try:
        chosen = selected(payoffs, selection)
    except NoSuchEquilibriumError as error:
        state = f"{error.game} ({game.states[error.game]})" if game.states else f"{error.game}"
        raise InputError(
            f"selection: {selection}: stage game of state {state} in iteration {iteration}: "
            f"{error.why}"
        ) from None
    return chosen.strategies, np.asarray(chosen.payoffs.T)


def rounded(payoffs: Array) -> Array:
    """``payoffs`` rounded to a power of two, ``RESOLUTION`` of the largest entry."""
    size = float(np.abs(payoffs).max())
    if size == 0:
        return payoffs
    unit = RESOLUTION * 2.0 ** np.frexp(size)[1]
    return np.asarray(np.rint(payoffs / unit) * unit)


def _exact_policies(
    game: StochasticGame, policies: Policies, selection: Selection
) -> Policies | None:
    """Rational policies near ``policies`` that are the selected equilibria at their own values."""
    tried = _near_rationals(policies)
    for _ in range(EXACT_ROUNDS):
        if tried is None:
            return None
        try:
            after = _stage(game, profile_values(game, tried), selection, 0)[0]
        except InputError:  # no such equilibrium at these values
            return None
        if not all(map(is_exact_array, after)):  # mixed, of three or more agents
            return tried if _same_equilibrium(game, tried, after) else None
        if all(np.array_equal(a, b) for a, b in zip(tried, after, strict=True)):
            return tried
        tried = after
    return None


def _same_equilibrium(game: StochasticGame, tried: Policies, floats: Policies) -> bool:
    """Whether the rationals ``tried`` are an exact equilibrium, and what the floats stand for."""
    near = all(
        np.abs(own.astype(float) - other.astype(float)).max() <= NEAR
        for own, other in zip(tried, floats, strict=True)
    )
    return near and bool((stage_regrets(game, tried, profile_values(game, tried)) == 0).all())


def _near_rationals(policies: Policies) -> Policies | None:
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
