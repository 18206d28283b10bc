"""Solving a stochastic game: values, stationary policies, and how good they are.

One agent: a Markov decision process, by policy iteration. Two agents with opposite rewards:
Shapley's value iteration (``shapley``), which converges. Everything else: Nash value iteration,
the deterministic form of Nash Q-learning,

    V[j, s] ← payoff of agent j at the selected equilibrium of Q[s, ·], where
    Q[s, j, a] = R[j, s, a] + γ Σ_{s_next} T[s, a, s_next] V[j, s_next].

It has no guarantee: with a fixed selection the step need not be a contraction, and it can cycle
(Zinkevich, Greenwald and Littman 2005, Cyclic equilibria in Markov games). So it ends in one of
three ways: *converged* (each value changes by less than ``TOLERANCE`` of what it is made of),
*cycle* of some period (the same values, bit for bit, as some steps before), or *limit* (twice the
steps that a contraction would need, at most ``MAX_STEPS``). Where γ is near 1 that would take long:
after ``PATIENCE`` steps it jumps to the values of its own policies (one linear system) wherever the
step from there changes less than the last one did.

In every case the answer describes the last policies themselves: ``values`` are their returns,
``regret`` what a stage deviation at these values gains, ``exploitability`` what the best deviation
gains. Iteration is in floats, offsets taken off and Q rounded so that ties stay ties
(``verification.payoff_sizes``). What has converged is then refined (``verification.refinement``)
and checked: where its regret is more than rounding explains (``verification.rounding_check``) the
answer's ``status`` is *unverified*, never converged.

For an exact game, rational policies near the last ones are then tried: if they are, state by state,
the selected equilibria of the stage games at their own values, in rational arithmetic, then the
answer is exact (``exact``; its regret and exploitability are 0 and not small). (Mixed stage
equilibria of three or more agents are selected in floats; there the rationals must be an exact
equilibrium within ``NEAR`` of the selected one.) Many games have no such answer: equilibria of
stochastic games can be irrational.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import comb

import numpy as np

from bounds.shared.numbers import Array, InputError, Operand
from bounds.shared.progress import Progress
from tabular.equilibria.exploitability import (
    Exploitability,
    best_response,
    exploitability,
    profile_values,
    stage_regrets,
    stage_tables,
)
from tabular.equilibria.selection import Selection
from tabular.equilibria.shapley import as_zero_sum, contraction_steps, value_iteration
from tabular.equilibria.stage_equilibria import check_solvable, selected
from tabular.equilibria.stage_game import expected_payoffs
from tabular.equilibria.verification.near_rationals import NEAR, near_rationals
from tabular.equilibria.verification.payoff_sizes import centred
from tabular.equilibria.verification.refinement import Stages, Step, refined
from tabular.equilibria.verification.rounding_check import rounding_check
from tabular.equilibria.verification.stages import (
    relative_payoffs,
    stage_equilibria,
    unrounded_equilibria,
)
from tabular.equilibria.zero_sum_stage import solve_matrix
from tabular.games.arrays import is_exact_array
from tabular.games.game import StochasticGame, as_float
from tabular.games.policy import Policies, uniform

#: The change, as a part of the largest value, at which Nash value iteration has converged.
TOLERANCE = 1e-12
#: Steps before jumps ahead, and most steps.
PATIENCE, MAX_STEPS = 300, 20_000
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
    regret_bound: [s], proved: at the floats' binary values it is at most this, rounding included;
        divided by 1 − γ it bounds the exploitability. For exact answers the regret itself.
    deviations: exact best responses (``exploitability`` and more).
    selection: which equilibrium of a stage game was asked for.
    method: "policy-iteration", "shapley" or "nash-value-iteration".
    status: "converged", "unverified", "cycle" or "limit"; period: of a cycle, else 0.
    iterations, residual: steps of the method, and the largest change of values in the last one.
    error: proved distance from the value of a zero-sum game, or None.
    exact: whether policies, values, regret and exploitability are rational and an equilibrium.
    """

    policies: Policies
    values: Array
    regret: Array
    regret_bound: Array
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
    played = centred(as_float(game))
    opposed = as_zero_sum(played) if selection.name != "global-optimum" else None
    if opposed is not None:
        found = _shapley(opposed, selection, bar)
    else:
        check_solvable(game.actions, selection)
        found = _iterated(played, selection, bar)
    if game.is_exact and _is_small(game):
        exact = _exact_policies(game, found.policies, selection)
        if exact is not None:
            found = replace(found, policies=exact, status="converged", period=0)
            return _described(game, found, selection)
    if found.status == "converged":
        step, stages = _steps(opposed or played, selection)
        policies, _ = refined(opposed or played, found.policies, step, stages)
        found = replace(found, policies=policies)
    return _described(as_float(game), found, selection)


def _is_small(game: StochasticGame) -> bool:
    systems = comb(sum(game.actions), game.actions[0]) if game.n == 2 else game.joint_actions
    return game.n_states <= MAX_EXACT_STATES and game.n_states * systems <= MAX_EXACT_SYSTEMS


def _steps(game: StochasticGame, selection: Selection) -> tuple[Step, Stages]:
    """How stage games are solved without rounding, in floats and in exact numbers."""
    try:
        check_solvable(game.actions, selection)
    except InputError:  # a large zero-sum game: the matrix solver's equilibrium is as good

        def opposed(values: Array) -> tuple[Policies, Array]:
            found = solve_matrix(relative_payoffs(game, values)[:, 0])
            payoffs = np.stack([found.guaranteed, -found.guaranteed]) + game.gamma * values
            return (found.x, found.y), payoffs

        def opposed_exactly(payoffs: Array) -> Policies:
            found = solve_matrix(payoffs[:, 0])
            return found.x, found.y

        return opposed, opposed_exactly

    def chosen(values: Array) -> tuple[Policies, Array]:
        return unrounded_equilibria(game, values, selection)

    def exactly(payoffs: Array) -> Policies:
        return selected(payoffs, selection).strategies

    return chosen, exactly


def _described(game: StochasticGame, found: _Found, selection: Selection) -> Solution:
    deviations = exploitability(game, found.policies)
    values = deviations.values
    regret = stage_regrets(game, found.policies, values).max(axis=-1)
    status, bound = found.status, regret
    if not game.is_exact:
        check = rounding_check(game, found.policies)
        bound = check.bound
        if status == "converged" and not check.holds:
            status = "unverified"
    error = None
    if found.method == "shapley":
        # the value lies between what agent 0 is sure of and what agent 1 concedes
        error = np.maximum(deviations.gains[0], deviations.gains[1]).max()
    return Solution(
        policies=found.policies,
        values=values,
        regret=regret,
        regret_bound=bound,
        deviations=deviations,
        selection=selection,
        method=found.method,
        status=status,
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
        check_solvable(game.actions, selection)
    except InputError:  # too large to enumerate: the matrix solver's equilibrium is as good
        pass
    else:
        values = np.stack([solved.values, -solved.values])
        policies = stage_equilibria(game, values, selection, solved.iterations)[0]
    return _Found(policies, "shapley", iterations=solved.iterations, residual=solved.residual)


def _iterated(game: StochasticGame, selection: Selection, bar: Progress) -> _Found:
    """Nash value iteration on a float game, after ``PATIENCE`` steps with jumps ahead."""
    values = np.zeros((game.n, game.n_states))
    seen: dict[bytes, int] = {values.tobytes(): 0}
    limit = min(MAX_STEPS, 2 * contraction_steps(float(game.gamma), TOLERANCE))
    status, period, part = "limit", 0, np.inf
    policies: Policies = ()
    iterations, wait, due = 0, 1, PATIENCE
    for iterations in bar.over(range(1, limit + 1), "Nash value iteration"):
        before = part
        policies, after = stage_equilibria(game, values, selection, iterations)
        residual, part = _change(game, policies, values, after)
        values = after
        if part <= TOLERANCE:
            status = "converged"
            break
        if iterations >= due:
            ahead = profile_values(game, policies)
            then, beyond = stage_equilibria(game, ahead, selection, iterations)
            change, smaller = _change(game, then, ahead, beyond)
            wait = 1 if smaller < before else 2 * wait
            due = iterations + wait
            if smaller < before:
                policies, values, residual, part = then, beyond, change, smaller
                seen.clear()
                if part <= TOLERANCE:
                    status = "converged"
                    break
        earlier = seen.setdefault(values.tobytes(), iterations)
        if earlier < iterations:
            status, period = "cycle", iterations - earlier
            break
    return _Found(
        policies=policies,
        method="nash-value-iteration",
        status=status,
        period=period,
        iterations=iterations,
        residual=residual,
    )


def _change(
    game: StochasticGame, policies: Policies, values: Array, after: Array
) -> tuple[float, float]:
    """The largest change of a value, and the largest as a part of what the value is made of.

    That is E (|reward| + γ |value|) over what is played: what nobody plays has no part in it.
    """
    tables = stage_tables(game, np.abs(game.reward), np.abs(values))
    sizes = expected_payoffs(tables, policies).T
    change = np.abs(after - values)
    part = np.divide(change, sizes, out=np.where(change > 0, np.inf, 0.0), where=sizes > 0)
    return float(change.max()), float(part.max())


def _exact_policies(
    game: StochasticGame, policies: Policies, selection: Selection
) -> Policies | None:
    """Rational policies near ``policies`` that are the selected equilibria at their own values."""
    tried = near_rationals(policies)
    for _ in range(EXACT_ROUNDS):
        if tried is None:
            return None
        try:
            after = stage_equilibria(game, profile_values(game, tried), selection, 0)[0]
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
