"""Results of a check as text for a terminal."""

from __future__ import annotations

from typing import Any

from bounds.shared.numbers import Operand
from bounds.shared.text_table import aligned
from tabular.cases.branch_bias import BranchBias
from tabular.cases.check import Check
from tabular.cases.time_suprema import ExpectedError
from tabular.games.number_text import number_text, short


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


def parts_table(bias: BranchBias, ego: int) -> str:
    """The parts of the branched discrepancy, real less branched return: one line a depth."""
    agents = [j for j in range(bias.opponents.shape[1]) if j != ego]
    rows = [("branched discrepancy", "dynamics", *(f"opponent {j}" for j in agents))]
    for depth, moved in enumerate(bias.dynamics):
        played = (short(bias.opponents[depth, j]) for j in agents)
        rows.append((f"action {depth + 1}", short(moved), *played))
    totals = (short(bias.opponents[:, j].sum()) for j in agents)
    rows.append(("all actions", short(bias.dynamics.sum()), *totals))
    return (
        f"{aligned(rows)}\npolicy shift {short(bias.shift)}, in all {short(bias.total)} "
        "(real less branched return)"
    )


def parts_json(bias: BranchBias) -> dict[str, Any]:
    """The key ``parts`` of ``tabular check --parts --json``.

    policy_shift; dynamics [action − 1]; opponents [action − 1][agent], 0 for the ego; total: their
    sum, the branched discrepancy.
    """
    return {
        "policy_shift": number_text(bias.shift),
        "dynamics": [number_text(x) for x in bias.dynamics],
        "opponents": [[number_text(x) for x in row] for row in bias.opponents],
        "total": number_text(bias.total),
    }
