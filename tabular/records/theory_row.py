"""What the theory says of one ego agent at one moment of training, all of it exact.

A case holds reality, the learned dynamics and everybody's policies as tables. From it come the
paper's errors, the discrepancies that they are to bound, the bounds, and the lengths that both
planners choose. Discrepancies and bounds are of the un-normalised return from t = 0; the right-hand
sides of Theorems 1 and 2 are divided by 1 − γ, as only that reading is valid (what is printed is
``(1 − γ)`` times that).

A usage says who plays an opponent at which step of a branch of k steps:

- adaptive: nⱼ = ⌊k min ε_π̂ / ε_π̂ʲ⌋ (Section 5.1), from the exact errors;
- all-models: nⱼ = k;  all-real: nⱼ = 0;
- planned: the least ``coupling-sup`` for at most as many calls as adaptive makes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from bounds.formula.bound import Bound
from bounds.formula.error_profile import ErrorProfile
from bounds.library.published import find
from bounds.planning.opponent_lengths import allocate, paper_rule
from bounds.planning.rollout_length import Plan, plan
from tabular.cases.case import Case
from tabular.cases.errors import measure, profile
from tabular.cases.returns import branched_return, model_return, real_return


@dataclass(frozen=True)
class Usage:
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
    usages: by the names of ``USAGES``. plan: k* of both planners.
    """

    errors: ErrorProfile
    real: float
    model: float
    coupling_data: float
    coupling_expected: float
    coupling_sup: float
    theorem1: float
    usages: dict[str, Usage]
    plan: Plan

    @property
    def trivial(self) -> float:
        """The largest discrepancy that any two returns can have, span/(1 − γ)."""
        return float(self.errors.span / (1 - self.errors.gamma))


def adaptive(errors: ErrorProfile) -> tuple[int, ...]:
    """The paper's rule, for the errors' own k."""
    return paper_rule(errors.k, errors.opponent_model)


def all_models(errors: ErrorProfile) -> tuple[int, ...]:
    """Nobody is asked."""
    return (errors.k,) * (errors.n - 1)


def all_real(errors: ErrorProfile) -> tuple[int, ...]:
    """Everybody is asked in every step."""
    return (0,) * (errors.n - 1)


def planned(errors: ErrorProfile) -> tuple[int, ...]:
    """The best of the lengths that make no more calls than the paper's rule."""
    return allocate(errors, sum(errors.k - n for n in adaptive(errors))).n


USAGES: dict[str, Callable[[ErrorProfile], tuple[int, ...]]] = {
    "adaptive": adaptive,
    "all-models": all_models,
    "all-real": all_real,
    "planned": planned,
}


def measured(case: Case, k: int) -> Measured:
    """Everything about ``case``, with branches of ``k`` steps; its own lengths are not read.

    Expected errors are taken at their proved upper values, so the bounds hold in float too.
    """
    case = replace(case, branch_length=k, opponent_lengths=None)
    errors = profile(case, measure(case), proved=True)
    real = real_return(case)

    def usage(n: tuple[int, ...]) -> Usage:
        lengths: list[int | None] = list(n)
        lengths.insert(case.ego, None)
        branched = branched_return(replace(case, opponent_lengths=tuple(lengths)))
        at = errors.with_(opponent_lengths=n)
        return Usage(
            n,
            sum(k - length for length in n),
            abs(float(real - branched)),
            unnormalised(find("coupling-expected", "branched"), at),
            unnormalised(find("theorem2-opponent-wise"), at),
        )

    return Measured(
        errors,
        float(real),
        float(model_return(case)),
        unnormalised(find("coupling-data"), errors),
        unnormalised(find("coupling-expected", "model"), errors),
        unnormalised(find("coupling-sup", "model"), errors),
        unnormalised(find("theorem1-normalised"), errors),
        {name: usage(choose(errors)) for name, choose in USAGES.items()},
        plan(errors),
    )


def unnormalised(bound: Bound, errors: ErrorProfile) -> float:
    """The right-hand side of ``bound`` for the un-normalised return."""
    value: Any = bound.evaluate(errors)
    return float(value / (1 - errors.gamma) if bound.convention == "normalised" else value)
