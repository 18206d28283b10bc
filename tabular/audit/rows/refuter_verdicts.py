"""The refuter's verdict on every published bound, and how loose it is, for the ledger."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from bounds.figures.looseness import table
from bounds.formula.bound import Bound
from bounds.proofs.theorems import Proof
from bounds.shared.claims import Claim, Status
from tabular.certificates.build import save
from tabular.search.refute import Result, refute


def coupled(claim: Claim, coupling: Proof) -> Claim:
    """``claim`` about a coupling bound: proved if ``coupling`` holds and no game contradicts it."""
    evidence = dict(claim.evidence)
    evidence |= {
        "summary": f"{evidence['summary']}; {coupling.summary}",
        "steps": list(coupling.steps),
    }
    return replace(claim, status=_status(claim, coupling), evidence=evidence)


def _status(claim: Claim, coupling: Proof) -> Status:
    return "proved" if claim.status == "tested" and coupling.holds else claim.status


def judged(claim: Claim, bound: Bound, folder: Path, seed: int, coupling: Proof) -> Claim:
    """``claim`` about ``bound`` with the refuter's verdict and the looseness at named settings.

    A refutation that the audit's games have missed counts; what is proved to be at least a coupling
    bound is proved where ``coupling`` holds.
    """
    result = refute(bound, seed)
    evidence = dict(claim.evidence)
    evidence["refuter"] = {
        "verdict": result.answer,
        "how": list(result.how),
        "settings": result.settings,
        "looseness": [vars(row) for row in table(bound)],
    }
    status = claim.status
    if result.answer == "valid":
        evidence["summary"] += f"; {_proved(result)}"
        status = _status(claim, coupling)
    elif result.certificate is not None and "certificate" not in evidence:
        path = save(result.certificate, folder / "certificates" / f"{claim.id}.json")
        evidence["certificate"] = path.relative_to(folder).as_posix()
        evidence["summary"] = f"{evidence['certificate']}: broken by {result.how[0]}"
        status = "refuted"
    return replace(claim, status=status, evidence=evidence)


def _proved(result: Result) -> str:
    """Which coupling bounds it was proved to dominate, in a few words."""
    names: dict[str, Any] = {}
    for step in result.how:
        names[step.rpartition(": at least ")[2].removesuffix(" to first order")] = None
    return f"proved to be at least {' or '.join(names)}"
