"""The audit's rows about the coupling bounds: what is proved, and the games that attain them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from bounds.formula.bound import Bound
from bounds.library.published import find
from bounds.proofs import rollout_length, theorems
from bounds.shared.claims import Claim, Status
from bounds.shared.numbers import InputError, Operand
from tabular.audit.rows.joint_and_lengths import (
    DISCOUNTS,
    ERRORS,
    draw,
    joint_policies_claim,
    lengths_claim,
)
from tabular.cases.case import Case
from tabular.cases.check import check
from tabular.certificates.build import refutation, save
from tabular.extremal.ages import ages
from tabular.extremal.latch_and_lanes import clock, lanes, lanes_with_exploration, latch
from tabular.extremal.turns import turns
from tabular.games.number_text import short

_F = Fraction
_SOURCE = "coupling bounds, docstrings of bounds.library.coupling and tabular.extremal"

#: (name of the bound, about which return, the game that attains it)
Attained = tuple[str, str, Case]


def theory_claims(folder: Path, seed: int, count: int) -> list[Claim]:
    """All rows; ``count`` attaining games of each kind are drawn."""
    return [
        _proved(
            "theorem1-from-coupling",
            "(1 - gamma) coupling-data <= right-hand side of theorem1-normalised, for all n, gamma "
            "and errors",
            theorems.theorem1_from_coupling,
        ),
        _proved(
            "theorem2-from-coupling",
            "(1 - gamma) coupling-expected <= right-hand side of theorem2-normalised without its "
            "third term, for all n, k, gamma and errors",
            theorems.theorem2_from_coupling,
        ),
        _proved(
            "coupling-sup-monotone-in-k",
            "coupling-sup falls in k if rho > q and grows if rho < q: no inner optimum",
            theorems.sup_form_is_monotone_in_k,
        ),
        _proved(
            "coupling-sup-closed-form",
            "coupling-sup = span sum_t gamma^t (1 - c_bar x_t), x_t = q^max(t-k,0) rho^min(t,k), "
            "and x_t = rho^t unbranched",
            theorems.sup_closed_form,
        ),
        _proved(
            "coupling-expected-no-inner-optimum",
            "over k >= 1, coupling-expected is least at k = 1 or without limit on k: it may rise "
            "first, and once it falls it never rises again",
            rollout_length.expected_form_has_no_inner_optimum,
        ),
        _proved(
            "theorem2-printed-optimum",
            "the right-hand side of theorem2-printed is convex in k, and least over k >= 1 at the "
            "first k with gamma^(k+1) (2 - gamma) sum_eps_pi <= eps'_m + sum_eps_hat",
            rollout_length.printed_optimum,
        ),
        _attained("coupling-sup-attained", _latches(seed, count)),
        _attained("coupling-expected-attained", _lanes(seed, count)),
        _attained("coupling-expected-branched-attained", _ages(seed, count)),
        _attained("coupling-expected-branched-attained-with-shift", _turns(seed, count)),
        _attained("coupling-data-attained", _exploring_lanes(seed, count)),
        joint_policies_claim(seed, count),
        lengths_claim(),
        independent_form_claim(folder),
    ]


def _proved(name: str, statement: str, prove: Callable[[], theorems.Proof]) -> Claim:
    proof = prove()
    status: Status = "proved" if proof.holds else "open"
    return Claim(
        id=name,
        statement=statement,
        source=_SOURCE,
        status=status,
        evidence={"summary": proof.summary, "steps": proof.steps},
    )


def _attained(name: str, games: Iterator[Attained]) -> Claim:
    """The bound equals the discrepancy, exactly, on every game of its attaining family."""
    seen, missed, largest = 0, 0, 0
    for bound, about, case in games:
        (verdict,) = check(case, [find(bound, about)]).verdicts
        seen += 1
        missed += verdict.discrepancy != verdict.value
        largest = max(largest, case.n_states)
    return Claim(
        id=name,
        statement="the discrepancy equals the bound exactly on the family of games built for it",
        source=_SOURCE,
        status="open" if missed else "tested",
        evidence={
            "games": seen,
            "not_attained": missed,
            "summary": f"{seen:,} exact games of up to {largest} states, "
            + (f"{missed} below the bound" if missed else "tightness exactly 1 on each"),
        },
    )


def _latches(seed: int, count: int) -> Iterator[Attained]:
    rng = np.random.default_rng([seed, 6])
    for number in range(count):
        n, k = int(rng.integers(1, 4)), int(rng.integers(0, 8))
        lengths = [int(x) for x in rng.integers(0, k + 1, size=n - 1)]
        case = latch(
            DISCOUNTS[rng.integers(len(DISCOUNTS))],
            draw(rng, n),
            draw(rng, n - 1),
            draw(rng, 1)[0],
            branch_length=k,
            opponent_lengths=lengths if number % 2 else None,
        )
        yield "coupling-sup", "model", case
        yield "coupling-sup", "branched", case


def _lanes(seed: int, count: int) -> Iterator[Attained]:
    rng = np.random.default_rng([seed, 7])
    for _ in range(count):
        n = int(rng.integers(1, 4))
        error = ERRORS[1 + rng.integers(len(ERRORS) - 1)]
        gamma = DISCOUNTS[rng.integers(len(DISCOUNTS))]
        yield "coupling-expected", "model", lanes(gamma, draw(rng, n - 1), error)
        phases = int(rng.integers(1, 9))
        k = int(rng.integers(phases + 1))
        yield "coupling-expected", "branched", clock(gamma, phases, n=n, branch_length=k)


def _ages(seed: int, count: int) -> Iterator[Attained]:
    rng = np.random.default_rng([seed, 9])
    for _ in range(count):
        n, k = int(rng.integers(1, 4)), int(rng.integers(0, 9))
        gamma = DISCOUNTS[rng.integers(len(DISCOUNTS))]
        case = ages(gamma, draw(rng, n - 1), draw(rng, 1)[0], branch_length=k)
        yield "coupling-expected", "model", case
        yield "coupling-expected", "branched", case


def _turns(seed: int, count: int) -> Iterator[Attained]:
    rng = np.random.default_rng([seed, 11])
    for _ in range(count):
        n, k = int(rng.integers(1, 3)), int(rng.integers(0, 5))
        shift = [_F(int(i), 10) for i in rng.integers(1, 6, size=n)]
        error = ERRORS[1 + rng.integers(len(ERRORS) - 1)]
        gamma = DISCOUNTS[rng.integers(len(DISCOUNTS))]
        yield "coupling-expected", "branched", turns(gamma, shift, draw(rng, n - 1), error, k)


def _exploring_lanes(seed: int, count: int) -> Iterator[Attained]:
    rng = np.random.default_rng([seed, 8])
    for _ in range(count):
        n = int(rng.integers(1, 3))
        error = ERRORS[1 + rng.integers(len(ERRORS) - 1)]
        gamma = DISCOUNTS[rng.integers(len(DISCOUNTS))]
        shift, hat = draw(rng, n), draw(rng, n - 1)
        yield "coupling-data", "model", lanes_with_exploration(gamma, shift, hat, error)


def independent_form(steps: int) -> Bound:
    """The tempting form span Σ γᵗ (1 − c̄^{t+1}(1 − tε)⁺), as if action and model errors were apart.

    Written for ε = 1/steps, where (1 − tε)⁺ ends: with a finite sum and the tail γ^steps/(1 − γ).
    """

    def formula(gamma: Operand, span: Operand, c_bar: Operand, eps_m: Operand) -> Operand:
        total = gamma**steps / (1 - gamma)
        for t in range(steps):
            total = total + gamma**t * (1 - c_bar ** (t + 1) * (1 - t * eps_m))
        return span * total

    return Bound(
        name="coupling-independent-form",
        about="model",
        convention="unnormalised",
        source=_SOURCE,
        hypotheses=(),
        valid=False,
        formula=formula,
    )


def independent_form_claim(folder: Path) -> Claim:
    """Refute the tempting form on lanes: the smallest game on a grid of settings that does it."""
    tried, worst = 0, _F(0)
    best: tuple[int, Case, Bound] | None = None
    for steps, hat, gamma in product((2, 3, 4, 5, 10, 20), ERRORS[1:], DISCOUNTS[1:]):
        bound, case = independent_form(steps), lanes(gamma, [hat], _F(1, steps))
        if _F(1, steps) > 1 - hat:
            continue  # the lanes cannot spend as much
        tried += 1
        (verdict,) = check(case, [bound]).verdicts
        worst = max(worst, verdict.tightness)
        if verdict.refuted and (best is None or case.n_states < best[0]):
            best = (case.n_states, case, bound)
    statement = (
        "|real return - model return| <= span sum_t gamma^t (1 - c_bar^(t+1) max(0, 1 - t eps_m)), "
        "as if errors of actions and of the model fell independently"
    )
    evidence: dict[str, Any] = {"games": tried, "worst_ratio": float(worst)}
    evidence["summary"] = f"{tried} games, largest discrepancy / bound {float(worst):.4f}"
    status: Status = "tested"
    if best is not None:
        try:
            certificate = refutation(best[1], best[2])
        except InputError:
            certificate = None
        if certificate is not None:
            path = save(certificate, folder / "certificates" / "coupling-independent-form.json")
            status = "refuted"
            sides = [short(_F(certificate[side])) for side in ("left", "right")]
            evidence["certificate"] = path.relative_to(folder).as_posix()
            evidence["summary"] = f"{evidence['certificate']}: {sides[0]} > {sides[1]}"
    return Claim(
        id="coupling-independent-form",
        statement=statement,
        source=_SOURCE,
        status=status,
        evidence=evidence,
    )
