"""Soft learners in games that strict dominance solves, Climb among them; wrong bounds fall."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp

from bounds.shared.numbers import Array, InputError
from tabular.audit.rows import strict_dominance
from tabular.audit.rows.strict_dominance import (
    climb_values,
    dominance_claim,
    enclosed_replies,
    solvable,
)
from tabular.equilibria.exploitability import stage_payoffs
from tabular.equilibria.logit_branch import logit_values
from tabular.equilibria.nash_value_iteration import solve
from tabular.equilibria.selection import parse_selection
from tabular.equilibria.stage_game import is_global_optimum, is_saddle, regret
from tabular.games import climb
from tabular.games.arrays import exact_array
from tabular.games.catalogue import find
from tabular.games.game import StochasticGame, as_float
from tabular.games.literature import repeated
from tabular.soft_q import strict_dominance as limit_bounds
from tabular.soft_q.all_agents import Learners, simultaneous_iteration, values_of
from tabular.soft_q.strict_dominance import enclosure, least_mean, replies, stage, value_bounds

#: Temperatures at which Climb's enclosure holds.
COLD = (0.07, 0.05, 0.03, 0.02)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@cache
def nash() -> tuple[StochasticGame, Array]:
    game = find("climb").build()
    return game, solve(game, parse_selection("first", 2)).values


def learned(game: StochasticGame, alpha: float, steps: int, start: Any = None) -> Learners:
    floats = as_float(game)
    run = simultaneous_iteration(
        floats.gamma, game.actions, floats.transition, floats.reward, alpha, start
    )
    *_, last = islice(run, steps + 1)
    return last


# Climb


def test_climb_is_in_none_of_the_classes_of_theorem_7() -> None:
    game, values = nash()
    own = list(climb.grid())
    for state, payoffs in enumerate(stage_payoffs(game, values)):
        landmark = [own.index(place) for place in climb.equilibrium(state)]
        profile = tuple(exact_array(np.eye(5, dtype=int)[a]) for a in landmark)
        assert regret(payoffs, profile) == 0
        assert not is_global_optimum(payoffs, profile)
        assert not is_saddle(payoffs, profile)
        # the leader has its maximum there, the follower has not; and either is hurt by the other
        best = payoffs.max(axis=(1, 2))
        assert payoffs[state][tuple(landmark)] == best[state]
        assert payoffs[1 - state][tuple(landmark)] == best[1 - state] - 1
        assert (payoffs[0].sum() + payoffs[1].sum()) != 0


@pytest.mark.parametrize("alpha", COLD)
def test_soft_values_of_climb_are_within_the_bounds(alpha: float) -> None:
    game, values = nash()
    low, high = value_bounds(game, alpha)
    last = learned(game, alpha, 600)
    apart = values_of(last, game.actions, alpha) - values.astype(float)
    rounding = 1e-11  # and what is left of 31 after 600 sweeps by γ = 0.95, 2e-12
    for j in range(2):
        assert low[j] - rounding <= apart[j].min() <= apart[j].max() <= high[j] + rounding
    if alpha >= 0.03:  # and the bounds are near: within twice the distance
        assert (2 * apart.min(axis=1) < low).all()
        assert (apart.max(axis=1) < 0).all()  # below the Nash values, unlike in the classes
    # the limits are the logit equilibrium, and the exact Q-values of Nash Q
    other = logit_values(game, alpha).soft_values
    assert values_of(last, game.actions, alpha) == pytest.approx(other, abs=rounding)
    exact = np.moveaxis(stage_payoffs(game, values), 1, 0).astype(float).reshape(2, 2, 25)
    assert np.abs(last.q - exact).max() <= max(-low.min(), high.max()) + rounding


def test_climb_converges_to_nash_q_as_the_temperature_falls() -> None:
    """Exact sweeps at 1/2, 1/4, … 1/64, each from the end of the one before."""
    game, values = nash()
    now, far = None, []
    for alpha in 0.5 ** np.arange(1, 7):
        now = learned(game, float(alpha), 600, now)
        far.append(float(np.abs(values_of(now, game.actions, alpha) - values.astype(float)).max()))
    assert far == sorted(far, reverse=True)
    assert far[0] > 1
    assert far[-1] < 1e-11  # e^(−0.5 · 64) is 1e-14, over 1 − γ
    own = list(climb.grid())
    for j in range(2):
        for state in range(2):
            assert now.policies[j][state].argmax() == own.index(climb.equilibrium(state)[j])


@given(st.integers(0, 9999), st.sampled_from(COLD))
def test_soft_replies_of_climb_are_enclosed_from_every_start(seed: int, alpha: float) -> None:
    game = find("climb").build()
    draw = rng(seed)
    policies = tuple(draw.dirichlet(np.full(5, 0.3), size=2) for _ in range(2))
    start = Learners(draw.normal(size=(2, 2, 25)) * 30, policies)
    # one step for the policies to answer Q, and one a round after Q has answered the policies
    found = [enclosure(stage(game, s), alpha) for s in range(2)]
    last = learned(game, alpha, found[0].rounds + 60, start)
    for s, one in enumerate(found):
        for j in range(2):
            share = 1 - last.policies[j][s, one.profile[j]]
            assert share <= one.eta[j] * (1 + 1e-6) + 1e-12


# Any game


@given(st.integers(0, 10**6), st.sampled_from([(2, 2), (3, 2), (4, 3)]), st.integers(1, 5))
def test_means_are_least_among_allowed_shares(
    seed: int, shape: tuple[int, int], steps: int
) -> None:
    draw = rng(seed)
    x = draw.normal(size=shape)
    most = np.minimum(1, draw.dirichlet(np.ones(shape[1])) + draw.random(shape[1]))
    found = least_mean(x, most)
    p = draw.dirichlet(np.ones(shape[1]), size=2000)
    inside = p[(p <= most).all(axis=1)]
    assert (x @ inside.T >= found[:, None] - 1e-12).all()
    loose = least_mean(x, np.ones(shape[1]))
    assert loose == pytest.approx(x.min(axis=1))


@given(st.integers(0, 10**6), st.sampled_from([0.02, 0.1, 1.0]))
def test_replies_to_allowed_shares_are_enclosed(seed: int, alpha: float) -> None:
    draw = rng(seed)
    table = draw.normal(size=(3, 4))
    most = np.minimum(1, draw.dirichlet(np.ones(4)) + 0.3 * draw.random(4))
    bounds = replies(table, most, alpha)
    for p in draw.dirichlet(np.ones(4), size=200):
        if (p <= most).all():
            u = table @ p / alpha
            reply = np.exp(u - u.max())
            assert (reply / reply.sum() <= bounds + 1e-12).all()


@given(st.integers(0, 10**6), st.sampled_from([(2, 2), (3, 3), (4, 2)]))
def test_games_that_dominance_solves(seed: int, actions: tuple[int, int]) -> None:
    payoffs = solvable(rng(seed), actions)
    assert enclosed_replies(payoffs, 0.02, rng(seed)) <= 1 + 1e-6


def precisely(payoffs: Array, alpha: float, rounds: int) -> tuple[list[Any], list[Any], list[Any]]:
    """The enclosure after ``rounds``, with 60 digits: eta, low and high of both agents."""
    tables = [
        [[mp.mpf(float(x)) for x in row] for row in own] for own in (payoffs[0], payoffs[1].T)
    ]

    def least(x: list[Any], most: list[Any]) -> Any:
        left, total = mp.mpf(1), mp.mpf(0)
        for b in sorted(range(len(x)), key=x.__getitem__):
            taken = min(left, most[b])
            total, left = total + taken * x[b], left - taken
        return total

    def reply(table: list[Any], a: int, most: list[Any]) -> Any:
        gains = [
            least([d - own for d, own in zip(row, table[a], strict=True)], most) for row in table
        ]
        return 1 / mp.fsum(mp.exp(gain / alpha) for gain in gains)

    most = [[mp.mpf(1)] * len(table) for table in tables]
    for _ in range(rounds):
        most = [
            [min(old, reply(table, a, most[1 - j])) for a, old in enumerate(most[j])]
            for j, table in enumerate(tables)
        ]
    eta, low, high = [], [], []
    lead = [max(range(len(own)), key=own.__getitem__) for own in most]
    for j, table in enumerate(tables):
        eta.append(mp.fsum(x for a, x in enumerate(most[j]) if a != lead[j]))
        beside = [x - table[lead[j]][lead[1 - j]] for x in table[lead[j]]]
        low.append(least(beside, most[1 - j]))
        high.append(-least([-x for x in beside], most[1 - j]) - alpha * mp.log(1 - eta[j]))
    return eta, low, high


@pytest.mark.parametrize("alpha", COLD)
@pytest.mark.parametrize("state", [0, 1])
def test_floats_are_rounded_outwards(alpha: float, state: int) -> None:
    """Against 60 digits after as many rounds: nothing is lost, and little is given away."""
    payoffs = stage(find("climb").build(), state).astype(float)
    found = enclosure(payoffs, alpha)
    with mp.workdps(60):
        eta, low, high = precisely(payoffs, mp.mpf(alpha), found.rounds)
        for j in range(2):
            assert found.eta[j] >= eta[j]
            assert found.low[j] <= low[j]
            assert found.high[j] >= high[j]
            assert found.eta[j] <= eta[j] * (1 + mp.mpf(2) ** -20)
            # payoffs of some 30 times SPARE, which α = 0.02 enlarges
            assert low[j] - found.low[j] <= 1e-8
            assert found.high[j] - high[j] <= 1e-8


def test_games_with_two_equilibria_are_refused() -> None:
    hunt = np.array([[[3.0, 0.0], [2.0, 2.0]], [[3.0, 2.0], [0.0, 2.0]]])
    for alpha in (0.3, 0.1, 1e-3, 1e-6):
        with pytest.raises(InputError, match="not shown to contract"):
            enclosure(hunt, alpha)
    # hot enough there is one logit equilibrium, but nothing is said about Nash values
    assert enclosure(hunt, 1.0).factor < 1
    with pytest.raises(InputError, match="dominance leaves 2x2 actions in state 0"):
        value_bounds(repeated(hunt.astype(int).tolist(), Fraction(1, 2)), 1.0)


def test_hot_games_contract_without_a_profile_in_the_lead() -> None:
    """The enclosure refuses what it cannot show; ``stage_alpha`` covers high temperatures."""
    with pytest.raises(InputError, match="lower it"):
        enclosure(stage(find("climb").build(), 0), 0.5)


# Planted mistakes


MISTAKES: dict[str, tuple[str, Any]] = {
    "the best case for the worst": (
        "least_mean",
        lambda x, most: -least_mean(-np.asarray(x), most),
    ),
    "the others' shares forgotten": (
        "least_mean",
        lambda x, most: np.asarray(x)[..., int(np.argmax(most))],
    ),
    "half the temperature": ("replies", lambda table, most, a: replies(table, most, a / 2)),
    "a bound of a half": ("replies", lambda table, most, a: replies(table, most, a) / 2),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_wrong_enclosures_are_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    values = nash()[1].astype(float)
    monkeypatch.setattr(strict_dominance, "climb_values", lambda: values)
    monkeypatch.setattr(limit_bounds, *MISTAKES[name])
    assert dominance_claim(0, 8).status == "open"


def test_the_claim() -> None:
    assert (climb_values() == nash()[1].astype(float)).all()
    claim = dominance_claim(1, 8)
    assert claim.status == "proved"
    assert claim.id == "theorem7-dominance"
    assert claim.evidence["games"] == 8
    assert len(claim.evidence["steps"]) == 5


# Bad input


def test_what_users_get_wrong() -> None:
    table = np.zeros((2, 2, 2))
    for alpha in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(InputError, match="is not a temperature"):
            enclosure(table, alpha)
    with pytest.raises(InputError, match="3 agents"):
        enclosure(np.zeros((3, 2, 2, 2)), 1.0)
    with pytest.raises(InputError, match="the next state depends on the actions"):
        value_bounds(find("garnet").build(), 0.1)
    moved = climb.climb()
    tables: Sequence[Any] = moved.transition.copy()
    tables[0, 3] = tables[0, 3][::-1]
    with pytest.raises(InputError, match="the next state depends"):
        value_bounds(replace(moved, transition=tables), 0.05)
