"""Equilibria of stage games with any number of agents, and the selected one of each.

- one agent: the actions with the largest payoff;
- two: all extreme equilibria, exactly (``support_enumeration``);
- more: all pure equilibria, exactly, then those isolated mixed ones that pygambit finds, in floats
  (``tabular.equilibria.gambit``, an optional extra); a degenerate game may have neither, and then
  the list holds the one of ``one_equilibrium`` there. Where pure ones are enough for a selection
  (``first`` in a game that has one, ``global-optimum``) pygambit is not asked.

The selection ``any`` lists nothing: it takes the first pure equilibrium, and the one of
``one_equilibrium`` in games without; of two agents in a small game the first, which needs no
pygambit.

Every function takes a batch of games ``payoffs[game, agent, a⁰, a¹, …]``.
"""

from __future__ import annotations

from fractions import Fraction
from math import prod

import numpy as np

from bounds.shared.numbers import Array, InputError
from tabular.equilibria.gambit import isolated_equilibria, one_equilibrium
from tabular.equilibria.selection import Selection, select
from tabular.equilibria.stage_game import Strategies, expected_payoffs
from tabular.equilibria.support_enumeration import (
    Equilibria,
    check_enumerable,
    is_enumerable,
    support_enumeration,
)
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
    if n == 1 or (n == 2 and (selection.name != "any" or is_enumerable(payoffs.shape[2:]))):
        return select(all_equilibria(payoffs), payoffs, selection)
    found = pure_equilibria(payoffs)
    if selection.name == "any":
        return select(_with_one(found, payoffs), payoffs, selection)
    if selection.name == "first":
        without = np.flatnonzero(np.bincount(found.game, minlength=len(payoffs)) == 0)
        found = _with_mixed(found, payoffs, without)
    elif selection.name != "global-optimum":
        found = _with_mixed(found, payoffs, np.arange(len(payoffs)))
    return select(found, payoffs, selection)


def check_solvable(actions: tuple[int, ...], selection: Selection) -> None:
    """``InputError`` where games with these numbers of actions are too large for ``selected``."""
    if len(actions) == 2 and selection.name != "any":
        check_enumerable(actions)
    elif prod(actions) > MAX_JOINT_ACTIONS:
        raise InputError(
            f"actions: {'x'.join(map(str, actions))} are {prod(actions)} joint actions, more than "
            f"{MAX_JOINT_ACTIONS}; use fewer agents or actions"
        )


def _with_one(pure: Equilibria, payoffs: Array) -> Equilibria:
    """``pure``, and one equilibrium of each game without."""
    lacking = np.flatnonzero(np.bincount(pure.game, minlength=len(payoffs)) == 0)
    if not lacking.size:
        return pure
    profiles = [one_equilibrium(payoffs[g]) for g in lacking]
    exact = all(is_exact_array(own) for profile in profiles for own in profile)
    return _joined(pure, payoffs, lacking.tolist(), profiles, exact=exact)


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
    return _joined(pure, payoffs, index, profiles, exact=False) if profiles else pure


def _joined(
    pure: Equilibria, payoffs: Array, index: list[int], profiles: list[Strategies], *, exact: bool
) -> Equilibria:
    """``pure`` and the ``profiles`` of games ``index``, grouped by game; Fractions or floats."""
    kind: type = object if exact else float
    mixed: Strategies = tuple(np.stack(parts).astype(kind) for parts in zip(*profiles, strict=True))
    at = expected_payoffs(payoffs[index].astype(kind), mixed)
    game = np.concatenate([pure.game, index])
    together = Equilibria(
        game,
        tuple(
            np.concatenate([a.astype(kind), b]) for a, b in zip(pure.strategies, mixed, strict=True)
        ),
        np.concatenate([pure.payoffs.astype(kind), at]),
    )
    return together.take(np.argsort(game, kind="stable"))
