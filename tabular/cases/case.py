"""A case: everything that a check of a return-discrepancy bound needs.

Reality is (T, π), the data were collected by π_D in T, the learned world is (T̂, πⁱ, π̂⁻ⁱ). Only the
ego agent's reward matters. The arrays may carry leading batch axes: thousands of small cases that
share γ, the action sets, the ego agent and the lengths are then checked in one call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from bounds.shared.numbers import Array, InputError, Operand, in_range, whole
from tabular.games.arrays import (
    check_distribution,
    check_finite,
    check_size,
    is_exact_array,
    is_sparse,
)
from tabular.games.game import StochasticGame, check_actions
from tabular.games.policy import Policies, joint_policy, replaced


@dataclass(frozen=True, eq=False)
class Case:
    """One game as reality and as model, with current, data-collecting and modelled policies.

    Index meanings, all after optional batch axes:

    gamma: 0 ≤ γ < 1; actions: (|A¹|, …, |Aⁿ|); ego: index of the ego agent i.
    initial: distribution of s₀ [s].
    transition: T [s, a, s_next] or CSR [s·a, s_next]; model_transition: T̂, the same shape.
    reward: the ego agent's R [s, a].
    policies, data_policies: π and π_D, one array [s, aʲ] an agent.
    opponent_models: π̂, one array [s, aʲ] an agent; None for the ego agent and for an opponent that
        is not modelled, whose real policy is used.
    branch_length: k ≥ 0, or None: no branched return.
    opponent_lengths: nⱼ in 0..k an agent (None for the ego agent), or None: all k.

    Raises ``InputError`` naming key, index and value of what is wrong.
    """

    gamma: Operand
    actions: tuple[int, ...]
    ego: int
    initial: Array
    transition: Any
    reward: Array
    policies: Policies
    data_policies: Policies
    model_transition: Any
    opponent_models: tuple[Array | None, ...]
    branch_length: int | None = None
    opponent_lengths: tuple[int | None, ...] | None = None
    note: str = field(default="", compare=False)
    source: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "gamma", in_range("gamma", self.gamma, 0, 1, open_high=True))
        check_actions(self.actions)
        whole("ego", self.ego, 0, self.n - 1)
        check_distribution("initial", self.initial)
        batch, s = self.initial.shape[:-1], self.n_states
        rows = (s * self.joint_actions, s)
        full = rows if is_sparse(self.transition) else (*batch, s, self.joint_actions, s)
        for key in ("transition", "model_transition"):
            _check_shape(key, getattr(self, key), full)
            check_distribution(key, getattr(self, key))
        _check_shape("reward", self.reward, (*batch, s, self.joint_actions))
        check_finite("reward", self.reward)
        check_size("reward", self.reward)
        for key in ("policies", "data_policies", "opponent_models"):
            self._check_policies(key, batch)
        self._check_lengths()
        object.__setattr__(self, "gamma", self.gamma if self.is_exact else float(self.gamma))

    def _check_policies(self, key: str, batch: tuple[int, ...]) -> None:
        given = getattr(self, key)
        if len(given) != self.n:
            raise InputError(f"{key}: {len(given)} entries for {self.n} agents; give one for each")
        for j, policy in enumerate(given):
            where = f"{key}[{j}]"
            if policy is None:
                if key != "opponent_models":
                    raise InputError(f"{where}: missing; give a policy for every agent")
                continue
            if key == "opponent_models" and j == self.ego:
                raise InputError(f"{where}: the ego agent has no opponent model; write null")
            _check_shape(where, policy, (*batch, self.n_states, self.actions[j]))
            check_distribution(where, policy)

    def _check_lengths(self) -> None:
        if self.branch_length is not None:
            whole("branch_length", self.branch_length)
        if self.opponent_lengths is None:
            return
        if self.branch_length is None:
            raise InputError("opponent_lengths: given without branch_length; give k as well")
        if len(self.opponent_lengths) != self.n:
            raise InputError(
                f"opponent_lengths: {len(self.opponent_lengths)} entries for {self.n} agents; "
                "give one for each, null for the ego agent"
            )
        for j, length in enumerate(self.opponent_lengths):
            where = f"opponent_lengths[{j}]"
            if j == self.ego:
                if length is not None:
                    raise InputError(f"{where}: {length} for the ego agent; write null")
            elif length is None:
                raise InputError(f"{where}: null for an opponent; give 0..{self.branch_length}")
            else:
                whole(where, length, 0, self.branch_length)

    @property
    def n(self) -> int:
        """Number of agents."""
        return len(self.actions)

    @property
    def n_states(self) -> int:
        """|S|."""
        return int(self.initial.shape[-1])

    @cached_property
    def joint_actions(self) -> int:
        """|A| = Π |Aʲ|."""
        return prod(self.actions)

    @cached_property
    def is_exact(self) -> bool:
        """Whether every number is rational; otherwise everything is computed in float64."""
        arrays = [self.initial, self.transition, self.reward, self.model_transition]
        arrays += [*self.policies, *self.data_policies]
        arrays += [model for model in self.opponent_models if model is not None]
        return isinstance(self.gamma, int | Fraction) and all(map(is_exact_array, arrays))

    @property
    def is_batch(self) -> bool:
        """Whether the arrays carry batch axes."""
        return self.initial.ndim > 1

    @property
    def opponents(self) -> tuple[int, ...]:
        """Indices of the agents other than the ego agent."""
        return tuple(j for j in range(self.n) if j != self.ego)

    @property
    def joint(self) -> Array:
        """π(a|s) [s, a], everyone's current policy."""
        return joint_policy(self.policies)

    @property
    def joint_data(self) -> Array:
        """π_D(a|s) [s, a], everyone's data-collecting policy."""
        return joint_policy(self.data_policies)

    @property
    def joint_model(self) -> Array:
        """πⁱ(aⁱ|s) π̂⁻ⁱ(a⁻ⁱ|s) [s, a]: the ego agent among its opponent models."""
        return joint_policy(replaced(self.policies, self.opponent_models))

    def lengths(self) -> tuple[int, ...]:
        """nⱼ of every agent, k where not given (and for the ego agent)."""
        k = self.branch_length
        assert k is not None
        given = self.opponent_lengths or (None,) * self.n
        return tuple(k if length is None else length for length in given)

    def joint_after_branch(self, step: int) -> Array:
        """The joint policy [s, a] of action number ``step`` after the branch, from 1 on.

        Opponent j's action comes from its model if step ≤ nⱼ or nⱼ = k, else from the real one.
        """
        k = self.branch_length
        modelled = (
            model if step <= length or length == k else None
            for model, length in zip(self.opponent_models, self.lengths(), strict=True)
        )
        return joint_policy(replaced(self.policies, tuple(modelled)))


def case_of(
    game: StochasticGame,
    ego: int,
    policies: Sequence[Array],
    *,
    data_policies: Sequence[Array] | None = None,
    model_transition: Any = None,
    opponent_models: Sequence[Array | None] | None = None,
    branch_length: int | None = None,
    opponent_lengths: Sequence[int | None] | None = None,
    note: str = "",
) -> Case:
    """The case of ``game`` for agent ``ego``; what is left out is free of error."""
    whole("ego", ego, 0, game.n - 1)
    return Case(
        gamma=game.gamma,
        actions=game.actions,
        ego=ego,
        initial=game.initial,
        transition=game.transition,
        reward=game.reward[ego],
        policies=tuple(policies),
        data_policies=tuple(policies if data_policies is None else data_policies),
        model_transition=game.transition if model_transition is None else model_transition,
        opponent_models=tuple((None,) * game.n if opponent_models is None else opponent_models),
        branch_length=branch_length,
        opponent_lengths=None if opponent_lengths is None else tuple(opponent_lengths),
        note=note,
        source=game.source,
    )


def case_at(batch: Case, index: int) -> Case:
    """Case number ``index`` of a batch with one batch axis."""

    def pick(arrays: Sequence[Array | None]) -> tuple[Any, ...]:
        return tuple(None if a is None else a[index] for a in arrays)

    return Case(
        gamma=batch.gamma,
        actions=batch.actions,
        ego=batch.ego,
        initial=batch.initial[index],
        transition=batch.transition[index],
        reward=batch.reward[index],
        policies=pick(batch.policies),
        data_policies=pick(batch.data_policies),
        model_transition=batch.model_transition[index],
        opponent_models=pick(batch.opponent_models),
        branch_length=batch.branch_length,
        opponent_lengths=batch.opponent_lengths,
    )


def as_float(case: Case) -> Case:
    """The same case in float64."""

    def number(array: Array | None) -> Any:
        return None if array is None else array.astype(float)

    return replace(
        case,
        gamma=float(case.gamma),
        initial=number(case.initial),
        transition=number(case.transition),
        model_transition=number(case.model_transition),
        reward=number(case.reward),
        policies=tuple(map(number, case.policies)),
        data_policies=tuple(map(number, case.data_policies)),
        opponent_models=tuple(map(number, case.opponent_models)),
    )


def _check_shape(key: str, array: Any, shape: tuple[int, ...]) -> None:
    if not (isinstance(array, np.ndarray) or is_sparse(array)) or array.shape != shape:
        found = getattr(array, "shape", type(array).__name__)
        raise InputError(f"{key}: shape {found}, and this case needs {shape}")
