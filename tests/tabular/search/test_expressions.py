"""A benchmark of the refuter: 120 bounds whose truth is known, ``expressions.json``.

It was written before its author looked at the refuter's rules. Each entry is an expression, what it
is about, its convention, its truth with the reason in words, and, where it is false, a setting at
which it is: there a coupling bound, which games attain, exceeds it.
The whole of it takes minutes: nightly, the refuter decides at least 95 % and none wrongly; always,
it decides one in eight.
"""

import json
import random
from fractions import Fraction as F
from pathlib import Path
from typing import Any

import pytest

from bounds.formula.bound import Bound
from bounds.formula.error_profile import ErrorProfile
from bounds.formula.expression import written_bound
from bounds.library.published import find
from tabular import verify
from tabular.search.refute import refute

ENTRIES: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("expressions.json").read_text("utf-8")
)


def bound_of(entry: dict[str, Any]) -> Bound:
    return written_bound(entry["expression"], entry["about"], entry["convention"])


def attained(bound: Bound, p: ErrorProfile) -> Any:
    """The largest discrepancy that games with these errors reach, in the bound's convention."""
    kind = "expected" if bound.about == "branched" else "data"
    kind = "sup" if "eps_m_sup" in bound.symbols else kind
    value = find(f"coupling-{kind}", bound.about).evaluate(p)
    return value * (1 - p.gamma) if bound.convention == "normalised" else value


def profile(
    gamma: Any, policy_shift: Any, opponent_model: Any, model_error: Any, k: int | None = None
) -> ErrorProfile:
    return ErrorProfile(
        F(gamma),
        tuple(map(F, policy_shift)),
        tuple(map(F, opponent_model)),
        *[F(model_error)] * 3,
        k=k,
    )


def test_there_are_120_and_half_of_them_are_true() -> None:
    assert len({(e["expression"], e["about"], e["convention"]) for e in ENTRIES}) == 120
    assert sum(e["truth"] == "valid" for e in ENTRIES) == 60
    assert all(e["reason"] for e in ENTRIES)


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e["truth"] == "refuted"])
def test_false_ones_are_below_what_is_attained(entry: dict[str, Any]) -> None:
    bound, p = bound_of(entry), profile(**entry["at"])
    assert float(attained(bound, p)) > float(bound.evaluate(p)) * (1 + 1e-11)


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e["truth"] == "valid"])
def test_true_ones_are_not_below_it_at_random(entry: dict[str, Any]) -> None:
    bound, rng = bound_of(entry), random.Random(entry["expression"])
    errors = [F(0), F(1), F(1, 2), F(1, 10), F(1, 100), F(1, 1000)]
    for _ in range(30):
        n = rng.randint(1, 4)
        p = profile(
            rng.choice([F(0), F(1, 4), F(1, 2), F(9, 10)]),
            [rng.choice(errors) for _ in range(n)],
            [rng.choice(errors) for _ in range(n - 1)],
            rng.choice(errors),
            rng.choice([0, 0, 1, 2, 5, 20]) if bound.about == "branched" else None,
        )
        # exp, log and sqrt are floats: right to a few 2⁻⁵²
        assert float(attained(bound, p)) <= float(bound.evaluate(p)) * (1 + 1e-14)


def answer(entry: dict[str, Any]) -> str:
    """What the refuter says; a certificate is accepted and at least as bad as it says."""
    result = refute(bound_of(entry), seconds=60)
    if result.certificate is not None:
        left, right = verify.verify(json.loads(json.dumps(result.certificate)))
        assert left > right
    return result.answer


@pytest.mark.parametrize("entry", ENTRIES[::8])
def test_one_in_eight_is_decided_rightly(entry: dict[str, Any]) -> None:
    assert answer(entry) == entry["truth"]


@pytest.mark.nightly
def test_nearly_all_are_decided_and_none_wrongly() -> None:
    answers = [(answer(entry), entry["truth"]) for entry in ENTRIES]
    assert all(found in (truth, "undecided") for found, truth in answers)
    assert sum(found == truth for found, truth in answers) >= 0.95 * len(answers)
