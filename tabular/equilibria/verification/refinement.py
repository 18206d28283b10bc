"""Float policies of a stochastic game made as good as rounding allows, and checked.

What value iteration leaves is an equilibrium of stage games that were rounded, at values that had
almost converged. Where ``rounding_check`` finds more regret than rounding explains, these are tried
in turn, and the best policies are kept:

1. the selected equilibria of the unrounded stage games at the policies' own values, again and again
   while that helps (near a solution it converges like Newton's method, if it does);
2. value iteration without rounding;
3. the same as 1 with values and stage games in exact numbers: the rationals that the floats are.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from bounds.shared.numbers import Array, InputError
from tabular.equilibria.exploitability import profile_values, stage_payoffs
from tabular.equilibria.verification.rounding_check import RoundingCheck, rounding_check
from tabular.games.arrays import exact_array, is_sparse
from tabular.games.game import StochasticGame
from tabular.games.policy import Policies

#: Most rounds of 1 and of 3; most steps of 2, and how often they are checked.
ROUNDS, EXACT_ROUNDS, STEPS, EVERY = 12, 4, 1000, 50
#: Largest game of which 3 is tried: states times joint actions, states.
MAX_EXACT_TABLE, MAX_EXACT_STATES = 4000, 60

#: The selected equilibria, [s, aʲ] of each agent, and their payoffs [agent, s]: of a game's stage
#: games at values [agent, s], or of given exact stage games.
Step = Callable[[Array], tuple[Policies, Array]]
Stages = Callable[[Array], Policies]
Kept = tuple[Policies, RoundingCheck]


def refined(
    game: StochasticGame, policies: Policies, step: Step, exact_stages: Stages
) -> tuple[Policies, RoundingCheck]:
    """``policies``, or better ones, and their check.

    ``step`` selects at values of ``game``, ``exact_stages`` in exact tables [s, agent, a⁰, a¹, …].
    """
    best = policies, rounding_check(game, policies)
    attempts: tuple[Callable[[Kept], Kept], ...] = (
        lambda kept: _evaluated(game, kept, step),
        lambda kept: _iterated(game, kept, step),
        lambda kept: _exactly(game, kept, exact_stages),
    )
    for attempt in attempts:
        if best[1].holds:
            break
        try:
            best = attempt(best)
        except InputError:  # a stage game without the wanted equilibrium: what there is stays
            continue
    return best


def _better(game: StochasticGame, policies: Policies, best: Kept) -> Kept:
    found = policies, rounding_check(game, policies)
    return found if found[1].excess < best[1].excess else best


def _evaluated(game: StochasticGame, best: Kept, step: Step) -> Kept:
    for _ in range(ROUNDS):
        after = _better(game, step(best[1].values)[0], best)
        if after is best or after[1].holds:
            return after
        best = after
    return best


def _iterated(game: StochasticGame, best: Kept, step: Step) -> Kept:
    values = best[1].values
    for number in range(1, STEPS + 1):
        policies, values = step(values)
        if number % EVERY == 0:
            best = _better(game, policies, best)
            if best[1].holds:
                break
    return best


def _exactly(game: StochasticGame, best: Kept, stages: Stages) -> Kept:
    table = game.n_states * game.joint_actions
    if is_sparse(game.transition) or table > MAX_EXACT_TABLE or game.n_states > MAX_EXACT_STATES:
        return best
    certain = as_exact(game)
    for _ in range(EXACT_ROUNDS):
        values = profile_values(certain, [_divided(exact_array(own)) for own in best[0]])
        chosen = stages(stage_payoffs(certain, values))
        after = _better(game, tuple(own.astype(float) for own in chosen), best)
        if after is best or after[1].holds:
            return after
        best = after
    return best


def as_exact(game: StochasticGame) -> StochasticGame:
    """The rationals that a dense float game's numbers are, distributions divided by their sums."""
    return StochasticGame(
        actions=game.actions,
        transition=_divided(exact_array(game.transition)),
        reward=exact_array(game.reward),
        initial=_divided(exact_array(game.initial)),
        gamma=Fraction(float(game.gamma)),
        states=game.states,
    )


def _divided(rows: Array) -> Array:
    return np.asarray(rows / rows.sum(axis=-1, keepdims=True))
