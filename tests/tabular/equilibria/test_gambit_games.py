"""pygambit's own games: all equilibria of two agents, one equilibrium of the others."""

from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pygambit
import pytest
from pygambit import catalog

from bounds.shared.numbers import Array
from tabular.equilibria.nash_value_iteration import solve
from tabular.equilibria.selection import parse_selection
from tabular.equilibria.stage_game import regret
from tabular.equilibria.support_enumeration import is_enumerable
from tabular.equilibria.verification.one_state import one_state_equilibria
from tabular.games.literature import repeated

NAMES = tuple(sorted(catalog.games()["Game"]))
#: Most joint actions of a game that is tried: its strategic form may be much larger than its tree.
LARGEST = 3000


@cache
def strategic(name: str) -> Array | None:
    """The payoffs [agent, a⁰, …] in rational numbers, or None where too large or of one agent."""
    game = catalog.load(name)
    first, *_ = tables = [np.asarray(own) for own in game.to_arrays()]
    if first.ndim == 1 or first.size > LARGEST:
        return None
    payoffs = np.empty((len(tables), *first.shape), dtype=object)
    for index in np.ndindex(payoffs.shape):
        payoffs[index] = fraction(tables[index[0]][index[1:]])
    return payoffs


def fraction(number: Any) -> Fraction:
    return Fraction(int(number.numerator), int(number.denominator))


def extreme(payoffs: Array) -> set[tuple[tuple[Fraction, ...], ...]]:
    """The witness's extreme equilibria; it may repeat some."""
    # of the table, since not all of the trees have perfect recall
    game = pygambit.StrategicGame.from_arrays(*payoffs)
    found = pygambit.nash.enummixed_solve(game, rational=True).equilibria
    return {
        tuple(
            tuple(fraction(weight) for _, weight in profile[player])
            for player in profile.game.players
        )
        for profile in found
    }


def test_there_are_games() -> None:
    agents = [len(payoffs) for name in NAMES if (payoffs := strategic(name)) is not None]
    assert agents.count(2) >= 20
    assert len(agents) - agents.count(2) >= 3


@pytest.mark.parametrize("name", NAMES)
def test_the_witness_agrees(name: str) -> None:
    payoffs = strategic(name)
    if payoffs is None:
        return  # the others are counted above
    played = repeated(list(payoffs), Fraction(0))
    if len(payoffs) == 2 and is_enumerable(payoffs.shape[1:]):
        listed = one_state_equilibria(played)
        ours = {tuple(tuple(own) for own in one.strategies) for one in listed}
        assert len(ours) == len(listed)
        assert ours == extreme(payoffs)
        return
    found = solve(played, parse_selection("any", played.n))
    assert found.status == "converged"
    if found.exact:
        assert regret(payoffs, tuple(own[0] for own in found.policies)) == 0
    else:
        size = float(np.abs(payoffs.astype(float)).max())
        assert float(max(found.regret_bound)) <= 1e-9 * max(1.0, size)
