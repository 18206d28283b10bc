"""The audit's rows about adaptive lengths, from recorded training on finite games.

AORPO was trained with adaptive lengths. At every epoch all schemes of
``tabular.records.theory_row`` were compared on the same networks at the same k: what differs is
only who plays an opponent at which step. Discrepancies are exact; intervals are Student's, at 95 %,
over the means of the seeds, as the epochs of one run are not independent.

With one opponent the rule gives nⱼ = k always, so it is all-models, and only games with two
opponents or more can tell them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bounds.shared.checkout import not_recorded
from bounds.shared.claims import Claim, Status
from bounds.shared.numbers import Array
from tabular.records.intervals import over_seeds
from tabular.records.theory import FOLDER, Record, load

_SOURCE = "Zhang et al., IJCAI 2021, Section 5.1 and Fig. 5"


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


def shares(record: Record, scheme: str) -> Array:
    """|η − η_branch| as a share of span/(1 − γ), [row]."""
    return np.asarray(record[f"discrepancy_{scheme}"] / record.trivial)


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
        summary = not_recorded("python notebooks/record_theory.py")
    return Claim(
        id=name,
        statement=statement,
        source=_SOURCE,
        status=status,
        evidence={"summary": summary, "games": found, "run": run},
    )
