"""Nested lists of numbers, as files hold them, into arrays: strictly, with the place in messages.

A number is a JSON number or a string: "p/q", or a decimal, which is read exactly ("0.95" is
19/20). ``Numbers`` remembers whether all that it read were
exact: one float among them, and the whole file is float64.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from bounds.shared.files import read_text
from bounds.shared.numbers import (
    MAX_NUMBER_LENGTH,
    Array,
    InputError,
    parse_number,
    parse_rational,
    shown,
    whole,
)
from tabular.games.game import check_actions


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
    return int(whole(where, _exact(x, where) if isinstance(x, str) else x, low, high))


def read_text_at(value: dict[str, Any], key: str) -> str:
    """The text under ``key``; "" where it is missing."""
    text = value.get(key, "")
    if not isinstance(text, str):
        raise InputError(f"{key}: {kind(text)}; give text")
    return text


def read_sizes(value: dict[str, Any]) -> tuple[tuple[int, ...], int]:
    """The agents' numbers of actions and |S| of the object that describes a game or a case."""
    actions = read_list("actions", value["actions"])
    sizes = tuple(read_whole(f"actions[{j}]", x) for j, x in enumerate(actions))
    check_actions(sizes)
    states = len(read_list("initial", value["initial"]))
    if states == 0:
        raise InputError("initial: empty; give one probability a state")
    return sizes, states


def _exact(text: str, where: str) -> Fraction:
    """A fraction or a decimal, exactly; blanks are no part of a number in a file."""
    return parse_number(text, where) if text == text.strip() else parse_rational(text, where)


class Numbers:
    """Reads nested lists into object arrays and remembers whether every number was exact."""

    def __init__(self) -> None:
        self.exact = True

    def number(self, where: str, x: Any) -> Fraction | float:
        """``x`` as a Fraction or a finite float."""
        x = _plain(where, x)
        if isinstance(x, str):
            return _exact(x, where)
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


FORMAT = "stochastic-game-case/1"

#: Largest file that is read, in bytes.
MAX_BYTES = 64 * 2**20

REQUIRED = (
    "format",
    "gamma",
    "actions",
    "ego",
    "initial",
    "transition",
    "reward",
    "policies",
    "opponent_models",
)

OPTIONAL = (
    "data_policies",
    "model_transition",
    "branch_length",
    "opponent_lengths",
    "note",
    "source",
)


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in the file at ``path``, numbers checked for length, keys for repetition."""
    name = " ".join(str(path).split("\n"))
    text = read_text(path, MAX_BYTES)
    if not text.strip():
        raise InputError(f"{name}: empty; a case is one JSON object")
    try:
        value = json.loads(
            text,
            parse_int=length_checked(int),
            parse_float=length_checked(float),
            parse_constant=lambda text: Unusable(f"{text} is not a finite number"),
            object_pairs_hook=_unique,
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"{name}: not JSON: {error.msg} at {place}") from error
    except RecursionError as error:
        raise InputError(f"{name}: nested too deeply for a case") from error
    if not isinstance(value, dict):
        raise InputError(f"{name}: holds {kind(value)}; a case is one JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise InputError(f"{shown(key)}: the key stands twice; keep one")
            seen.add(key)
    return found


def check_keys(value: dict[str, Any], required: Sequence[str]) -> None:
    """``InputError`` unless all keys are known, all ``required`` are there and the format is ours.

    A case of one agent needs no ``opponent_models``.
    """
    known = (*REQUIRED, *OPTIONAL)
    for key in value:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(known)}"
            raise InputError(f"{shown(key)}: not a key of a case; {hint}")
    if value.get("format", FORMAT) != FORMAT:
        raise InputError(f'format: {kind(value["format"])}; this reads "{FORMAT}"')
    single = isinstance(value.get("actions"), list) and len(value["actions"]) == 1
    for key in required:
        if key not in value and not (key == "opponent_models" and single):
            raise InputError(f"{key}: missing; the case format needs it")
