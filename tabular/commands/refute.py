"""The command ``refute`` of ``python -m tabular``: a bound written as text gets a verdict."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import tyro

from bounds.formula.error_profile import ErrorProfile
from bounds.formula.tree import formula_text
from bounds.shared.numbers import InputError, Operand, in_range, whole
from bounds.shared.text_table import aligned
from tabular.games.number_text import rational_text, short

#: Exit codes of the three answers; 2 is for what is not a bound.
CODES = {"valid": 0, "refuted": 1, "undecided": 3}


@dataclass(frozen=True)
class Refute:
    """Is a bound of your own valid? Exit code 0 valid, 1 refuted, 3 undecided, 2 not a bound.

    It is judged for all numbers of agents n >= 1, lengths k >= 0, 0 <= gamma < 1, 0 <= eps <= 1.
    Names: gamma, k, n, r_max, span, eps_m (expected model error: under the current policies about
    the branched return, under the data-collecting ones about the model return), eps_m_sup (largest
    model error), sum_eps_pi (policy shifts of all agents), eps_pi_ego, sum_eps_pi_opp, sum_eps_hat
    and max_eps_hat (opponent models). Numbers, + - * / **, min, max, exp, log, sqrt.
    """

    expression: tyro.conf.Positional[str]
    """The right-hand side, for example "span*min(1, (k*eps_m + sum_eps_hat)/(1-gamma))"."""
    about: Literal["model", "branched"]
    """Which return the bound is about: of unbranched or of k-step branched rollouts."""
    convention: Literal["unnormalised", "normalised"]
    """Whether it bounds |real - model return| or (1 - gamma) times that (sums from t = 0)."""
    exact_opponents: bool = False
    """Claim it only for opponents that are known exactly (every eps_hat is 0)."""
    out: Path | None = None
    """Folder for the certificate of a refutation, or the tightest game; left out: not written."""
    plot: Path | None = None
    """Draw how loose the bound is into this file (.png, .svg or .pdf)."""
    seed: int = 0
    """Seed of the search."""
    seconds: float = 60
    """Time for searches and proofs; once it is over the answer is undecided, and says so."""
    json: bool = False
    """Print one JSON object."""


def run_refute(command: Refute) -> int:
    """Judge one parsed bound; returns the exit code."""
    from bounds.figures.looseness import heat_map, table
    from bounds.formula.expression import written_bound
    from bounds.shared.figures import FORMATS, save
    from bounds.shared.progress import progress
    from tabular.cases.files import case_json
    from tabular.certificates.write import first_free, written
    from tabular.search.refute import refute, tightest_game

    whole("--seed", command.seed)
    in_range("--seconds", command.seconds, Fraction(1, 100), 10**6)
    bound = written_bound(command.expression, command.about, command.convention)
    bound = replace(bound, exact_opponents=command.exact_opponents)
    if command.plot is not None:
        if command.plot.exists():
            raise InputError(f"--plot: {command.plot} exists; choose another name or remove it")
        if command.plot.suffix.lower().lstrip(".") not in FORMATS:
            raise InputError(f"--plot: {command.plot}: end it in .{', .'.join(FORMATS)}")
    with progress() as bar:
        result = refute(bound, command.seed, bar, command.seconds)
    certificate = None
    if result.certificate is not None and command.out is not None:
        certificate = str(written(result.certificate, command.out, f"refuted-{command.about}"))
    picture = None if command.plot is None else str(save(heat_map(bound), command.plot))
    rows = table(bound)
    game = None
    if result.answer == "undecided" and command.out is not None:
        case = tightest_game(result)
        if case is not None:
            game = str(first_free(command.out, f"tightest-{command.about}", case_json(case)))
    if command.json:
        tightest = result.tightest
        answer = {
            "expression": formula_text(bound),
            "about": bound.about,
            "convention": bound.convention,
            "exact_opponents": bound.exact_opponents,
            "verdict": result.answer,
            "how": list(result.how),
            "certificate": certificate,
            "tightest": None
            if tightest is None
            else {
                "ratio": _finite(tightest.ratio),
                "family": tightest.family,
                "setting": _setting(tightest.setting),
                "case": game,
            },
            "settings": result.settings,
            "bound_over_discrepancy": [_finite(x) for x in result.looseness],
            "looseness": [
                {name: _finite(x) if isinstance(x, float) else x for name, x in vars(row).items()}
                for row in rows
            ],
            "plot": picture,
        }
        print(json.dumps(answer, ensure_ascii=False))
        return CODES[result.answer]
    print(f"{result.answer}: {formula_text(bound)}")
    print(f"  about the {bound.about} return, {bound.convention}")
    for step in result.how:
        print(f"  {step}")
    _print_tightest(result)
    for what, path in (("certificate", certificate), ("tightest game", game)):
        if path is not None:
            print(f"  {what}: {path}")
    if result.certificate is not None and certificate is None:
        print("  --out FOLDER writes the certificate, for python tabular/verify.py")
    print("\nbound and coupling bound as fractions of the trivial bound; at 1 it says nothing")
    lines: list[tuple[str, ...]] = [("setting", "bound", "coupling", "ratio")]
    for row in rows:
        numbers = (row.value, row.coupling, row.looseness)
        lines.append((row.setting, *(f"{x:.4g}" for x in numbers)))
    print(aligned(lines, numbers=1))
    if picture is not None:
        print(picture)
    return CODES[result.answer]


def _print_tightest(result: Any) -> None:
    if result.certificate is not None:
        left, right = result.certificate["left"], result.certificate["right"]
        print(f"  discrepancy {short(Fraction(left))} against {short(Fraction(right))}")
    tightest = result.tightest
    if tightest is not None:
        setting = _setting(tightest.setting)
        where = (
            "" if setting is None else ", ".join(f"{k} = {_shown(v)}" for k, v in setting.items())
        )
        ratio = f"{tightest.ratio:.6g}" if math.isfinite(tightest.ratio) else "infinite"
        print(f"  tightest game: {tightest.family}, discrepancy / bound {ratio}")
        if where:
            print(f"    {where}")
    if result.looseness:
        low, _, middle, _, high = result.looseness
        print(
            f"  bound / discrepancy over {result.settings:,} worst cases: least {low:.4g}, "
            f"median {middle:.4g}, largest {high:.4g}"
        )


def _shown(value: Operand | list[Operand]) -> str:
    """A number, or a list of them, in few digits."""
    if isinstance(value, list):
        return f"({' '.join(map(_shown, value))})"
    return short(Fraction(value), 4)


def _finite(x: float) -> float | None:
    """``x``, or None where it is infinite, as the bound is 0 or below."""
    return x if math.isfinite(x) else None


def _setting(profile: ErrorProfile | None) -> dict[str, Any] | None:
    """A game's parameters in words that JSON and people can read."""
    if profile is None:
        return None

    def listed(values: tuple[Operand, ...]) -> list[str]:
        return [rational_text(x) for x in values]

    numbers = {"gamma": rational_text(profile.gamma)}
    if profile.k is not None:
        numbers["k"] = str(profile.k)
    return {
        **numbers,
        "policy_shift": listed(profile.policy_shift),
        "opponent_model": listed(profile.opponent_model),
        "model_error": rational_text(profile.model_sup),
        "r_max": rational_text(profile.r_max),
        "span": rational_text(profile.span),
    }
