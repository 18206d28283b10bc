"""An audit's record of each bound: games, the worst ratio, counterexamples to certify."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bounds.formula.bound import Bound
from bounds.shared.numbers import Operand
from tabular.cases.case import Case, case_at
from tabular.cases.check import Check, Verdict

#: Cases kept per bound as candidates for a certificate.
KEPT = 5


@dataclass
class Record:
    """One bound's record.

    worst: the largest discrepancy / bound; worst_stage: the stage in which it was found.
    """

    bound: Bound
    games: int = 0
    exact_games: int = 0
    worst: float = 0.0
    worst_stage: str = ""
    failed: int = 0
    counterexamples: list[tuple[float, Case]] = field(default_factory=list)
    ratios: dict[str, list[float]] = field(default_factory=dict)

    def keep(self, ratio: float, case: Case) -> None:
        """Remember a failing case; the largest ratios stay."""
        self.counterexamples.append((ratio, case))
        self.counterexamples.sort(key=lambda pair: -pair[0])
        del self.counterexamples[KEPT:]


class Tally:
    """Records of all bounds, filled check by check."""

    def __init__(self, bounds: tuple[Bound, ...]) -> None:
        self.records = {(b.name, b.about): Record(b) for b in bounds}

    def record(self, bound: Bound) -> Record:
        """The record of ``bound``."""
        return self.records[bound.name, bound.about]

    def add(self, result: Check, stage: str) -> None:
        """Count one check, or one batch of them, as seen in ``stage``."""
        for verdict in result.verdicts:
            self._add(verdict, result.case, stage)

    def _add(self, verdict: Verdict, case: Case, stage: str) -> None:
        record = self.record(verdict.bound)
        ratio = np.atleast_1d(np.asarray(_filled(verdict.tightness), dtype=float))
        refuted = np.atleast_1d(np.asarray(verdict.refuted, dtype=bool))
        record.games += ratio.size
        record.exact_games += ratio.size if case.is_exact else 0
        record.failed += int(refuted.sum())
        record.ratios.setdefault(stage, []).extend(ratio[~np.isnan(ratio)].tolist())
        if np.isnan(ratio).all():
            return
        top = int(np.nanargmax(ratio))
        if ratio[top] > record.worst:
            record.worst, record.worst_stage = float(ratio[top]), stage
        if refuted[top]:
            record.keep(float(ratio[top]), case_at(case, top) if case.is_batch else case)


def _filled(tightness: Operand) -> Operand:
    return np.nan if tightness is None else tightness
