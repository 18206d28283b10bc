"""Numbers as users write them: read exactly where they can be, else one line that says where."""

import sys
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounds.shared.numbers import (
    MAX_EXPONENT,
    MAX_NUMBER_LENGTH,
    InputError,
    exact,
    in_range,
    is_exact,
    parse_number,
    parse_rational,
    shown,
    whole,
)
from tests.support.refusals import GARBAGE, refusal

READERS = (parse_rational, parse_number)
#: Longer than Python turns into text by default.
HUGE = 10**5000
#: What is not a real number at all.
NOT_NUMBERS = [
    None, True, False, np.True_, "0.5", b"1", [0.5], (0.5,), {}, 0.5j, np.complex128(0.5),
    Decimal("0.5"), object(), float, np.array(["a"]), np.array([True]), np.array([0.5j]),
    np.array([Fraction(1, 2)]), np.datetime64(0, "s"),
]  # fmt: skip


def label(value: object) -> str:
    """A parameter in the name of its test."""
    number = value[0] if isinstance(value, list) and value else value
    if isinstance(number, int | Fraction) and len(hex(number.numerator * number.denominator)) > 50:
        return "huge"
    return repr(value)[:14]


def attempt(function: Any, *arguments: Any) -> tuple[Any, str]:
    """(value, "") or (None, message of the ``InputError``); nothing else may be raised."""
    try:
        return function(*arguments), ""
    except InputError as error:
        return None, str(error)


@pytest.fixture
def python_digits() -> Iterator[None]:
    """Python's own limit on the digits it prints, whatever other modules have set."""
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(sys.int_info.default_max_str_digits)
    yield
    sys.set_int_max_str_digits(before)


# Text


@given(st.fractions())
def test_rationals_survive_a_round_trip(value: Fraction) -> None:
    for read in READERS:
        again = read(str(value), "here")
        assert again == value
        assert isinstance(again, Fraction)


@given(
    st.integers(0, 10**30),
    st.integers(1, 10**30),
    st.sampled_from(["", "+", "-"]),
    st.integers(0, 9),
)
def test_rationals_need_not_be_in_lowest_terms(p: int, q: int, sign: str, zeros: int) -> None:
    text = f"{sign}{'0' * zeros}{p}/{'0' * zeros}{q}"
    expected = Fraction(-p if sign == "-" else p, q)
    assert [read(text, "here") for read in READERS] == [expected, expected]


@given(st.integers(-(10**25), 10**25), st.integers(-MAX_EXPONENT, MAX_EXPONENT))
def test_decimals_are_exact(digits: int, exponent: int) -> None:
    expected = Fraction(digits) * Fraction(10) ** exponent
    for letter in "eE":
        assert parse_number(f"{digits}{letter}{exponent}", "here") == expected
    shifted = f"{'-' if digits < 0 else ''}.{abs(digits):030d}"
    assert parse_number(f" {shifted}E{exponent:+d}\t", "here") == expected / 10**30


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9))
def test_decimals_mean_what_they_mean_to_the_standard_library(value: Decimal) -> None:
    assert parse_number(f"{value:f}", "here") == Fraction(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_survive_a_round_trip(value: float) -> None:
    assert float(parse_number(repr(value), "here")) == value


@given(st.integers(-(10**6), 10**6), st.integers(1, 10**6))
def test_a_rational_reader_takes_no_decimals(p: int, q: int) -> None:
    assert parse_number(f"{p}.{q}", "here") != p  # q ≥ 1 is behind the point
    assert refusal(parse_rational, f"{p}.{q}", "here").startswith(f"here: '{p}.{q}' ")


@pytest.mark.parametrize("text", GARBAGE, ids=label)
@pytest.mark.parametrize("read", READERS)
def test_what_is_no_number_is_refused_in_one_line(read: Any, text: str) -> None:
    assert refusal(read, text, "transition[3][1]").startswith("transition[3][1]: ")


@given(
    st.text(max_size=40)
    | st.text(alphabet="0123456789+-./eE_ \n", max_size=20)
    | st.from_regex(r"[+-]?[0-9]{1,5}[./eE][+-]?[0-9]{0,5}", fullmatch=True)
)
def test_any_text_is_a_number_or_one_line(text: str) -> None:
    for read in READERS:
        value, message = attempt(read, text, "gamma")
        if message:
            assert message.startswith("gamma: ")
            assert len(message.splitlines()) == 1
        else:
            # whatever is accepted, the standard library reads the same
            assert value == Fraction(text.strip())


def test_length_and_exponent_go_up_to_the_stated_limits() -> None:
    long = "7" * MAX_NUMBER_LENGTH
    assert parse_rational(long, "here") == parse_number(long, "here") == int(long)
    assert parse_number(f"-3e{MAX_EXPONENT}", "here") == -3 * 10**MAX_EXPONENT
    assert parse_number(f"3e-{MAX_EXPONENT}", "here") == Fraction(3, 10**MAX_EXPONENT)
    assert "10000 characters" in refusal(parse_number, "1" * 10_000, "here")
    assert "exponent" in refusal(parse_number, f"1e{MAX_EXPONENT + 1}", "here")
    assert "divides by zero" in refusal(parse_number, "1/0", "here")


@given(st.integers() | st.fractions() | st.text() | st.lists(st.integers(), max_size=30))
def test_shown_is_one_short_line(value: object) -> None:
    assert len(shown(value).splitlines()) <= 1
    assert len(shown(value)) < 100


@pytest.mark.usefixtures("python_digits")
@pytest.mark.parametrize(
    "value", [HUGE, -HUGE, Fraction(HUGE, 3), Fraction(1, HUGE), [HUGE]], ids=label
)
def test_shown_copes_with_numbers_too_long_to_print(value: object) -> None:
    assert len(shown(value)) < 100


# Scalars


def test_exact_keeps_exactness() -> None:
    for given_, expected, kind in (
        (3, Fraction(3), Fraction),
        (np.int8(3), Fraction(3), Fraction),
        (Fraction(1, 3), Fraction(1, 3), Fraction),
        (0.1, 0.1, float),
        (np.float64(0.1), 0.1, float),
        (np.float32(0.5), 0.5, float),
        (True, True, bool),
    ):
        assert exact(given_) == expected
        assert type(exact(given_)) is kind
    assert is_exact(3)
    assert is_exact(Fraction(1, 3))
    assert not is_exact(0.5)
    assert not is_exact(np.array([1]))


@given(
    st.fractions(-3, 3) | st.floats(-3, 3) | st.integers(-3, 3),
    st.fractions(-3, 0),
    st.fractions(0, 3),
    st.booleans(),
)
def test_in_range_accepts_exactly_the_interval(
    value: Any, low: Fraction, high: Fraction, open_high: bool
) -> None:
    if low <= value <= high and not (open_high and value == high):
        kept = in_range("x", value, low, high, open_high=open_high)
        assert kept == value
        assert type(kept) is (Fraction if isinstance(value, int) else type(value))
    else:
        message = refusal(in_range, "x", value, low, high, open_high=open_high)
        assert message == f"x: {value} is not in [{low}, {high}{')' if open_high else ']'}"


@pytest.mark.parametrize("value", NOT_NUMBERS, ids=label)
def test_what_is_not_a_number_is_neither_in_range_nor_whole(value: object) -> None:
    assert refusal(in_range, "gamma", value, 0, 1).startswith("gamma")
    assert refusal(whole, "k", value).startswith("k")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), np.float32("nan")])
def test_numbers_that_are_not_finite_are_refused(value: float) -> None:
    assert refusal(in_range, "gamma", value, 0, 1) == (
        f"gamma: {float(value)} is not finite; give a number in [0, 1]"
    )
    assert refusal(in_range, "gamma", np.array(value), 0, 1).startswith("gamma: ")
    assert refusal(whole, "k", value).startswith("k: ")


@pytest.mark.usefixtures("python_digits")
@pytest.mark.parametrize(
    "value", [HUGE, -HUGE, Fraction(HUGE, 3), Fraction(HUGE + 1, HUGE)], ids=label
)
def test_numbers_too_long_to_print_are_refused_in_one_line(value: Any) -> None:
    assert refusal(in_range, "gamma", value, 0, 1).startswith("gamma: ")
    assert refusal(whole, "k", value, 0, 10).startswith("k: ")


@given(st.integers(-5, 15), st.sampled_from([int, Fraction, np.int64, np.int8]))
def test_whole_accepts_exactly_the_whole_numbers_in_range(value: int, kind: Any) -> None:
    given_ = kind(value)
    if 0 <= value <= 10:
        assert whole("k", given_, 0, 10) == value
        assert type(whole("k", given_, 0, 10)) is int
    else:
        message = refusal(whole, "k", given_, 0, 10)
        assert message.startswith("k: ")
        assert message.endswith(" is not a whole number, 0..10")
        assert str(value) in message
    if value >= 0:
        assert whole("k", given_) == value


@pytest.mark.parametrize("value", [0.5, 2.0, np.float64(3), Fraction(1, 2), "2", None, True])
def test_whole_refuses_what_is_not_a_whole_number(value: object) -> None:
    assert refusal(whole, "k", value).startswith("k: ")


# Arrays

FLOATS = st.floats(-1, 2, allow_nan=False) | st.sampled_from(
    [0.0, -0.0, 1.0, np.nan, np.inf, -np.inf, np.nextafter(1, 2), np.nextafter(1, 0), -5e-324]
)


def first_bad(array: Any, fine: Any) -> str:
    """ "[i][j]" of the first entry in C order that is not fine; empty if all are."""
    for index in np.ndindex(array.shape):
        if not fine(array[index]):
            return "".join(f"[{i}]" for i in index) or "[]"
    return ""


@given(
    st.lists(FLOATS, min_size=0, max_size=6),
    st.sampled_from([(-1,), (-1, 1), (1, -1)]),
    st.booleans(),
)
def test_in_range_names_the_first_offending_index(
    values: list[float], shape: tuple[int, ...], open_high: bool
) -> None:
    array = np.array(values, dtype=float).reshape(shape if values else (0,))
    place = first_bad(array, lambda x: 0 <= x < 1 or (x == 1 and not open_high))
    if place:
        message = refusal(in_range, "eps", array, 0, 1, open_high=open_high)
        assert message.startswith(f"eps{place}: ")
    else:
        assert in_range("eps", array, 0, 1, open_high=open_high) is array


@given(st.lists(st.integers(-3, 13), max_size=6), st.booleans())
def test_whole_names_the_first_offending_index(values: list[int], limited: bool) -> None:
    array = np.array(values, dtype=int)
    high = 10 if limited else None
    place = first_bad(array, lambda x: x >= 0 and (high is None or x <= high))
    if place:
        assert refusal(whole, "k", array, 0, high).startswith(f"k{place}: ")
    else:
        assert whole("k", array, 0, high).tolist() == values


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint64, np.float32, np.float64])
def test_arrays_of_every_real_kind_may_lie_in_range(kind: Any) -> None:
    array = np.array([0, 1, 1], dtype=kind)
    assert in_range("eps", array, 0, 1) is array
    assert refusal(in_range, "eps", array, 0, 1, open_high=True).startswith("eps[1]: ")
    if array.dtype.kind in "iu":
        assert whole("k", array, 0, 1).tolist() == [0, 1, 1]
    else:
        assert refusal(whole, "k", array, 0, 1).startswith("k[0]: ")


def test_unsigned_integers_do_not_become_negative() -> None:
    array = np.array([0, 2**64 - 1], dtype=np.uint64)
    kept, message = attempt(whole, "k", array)
    assert message.startswith("k[1]: ") or kept.tolist() == [0, 2**64 - 1]
