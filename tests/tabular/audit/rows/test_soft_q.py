"""Rows about Theorems 6 and 7: the statuses come from the run, and fall with a wrong formula."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bounds.library import soft_q
from tabular.audit.rows import soft_q as soft_q_rows
from tabular.audit.rows import soft_to_nash
from tabular.soft_q import all_agents, learned_models, nash_limit_fails, nash_limit_holds, one_agent
from tabular.verify_soft import Rejected, verify

COUNT = 4


def test_rows_hold_and_certificates_are_accepted(tmp_path: Path) -> None:
    claims = {c.id: c for c in soft_q_rows.soft_claims(tmp_path, 1, COUNT)}
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
    assert claims["theorem7"].evidence["worst_ratio"] == pytest.approx(1)
    assert claims["theorem6-distance-attained"].evidence["not_attained"] == 0


def half(value: Any) -> Any:
    return value / 2


def test_a_smaller_bound_is_contradicted(monkeypatch: pytest.MonkeyPatch) -> None:
    right = learned_models.bounds_of
    monkeypatch.setattr(learned_models, "bounds_of", lambda case: tuple(map(half, right(case))))
    assert soft_q_rows.attained_claim(1, COUNT).status == "open"
    monkeypatch.setattr(
        learned_models, "bounds_of", lambda case: tuple(b / 100 for b in right(case))
    )
    claim = soft_q_rows.distance_claim(1, COUNT)
    assert claim.status == "open"
    assert "CONTRADICTS" in claim.summary


def test_a_smaller_gap_is_contradicted(monkeypatch: pytest.MonkeyPatch) -> None:
    right = soft_q.nash_gap
    monkeypatch.setattr(soft_q, "nash_gap", lambda *args: half(right(*args)))
    assert soft_to_nash.common_claim(1, COUNT).status == "open"


def test_a_wrong_backup_is_contradicted(monkeypatch: pytest.MonkeyPatch) -> None:
    """γ forgotten, or values that expand."""
    for wrong in (
        lambda w, v: w.reward + (w.transition * v[..., None, None, None, :]).sum(axis=-1),
        lambda w, v: w.reward + 0 * v[..., None, None, :1],
    ):
        with monkeypatch.context() as patch:
            patch.setattr(one_agent, "lookahead", wrong)
            assert soft_q_rows.contraction_claim(1, COUNT).status == "open"


def test_wrong_learners_are_contradicted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A softmax at a tenth of the temperature is not covered by β."""
    right = all_agents.softmax
    monkeypatch.setattr(all_agents, "softmax", lambda u, alpha: right(u, alpha / 10))
    claims = {c.id: c for c in soft_q_rows.all_agents_claims(tmp_path, 1, 40)}
    assert claims["theorem6-all-agents-condition"].status == "open"


def test_a_wrong_saddle_is_contradicted(monkeypatch: pytest.MonkeyPatch) -> None:
    right = nash_limit_holds.soft_shapley

    def shifted(*args: Any) -> Any:
        found = right(*args)
        return nash_limit_holds.SoftShapley(
            found.values + 3 * args[-1], found.policies, found.error, found.steps
        )

    monkeypatch.setattr(nash_limit_holds, "soft_shapley", shifted)
    assert soft_to_nash.zero_sum_claim(1, COUNT).status == "open"


def test_models_that_do_not_learn_leave_the_row_open(monkeypatch: pytest.MonkeyPatch) -> None:
    right = learned_models._frequencies

    def stuck(game: Any, policies: Any, sizes: Any, rng: np.random.Generator) -> Any:
        return right(game, policies, [64 + i for i in range(len(sizes))], rng)

    monkeypatch.setattr(soft_q_rows, "RUNS", 30)
    monkeypatch.setattr(learned_models, "_frequencies", stuck)
    assert soft_q_rows.learned_claim(1, games=2).status == "open"


def test_a_false_certificate_stops_the_audit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wrong = nash_limit_fails.limit_certificate(
        nash_limit_fails.NO_SADDLE, "theorem7-independent"
    ) | {"optimum": [1, 1]}
    monkeypatch.setattr(nash_limit_fails, "limit_certificate", lambda payoffs, claim: wrong)
    with pytest.raises(Rejected):
        list(soft_to_nash.limit_claims(tmp_path))
    assert not list(tmp_path.iterdir())
