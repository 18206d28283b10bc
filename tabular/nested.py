"""Nested lists of numbers, as files hold them, into arrays: strictly, with the place in messages.

A number is a JSON number or a string "p/q". ``Numbers`` remembers whether all that it read were
exact: one float among them, and the whole file is float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from bounds.numbers import MAX_NUMBER_LENGTH, Array, InputError, parse_rational, shown, whole


class Unusable:
    """A number in the file that is not even converted; ``why`` goes into the message."""

    def __init__(self, why: str) -> None:
        self.why = why


def length_checked(convert: Callable[[str], int | float]) -> Callable[[str], Any]:
    """``convert``, or an ``Unusable`` in place of a number that is too long to be converted."""

    def read(text: str) -> Any:
        if len(text) > MAX_NUMBER_LENGTH:
            return Unusable(
                f"a number of {len(text)} characters; at most {MAX_NUMBER_LENGTH} are read"
            )
        return convert(text)

    return read


def read_whole(where: str, x: Any, low: int = 0, high: int | None = None) -> int:
    """``x`` as a whole number in low..high."""
    x = _plain(where, x)
    return int(whole(where, parse_rational(x, where) if isinstance(x, str) else x, low, high))


def read_text_at(value: dict[str, Any], key: str) -> str:
    """The text under ``key``; "" where it is missing."""
    text = value.get(key, "")
    if not isinstance(text, str):
        raise InputError(f"{key}: {kind(text)}; give text")
    return text


class Numbers:
    """Reads nested lists into object arrays and remembers whether every number was exact."""

    def __init__(self) -> None:
        self.exact = True

    def number(self, where: str, x: Any) -> Fraction | float:
        """``x`` as a Fraction or a finite float."""
        x = _plain(where, x)
        if isinstance(x, str):
            return parse_rational(x, where)
        if isinstance(x, int):
            return Fraction(x)
        if not math.isfinite(x):
            raise InputError(f"{where}: {x} is not a finite number; correct it")
        self.exact = False
        return float(x)

    def array(self, key: str, given: Any, shape: tuple[int, ...]) -> Array:
        """Lists of ``shape``, neither longer nor shorter anywhere, as an object array."""
        flat: list[Any] = []
        self._read(key, given, shape, flat)
        out = np.empty(len(flat), dtype=object)
        out[:] = flat
        return out.reshape(shape)

    def _read(self, where: str, given: Any, shape: tuple[int, ...], flat: list[Any]) -> None:
        items = read_list(where, given)
        if len(items) != shape[0]:
            raise InputError(f"{where}: {len(items)} entries, and this case needs {shape[0]}")
        for i, item in enumerate(items):
            place = f"{where}[{i}]"
            if len(shape) == 1:
                flat.append(self.number(place, item))
            else:
                self._read(place, item, shape[1:], flat)

    def settle(self, key: str, array: Array) -> Array:
        """The array in the arithmetic of the whole case."""
        if self.exact:
            return array
        out = np.empty(array.shape)
        for index, x in np.ndenumerate(array):
            out[index] = to_float(key + "".join(f"[{i}]" for i in index), x)
        return out


def to_float(where: str, x: Fraction | float) -> float:
    """``x`` as a float."""
    try:
        return float(x)
    except OverflowError:
        raise InputError(f"{where}: {shown(x)} is too large for a float case") from None


def _plain(where: str, x: Any) -> Any:
    """``x`` if it can be a number at all."""
    if isinstance(x, Unusable):
        raise InputError(f"{where}: {x.why}")
    if isinstance(x, bool) or not isinstance(x, int | float | str):
        raise InputError(f"{where}: {kind(x)}; give a number")
    return x


def read_list(where: str, x: Any) -> list[Any]:
    """``x`` if it is a list."""
    if not isinstance(x, list):
        raise InputError(f"{where}: {kind(x)}; give a list")
    return x


def kind(x: Any) -> str:
    """What ``x`` is, for a message."""
    if x is None:
        return "null"
    if isinstance(x, Unusable):
        return x.why
    if isinstance(x, dict | list):
        return f"{'an object' if isinstance(x, dict) else 'a list'} of {len(x)} entries"
    return f"{shown(x)}"
