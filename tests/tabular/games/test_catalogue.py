"""The catalogue's games against their publications' facts, and the random families' laws."""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from itertools import product
from math import comb
from pathlib import Path

import numpy as np
import pygambit
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounds.shared.numbers import Array, InputError
from tabular.games import grid, literature
from tabular.games.arrays import discounted_value, exact_array, is_exact_array, is_sparse
from tabular.games.catalogue import CATALOGUE, find, summary
from tabular.games.game import StochasticGame, joint_action, split_action
from tabular.games.grid import COLUMNS, GRID_STEPS, SIDE, SOCCER_STEPS
from tabular.games.policy import joint_policy
from tabular.games.random import GameArrays, coordination, garnet, garnet_arrays, sparse_garnet

ROOT = Path(__file__).parents[3]
HALF, THIRD = Fraction(1, 2), Fraction(1, 3)
NAMES = sorted(CATALOGUE)
FLOAT = {"soccer"}
ZERO_SUM = {"matching-pennies", "rock-paper-scissors", "soccer"}
COMMON = {"climbing", "penalty", "unequal-coordination", "coordination"}


@cache
def game(name: str) -> StochasticGame:
    return find(name).build()


# The catalogue as a whole


@pytest.mark.parametrize("name", NAMES)
def test_entries_build_what_they_say(name: str) -> None:
    entry, built = CATALOGUE[name], game(name)
    assert entry.name == name == built.name
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert entry.title
    assert entry.source == built.source
    assert entry.source == "this catalogue" or re.search(r"\((19|20)\d\d\)", entry.source)
    assert entry.rules.__doc__
    assert len(built.states) in (0, built.n_states)
    assert len(set(built.states)) == len(built.states)
    assert built.is_exact == (name not in FLOAT)
    if built.is_exact:
        assert all(
            is_exact_array(x) and all(isinstance(y, Fraction) for y in x.ravel())
            for x in (built.transition, built.reward, built.initial)
        )
        assert (built.transition.sum(axis=-1) == 1).all()


def test_sizes() -> None:
    agents = Counter(game(name).n for name in NAMES)
    assert len(NAMES) >= 14
    assert agents[1] >= 1
    assert agents[3] >= 1
    assert summary(game("soccer")) == "2 agents, 5×5 actions, 760 states, float"
    assert summary(game("river-swim")) == "1 agent, 2 actions, 6 states, exact"
    assert summary(game("chicken")) == "2 agents, 2×2 actions, 1 state, exact"


@given(st.text(max_size=300) | st.sampled_from(NAMES))
def test_find(name: str) -> None:
    if name in CATALOGUE:
        assert find(name).name == name
        return
    with pytest.raises(InputError, match="not in the catalogue") as error:
        find(name)
    assert len(str(error.value).splitlines()) == 1
    assert str(error.value).rpartition(" ")[2] in CATALOGUE


def test_find_names_the_nearest() -> None:
    for wrong, near in (("Soccr", "soccer"), ("river_swim", "river-swim"), ("gridgame1", "grid-g")):
        with pytest.raises(InputError, match=f"nearest name is {near}"):
            find(wrong)


def test_importing_the_catalogue_builds_nothing_and_imports_nothing_heavy() -> None:
    code = """
import sys, tabular.games.game
before = set(sys.modules)
import tabular.games.catalogue
print(*{m.partition(".")[0] for m in set(sys.modules) - before})
"""
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    roots = run.stdout.split()
    assert set(roots) <= {"tabular", "numpy", *sys.stdlib_module_names}


# Stage games

#: Games all of whose equilibria are listed: one tuple of mixed actions an equilibrium.
EQUILIBRIA: dict[str, list[tuple[list[Fraction | int], ...]]] = {
    "repeated-prisoners-dilemma": [([0, 1], [0, 1])],
    "battle-of-the-sexes": [
        ([1, 0], [1, 0]),
        ([0, 1], [0, 1]),
        ([Fraction(3, 5), Fraction(2, 5)], [Fraction(2, 5), Fraction(3, 5)]),
    ],
    "matching-pennies": [([HALF] * 2, [HALF] * 2)],
    "rock-paper-scissors": [([THIRD] * 3, [THIRD] * 3)],
    "shapley": [([THIRD] * 3, [THIRD] * 3)],
    "stag-hunt": [
        ([1, 0], [1, 0]),
        ([0, 1], [0, 1]),
        ([Fraction(3, 4), Fraction(1, 4)], [Fraction(3, 4), Fraction(1, 4)]),
    ],
    "chicken": [
        ([1, 0], [0, 1]),
        ([0, 1], [1, 0]),
        ([2 * THIRD, THIRD], [2 * THIRD, THIRD]),
    ],
}
PURE = {
    "climbing": {(0, 0), (1, 1)},
    "penalty": {(0, 0), (1, 1), (2, 2)},
    "public-goods": {(0, 0, 0, 0)},
    "three-player-matching-pennies": set(),
}
BIMATRIX = sorted({*EQUILIBRIA, "climbing", "penalty"})


def tables(stage: StochasticGame, s: int = 0) -> Array:
    """Payoffs [agent, a⁰, a¹, …] in state ``s``."""
    return stage.reward[:, s].reshape(stage.n, *stage.actions)


def regret(stage: StochasticGame, mixed: tuple[list[Fraction | int], ...]) -> Fraction:
    """The most that an agent gains by a deviation in the stage game."""
    policies = [exact_array([own]) for own in mixed]
    payoffs = (joint_policy(policies)[0] * stage.reward[:, 0]).sum(axis=-1)
    gains = []
    for j, size in enumerate(stage.actions):
        for own in np.eye(size, dtype=int):
            deviation = [exact_array([own]) if i == j else p for i, p in enumerate(policies)]
            gains.append((joint_policy(deviation)[0] * stage.reward[j, 0]).sum() - payoffs[j])
    return max(gains)


def in_gambit(stage: StochasticGame) -> pygambit.StrategicGame:
    return pygambit.StrategicGame.from_arrays(*tables(stage))


def probabilities(profile: pygambit.MixedStrategyProfile) -> tuple[list[Fraction | int], ...]:
    return tuple(
        [Fraction(str(weight)) for _, weight in profile[player]] for player in profile.game.players
    )


@pytest.mark.parametrize("name", BIMATRIX)
def test_equilibria_of_two_player_stage_games(name: str) -> None:
    stage = game(name)
    found = pygambit.nash.enummixed_solve(in_gambit(stage), rational=True).equilibria
    assert found
    assert all(regret(stage, probabilities(profile)) == 0 for profile in found)
    if name in EQUILIBRIA:
        assert all(regret(stage, known) == 0 for known in EQUILIBRIA[name])
        assert sorted(map(probabilities, found)) == sorted(EQUILIBRIA[name])


@pytest.mark.parametrize("name", sorted(PURE))
def test_pure_equilibria(name: str) -> None:
    found = pygambit.nash.enumpure_solve(in_gambit(game(name))).equilibria
    pure = {tuple(own.index(1) for own in probabilities(profile)) for profile in found}
    assert pure == PURE[name]


def test_jordans_game_has_one_equilibrium() -> None:
    stage = game("three-player-matching-pennies")
    assert regret(stage, ([HALF] * 2,) * 3) == 0
    (found,) = pygambit.nash.enumpoly_solve(in_gambit(stage)).equilibria
    # enumpoly answers in floats, by its default to six digits
    mixed = [float(x) for player in found.game.players for _, x in found[player]]
    assert mixed == [pytest.approx(0.5, abs=1e-6)] * 6


@pytest.mark.parametrize("name", sorted(ZERO_SUM | COMMON))
def test_zero_sum_and_common_payoffs(name: str) -> None:
    reward = game(name).reward
    assert game(name).n > 1
    assert (reward.sum(axis=0) == 0).all() == (name in ZERO_SUM)
    assert (reward == reward[:1]).all() == (name in COMMON)


@given(st.integers(2, 6), st.fractions(0, 1, max_denominator=20))
def test_public_goods(agents: int, marginal: Fraction) -> None:
    if not 1 < marginal * agents < agents:
        with pytest.raises(InputError, match="marginal_return"):
            literature.public_goods(agents, marginal)
        return
    table = tables(literature.public_goods(agents, marginal))
    for j in range(agents):
        own = np.moveaxis(table[j], j, 0)
        assert (own[0] - own[1] == 1 - marginal).all()  # keeping dominates
    assert table.sum(axis=0).argmax() == table[0].size - 1  # contributing is best for all


def test_penalty_refuses_a_bonus() -> None:
    assert tables(literature.penalty(-3))[0, 0, 2] == -3
    with pytest.raises(InputError, match="k: 1"):
        literature.penalty(1)


def test_fictitious_play_converges_in_rock_paper_scissors_and_cycles_in_shapleys_game() -> None:
    distance = {}
    for name in ("rock-paper-scissors", "shapley"):
        table = tables(game(name)).astype(float)
        counts = np.array([[1.0, 0, 0], [0, 1, 0]])
        for _ in range(3000):
            replies = (table[0] @ counts[1]).argmax(), (counts[0] @ table[1]).argmax()
            counts[[0, 1], replies] += 1
        distance[name] = np.abs(counts / counts.sum(axis=1, keepdims=True) - 1 / 3).max()
    assert distance["rock-paper-scissors"] < 0.03
    assert distance["shapley"] > 0.1


# Small games with states


def values(played: StochasticGame, policies: list[Array], j: int) -> Array:
    """Agent j's exact value of every state."""
    joint = joint_policy(policies)
    matrix = (joint[:, :, None] * played.transition).sum(axis=1)
    return discounted_value(matrix, (joint * played.reward[j]).sum(axis=-1), played.gamma)


def best_value(played: StochasticGame, policies: list[Array], j: int) -> Array:
    """Agent j's exact best value of every state, by trying every deterministic policy."""
    size = played.actions[j]
    tried = []
    for choice in product(range(size), repeat=played.n_states):
        own = exact_array(np.eye(size, dtype=int)[list(choice)])
        deviation = [own if i == j else policy for i, policy in enumerate(policies)]
        tried.append(values(played, deviation, j))
    return np.max(np.stack(tried), axis=0)


def test_the_iterated_dilemma_remembers_and_rewards_reciprocity() -> None:
    played = game("iterated-prisoners-dilemma")
    for s, a in product(range(5), range(4)):
        assert played.states[played.transition[s, a].argmax()] == ("CC", "CD", "DC", "DD")[a]
    defect = [exact_array([[0, 1]] * 5)] * 2
    friendly = [int(name in ("start", "CC")) for name in played.states]
    trigger = [exact_array([[x, 1 - x] for x in friendly])] * 2
    for policies, value in ((defect, -50), (trigger, -25)):
        for j in range(2):
            assert values(played, policies, j)[0] == value
            assert (best_value(played, policies, j) == values(played, policies, j)).all()
    assert tables(played)[0].tolist() == tables(played)[1].T.tolist()


def test_one_agent_games() -> None:
    two = game("two-state-mdp")
    assert best_value(two, [exact_array([[1, 0]] * 2)], 0).tolist() == [Fraction(-60, 7), -20]
    swim = game("river-swim")
    right = [exact_array([[0, 1]] * 6)]
    assert (best_value(swim, right, 0) == values(swim, right, 0)).all()
    assert values(swim, [exact_array([[1, 0]] * 6)], 0)[0] == 100
    assert swim.transition[:, 1].diagonal().tolist()[1:5] == [Fraction(6, 10)] * 4


def test_unequal_coordination_never_locks_a_state() -> None:
    played = game("unequal-coordination")
    assert played.actions == (2, 3)
    assert (played.transition > 0).all()


# Grid games


def walk(cell: int, action: int) -> int:
    row, column = cell // SIDE + GRID_STEPS[action][0], cell % SIDE + GRID_STEPS[action][1]
    return SIDE * row + column if row in range(SIDE) and column in range(SIDE) else cell


def check_grid_rules(played: StochasticGame, goals: tuple[int, int]) -> None:
    """Moves of one cell, collisions and goals, in every state and joint action without barriers."""
    places = [tuple(map(int, name.split())) for name in played.states[:-1]]
    collisions = 0
    for s, cells in enumerate(places):
        assert cells[0] != cells[1]
        for a in range(16):
            own = split_action(played.actions, a)
            if any(cells[j] in (0, 2) and own[j] == grid.UP for j in range(2)):
                continue
            targets = tuple(walk(cells[j], own[j]) for j in range(2))
            row, pay = played.transition[s, a], played.reward[:, s, a].tolist()
            if targets[0] == targets[1] and targets[0] not in goals:
                collisions += 1
                assert row[s] == 1
                assert pay == [-1, -1]
            elif any(target == goal for target, goal in zip(targets, goals, strict=True)):
                assert row[-1] == 1
                assert pay == [100 * (targets[j] == goals[j]) for j in range(2)]
            else:
                assert row[places.index(targets)] == 1
                assert pay == [0, 0]
    assert collisions > 0


@pytest.mark.parametrize(
    ("name", "goals", "states", "moves"), [("1", (8, 6), 57, 4), ("2", (7, 7), 56, 3)]
)
def test_grid_games(name: str, goals: tuple[int, int], states: int, moves: int) -> None:
    played = game(f"grid-game-{name}")
    check_grid_rules(played, goals)
    assert played.n_states == states + 1
    assert played.transition[-1, :, -1].tolist() == [1] * 16
    assert (played.reward[:, -1] == 0).all()
    assert played.states[played.initial.argmax()] == "0 2"
    # the fewest moves to a goal, and to both goals at once
    for wanted in (played.reward == 100).any(axis=0), (played.reward == 100).all(axis=0):
        reached, steps = {int(played.initial.argmax())}, 1
        while not any(wanted[s].any() for s in reached):
            reached = {
                int(t) for s in reached for t in played.transition[s].sum(axis=0).nonzero()[0]
            }
            steps += 1
        assert steps == moves


@pytest.mark.parametrize("name", ["1", "2"])
def test_grid_games_look_the_same_from_the_other_side(name: str) -> None:
    played = game(f"grid-game-{name}")
    places = [tuple(map(int, state.split())) for state in played.states[:-1]]
    mirror = [SIDE * (cell // SIDE) + SIDE - 1 - cell % SIDE for cell in range(SIDE * SIDE)]
    states = [places.index((mirror[y], mirror[x])) for x, y in places] + [len(places)]
    turned = [1, 0, 2, 3]  # left and right change places
    swapped = [joint_action((4, 4), (turned[y], turned[x])) for x, y in product(range(4), repeat=2)]
    assert (played.transition == played.transition[np.ix_(states, swapped, states)]).all()
    assert (played.reward[0] == played.reward[1][np.ix_(states, swapped)]).all()


def path_value(played: StochasticGame, paths: list[dict[int, int]], j: int) -> Fraction:
    """Agent j's return where each agent's action depends on its own cell (left elsewhere)."""
    places = [tuple(map(int, name.split())) for name in played.states[:-1]]
    policies = []
    for i, path in enumerate(paths):
        actions = [path.get(cells[i], 0) for cells in places] + [0]
        policies.append(exact_array(np.eye(4, dtype=int)[actions]))
    return (played.initial * values(played, policies, j)).sum()


def test_values_of_shortest_paths() -> None:
    """γ³ 100 for both in game 1; in game 2 γ² 100 for who goes around, half for the other."""
    left, right, _, up = range(4)
    gamma = Fraction(99, 100)
    first = [{0: up, 3: up, 6: right, 7: right}, {2: left, 1: left, 0: up, 3: up}]
    assert [path_value(game("grid-game-1"), first, j) for j in range(2)] == [100 * gamma**3] * 2
    second = [{0: right, 1: up, 4: up}, {2: up, 5: up, 8: left}]
    assert path_value(game("grid-game-2"), second, 0) == 100 * gamma**2
    assert path_value(game("grid-game-2"), second, 1) == 50 * gamma**2


def test_barriers_hold_half_the_time() -> None:
    played = game("grid-game-2")
    start, up = played.states.index("0 2"), grid.UP
    outcomes = played.transition[start, joint_action((4, 4), (up, up))]
    reached = {played.states[t]: outcomes[t] for t in outcomes.nonzero()[0]}
    assert reached == dict.fromkeys(("0 2", "3 2", "0 5", "3 5"), Fraction(1, 4))


@pytest.mark.parametrize(
    ("attribute", "wrong"),
    [
        ("COLLISION_REWARD", 0),
        ("GOAL_REWARD", 10),
        ("bounced", lambda cells, targets, goals: cells if targets[0] == targets[1] else targets),
        (
            "bounced",
            lambda cells, targets, goals: (
                cells[::-1] if targets[0] == targets[1] and targets[0] not in goals else targets
            ),
        ),
        # without collisions the agents meet in states that do not exist
        ("bounced", lambda cells, targets, goals: targets),
    ],
)
def test_wrong_rules_of_grid_games_are_caught(
    attribute: str, wrong: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grid, attribute, wrong)
    with pytest.raises((AssertionError, KeyError)):
        check_grid_rules(grid.grid_game_2(), (7, 7))


# Soccer


def check_soccer_is_fair(played: StochasticGame) -> None:
    """Swapping the players and turning the board by 180° changes nothing."""
    last = 4 * COLUMNS - 1
    boards = [(x, y, o) for x, y, o in product(range(last + 1), range(last + 1), (0, 1)) if x != y]
    states = [boards.index((last - y, last - x, 1 - o)) for x, y, o in boards]
    turned = [SOCCER_STEPS.index((-row, -column)) for row, column in SOCCER_STEPS]
    joint = [joint_action((5, 5), (turned[y], turned[x])) for x, y in product(range(5), repeat=2)]
    rows = (25 * np.array(states)[:, None] + joint).ravel()
    assert abs(played.transition - played.transition[rows][:, states]).max() == 0
    assert (played.reward[0] == played.reward[1][np.ix_(states, joint)]).all()
    assert (played.initial == played.initial[states]).all()


def check_soccer_rules(played: StochasticGame) -> None:
    """Goals pay one; who is stopped loses the ball; every outcome has probability 1/4, 1/2, … ."""
    north, _, east, west, stand = range(5)

    def after(name: str, x: int, y: int) -> dict[str, float]:
        row = played.transition[[25 * played.states.index(name) + 5 * x + y]].toarray()[0]
        return {played.states[t]: float(row[t]) for t in row.nonzero()[0]}

    def pay(name: str, x: int, y: int) -> float:
        return float(played.reward[0, played.states.index(name), 5 * x + y])

    kick_off = {"A 8 B 11 ball A": 0.5, "A 8 B 11 ball B": 0.5}
    assert after("A 5 B 7 ball A", west, stand) == kick_off
    assert pay("A 5 B 7 ball A", west, stand) == 1
    assert pay("A 7 B 14 ball B", north, east) == -1
    assert after("A 5 B 7 ball B", west, stand) == {"A 5 B 7 ball B": 1}  # without the ball
    assert after("A 9 B 7 ball A", east, stand) == {"A 9 B 7 ball A": 1}  # the own goal
    assert after("A 0 B 7 ball A", west, stand) == {"A 0 B 7 ball A": 1}  # beside the goal
    assert after("A 6 B 7 ball A", east, stand) == {"A 6 B 7 ball B": 1}
    assert after("A 6 B 7 ball A", stand, west) == {"A 6 B 7 ball A": 1}
    assert after("A 6 B 7 ball A", east, west) == {"A 6 B 7 ball A": 0.5, "A 6 B 7 ball B": 0.5}
    assert after("A 6 B 8 ball A", east, west) == {"A 7 B 8 ball A": 0.5, "A 6 B 7 ball B": 0.5}
    # the ball comes to A, who scores with it where A moves second
    assert after("A 5 B 6 ball B", west, west) == {
        "A 5 B 6 ball A": 0.5,
        "A 8 B 11 ball A": 0.25,
        "A 8 B 11 ball B": 0.25,
    }
    assert pay("A 5 B 6 ball B", west, west) == 0.5
    assert set(played.transition.data) <= {0.25, 0.5, 0.75, 1.0}


def test_soccer() -> None:
    played = grid.soccer()
    assert played.n_states == 20 * 19 * 2
    assert is_sparse(played.transition)
    check_soccer_is_fair(played)
    check_soccer_rules(played)


@pytest.mark.parametrize(
    ("attribute", "wrong", "check"),
    [
        ("ORDERS", ((0, 1), (0, 1)), check_soccer_is_fair),
        ("GOAL_COLUMNS", (-1, -1), check_soccer_is_fair),
        ("GOAL_ROWS", (0, 1, 2, 3), check_soccer_rules),
        ("GOAL_COLUMNS", (COLUMNS, -1), check_soccer_rules),
    ],
)
def test_wrong_rules_of_soccer_are_caught(
    attribute: str,
    wrong: object,
    check: Callable[[StochasticGame], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(grid, attribute, wrong)
    with pytest.raises(AssertionError):
        check(grid.soccer())


# Random families

SHAPES = st.tuples(
    st.lists(st.integers(1, 3), min_size=1, max_size=3), st.integers(1, 5), st.integers(1, 5)
).map(lambda drawn: (drawn[0], max(drawn[1:]), min(drawn[1:])))
SEEDS = st.integers(0, 2**32)


def same(one: StochasticGame, other: StochasticGame) -> bool:
    return all(
        bool((getattr(one, key) == getattr(other, key)).all())
        for key in ("transition", "reward", "initial")
    )


@given(SHAPES, SEEDS, st.booleans(), st.integers(5, 30))
def test_garnets(
    shape: tuple[list[int], int, int], seed: int, exact: bool, denominator: int
) -> None:
    actions, states, branching = shape

    def draw() -> StochasticGame:
        rng = np.random.default_rng(seed)
        return garnet(actions, states, branching, rng, exact=exact, denominator=denominator)

    drawn = draw()
    assert same(drawn, draw())
    assert drawn.is_exact == exact
    assert drawn.actions == tuple(actions)
    assert ((drawn.transition > 0).sum(axis=-1) == branching).all()
    assert (np.abs(drawn.reward) <= 1).all()
    if exact:
        assert (drawn.transition.sum(axis=-1) == 1).all()
        numbers = np.concatenate([drawn.transition.ravel(), drawn.reward.ravel(), drawn.initial])
        assert all(denominator % x.denominator == 0 for x in numbers)
    else:
        assert drawn.transition.dtype == drawn.reward.dtype == float
        assert isinstance(drawn.gamma, float)


@given(SHAPES, SEEDS)
def test_sparse_garnets(shape: tuple[list[int], int, int], seed: int) -> None:
    actions, states, branching = shape
    drawn = sparse_garnet(actions, states, branching, np.random.default_rng(seed))
    again = sparse_garnet(actions, states, branching, np.random.default_rng(seed))
    assert is_sparse(drawn.transition)
    assert (np.diff(drawn.transition.indptr) == branching).all()
    assert drawn.transition.has_canonical_format
    assert (drawn.transition.toarray() == again.transition.toarray()).all()
    assert (drawn.reward == again.reward).all()


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 4), SEEDS, st.booleans())
def test_coordination_games(agents: int, size: int, states: int, seed: int, exact: bool) -> None:
    def draw() -> StochasticGame:
        return coordination(agents, size, states, np.random.default_rng(seed), exact=exact)

    drawn = draw()
    assert same(drawn, draw())
    assert drawn.is_exact == exact
    assert (drawn.reward == drawn.reward[0]).all()
    assert ((drawn.transition > 0).sum(axis=-1) == min(2, states)).all()
    for s in range(states):
        rewarded = [split_action(drawn.actions, int(a)) for a in drawn.reward[0, s].nonzero()[0]]
        assert len(rewarded) == size
        # every action of every agent belongs to one rewarded joint action
        assert all(len({own[j] for own in rewarded}) == size for j in range(agents))


def test_seeds_matter() -> None:
    for family in (
        lambda rng: garnet((2, 2), 4, 2, rng, exact=True),
        lambda rng: coordination(2, 2, 4, rng, exact=True),
    ):
        one, other = (family(np.random.default_rng(seed)) for seed in (1, 2))
        assert not same(one, other)


def test_a_batch_is_many_games() -> None:
    many = garnet_arrays((3, 3), 5, 3, np.random.default_rng(0), batch=(10_000,))
    assert many.transition.shape == (10_000, 5, 9, 5)
    assert many.reward.shape == (10_000, 2, 5, 9)
    assert many.initial.shape == (10_000, 5)
    assert len({row.tobytes() for row in many.transition}) == 10_000
    one = garnet_arrays((3, 3), 5, 3, np.random.default_rng(7), batch=(1, 1))
    alone = garnet((3, 3), 5, 3, np.random.default_rng(7))
    assert (one.transition[0, 0] == alone.transition).all()
    assert (one.reward[0, 0] == alone.reward).all()
    assert (one.initial[0, 0] == alone.initial).all()


def test_a_large_sparse_garnet() -> None:
    drawn = sparse_garnet((4, 4), 20_000, 10, np.random.default_rng(0))
    assert drawn.transition.shape == (320_000, 20_000)
    assert drawn.transition.nnz == 3_200_000


def assert_mean(sample: Array, mean: float) -> None:
    """``mean`` lies within six standard errors of the sample's."""
    assert abs(sample.mean() - mean) < 6 * sample.std() / sample.size**0.5


@pytest.mark.parametrize("kind", ["batch", "singles", "exact", "sparse"])
def test_the_law_of_garnets(kind: str) -> None:
    """Successor sets are uniform; E p² = 2/(b(b+1)) on the simplex; rewards have variance 1/3."""
    rng, n, b = np.random.default_rng(11), 5, 3
    drawn: list[GameArrays | StochasticGame]
    if kind == "batch":
        drawn = [garnet_arrays((2, 2), n, b, rng, batch=(1500,))]
    elif kind == "sparse":
        drawn = [sparse_garnet((2, 2), n, b, rng) for _ in range(100)]
    else:
        drawn = [garnet_arrays((2, 2), n, b, rng, exact=kind == "exact") for _ in range(100)]
    dense = [x.transition.toarray() if kind == "sparse" else x.transition for x in drawn]
    rows = np.concatenate([x.reshape(-1, n) for x in dense]).astype(float)
    reward = np.concatenate([x.reward.ravel() for x in drawn]).astype(float)
    denominator = 12
    square = 2 / (b * (b + 1))
    if kind == "exact":  # the same on the compositions of 12 into 3 parts
        parts = [(x, y, denominator - x - y) for x in range(1, 11) for y in range(1, 12 - x)]
        square = float(np.mean((np.array(parts) / denominator) ** 2))
    for s in range(n):
        assert_mean(rows[:, s], 1 / n)
        assert_mean(rows[:, s] ** 2, b / n * square)
    assert_mean(reward, 0)
    assert_mean(reward**2, 1 / 3 if kind != "exact" else (1 + 1 / denominator) / 3)
    sets = Counter(map(bytes, rows > 0))
    assert len(sets) == comb(n, b)
    expected = len(rows) / comb(n, b)
    assert sum((count - expected) ** 2 / expected for count in sets.values()) < 40  # 9 degrees


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (((2, 2), 3, 4), {}, "branching: 4"),
        (((2, 0), 3, 2), {}, r"actions\[1\]"),
        (((2, 2), 0, 1), {}, "n_states: 0"),
        (((2, 2), 9, 9), {"exact": True, "denominator": 8}, "denominator: 8"),
    ],
)
def test_impossible_garnets(
    arguments: tuple[tuple[int, ...], int, int], options: dict[str, int], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        garnet_arrays(*arguments, np.random.default_rng(0), **options)
