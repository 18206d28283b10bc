"""The audit's rows about adaptive lengths, from recorded training on finite games.

AORPO was trained with adaptive lengths. At every epoch all usages of ``tabular.measured`` were
compared on the same networks at the same k: what differs is only who plays an opponent at which
step. Discrepancies are exact; intervals are Student's, at 95 %, over the means of the seeds, as the
epochs of one run are not independent.

With one opponent the rule gives nⱼ = k always, so it is all-models, and only games with two
opponents or more can tell them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bounds.claims import Claim, Status
from bounds.numbers import Array
from bounds.published import find
from tabular.measured import USAGES
from tabular.training_record import FOLDER, ROUNDING, Record, load

_SOURCE = "Zhang et al., IJCAI 2021, Section 5.1 and Fig. 5"
#: Level of the intervals.
LEVEL = 0.95


@dataclass(frozen=True)
class Mean:
    """The mean over seeds of something, and its interval at ``LEVEL``."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f})"


def training_claims(folder: Path = FOLDER) -> list[Claim]:
    """Both rows; open where nothing is recorded, as in an installed package."""
    if not (folder / "manifest.json").is_file():
        return claims_of({}, ())
    return claims_of(*load(folder))


def claims_of(manifest: dict[str, Any], records: Sequence[Record]) -> list[Claim]:
    """The rows that ``records`` support."""
    telling = [record for record in records if record.opponents > 1]
    return [_beats(manifest, telling), _saves(manifest, telling)]


def _beats(manifest: dict[str, Any], records: Sequence[Record]) -> Claim:
    found: dict[str, Any] = {}
    words = []
    for record in records:
        gain = shares(record, "all-models") - shares(record, "adaptive")
        mean = over_seeds(record.by_seed(gain))
        nearer = float((gain > 0).mean())
        found[record.game] = {
            "gain": vars(mean),
            "adaptive": float(shares(record, "adaptive").mean()),
            "all_models": float(shares(record, "all-models").mean()),
            "moments": len(record),
            "nearer": nearer,
            "seeds": list(record.seeds),
        }
        words.append(
            f"{record.game}: {found[record.game]['adaptive']:.4f} against "
            f"{found[record.game]['all_models']:.4f} of span/(1 - gamma), less by {mean}, "
            f"nearer at {nearer:.0%} of {len(record)} moments"
        )
    holds = bool(found) and all(each["gain"]["low"] > 0 for each in found.values())
    return _claim(
        "adaptive-beats-all-models",
        "with two opponents or more, on average over training: at equal k and on the same networks "
        "branches with adaptive lengths have a smaller discrepancy than with models throughout",
        "tested" if holds else "open",
        manifest,
        found,
        words,
    )


def _saves(manifest: dict[str, Any], records: Sequence[Record]) -> Claim:
    found: dict[str, Any] = {}
    words = []
    holds = bool(records)
    for record in records:
        most = record.calls("all-real")
        fewer = record.calls("adaptive")
        # one of the opponents is never asked
        holds &= bool((fewer * record.opponents <= most * (record.opponents - 1)).all())
        last = record["episode"] == record["episode"].max()
        counted, real = record["calls"][last].sum(), record["calls_all_real"][last].sum()
        holds &= bool(counted * record.opponents <= real * (record.opponents - 1))
        price = over_seeds(record.by_seed(shares(record, "adaptive") - shares(record, "all-real")))
        found[record.game] = {
            "saved_by_exact_errors": float(1 - fewer.sum() / most.sum()),
            "saved_by_the_learner": float(1 - counted / real),
            "calls": int(counted),
            "calls_all_real": int(real),
            "price": vars(price),
            "seeds": list(record.seeds),
        }
        words.append(
            f"{record.game}: {found[record.game]['saved_by_the_learner']:.0%} of "
            f"{int(real):,} calls saved, for a discrepancy larger by {price} of span/(1 - gamma)"
        )
    return _claim(
        "adaptive-saves-calls",
        "at equal k adaptive lengths make at most (n - 2) k of the (n - 1) k calls a branch of "
        "all-real: the opponent with the most accurate model is never asked",
        "tested" if holds else "open",
        manifest,
        found,
        words,
    )


def shares(record: Record, usage: str) -> Array:
    """|η − η_branch| as a share of span/(1 − γ), [row]."""
    return np.asarray(record[f"discrepancy_{usage}"] / record.trivial)


def over_seeds(means: Array) -> Mean:
    """Student's interval; NaN ends with one seed."""
    from scipy import stats

    count, value = len(means), float(means.mean())
    if count < 2:
        return Mean(value, float("nan"), float("nan"))
    half = float(stats.t.ppf((1 + LEVEL) / 2, count - 1) * means.std(ddof=1) / count**0.5)
    return Mean(value, value - half, value + half)


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
    for usage in USAGES:
        lengths = tuple(record.lengths(usage).T)
        branched = at.with_(opponent_lengths=lengths)
        bound = find("coupling-expected", "branched").evaluate(branched)
        second = find("theorem2-opponent-wise").evaluate(branched) * scale
        same(f"coupling_{usage}", record[f"coupling_{usage}"], bound)
        same(f"theorem2_{usage}", record[f"theorem2_{usage}"], second)
        below(f"discrepancy <= coupling, {usage}", record[f"discrepancy_{usage}"], bound)
        below(f"coupling <= theorem 2, {usage}", bound, second)
    return found


def _claim(
    name: str,
    statement: str,
    status: Status,
    manifest: dict[str, Any],
    found: dict[str, Any],
    words: Sequence[str],
) -> Claim:
    run = {
        key: manifest.get(key)
        for key in ("command", "finished", "seeds", "seconds", "versions", "processor", "git")
    }
    if found:
        day = str(run["finished"]).split(" ")[0]
        seeds = len(run["seeds"] or ())
        summary = f"{'; '.join(words)}; {seeds} seeds, 95 % intervals, trained {day}"
    else:
        summary = "nothing recorded here: python notebooks/record_theory.py"
    return Claim(name, statement, _SOURCE, status, {"summary": summary, "games": found, "run": run})
