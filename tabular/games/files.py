"""Game files: the case format without models ("stochastic-game-case/1").

A game file needs ``format``, ``gamma``, ``actions``, ``initial``, ``transition`` and ``reward`` of
all agents, [agent][s][a] ([s][a] will do for one agent). Every case file whose rewards are those of
all agents is a game file too: what a game does not need (``ego``, policies, models, branch lengths)
is not read. Numbers, exactness, limits and messages are those of ``tabular.cases.files``.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from bounds.shared.numbers import InputError
from tabular.games.arrays import check_size, is_sparse
from tabular.games.game import StochasticGame
from tabular.games.json_input import (
    FORMAT,
    Numbers,
    check_keys,
    read_json,
    read_sizes,
    read_text_at,
    to_float,
)
from tabular.games.number_text import number_text

REQUIRED = ("format", "gamma", "actions", "initial", "transition", "reward")


def load_game(path: Path) -> StochasticGame:
    """The game in the file at ``path``; ``InputError`` for anything wrong with it."""
    return parse_game(read_json(path))


def parse_game(value: dict[str, Any]) -> StochasticGame:
    """The game that a JSON object describes; ``InputError`` naming key, index and value."""
    check_keys(value, REQUIRED)
    sizes, s = read_sizes(value)
    n, joint = len(sizes), math.prod(sizes)
    seen = Numbers()
    gamma = seen.number("gamma", value["gamma"])
    initial = seen.array("initial", value["initial"], (s,))
    transition = seen.array("transition", value["transition"], (s, joint, s))
    single = n == 1 and _depth(value["reward"]) == 2
    if n > 1 and _depth(value["reward"]) == 2:
        raise InputError(
            f"reward: the payoffs of one agent; equilibria need those of all {n}, [agent][s][a]"
        )
    shape = (s, joint) if single else (n, s, joint)
    reward = seen.settle("reward", seen.array("reward", value["reward"], shape))
    reward = reward.reshape(n, s, joint)
    check_size("reward", reward)
    return StochasticGame(
        actions=sizes,
        transition=seen.settle("transition", transition),
        reward=reward,
        initial=seen.settle("initial", initial),
        gamma=gamma if seen.exact else to_float("gamma", gamma),
        name=read_text_at(value, "note"),
        source=read_text_at(value, "source"),
    )


def _depth(given: Any) -> int:
    """How deep the first entries of nested lists lie."""
    depth = 0
    while isinstance(given, list):
        depth += 1
        given = given[0] if given else None
    return depth


def game_json(game: StochasticGame) -> dict[str, Any]:
    """The game as the JSON object of the format; exact numbers as strings, floats as numbers.

    >>> from tabular.games.catalogue import find
    >>> value = game_json(find("matching-pennies").build())
    >>> value["gamma"], value["reward"]
    ('9/10', [[['1', '-1', '-1', '1']], [['-1', '1', '1', '-1']]])
    >>> parse_game(value).name
    'matching-pennies'
    """
    if is_sparse(game.transition):
        raise InputError("transition: sparse; only dense games can be written as files")

    def tables(arrays: Any) -> list[Any]:
        return [[[number_text(x) for x in row] for row in table] for table in arrays]

    value = {
        "format": FORMAT,
        "note": game.name,
        "source": game.source,
        "gamma": number_text(game.gamma),
        "actions": list(game.actions),
        "initial": [number_text(x) for x in game.initial],
        "reward": tables(game.reward),
        "transition": tables(game.transition),
    }
    return {key: x for key, x in value.items() if x != ""}
