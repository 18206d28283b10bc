"""The named games of this package, with their sources.

Nothing is built until it is asked for: ``find("soccer").build()``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from bounds.shared.numbers import InputError, shown
from tabular.games import climb as climb_game
from tabular.games import grid as grid_games
from tabular.games import literature as small_games
from tabular.games import random as random_games
from tabular.games.game import StochasticGame

#: Seeds of the two members of random families that have a name.
GARNET_SEED = 1995
COORDINATION_SEED = 2024


@dataclass(frozen=True)
class Entry:
    """A game by name.

    name: lower case with dashes; also the ``name`` of the game that is built.
    title: a short phrase for lists.
    source: author, year, publication, place in it; also the ``source`` of the game.
    build: makes the game; the documentation of this function states the rules.
    """

    name: str
    title: str
    source: str
    build: Callable[[], StochasticGame]


def garnet() -> StochasticGame:
    """The exact Garnet with 2 and 3 actions, 6 states and 3 successors, seed ``GARNET_SEED``."""
    rng = np.random.default_rng(GARNET_SEED)
    return random_games.garnet((2, 3), 6, 3, rng, exact=True)


def coordination() -> StochasticGame:
    """The exact coordination game of 3 agents, 2 actions, 4 states, seed ``COORDINATION_SEED``."""
    rng = np.random.default_rng(COORDINATION_SEED)
    return random_games.coordination(3, 2, 4, rng, exact=True)


_SOURCES = (
    {"climb": climb_game.SOURCE} | small_games.SOURCES | grid_games.SOURCES | random_games.SOURCES
)

#: Every game by its name.
CATALOGUE: dict[str, Entry] = {
    name: Entry(name, title, _SOURCES[name], build)
    for name, title, build in (
        (
            "repeated-prisoners-dilemma",
            "Repeated prisoner's dilemma",
            small_games.repeated_prisoners_dilemma,
        ),
        (
            "iterated-prisoners-dilemma",
            "Prisoner's dilemma that remembers the last joint action",
            small_games.iterated_prisoners_dilemma,
        ),
        ("battle-of-the-sexes", "Battle of the sexes", small_games.battle_of_the_sexes),
        ("matching-pennies", "Matching pennies", small_games.matching_pennies),
        ("rock-paper-scissors", "Rock, paper, scissors", small_games.rock_paper_scissors),
        ("stag-hunt", "Stag hunt", small_games.stag_hunt),
        ("chicken", "Chicken", small_games.chicken),
        ("climbing", "Climbing game", small_games.climbing),
        ("penalty", "Penalty game", small_games.penalty),
        ("shapley", "Shapley's game", small_games.shapley),
        (
            "three-player-matching-pennies",
            "Jordan's three-player matching pennies",
            small_games.three_player_matching_pennies,
        ),
        ("public-goods", "Public goods game with four agents", small_games.public_goods),
        (
            "unequal-coordination",
            "Coordination in two states with 2 and 3 actions",
            small_games.unequal_coordination,
        ),
        ("two-state-mdp", "Puterman's two-state decision process", small_games.two_state_mdp),
        ("river-swim", "RiverSwim", small_games.river_swim),
        ("grid-game-1", "Grid game 1: crossing paths", grid_games.grid_game_1),
        ("grid-game-2", "Grid game 2: one goal and two barriers", grid_games.grid_game_2),
        ("soccer", "Littman's soccer", grid_games.soccer),
        ("climb", "Climb on a grid: two landmarks, one equilibrium a state", climb_game.climb),
        ("garnet", "A Garnet", garnet),
        ("coordination", "A random coordination game with three agents", coordination),
    )
}


def find(name: str) -> Entry:
    """The entry called ``name``; ``InputError`` with the nearest name where there is none."""
    if name in CATALOGUE:
        return CATALOGUE[name]
    # the comparison takes time quadratic in the length
    near = get_close_matches(name[:100].lower(), CATALOGUE, n=1, cutoff=0.0)[0]
    raise InputError(f"game: {shown(name)} is not in the catalogue; the nearest name is {near}")


def summary(game: StochasticGame) -> str:
    """Its size and kind of numbers, such as "2 agents, 2×3 actions, 2 states, exact"."""
    agents = "1 agent" if game.n == 1 else f"{game.n} agents"
    actions = "×".join(str(size) for size in game.actions)
    states = "1 state" if game.n_states == 1 else f"{game.n_states} states"
    return f"{agents}, {actions} actions, {states}, {'exact' if game.is_exact else 'float'}"
