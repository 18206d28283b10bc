"""The game of turns attains ``coupling-expected`` with policy shift: equality of rationals."""

from fractions import Fraction as F
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounds.library.published import find
from bounds.shared.numbers import InputError
from tabular.cases.case import Case, as_float
from tabular.cases.check import check
from tabular.cases.errors import measure
from tabular.extremal import turns as turns_module
from tabular.extremal.latch_and_lanes import MAX_LANES
from tabular.extremal.turns import turns

DISCOUNTS = st.sampled_from([F(0), F(1, 2), F(9, 10), F(95, 100)])
SHIFTS = st.just(F(0)) | st.fractions(F(1, 6), 1, max_denominator=6)
HATS = st.fractions(0, 1, max_denominator=8)
ERRORS = st.just(F(0)) | st.fractions(F(1, 15), 1, max_denominator=15)
REWARDS = st.tuples(st.fractions(-3, 3, max_denominator=4), st.fractions(F(1, 4), 2)).map(
    lambda pair: (pair[0] + pair[1], pair[0])
)


def attained(case: Case, shift: list[F], hat: list[F], error: F) -> None:
    """The errors are the parameters, and the discrepancy is the bound."""
    result = check(case, [find("coupling-expected", "branched")])
    assert list(result.errors.policy_shift) == shift
    assert list(result.errors.opponent_model[1:]) == hat
    assert result.errors.current.value == error
    if result.errors.current.horizon is not None:
        # the exact numbers outgrow the search for a proof
        current = measure(as_float(case)).current
        assert current.horizon is None
        assert current.upper <= float(error) + 1e-12  # what a float maximum may be off
    (verdict,) = result.verdicts
    assert verdict.discrepancy == verdict.value


@given(st.data(), DISCOUNTS, ERRORS, st.integers(1, 2), st.integers(0, 6), REWARDS)
def test_turns_attain_the_branched_expected_form(
    data: st.DataObject, gamma: F, error: F, n: int, k: int, rewards: tuple[F, F]
) -> None:
    shift = data.draw(st.lists(SHIFTS, min_size=n, max_size=n))
    hat = data.draw(st.lists(HATS, min_size=n - 1, max_size=n - 1))
    attained(
        turns(gamma, shift, hat, error, k, r_hi=rewards[0], r_lo=rewards[1]), shift, hat, error
    )


@pytest.mark.parametrize("k", range(6))
def test_small_errors_and_three_agents(k: int) -> None:
    """Where the branches are rich for long, and where two opponents' errors multiply."""
    attained(turns(F(95, 100), [F(1, 20)], [], F(1, 50), k), [F(1, 20)], [], F(1, 50))
    shift, hat = [F(1, 10), F(1, 5), F(0)], [F(1, 10), F(1, 4)]
    attained(turns(F(9, 10), shift, hat, F(1, 10), k), shift, hat, F(1, 10))


def test_the_game_does_not_depend_on_the_discount() -> None:
    """As the sum is attained and no term can exceed its part of the bound, every t is attained."""
    one, other = (turns(gamma, [F(1, 4)], [], F(1, 10), 3) for gamma in (F(1, 3), F(4, 5)))
    assert (one.transition == other.transition).all()
    assert (one.model_transition == other.model_transition).all()


def test_every_valid_bound_holds_on_it() -> None:
    for k in range(4):
        case = turns(F(9, 10), [F(1, 4), F(1, 5)], [F(1, 10)], F(1, 12), k)
        assert all(v.holds for v in check(case).verdicts if v.bound.valid)


def without_fillers(*given: Any) -> tuple[F, F]:
    return original(*given)[0], F(0)


original = turns_module._leaving


def test_without_the_second_rule_it_would_miss(monkeypatch: pytest.MonkeyPatch) -> None:
    """The branches from before M lose ε only if paths that left N_M go on having errors."""
    setting = (F(9, 10), [F(13, 20)], [], F(1, 10), 3)
    bound = find("coupling-expected", "branched")
    (verdict,) = check(turns(*setting), [bound]).verdicts
    assert verdict.discrepancy == verdict.value
    monkeypatch.setattr(turns_module, "_leaving", without_fillers)
    (verdict,) = check(turns(*setting), [bound]).verdicts
    assert verdict.discrepancy < verdict.value


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: turns(F(1), [F(0)], [], F(0), 1), "gamma"),
        (lambda: turns(F(1, 2), [F(1, 2)], [], F(1, 4), -1), "branch_length"),
        (lambda: turns(F(1, 2), [F(1, 10**6)], [], F(1, 10 * MAX_LANES), 1), "states"),
        (lambda: turns(F(1, 2), [F(1, 10)], [], F(1, 100), 30), "branch_length: 30"),
        (lambda: turns(F(1, 2), [F(2)], [], F(0), 1), r"policy_shift\[0\]"),
    ],
)
def test_what_cannot_be_is_refused(build: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        build()  # type: ignore[operator]
