"""The named games of this package, with their sources.

Nothing is built until it is asked for: ``find("soccer").build()``.
"""

from __future__ import annotations

from difflib import get_close_matches

from bounds.shared.numbers import InputError, shown
from tabular.games import climb, grid, literature, random
from tabular.games.entry import Entry
from tabular.games.game import StochasticGame

#: Every game by its name: the entries that stand beside the functions that write the games down.
CATALOGUE: dict[str, Entry] = {
    entry.name: entry
    for entry in (*literature.ENTRIES, *grid.ENTRIES, *climb.ENTRIES, *random.ENTRIES)
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
