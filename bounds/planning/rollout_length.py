"""The rollout length k that is best by the printed bound, and by the coupling bound.

All values are fractions of the trivial bound, the largest discrepancy span/(1 − γ); the printed
bound is read for the normalised return, as only that reading is valid. At 1 a bound says nothing.

- printed: argmin over k ≥ 1 of Theorem 2. Its optimum is inner only because kε′_m stands for
  min(t, k)ε′_m: the printed bound grows without limit in k, the discrepancy does not.
- coupling: argmin over k ≥ 1 of the coupling bound, sup or expected. It is 1, or there is none
  (None): in k both forms rise or fall throughout, or rise first and then fall, a theorem that
  ``bounds.proofs.theorems`` and ``bounds.proofs.rollout_length`` prove. None means that without
  limit is as good as any k.
- within 1 percent: the shortest k whose coupling bound is at most 1.01 times the best.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from bounds.formula.error_profile import ErrorProfile
from bounds.library.published import find
from bounds.shared.numbers import Array, InputError, Operand, whole

ModelErrorKind = Literal["expected", "sup"]

#: Ties in floats: values this close to the best are the best. Values are fractions of the trivial
#: bound, computed to about 10⁻¹⁵ of it.
TIE = 1e-12


@dataclass(frozen=True)
class Plan:
    """Rollout lengths and what they are worth.

    k_printed: argmin of Theorem 2; k_coupling: argmin of the coupling bound, 1 or None (no limit on
    k is best); k_within: the shortest k within 1 percent of the best coupling value.
    The values are fractions of the trivial bound, at k_printed and at k_coupling (at k_within where
    that is None). limit: the coupling bound without limit on k. best: the least coupling value.
    """

    k_printed: int
    k_coupling: int | None
    k_within: int
    printed_at_printed: float
    printed_at_coupling: float
    coupling_at_printed: float
    coupling_at_coupling: float
    limit: float
    best: float
    note: str


def curves(profile: ErrorProfile, kind: ModelErrorKind, ks: Array) -> tuple[Array, Array, Operand]:
    """(printed, coupling, limit): both bounds at the lengths ``ks``, and coupling as k → ∞.

    Fractions of the trivial bound. The model error of ``profile`` must be given in the kind asked
    for; the printed bound takes it as its ε′_m (ε_sup is never less than ε′_m).
    """
    name = f"coupling-{kind}"
    error = profile.require("model_current" if kind == "expected" else "model_sup", name)
    at = profile.with_(k=ks, model_current=error, model_sup=error, opponent_lengths=None)
    printed, coupling, unlimited = (
        find("theorem2-normalised"),
        find(name, "branched"),
        find(name, "model"),
    )
    limit = unlimited.evaluate(at.with_(k=None)) / unlimited.largest(at)
    return (
        np.asarray(printed.evaluate(at) / printed.largest(at)),
        np.asarray(coupling.evaluate(at) / coupling.largest(at)),
        limit,
    )


def plan(profile: ErrorProfile, *, kind: ModelErrorKind = "expected", max_k: int = 1000) -> Plan:
    """The rollout lengths for one setting; k runs over 1..``max_k``."""
    whole("max_k", max_k, 1, 10**6)
    if profile.r_max == 0:
        raise InputError("r_max: 0; without reward there is nothing to plan for")
    ks = np.arange(1, max_k + 1)
    printed, coupling, unlimited = curves(profile, kind, ks)
    limit = float(unlimited)
    k_printed = _first_best(printed)
    k_coupling = None if limit <= coupling[0] + TIE else 1
    best = min(float(coupling[0]), limit)
    near = np.flatnonzero(coupling <= 1.01 * best)
    k_within = int(ks[near[0]]) if near.size else max_k
    at = k_coupling or k_within
    return Plan(
        k_printed=k_printed,
        k_coupling=k_coupling,
        k_within=k_within,
        printed_at_printed=float(printed[k_printed - 1]),
        printed_at_coupling=float(printed[at - 1]),
        coupling_at_printed=float(coupling[k_printed - 1]),
        coupling_at_coupling=float(coupling[at - 1]),
        limit=limit,
        best=best,
        note=_note(printed, near, k_coupling, max_k),
    )


def _first_best(values: Array) -> int:
    """The smallest k (from 1) whose value is the least, up to ``TIE``."""
    return int(np.flatnonzero(values <= values.min() + TIE)[0]) + 1


def _note(printed: Array, near: Array, k_coupling: int | None, max_k: int) -> str:
    parts = ["values are fractions of the trivial bound, span/(1 - gamma)"]
    if printed.min() >= 1:
        parts.append("the printed bound says nothing at any k")
    if k_coupling is None:
        parts.append(
            "no k is better by the coupling bound than rollouts without limit; at_coupling_k is "
            "taken at coupling_within_1_percent"
        )
    if not near.size:
        parts.append(f"no k up to {max_k} is within 1 percent of the best; {max_k} is taken")
    return "; ".join(parts)


@dataclass(frozen=True)
class Sensitivity:
    """What planning with wrong errors costs: the plan for errors times ``factor``, used in truth.

    k: the length planned (k_within). value: the true coupling bound there.
    regret: value / best − 1.
    """

    factor: float
    k: int
    value: float
    regret: float


def sensitivity(
    profile: ErrorProfile,
    *,
    kind: ModelErrorKind = "expected",
    max_k: int = 1000,
    factors: tuple[float, ...] = (0.5, 1.0, 2.0),
) -> tuple[Sensitivity, ...]:
    """How much worse the coupling bound gets when every ε used for planning was off by a factor."""
    true = plan(profile, kind=kind, max_k=max_k)
    _, coupling, _ = curves(profile, kind, np.arange(1, max_k + 1))
    out = []
    for factor in factors:
        believed = plan(scaled(profile, factor), kind=kind, max_k=max_k)
        value = float(coupling[believed.k_within - 1])
        # rounding may leave a value below the best by one part in 10¹⁶
        regret = max(0.0, value / true.best - 1) if true.best > 0 else 0.0
        out.append(Sensitivity(factor, believed.k_within, value, regret))
    return tuple(out)


def scaled(profile: ErrorProfile, factor: float) -> ErrorProfile:
    """``profile`` with every ε multiplied by ``factor``, at most 1."""

    def scale(error: Operand) -> Operand:
        return None if error is None else np.minimum(factor * np.asarray(error, float), 1.0)[()]

    return profile.with_(
        policy_shift=tuple(map(scale, profile.policy_shift)),
        opponent_model=tuple(map(scale, profile.opponent_model)),
        model_data=scale(profile.model_data),
        model_current=scale(profile.model_current),
        model_sup=scale(profile.model_sup),
        joint_policy_shift=scale(profile.joint_policy_shift),
    )
