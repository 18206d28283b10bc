"""Numbers as text: exact ones as "p/q" of any length, floats as JSON numbers."""

from __future__ import annotations

from fractions import Fraction

from flint import fmpz

from bounds.shared.numbers import Operand, decimal_text


def rational_text(value: int | Fraction) -> str:
    """The text "p/q", or "p" for a whole number, of any length."""
    # flint prints long integers in quasi-linear time and without Python's digit limit
    top = str(fmpz(value.numerator))
    return top if value.denominator == 1 else f"{top}/{fmpz(value.denominator)!s}"


def number_text(value: Operand) -> str | float:
    """The JSON value of a number: a string if it is exact, else a float."""
    return rational_text(value) if isinstance(value, int | Fraction) else float(value)


def short(value: Operand, digits: int = 6) -> str:
    """A number for people: short rationals as they are, everything else in ``digits`` digits."""
    if isinstance(value, int | Fraction):
        if value.denominator == 1 and abs(value) < 10**digits:
            return str(value.numerator)
        if max(abs(value.numerator), value.denominator) < 10**4:
            return f"{value.numerator}/{value.denominator}"
    return decimal_text(value, digits)
