"""The errors that a return-discrepancy bound is stated in.

An ``ErrorProfile`` is the validated carrier of everything a bound may ask for. Agent 0 of a profile
is the ego agent i; the others are its opponents j, in order.

==========================  =============================================================
symbol of the paper         field
==========================  =============================================================
ε_π^j = max_s D_TV(π^j‖π_D^j)        ``policy_shift[j]`` (index 0 is the ego agent)
ε_π̂^j = max_s D_TV(π^j‖π̂^j)        ``opponent_model[j - 1]`` (opponents only)
ε_m  (expected, under π_D)          ``model_data``
ε′_m (expected, under π)            ``model_current``
ε_sup = max_{s,a} D_TV(T‖T̂)        ``model_sup``
==========================  =============================================================

D_TV(p‖q) = ½ Σ|p − q|. Source: Zhang et al. (IJCAI 2021), Section 4.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import Any

import numpy as np

from bounds.shared.numbers import InputError, Operand, in_range, is_exact, shown, whole

_SCALARS = (
    "gamma",
    "model_data",
    "model_current",
    "model_sup",
    "r_max",
    "span",
    "joint_policy_shift",
)


def _inexact(field: str, value: Operand) -> Operand:
    try:
        return float(value) if is_exact(value) else value
    except OverflowError:
        raise InputError(f"{field}: {shown(value)} is too large among floats") from None


@dataclass(frozen=True)
class ErrorProfile:
    """Discount, branch length and errors of one setting, or of a whole grid of settings.

    Every number may be exact (int, Fraction), a float, or a NumPy array; arrays broadcast against
    one another. Where all are exact they are kept so; one float or array among them, and the exact
    ones become floats (k and the lengths stay whole).

    gamma: discount, 0 ≤ γ < 1.
    policy_shift: ε_π of every agent, the ego agent first; its length is n ≥ 1.
    opponent_model: ε_π̂ of every opponent, in the order of ``policy_shift[1:]``; length n − 1.
    model_data, model_current, model_sup: the model errors ε_m, ε′_m, ε_sup; None where unknown (a
        bound that needs it then says so).
    k: branch length ≥ 0; None for a model return without branching.
    opponent_lengths: nⱼ of every opponent, 0..k (nⱼ = k: the model throughout); None: all k.
    r_max: max |Rⁱ| ≥ 0.
    span: max Rⁱ − min Rⁱ, at most 2 r_max; None: 2 r_max.
    joint_policy_shift: max_s D_TV of the joint policies π and π_D; None: 1 − Π(1 − ε_π), which is
        the most it can be for independent agents.

    Raises ``InputError`` naming the field and the value for anything outside these ranges.
    """

    gamma: Operand
    policy_shift: tuple[Operand, ...]
    opponent_model: tuple[Operand, ...] = ()
    model_data: Operand = None
    model_current: Operand = None
    model_sup: Operand = None
    k: Operand = None
    opponent_lengths: tuple[Operand, ...] | None = None
    r_max: Operand = 1
    span: Operand = None
    joint_policy_shift: Operand = None

    def __post_init__(self) -> None:
        def keep(field: str, value: Operand) -> None:
            object.__setattr__(self, field, value)

        keep("gamma", in_range("gamma", self.gamma, 0, 1, open_high=True))
        for field in ("policy_shift", "opponent_model"):
            given = getattr(self, field)
            if not isinstance(given, tuple | list):
                raise InputError(f"{field}: {shown(given)} is not a sequence of numbers")
            keep(field, tuple(in_range(f"{field}[{j}]", e, 0, 1) for j, e in enumerate(given)))
        if not self.policy_shift:
            raise InputError("policy_shift: empty; give one number an agent, the ego agent first")
        if len(self.opponent_model) != self.n - 1:
            raise InputError(
                f"opponent_model: {len(self.opponent_model)} numbers for {self.n - 1} opponents; "
                "give one for each agent of policy_shift after the first"
            )
        for field in ("model_data", "model_current", "model_sup", "joint_policy_shift"):
            if getattr(self, field) is not None:
                keep(field, in_range(field, getattr(self, field), 0, 1))
        if self.k is not None:
            keep("k", whole("k", self.k))
        if self.opponent_lengths is not None:
            self._check_lengths(keep)
        keep("r_max", in_range("r_max", self.r_max, 0, inf))
        if self.span is None:
            keep("span", 2 * self.r_max)
        else:
            top = inf if hasattr(self.r_max, "shape") else 2 * self.r_max
            keep("span", in_range("span", self.span, 0, top))
            if np.any(np.asarray(self.span > 2 * self.r_max)):
                raise InputError(f"span: {shown(self.span)} is more than twice r_max")
        if not all(v is None or is_exact(v) for v in self._numbers()):
            for field in _SCALARS:
                keep(field, _inexact(field, getattr(self, field)))
            for field in ("policy_shift", "opponent_model"):
                keep(field, tuple(_inexact(field, v) for v in getattr(self, field)))

    def _numbers(self) -> list[Operand]:
        scalars = [getattr(self, field) for field in (*_SCALARS, "k")]
        return [*scalars, *self.policy_shift, *self.opponent_model, *(self.opponent_lengths or ())]

    def _check_lengths(self, keep: Any) -> None:
        lengths = self.opponent_lengths
        if not isinstance(lengths, tuple | list):
            raise InputError(f"opponent_lengths: {shown(lengths)} is not a sequence of numbers")
        if self.k is None:
            raise InputError("opponent_lengths: given without k; give the branch length k as well")
        if len(lengths) != self.n - 1:
            raise InputError(
                f"opponent_lengths: {len(lengths)} numbers for {self.n - 1} opponents; "
                "give one for each opponent"
            )
        top = None if hasattr(self.k, "shape") else self.k
        kept = tuple(whole(f"opponent_lengths[{j}]", v, 0, top) for j, v in enumerate(lengths))
        for j, length in enumerate(kept):
            if np.any(np.asarray(length > self.k)):
                where = f"opponent_lengths[{j}]"
                raise InputError(f"{where}: {shown(length)} is not 0..k, and k is {shown(self.k)}")
        keep("opponent_lengths", kept)

    @property
    def n(self) -> int:
        """Number of agents."""
        return len(self.policy_shift)

    def with_(self, **changes: Operand) -> ErrorProfile:
        """A copy with some fields replaced, validated again.

        A span that is 2 r_max, as it is where none was given, follows a new r_max.
        """
        if "r_max" in changes and np.all(np.asarray(self.span == 2 * self.r_max)):
            changes = {"span": None, **changes}
        return replace(self, **changes)

    def require(self, field: str, needed_by: str) -> Operand:
        """The value of ``field``; ``InputError`` naming ``needed_by`` where it is unknown."""
        value = getattr(self, field)
        if value is None:
            raise InputError(f"{field}: not given, and {needed_by} needs it")
        return value
