"""A game of the catalogue: its name, title and source, and the function that writes it down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tabular.games.game import StochasticGame


@dataclass(frozen=True)
class Entry:
    """A game by name.

    name: lower case with dashes. title: a short phrase for lists. source: author, year,
    publication, place in it. rules: makes the game; its documentation states the rules.
    """

    name: str
    title: str
    source: str
    rules: Callable[[], StochasticGame]

    def build(self) -> StochasticGame:
        """The game, with this name and source."""
        return replace(self.rules(), name=self.name, source=self.source)
