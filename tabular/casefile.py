"""Case files: reading them strictly, writing them exactly (format "stochastic-game-case/1").

Numbers are JSON numbers (floats, or whole) or strings "p/q". If every number is exact the case is
exact; one float in it, and the whole case is float64. Everything wrong with a file ends in an
``InputError`` of one line that names the key, the index and the value.

Stated limits: ``MAX_BYTES`` a file, ``MAX_NUMBER_LENGTH`` characters a number, branch lengths up to
``MAX_BRANCH_LENGTH`` (exact cases: ``MAX_EXACT_BRANCH_LENGTH``, since every step lengthens the
numbers).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from difflib import get_close_matches
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from bounds.files import read_text
from bounds.numbers import MAX_NUMBER_LENGTH, Array, InputError, parse_rational, shown, whole
from tabular.arrays import is_sparse
from tabular.case import Case
from tabular.game import check_actions
from tabular.text import number_text

FORMAT = "stochastic-game-case/1"
#: Largest file that is read, in bytes.
MAX_BYTES = 64 * 2**20
#: Longest branch length of a float case.
MAX_BRANCH_LENGTH = 100_000
#: Longest branch length of an exact case.
MAX_EXACT_BRANCH_LENGTH = 1000

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


class _Unusable:
    """A number in the file that is not even converted; ``why`` goes into the message."""

    def __init__(self, why: str) -> None:
        self.why = why


def load_case(path: Path) -> Case:
    """The case in the file at ``path``; ``InputError`` for anything wrong with it."""
    return parse_case(read_json(path))


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in the file at ``path``, numbers checked for length, keys for repetition."""
    name = " ".join(str(path).split("\n"))
    text = read_text(path, MAX_BYTES)
    if not text.strip():
        raise InputError(f"{name}: empty; a case is one JSON object")
    try:
        value = json.loads(
            text,
            parse_int=_checked(int),
            parse_float=_checked(float),
            parse_constant=lambda text: _Unusable(f"{text} is not a finite number"),
            object_pairs_hook=_unique,
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"{name}: not JSON: {error.msg} at {place}") from error
    except RecursionError as error:
        raise InputError(f"{name}: nested too deeply for a case") from error
    if not isinstance(value, dict):
        raise InputError(f"{name}: holds {_kind(value)}; a case is one JSON object")
    return value


def _checked(convert: Callable[[str], int | float]) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        if len(text) > MAX_NUMBER_LENGTH:
            return _Unusable(
                f"a number of {len(text)} characters; at most {MAX_NUMBER_LENGTH} are read"
            )
        return convert(text)

    return read


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise InputError(f"{shown(key)}: the key stands twice; keep one")
            seen.add(key)
    return found


def parse_case(value: dict[str, Any]) -> Case:
    """The case that a JSON object describes; ``InputError`` naming key, index and value."""
    _check_keys(value)
    actions = _list("actions", value["actions"])
    sizes = tuple(_whole(f"actions[{j}]", x) for j, x in enumerate(actions))
    check_actions(sizes)
    n, joint = len(sizes), math.prod(sizes)
    ego = _whole("ego", value["ego"], 0, n - 1)
    s = len(_list("initial", value["initial"]))
    if s == 0:
        raise InputError("initial: empty; give one probability a state")
    seen = _Numbers()

    def policies(key: str, *, optional: bool = False) -> tuple[Any, ...]:
        given = _list(key, value[key])
        if len(given) != n:
            raise InputError(f"{key}: {len(given)} entries for {n} agents; give one for each")
        return tuple(
            None
            if optional and policy is None
            else seen.array(f"{key}[{j}]", policy, (s, sizes[j]))
            for j, policy in enumerate(given)
        )

    gamma = seen.number("gamma", value["gamma"])
    initial = seen.array("initial", value["initial"], (s,))
    transition = seen.array("transition", value["transition"], (s, joint, s))
    reward = _reward(seen, value["reward"], n, s, joint)
    current = policies("policies")
    data = policies("data_policies") if "data_policies" in value else current
    model = (
        seen.array("model_transition", value["model_transition"], (s, joint, s))
        if "model_transition" in value
        else transition
    )
    given = "opponent_models" in value  # a single agent has none to give
    modelled = policies("opponent_models", optional=True) if given else (None,)
    limit = MAX_EXACT_BRANCH_LENGTH if seen.exact else MAX_BRANCH_LENGTH
    branch_length = None
    if "branch_length" in value:
        branch_length = _whole("branch_length", value["branch_length"], 0, limit)
    settled: dict[int, Array] = {}  # arrays that stand for one another stay one object

    def number(key: str, array: Any) -> Any:
        if array is None:
            return None
        if id(array) not in settled:
            settled[id(array)] = seen.settle(key, array)
        return settled[id(array)]

    def numbers(key: str, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(number(f"{key}[{j}]", array) for j, array in enumerate(arrays))

    rewards = seen.settle("reward", reward)
    return Case(
        gamma=gamma if seen.exact else _to_float("gamma", gamma),
        actions=sizes,
        ego=ego,
        initial=number("initial", initial),
        transition=number("transition", transition),
        reward=rewards[ego] if rewards.ndim == 3 else rewards,
        policies=numbers("policies", current),
        data_policies=numbers("data_policies", data),
        model_transition=number("model_transition", model),
        opponent_models=numbers("opponent_models", modelled),
        branch_length=branch_length,
        opponent_lengths=_lengths(value),
        note=_text(value, "note"),
        source=_text(value, "source"),
    )


def _check_keys(value: dict[str, Any]) -> None:
    known = (*REQUIRED, *OPTIONAL)
    for key in value:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(known)}"
            raise InputError(f"{shown(key)}: not a key of a case; {hint}")
    if value.get("format", FORMAT) != FORMAT:
        raise InputError(f'format: {_kind(value["format"])}; this reads "{FORMAT}"')
    single = isinstance(value.get("actions"), list) and len(value["actions"]) == 1
    for key in REQUIRED:
        if key not in value and not (key == "opponent_models" and single):
            raise InputError(f"{key}: missing; the case format needs it")


def _reward(seen: _Numbers, given: Any, n: int, s: int, joint: int) -> Array:
    rows = _list("reward", given)
    deep = bool(rows) and isinstance(rows[0], list) and bool(rows[0])
    if deep and isinstance(rows[0][0], list):
        return seen.array("reward", given, (n, s, joint))
    return seen.array("reward", given, (s, joint))


def _lengths(value: dict[str, Any]) -> tuple[int | None, ...] | None:
    key = "opponent_lengths"
    if key not in value:
        return None
    return tuple(
        None if x is None else _whole(f"{key}[{j}]", x)
        for j, x in enumerate(_list(key, value[key]))
    )


def _whole(where: str, x: Any, low: int = 0, high: int | None = None) -> int:
    x = _plain(where, x)
    return int(whole(where, parse_rational(x, where) if isinstance(x, str) else x, low, high))


def _text(value: dict[str, Any], key: str) -> str:
    text = value.get(key, "")
    if not isinstance(text, str):
        raise InputError(f"{key}: {_kind(text)}; give text")
    return text


class _Numbers:
    """Reads nested lists into object arrays and remembers whether every number was exact."""

    def __init__(self) -> None:
        self.exact = True

    def number(self, where: str, x: Any) -> Fraction | float:
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
        flat: list[Any] = []
        self._read(key, given, shape, flat)
        out = np.empty(len(flat), dtype=object)
        out[:] = flat
        return out.reshape(shape)

    def _read(self, where: str, given: Any, shape: tuple[int, ...], flat: list[Any]) -> None:
        items = _list(where, given)
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
            out[index] = _to_float(key + "".join(f"[{i}]" for i in index), x)
        return out


def _to_float(where: str, x: Fraction | float) -> float:
    try:
        return float(x)
    except OverflowError:
        raise InputError(f"{where}: {shown(x)} is too large for a float case") from None


def _plain(where: str, x: Any) -> Any:
    """``x`` if it can be a number at all."""
    if isinstance(x, _Unusable):
        raise InputError(f"{where}: {x.why}")
    if isinstance(x, bool) or not isinstance(x, int | float | str):
        raise InputError(f"{where}: {_kind(x)}; give a number")
    return x


def _list(where: str, x: Any) -> list[Any]:
    if not isinstance(x, list):
        raise InputError(f"{where}: {_kind(x)}; give a list")
    return x


def _kind(x: Any) -> str:
    if x is None:
        return "null"
    if isinstance(x, _Unusable):
        return x.why
    if isinstance(x, dict | list):
        return f"{'an object' if isinstance(x, dict) else 'a list'} of {len(x)} entries"
    return f"{shown(x)}"


def case_json(case: Case) -> dict[str, Any]:
    """The case as the JSON object of the format; exact numbers as strings, floats as numbers."""
    if case.is_batch or is_sparse(case.transition):
        raise InputError("transition: only single dense cases can be written as case files")

    def nested(array: Array | None) -> Any:
        if array is None:
            return None
        if array.ndim == 1:
            return [number_text(x) for x in array]
        return [nested(row) for row in array]

    value: dict[str, Any] = {
        "format": FORMAT,
        "note": case.note,
        "source": case.source,
        "gamma": number_text(case.gamma),
        "actions": list(case.actions),
        "ego": case.ego,
        "initial": nested(case.initial),
        "reward": nested(case.reward),
        "policies": [nested(p) for p in case.policies],
        "data_policies": [nested(p) for p in case.data_policies],
        "opponent_models": [nested(p) for p in case.opponent_models],
        "transition": nested(case.transition),
        "model_transition": nested(case.model_transition),
    }
    if case.branch_length is not None:
        value["branch_length"] = case.branch_length
    if case.opponent_lengths is not None:
        value["opponent_lengths"] = list(case.opponent_lengths)
    return {key: x for key, x in value.items() if x != ""}
