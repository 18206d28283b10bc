"""Climb has the paper's equilibria and no others; wrong rewards do not pass the proof."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pygambit
import pytest
import sympy
import torch
from hypothesis import given
from hypothesis import strategies as st

from bounds.shared.numbers import InputError
from tabular.audit.figures_nash import climb_surfaces
from tabular.audit.rows import climb_equilibrium
from tabular.audit.rows.climb_equilibrium import SIZES, alone, climb_claims, unique_equilibrium
from tabular.equilibria.strict_dominance import undominated
from tabular.games import climb
from tabular.games.arrays import discounted_value
from tabular.games.catalogue import find

HALF = Fraction(1, 2)
AGENTS = STATES = st.integers(0, 1)
PLACES = st.fractions(-1, 1, max_denominator=50)


def test_the_claim_is_proved() -> None:
    (claim,) = climb_claims()
    assert claim.id == "climb-unique-equilibrium"
    assert claim.status == "proved"
    assert all(step.endswith(": established") for step in claim.evidence["steps"])


def test_the_papers_landmarks() -> None:
    assert climb.equilibrium(0) == (-HALF, -HALF)
    assert climb.equilibrium(1) == (HALF, HALF)
    assert climb.rewards(0, -HALF, -HALF) == (2, 1)
    assert climb.rewards(1, HALF, HALF) == (1, 2)
    assert climb.rewards(0, HALF, HALF) == (Fraction(7, 9), 2)
    assert climb.rewards(1, -HALF, -HALF) == (2, Fraction(7, 9))


@given(AGENTS, STATES, PLACES, PLACES)
def test_the_states_are_mirror_images(
    agent: int, state: int, own: Fraction, other: Fraction
) -> None:
    mirrored = climb.reward(1 - agent, 1 - state, -own, -other)
    value = climb.reward(agent, state, own, other)
    assert mirrored == value
    assert isinstance(value, Fraction)
    assert -8 < value <= 2


@given(STATES, st.lists(st.tuples(PLACES, st.integers(1, 9)), min_size=1, max_size=4), PLACES)
def test_no_action_beats_the_mean_target(
    state: int, mixture: list[tuple[Fraction, int]], own: Fraction
) -> None:
    total = sum(weight for _, weight in mixture)
    for agent in range(2):

        def expected(x: Fraction, agent: int = agent) -> Fraction:
            parts = [w * climb.reward(agent, state, x, y) for y, w in mixture]
            return sum(parts, Fraction(0)) / total

        best = sum(w * climb.target(agent, state, y) for y, w in mixture) / total
        assert -1 <= best <= 1
        # exactly the square that completes the quadratic
        assert expected(best) - expected(own) == climb.STEEPNESS * (own - best) ** 2


@pytest.mark.parametrize("state", [0, 1])
def test_nothing_else_on_a_fine_grid_is_near_an_equilibrium(state: int) -> None:
    line = np.linspace(-1, 1, 401)
    a, b = line[:, None], line[None, :]
    gains = []
    for agent, (own, other) in enumerate(((a, b), (b, a))):
        # the best own action by search over the grid, with no use of the target
        against = climb.reward(agent, state, line[:, None], line[None, :]).max(axis=0)
        best = against[None, :] if agent == 0 else against[:, None]
        gains.append(best - climb.reward(agent, state, own, other))
    regret = np.maximum(*np.broadcast_arrays(*gains))
    place = np.unravel_index(regret.argmin(), regret.shape)
    assert [line[i] for i in place] == pytest.approx([float(x) for x in climb.equilibrium(state)])
    far = np.hypot(a - line[place[0]], b - line[place[1]]) > 0.1
    assert regret[far].min() > 0.001 > regret[place]


def test_numbers_of_every_kind_go_through() -> None:
    a, b = Fraction(1, 3), Fraction(-1, 5)
    exact = [float(x) for x in climb.rewards(0, a, b) + climb.rewards(1, a, b)]
    states = np.array([0, 1])
    arrays = np.stack(climb.rewards(states, np.full(2, float(a)), np.full(2, float(b))), axis=1)
    assert arrays.ravel() == pytest.approx(exact, abs=1e-14)  # a few roundings of numbers below 8
    tensors = climb.rewards(torch.arange(2), torch.full((2,), 1 / 3), torch.full((2,), -0.2))
    assert torch.stack(tensors, dim=1).dtype == torch.float32
    # float32 has 24 bits
    assert torch.stack(tensors, dim=1).flatten().tolist() == pytest.approx(exact, abs=1e-5)
    x, y = sympy.symbols("x y")
    symbols = climb.reward(1, 0, y, x).subs({x: sympy.Rational(1, 3), y: -sympy.Rational(1, 5)})
    assert float(symbols) == pytest.approx(exact[1], abs=1e-14)


def test_gradients_flow_through_the_reward() -> None:
    a = torch.tensor(0.25, requires_grad=True)
    climb.reward(0, 0, a, torch.tensor(0.5)).backward()
    assert a.grad is not None
    slope = -2 * climb.STEEPNESS * (Fraction(1, 4) - climb.target(0, 0, HALF))
    assert a.grad.item() == pytest.approx(float(slope), abs=1e-5)  # float32


# The discretised game


@pytest.mark.parametrize("size", SIZES)
def test_grids_keep_the_property(size: int) -> None:
    assert alone(size)
    own = climb.grid(size)
    assert {-1, -HALF, HALF, 1} <= set(own)
    assert len(own) == size


def test_gambit_finds_the_same_single_equilibrium() -> None:
    game = find("climb").build()
    own = list(climb.grid())
    for state in range(2):
        tables = [game.reward[j, state].reshape(5, 5) for j in range(2)]
        matrix = pygambit.StrategicGame.from_arrays(*tables)
        (profile,) = pygambit.nash.enummixed_solve(matrix, rational=True).equilibria
        played = [
            own[[p == 1 for _, p in profile[player]].index(True)] for player in matrix.players
        ]
        assert tuple(played) == climb.equilibrium(state)


def test_values_of_the_two_state_game() -> None:
    game = find("climb").build()
    own = list(climb.grid())
    at = [own.index(climb.equilibrium(s)[0]) * 6 for s in range(2)]
    matrix = np.stack([game.transition[s, at[s]] for s in range(2)])
    rewards = [np.array([game.reward[j, s, at[s]] for s in range(2)]) for j in range(2)]
    values = [list(discounted_value(matrix, reward, game.gamma)) for reward in rewards]
    # the sum of both agents' rewards is always 3, the difference decays by γ (1 − 2 · 1/4)
    assert values[0] == [30 + Fraction(20, 21), 30 - Fraction(20, 21)]
    assert values[1] == values[0][::-1]


@pytest.mark.parametrize("size", [0, 4, 7, True, 5.0])
def test_grids_without_the_landmarks_are_refused(size: Any) -> None:
    with pytest.raises(InputError, match="the grid must hold") as error:
        climb.grid(size)
    assert "\n" not in str(error.value)


@given(st.lists(st.integers(-3, 3), min_size=18, max_size=18))
def test_elimination_keeps_every_equilibrium(entries: list[int]) -> None:
    payoffs = np.array(entries).reshape(1, 2, 3, 3)
    left = undominated(payoffs)
    game = pygambit.StrategicGame.from_arrays(*payoffs[0])
    for profile in pygambit.nash.enummixed_solve(game, rational=True).equilibria:
        for kept, player in zip(left, game.players, strict=True):
            assert all(kept[0, i] for i, (_, p) in enumerate(profile[player]) if p > 0)


@given(st.lists(st.integers(-3, 3), min_size=24, max_size=24), st.permutations(range(3)))
def test_elimination_leaves_nothing_dominated_in_any_order(
    entries: list[int], order: list[int]
) -> None:
    payoffs = np.array(entries).reshape(1, 2, 4, 3)
    rows, columns = (kept[0] for kept in undominated(payoffs))
    part = payoffs[0][:, rows][:, :, columns]
    for table in (part[0], part[1].T):
        assert not any((table > own).all(axis=1).any() for own in table)
    permuted = undominated(payoffs[..., order])
    assert list(permuted[0][0]) == list(rows)
    assert list(permuted[1][0]) == list(columns[order])


# Planted mistakes


def _mutant(name: str) -> tuple[str, Callable[..., Any]]:
    worth, target, reward = climb.worth, climb.target, climb.reward
    return {
        "both follow": ("target", lambda agent, state, other: other),
        "both lead": ("target", lambda agent, state, other: target(agent, agent, other)),
        "the other leads": ("target", lambda agent, state, other: target(agent, 1 - state, other)),
        "a constant pull": (
            "target",
            lambda agent, state, other: (
                other + (climb.SIGNS[agent] * sympy.Rational(1, 8) if agent == state else 0)
            ),
        ),
        "the pull turns round": (
            "target",
            lambda agent, state, other: 2 * other - target(agent, state, other),
        ),
        "nobody prefers": ("worth", lambda agent, other: worth(0, other) + worth(1, other)),
        "preferences exchanged": ("worth", lambda agent, other: worth(1 - agent, other)),
        "own place has a worth": (
            "reward",
            lambda agent, state, own, other: reward(agent, state, own, other) + worth(agent, own),
        ),
        "convex": (
            "reward",
            lambda agent, state, own, other: (
                2 * worth(agent, other) - reward(agent, state, own, other)
            ),
        ),
    }[name]


@pytest.mark.parametrize(
    "name",
    [
        "both follow",
        "both lead",
        "the other leads",
        "a constant pull",
        "the pull turns round",
        "nobody prefers",
        "preferences exchanged",
        "own place has a worth",
        "convex",
    ],
)
def test_wrong_rewards_are_not_proved(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(climb, *_mutant(name))
    assert not unique_equilibrium().holds
    assert climb_claims()[0].status == "open"


def test_a_weak_pull_adds_equilibria_to_the_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    target = climb.target
    monkeypatch.setattr(climb, "target", lambda i, s, y: y + (target(i, s, y) - y) / 2)
    # still proved on the square: half the pull is a pull; but a step of the grid is too far for it
    assert unique_equilibrium().holds
    assert not alone(5)
    assert climb_claims()[0].status == "open"


def test_actions_that_move_the_state_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    game = climb.climb()
    game.transition[0, 3] = game.transition[0, 3][::-1]
    monkeypatch.setattr(climb_equilibrium.climb, "climb", lambda size=5: game)
    proof = unique_equilibrium()
    assert [step for step in proof.steps if "NOT" in step] == [
        "the next state's distribution is the same for all actions: NOT established"
    ]


def test_the_picture_marks_the_equilibria() -> None:
    figure = climb_surfaces()
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == [
        "state 1, agent 0 leads",
        "state 1, agent 1 follows",
        "state 2, agent 0 follows",
        "state 2, agent 1 leads",
    ]
    for number, axes in enumerate(figure.axes[:4]):
        stars = [line for line in axes.lines if line.get_marker() == "*"]
        (star,) = stars
        assert (star.get_xdata()[0], star.get_ydata()[0]) == climb.equilibrium(number // 2)
