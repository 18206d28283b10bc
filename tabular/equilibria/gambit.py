"""Stage games that are handed to pygambit: many agents, large games, logit branches.

pygambit is under the GPL and therefore an optional extra, ``equilibria``. It is imported when one
of these functions is called; where it is missing they say so in one line.

Agents and actions keep their order. Payoffs are passed as rationals where they are exact; answers
are Fractions where pygambit computes in rationals, floats elsewhere.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import prod
from types import ModuleType
from typing import Any

import numpy as np

from bounds.shared.numbers import Array, InputError
from tabular.equilibria.stage_game import Strategies, deviation_payoffs, regret
from tabular.games.arrays import exact_array, is_exact_array

#: Largest number of support profiles Π (2^|Aʲ| − 1) of a game whose equilibria are all looked for.
MAX_SUPPORT_PROFILES = 3000
#: Probabilities up to these are tried as 0, and steps from each.
SUPPORTS, NEWTON_STEPS = (0.0, 1e-6), 6


def pygambit() -> ModuleType:
    """The module; ``InputError`` naming the extra where it is not installed."""
    try:
        import pygambit as module
    except ImportError:
        raise InputError(
            "pygambit is not installed, and this needs it (three or more agents, large games, "
            "logit branches); install the extra: pip install 'opponentwise[equilibria]'"
        ) from None
    return module  # type: ignore[no-any-return]


def as_gambit(payoffs: Array) -> Any:
    """The single game ``payoffs[agent, a⁰, a¹, …]`` as a pygambit game."""
    return pygambit().StrategicGame.from_arrays(*payoffs)


def isolated_equilibria(payoffs: Array) -> list[Strategies]:
    """Equilibria of one game of any number of agents, in floats, by pygambit's ``enumpoly``.

    For every profile of supports the equilibria that use exactly these actions are found as roots
    of polynomials; a support on which they are not isolated is skipped. A generic game's equilibria
    are all isolated; a degenerate game may have none, and then the list is empty. ``InputError``
    where there are more than ``MAX_SUPPORT_PROFILES``.
    """
    sizes = payoffs.shape[1:]
    profiles = prod(2**size - 1 for size in sizes)
    if profiles > MAX_SUPPORT_PROFILES:
        raise InputError(
            f"payoffs: {'x'.join(map(str, sizes))} actions have {profiles} profiles of supports, "
            f"more than {MAX_SUPPORT_PROFILES}; use the selection any, for one equilibrium"
        )
    found = pygambit().nash.enumpoly_solve(as_gambit(payoffs)).equilibria
    return [corrected(payoffs, _strategies(profile, exact=False)) for profile in found]


def one_equilibrium(payoffs: Array) -> Strategies:
    """An equilibrium of one game, also of a large one.

    Two agents: by Lemke and Howson's path (``lcp``), exactly for exact payoffs. More: in floats, by
    the global Newton method (``gnm``), and where that finds none by simplicial subdivision
    (``simpdiv``), which always ends, at a regret of at most 1e-7 of the range of payoffs; then
    ``corrected``. A float game of two agents is solved at the binary values of its payoffs.
    """
    nash = pygambit().nash
    if len(payoffs) <= 2:
        found = nash.lcp_solve(as_gambit(exact_array(payoffs)), rational=True, stop_after=1)
        exact = _strategies(found.equilibria[0], exact=True)
        return exact if is_exact_array(payoffs) else tuple(own.astype(float) for own in exact)
    game = as_gambit(payoffs)
    newton = nash.gnm_solve(game).equilibria
    if newton:
        return corrected(payoffs, _strategies(newton[0], exact=False))
    start = game.mixed_strategy_profile(rational=True)
    profile = nash.simpdiv_solve(start).equilibrium
    return corrected(payoffs, _strategies(profile, exact=False))


def corrected(payoffs: Array, profile: Strategies) -> Strategies:
    """An equilibrium as near ``profile`` as pygambit leaves it, to the rounding of floats.

    By Newton's method on the conditions of the actions that are used: each pays an agent the same,
    and their probabilities sum to 1. Very small probabilities are tried as 0 as well. Of all
    profiles on the way the one with the smallest regret is returned.
    """
    table = payoffs.astype(float)
    best, smallest = profile, float(regret(table, profile))
    for least in SUPPORTS:
        used = [own > least for own in profile]
        if not all(own.any() for own in used):
            continue
        tried = tuple(np.where(u, own, 0.0) for own, u in zip(profile, used, strict=True))
        for _ in range(NEWTON_STEPS):
            tried = _newton(table, tried, used)
            if not all(np.isfinite(own).all() and (own >= 0).all() for own in tried):
                break
            now = float(regret(table, tried))
            if now < smallest:
                best, smallest = tried, now
    return best


def _newton(table: Array, profile: Strategies, used: list[Array]) -> Strategies:
    """One step on u_j(a) − v_j = 0 for used a, Σ_a x_j(a) = 1; unknown are used x and v."""
    n, sizes = len(profile), [int(own.sum()) for own in used]
    starts = np.cumsum([0, *sizes])
    total = int(starts[-1])
    slopes, values = np.zeros((total + n, total + n)), np.zeros(total + n)
    for j in range(n):
        rows = slice(starts[j], starts[j + 1])
        worth = deviation_payoffs(table, profile, j)[used[j]]
        level = float(profile[j][used[j]] @ worth)
        values[rows], values[total + j] = worth - level, profile[j].sum() - 1
        slopes[rows, total + j], slopes[total + j, rows] = -1, 1
        for i in range(n):
            if i != j:
                both = table[j]
                for k in reversed(range(n)):
                    if k not in (i, j):
                        both = np.tensordot(both, profile[k], axes=(k, 0))
                both = both if j < i else both.T
                slopes[rows, starts[i] : starts[i + 1]] = both[np.ix_(used[j], used[i])]
    step = np.linalg.lstsq(slopes, -values, rcond=None)[0]
    after = []
    for j, own in enumerate(profile):
        moved = own.copy()
        moved[used[j]] += step[starts[j] : starts[j + 1]]
        after.append(moved)
    return tuple(after)


def logit_equilibria(payoffs: Array, rationality: list[float]) -> list[Strategies]:
    """Logit equilibria on the principal branch at each λ ≥ 0 of ``rationality``, in floats.

    πʲ(aʲ) ∝ exp(λ uʲ(aʲ, π⁻ʲ)) for all agents, on the branch that starts from uniform play at λ = 0
    (McKelvey and Palfrey 1995). Where a symmetric game's branch forks, pygambit goes on along one
    side. ``tabular.equilibria.logit_stage.residual`` says how well a profile solves the equations.
    """
    if any(not 0 <= x < np.inf for x in rationality):
        raise InputError(f"rationality: {rationality}; give finite numbers of 0 or more")
    order = sorted(range(len(rationality)), key=rationality.__getitem__)
    if any(rationality[i] == rationality[j] for i, j in pairwise(order)):
        raise InputError(f"rationality: {rationality}; a number stands twice, keep one")
    uniform = tuple(np.full(size, 1 / size) for size in payoffs.shape[1:])
    answers = [uniform] * len(order)
    positive = [i for i in order if rationality[i] > 0]
    if positive:
        game = as_gambit(payoffs.astype(float))
        wanted = [float(rationality[i]) for i in positive]
        points = pygambit().qre.logit_solve_lambda(game, lam=wanted)
        for i, point in zip(positive, points, strict=True):
            answers[i] = _strategies(point.profile, exact=False)
    return answers


def _strategies(profile: Any, exact: bool) -> Strategies:
    def own(player: Any) -> Array:
        weights = [weight for _, weight in profile[player]]
        if not exact:
            return np.array([float(weight) for weight in weights])
        out = np.empty(len(weights), dtype=object)
        out[:] = [Fraction(int(w.numerator), int(w.denominator)) for w in weights]
        return out

    return tuple(own(player) for player in profile.game.players)
