"""Pictures of checks: discrepancies against every bound over k and over γ, and tightness.

Every curve is a fraction of the largest discrepancy that any two returns can have, span/(1 − γ)
(times 1 − γ in the normalised convention), so that conventions are comparable: a bound at 1 or
above says nothing, and one below the black curve is refuted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bounds.formula.symbols import About
from bounds.shared.figures import curve, new_figure
from bounds.shared.numbers import Array
from tabular.cases.case import Case, as_float
from tabular.cases.check import Check, check

#: What is drawn where; too many curves hide one another.
SHOWN: dict[About, tuple[str, ...]] = {
    "branched": (
        "theorem2-printed",
        "theorem2-normalised",
        "mbpo-4.3",
        "coupling-sup",
        "coupling-expected",
    ),
    "model": (
        "theorem1-printed",
        "theorem1-normalised",
        "mbpo-4.1",
        "simulation-lemma",
        "coupling-data",
    ),
}


def over_k(case: Case, lengths: Sequence[int], title: str) -> Any:
    """Figure: the branched discrepancy of ``case`` and the bounds on it, over k in ``lengths``."""
    plain = replace(as_float(case), opponent_lengths=None)
    results = [check(replace(plain, branch_length=k)) for k in lengths]
    return _figure(np.array(lengths), results, "branched", "branch length k", title)


def over_gamma(case: Case, gammas: Array, title: str) -> Any:
    """Figure: the model discrepancy of ``case`` and the bounds on it, over the discount."""
    plain = as_float(case)
    results = [check(replace(plain, gamma=float(gamma))) for gamma in gammas]
    return _figure(gammas, results, "model", "discount γ", title)


def _figure(x: Array, results: list[Check], about: About, label: str, title: str) -> Any:
    figure, axes = new_figure()
    largest = np.array([r.errors.span / (1 - r.case.gamma) for r in results])
    gap = [r.model_discrepancy if about == "model" else r.branched_discrepancy for r in results]
    axes.plot(x, np.abs(gap) / largest, color="black", linewidth=2.6, label="exact discrepancy")
    number = 0
    for name in SHOWN[about]:
        values = [
            [v.value / v.bound.largest_of(r.errors.span, r.case.gamma) for v in r.verdicts
             if (v.bound.name, v.bound.about) == (name, about)]
            for r in results
        ]  # fmt: skip
        if all(values):
            curve(axes, x, np.array(values)[:, 0], number, name)
            number += 1
    axes.axhline(1, color="black", linewidth=0.8, linestyle=(0, (1, 1)))
    axes.annotate("a bound above this line says nothing", (x[0], 1.03), fontsize=8, va="bottom")
    axes.set_yscale("log")
    axes.set_xlabel(label)
    axes.set_ylabel("fraction of the largest possible discrepancy")
    axes.set_title(title, fontsize=9)
    figure.legend(loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return figure
