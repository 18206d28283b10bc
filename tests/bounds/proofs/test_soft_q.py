"""The proofs about soft Q iteration hold, and stop holding when a formula is made wrong."""

from fractions import Fraction as F
from math import log
from typing import Any

import pytest

from bounds.library import published, soft_q
from bounds.proofs import simultaneous_soft_q
from bounds.proofs import soft_q as soft_q_proofs

PROOFS = (
    soft_q_proofs.soft_contraction,
    soft_q_proofs.soft_distance,
    soft_q_proofs.soft_to_nash,
    soft_q_proofs.printed_target,
    simultaneous_soft_q.soft_agents,
    simultaneous_soft_q.pennies_cycle,
    simultaneous_soft_q.shapley_repels,
)


@pytest.mark.parametrize("prove", PROOFS, ids=lambda f: f.__name__)
def test_every_step_is_established(prove: Any) -> None:
    proof = prove()
    assert proof.holds
    assert len(proof.steps) >= 2
    assert all(step.endswith(": established") for step in proof.steps)


@pytest.mark.parametrize(
    ("module", "name", "wrong", "prove"),
    [
        (
            published,
            "coupling_sup_model",
            lambda gamma, span, c, rho: span * (1 / (1 - gamma) - c / (1 - gamma * rho) ** 2),
            soft_q_proofs.soft_distance,
        ),
        (
            published,
            "coupling_sup_model",
            lambda gamma, span, c, rho: span * (1 - c) / (1 - gamma),
            soft_q_proofs.soft_distance,
        ),
        (
            soft_q,
            "q_distance",
            lambda gamma, span, rho: span * gamma * (1 - rho) / (1 - gamma * rho),
            soft_q_proofs.soft_distance,
        ),
        (soft_q, "nash_gap", lambda a, logs, gamma: a * logs, soft_q_proofs.soft_to_nash),
        (
            soft_q,
            "nash_gap",
            lambda a, logs, gamma: gamma * a * logs / (1 - gamma),
            soft_q_proofs.soft_to_nash,
        ),
        (
            soft_q,
            "contraction_factor",
            lambda n, gamma, span, a: gamma + (n - 1) * span / (4 * a * (1 - gamma)),
            simultaneous_soft_q.soft_agents,
        ),
        (
            soft_q,
            "contraction_factor",
            lambda n, gamma, span, a: gamma + n * span / (2 * a * (1 - gamma)),
            simultaneous_soft_q.soft_agents,
        ),
        (
            soft_q,
            "sufficient_alpha",
            lambda n, gamma, span: (n - 1) * span / (2 * (1 - gamma)),
            simultaneous_soft_q.soft_agents,
        ),
        (
            soft_q,
            "weight_of_policies",
            lambda n, gamma, span: (n - 1) * span,
            simultaneous_soft_q.soft_agents,
        ),
    ],
)
def test_a_wrong_formula_is_not_proved(
    module: Any, name: str, wrong: Any, prove: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, wrong)
    assert not prove().holds


def plain_maximum(alpha: Any, *entries: Any) -> Any:
    return entries[0]


def at_twice_the_size(alpha: Any, *entries: Any) -> Any:
    import sympy

    return 2 * alpha * sympy.log(sum(sympy.exp(x / alpha) for x in entries))


def of_the_mean(alpha: Any, *entries: Any) -> Any:
    import sympy

    return alpha * sympy.log(sum(sympy.exp(x / alpha) for x in entries) / len(entries))


@pytest.mark.parametrize("wrong", [plain_maximum, at_twice_the_size, of_the_mean])
def test_another_soft_maximum_is_not_proved(wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soft_q_proofs, "_logsumexp", wrong)
    assert not soft_q_proofs.soft_contraction().holds


def test_formulas_by_hand() -> None:
    assert soft_q.q_distance(F(1, 2), F(2), F(1, 2)) == F(2 * 1 * 4, 2 * 3) == F(4, 3)
    assert soft_q.q_distance(F(9, 10), F(2), F(1)) == 0
    assert soft_q.sufficient_alpha(2, F(0), F(2)) == 1
    assert soft_q.sufficient_alpha(3, F(9, 10), F(1)) == 100
    assert soft_q.nash_gap(0.1, log(6), 0.9) == pytest.approx(log(6))
