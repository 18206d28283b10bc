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
from tabular.equilibria.stage_game import Strategies
from tabular.games.arrays import is_exact_array

#: Largest number of support profiles Π (2^|Aʲ| − 1) of a game whose equilibria are all looked for.
MAX_SUPPORT_PROFILES = 3000


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
            f"more than {MAX_SUPPORT_PROFILES}; use tabular.equilibria.gambit.one_equilibrium "
            "for one of its equilibria, or the selection first where it has a pure one"
        )
    found = pygambit().nash.enumpoly_solve(as_gambit(payoffs)).equilibria
    return [_strategies(profile, exact=False) for profile in found]


def one_equilibrium(payoffs: Array) -> Strategies:
    """An equilibrium of one game, also of a large one.

    Two agents: by Lemke and Howson's path (``lcp``), exactly for exact payoffs. More: in floats, by
    the global Newton method (``gnm``), and where that finds none by simplicial subdivision
    (``simpdiv``), which always ends, at a regret of at most 1e-7 of the range of payoffs.
    """
    game, nash = as_gambit(payoffs), pygambit().nash
    if len(payoffs) <= 2:
        exact = is_exact_array(payoffs)
        return _strategies(nash.lcp_solve(game, rational=exact, stop_after=1).equilibria[0], exact)
    newton = nash.gnm_solve(game).equilibria
    if newton:
        return _strategies(newton[0], exact=False)
    start = game.mixed_strategy_profile(rational=True)
    return _strategies(nash.simpdiv_solve(start).equilibrium, exact=False)


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
