"""All equilibria of a game with one state, each with its returns and its checked regret.

A single state's stationary equilibria are those of its stage game: the future is worth the same
whatever is played. Of two agents all extreme equilibria, which every other one mixes; of more all
pure and all isolated mixed ones (``stage_equilibria``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bounds.shared.numbers import Array, InputError, Operand
from tabular.equilibria.exploitability import profile_values
from tabular.equilibria.stage_equilibria import all_equilibria
from tabular.equilibria.stage_game import Strategies, regret
from tabular.equilibria.verification.near_rationals import near_rationals
from tabular.equilibria.verification.payoff_sizes import centred
from tabular.equilibria.verification.rounding_check import rounding_check
from tabular.games.arrays import is_exact_array
from tabular.games.game import StochasticGame, as_float
from tabular.games.policy import Policies


@dataclass(frozen=True, eq=False)
class Listed:
    """One equilibrium of a one-state game.

    strategies: [aʲ] of each agent; values: [agent], un-normalised returns.
    regret: of the stage game, 0 where exact; regret_bound: proved, rounding included.
    verified: whether rounding explains the regret. exact: whether all numbers are rational.
    """

    strategies: Strategies
    values: Array
    regret: Operand
    regret_bound: Operand
    verified: bool
    exact: bool


def one_state_equilibria(game: StochasticGame) -> list[Listed]:
    """The list of ``game``; ``InputError`` where it has more states or is too large.

    An exact game's equilibria are exact for two agents. For more they are where the mixtures are
    rationals with small denominators.
    """
    if game.n_states != 1:
        raise InputError(
            f"game: {game.n_states} states; all equilibria are listed for one state only: leave "
            "--all out for one equilibrium by --selection"
        )
    found = all_equilibria(_stage(game if game.is_exact else centred(game))[None])
    return [_listed(game, found.profile(e)) for e in range(len(found))]


def _stage(game: StochasticGame) -> Array:
    return np.asarray(game.reward[:, 0].reshape(game.n, *game.actions))


def _listed(game: StochasticGame, strategies: Strategies) -> Listed:
    drawn = tuple(own[None] for own in strategies)
    policies: Policies | None = drawn
    if game.is_exact and not all(map(is_exact_array, strategies)):
        policies = near_rationals(drawn)  # floats, of three or more agents
    if game.is_exact and policies is not None:
        certain = tuple(own[0] for own in policies)
        gain = regret(_stage(game), certain)
        if gain == 0:
            return Listed(
                strategies=certain,
                values=profile_values(game, policies)[:, 0],
                regret=gain,
                regret_bound=gain,
                verified=True,
                exact=True,
            )
    floats = as_float(game)
    near = tuple(own.astype(float) for own in strategies)
    policies = tuple(own[None] for own in near)
    check = rounding_check(floats, policies)
    return Listed(
        strategies=near,
        values=profile_values(floats, policies)[:, 0],
        regret=float(regret(_stage(floats), near)),
        regret_bound=float(check.bound[0]),
        verified=check.holds,
        exact=False,
    )
