"""Theorem 6 for the ego agent: how far learned models move the fixed point of soft Q iteration.

V*, Q* belong to (T, ν), V̂*, Q̂* to (T̂, ν̂), with the same reward, γ, α and form
(``tabular.soft_q.one_agent``). With c̄ = Π_{j≠i}(1 − ε_π̂ʲ), ρ = c̄(1 − ε_sup) and span = max R −
min R,

    max_s |V* − V̂*|      ≤ span [1/(1 − γ) − c̄/(1 − γρ)], which is ``coupling-sup``, unbranched,
    max_{s,a} |Q* − Q̂*|  ≤ span γ (1 − ρ)/((1 − γ)(1 − γρ)),

for every α ≥ 0, in both forms. The temperature and the number of actions do not enter: all soft
values lie within span/(1 − γ) of one another, because every state is worth between
(min R + α log|Aⁱ|)/(1 − γ) and (max R + α log|Aⁱ|)/(1 − γ). A distance D of the values costs, where
the two worlds draw the same, at most D, and elsewhere at most S = span/(1 − γ), so that

    D ≤ (1 − c̄) S + c̄ γ [(1 − ε_sup) D + ε_sup S],

which is the first line (``bounds.proofs.soft_q``). ``soft_latch`` attains both lines, for every α.

Models from n samples of every state and joint action and of every opponent in every state have
errors of the order n^(−1/2), and so has the distance: ``learning_curve`` measures it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import comb

import numpy as np

from bounds.formula.error_profile import ErrorProfile
from bounds.library.published import find
from bounds.library.soft_q import q_distance
from bounds.shared.numbers import Array, InputError, Operand, whole
from tabular.cases.case import Case
from tabular.cases.errors import model_divergence, total_variation
from tabular.extremal.latch_and_lanes import latch
from tabular.games.arrays import exact_array, is_exact_array
from tabular.games.game import StochasticGame
from tabular.soft_q.one_agent import Form, SoftQ, ego_world, solve, world


@dataclass(frozen=True, eq=False)
class Distance:
    """max_s |V* − V̂*| and max_{s,a} |Q* − Q̂*|, an entry a case of a batch, and the fixed points."""

    v: Operand
    q: Operand
    real: SoftQ
    model: SoftQ


def distance(case: Case, alpha: Operand, form: Form) -> Distance:
    """How far the fixed points of the real and of the learned world are apart."""
    real, model = (solve(world(case, model=m), alpha, form) for m in (False, True))
    return Distance(
        v=_largest(np.abs(real.v - model.v), 1),
        q=_largest(np.abs(real.q - model.q), 3),
        real=real,
        model=model,
    )


def value_bound(errors: ErrorProfile) -> Operand:
    """The bound on max |V* − V̂*|: ``coupling-sup``, unbranched."""
    return find("coupling-sup", "model").evaluate(errors)


def bounds_of(case: Case) -> tuple[Operand, Operand]:
    """(bound on V, bound on Q) from the errors of ``case``, an entry a case of a batch."""
    errors = model_errors(case)
    c_bar = 1 - 0 * errors.gamma
    for error in errors.opponent_model:
        c_bar = c_bar * (1 - error)
    rho = c_bar * (1 - errors.model_sup)
    return value_bound(errors), q_distance(errors.gamma, errors.span, rho)


def model_errors(case: Case) -> ErrorProfile:
    """γ, span, ε_π̂ʲ and ε_sup of ``case``: what the bounds need, without policy shifts."""
    models = [
        0 * case.gamma if m is None else _largest(total_variation(p, m), 1)
        for j, (p, m) in enumerate(zip(case.policies, case.opponent_models, strict=True))
        if j != case.ego
    ]
    top, bottom = _largest(case.reward, 2), -_largest(-case.reward, 2)
    return ErrorProfile(
        gamma=case.gamma,
        policy_shift=(0 * case.gamma,) * case.n,
        opponent_model=tuple(models),
        model_sup=_largest(model_divergence(case), 2),
        r_max=_largest(np.abs(case.reward), 2),
        span=top - bottom,
    )


def soft_latch(
    gamma: Fraction,
    opponent_model: Sequence[Fraction],
    model_error: Fraction,
    own_actions: int = 1,
    *,
    r_hi: Fraction = Fraction(1),
    r_lo: Fraction = Fraction(-1),
) -> Case:
    """Attains both bounds for every α, in both forms.

    The latch (``tabular.extremal.latch_and_lanes``) without policy shift, in which the ego agent
    has ``own_actions`` actions that do the same. So it plays uniformly, both worlds pay it α
    log|Aⁱ|/(1 − γ) for that, and the difference of the values is that of the latch.
    """
    whole("own_actions", own_actions, 1)
    shift = [Fraction(0)] * (len(opponent_model) + 1)
    case = latch(gamma, shift, opponent_model, model_error, r_hi=r_hi, r_lo=r_lo)
    own = exact_array([[Fraction(1, own_actions)] * own_actions] * 2)

    def copies(table: Array) -> Array:
        return np.concatenate([table] * own_actions, axis=1)  # agent 0 is the slowest index

    return replace(
        case,
        actions=(own_actions, *case.actions[1:]),
        transition=copies(case.transition),
        model_transition=copies(case.model_transition),
        reward=copies(case.reward),
        policies=(own, *case.policies[1:]),
        data_policies=(own, *case.data_policies[1:]),
    )


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """Distances of learned models, [run, size], and the bounds from each run's own errors.

    sizes: samples of every state and joint action, and of every opponent in every state.
    """

    sizes: tuple[int, ...]
    distance: Array
    bound: Array

    @property
    def rates(self) -> Array:
        """The slope of log distance against log n by least squares, [run]."""
        if (self.distance == 0).any():
            raise InputError("distance: 0 in some run, where the models are exact: it has no rate")
        x = np.log(self.sizes)
        x = x - x.mean()
        return np.asarray(np.log(self.distance) @ x / (x @ x))


def learning_curve(
    game: StochasticGame,
    ego: int,
    policies: Sequence[Array],
    alpha: float,
    form: Form,
    sizes: Sequence[int],
    runs: int,
    seed: int,
) -> LearningCurve:
    """Learn T and the opponents' policies from samples, in ``runs`` independent runs.

    Run r draws from its own stream, named by (seed, r), and its samples accumulate over the sizes:
    a run is the same whichever runs are beside it. Models are the observed frequencies.
    """
    whole("runs", runs, 1)
    if list(sizes) != sorted(set(sizes)) or not sizes or sizes[0] < 1:
        raise InputError(f"sizes: {list(sizes)}; give growing numbers of samples, 1 or more")
    if is_exact_array(game.reward):
        raise InputError("game: exact numbers; learn in floats")
    real = solve(
        ego_world(
            game.gamma, game.actions, ego, game.reward[ego], game.transition, tuple(policies)
        ),
        alpha,
        form,
    )
    drawn = [
        _frequencies(game, policies, sizes, np.random.default_rng([seed, r])) for r in range(runs)
    ]
    transition = np.stack([t for t, _ in drawn])
    models = [np.stack([p[j] for _, p in drawn]) for j in range(game.n)]
    batch = transition.shape[:2]
    learned = solve(
        ego_world(
            game.gamma,
            game.actions,
            ego,
            np.broadcast_to(game.reward[ego], (*batch, *game.reward[ego].shape)),
            transition,
            tuple(models),
        ),
        alpha,
        form,
    )
    rivals = [j for j in range(game.n) if j != ego]
    errors = ErrorProfile(
        gamma=game.gamma,
        policy_shift=(0.0,) * game.n,
        opponent_model=tuple(_largest(total_variation(policies[j], models[j]), 1) for j in rivals),
        model_sup=_largest(total_variation(game.transition, transition), 2),
        r_max=float(np.abs(game.reward[ego]).max()),
        span=float(np.ptp(game.reward[ego])),
    )
    return LearningCurve(tuple(sizes), _largest(np.abs(real.v - learned.v), 1), value_bound(errors))


def _frequencies(
    game: StochasticGame, policies: Sequence[Array], sizes: Sequence[int], rng: np.random.Generator
) -> tuple[Array, list[Array]]:
    """Observed frequencies after ``sizes`` samples: T̂[size, s, a, s_next] and π̂ʲ[size, s, aʲ]."""
    tables = [game.transition, *policies]
    seen = [np.zeros(t.shape, int) for t in tables]
    out: list[list[Array]] = [[] for _ in tables]
    before = 0
    for size in sizes:
        for i, table in enumerate(tables):
            seen[i] = seen[i] + rng.multinomial(size - before, table)
            out[i].append(seen[i] / size)
        before = size
    stacked = [np.stack(rows) for rows in out]
    return stacked[0], stacked[1:]


def sample_error(outcomes: int, rows: int, samples: int, failure: float) -> float:
    """D_TV that none of ``rows`` frequencies exceeds, but with probability ``failure``.

    √(log((2^m − 2) rows/failure)/(2 n)) for m ≥ 2 outcomes (Weissman et al. 2003, with
    ‖p̂ − p‖₁ = 2 D_TV, and the union over the rows): of the order n^(−1/2), and so is
    ``value_bound`` with it. 0 for one outcome.

    >>> [round(sample_error(3, rows=8, samples=n, failure=0.1), 3) for n in (100, 10_000)]
    [0.176, 0.018]
    """
    if outcomes == 1:
        return 0.0
    log_sets = np.log(2.0) * outcomes + np.log1p(-(2.0 ** (1 - outcomes)))
    return float(np.sqrt((log_sets + np.log(rows / failure)) / (2 * samples)))


def median_band(values: Array, level: float = 0.95) -> tuple[Array, Array, Array]:
    """(low, median, high) over axis 0: order statistics that hold the median with ``level``.

    Whatever the distribution is: at most k − 1 of N values lie below the k-th, and their number
    below the median is binomial(N, 1/2). ``InputError`` where N is too small for the level.
    """
    count = len(values)
    k, below = 0, 1  # 2^count Pr(at most k below)
    while below < Fraction(1 - level) / 2 * 2**count:
        k += 1
        below += comb(count, k)
    if k < 1:
        raise InputError(f"runs: {count} are too few for a band at level {level}; give more")
    ordered = np.sort(values, axis=0)
    return ordered[k - 1], np.median(ordered, axis=0), ordered[count - k]


def _largest(array: Array, axes: int) -> Operand:
    value = array.reshape(*array.shape[: array.ndim - axes], -1).max(axis=-1)
    return value if np.ndim(value) else (value if isinstance(value, Fraction) else float(value))
