"""``ErrorProfile`` is the door: what cannot be is refused by name, what can be is kept as given."""

import sys
from dataclasses import fields
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounds.formula.error_profile import ErrorProfile
from bounds.shared.numbers import InputError, shown

VALID: dict[str, Any] = {
    "gamma": Fraction(9, 10),
    "policy_shift": (Fraction(1, 10), Fraction(1, 20), Fraction(0)),
    "opponent_model": (Fraction(1, 5), Fraction(1)),
    "model_data": Fraction(1, 3),
    "model_current": Fraction(1, 4),
    "model_sup": Fraction(1, 2),
    "k": 5,
    "opponent_lengths": (3, 5),
    "r_max": Fraction(2),
    "span": Fraction(3),
    "joint_policy_shift": Fraction(1, 8),
}
ERRORS = ("model_data", "model_current", "model_sup", "joint_policy_shift")
SCALARS = ("gamma", *ERRORS, "r_max", "span")
SEQUENCES = ("policy_shift", "opponent_model")
NOT_NUMBERS = [True, np.False_, "1/2", "", b"1", [], (), {}, 0.5j, object, np.array("x")]
NOT_FINITE = [float("nan"), float("inf"), -float("inf"), np.float64("nan")]
BELOW = [-1, Fraction(-1, 10**30), -5e-324, np.float64(-1)]
ABOVE = [2, 1 + Fraction(1, 10**30), 1.0000000000000002, 10**300]


def refused(**changes: Any) -> str:
    """The one-line message with which ``VALID`` with ``changes`` is refused."""
    with pytest.raises(InputError) as caught:
        ErrorProfile(**{**VALID, **changes})
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def label(value: object) -> str:
    """A parameter in the name of its test."""
    return repr(value)[:14]


# What cannot be


@pytest.mark.parametrize("field", SCALARS)
@pytest.mark.parametrize("value", [*NOT_NUMBERS, *NOT_FINITE, *BELOW], ids=label)
def test_impossible_scalars_are_refused_by_field_and_value(field: str, value: Any) -> None:
    message = refused(**{field: value})
    assert message.startswith(f"{field}: ")
    if not isinstance(value, np.ndarray | np.generic):
        assert shown(value) in message


@pytest.mark.parametrize("field", ["gamma", *ERRORS])
@pytest.mark.parametrize("value", ABOVE, ids=label)
def test_errors_and_discounts_above_one_are_refused(field: str, value: Any) -> None:
    message = refused(**{field: value})
    assert message.startswith(f"{field}: ")
    assert f" {shown(Fraction(value))} is not in [0, 1" in message or f" {value} is not" in message


@pytest.mark.parametrize("field", SCALARS)
def test_numbers_too_long_to_print_are_refused_in_one_line(field: str) -> None:
    digits = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(sys.int_info.default_max_str_digits)
    try:
        for value in (Fraction(-(10**5000), 3), Fraction(10**5000, 3)):
            if field != "r_max" or value < 0:
                assert refused(**{field: value}).startswith(f"{field}: ")
    finally:
        sys.set_int_max_str_digits(digits)


@pytest.mark.parametrize("field", ["r_max", "span"])
def test_rewards_beyond_floats_are_refused_where_they_must_be_floats(field: str) -> None:
    huge = {"r_max": 10**400, "span": 10**400 if field == "span" else 1}
    assert ErrorProfile(**{**VALID, **huge}).r_max == 10**400
    assert refused(**huge, gamma=0.5).startswith(("r_max: ", "span: "))


@pytest.mark.parametrize("field", SCALARS)
def test_messages_are_short_enough_to_read(field: str) -> None:
    assert len(refused(**{field: -1})) < 120


@pytest.mark.parametrize("value", [1, 1.0, Fraction(1), np.float32(1), np.array([0.5, 1.0])])
def test_a_discount_of_one_is_refused(value: Any) -> None:
    assert refused(gamma=value).startswith("gamma")


@pytest.mark.parametrize("field", SEQUENCES)
@pytest.mark.parametrize("value", [*NOT_NUMBERS, *NOT_FINITE, *BELOW, *ABOVE, None], ids=label)
def test_impossible_entries_are_refused_by_index(field: str, value: Any) -> None:
    for j in range(len(VALID[field])):
        given_ = (*VALID[field][:j], value, *VALID[field][j + 1 :])
        assert refused(**{field: given_}).startswith(f"{field}[{j}]: ")


@pytest.mark.parametrize("field", SEQUENCES)
@pytest.mark.parametrize(
    "value", [None, 0, 0.5, "abc", {0, 1}, {}, np.array([0.1, 0.1])], ids=label
)
def test_what_is_not_a_sequence_is_refused(field: str, value: Any) -> None:
    assert refused(**{field: value}).startswith(f"{field}: ")


@pytest.mark.parametrize("value", [0, 5, 0.5, "35", {3: 5}, object], ids=label)
def test_lengths_that_are_not_a_sequence_are_refused(value: Any) -> None:
    assert refused(opponent_lengths=value).startswith("opponent_lengths")


@pytest.mark.parametrize("field", ["gamma", "r_max"])
def test_what_every_bound_needs_may_not_be_missing(field: str) -> None:
    assert refused(**{field: None}).startswith(f"{field}: None")


@pytest.mark.parametrize(
    "value",
    [*NOT_NUMBERS, *NOT_FINITE, *BELOW, 0.5, 5.0, Fraction(1, 2)],
    ids=label,
)
def test_a_branch_length_is_a_whole_number(value: Any) -> None:
    assert refused(k=value, opponent_lengths=None).startswith("k: ")
    assert refused(opponent_lengths=(value, 0)).startswith("opponent_lengths[0]: ")
    assert refused(opponent_lengths=(0, value)).startswith("opponent_lengths[1]: ")


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_lengths_lie_in_0_to_k(k: int, first: int, second: int) -> None:
    if max(first, second) <= k:
        kept = ErrorProfile(**{**VALID, "k": k, "opponent_lengths": [first, second]})
        assert kept.opponent_lengths == (first, second)
    else:
        index = int(first <= k)
        value = (first, second)[index]
        assert refused(k=k, opponent_lengths=(first, second)) == (
            f"opponent_lengths[{index}]: {value} is not a whole number, 0..{k}"
        )


def test_lengths_need_a_branch_length() -> None:
    assert refused(k=None).startswith("opponent_lengths: ")


def test_lengths_beyond_some_k_of_an_array_are_refused() -> None:
    assert refused(k=np.array([2, 7]), opponent_lengths=(3, 1)).startswith("opponent_lengths[0]")
    assert refused(k=5, opponent_lengths=(np.array([3, 6]), 1)).startswith("opponent_lengths[0]")


@given(st.integers(0, 4), st.integers(0, 4))
def test_there_is_one_number_an_opponent(agents: int, opponents: int) -> None:
    shift, hat = (Fraction(1, 9),) * agents, (Fraction(1, 7),) * opponents
    if agents == opponents + 1:
        profile = ErrorProfile(0, shift, hat, k=3, opponent_lengths=(1,) * opponents)
        assert profile.n == agents
        for wrong in (opponents + 1, opponents + 2):
            with pytest.raises(InputError, match=f"^opponent_lengths: {wrong} numbers"):
                ErrorProfile(0, shift, hat, k=3, opponent_lengths=(1,) * wrong)
    else:
        with pytest.raises(InputError, match=r"^(policy_shift: empty|opponent_model: \d+ numbers)"):
            ErrorProfile(0, shift, hat)


@given(st.fractions(0, 5), st.fractions(0, 12))
def test_span_is_at_most_twice_r_max(r_max: Fraction, span: Fraction) -> None:
    for r, s in ((r_max, span), (float(r_max), float(span))):
        if s <= 2 * r:
            assert ErrorProfile(**{**VALID, "r_max": r, "span": s}).span == s
        else:
            assert refused(r_max=r, span=s).startswith(f"span: {s} is not in [0, {2 * r}]")


@pytest.mark.parametrize(
    ("r_max", "span"),
    [
        (1.0, np.array([2.0, 3.0])),
        (np.array([1.0, 2.0]), 3.0),
        (np.array([1.0, 2.0]), np.array([2.0, 5.0])),
    ],
)
def test_span_is_at_most_twice_r_max_in_every_entry(r_max: Any, span: Any) -> None:
    assert refused(r_max=r_max, span=span).startswith("span")


def attempt(given_: dict[str, Any]) -> tuple[ErrorProfile | None, str]:
    """The profile, or the message of the ``InputError``; nothing else may be raised."""
    try:
        return ErrorProfile(**given_), ""
    except InputError as error:
        return None, str(error)


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.fractions(),
    st.floats(),
    st.complex_numbers(),
    st.text(max_size=5),
    st.binary(max_size=3),
    st.decimals(),
    st.sampled_from(
        [10**400, 0.5, Fraction(1, 10**400), np.float32(0.5), np.int8(1), np.complex128(0.5)]
    ),
    st.sampled_from(
        [np.array(0.5), np.array([0, 1]), np.array([[0.5]]), np.array([]), np.ma.masked]
    ),
)
GIVEN = ANYTHING | st.lists(ANYTHING, max_size=4) | st.tuples(ANYTHING, ANYTHING)


@given(st.sampled_from([f.name for f in fields(ErrorProfile)]), GIVEN)
def test_any_object_in_any_field_is_accepted_or_refused_in_one_line(
    field: str, value: object
) -> None:
    profile, message = attempt({**VALID, field: value})
    if profile is None:
        # a span of VALID may be too much for another r_max
        assert message.startswith(("opponent_", "span", field))
        assert len(message.splitlines()) == 1
        return
    assert np.all((np.asarray(profile.gamma) >= 0) & (np.asarray(profile.gamma) < 1))
    for number in (*profile.policy_shift, *profile.opponent_model):
        assert np.all((np.asarray(number) >= 0) & (np.asarray(number) <= 1))


# What can be

EXACT = st.fractions(0, 1) | st.sampled_from([0, 1, Fraction(0), Fraction(1)])


@st.composite
def exact_fields(draw: st.DrawFn) -> dict[str, Any]:
    n = draw(st.integers(1, 4))
    k = draw(st.integers(0, 9))
    r_max = draw(st.fractions(0, 5))
    return {
        "gamma": draw(st.fractions(0, Fraction(999, 1000))),
        "policy_shift": draw(st.tuples(*[EXACT] * n)),
        "opponent_model": draw(st.tuples(*[EXACT] * (n - 1))),
        **{name: draw(st.none() | EXACT) for name in ERRORS},
        "k": k,
        "opponent_lengths": draw(st.none() | st.tuples(*[st.integers(0, k)] * (n - 1))),
        "r_max": r_max,
        "span": draw(st.none() | st.fractions(0, 2 * r_max)),
    }


@given(exact_fields())
def test_exact_numbers_stay_exact(given_: dict[str, Any]) -> None:
    profile = ErrorProfile(**given_)
    for name, value in given_.items():
        kept = getattr(profile, name)
        if name == "span" and value is None:
            assert kept == 2 * given_["r_max"]
        else:
            assert kept == value
        numbers = kept if isinstance(kept, tuple) else (kept,)
        kind = int if name in ("k", "opponent_lengths") else Fraction
        assert all(v is None or type(v) is kind for v in numbers)


@given(exact_fields(), st.sampled_from(SCALARS + SEQUENCES), st.booleans())
def test_one_inexact_number_makes_all_inexact(
    given_: dict[str, Any], field: str, as_array: bool
) -> None:
    if given_[field] in (None, ()):
        given_ = {**given_, field: Fraction(0) if given_[field] is None else ()}
        field = "gamma" if field in SEQUENCES else field
    inexact = (lambda v: np.array([float(v)])) if as_array else float
    value = given_[field]
    changed = (inexact(value[0]), *value[1:]) if isinstance(value, tuple) else inexact(value)
    profile = ErrorProfile(**{**given_, field: changed})
    for name in SCALARS + SEQUENCES:
        kept, before = getattr(profile, name), given_[name]
        if before is None:
            continue
        pairs = zip(kept, before, strict=True) if isinstance(kept, tuple) else [(kept, before)]
        for now, then in pairs:
            assert type(now) in (float, np.ndarray)
            assert now == float(then)
    assert profile.k == given_["k"]
    assert type(profile.k) is int


def test_arrays_of_branch_lengths_make_the_rest_inexact_too() -> None:
    profile = ErrorProfile(**{**VALID, "k": np.array([5, 6])})
    assert type(profile.gamma) is float
    assert [type(e) for e in profile.policy_shift] == [float] * 3
    assert profile.opponent_lengths == (3, 5)


@given(exact_fields(), st.fractions(0, Fraction(9, 10)))
def test_with_changes_what_it_is_told_and_validates_again(
    given_: dict[str, Any], gamma: Fraction
) -> None:
    profile = ErrorProfile(**given_)
    assert profile.with_(gamma=gamma) == ErrorProfile(**{**given_, "gamma": gamma})
    with pytest.raises(InputError, match=r"^gamma: "):
        profile.with_(gamma=1 + gamma)
    with pytest.raises(InputError, match=r"^policy_shift: empty"):
        profile.with_(policy_shift=())


@given(st.fractions(0, 5), st.fractions(0, 5))
def test_with_another_r_max_the_span_that_was_left_out_follows(
    first: Fraction, second: Fraction
) -> None:
    profile = ErrorProfile(Fraction(1, 2), (0,), r_max=first)
    assert profile.with_(r_max=second) == ErrorProfile(Fraction(1, 2), (0,), r_max=second)


def test_what_is_unknown_is_asked_for_by_name() -> None:
    profile = ErrorProfile(Fraction(1, 2), (0,))
    for field in (*ERRORS, "k"):
        with pytest.raises(InputError, match=f"^{field}: not given, and Lemma 9 needs it$"):
            profile.require(field, "Lemma 9")
    assert profile.require("gamma", "Lemma 9") == Fraction(1, 2)
