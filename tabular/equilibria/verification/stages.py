"""The selected equilibria of all stage games of a stochastic game at given values."""

from __future__ import annotations

import numpy as np

from bounds.shared.numbers import Array, InputError
from tabular.equilibria.exploitability import stage_payoffs, stage_tables
from tabular.equilibria.selection import NoSuchEquilibriumError, Selection
from tabular.equilibria.stage_equilibria import selected
from tabular.equilibria.verification.payoff_sizes import rounded
from tabular.games.arrays import is_sparse
from tabular.games.game import StochasticGame
from tabular.games.policy import Policies


def stage_equilibria(
    game: StochasticGame, values: Array, selection: Selection, iteration: int
) -> tuple[Policies, Array]:
    """The selected equilibria at ``values`` [agent, s], and their payoffs [agent, s].

    Float stage games are rounded first. ``InputError`` naming the state of a stage game without
    such an equilibrium.
    """
    payoffs = stage_payoffs(game, values)
    if not game.is_exact:
        payoffs = rounded(payoffs, stage_tables(game, np.abs(game.reward), np.abs(values)))
    return _selected(game, payoffs, selection, iteration)


def unrounded_equilibria(
    game: StochasticGame, values: Array, selection: Selection
) -> tuple[Policies, Array]:
    """The same without rounding; in each state values count from the state's own.

    What all joint actions have in common changes no equilibrium, and differences of large values
    that nearly agree lose nothing.
    """
    policies, payoffs = _selected(game, relative_payoffs(game, values), selection, 0)
    return policies, payoffs + game.gamma * values


def relative_payoffs(game: StochasticGame, values: Array) -> Array:
    """reward + γ Σ_{s_next} transition (values[s_next] − values[s]), [s, agent, a⁰, a¹, …]."""
    if is_sparse(game.transition):
        whole = stage_payoffs(game, values)
        own = (game.gamma * values).T
        return np.asarray(whole - own.reshape(*own.shape, *[1] * game.n))
    ahead = [
        np.einsum("sat,st->sa", game.transition, own[None, :] - own[:, None]) for own in values
    ]
    worth = game.reward + game.gamma * np.stack(ahead)
    return np.asarray(worth.swapaxes(0, 1).reshape(game.n_states, game.n, *game.actions))


def _selected(
    game: StochasticGame, payoffs: Array, selection: Selection, iteration: int
) -> tuple[Policies, Array]:
    try:
        chosen = selected(payoffs, selection)
    except NoSuchEquilibriumError as error:
        state = f"{error.game} ({game.states[error.game]})" if game.states else f"{error.game}"
        raise InputError(
            f"selection: {selection}: stage game of state {state} in iteration {iteration}: "
            f"{error.why}"
        ) from None
    return chosen.strategies, np.asarray(chosen.payoffs.T)
