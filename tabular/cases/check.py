"""The check: every bound of the library against the exact discrepancies of one case, or a batch.

``check`` returns plain data; ``as_json`` writes it in the case format (exact numbers as strings).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bounds.formula.bound import Bound
from bounds.library.published import BOUNDS
from bounds.shared.numbers import Operand
from tabular.cases.case import Case
from tabular.cases.errors import Errors, measure, profile
from tabular.cases.returns import branched_return, model_return, real_return
from tabular.cases.time_suprema import MAX_HORIZON
from tabular.games.number_text import number_text

#: Rounding of float distributions and returns: what sparse solves are asked for, and more than sums
#: of probabilities lose.
ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Verdict:
    """One bound on one case; arrays for a batch.

    value: the right-hand side, with ε_m and ε′_m as reported. discrepancy: |η − η_model| in the
    bound's convention. holds: discrepancy ≤ value. refuted: discrepancy > the right-hand side at
    the *proved* upper values of ε_m and ε′_m; not the negation of ``holds`` where those differ.
    tightness: discrepancy / value (None or NaN for 0/0). vacuous: value ≥ the largest discrepancy
    that any two returns can have in that convention.
    """

    bound: Bound
    value: Operand
    discrepancy: Operand
    holds: Any
    refuted: Any
    tightness: Operand
    vacuous: Any


@dataclass(frozen=True, eq=False)
class Check:
    """Errors, returns (un-normalised, sums from t = 0), signed discrepancies, and all verdicts.

    not_applicable: (bound, why) for the bounds whose hypotheses this case does not meet.
    """

    case: Case
    errors: Errors
    real: Operand
    model: Operand
    branched: Operand
    verdicts: tuple[Verdict, ...]
    not_applicable: tuple[tuple[Bound, str], ...]

    @property
    def model_discrepancy(self) -> Operand:
        """η − η̂."""
        return self.real - self.model

    @property
    def branched_discrepancy(self) -> Operand:
        """η − η_branch, or None."""
        return None if self.branched is None else self.real - self.branched


def check(case: Case, bounds: Sequence[Bound] = BOUNDS, *, max_horizon: int = MAX_HORIZON) -> Check:
    """Measure ``case`` and compare it with every one of ``bounds`` whose hypotheses it meets."""
    errors = measure(case, max_horizon=max_horizon)
    reported, proved = profile(case, errors), profile(case, errors, proved=True)
    real, model = real_return(case), model_return(case)
    branched = None if case.branch_length is None else branched_return(case)
    verdicts, left_out = [], []
    for bound in bounds:
        why = _inapplicable(bound, case, errors)
        if why:
            left_out.append((bound, why))
            continue
        other = model if bound.about == "model" else branched
        gap = abs(real - other)
        if bound.convention == "normalised":
            gap = gap * (1 - case.gamma)
        value, safe = bound.evaluate(reported), bound.evaluate(proved)
        largest = bound.largest(reported)
        slack = 0 if case.is_exact else _slack(case, errors.r_max, bound)
        verdicts.append(
            Verdict(
                bound=bound,
                value=value,
                discrepancy=gap,
                holds=gap <= value + slack,
                refuted=gap > safe + slack,
                tightness=_ratio(gap, value),
                vacuous=value >= largest,
            )
        )
    return Check(
        case=case,
        errors=errors,
        real=real,
        model=model,
        branched=branched,
        verdicts=tuple(verdicts),
        not_applicable=tuple(left_out),
    )


def _slack(case: Case, r_max: Operand, bound: Bound) -> Operand:
    """What a float discrepancy may exceed a valid bound by.

    If every distribution sums to 1 to within τ, one step of n policies and the dynamics is off by
    (n + 1)τ, t steps by t(n + 1)τ, and a return by at most r_max (n + 1)τ Σ γᵗ(t + 1) =
    r_max (n + 1)τ/(1 − γ)². Two returns, and the errors in the bound, are off so: 4 times.
    """
    tables = [case.initial, case.transition, case.model_transition, *case.policies]
    tables += [*case.data_policies, *(m for m in case.opponent_models if m is not None)]
    off = max(float(np.abs(np.asarray(t.sum(axis=-1)) - 1).max()) for t in tables)
    slack = 4 * (case.n + 1) * max(off, ROUNDING) * r_max / (1 - case.gamma) ** 2
    return slack * (1 - case.gamma) if bound.convention == "normalised" else slack


def _inapplicable(bound: Bound, case: Case, errors: Errors) -> str:
    if bound.about == "branched" and case.branch_length is None:
        return "the case has no branch_length"
    if "sum_n_eps_hat" in bound.symbols and case.opponent_lengths is None:
        return "the case has no opponent_lengths"
    if bound.exact_opponents and any(np.any(e > 0) for e in errors.opponent_model if e is not None):
        return "it has no opponent models, and the case's opponent models are not exact"
    return ""


def _ratio(gap: Operand, value: Operand) -> Operand:
    if np.ndim(gap) or np.ndim(value):
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(value > 0, gap / value, np.nan)
    return gap / value if value > 0 else None


def as_json(result: Check) -> dict[str, Any]:
    """The object that ``tabular check --json`` prints, as the case format defines it.

    Beyond the format: ``errors.horizon`` (for ε_m and ε′_m: null where the maximum over time is
    proved, else the largest t that was looked at, with the proved upper value beside it),
    ``errors.joint_policy_shift``, and ``not_applicable``.
    """
    errors, text = result.errors, number_text
    expected = {"model_expected_data": errors.data, "model_expected_current": errors.current}
    return {
        "exact": result.case.is_exact,
        "errors": {
            "policy_shift": [text(e) for e in errors.policy_shift],
            "opponent_model": [None if e is None else text(e) for e in errors.opponent_model],
            "joint_policy_shift": text(errors.joint_policy_shift),
            "model_sup": text(errors.model_sup),
            **{name: text(e.value) for name, e in expected.items()},
            "horizon": {
                name: None if e.horizon is None else {"t": e.horizon, "upper": text(e.upper)}
                for name, e in expected.items()
            },
        },
        "reward": {"r_max": text(errors.r_max), "span": text(errors.span)},
        "returns": {
            "real": text(result.real),
            "model": text(result.model),
            "branched": None if result.branched is None else text(result.branched),
        },
        "discrepancy": {
            "model": text(result.model_discrepancy),
            "branched": None if result.branched is None else text(result.branched_discrepancy),
        },
        "bounds": [
            {
                "name": v.bound.name,
                "source": v.bound.source,
                "about": v.bound.about,
                "convention": v.bound.convention,
                "value": text(v.value),
                "discrepancy": text(v.discrepancy),
                "holds": bool(v.holds),
                "tightness": None if v.tightness is None else text(v.tightness),
                "vacuous": bool(v.vacuous),
            }
            for v in result.verdicts
        ],
        "not_applicable": [
            {"name": bound.name, "about": bound.about, "why": why}
            for bound, why in result.not_applicable
        ],
    }
