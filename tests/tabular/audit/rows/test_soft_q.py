"""Rows about Theorems 6 and 7: the statuses come from the run, and fall with a wrong formula."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bounds.library import soft_q as soft
from tabular.audit.rows import soft_q as audit_soft
from tabular.audit.rows import soft_to_nash as audit_soft_nash
from tabular.soft_q import all_agents as soft_agents
from tabular.soft_q import learned_models as soft_models
from tabular.soft_q import nash_limit_fails as soft_limit
from tabular.soft_q import nash_limit_holds as soft_nash
from tabular.soft_q import one_agent as soft_q
from tabular.verify_soft import Rejected, verify

COUNT = 4


def test_rows_hold_and_certificates_are_accepted(tmp_path: Path) -> None:
    claims = {c.id: c for c in audit_soft.soft_claims(tmp_path, 1, COUNT)}
    assert {c.status for c in claims.values()} == {"proved", "tested", "refuted"}
    for claim in claims.values():
        assert claim.summary
        assert "CONTRADICTS" not in claim.summary
        if claim.status == "refuted":
            text = (tmp_path / claim.evidence["certificate"]).read_text("utf-8")
            certificate = json.loads(text)
            assert certificate["claim"] == claim.id
            left, right = verify(certificate)
            assert left > right
    assert claims["theorem7-common-payoff"].evidence["worst_ratio"] == pytest.approx(1)
    assert claims["theorem6-distance-attained"].evidence["not_attained"] == 0


def half(value: Any) -> Any:
    return value / 2


def test_a_smaller_bound_is_contradicted(monkeypatch: pytest.MonkeyPatch) -> None:
    right = soft_models.bounds_of
    monkeypatch.setattr(soft_models, "bounds_of", lambda case: tuple(map(half, right(case))))
    assert audit_soft.attained_claim(1, COUNT).status == "open"
    monkeypatch.setattr(soft_models, "bounds_of", lambda case: tuple(b / 100 for b in right(case)))
    claim = audit_soft.distance_claim(1, COUNT)
    assert claim.status == "open"
    assert "CONTRADICTS" in claim.summary


def test_a_smaller_gap_is_contradicted(monkeypatch: pytest.MonkeyPatch) -> None:
    right = soft.nash_gap
    monkeypatch.setattr(soft, "nash_gap", lambda *args: half(right(*args)))
    assert audit_soft_nash.common_claim(1, COUNT).status == "open"


def test_a_wrong_backup_is_contradicted(monkeypatch: pytest.MonkeyPatch) -> None:
    """γ forgotten, or values that expand."""
    for wrong in (
        lambda w, v: w.reward + (w.transition * v[..., None, None, None, :]).sum(axis=-1),
        lambda w, v: w.reward + 0 * v[..., None, None, :1],
    ):
        with monkeypatch.context() as patch:
            patch.setattr(soft_q, "lookahead", wrong)
            assert audit_soft.contraction_claim(1, COUNT).status == "open"


def test_wrong_learners_are_contradicted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A softmax at a tenth of the temperature is not covered by β."""
    right = soft_agents.softmax
    monkeypatch.setattr(soft_agents, "softmax", lambda u, alpha: right(u, alpha / 10))
    claims = {c.id: c for c in audit_soft.all_agents_claims(tmp_path, 1, 40)}
    assert claims["theorem6-all-agents-condition"].status == "open"


def test_a_wrong_saddle_is_contradicted(monkeypatch: pytest.MonkeyPatch) -> None:
    right = soft_nash.soft_shapley

    def shifted(*args: Any) -> Any:
        found = right(*args)
        return soft_nash.SoftShapley(
            found.values + 3 * args[-1], found.policies, found.error, found.steps
        )

    monkeypatch.setattr(soft_nash, "soft_shapley", shifted)
    assert audit_soft_nash.zero_sum_claim(1, COUNT).status == "open"


def test_models_that_do_not_learn_leave_the_row_open(monkeypatch: pytest.MonkeyPatch) -> None:
    right = soft_models._frequencies

    def stuck(game: Any, policies: Any, sizes: Any, rng: np.random.Generator) -> Any:
        return right(game, policies, [64 + i for i in range(len(sizes))], rng)

    monkeypatch.setattr(audit_soft, "RUNS", 30)
    monkeypatch.setattr(soft_models, "_frequencies", stuck)
    assert audit_soft.learned_claim(1).status == "open"


def test_a_false_certificate_stops_the_audit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wrong = soft_limit.limit_certificate(soft_limit.NO_SADDLE, "theorem7") | {"optimum": [1, 1]}
    monkeypatch.setattr(soft_limit, "limit_certificate", lambda payoffs, claim: wrong)
    with pytest.raises(Rejected):
        list(audit_soft_nash.limit_claims(tmp_path))
    assert not list(tmp_path.iterdir())
