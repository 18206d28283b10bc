"""Climb: two agents, two states, two landmarks, and one equilibrium in each state.

Zhang et al. (2021), figure 4, describe the task and print no reward: agents 0 and 1 pick a and b in
[−1, 1]; landmarks lie at (−1/2, −1/2) and (1/2, 1/2); it is a modified Battle of the Sexes; the
only Nash equilibrium is the lower-left landmark in state 1 and the upper-right one in state 2. The
formula here is this project's; ``tabular.audit.rows.climb_equilibrium`` proves that it has these
properties.

Agent 0 prefers the lower-left landmark, agent 1 the upper-right one: a meeting is worth 2 at the
preferred landmark and 1 at the other. In each state one agent leads, agent 0 in the paper's state 1
and agent 1 in its state 2. The follower wants to be where the leader is; the leader wants to be
nearer to its own landmark than the follower is. With own action x and the other's action y,

    R = W(y) − 2 (x − t(y))²,
    W(y) = (3 − σ (4y³ − 3y)) / (2 (1 + (4y² − 1)²)),
    t(y) = y for the follower,    t(y) = y + e/(2 + e²), e = σ − 2y, for the leader,

with σ = −1 for agent 0 and 1 for agent 1. W, what the other's action is worth, peaks at the two
landmarks, at 2 and 1; as it does not depend on x, the best reply is t(y). Rewards lie in (−8, 2].

States are 0 and 1 here, the paper's 1 and 2. The next state is the other one with probability
``SWITCH``, whatever the agents do. γ is the paper's.

The functions use +, −, ·, / and whole powers only: floats, arrays, torch tensors, Fractions and
SymPy expressions go through them alike, and broadcast (whole numbers should be Fractions: they are
divided).
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from bounds.shared.numbers import Array, InputError, Operand, shown
from tabular.games.arrays import exact_array, zeros
from tabular.games.entry import Entry
from tabular.games.game import StochasticGame

LOW, HIGH = -1, 1
LANDMARK = Fraction(1, 2)
#: Each agent prefers the landmark at this times ``LANDMARK``; so does the state in which it leads.
SIGNS = (-1, 1)
STEEPNESS = 2
SWITCH = Fraction(1, 4)
GAMMA = Fraction(19, 20)
#: Own actions of the discretised game: −1, −1/2, 0, 1/2, 1.
GRID_SIZE = 5


def equilibrium(state: int) -> tuple[Fraction, Fraction]:
    """The landmark at which the agents meet in ``state``, (a, b)."""
    return SIGNS[state] * LANDMARK, SIGNS[state] * LANDMARK


def worth(agent: int, other: Operand) -> Operand:
    """W: what the other agent's action is worth to ``agent``; it peaks at the landmarks."""
    tilt = SIGNS[agent] * (4 * other**3 - 3 * other)
    return (3 - tilt) / (2 * (1 + (4 * other**2 - 1) ** 2))


def target(agent: int, state: Operand, other: Operand) -> Operand:
    """t: the best reply of ``agent`` to the other agent's action; ``state`` is 0 or 1."""
    leads = state if agent == 1 else 1 - state
    gap = SIGNS[agent] - 2 * other
    return other + leads * gap / (2 + gap**2)


def reward(agent: int, state: Operand, own: Operand, other: Operand) -> Operand:
    """R of ``agent`` in ``state`` (0 or 1, or an array of these) for its action and the other's."""
    return worth(agent, other) - STEEPNESS * (own - target(agent, state, other)) ** 2


def rewards(state: Operand, a: Operand, b: Operand) -> tuple[Operand, Operand]:
    """R of both agents where agent 0 picks a and agent 1 picks b."""
    return reward(0, state, a, b), reward(1, state, b, a)


def grid(size: int = GRID_SIZE) -> Array:
    """``size`` equally spaced own actions in [−1, 1], the landmarks among them; exact.

    The size is 4m + 1, so that the step 1/(2m) divides 1/2.
    """
    if isinstance(size, bool) or not isinstance(size, int) or size < 5 or size % 4 != 1:
        raise InputError(f"size: {shown(size)} is not 5, 9, 13, …; the grid must hold ±1/2")
    return exact_array([LOW + (HIGH - LOW) * Fraction(i, size - 1) for i in range(size)])


def climb(size: int = GRID_SIZE) -> StochasticGame:
    """Climb with own actions on a grid; each state's only equilibrium is still the landmark.

    Actions are −1, −1/2, 0, 1/2, 1. Agent 0 leads in the first state and agent 1 in the second; the
    state changes with probability 1/4. The module ``tabular.games.climb`` has the rewards.
    """
    own = grid(size)
    tables = [[table.ravel() for table in rewards(s, own[:, None], own[None, :])] for s in range(2)]
    transition = zeros((2, size * size, 2), exact=True)
    for s in range(2):
        transition[s, :, s] = 1 - SWITCH
        transition[s, :, 1 - s] = SWITCH
    return StochasticGame(
        actions=(size, size),
        transition=transition,
        reward=np.stack([np.stack([tables[s][j] for s in range(2)]) for j in range(2)]),
        initial=exact_array([Fraction(1, 2), Fraction(1, 2)]),
        gamma=GAMMA,
        states=("agent 0 leads", "agent 1 leads"),
    )


#: What the catalogue lists of this module.
ENTRIES = (
    Entry(
        "climb",
        "Climb on a grid: two landmarks, one equilibrium a state",
        "Zhang et al. (2021), Model-based Multi-agent Policy Optimization with Adaptive "
        "Opponent-wise Rollouts, IJCAI, figure 4 (the task; the reward is this catalogue's)",
        climb,
    ),
)
