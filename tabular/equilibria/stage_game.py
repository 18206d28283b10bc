"""Stage games: payoffs, regret, and the two kinds of equilibria that Nash Q-learning asks for.

A stage game is one table ``payoffs[agent, a⁰, a¹, …]``; a profile is one array
``strategies[j][aʲ]`` an agent, a distribution each. Floats, or exact (Fractions in object arrays);
every function takes leading batch axes before ``agent`` and before ``aʲ``. An exact game with an
exact profile is answered exactly.

The conditions are those of Hu and Wellman (2003), Nash Q-learning for general-sum stochastic games,
section 3:

- a *global optimum* is a profile at which every agent receives its highest payoff of the game;
- a *saddle point* is an equilibrium at which no agent can be hurt: whatever the others deviate to
  together, an agent that stays receives at least what it had. The others' independent mixtures are
  averages of their pure profiles, so the pure ones are enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bounds.shared.numbers import Array, InputError, Operand, is_exact, shown
from tabular.games.arrays import check_finite, check_size, exact_array

#: One array [..., aʲ] an agent.
Strategies = tuple[Array, ...]


def stage_game(payoffs: Any) -> Array:
    """``payoffs[agent, a⁰, a¹, …]`` from nested sequences or an array, checked.

    Exact if every number is an int or a Fraction, float64 otherwise. ``InputError`` where the table
    is ragged, has another number of action axes than of agents, or holds what is not a number.

    >>> stag_hunt = stage_game([[[4, 0], [3, 3]], [[4, 3], [0, 3]]])
    >>> stag_hunt.shape, stag_hunt[0, 0, 0]
    ((2, 2, 2), Fraction(4, 1))
    """
    given = payoffs if isinstance(payoffs, np.ndarray) else _nested("payoffs", payoffs)
    if given.ndim == 0 or given.ndim - 1 != len(given) or 0 in given.shape:
        raise InputError(
            f"payoffs: shape {given.shape}; give one table an agent, with one axis an agent, "
            "[agent, a0, a1, ...]"
        )
    if given.dtype.kind in "iu" or (given.dtype == object and all(map(is_exact, given.ravel()))):
        return exact_array(given)
    if given.dtype.kind not in "fO":
        raise InputError(f"payoffs: an array of {given.dtype}; give real numbers")
    try:
        table = given.astype(float)
    except (TypeError, ValueError, OverflowError):
        raise InputError("payoffs: not all entries are real numbers; correct them") from None
    check_finite("payoffs", table)
    check_size("payoffs", table)
    return table


def _nested(where: str, given: Any) -> Array:
    """Nested sequences as an object array; ``InputError`` naming the first ragged place."""
    if not isinstance(given, Sequence | np.ndarray) or isinstance(given, str):
        if isinstance(given, bool | str) or given is None:
            raise InputError(f"{where}: {shown(given)} is not a number; correct it")
        cell = np.empty((), dtype=object)
        cell[()] = given.item() if isinstance(given, np.generic) else given
        return cell
    parts = [_nested(f"{where}[{i}]", part) for i, part in enumerate(given)]
    if not parts:
        raise InputError(f"{where}: empty; give one entry an action")
    for i, part in enumerate(parts):
        if part.shape != parts[0].shape:
            raise InputError(
                f"{where}[{i}]: ragged: shape {part.shape}, and {where}[0] has {parts[0].shape}; "
                "give every agent one payoff for each joint action"
            )
    return np.stack(parts)


def expected_payoffs(payoffs: Array, strategies: Sequence[Array]) -> Array:
    """uʲ = Σ_a Π_i strategies[i][aⁱ] payoffs[j, a], shape [..., agent]."""
    return _contracted(payoffs, strategies, keep=None)


def deviation_payoffs(payoffs: Array, strategies: Sequence[Array], agent: int) -> Array:
    """What ``agent`` receives for each of its actions while the others play, shape [..., a_own]."""
    own = np.take(payoffs, [agent], axis=payoffs.ndim - len(strategies) - 1)
    return np.asarray(_contracted(own, strategies, keep=agent)[..., 0, :])


def regrets(payoffs: Array, strategies: Sequence[Array]) -> Array:
    """What each agent gains by its best deviation, shape [..., agent]; 0 at an equilibrium."""
    at = expected_payoffs(payoffs, strategies)
    best = [deviation_payoffs(payoffs, strategies, j).max(axis=-1) for j in range(len(strategies))]
    return np.asarray(np.stack(best, axis=-1) - at)


def regret(payoffs: Array, strategies: Sequence[Array]) -> Operand:
    """The largest of ``regrets``, shape [...]: a number for a single game.

    >>> from tabular.games.arrays import exact_array
    >>> stag_hunt = stage_game([[[4, 0], [3, 3]], [[4, 3], [0, 3]]])
    >>> stag, hare = exact_array([1, 0]), exact_array([0, 1])
    >>> print(regret(stag_hunt, (stag, stag)), regret(stag_hunt, (stag, hare)))
    0 3
    """
    return regrets(payoffs, strategies).max(axis=-1)


def is_global_optimum(payoffs: Array, strategies: Sequence[Array], slack: Operand = 0) -> Any:
    """Whether every agent receives its highest payoff, shape [...].

    Up to ``slack``, a number or an array [..., agent].
    """
    axes = tuple(range(-len(strategies), 0))
    best = payoffs.max(axis=axes)
    return (expected_payoffs(payoffs, strategies) >= best - np.asarray(slack)).all(axis=-1)


def is_saddle(payoffs: Array, strategies: Sequence[Array], slack: Operand = 0) -> Any:
    """Whether the profile is an equilibrium that no deviation of others hurts; shape [...].

    Both up to ``slack``, a number or an array [..., agent].
    """
    at = expected_payoffs(payoffs, strategies)
    fine = (regrets(payoffs, strategies) <= slack).all(axis=-1)
    least = at - np.asarray(slack)
    for j, own in enumerate(strategies):
        fine = fine & (_worst(payoffs, own, j, len(strategies)) >= least[..., j])
    return fine


def _worst(payoffs: Array, own: Array, agent: int, n: int) -> Array:
    """The least that ``agent`` receives for its strategy over all that the others can do."""
    table = np.take(payoffs, agent, axis=payoffs.ndim - n - 1)
    shape = [1] * n
    shape[agent] = own.shape[-1]
    kept = (table * own.reshape(*own.shape[:-1], *shape)).sum(axis=agent - n, keepdims=True)
    return np.asarray(kept.min(axis=tuple(range(-n, 0))))


def _contracted(payoffs: Array, strategies: Sequence[Array], keep: int | None) -> Array:
    """The table averaged over all agents' strategies except that of agent ``keep``."""
    n = len(strategies)
    table = payoffs
    # the last axis first, so that the axes before it keep their places
    for j in reversed(range(n)):
        if j == keep:
            continue
        own = strategies[j]
        later = 1 if keep is not None and keep > j else 0
        shape = (*own.shape[:-1], *[1] * (j + 1), own.shape[-1], *[1] * later)
        table = (table * own.reshape(shape)).sum(axis=-1 - later)
    return np.asarray(table)
