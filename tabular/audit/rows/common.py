"""How the audit's rows about Theorems 6 and 7 are made: proved and measured, or certified."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bounds.proofs.theorems import Proof
from bounds.shared.claims import Claim, Status
from bounds.shared.files import write_json
from tabular import verify_soft

PAPER = "Zhang et al., IJCAI 2021, Section 5.2"
SIX, SEVEN = f"{PAPER}, Theorem 6", f"{PAPER}, Theorem 7"
TEMPERATURES = (0.0, 0.01, 0.1, 1.0, 10.0)
#: Room for rounding in ratios to bounds: values reach 10³ and systems 1/(1 − γ) = 100, so that
#: errors are about 10⁻¹¹, and the least bounds are about 10⁻⁴.
ROUNDING = 1e-6


def claim(
    name: str, statement: str, source: str, status: Status, evidence: dict[str, Any]
) -> Claim:
    """A row about our reading of ``source``."""
    return Claim(
        id=name,
        statement=statement,
        source=source + ", our reading",
        status=status,
        evidence=evidence,
    )


def proved(
    name: str,
    statement: str,
    source: str,
    prove: Callable[[], Proof],
    measured: bool,
    evidence: dict[str, Any],
    words: str,
) -> Claim:
    """Proved if the proof holds and what was measured agrees with it; open otherwise."""
    proof = prove()
    words = words if measured else f"{words}, which CONTRADICTS it"
    summary = f"{proof.summary}; {words}" if words else proof.summary
    status: Status = "proved" if proof.holds and measured else "open"
    steps = {"summary": summary, "steps": list(proof.steps)}
    return claim(name, statement, source, status, evidence | steps)


def refuted(
    name: str, statement: str, source: str, folder: Path, certificate: dict[str, Any], words: str
) -> Claim:
    """Write ``certificate`` after the independent checker has accepted it."""
    left, right = verify_soft.verify(json.loads(json.dumps(certificate)))
    path = write_json(folder / "certificates" / f"{name}.json", certificate)
    relative = path.relative_to(folder).as_posix()
    evidence = {
        "certificate": relative,
        "left": float(left),
        "right": float(right),
        "summary": f"{relative}: {words}",
    }
    return claim(name, statement, source, "refuted", evidence)
