"""Results of a check as text for a terminal."""

from __future__ import annotations

from bounds.shared.numbers import Operand
from bounds.shared.text_table import aligned
from tabular.cases.check import Check
from tabular.cases.time_suprema import ExpectedError
from tabular.games.number_text import short


def check_table(result: Check) -> str:
    """Errors, returns and one line a bound, in aligned columns."""
    errors, case = result.errors, result.case

    def listed(values: tuple[Operand, ...]) -> str:
        return " ".join("-" if v is None else short(v) for v in values)

    def expected(error: ExpectedError) -> str:
        tail = "" if error.horizon is None else f" (largest up to t = {error.horizon})"
        return short(error.value) + tail

    head = [
        ("arithmetic", "exact" if case.is_exact else "float64"),
        ("policy shift", listed(errors.policy_shift)),
        ("opponent model", listed(errors.opponent_model)),
        ("model, sup", short(errors.model_sup)),
        ("model, data", expected(errors.data)),
        ("model, current", expected(errors.current)),
        ("reward", f"r_max {short(errors.r_max)}, span {short(errors.span)}"),
        ("return, real", short(result.real)),
        ("return, model", short(result.model)),
    ]
    if result.branched is not None:
        head.append(("return, branched", short(result.branched)))
    lines = [f"{name:<17} {text}" for name, text in head]
    rows = [("bound", "about", "convention", "discrepancy", "bound value", "tightness", "")]
    for v in result.verdicts:
        verdict = "holds" if v.holds else "FAILS"
        rows.append(
            (
                v.bound.name,
                v.bound.about,
                v.bound.convention,
                short(v.discrepancy),
                short(v.value),
                "-" if v.tightness is None else f"{float(v.tightness):.4f}",
                verdict + (", vacuous" if v.vacuous else ""),
            )
        )
    lines += ["", aligned(rows)]
    for why in dict.fromkeys(why for _, why in result.not_applicable):
        names = [bound.name for bound, reason in result.not_applicable if reason == why]
        lines.append(f"left out, because {why}: {', '.join(dict.fromkeys(names))}")
    return "\n".join(lines)
