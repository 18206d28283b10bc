"""The operations that a bound may be written in, over every kind of operand.

Fractions stay exact where the result is rational (``sqrt`` of a square, ``exp(0)``, ``log(1)``,
whole powers) and become floats elsewhere; floats and arrays follow NumPy, SymPy expressions SymPy.
An operand of another kind (``bounds.formula.tree.Tree``) says itself what an operation does to it,
in a method ``applied(name, operands)``. What has no real value (0/0, log 0, a root of −1) is NaN,
so that the caller can say where.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from bounds.shared.numbers import InputError, Operand, is_exact

#: The functions of one operand.
FUNCTIONS = ("exp", "log", "sqrt")
#: Bits that a power of exact numbers may have.
MAX_BITS = 2_000_000


def apply(name: str, *operands: Operand) -> Operand:
    """The operation ``name``: one of + - * / ** min max, or of ``FUNCTIONS``."""
    for x in operands:
        if hasattr(x, "applied"):
            return x.applied(name, operands)
    if any(hasattr(x, "free_symbols") for x in operands):
        return _symbolic(name, operands)
    if all(map(is_exact, operands)):
        return _EXACT[name](*map(Fraction, operands))
    with np.errstate(all="ignore"):
        value = _FLOAT[name](*(_real(x) for x in operands))
    return float(value) if np.ndim(value) == 0 else value


def _real(x: Operand) -> Operand:
    try:
        return np.asarray(x, dtype=float)
    except OverflowError:
        return np.asarray(math.copysign(math.inf, x))


def _quotient(x: Fraction, y: Fraction) -> Operand:
    return x / y if y else math.nan


def _power(x: Fraction, y: Fraction) -> Operand:
    if y.denominator != 1:
        return _exact_root(x) if y == Fraction(1, 2) else _float_power(x, y)
    exponent = y.numerator
    if x == 0 and exponent < 0:
        return math.nan
    bits = max(x.numerator.bit_length(), x.denominator.bit_length())
    if bits > 1 and bits * abs(exponent) > MAX_BITS:
        raise InputError(f"a power of more than {MAX_BITS} bits; write smaller numbers")
    return x**exponent


def _float_power(x: Fraction, y: Fraction) -> float:
    try:
        return math.pow(x, y)
    except (ValueError, OverflowError):
        return math.nan if x < 0 or (x == 0 and y < 0) else math.inf


def _exact_root(x: Fraction) -> Operand:
    if x < 0:
        return math.nan
    top, bottom = math.isqrt(x.numerator), math.isqrt(x.denominator)
    if top * top == x.numerator and bottom * bottom == x.denominator:
        return Fraction(top, bottom)
    return math.sqrt(x)


def _exponential(x: Fraction) -> Operand:
    try:
        return math.exp(x) if x else Fraction(1)
    except OverflowError:
        return math.inf


def _logarithm(x: Fraction) -> Operand:
    if x <= 0:
        return math.nan
    return Fraction(0) if x == 1 else math.log(x.numerator) - math.log(x.denominator)


_ARITHMETIC: dict[str, Callable[..., Operand]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: x / y,
    "**": lambda x, y: x**y,
}
_EXACT: dict[str, Callable[..., Operand]] = {
    **_ARITHMETIC,
    "/": _quotient,
    "**": _power,
    "min": min,
    "max": max,
    "exp": _exponential,
    "log": _logarithm,
    "sqrt": _exact_root,
}
_FLOAT: dict[str, Callable[..., Operand]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    # x/0 and log 0 have no real value, whatever IEEE makes of them
    "/": lambda x, y: np.where(y == 0, np.nan, np.divide(x, y)),
    "**": lambda x, y: np.where((x == 0) & (y < 0), np.nan, np.power(x, y)),
    "min": np.minimum,
    "max": np.maximum,
    "exp": np.exp,
    "log": lambda x: np.where(x == 0, np.nan, np.log(x)),
    "sqrt": np.sqrt,
}


def _symbolic(name: str, operands: tuple[Operand, ...]) -> Operand:
    import sympy

    plain = [sympy.Rational(x) if isinstance(x, Fraction) else x for x in operands]
    if name in _ARITHMETIC:
        return _ARITHMETIC[name](*plain)
    known = {"min": sympy.Min, "max": sympy.Max, "exp": sympy.exp}
    known |= {"log": sympy.log, "sqrt": sympy.sqrt}
    return known[name](*plain)
