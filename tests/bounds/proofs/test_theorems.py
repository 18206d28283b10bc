"""The proofs hold for the library's formulas, and stop holding when a formula is made wrong."""

from fractions import Fraction as F
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bounds.formula.error_profile import ErrorProfile
from bounds.library import published
from bounds.planning.rollout_length import plan
from bounds.proofs import rollout_length, theorems

PROOFS = (
    theorems.theorem1_from_coupling,
    theorems.theorem2_from_coupling,
    theorems.sup_form_is_monotone_in_k,
    theorems.opponent_term_bracket,
    theorems.sup_closed_form,
    rollout_length.expected_form_has_no_inner_optimum,
    rollout_length.printed_optimum,
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
    assert not theorems.theorem1_from_coupling().holds


def fewer_opponent_steps(gamma: Any, k: Any, r: Any, m: Any, s: Any, h: Any) -> Any:
    return 2 * r * (k * m + k * h + gamma ** (k + 1) * s / (1 - gamma))


def without_model_steps(gamma: Any, k: Any, r: Any, m: Any, s: Any, h: Any) -> Any:
    return 2 * r * ((k + 1) * h + gamma ** (k + 1) * s / (1 - gamma))


def shift_one_step_late(gamma: Any, k: Any, r: Any, m: Any, s: Any, h: Any) -> Any:
    return 2 * r * (k * m + (k + 1) * h + gamma ** (k + 2) * s / (1 - gamma))


@pytest.mark.parametrize("wrong", [fewer_opponent_steps, without_model_steps, shift_one_step_late])
def test_a_wrong_theorem_2_is_not_proved(wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "theorem2_without_third_term", wrong)
    assert not theorems.theorem2_from_coupling().holds


def test_a_wrong_sup_form_is_not_proved_monotone(monkeypatch: pytest.MonkeyPatch) -> None:
    right = published.coupling_sup_branched

    def wrong(gamma: Any, k: Any, span: Any, c: Any, rho: Any, q: Any) -> Any:
        return right(gamma, k + 1, span, c, q, rho)

    monkeypatch.setattr(published, "coupling_sup_branched", wrong)
    assert not theorems.sup_form_is_monotone_in_k().holds


def sup_one_step_short(gamma: Any, k: Any, span: Any, c: Any, rho: Any, q: Any) -> Any:
    together, rest = gamma * rho, gamma * q
    return span * (
        1 / (1 - gamma) - c * ((1 - together**k) / (1 - together) + together**k * rest / (1 - rest))
    )


def test_a_wrong_closed_form_is_not_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "coupling_sup_branched", sup_one_step_short)
    assert not theorems.sup_closed_form().holds


def test_a_wrong_unbranched_closed_form_is_not_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        published, "coupling_sup_model", lambda gamma, span, c, rho: span * (1 - c / (1 - rho))
    )
    assert not theorems.sup_closed_form().holds


def test_the_optimum_of_another_bound_is_not_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_third(gamma: Any, k: Any, r: Any, m: Any, ego: Any, opp: Any, h: Any) -> Any:
        return published.theorem2_without_third_term(gamma, k, r, m, ego + opp, h)

    monkeypatch.setattr(published, "theorem2", without_third)
    assert not rollout_length.printed_optimum().holds


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("threshold", lambda c, loss, steps: loss * (1 - c**steps) / (1 - c)),
        ("difference_terms", lambda c, q, loss, theta, u: (c * u - loss - theta, u - theta)),
        ("difference_terms", lambda c, q, loss, theta, u: (c * u + loss - theta, q * u - theta)),
    ],
)
def test_with_other_terms_the_planner_theorem_is_not_proved(
    name: str, wrong: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollout_length, name, wrong)
    assert not rollout_length.expected_form_has_no_inner_optimum().holds


def one_opponent(gamma: F, shift: F, hat: F, error: F) -> ErrorProfile:
    return ErrorProfile(
        gamma=gamma, policy_shift=(shift, F(0)), opponent_model=(hat,), model_current=error
    )


def never_falls_again_after_rising(profile: ErrorProfile, longest: int) -> bool:
    """Whether V never falls in k after it has risen; the bound is span (1/(1 − γ) − c̄ V)."""
    bound = published.find("coupling-expected", "branched")
    values = [bound.evaluate(profile.with_(k=k)) for k in range(longest + 1)]
    signs = [now < before for before, now in pairwise(values)]  # V rises
    worse = [now > before for before, now in pairwise(values)]
    first = signs.index(True) if True in signs else longest
    return not any(worse[first:])


UNIT = st.fractions(0, 1, max_denominator=1000)


@given(st.fractions(0, F(999, 1000), max_denominator=1000), UNIT, UNIT, UNIT)
@example(F(9, 10), F(1, 20), F(1, 20), F(0))  # q = c
@example(F(9, 10), F(1, 10), F(0), F(1, 15))  # worse up to k = 4, then better
@example(F(9, 10), F(1, 10), F(1), F(1, 10))  # c = 0
def test_no_inner_k_is_best_by_the_expected_form(gamma: F, shift: F, hat: F, error: F) -> None:
    assert never_falls_again_after_rising(one_opponent(gamma, shift, hat, error), 12)


def test_no_inner_k_is_best_where_the_sign_is_about_to_change() -> None:
    """Settings drawn near (c − q)/(1 − γq) = ε/(1 − γ), where the two ends of k are equal."""
    rng = np.random.default_rng(3)
    worse_first = 0
    for _ in range(300):
        gamma, shift = F(int(rng.integers(1, 100)), 100), F(int(rng.integers(1, 400)), 1000)
        hat = shift * F(int(rng.integers(0, 100)), 100)
        gain = (shift - hat) * (1 - gamma) / (1 - gamma * (1 - shift))
        error = min(F(1), gain * F(int(rng.integers(50, 150)), 100))
        profile = one_opponent(gamma, shift, hat, error)
        assert never_falls_again_after_rising(profile, 12)
        bound = published.find("coupling-expected", "branched")
        first, last = (bound.evaluate(profile.with_(k=k)) for k in (1, 12))
        worse_first += max(bound.evaluate(profile.with_(k=k)) for k in range(2, 12)) > max(
            first, last
        )
    assert worse_first > 0  # bounds that first rise in k and then fall are among them


def least_by_the_theorem(profile: ErrorProfile, longest: int) -> int:
    """The least k in 1..longest with γ^{k+1} (2 − γ) Σε_π ≤ ε′_m + Σε_π̂."""
    gamma, shift = profile.gamma, sum(profile.policy_shift)
    paid = profile.model_current + sum(profile.opponent_model)
    steps = (k for k in range(1, longest) if gamma ** (k + 1) * (2 - gamma) * shift <= paid)
    return next(steps, longest)


@given(st.fractions(0, F(999, 1000), max_denominator=1000), UNIT, UNIT, UNIT)
def test_the_printed_optimum_is_the_exact_minimum(gamma: F, shift: F, hat: F, error: F) -> None:
    profile = one_opponent(gamma, shift, hat, error)
    bound = published.find("theorem2-normalised")
    values = [bound.evaluate(profile.with_(k=k)) for k in range(1, 41)]
    assert values.index(min(values)) + 1 == least_by_the_theorem(profile, 40)


def test_the_planner_finds_the_printed_optimum() -> None:
    seen = set()
    for gamma, shift, hat, error in product(
        (F(1, 2), F(9, 10), F(99, 100)),
        (F(1, 30), F(1, 7)),
        (F(0), F(1, 50)),
        (F(1, 300), F(1, 60)),
    ):
        profile = one_opponent(gamma, shift, hat, error)
        found = plan(profile, max_k=400).k_printed
        assert found == least_by_the_theorem(profile, 400)
        seen.add(found)
    assert len(seen) > 8
