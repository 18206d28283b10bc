"""The proofs hold for the library's formulas, and stop holding when a formula is made wrong."""

from typing import Any

import pytest

from bounds import proofs, published

PROOFS = (
    proofs.theorem1_from_coupling,
    proofs.theorem2_from_coupling,
    proofs.sup_form_is_monotone_in_k,
    proofs.opponent_term_bracket,
)


@pytest.mark.parametrize("prove", PROOFS, ids=lambda f: f.__name__)
def test_every_step_is_established(prove: Any) -> None:
    proof = prove()
    assert proof.holds
    assert proof.steps
    assert all(step.endswith(": established") for step in proof.steps)


def without_model_error(gamma: Any, r: Any, m: Any, ego: Any, opp: Any, h: Any) -> Any:
    actions = 2 * ego + 2 * opp + h
    return 2 * r * (gamma * actions / (1 - gamma) + actions)


def without_discount(gamma: Any, r: Any, m: Any, ego: Any, opp: Any, h: Any) -> Any:
    actions = 2 * ego + 2 * opp + h
    return 2 * r * (gamma * (m + actions) + actions)


def one_agent_forgotten(gamma: Any, r: Any, m: Any, ego: Any, opp: Any, h: Any) -> Any:
    actions = 2 * ego + h
    return 2 * r * (gamma * (m + actions) / (1 - gamma) + actions)


@pytest.mark.parametrize("wrong", [without_model_error, without_discount, one_agent_forgotten])
def test_a_wrong_theorem_1_is_not_proved(wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "theorem1", wrong)
    assert not proofs.theorem1_from_coupling().holds


def fewer_opponent_steps(gamma: Any, k: Any, r: Any, m: Any, s: Any, h: Any) -> Any:
    return 2 * r * (k * m + k * h + gamma ** (k + 1) * s / (1 - gamma))


def without_model_steps(gamma: Any, k: Any, r: Any, m: Any, s: Any, h: Any) -> Any:
    return 2 * r * ((k + 1) * h + gamma ** (k + 1) * s / (1 - gamma))


def shift_one_step_late(gamma: Any, k: Any, r: Any, m: Any, s: Any, h: Any) -> Any:
    return 2 * r * (k * m + (k + 1) * h + gamma ** (k + 2) * s / (1 - gamma))


@pytest.mark.parametrize("wrong", [fewer_opponent_steps, without_model_steps, shift_one_step_late])
def test_a_wrong_theorem_2_is_not_proved(wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "theorem2_without_third_term", wrong)
    assert not proofs.theorem2_from_coupling().holds


def test_a_wrong_sup_form_is_not_proved_monotone(monkeypatch: pytest.MonkeyPatch) -> None:
    right = published.coupling_sup_branched

    def wrong(gamma: Any, k: Any, span: Any, c: Any, rho: Any, q: Any) -> Any:
        return right(gamma, k + 1, span, c, q, rho)

    monkeypatch.setattr(published, "coupling_sup_branched", wrong)
    assert not proofs.sup_form_is_monotone_in_k().holds
