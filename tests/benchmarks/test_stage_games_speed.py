"""How fast stage games are solved: 10,000 random games at once, and pygambit called in a loop."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pygambit
import pytest

from bounds.shared.numbers import Array
from tabular.equilibria.exploitability import exploitability
from tabular.equilibria.shapley import ZeroSumSolution, value_iteration
from tabular.equilibria.support_enumeration import Equilibria, support_enumeration
from tabular.games.arrays import exact_array
from tabular.games.catalogue import find

GAMES = 10_000

Profile = tuple[tuple[Any, ...], ...]


def in_gambit(payoffs: Array, *, rational: bool) -> list[Profile]:
    game = pygambit.StrategicGame.from_arrays(*payoffs)
    found = pygambit.nash.enummixed_solve(game, rational=rational).equilibria
    number = (lambda w: Fraction(int(w.numerator), int(w.denominator))) if rational else float
    return [
        tuple(tuple(number(w) for _, w in profile[player]) for player in profile.game.players)
        for profile in found
    ]


def by_game(found: Equilibria) -> list[list[Profile]]:
    rows: list[list[Profile]] = [[] for _ in range(GAMES)]
    for e, game in enumerate(found.game):
        rows[game].append(tuple(tuple(own.tolist()) for own in found.profile(e)))
    return rows


def same_floats(ours: list[Profile], theirs: list[Profile]) -> bool:
    """The same sets up to 1e-6, where both lists are of distinct equilibria."""

    def key(profile: Profile) -> Profile:
        return tuple(tuple(round(x, 6) + 0.0 for x in own) for own in profile)

    def near(a: Profile, b: Profile) -> bool:
        return all(
            abs(x - y) < 1e-6 for p, q in zip(a, b, strict=True) for x, y in zip(p, q, strict=True)
        )

    if len(ours) != len({key(p) for p in theirs}):
        return False
    return all(any(near(a, b) for b in theirs) for a in ours)


@pytest.mark.parametrize(
    ("kind", "target"), [("normal payoffs", "50 times"), ("payoffs -2..2, degenerate", "50 times")]
)
def test_ten_thousand_games(
    kind: str, target: str, bench: Any, compare: Callable[[Callable[[], Any], int], float]
) -> None:
    rng = np.random.default_rng(0)
    shape = (GAMES, 2, 3, 3)
    degenerate = kind != "normal payoffs"
    payoffs = rng.integers(-2, 3, shape).astype(float) if degenerate else rng.normal(size=shape)
    found: dict[str, Any] = {}

    def ours() -> None:
        found["ours"] = support_enumeration(payoffs)

    def theirs() -> None:
        found["theirs"] = [in_gambit(game, rational=False) for game in payoffs]

    together = bench.seconds(ours, rounds=5)
    looped = compare(theirs, 1)
    bench.figure(f"{GAMES:,} games of 3x3, {kind}: seconds", together, "s")
    bench.figure(f"{kind}: pygambit in a loop, floats: seconds", looped, "s")
    bench.figure(f"{kind}: pygambit / ours", looped / together, "times", target)
    # every game whose float answer is not plainly the same is asked again in rationals
    asked = 0
    for game, mine, yours in zip(payoffs, by_game(found["ours"]), found["theirs"], strict=True):
        if degenerate or not same_floats(mine, yours):
            exact = exact_array(game)
            asked += 1
            rows = support_enumeration(exact)
            certain = {tuple(tuple(own) for own in rows.profile(e)) for e in range(len(rows))}
            assert certain == set(in_gambit(exact, rational=True))
            floats = [
                tuple(tuple(map(float, own)) for own in rows.profile(e)) for e in range(len(rows))
            ]
            assert len(mine) == len(floats)
            # probabilities are correct to a few 1e-9 of themselves
            assert np.allclose(
                [np.concatenate(p) for p in mine],
                [np.concatenate(p) for p in floats],
                rtol=1e-8,
                atol=0,
            )
    bench.figure(f"{kind}: games compared in rationals", asked, "games")


def test_one_large_game(bench: Any) -> None:
    payoffs = exact_array(np.random.default_rng(0).integers(-100, 100, (2, 10, 10)))
    seconds = bench.seconds(lambda: support_enumeration(payoffs), rounds=2)
    bench.figure("all equilibria of an exact 10x10 game: seconds", seconds, "s")


def test_soccer(bench: Any) -> None:
    game = find("soccer").build()
    found: list[ZeroSumSolution] = []
    seconds = bench.seconds(lambda: found.append(value_iteration(game)), rounds=2)
    bench.figure("soccer, 760 states, by value iteration: seconds", seconds, "s")
    assert exploitability(game, found[-1].policies).exploitability <= 2 * found[-1].error + 1e-12
