"""The game of ages attains ``coupling-expected`` for every k: equality of rationals."""

from collections.abc import Sequence
from fractions import Fraction as F

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bounds.formula.symbols import survival
from bounds.library.published import find
from bounds.shared.numbers import InputError
from tabular.cases.check import Check, check
from tabular.extremal.ages import ages, oldest_age
from tabular.extremal.latch_and_lanes import MAX_LANES

HATS = st.fractions(0, 1, max_denominator=12)
DISCOUNTS = st.sampled_from([F(0), F(1, 2), F(9, 10), F(95, 100)])
ERRORS = st.just(F(0)) | st.fractions(F(1, 20), 1, max_denominator=20)
REWARDS = st.tuples(st.fractions(-3, 3, max_denominator=4), st.fractions(F(1, 4), 2)).map(
    lambda pair: (pair[0] + pair[1], pair[0])
)
EXPECTED = [find("coupling-expected", "model"), find("coupling-expected", "branched")]


def as_asked(result: Check, hat: Sequence[F], error: F) -> None:
    """The measured errors are the parameters, and those over time are proved."""
    assert result.errors.current.value == error
    assert result.errors.current.horizon is None
    assert list(result.errors.opponent_model[1:]) == list(hat)
    assert set(result.errors.policy_shift) == {0}


@given(st.data(), DISCOUNTS, ERRORS, st.integers(1, 3), st.integers(0, 8), REWARDS)
def test_ages_attain_coupling_expected_for_every_k_at_once(
    data: st.DataObject, gamma: F, error: F, n: int, k: int, rewards: tuple[F, F]
) -> None:
    hat = data.draw(st.lists(HATS, min_size=n - 1, max_size=n - 1))
    case = ages(gamma, hat, error, branch_length=k, r_hi=rewards[0], r_lo=rewards[1])
    result = check(case, [*EXPECTED, find("coupling-data")])
    as_asked(result, hat, error)
    assert len(result.verdicts) == 3  # without policy shift the data form is the same
    for verdict in result.verdicts:
        assert verdict.discrepancy == verdict.value


def test_the_game_is_the_same_for_every_k() -> None:
    one, other = (ages(F(9, 10), [F(1, 10)], F(1, 20), branch_length=k) for k in (1, 7))
    assert (one.transition == other.transition).all()
    assert (one.model_transition == other.model_transition).all()
    assert (one.initial == other.initial).all()


def factors(hat: Sequence[F], lengths: Sequence[int], k: int, last: int) -> list[F]:
    """c_1, …, c_last."""
    return [
        survival(tuple(e for e, n in zip(hat, lengths, strict=True) if step <= n or n == k))
        for step in range(1, last + 1)
    ]


@given(st.data(), DISCOUNTS, ERRORS, st.integers(2, 3), st.integers(0, 8))
@example(None, F(9, 10), F(1, 20), 2, 8)
def test_ages_with_opponent_wise_lengths(
    data: st.DataObject | None, gamma: F, error: F, n: int, k: int
) -> None:
    if data is None:  # k ≤ L, and lengths that differ from k
        hat, lengths = [F(1, 12)], [3]
    else:
        hat = data.draw(st.lists(HATS, min_size=n - 1, max_size=n - 1))
        lengths = data.draw(st.lists(st.integers(0, k), min_size=n - 1, max_size=n - 1))
    result = check(ages(gamma, hat, error, branch_length=k, opponent_lengths=lengths), EXPECTED[1:])
    as_asked(result, hat, error)
    (verdict,) = result.verdicts
    oldest = oldest_age(hat, error, branch_length=k, opponent_lengths=lengths)
    c = factors(hat, lengths, k, k if oldest is None else oldest + 1)
    if oldest is None or k <= oldest or len(set(c)) <= 1:
        assert verdict.discrepancy == verdict.value
    left = F(1)
    for step in factors(hat, lengths, k, k):
        left = max(step * left - error, F(0))
    if gamma > 0 and oldest is not None and k > oldest and left > 0:
        assert verdict.discrepancy < verdict.value


def test_where_lengths_leave_too_little_for_all_branches() -> None:
    """L = 1 < k = 3 and x_3 = 1/3 − 2/10 > 0: no game attains the bound."""
    result = check(
        ages(F(9, 10), [F(2, 3)], F(1, 10), branch_length=3, opponent_lengths=[1]), EXPECTED[1:]
    )
    (verdict,) = result.verdicts
    assert oldest_age([F(2, 3)], F(1, 10), branch_length=3, opponent_lengths=[1]) == 1
    assert verdict.discrepancy < verdict.value
    assert verdict.holds


def test_every_valid_bound_holds_on_it() -> None:
    for k in range(5):
        case = ages(F(9, 10), [F(1, 10)] * 2, F(1, 12), branch_length=k)
        assert all(v.holds for v in check(case).verdicts if v.bound.valid)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: ages(F(1), [], F(0)), "gamma"),
        (lambda: ages(F(1, 2), [], 0.5), "model_error"),  # type: ignore[arg-type]
        (lambda: ages(F(1, 2), [F(2)], F(0)), r"opponent_model\[0\]"),
        (lambda: ages(F(1, 2), [], F(1, 10 * MAX_LANES)), "ages"),
        (
            lambda: ages(F(1, 2), [F(0)], F(0), branch_length=2, opponent_lengths=[]),
            "opponent_lengths: 0 numbers",
        ),
        (
            lambda: ages(F(1, 2), [F(0)], F(0), branch_length=2, opponent_lengths=[3]),
            "opponent_lengths",
        ),
    ],
)
def test_what_cannot_be_is_refused(build: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        build()  # type: ignore[operator]
