"""Finite stochastic games with any number of agents.

A joint action is one index a, row-major over the agents' own actions (agent 0 slowest):
a = ((a⁰ |A¹| + a¹) |A²| + a²) … ; ``joint_action`` and ``split_action`` convert.

Numbers are float64, or exact: an array of dtype object whose entries are ``fractions.Fraction``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from bounds.shared.numbers import Array, InputError, Operand, in_range
from tabular.games.arrays import check_distribution, check_finite, is_exact_array, is_sparse


@dataclass(frozen=True, eq=False)
class StochasticGame:
    """A stochastic game (S, A¹..Aⁿ, R¹..Rⁿ, T, γ) with an initial distribution.

    actions: (|A¹|, …, |Aⁿ|), n ≥ 1; the action sets may differ in size.
    transition: T, shape [s, a, s_next], or a scipy.sparse matrix of shape [s·a, s_next] whose row
        s·|A| + a is the distribution of the next state.
    reward: Rʲ, shape [agent, s, a].
    initial: distribution of s₀, shape [s].
    gamma: discount, 0 ≤ γ < 1.
    name, source, states: what the game is called, where it is from, what its states are.

    Raises ``InputError`` naming key, index and value where a shape is wrong, a number is not
    finite, or a distribution does not sum to 1 (exactly for exact numbers, to 1e-9 for floats).
    """

    actions: tuple[int, ...]
    transition: Any
    reward: Array
    initial: Array
    gamma: Operand
    name: str = ""
    source: str = ""
    states: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "gamma", in_range("gamma", self.gamma, 0, 1, open_high=True))
        check_actions(self.actions)
        n, s, a = len(self.actions), self.initial.shape[-1], self.joint_actions
        rows = (s * a, s) if is_sparse(self.transition) else (s, a, s)
        for key, array, shape in (
            ("initial", self.initial, (s,)),
            ("transition", self.transition, rows),
            ("reward", self.reward, (n, s, a)),
        ):
            if array.shape != shape:
                raise InputError(f"{key}: shape {array.shape}, and this game needs {shape}")
        check_distribution("initial", self.initial)
        check_distribution("transition", self.transition)
        check_finite("reward", self.reward)
        if self.states and len(self.states) != s:
            raise InputError(f"states: {len(self.states)} names for {s} states")

    @property
    def n(self) -> int:
        """Number of agents."""
        return len(self.actions)

    @cached_property
    def joint_actions(self) -> int:
        """|A| = Π |Aʲ|."""
        return prod(self.actions)

    @property
    def n_states(self) -> int:
        """|S|."""
        return int(self.initial.shape[-1])

    @property
    def is_exact(self) -> bool:
        """Whether all numbers are rational."""
        return is_exact_array(self.initial) and isinstance(self.gamma, Fraction)


def check_actions(actions: Sequence[int]) -> None:
    """``InputError`` unless ``actions`` holds one positive whole number an agent."""
    if not actions:
        raise InputError("actions: empty; give the number of actions of each agent")
    for j, size in enumerate(actions):
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise InputError(f"actions[{j}]: {size!r} is not a number of actions, 1 or more")


def joint_action(actions: Sequence[int], own: Sequence[int]) -> int:
    """Index of the joint action in which agent j plays ``own[j]``."""
    return int(np.ravel_multi_index(tuple(own), tuple(actions)))


def split_action(actions: Sequence[int], a: int) -> tuple[int, ...]:
    """The agents' own actions in joint action ``a``."""
    return tuple(int(i) for i in np.unravel_index(a, tuple(actions)))


def as_float(game: StochasticGame) -> StochasticGame:
    """The same game in float64."""
    if not game.is_exact:
        return game
    return replace(
        game,
        transition=game.transition.astype(float),
        reward=game.reward.astype(float),
        initial=game.initial.astype(float),
        gamma=float(game.gamma),
    )


def as_sparse(game: StochasticGame) -> StochasticGame:
    """The same float game with its transition as a CSR matrix of shape [s·a, s_next].

    For games of many states with few successors each: memory and time are those of the successors.

    >>> from tabular.games.catalogue import find
    >>> sparse = as_sparse(find("grid-game-1").build())
    >>> sparse.transition.shape, int(sparse.transition.nnz)
    ((928, 58), 928)
    """
    if is_sparse(game.transition):
        return game
    from scipy import sparse

    floats = as_float(game)
    rows = floats.transition.reshape(-1, game.n_states)
    return replace(floats, transition=sparse.csr_array(rows))
