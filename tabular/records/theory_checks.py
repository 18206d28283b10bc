"""Recorded training on finite games, checked row by row: discrepancy ≤ coupling ≤ printed."""

from __future__ import annotations

import numpy as np

from bounds.library.published import find
from bounds.shared.numbers import Array
from tabular.records.theory import ROUNDING, Record


def broken(record: Record) -> list[str]:
    """What of discrepancy ≤ coupling ≤ printed fails in ``record``, as the ledger has it.

    Bounds are computed anew from the recorded errors. As those are rounded to ten digits, a bound
    may be off by (n + 2)/(1 − γ) such roundings of itself or of the largest discrepancy.
    """
    at, trivial, scale = record.profile, record.trivial, 1 / (1 - record["gamma"])
    off = (record.opponents + 3) * scale * ROUNDING
    found: list[str] = []

    def below(what: str, low: Array, high: Array) -> None:
        rows = np.flatnonzero(low > high + off * np.maximum(high, trivial))
        if rows.size:
            row = int(rows[0])
            found.append(f"{record.game}, row {row}: {what}: {low[row]} > {high[row]}")

    def same(what: str, one: Array, other: Array) -> None:
        below(f"recorded {what}", one, other)
        below(f"{what} computed anew", other, one)

    gap = np.abs(record["real"] - record["model"])
    first = find("theorem1-normalised").evaluate(at) * scale
    coupling = {
        "coupling_data": find("coupling-data").evaluate(at),
        "coupling_expected": find("coupling-expected", "model").evaluate(at),
        "coupling_sup": find("coupling-sup", "model").evaluate(at),
    }
    same("theorem1", record["theorem1"], first)
    for name, value in coupling.items():
        same(name, record[name], value)
        below(f"|real - model| <= {name}", gap, value)
        below(f"{name} <= trivial", value, trivial)
    below("coupling_data <= theorem 1", coupling["coupling_data"], first)
    for scheme in record.schemes:
        lengths = tuple(record.lengths(scheme).T)
        branched = at.with_(opponent_lengths=lengths)
        bound = find("coupling-expected", "branched").evaluate(branched)
        second = find("theorem2-opponent-wise").evaluate(branched) * scale
        same(f"coupling_{scheme}", record[f"coupling_{scheme}"], bound)
        same(f"theorem2_{scheme}", record[f"theorem2_{scheme}"], second)
        below(f"discrepancy <= coupling, {scheme}", record[f"discrepancy_{scheme}"], bound)
        below(f"coupling <= theorem 2, {scheme}", bound, second)
    return found
