"""Case files: reading them strictly, writing them exactly (format "stochastic-game-case/1").

Numbers are JSON numbers (floats, or whole) or strings "p/q". If every number is exact the case is
exact; one float in it, and the whole case is float64. Everything wrong with a file ends in an
``InputError`` of one line that names the key, the index and the value.

Stated limits: ``MAX_BYTES`` a file, ``MAX_NUMBER_LENGTH`` characters a number, branch lengths up to
``MAX_BRANCH_LENGTH`` (exact cases: ``MAX_EXACT_BRANCH_LENGTH``, since every step lengthens the
numbers).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from bounds.shared.numbers import Array, InputError
from tabular.cases.case import Case
from tabular.games.arrays import is_sparse
from tabular.games.json_input import (
    FORMAT,
    REQUIRED,
    Numbers,
    check_keys,
    read_json,
    read_list,
    read_sizes,
    read_text_at,
    read_whole,
    to_float,
)
from tabular.games.number_text import number_text

#: Longest branch length of a float case.
MAX_BRANCH_LENGTH = 100_000
#: Longest branch length of an exact case.
MAX_EXACT_BRANCH_LENGTH = 1000


def load_case(path: Path) -> Case:
    """The case in the file at ``path``; ``InputError`` for anything wrong with it."""
    return parse_case(read_json(path))


def parse_case(value: dict[str, Any]) -> Case:
    """The case that a JSON object describes; ``InputError`` naming key, index and value."""
    check_keys(value, REQUIRED)
    sizes, s = read_sizes(value)
    n, joint = len(sizes), math.prod(sizes)
    ego = read_whole("ego", value["ego"], 0, n - 1)
    seen = Numbers()

    def policies(key: str, *, optional: bool = False) -> tuple[Any, ...]:
        given = read_list(key, value[key])
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
        branch_length = read_whole("branch_length", value["branch_length"], 0, limit)
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
        gamma=gamma if seen.exact else to_float("gamma", gamma),
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
        note=read_text_at(value, "note"),
        source=read_text_at(value, "source"),
    )


def _reward(seen: Numbers, given: Any, n: int, s: int, joint: int) -> Array:
    rows = read_list("reward", given)
    deep = bool(rows) and isinstance(rows[0], list) and bool(rows[0])
    if deep and isinstance(rows[0][0], list):
        return seen.array("reward", given, (n, s, joint))
    return seen.array("reward", given, (s, joint))


def _lengths(value: dict[str, Any]) -> tuple[int | None, ...] | None:
    key = "opponent_lengths"
    if key not in value:
        return None
    return tuple(
        None if x is None else read_whole(f"{key}[{j}]", x)
        for j, x in enumerate(read_list(key, value[key]))
    )


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
