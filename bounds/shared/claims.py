"""The claims ledger: what is claimed, where, and what a run found about it.

Format "claims-ledger/1": {"format", "claims": [{"id", "statement", "source", "status",
"evidence"}]}. A status is computed by the run that writes the ledger, never written by hand:

- proved: established symbolically by code that ran,
- tested: no counterexample; evidence says on how many games, and the worst ratio,
- refuted: evidence holds the path of a certificate that an independent checker accepted,
- open: neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bounds.shared.files import write_json
from bounds.shared.text_table import aligned

FORMAT = "claims-ledger/1"
Status = Literal["proved", "tested", "refuted", "open"]


@dataclass(frozen=True)
class Claim:
    """One row of the ledger; ``evidence`` is JSON with a ``summary`` for people."""

    id: str
    statement: str
    source: str
    status: Status
    evidence: dict[str, Any]

    @property
    def summary(self) -> str:
        """The evidence in a few words."""
        return str(self.evidence.get("summary", ""))


def ledger(claims: Sequence[Claim]) -> dict[str, Any]:
    """The ledger as a JSON object."""
    return {
        "format": FORMAT,
        "claims": [
            {
                "id": c.id,
                "statement": c.statement,
                "source": c.source,
                "status": c.status,
                "evidence": c.evidence,
            }
            for c in claims
        ],
    }


def write_ledger(claims: Sequence[Claim], path: Path) -> Path:
    """Write the ledger to ``path`` atomically."""
    return write_json(path, ledger(claims))


def table(claims: Sequence[Claim]) -> str:
    """claim | status | evidence, in aligned columns for a terminal."""
    rows = [("claim", "status", "evidence"), *((c.id, c.status, c.summary) for c in claims)]
    head, *lines = aligned(rows).splitlines()
    return "\n".join([head, "-" * max(map(len, [head, *lines])), *lines])


def markdown(claims: Sequence[Claim]) -> str:
    """The same table in Markdown."""

    def cell(text: str) -> str:
        return text.replace("|", "\\|").replace("\n", " ")

    rows = [f"| `{c.id}` | {c.status} | {cell(c.summary)} |" for c in claims]
    return "\n".join(["| claim | status | evidence |", "| --- | --- | --- |", *rows])
