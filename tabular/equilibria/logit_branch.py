"""The logit equilibrium of a whole stochastic game at temperature α > 0, all agents soft.

Stationary policies with, for every agent j in every state s (``tabular.soft_q.all_agents``),

    πʲ(s) = softmax(uʲ(s, ·)/α),
    uʲ(s, aʲ) = E_{a⁻ʲ ~ π⁻ʲ} [Rʲ(s, a) + γ Σ_{s′} T(s′|s, a) Vʲ(s′)],
    Vʲ(s) = L_α(uʲ(s, ·)) = E_π uʲ + α H(πʲ(s)),

V the *soft values*, entropy discounted as reward is. These are the fixed points of all agents
learning at once, found where that iteration goes round as well. For γ = 0 it is the logit
equilibrium of the stage game (McKelvey and Palfrey 1995), for one agent the soft optimum.

*The branch.* With λ = 1/α, z = log π and W = V/α the equations are smooth in all of z, W and λ ≥ 0:

    zʲ(s, aʲ) = λ rʲ(s, aʲ) + γ Σ_{s′} Pʲ(s′|s, aʲ) Wʲ(s′) − Wʲ(s),      Σ_{aʲ} exp zʲ(s, aʲ) = 1,

r and P averaged over the others' policies. At λ = 0 the only solution is uniform play, with
Wʲ = log|Aʲ|/(1 − γ). From there the *principal branch* is followed by its arc length, a step along
the tangent and Newton's corrections across it, so that it may turn back in λ (Turocy 2005, A
dynamic homotopy interpretation of the logistic quantal response equilibrium correspondence). It
ends where it first meets λ = 1/α. In symmetric games the branch may fork; the symmetric side is
followed then.

There is at least one equilibrium at every α, by Brouwer; there may be others off the branch. Where
the branch cannot be followed to α, the answer's status is "limit" and its residual says how far its
policies are from an equilibrium.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bounds.shared.numbers import Array, InputError, shown
from bounds.shared.progress import Progress
from tabular.equilibria.exploitability import exploitability, stage_regrets
from tabular.equilibria.nash_value_iteration import Solution
from tabular.equilibria.selection import Selection
from tabular.equilibria.softmax import log_sum_exp, softmax
from tabular.equilibria.verification.rounding_check import rounding_check
from tabular.games.arrays import discounted_value, is_sparse
from tabular.games.game import StochasticGame, as_float
from tabular.games.policy import Policies, joint_policy

#: Largest number of equations, Σ_j |S| (|Aʲ| + 1): each correction solves a dense system of these.
MAX_EQUATIONS = 2500
#: The distance of policies from their own logit responses at which they are an equilibrium: far
#: above the rounding of u/α for values up to 10⁶ α, far below what a temperature changes.
TOLERANCE = 1e-8
#: Most points of the branch, corrections of one point, and corrections that make the next step
#: longer; steps are of the branch's arc length, from the first to the least.
MAX_POINTS, MAX_CORRECTIONS, EASY = 20_000, 8, 3
FIRST_STEP, LEAST_STEP = 0.1, 1e-9
#: The branch is followed to this λ times the largest payoff. From far before on, rounding moves u/α
#: by more than 1, so that policies stay what they are; colder ones are checked at their own α.
FARTHEST = 1e24
#: The least cosine between the branch's directions at the two ends of a step.
STRAIGHT = 0.9
#: A correction that moves nothing by more than this part of it has converged.
SMALL = 1e-11


@dataclass(frozen=True, eq=False)
class LogitValues:
    """A logit equilibrium, or where the branch ended.

    policies: πʲ[s, aʲ]; soft_values: [agent, s], of these policies, entropy included.
    residual: max_{j, s} D_TV(πʲ(s) ‖ softmax(uʲ(s, ·)/α)), u from the soft values; 0 exactly at a
    logit equilibrium. status: "converged" where that is at most ``TOLERANCE``, else "limit".
    points: of the branch. turned: whether it turned back in λ on the way.
    """

    policies: Policies
    soft_values: Array
    alpha: float
    residual: float
    status: str
    points: int
    turned: bool


def logit_values(game: StochasticGame, alpha: float, bar: Progress | None = None) -> LogitValues:
    """The logit equilibrium of ``game`` on the principal branch at temperature ``alpha``.

    In floats. ``InputError`` where α is not a temperature, the transition is sparse, or there are
    more than ``MAX_EQUATIONS``.
    """
    if not 0 < alpha < np.inf:
        raise InputError(f"temperature: {shown(alpha)}; give a finite number above 0")
    if is_sparse(game.transition):
        raise InputError("transition: a sparse matrix; logit equilibria need a dense array")
    equations = sum(game.n_states * (size + 1) for size in game.actions)
    if equations > MAX_EQUATIONS:
        raise InputError(
            f"game: {game.n_states} states and {'x'.join(map(str, game.actions))} actions are "
            f"{equations} equations, more than {MAX_EQUATIONS}; use "
            "tabular.soft_q.all_agents.simultaneous_iteration, which converges at high temperatures"
        )
    branch = _Branch(as_float(game))
    largest = float(np.abs(branch.game.reward).max()) or 1.0
    # in this order neither overflows
    target = FARTHEST / largest if alpha * FARTHEST < largest else 1 / float(alpha)
    end, points, turned = branch.follow(target, bar or Progress())
    policies = tuple(np.exp(own - log_sum_exp(own, 1.0)[:, None]) for own in branch.logs(end))
    return described(game, policies, float(alpha), points, turned)


def described(
    game: StochasticGame, policies: Policies, alpha: float, points: int = 0, turned: bool = False
) -> LogitValues:
    """Soft values and residual of any stationary ``policies`` at temperature ``alpha``."""
    floats = as_float(game)
    values = soft_values(floats, policies, alpha)
    with np.errstate(over="ignore"):  # exp of minus infinity is 0, as it should be
        responses = logit_policies(floats, policies, values, alpha)
    residual = max(
        float(np.abs(own - other).sum(axis=-1).max()) / 2
        for own, other in zip(policies, responses, strict=True)
    )
    status = "converged" if residual <= TOLERANCE else "limit"
    return LogitValues(
        policies=policies,
        soft_values=values,
        alpha=alpha,
        residual=residual,
        status=status,
        points=points,
        turned=turned,
    )


def soft_values(game: StochasticGame, policies: Sequence[Array], alpha: float) -> Array:
    """Vʲ[agent, s] = E Σ γᵗ (Rʲ + α H(πʲ)) where all follow ``policies``; floats."""
    joint = joint_policy(policies)
    matrix = (joint[..., None] * game.transition).sum(axis=1)
    values = []
    for reward, own in zip(game.reward, policies, strict=True):
        logs = np.log(own, out=np.zeros_like(own), where=own > 0)
        earned = (joint * reward).sum(axis=1) - alpha * (own * logs).sum(axis=-1)
        values.append(discounted_value(matrix, earned, game.gamma))
    return np.stack(values)


def logit_policies(
    game: StochasticGame, policies: Sequence[Array], values: Array, alpha: float
) -> Policies:
    """softmax(uʲ(s, ·)/α) of every agent, the future worth ``values[agent, s]``; floats."""
    out = []
    for j, value in enumerate(values):
        ahead = game.reward[j] + game.gamma * game.transition @ value
        own = averaged(ahead.reshape(game.n_states, *game.actions), policies, (j,))
        out.append(softmax(own, alpha))
    return tuple(out)


def averaged(table: Array, policies: Sequence[Array], keep: Sequence[int]) -> Array:
    """``table[s, a⁰, a¹, …, …]`` averaged over the policies of all agents but ``keep``.

    The kept agents' axes stay in their order, axes after those of the agents stay at the end.
    """
    out = table
    for i in reversed(range(len(policies))):
        if i not in keep:
            out = np.einsum("sa,sa...->s...", policies[i], np.moveaxis(out, i + 1, 1))
    return np.asarray(out)


def as_solution(game: StochasticGame, found: LogitValues) -> Solution:
    """The policies as ``nash_value_iteration.solve`` describes its own: returns, regret and so on.

    ``values`` are the returns without entropy; the selection is called "logit".
    """
    floats = as_float(game)
    deviations = exploitability(floats, found.policies)
    regret = stage_regrets(floats, found.policies, deviations.values).max(axis=-1)
    return Solution(
        policies=found.policies,
        values=deviations.values,
        regret=regret,
        regret_bound=rounding_check(floats, found.policies).bound,
        deviations=deviations,
        selection=Selection("logit"),
        method="logit-homotopy",
        status=found.status,
        period=0,
        iterations=found.points,
        residual=found.residual,
        error=None,
        exact=False,
    )


class _Branch:
    """The equations of one game; a point is (z⁰[s, a⁰], …, W⁰[s], …, λ) in one vector."""

    def __init__(self, game: StochasticGame) -> None:
        self.game, self.states = game, game.n_states
        sizes = [self.states * size for size in game.actions] + [self.states] * game.n
        ends = np.cumsum(sizes)
        places = [slice(int(b - a), int(b)) for a, b in zip(sizes, ends, strict=True)]
        self.z, self.w, self.size = places[: game.n], places[game.n :], int(ends[-1])

    def logs(self, point: Array) -> list[Array]:
        """z of every agent, [s, aʲ]."""
        return [point[place].reshape(self.states, -1) for place in self.z]

    def start(self) -> Array:
        """Uniform play at λ = 0."""
        point = np.zeros(self.size + 1)
        for j, size in enumerate(self.game.actions):
            point[self.z[j]] = -np.log(size)
            point[self.w[j]] = np.log(size) / (1 - self.game.gamma)
        return point

    def equations(self, point: Array) -> tuple[Array, Array]:
        """F of a point, and its derivatives [equation, variable]; λ is the last variable."""
        game, logs, rows = self.game, self.logs(point), np.arange(self.states)
        policies = [np.exp(np.minimum(own, 1.0)) for own in logs]  # off the branch too
        values, slopes = np.zeros(self.size), np.zeros((self.size, self.size + 1))
        moves = game.transition.reshape(self.states, *game.actions, self.states)
        for j, size in enumerate(game.actions):
            worth = point[self.w[j]]
            reward = game.reward[j].reshape(self.states, *game.actions)
            ahead = point[-1] * reward + game.gamma * moves @ worth
            here = slopes[self.z[j]].reshape(self.states, size, -1)
            values[self.z[j]] = (logs[j] - averaged(ahead, policies, (j,)) + worth[:, None]).ravel()
            own = here[:, :, self.z[j]].reshape(self.states, size, self.states, size)
            own[rows, :, rows] += np.eye(size)
            for i, other in enumerate(game.actions):
                if i != j:
                    both = averaged(ahead, policies, (i, j))
                    both = both if i > j else np.swapaxes(both, 1, 2)  # [s, aʲ, aⁱ]
                    part = here[:, :, self.z[i]].reshape(self.states, size, self.states, other)
                    part[rows, :, rows] -= both * policies[i][:, None, :]
            here[:, :, self.w[j]] -= game.gamma * averaged(moves, policies, (j,))
            here[rows, :, self.w[j].start + rows] += 1
            here[:, :, -1] -= averaged(reward, policies, (j,))
            values[self.w[j]] = policies[j].sum(axis=1) - 1
            total = slopes[self.w[j]][:, self.z[j]].reshape(self.states, self.states, size)
            total[rows, rows] += policies[j]
        return values, slopes

    def follow(self, target: float, bar: Progress) -> tuple[Array, int, bool]:
        """The branch's first point at λ = ``target``, or its last one before it was lost."""
        point, step, turned = self.start(), FIRST_STEP, False
        level = np.eye(self.size + 1)[-1]
        tangent = self.tangent(point, level)
        for number in bar.over(range(1, MAX_POINTS + 1), "logit branch"):
            guess = point + step * tangent
            last = guess[-1] >= target
            if last:  # to λ = target, and no further
                guess = point + (target - point[-1]) / tangent[-1] * tangent
                guess[-1] = target
            after, rounds = self.corrected(guess, level if last else tangent)
            far = after is None or np.linalg.norm(after - guess) > step / 2
            if after is None or far or not 0 < after[-1] <= target:
                onward = None
            else:
                onward = self.tangent(after, tangent)
            if after is None or onward is None or onward @ tangent < STRAIGHT:
                # too long a step: over a bend, or to another branch
                step /= 2
                if step < LEAST_STEP:
                    return point, number, turned
                continue
            if last:
                return after, number, turned
            point, tangent = after, onward
            step *= 1.5 if rounds <= EASY else 1.0
            turned = turned or bool(tangent[-1] < 0)
        return point, MAX_POINTS, turned

    def tangent(self, point: Array, along: Array) -> Array:
        """The branch's unit direction, the one that goes ``along``."""
        matrix = np.vstack([self.equations(point)[1], along])
        try:
            direction = np.linalg.solve(matrix, np.eye(self.size + 1)[-1])
        except np.linalg.LinAlgError:
            return along
        return np.asarray(direction / np.linalg.norm(direction))

    def corrected(self, guess: Array, across: Array) -> tuple[Array | None, int]:
        """A point of the branch in the plane through ``guess`` that is normal to ``across``."""
        point = guess
        for rounds in range(1, MAX_CORRECTIONS + 1):
            values, slopes = self.equations(point)
            try:
                change = np.linalg.solve(np.vstack([slopes, across]), np.append(-values, 0.0))
            except np.linalg.LinAlgError:
                return None, rounds
            point = point + change
            if not np.isfinite(point).all():
                return None, rounds
            if np.abs(change).max() <= SMALL * (1 + np.abs(point).max()):
                return point, rounds
        return None, MAX_CORRECTIONS
