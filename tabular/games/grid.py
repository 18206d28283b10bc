"""Games of two agents on a grid: Hu and Wellman's grid games, exact, and Littman's soccer."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product

import numpy as np

from bounds.shared.numbers import Array
from tabular.games.arrays import exact_array, zeros
from tabular.games.entry import Entry
from tabular.games.game import StochasticGame, joint_action

#: A cell an agent.
Cells = tuple[int, int]

#: The grid games' cells are 0..SIDE² − 1, row by row, 0 bottom left.
SIDE = 3
STARTS: Cells = (0, 2)
#: The agents' goals in each game.
GOALS: dict[str, Cells] = {"grid-game-1": (8, 6), "grid-game-2": (7, 7)}
LEFT, RIGHT, DOWN, UP = range(4)
#: Rows and columns that an action moves by.
GRID_STEPS = ((0, -1), (0, 1), (-1, 0), (1, 0))
GOAL_REWARD = 100
COLLISION_REWARD = -1


def grid_game_1() -> StochasticGame:
    """Both agents cross the grid diagonally: cell 0 to cell 8, and cell 2 to cell 6.

    57 joint positions and the end; see ``grid_game`` for the rules.
    """
    return grid_game(GOALS["grid-game-1"], ())


def grid_game_2() -> StochasticGame:
    """Both agents go from cells 0 and 2 to cell 7; moving up from 0 or 2 succeeds half the time.

    56 joint positions and the end; see ``grid_game`` for the rules.
    """
    return grid_game(GOALS["grid-game-2"], STARTS)


def grid_game(goals: Cells, barriers: tuple[int, ...]) -> StochasticGame:
    """Two agents walk on a 3×3 grid at the same time, each to its own goal.

    Actions: left, right, down, up; a move off the grid stays. An up-move out of a cell of
    ``barriers`` succeeds with probability 1/2, independently for each agent. Reaching the own goal
    pays 100, a collision −1. The game ends as soon as one agent is at its goal: an absorbing state,
    the last, that pays nothing. γ = 0.99.

    Collisions are those of ``bounced``. The publication leaves open what happens when agents swap
    cells; here they pass each other.
    """
    places = positions(goals)
    index = {cells: s for s, cells in enumerate(places)}
    end, actions = len(places), (len(GRID_STEPS),) * 2
    joint = list(product(range(len(GRID_STEPS)), repeat=2))
    transition = zeros((end + 1, len(joint), end + 1), exact=True)
    reward = zeros((2, end + 1, len(joint)), exact=True)
    for cells, own in product(places, joint):
        s, a = index[cells], joint_action(actions, own)
        for probability, targets in _targets(cells, own, barriers):
            after = bounced(cells, targets, goals)
            arrived = [after[j] == goals[j] for j in range(2)]
            transition[s, a, end if any(arrived) else index[after]] += probability
            for j in range(2):
                pay = GOAL_REWARD if arrived[j] else COLLISION_REWARD * (after != targets)
                reward[j, s, a] += probability * pay
    transition[end, :, end] = Fraction(1)
    initial = exact_array([int(cells == STARTS) for cells in places] + [0])
    names = (*(f"{x} {y}" for x, y in places), "end")
    return StochasticGame(
        actions=actions,
        transition=transition,
        reward=reward,
        initial=initial,
        gamma=Fraction(99, 100),
        states=names,
    )


def positions(goals: Cells) -> list[Cells]:
    """The cells of both agents in each state but the last, the end."""
    cells = product(range(SIDE * SIDE), repeat=2)
    return [(x, y) for x, y in cells if x != y and x != goals[0] and y != goals[1]]


def moves_on_the_grid(goals: Cells) -> tuple[Array, Array]:
    """Which moves do not leave the grid, [s, aʲ] for each agent; in the end all."""
    places = positions(goals)
    allowed = np.ones((2, len(places) + 1, len(GRID_STEPS)), bool)
    for (s, cells), j, a in product(enumerate(places), range(2), range(len(GRID_STEPS))):
        at = np.array(divmod(cells[j], SIDE)) + GRID_STEPS[a]
        allowed[j, s, a] = ((at >= 0) & (at < SIDE)).all()
    return allowed[0], allowed[1]


def _targets(
    cells: Cells, own: tuple[int, ...], barriers: tuple[int, ...]
) -> Iterator[tuple[Fraction, Cells]]:
    """The cells that the agents try to enter, with their probabilities."""
    outcomes = []
    for cell, action in zip(cells, own, strict=True):
        row, column = divmod(cell, SIDE)
        row, column = row + GRID_STEPS[action][0], column + GRID_STEPS[action][1]
        target = row * SIDE + column if 0 <= row < SIDE and 0 <= column < SIDE else cell
        held = action == UP and cell in barriers
        half = Fraction(1, 2)
        outcomes.append([(half, target), (half, cell)] if held else [(Fraction(1), target)])
    for (p, x), (q, y) in product(*outcomes):
        yield p * q, (x, y)


def bounced(cells: Cells, targets: Cells, goals: Cells) -> Cells:
    """Where the agents end up: both back in ``cells`` if they would share one that is no goal.

    An agent that stays counts as entering its own cell, so walking into it is a collision too.
    """
    return cells if targets[0] == targets[1] and targets[0] not in goals else targets


#: Soccer's cells are 0..ROWS·COLUMNS − 1, row by row, 0 in the north-west.
ROWS, COLUMNS = 4, 5
SOCCER_STEPS = ((-1, 0), (1, 0), (0, 1), (0, -1), (0, 0))
GOAL_ROWS = (1, 2)
#: The column, off the board, of the goal in which player A (0) and player B (1) score.
GOAL_COLUMNS = (-1, COLUMNS)
#: Cells of A and B at kick-off.
KICK_OFF: Cells = (1 * COLUMNS + 3, 2 * COLUMNS + 1)
#: The two orders in which the moves are carried out, each with probability 1/2.
ORDERS = ((0, 1), (1, 0))

#: Cell of A, cell of B, and who has the ball.
Board = tuple[int, int, int]


def soccer() -> StochasticGame:
    """Two players on a 4×5 board, one with the ball: 760 states, zero-sum, γ = 0.9.

    Actions: north, south, east, west, stand. The moves are carried out in random order. A player
    who would enter the other's cell stays, and the other has the ball then. Carrying the ball out
    of the board through the two middle rows, in the west for A and in the east for B, scores 1, and
    play resumes from kick-off with the ball at either player at random.

    Float with a sparse transition: it would be 14 million rationals. The probabilities are
    multiples of 1/4, so the floats are exact all the same. The publication ends test matches in a
    draw with probability 0.1 a step, which imitates this γ, so draws are not added to it. It leaves
    open whether the second move is still made after a goal, and whether a player can score in the
    own goal; here neither. The kick-off cells are only drawn in a figure of the publication; here
    they are those of public reimplementations.
    """
    from scipy import sparse

    cells = range(ROWS * COLUMNS)
    boards = [(x, y, owner) for x, y, owner in product(cells, cells, range(2)) if x != y]
    index = {board: s for s, board in enumerate(boards)}
    restarts = [index[*KICK_OFF, owner] for owner in range(2)]
    joint = list(product(range(len(SOCCER_STEPS)), repeat=2))
    rows, columns, weights = [], [], []
    won = np.zeros((len(boards), len(joint)))
    for (s, board), (a, own), order in product(enumerate(boards), enumerate(joint), ORDERS):
        after, scorer = play(board, own, order)
        successors = restarts if scorer is not None else [index[after]]
        for successor in successors:
            rows.append(s * len(joint) + a)
            columns.append(successor)
            weights.append(1 / len(ORDERS) / len(successors))
        if scorer is not None:
            won[s, a] += (1 if scorer == 0 else -1) / len(ORDERS)
    shape = (len(boards) * len(joint), len(boards))
    initial = np.zeros(len(boards))
    initial[restarts] = 1 / len(restarts)
    return StochasticGame(
        actions=(len(SOCCER_STEPS),) * 2,
        transition=sparse.csr_array((weights, (rows, columns)), shape=shape),
        reward=np.stack([won, -won]),
        initial=initial,
        gamma=0.9,
        states=tuple(f"A {x} B {y} ball {'AB'[owner]}" for x, y, owner in boards),
    )


def play(board: Board, own: tuple[int, ...], order: tuple[int, ...]) -> tuple[Board, int | None]:
    """The board after the moves ``own`` in this order, and who scored, if anyone."""
    for player in order:
        moved = moved_player(board, player, own[player])
        if moved is None:
            return board, player
        board = moved
    return board, None


def moved_player(board: Board, player: int, action: int) -> Board | None:
    """The board after one player's move, or None where it scores."""
    row, column = divmod(board[player], COLUMNS)
    row, column = row + SOCCER_STEPS[action][0], column + SOCCER_STEPS[action][1]
    if board[2] == player and row in GOAL_ROWS and column == GOAL_COLUMNS[player]:
        return None
    if not (0 <= row < ROWS and 0 <= column < COLUMNS):
        return board
    cell, other = row * COLUMNS + column, 1 - player
    if cell == board[other]:
        return board[0], board[1], other
    return (cell, board[1], board[2]) if player == 0 else (board[0], cell, board[2])


#: What the catalogue lists of this module.
ENTRIES = (
    Entry(
        "grid-game-1",
        "Grid game 1: crossing paths",
        "Hu and Wellman (2003), Nash Q-learning for general-sum stochastic games, Journal of "
        "Machine Learning Research 4, the grid games of the experiments",
        grid_game_1,
    ),
    Entry(
        "grid-game-2",
        "Grid game 2: one goal and two barriers",
        "Hu and Wellman (2003), Nash Q-learning for general-sum stochastic games, Journal of "
        "Machine Learning Research 4, the grid games of the experiments",
        grid_game_2,
    ),
    Entry(
        "soccer",
        "Littman's soccer",
        "Littman (1994), Markov games as a framework for multi-agent reinforcement learning, "
        "ICML, the soccer experiment",
        soccer,
    ),
)
