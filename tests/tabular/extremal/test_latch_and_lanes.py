"""``tabular.extremal.latch_and_lanes`` attains: equality of rationals, no tolerance."""

from fractions import Fraction as F

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounds.library.published import find
from bounds.shared.numbers import InputError
from tabular.cases.check import Check, check
from tabular.cases.errors import profile
from tabular.extremal.latch_and_lanes import MAX_LANES, clock, lanes, lanes_with_exploration, latch

ERRORS = st.fractions(0, 1, max_denominator=12)
SMALL = st.fractions(0, F(1, 2), max_denominator=10)
DISCOUNTS = st.sampled_from([F(0), F(1, 2), F(9, 10), F(95, 100)])
REWARDS = st.tuples(st.fractions(-3, 3, max_denominator=4), st.fractions(F(1, 4), 2)).map(
    lambda pair: (pair[0] + pair[1], pair[0])
)


def attained(result: Check, name: str, about: str) -> None:
    """The bound is attained; where it is 0, so is the discrepancy."""
    (verdict,) = (v for v in result.verdicts if (v.bound.name, v.bound.about) == (name, about))
    assert verdict.discrepancy == verdict.value


@given(st.data(), DISCOUNTS, ERRORS, st.integers(1, 3), st.integers(0, 6), REWARDS)
def test_latch_attains_coupling_sup_for_every_k_and_all_lengths(
    data: st.DataObject, gamma: F, error: F, n: int, k: int, rewards: tuple[F, F]
) -> None:
    shift = data.draw(st.lists(ERRORS, min_size=n, max_size=n))
    hat = data.draw(st.lists(ERRORS, min_size=n - 1, max_size=n - 1))
    drawn = st.none() | st.lists(st.integers(0, k), min_size=n - 1, max_size=n - 1)
    case = latch(
        gamma,
        shift,
        hat,
        error,
        branch_length=k,
        opponent_lengths=data.draw(drawn),
        r_hi=rewards[0],
        r_lo=rewards[1],
    )
    result = check(case)
    assert list(result.errors.policy_shift) == shift
    assert list(result.errors.opponent_model[1:]) == hat
    assert result.errors.model_sup == error
    attained(result, "coupling-sup", "model")
    attained(result, "coupling-sup", "branched")


@given(st.data(), DISCOUNTS, st.fractions(F(1, 20), 1, max_denominator=20), st.integers(1, 3))
def test_lanes_attain_coupling_expected(data: st.DataObject, gamma: F, error: F, n: int) -> None:
    hat = data.draw(st.lists(SMALL, min_size=n - 1, max_size=n - 1))
    result = check(lanes(gamma, hat, error))
    c_bar = F(1)
    for e in hat:
        c_bar *= 1 - e
    assert result.errors.current.value == min(error, c_bar)  # no more mass than there is
    assert result.errors.current.horizon is None
    assert list(result.errors.opponent_model[1:]) == hat
    if error <= c_bar:
        attained(result, "coupling-expected", "model")


@given(st.data(), DISCOUNTS, st.fractions(F(1, 20), 1, max_denominator=20), st.integers(1, 2))
def test_lanes_with_exploration_attain_coupling_data(
    data: st.DataObject, gamma: F, error: F, n: int
) -> None:
    shift = data.draw(st.lists(SMALL, min_size=n, max_size=n))
    hat = data.draw(st.lists(SMALL, min_size=n - 1, max_size=n - 1))
    result = check(lanes_with_exploration(gamma, shift, hat, error))
    kappa = 1 - shift[0]
    for s, e in zip(shift[1:], hat, strict=True):
        kappa *= 1 - s - e
    assert result.errors.data.value == min(error, kappa)
    assert list(result.errors.policy_shift) == shift
    assert list(result.errors.opponent_model[1:]) == hat
    if error <= kappa:
        attained(result, "coupling-data", "model")


@given(DISCOUNTS, st.integers(1, 8), st.integers(1, 3), st.data())
def test_clock_attains_coupling_expected_for_every_k(
    gamma: F, phases: int, n: int, data: st.DataObject
) -> None:
    k = data.draw(st.integers(0, phases))
    result = check(clock(gamma, phases, n=n, branch_length=k))
    assert result.errors.current.value == F(1, phases)
    assert result.errors.current.horizon is None
    assert result.errors.model_sup == 1
    attained(result, "coupling-expected", "model")
    attained(result, "coupling-expected", "branched")


def test_the_warning_of_the_theory() -> None:
    """γ = 9/10, ε_π̂ = 1/10, ε′_m = 1/20: the lanes reach 13.36, the tempting form says 12.52."""
    gamma, hat, error = F(9, 10), F(1, 10), F(1, 20)
    result = check(lanes(gamma, [hat], error))
    gap = result.model_discrepancy
    assert round(float(gap), 2) == 13.36
    tempting = 2 * (
        1 / (1 - gamma)
        - sum((gamma**t * (1 - hat) ** (t + 1) * (1 - t * error) for t in range(21)), F(0))
    )
    assert round(float(tempting), 2) == 12.52
    assert gap > tempting
    assert gap == find("coupling-expected", "model").evaluate(profile(result.case, result.errors))


def test_every_valid_bound_holds_on_them() -> None:
    third = F(1, 3)
    for case in (
        latch(F(9, 10), [third, third], [third], third, branch_length=3),
        lanes(F(9, 10), [F(1, 10)], F(1, 20)),
        lanes_with_exploration(F(9, 10), [F(1, 10)] * 2, [F(1, 10)], F(1, 20)),
        clock(F(9, 10), 5, branch_length=5),
    ):
        assert all(v.holds for v in check(case).verdicts if v.bound.valid)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: latch(F(1), [F(0)], [], F(0)), "gamma"),
        (lambda: latch(0.9, [F(0)], [], F(0)), "gamma"),  # type: ignore[arg-type]
        (lambda: latch(F(1, 2), [F(0)], [F(0)], F(0)), "opponent_model"),
        (lambda: latch(F(1, 2), [F(2)], [], F(0)), r"policy_shift\[0\]"),
        (lambda: lanes(F(1, 2), [], F(1, 10 * MAX_LANES)), "lanes"),
        (lambda: lanes_with_exploration(F(1, 2), [F(0), F(1)], [F(1)], F(1)), "exceed 1"),
        (lambda: clock(F(1, 2), 0), "phases"),
    ],
)
def test_what_cannot_be_is_refused(build: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        build()  # type: ignore[operator]
