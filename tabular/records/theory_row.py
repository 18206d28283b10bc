"""What the theory says of one ego agent at one moment of training, all of it exact.

A case holds reality, the learned dynamics and everybody's policies as tables. From it come the
paper's errors, the discrepancies that they are to bound, the bounds, and the lengths that both
planners choose. Discrepancies and bounds are of the un-normalised return from t = 0; the right-hand
sides of Theorems 1 and 2 are divided by 1 − γ, as only that reading is valid (what is printed is
``(1 − γ)`` times that).

The schemes of ``bounds.planning.schemes`` are compared at the same k, on the exact errors;
``planned`` may make as many calls as ``adaptive`` does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bounds.formula.bound import Bound
from bounds.formula.error_profile import ErrorProfile
from bounds.library.published import find
from bounds.planning.rollout_length import Plan, plan
from bounds.planning.schemes import SCHEMES, Known, adaptive
from bounds.shared.numbers import Operand
from tabular.cases.case import Case
from tabular.cases.errors import measure, profile
from tabular.cases.returns import branched_return, model_return, real_return


@dataclass(frozen=True)
class Branch:
    """Branches with the opponents' lengths ``n``, opponents in order.

    calls: Σ(k − nⱼ) a branch. discrepancy: |η − η_branch|. coupling: ``coupling-expected``.
    theorem2: the right-hand side of Theorem 2 over 1 − γ, with the opponent term Σ(nⱼ + 1)ε_π̂ʲ.
    """

    n: tuple[int, ...]
    calls: int
    discrepancy: float
    coupling: float
    theorem2: float


@dataclass(frozen=True)
class Measured:
    """One ego agent at one moment.

    errors: with k, without lengths. real, model: η and η̂. coupling_data, coupling_expected,
    coupling_sup: the coupling bounds of |η − η̂|. theorem1: its right-hand side over 1 − γ.
    branches: by the names of ``COMPARED``. plan: k* of both planners.
    """

    errors: ErrorProfile
    real: float
    model: float
    coupling_data: float
    coupling_expected: float
    coupling_sup: float
    theorem1: float
    branches: dict[str, Branch]
    plan: Plan

    @property
    def trivial(self) -> float:
        """The largest discrepancy that any two returns can have, span/(1 − γ)."""
        return float(self.errors.span / (1 - self.errors.gamma))


#: The schemes that need nothing but errors and a budget of calls; match rates are not exact.
COMPARED = {name: scheme for name, scheme in SCHEMES.items() if not scheme.match_rates}


def measured(case: Case, k: int) -> Measured:
    """Everything about ``case``, with branches of ``k`` steps; its own lengths are not read.

    Expected errors are taken at their proved upper values, so the bounds hold in float too.
    """
    case = replace(case, branch_length=k, opponent_lengths=None)
    errors = profile(case, measure(case), proved=True)
    real = real_return(case)

    def branch(n: tuple[int, ...]) -> Branch:
        lengths: list[int | None] = list(n)
        lengths.insert(case.ego, None)
        branched = branched_return(replace(case, opponent_lengths=tuple(lengths)))
        at = errors.with_(opponent_lengths=n)
        return Branch(
            n=n,
            calls=sum(k - length for length in n),
            discrepancy=abs(float(real - branched)),
            coupling=unnormalised(find("coupling-expected", "branched"), at),
            theorem2=unnormalised(find("theorem2-opponent-wise"), at),
        )

    known = Known(errors, calls=adaptive(Known(errors)).calls)
    return Measured(
        errors=errors,
        real=float(real),
        model=float(model_return(case)),
        coupling_data=unnormalised(find("coupling-data"), errors),
        coupling_expected=unnormalised(find("coupling-expected", "model"), errors),
        coupling_sup=unnormalised(find("coupling-sup", "model"), errors),
        theorem1=unnormalised(find("theorem1-normalised"), errors),
        branches={name: branch(scheme.choose(known).n) for name, scheme in COMPARED.items()},
        plan=plan(errors),
    )


def unnormalised(bound: Bound, errors: ErrorProfile) -> float:
    """The right-hand side of ``bound`` for the un-normalised return."""
    value: Operand = bound.evaluate(errors)
    return float(value / (1 - errors.gamma) if bound.convention == "normalised" else value)
