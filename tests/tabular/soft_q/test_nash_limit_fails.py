"""Theorem 7 where it fails: small games, their certificates, pygambit's branch as the witness."""

import json
from fractions import Fraction as F
from itertools import islice, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounds.shared.numbers import InputError
from tabular import verify_soft
from tabular.equilibria.gambit import logit_equilibria
from tabular.equilibria.nash_value_iteration import solve as nash
from tabular.equilibria.selection import parse_selection
from tabular.equilibria.stage_game import is_global_optimum, is_saddle, regret
from tabular.games.arrays import exact_array
from tabular.games.literature import repeated
from tabular.soft_q import nash_limit_fails
from tabular.soft_q.all_agents import simultaneous_iteration, values_of
from tabular.soft_q.nash_limit_fails import (
    NO_SADDLE,
    SMALLEST,
    STAG_HUNT,
    conditioned_play,
    limit_certificate,
    limit_is_saddle,
    optimal,
    smallest,
    stays_uniform,
    strict,
    symmetric,
    wrong_limit,
)
from tabular.verify_soft import Rejected, verify

PAYOFFS = st.lists(st.integers(0, 5), min_size=8, max_size=8).map(
    lambda x: exact_array(np.reshape(x, (2, 2, 2)))
)
GAMES = {"smallest": SMALLEST, "stag hunt": STAG_HUNT, "no saddle": NO_SADDLE}


def plays(payoffs: Any, alpha: float, steps: int = 400, gamma: float = 0.9) -> Any:
    """The learners of a repeated game after ``steps`` from uniform play."""
    reward = payoffs.reshape(2, 1, 4).astype(float)
    *_, last = islice(
        simultaneous_iteration(gamma, (2, 2), np.ones((1, 4, 1)), reward, alpha), steps
    )
    return last


@pytest.mark.parametrize("name", ["stag hunt", "no saddle"])
def test_learners_leave_the_global_optimum(name: str) -> None:
    payoffs = GAMES[name]
    game = repeated(payoffs, F(1, 2))
    selected = nash(game, parse_selection("global-optimum", 2))
    assert (selected.values[:, 0] == 2 * payoffs[:, 0, 0]).all()
    for alpha in (2.0, 0.5, 0.1, 0.02):
        last = plays(payoffs, alpha, gamma=0.5)
        assert all(p[0, 1] > 0.5 for p in last.policies)
        values = values_of(last, (2, 2), alpha)[:, 0]
        if alpha <= 0.1:
            assert (values < 2 * payoffs[:, 1, 1].astype(float) + 2 * alpha).all()
            assert (values < selected.values[:, 0].astype(float) - 0.5).all()


def test_nobody_leaves_uniform_play() -> None:
    for alpha in (1.0, 0.01):
        assert all((p == 0.5).all() for p in plays(SMALLEST, alpha).policies)


def test_conditions_of_the_games() -> None:
    first, last = (tuple(exact_array(p) for p in [row] * 2) for row in ([1, 0], [0, 1]))
    for payoffs in GAMES.values():
        assert is_global_optimum(payoffs, first)
        assert regret(payoffs, first) == regret(payoffs, last) == 0
    assert is_saddle(STAG_HUNT, last)
    assert not is_saddle(NO_SADDLE, last)
    assert not is_saddle(NO_SADDLE, first)
    mixed = (exact_array([F(3, 5), F(2, 5)]),) * 2
    assert regret(NO_SADDLE, mixed) == 0
    assert not is_saddle(NO_SADDLE, mixed)


@given(PAYOFFS)
def test_vectorised_conditions_are_those_of_stage_games(payoffs: Any) -> None:
    first, last = (tuple(exact_array(p) for p in [row] * 2) for row in ([1, 0], [0, 1]))
    others = [
        tuple(exact_array(np.eye(2, dtype=int)[x]) for x in own) for own in ((0, 1), (1, 0), (1, 1))
    ]
    only = is_global_optimum(payoffs, first) and not any(
        is_global_optimum(payoffs, profile) for profile in others
    )
    # ties of one agent alone are no second optimum
    assert bool(optimal(payoffs)) <= only
    if strict(payoffs):
        assert regret(payoffs, first) == 0 == regret(payoffs, last)
        assert bool(limit_is_saddle(payoffs)) == bool(is_saddle(payoffs, last))


@given(PAYOFFS, st.sampled_from((2.0, 0.3, 0.03)))
def test_where_the_argument_applies_the_learners_follow_it(payoffs: Any, alpha: float) -> None:
    last = plays(payoffs, alpha, 200)
    if wrong_limit(payoffs):
        ends = zip(*nash_limit_fails.gains(payoffs), strict=True)
        for own, least in zip(last.policies, (float(min(pair)) for pair in ends), strict=True):
            assert own[0, 1] >= 1 / (1 + np.exp(-least / alpha)) - 1e-12
        assert verify(limit_certificate(payoffs, "it"))
    elif stays_uniform(payoffs):
        assert all(p == pytest.approx(0.5) for p in last.policies)
        assert verify(limit_certificate(payoffs, "it"))
    else:
        with pytest.raises(InputError):
            limit_certificate(payoffs, "it")


def test_the_smallest_games() -> None:
    assert smallest("any").payoff == 1
    assert any((g == SMALLEST).all() for g in smallest("any").games)
    assert smallest("strict").payoff == smallest("no-saddle").payoff == 3
    for criterion, payoff, game in (("strict", 3, STAG_HUNT), ("no-saddle", 4, NO_SADDLE)):
        found = smallest(criterion, symmetric_only=True)  # type: ignore[arg-type]
        assert found.payoff == payoff
        assert len(found.games) == 1
        assert (found.games[0] == game).all()
    with pytest.raises(InputError, match="most"):
        smallest("strict", 2)


def test_the_argument_finds_all_strict_games_of_payoffs_up_to_3() -> None:
    """By running the learners: where they end at (1, 1), the argument says so, and only there."""
    tables = [np.reshape(t, (2, 2)) for t in product(range(4), repeat=4) if t[0] == max(t)]
    pairs = np.array([np.stack([one, two]) for one, two in product(tables, tables)], dtype=float)
    worse = (pairs[:, :, 1, 1] < pairs[:, :, 0, 0]).all(axis=-1)
    given_ = pairs[strict(pairs) & worse]
    steps = simultaneous_iteration(
        0.0, (2, 2), np.ones((len(given_), 1, 4, 1)), given_.reshape(-1, 2, 1, 4), 0.05
    )
    *_, last = islice(steps, 300)
    there = np.min([p[:, 0, 1] for p in last.policies], axis=0) > 0.99
    assert (there == wrong_limit(given_)).all()
    assert there.sum() == len(smallest("strict").games) == 9
    assert len(smallest("no-saddle").games) == 2


def test_no_smaller_strict_game_ends_at_the_other_equilibrium() -> None:
    """All of them with payoffs up to 2, by running the learners; γ = 0, where sums are exact."""
    tables = [np.reshape(t, (2, 2)) for t in product(range(3), repeat=4) if t[0] == max(t)]
    tried, shares = 0, []
    for one, two in product(tables, tables):
        payoffs = np.stack([one, two])
        worse = (payoffs[:, 1, 1] < payoffs[:, 0, 0]).all()
        if strict(payoffs) and worse:
            tried += 1
            assert (nash_limit_fails.gains(payoffs.astype(float))[0] <= 0).all()
            for alpha in (1.0, 0.05):
                shares += [p[0, 1] for p in plays(payoffs, alpha, 100, gamma=0.0).policies]
    assert tried > 0
    assert max(shares) <= 0.5


@pytest.mark.parametrize("name", GAMES)
def test_the_principal_branch_agrees(name: str) -> None:
    """pygambit follows the branch from uniform play; its points lie in the certificate's boxes."""
    payoffs = GAMES[name]
    certificate = limit_certificate(payoffs, "it")
    if certificate["limit"] == "uniform":
        for p, q in logit_equilibria(payoffs, [0.5, 5.0, 50.0]):
            assert p == pytest.approx(0.5, abs=1e-6)
            assert q == pytest.approx(0.5, abs=1e-6)
        return
    rows = certificate["enclosures"]
    points = logit_equilibria(payoffs, [1 / float(F(row["alpha"])) for row in rows])
    for row, point in zip(rows, points, strict=True):
        for (low, high), own in zip(row["boxes"], point, strict=True):
            # pygambit corrects its points to about 10⁻⁸
            assert float(F(low)) - 1e-6 <= own[1] <= float(F(high)) + 1e-6


def forged(payoffs: Any, path: list[Any], value: Any) -> dict[str, Any]:
    certificate = json.loads(json.dumps(limit_certificate(payoffs, "it")))
    place: Any = certificate
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return certificate


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["payoffs", 0, 0, 0], "1"),
        (["payoffs", 0, 0, 0], "6"),
        (["payoffs", 0, 1, 1], "5/2"),
        (["payoffs", 0], [["3", "0"]]),
        (["optimum"], [1, 1]),
        (["limit"], [0, 1]),
        (["limit"], [0, 0]),
        (["limit"], "uniform"),
        (["enclosures"], []),
        (["enclosures", 4, "alpha"], "10"),
        (["enclosures", 4, "alpha"], "-1"),
        (["enclosures", 0, "boxes", 0, 1], "4/5"),
        (["enclosures", 0, "boxes", 0, 0], "9/10"),
        (["enclosures", 0, "boxes", 0, 0], "2/5"),
    ],
)
def test_forged_limits_are_rejected(path: list[Any], value: Any) -> None:
    assert verify(limit_certificate(STAG_HUNT, "it"))
    with pytest.raises(Rejected):
        verify(forged(STAG_HUNT, path, value))


def test_a_checker_that_forgets_the_temperature_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The boxes are tight: a softmax at half or twice the temperature falls out of them."""
    right = verify_soft.chance
    for factor in (F(1, 2), F(2)):
        monkeypatch.setattr(verify_soft, "chance", lambda x, f=factor: right(x * f))
        with pytest.raises(Rejected):
            verify(limit_certificate(STAG_HUNT, "it"))


@given(
    st.lists(st.integers(-3, 3), min_size=8, max_size=8),
    st.fractions(F(6, 5), 9, max_denominator=9),
)
def test_conditioned_play_is_stationary_and_reached(numbers: list[int], base: F) -> None:
    payoffs = exact_array(np.reshape(numbers, (2, 2, 2)))
    x, y = conditioned_play(payoffs, base)
    table = payoffs.astype(float)
    alpha = 1 / np.log(float(base))
    p, q = 0.3, 0.9
    for _ in range(3000):
        own = np.exp((table[0] - table[0].max(axis=0)) / alpha)
        other = np.exp((table[1] - table[1].max(axis=1, keepdims=True)) / alpha)
        mine = (own / own.sum(axis=0))[0]
        theirs = (other / other.sum(axis=1, keepdims=True))[:, 0]
        p, q = q * mine[0] + (1 - q) * mine[1], p * theirs[0] + (1 - p) * theirs[1]
    # slopes up to (9^6 − 1)/(9^6 + 1) contract slowly
    slope = abs(mine[0] - mine[1]) * abs(theirs[0] - theirs[1])
    if slope < 0.99:
        assert (p, q) == pytest.approx((float(x), float(y)), abs=1e-6)
    assert 0 < x < 1
    assert 0 < y < 1


def test_conditioned_play_leaves_the_optimum_too() -> None:
    shares = []
    for b in (2, 3, 10, 1000):
        x, y = conditioned_play(NO_SADDLE, F(b))
        assert x == y == F(1 + b * b, 2 + b * b + b**3)
        shares.append(x)
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] < F(1, 900)
    assert conditioned_play(STAG_HUNT, F(1000))[0] < F(1, 900)
    # and goes to it where it risk-dominates
    assert conditioned_play(symmetric([[4, 0], [1, 1]]), F(1000))[0] > F(899, 900)
