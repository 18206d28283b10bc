"""Numbers as users write them, and the one error type for what they write wrongly.

A number is exact (``int`` or ``fractions.Fraction``) or a float. Exact numbers stay exact through
every formula of this package; one float turns the result into a float.
"""

from __future__ import annotations

import math
import re
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

#: An exact number (int, Fraction) or a float.
Number = int | float | Fraction
#: A NumPy array; shapes and index meanings are in the docstrings.
Array = NDArray[Any]
#: What a formula computes with and returns: an exact number or a float, an array of floats, a SymPy
#: expression, a torch tensor, or a ``bounds.formula.tree.Tree``, which records what is done to it.
#: All that it has to know is + − · / and powers, with its like and with whole numbers. No static
#: type says that of all of them, so it is ``Any`` with a name.
Operand: TypeAlias = Any

#: The longest number, in characters, that is read from a user's text.
MAX_NUMBER_LENGTH = 1000
#: The largest power of ten that a decimal number may carry.
MAX_EXPONENT = 1000

_RATIONAL = re.compile(r"[+-]?[0-9]+(/[0-9]+)?", re.ASCII)
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)


class InputError(ValueError):
    """What a user gave cannot be used. The message is one line: where, the value, what to do."""


def shown(value: object, limit: int = 60) -> str:
    """``value`` for an error message: on one line, cut after ``limit`` characters."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, int | Fraction):
        bits = max(value.numerator.bit_length(), value.denominator.bit_length())
        if bits > 3 * limit:  # Python does not print numbers of any length
            return f"a number of {bits} bits"
    try:
        text = str(value) if isinstance(value, Fraction) else repr(value)
    except ValueError:  # a huge number inside of something
        text = f"a {type(value).__name__}"
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def decimal_text(value: Number, digits: int = 6) -> str:
    """``value`` in ``digits`` significant digits, also where no float can hold it."""
    try:
        return f"{float(value):.{digits}g}"
    except OverflowError:
        exact_value = Fraction(value)
        wide = Context(prec=digits + 2, Emax=MAX_EMAX, Emin=MIN_EMIN)
        quotient = wide.divide(Decimal(exact_value.numerator), Decimal(exact_value.denominator))
        return f"{quotient:.{digits}g}"


def parse_rational(text: str, where: str) -> Fraction:
    """The exact value of "p/q" or "p"; ``where`` names its place in error messages.

    Raises ``InputError`` for anything else, a zero denominator, or more than
    ``MAX_NUMBER_LENGTH`` characters.
    """
    if len(text) > MAX_NUMBER_LENGTH:
        raise InputError(
            f"{where}: a number of {len(text)} characters; at most {MAX_NUMBER_LENGTH} are read"
        )
    if not _RATIONAL.fullmatch(text):
        raise InputError(f'{where}: {shown(text)} is not a rational number; write "p/q" or "p"')
    numerator, _, denominator = text.partition("/")
    if denominator and int(denominator) == 0:
        raise InputError(f"{where}: {shown(text)} divides by zero")
    return Fraction(int(numerator), int(denominator or 1))


def parse_number(text: str, where: str) -> Fraction:
    """The exact value of "p/q", "p" or a decimal such as "0.95" or "1e-3" (read as 95/100, 1/1000).

    Raises ``InputError`` for anything else, infinities and NaN included.
    """
    text = text.strip()
    if len(text) <= MAX_NUMBER_LENGTH and _DECIMAL.fullmatch(text):
        mantissa, _, exponent = text.lower().partition("e")
        if exponent and abs(int(exponent)) > MAX_EXPONENT:
            raise InputError(
                f"{where}: {shown(text)} has an exponent beyond {MAX_EXPONENT}; "
                "write a number of ordinary size"
            )
        return Fraction(mantissa) * Fraction(10) ** int(exponent or 0)
    return parse_rational(text, where)


def exact(value: Operand) -> Operand:
    """Whole numbers as ``Fraction`` (so that ``/`` stays exact); everything else unchanged."""
    if isinstance(value, bool | np.bool_):
        return value
    if isinstance(value, int | np.integer):
        return Fraction(int(value))
    return float(value) if isinstance(value, np.floating) else value


def as_float(value: Operand) -> Operand:
    """The nearest floats, as an array; ±inf for an exact number beyond their range."""
    try:
        return np.asarray(value, dtype=float)
    except OverflowError:
        return np.asarray(math.inf if value > 0 else -math.inf)


def is_exact(value: object) -> bool:
    """Whether ``value`` is an exact scalar."""
    return isinstance(value, int | Fraction)


def in_range(
    where: str, value: Operand, low: Number, high: Number, *, open_high: bool = False
) -> Operand:
    """``value`` (a scalar or an array) if every entry lies in [low, high] (or [low, high)).

    Raises ``InputError`` naming ``where``, the first offending index of an array, and its value.
    """
    rule = f"[{low}, {high}" + (")" if open_high else "]")
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "fiu":
            raise InputError(f"{where}: an array of {value.dtype}; give real numbers in {rule}")
        upper = value < float(high) if open_high else value <= float(high)
        bad = ~((value >= float(low)) & upper & np.isfinite(value))
        if bad.any():
            index = np.argwhere(bad)[0]
            place = where + "".join(f"[{i}]" for i in index)
            raise InputError(f"{place}: {value[tuple(index)]} is not in {rule}")
        return value
    real = int | float | Fraction | np.integer | np.floating
    if isinstance(value, bool) or not isinstance(value, real):
        raise InputError(f"{where}: {shown(value)} is not a number; give one in {rule}")
    value = exact(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{where}: {value} is not finite; give a number in {rule}")
    if not (low <= value < high if open_high else low <= value <= high):
        raise InputError(f"{where}: {shown(value)} is not in {rule}")
    return value


def whole(where: str, value: Operand, low: int = 0, high: int | None = None) -> Operand:
    """``value`` (a scalar or an integer array) if it is whole and in low..high."""
    rule = f"{low} or more" if high is None else f"{low}..{high}"
    if isinstance(value, np.ndarray):
        bad = (
            np.ones(value.shape, bool)
            if value.dtype.kind not in "iu"
            else (value < low) | (value > (np.iinfo(np.int64).max if high is None else high))
        )
        if bad.any():
            index = np.argwhere(bad)[0]
            place = where + "".join(f"[{i}]" for i in index)
            raise InputError(f"{place}: {value[tuple(index)]} is not a whole number, {rule}")
        return value.astype(np.int64)  # sums of narrower integers would wrap around
    if isinstance(value, Fraction) and value.denominator == 1:
        value = value.numerator
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise InputError(f"{where}: {shown(value)} is not a whole number, {rule}")
    if value < low or (high is not None and value > high):
        raise InputError(f"{where}: {shown(value)} is not a whole number, {rule}")
    return int(value)
