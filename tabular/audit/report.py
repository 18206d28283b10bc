"""The pictures and the report of an audit run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from bounds.figures.looseness import SETTINGS, heat_map
from bounds.library.published import find as bound
from bounds.shared.claims import Claim
from bounds.shared.figures import encoded, save
from bounds.shared.files import write_text
from bounds.shared.report import DataTable, Listing, Picture, page
from tabular.audit.figures import tightness
from tabular.audit.tally import Tally
from tabular.cases import figures as case_figures
from tabular.cases.files import parse_case
from tabular.cases.perturb import perturbed_case
from tabular.games.catalogue import find

_INTRODUCTION = (
    "Every bound of the library was compared with exact returns: on the named games of the "
    "catalogue, on exact games with deterministic corners, on random families in float64, and on "
    "games bred to make the bound fail. A bound is a claim about |real return &minus; model "
    "return|, in the convention it is stated for."
)


def write_report(
    folder: Path, claims: Sequence[Claim], tally: Tally, manifest: dict[str, Any]
) -> Path:
    """Draw the pictures into ``folder``/plots and write ``folder``/report.html."""
    pictures = []
    for name, title, caption, figure in _figures(folder, claims, tally):
        save(figure, folder / "plots" / f"{name}.png")
        save(figure, folder / "plots" / f"{name}.svg")
        pictures.append(Picture(title, encoded(figure, "svg"), caption))
    listings = [_certificate(folder, c) for c in claims if "certificate" in c.evidence]
    html = page(
        "The paper's bounds, audited",
        _INTRODUCTION,
        claims,
        [_looseness(claims)],
        pictures,
        listings,
        manifest,
    )
    return write_text(folder / "report.html", html)


def _looseness(claims: Sequence[Claim]) -> DataTable:
    """bound / coupling bound of every published bound at the named settings."""
    judged = [c for c in claims if "refuter" in c.evidence]
    rows = tuple(
        (
            c.id,
            c.evidence["refuter"]["verdict"],
            *(f"{row['looseness']:.3g}" for row in c.evidence["refuter"]["looseness"]),
        )
        for c in judged
    )
    return DataTable(
        "How loose the bounds are",
        "The refuter's verdict on each published bound, and how many times larger than the "
        "coupling bound of the same errors it is. Games attain that one, so 1 is the least a valid "
        "bound can be. The settings are those of bounds.figures.looseness.",
        ("bound", "verdict", *(setting.name for setting in SETTINGS)),
        rows,
    )


def _figures(
    folder: Path, claims: Sequence[Claim], tally: Tally
) -> list[tuple[str, str, str, Any]]:
    case = perturbed_case(
        find("garnet").build(),
        np.random.default_rng(0),
        model_error=Fraction(1, 50),
        policy_shift=Fraction(1, 20),
        opponent_error=Fraction(1, 50),
    )
    errors = "model error 1/50, policy shifts at most 1/20, opponent model error at most 1/50"
    figures = [
        (
            "discrepancy-over-k",
            "Discrepancy and bounds over the branch length",
            f"The catalogue's Garnet game, {errors}, γ = 9/10.",
            case_figures.over_k(case, range(31), f"garnet, γ = 0.9, {errors}"),
        ),
        (
            "discrepancy-over-gamma",
            "Discrepancy and bounds over the discount",
            f"The same game and errors, unbranched model return; {errors}.",
            case_figures.over_gamma(case, np.linspace(0, 0.99, 100), f"garnet, {errors}"),
        ),
        (
            "tightness",
            "Tightness of every bound, by kind of game",
            "Random games alone make every bound look safe: only searched games come near the "
            "valid ones and past the printed ones.",
            tightness(tally),
        ),
    ]
    for name, about in (("theorem1-normalised", "model"), ("theorem2-normalised", "branched")):
        figures.append(
            (
                f"looseness-{name}",
                f"How loose {name} is",
                f"Times the coupling bound, {about} return; hatched where it says nothing.",
                heat_map(bound(name)),
            )
        )
    refuted = next(
        (c for c in claims if c.id == "theorem1-printed" and c.status == "refuted"), None
    )
    if refuted is not None:
        certificate = json.loads((folder / refuted.evidence["certificate"]).read_text("utf-8"))
        worst = parse_case(certificate["case"])
        caption = (
            "The game of the certificate against Theorem 1 as printed: the exact discrepancy "
            "passes the printed bound, and stays below the same bound for (1 − γ) times the return."
        )
        figures.insert(
            0,
            (
                "theorem1-refuted",
                "Theorem 1 as printed fails",
                caption,
                case_figures.over_gamma(
                    worst, np.linspace(0.01, 0.99, 99), "the game that refutes Theorem 1 as printed"
                ),
            ),
        )
    return figures


def _certificate(folder: Path, claim: Claim) -> Listing:
    path = claim.evidence["certificate"]
    words = f"python -m tabular verify {path}"
    return Listing(claim.id, words, (folder / path).read_text("utf-8"))
