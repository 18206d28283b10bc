"""Equilibria of stage games with any number of agents, and the selected one of each.

- one agent: the actions with the largest payoff;
- two: all extreme equilibria, exactly (``support_enumeration``);
- more: all pure equilibria, exactly, then those isolated mixed ones that pygambit finds, in floats
  (``tabular.equilibria.gambit``, an optional extra); a degenerate game may have neither, and then
  the list holds the one of ``one_equilibrium`` there. Where pure ones are enough for a selection
  (``first`` in a game that has one, ``global-optimum``) pygambit is not asked.

Every function takes a batch of games ``payoffs[game, agent, a⁰, a¹, …]``.
"""

from __future__ import annotations

from fractions import Fraction
from math import prod

import numpy as np

from bounds.shared.numbers import Array, InputError
from tabular.equilibria.gambit import isolated_equilibria, one_equilibrium
from tabular.equilibria.selection import Selection, select
from tabular.equilibria.stage_game import expected_payoffs
from tabular.equilibria.support_enumeration import Equilibria, check_enumerable, support_enumeration
from tabular.games.arrays import is_exact_array

#: Largest number of joint actions of a game whose pure equilibria are looked for.
MAX_JOINT_ACTIONS = 1_000_000


def pure_equilibria(payoffs: Array) -> Equilibria:
    """All pure equilibria, in the order of the joint actions; exact comparisons, floats too."""
    actions = payoffs.shape[2:]
    stable = np.ones((len(payoffs), *actions), bool)
    for j in range(len(actions)):
        own = payoffs[:, j]
        stable &= (own == own.max(axis=j + 1, keepdims=True)).astype(bool)
    game, *played = np.nonzero(stable)
    one = Fraction(1) if is_exact_array(payoffs) else 1.0
    strategies = []
    for size, chosen in zip(actions, played, strict=True):
        own = np.full((len(game), size), one - one)
        own[np.arange(len(game)), chosen] = one
        strategies.append(own)
    at = payoffs[(game[:, None], np.arange(len(actions))[None], *(a[:, None] for a in played))]
    return Equilibria(game, tuple(strategies), at)


def all_equilibria(payoffs: Array) -> Equilibria:
    """All equilibria that can be found, see the module; grouped by game."""
    n = payoffs.shape[1]
    if n == 2:
        return support_enumeration(payoffs)
    pure = pure_equilibria(payoffs)
    return pure if n == 1 else _with_mixed(pure, payoffs, np.arange(len(payoffs)))


def selected(payoffs: Array, selection: Selection) -> Equilibria:
    """The selected equilibrium of each game, one row a game.

    Raises ``NoSuchEquilibriumError`` for a game without one.
    """
    n = payoffs.shape[1]
    if n <= 2:
        return select(all_equilibria(payoffs), payoffs, selection)
    found = pure_equilibria(payoffs)
    if selection.name == "first":
        without = np.flatnonzero(np.bincount(found.game, minlength=len(payoffs)) == 0)
        found = _with_mixed(found, payoffs, without)
    elif selection.name != "global-optimum":
        found = _with_mixed(found, payoffs, np.arange(len(payoffs)))
    return select(found, payoffs, selection)


def check_solvable(actions: tuple[int, ...]) -> None:
    """``InputError`` where games with these numbers of actions are too large for ``selected``."""
    if len(actions) == 2:
        check_enumerable(actions)
    elif prod(actions) > MAX_JOINT_ACTIONS:
        raise InputError(
            f"actions: {'x'.join(map(str, actions))} are {prod(actions)} joint actions, more than "
            f"{MAX_JOINT_ACTIONS}; use fewer agents or actions"
        )


def _with_mixed(pure: Equilibria, payoffs: Array, games: Array) -> Equilibria:
    """``pure`` and, for ``games``, the mixed equilibria by pygambit; floats where there are any."""
    index: list[int] = []
    profiles = []
    has_pure = np.bincount(pure.game, minlength=len(payoffs)) > 0
    for g in games:
        found = isolated_equilibria(payoffs[g])
        if not found and not has_pure[g]:
            found = [one_equilibrium(payoffs[g])]
        for profile in found:
            if any(np.count_nonzero(own) > 1 for own in profile):
                index.append(int(g))
                profiles.append(profile)
    if not profiles:
        return pure
    mixed = tuple(np.stack(parts) for parts in zip(*profiles, strict=True))
    floats = payoffs.astype(float)
    at = expected_payoffs(floats[index], mixed)
    game = np.concatenate([pure.game, index])
    order = np.argsort(game, kind="stable")
    together = Equilibria(
        game,
        tuple(
            np.concatenate([a.astype(float), b])
            for a, b in zip(pure.strategies, mixed, strict=True)
        ),
        np.concatenate([pure.payoffs.astype(float), at]),
    )
    return together.take(order)
