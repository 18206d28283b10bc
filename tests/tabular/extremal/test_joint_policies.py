"""Joint policies' total variation: valid, never worse, attained, and how much better at most."""

from fractions import Fraction as F

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bounds.formula.error_profile import ErrorProfile
from bounds.formula.symbols import survival
from bounds.library.published import find
from bounds.shared.numbers import InputError
from tabular.cases.case import Case
from tabular.cases.check import check
from tabular.cases.errors import measure, profile, total_variation
from tabular.cases.returns import branched_return, model_return, real_return
from tabular.cases.strategies import cases
from tabular.extremal.ages import ages
from tabular.extremal.joint_policies import (
    joint_latch,
    joint_profile,
    shares,
    with_unreachable_errors,
)
from tabular.extremal.latch_and_lanes import latch

ERRORS = st.fractions(0, 1, max_denominator=12)
DISCOUNTS = st.sampled_from([F(0), F(1, 2), F(9, 10), F(95, 100)])
ABOUT = ("model", "branched")


def joint_errors(data: st.DataObject, errors: list[F]) -> F:
    """A consistent joint error: the ends, or anything between."""
    low, high = max(errors, default=F(0)), 1 - survival(tuple(errors))
    at = data.draw(st.sampled_from([F(0), F(1)]) | st.fractions(0, 1, max_denominator=6))
    return low + at * (high - low)


@given(st.data(), DISCOUNTS, ERRORS, st.integers(1, 3), st.integers(0, 5))
def test_joint_latch_attains_the_joint_form(
    data: st.DataObject, gamma: F, error: F, n: int, k: int
) -> None:
    shift = data.draw(st.lists(ERRORS, min_size=n, max_size=n))
    hat = data.draw(st.lists(ERRORS, min_size=n - 1, max_size=n - 1))
    joint_shift, joint_hat = joint_errors(data, shift), joint_errors(data, hat)
    case = joint_latch(gamma, shift, hat, error, joint_shift, joint_hat, branch_length=k)
    result = check(case)
    assert list(result.errors.policy_shift) == shift
    assert list(result.errors.opponent_model[1:]) == hat
    assert result.errors.joint_policy_shift == joint_shift
    assert total_variation(case.joint, case.joint_model).max() == joint_hat
    assert result.errors.model_sup == error
    assert all(v.holds for v in result.verdicts if v.bound.valid)
    joint, single = joint_profile(case, result.errors), profile(case, result.errors)
    for about in ABOUT:
        bound = find("coupling-sup", about)
        value, per_agent = bound.evaluate(joint), bound.evaluate(single)
        other = result.model if about == "model" else result.branched
        assert result.real - other == value
        assert value <= per_agent <= n * value


def better(gamma: F, shift: list[F], hat: list[F], joint: tuple[F, F], k: int) -> tuple[F, F]:
    """coupling-sup, branched, without model error: (joint form, per-agent form)."""
    common = {"gamma": gamma, "model_sup": F(0), "k": k}
    bound = find("coupling-sup", "branched")
    one = ErrorProfile(policy_shift=(joint[0], F(0)), opponent_model=(joint[1],), **common)
    each = ErrorProfile(policy_shift=tuple(shift), opponent_model=tuple(hat), **common)
    return bound.evaluate(one), bound.evaluate(each)


@given(
    st.lists(st.fractions(0, F(9, 10), max_denominator=12), min_size=2, max_size=4),
    st.fractions(0, 1, max_denominator=12),
    st.integers(0, 4),
)
def test_strictly_better_exactly_where_agents_do_not_err_together(
    shift: list[F], at: F, k: int
) -> None:
    most = 1 - survival(tuple(shift))
    joint = max(shift) + at * (most - max(shift))
    hat = [F(0)] * (len(shift) - 1)
    value, per_agent = better(F(9, 10), shift, hat, (joint, F(0)), k)
    assert (value < per_agent) == (joint < most)
    value, per_agent = better(F(9, 10), [F(0), *hat, F(0)], shift, (F(0), joint), k)
    assert (value < per_agent) == (joint < most)


def test_the_factor_n_is_approached() -> None:
    small = F(1, 10**6)
    value, per_agent = better(F(1, 2), [small] * 3, [F(0)] * 2, (small, F(0)), 0)
    assert F(3) - F(1, 10**5) < per_agent / value < 3


@given(cases())
@example(latch(F(9, 10), [F(1, 2)] * 2, [F(1, 3)], F(1, 4), branch_length=2))
def test_the_joint_forms_are_valid(case: Case) -> None:
    errors = measure(case)
    joint = joint_profile(case, errors)
    joint = joint.with_(model_current=errors.current.upper)
    single = profile(case, errors, proved=True).with_(opponent_lengths=None)
    equal = case.opponent_lengths is None
    real = real_return(case)
    for name in ("coupling-sup", "coupling-expected"):
        for about in ABOUT:
            if about == "branched" and (case.branch_length is None or not equal):
                continue
            other = model_return(case) if about == "model" else branched_return(case)
            value = find(name, about).evaluate(joint)
            assert abs(real - other) <= value <= find(name, about).evaluate(single)


@given(st.data(), DISCOUNTS, st.fractions(F(1, 20), 1, max_denominator=20), st.integers(0, 6))
def test_the_expected_form_is_attained_too(data: st.DataObject, gamma: F, error: F, k: int) -> None:
    hat = data.draw(st.lists(ERRORS, min_size=2, max_size=2))
    joint_hat = joint_errors(data, hat)
    plain = ages(gamma, shares("joint_model", hat, joint_hat), error, branch_length=k)
    case = with_unreachable_errors(plain, [F(0)] * 3, hat)
    errors = measure(case)
    assert list(errors.opponent_model[1:]) == hat
    assert errors.current.value == error
    joint = joint_profile(case, errors)
    assert joint.opponent_model == (joint_hat,)
    real = real_return(case)
    for about, other in (("model", model_return(case)), ("branched", branched_return(case))):
        assert real - other == find("coupling-expected", about).evaluate(joint)


def test_an_agent_with_one_action_gets_another() -> None:
    case = with_unreachable_errors(ages(F(1, 2), [], F(1, 2), branch_length=1), [F(1, 3)], [])
    errors = measure(case)
    assert case.actions == (2,)
    assert errors.policy_shift == (F(1, 3),)
    assert errors.current.value == F(1, 2)


def test_for_the_data_form_neither_is_better() -> None:
    """κ against 1 − ε_J − ε̂_J: agents that err together, and agents that err apart."""
    tenth, zero = F(1, 10), F(0)

    def per_agent(shift: list[F], hat: list[F]) -> F:
        pairs = zip(shift, [zero, *hat], strict=True)
        return survival(tuple(s + h for s, h in pairs))

    together = 1 - survival((tenth, tenth))
    assert per_agent([tenth, tenth], [tenth]) > 1 - together - tenth
    assert per_agent([tenth, tenth], [tenth]) < 1 - tenth - tenth  # ε_J = ε̂_J = 1/10


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: joint_latch(F(1, 2), [F(1, 2)], [], F(0), F(1, 3), F(0)), "joint_shift: 1/3"),
        (lambda: joint_latch(F(1, 2), [F(1, 2)] * 2, [F(0)], F(0), F(1), F(0)), "joint_shift: 1 "),
        (
            lambda: joint_latch(F(1, 2), [F(0)] * 2, [F(1, 4)], F(0), F(0), F(1, 2)),
            "joint_model: 1/2",
        ),
    ],
)
def test_what_cannot_be_is_refused(build: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        build()  # type: ignore[operator]
