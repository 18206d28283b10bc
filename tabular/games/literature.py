"""Small games of the literature, exact: repeated matrix games and a few with several states.

A repeated game is a stochastic game with one state: the stage game is played again and again, and
payoffs are discounted by γ. The publications of the stage games fix no γ; here it is ``GAMMA``.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from bounds.shared.numbers import InputError, in_range, whole
from tabular.games.arrays import exact_array, zeros
from tabular.games.entry import Entry
from tabular.games.game import StochasticGame

GAMMA = Fraction(9, 10)


def repeated(payoffs: Any, gamma: Fraction = GAMMA) -> StochasticGame:
    """The stage game ``payoffs``, shape [agent, a⁰, a¹, …], repeated for ever; exact."""
    table = exact_array(payoffs)
    actions = table.shape[1:]
    reward = table.reshape(len(table), 1, -1)
    transition = exact_array(np.ones((1, reward.shape[-1], 1), int))
    return StochasticGame(
        actions=actions,
        transition=transition,
        reward=reward,
        initial=exact_array([1]),
        gamma=gamma,
        states=("always",),
    )


def _symmetric(row: list[list[int]]) -> list[Any]:
    """Payoffs of the symmetric two-player game in which the row player's are ``row``."""
    return [row, [list(column) for column in zip(*row, strict=True)]]


def _common(table: list[list[int]]) -> list[Any]:
    """Payoffs of the two-player game in which both receive ``table``."""
    return [table, table]


def _zero_sum(row: list[list[int]]) -> list[Any]:
    """Payoffs of the two-player game in which the column player receives −``row``."""
    return [row, [[-x for x in line] for line in row]]


def repeated_prisoners_dilemma() -> StochasticGame:
    """Actions: cooperate, defect. Temptation 5, reward 3, punishment 1, sucker 0."""
    return repeated(_symmetric([[3, 0], [5, 1]]))


def battle_of_the_sexes() -> StochasticGame:
    """Both want to meet; agent 0 prefers action 0, agent 1 action 1."""
    return repeated([[[2, -1], [-1, 1]], [[1, -1], [-1, 2]]])


def matching_pennies() -> StochasticGame:
    """Agent 0 wins when the pennies match, agent 1 when they differ."""
    return repeated(_zero_sum([[1, -1], [-1, 1]]))


def rock_paper_scissors() -> StochasticGame:
    """Actions: rock, paper, scissors."""
    return repeated(_zero_sum([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]))


def stag_hunt() -> StochasticGame:
    """Actions: stag, hare. A stag needs both hunters and is worth 4; a hare is worth 3."""
    return repeated(_symmetric([[4, 0], [3, 3]]))


def chicken() -> StochasticGame:
    """Actions: yield, dare."""
    return repeated(_symmetric([[6, 2], [7, 0]]))


def climbing() -> StochasticGame:
    """Common payoffs; the best joint action (0, 0) is next to heavy penalties.

    Here agent 0 owns the rows; the publication's table may be read the other way.
    """
    return repeated(_common([[11, -30, 0], [-30, 7, 6], [0, 0, 5]]))


def penalty(k: int = -100) -> StochasticGame:
    """Common payoffs; two best joint actions, and the penalty k ≤ 0 where the agents mix them up.

    The publication varies k; −100 is one of its values.
    """
    if k > 0:
        raise InputError(f"k: {k} is not a penalty; give a whole number of 0 or less")
    return repeated(_common([[10, 0, k], [0, 2, 0], [k, 0, 10]]))


def shapley() -> StochasticGame:
    """Fictitious play cycles: agent 0 wants to match agent 1, who wants to be one action ahead.

    The publication gives a family of games; this is its usual representative, up to the order of
    the actions.
    """
    return repeated([[[1, 0, 0], [0, 1, 0], [0, 0, 1]], [[0, 1, 0], [0, 0, 1], [1, 0, 0]]])


def three_player_matching_pennies() -> StochasticGame:
    """Agent 0 wants to match agent 1, agent 1 agent 2, and agent 2 wants to differ from agent 0."""
    payoffs = np.empty((3, 2, 2, 2), int)
    for x, y, z in product(range(2), repeat=3):
        payoffs[:, x, y, z] = [1 if won else -1 for won in (x == y, y == z, z != x)]
    return repeated(payoffs)


def public_goods(agents: int = 4, marginal_return: Fraction = Fraction(3, 4)) -> StochasticGame:
    """Actions: keep, contribute. payoffʲ = 1 − cʲ + m Σᵢ cⁱ, where 1/n < m < 1.

    The publication lets agents divide many tokens; here each has one. Its marginal returns m are
    3/10 and 3/4, its groups have 4 and 10 members.
    """
    whole("agents", agents, 2)
    in_range("marginal_return", marginal_return, 0, 1, open_high=True)
    if marginal_return * agents <= 1:
        raise InputError(
            f"marginal_return: {marginal_return} for {agents} agents makes contributing wasteful; "
            f"give more than 1/{agents}"
        )
    contributions = np.indices((2,) * agents)
    shared = marginal_return * exact_array(contributions.sum(axis=0))
    return repeated(1 - exact_array(contributions) + shared)


def iterated_prisoners_dilemma() -> StochasticGame:
    """The prisoner's dilemma whose state is the last joint action, so that agents can reciprocate.

    Actions: cooperate, defect. γ = 0.96 as published.
    """
    stage = exact_array(_symmetric([[-1, -3], [0, -2]])).reshape(2, 1, 4)
    transition = zeros((5, 4, 5), exact=True)
    for a in range(4):
        transition[:, a, 1 + a] = Fraction(1)
    return StochasticGame(
        actions=(2, 2),
        transition=transition,
        reward=np.repeat(stage, 5, axis=1),
        initial=exact_array([1, 0, 0, 0, 0]),
        gamma=Fraction(24, 25),
        states=("start", "CC", "CD", "DC", "DD"),
    )


def unequal_coordination() -> StochasticGame:
    """Common payoffs, two states, 2 actions against 3; what agrees differs between the states.

    A rewarded joint action changes the state with probability 3/4, any other with 1/4, so every
    policy visits both states.
    """
    stages = exact_array([[[4, 0, 0], [0, 2, 1]], [[0, 0, 3], [1, 0, 0]]]).reshape(2, 6)
    change = (1 + 2 * exact_array((stages > 0).astype(int))) / 4
    transition = zeros((2, 6, 2), exact=True)
    for s in range(2):
        transition[s, :, s] = 1 - change[s]
        transition[s, :, 1 - s] = change[s]
    return StochasticGame(
        actions=(2, 3),
        transition=transition,
        reward=np.stack([stages, stages]),
        initial=exact_array([1, 0]),
        gamma=GAMMA,
        states=("first", "second"),
    )


def two_state_mdp() -> StochasticGame:
    """One agent; action 0 in s1 earns 5 and may stay, action 1 earns 10 and is lost in s2.

    s2 has one action in the publication; here both actions are that one. γ = 0.95 is the value of
    the book's discounted examples.
    """
    half = Fraction(1, 2)
    return StochasticGame(
        actions=(2,),
        transition=exact_array([[[half, half], [0, 1]], [[0, 1], [0, 1]]]),
        reward=exact_array([[[5, 10], [-1, -1]]]),
        initial=exact_array([1, 0]),
        gamma=Fraction(19, 20),
        states=("s1", "s2"),
    )


def river_swim() -> StochasticGame:
    """One agent on a chain of six states; swimming right, against the current, is slow and pays.

    Actions: left, right. The publication pays 10000 for the transitions that stay in the last
    state, 3/10 of the swims there, so R = 3000; 5 is for staying in the first. γ = 0.95.
    """
    transition = zeros((6, 2, 6), exact=True)
    for s in range(6):
        transition[s, 0, max(s - 1, 0)] = Fraction(1)
    back, stay, ahead = Fraction(1, 10), Fraction(6, 10), Fraction(3, 10)
    transition[0, 1, :2] = [back + stay, ahead]
    for s in range(1, 5):
        transition[s, 1, s - 1 : s + 2] = [back, stay, ahead]
    transition[5, 1, 4:] = [back + stay, ahead]
    reward = zeros((1, 6, 2), exact=True)
    reward[0, 0, 0] = Fraction(5)
    reward[0, 5, 1] = 10000 * ahead
    return StochasticGame(
        actions=(2,),
        transition=transition,
        reward=reward,
        initial=exact_array([0, Fraction(1, 2), Fraction(1, 2), 0, 0, 0]),
        gamma=Fraction(19, 20),
        states=tuple(f"s{s}" for s in range(6)),
    )


#: What the catalogue lists of this module.
ENTRIES = (
    Entry(
        "repeated-prisoners-dilemma",
        "Repeated prisoner's dilemma",
        "Axelrod (1984), The Evolution of Cooperation, Basic Books, chapter 1, figure 1",
        repeated_prisoners_dilemma,
    ),
    Entry(
        "iterated-prisoners-dilemma",
        "Prisoner's dilemma that remembers the last joint action",
        "Foerster, Chen, Al-Shedivat, Whiteson, Abbeel and Mordatch (2018), Learning with "
        "Opponent-Learning Awareness, AAMAS, experimental setup",
        iterated_prisoners_dilemma,
    ),
    Entry(
        "battle-of-the-sexes",
        "Battle of the sexes",
        "Luce and Raiffa (1957), Games and Decisions, Wiley, section 5.3",
        battle_of_the_sexes,
    ),
    Entry(
        "matching-pennies",
        "Matching pennies",
        "von Neumann and Morgenstern (1944), Theory of Games and Economic Behavior, "
        "Princeton, section 14.7",
        matching_pennies,
    ),
    Entry(
        "rock-paper-scissors",
        "Rock, paper, scissors",
        "von Neumann and Morgenstern (1944), Theory of Games and Economic Behavior, "
        "Princeton, section 14.7 (Stone, Paper, Scissors)",
        rock_paper_scissors,
    ),
    Entry(
        "stag-hunt",
        "Stag hunt",
        "Skyrms (2004), The Stag Hunt and the Evolution of Social Structure, Cambridge, "
        "chapter 1 (the story; the payoffs are this catalogue's)",
        stag_hunt,
    ),
    Entry(
        "chicken",
        "Chicken",
        "Aumann (1987), Correlated equilibrium as an expression of Bayesian rationality, "
        "Econometrica 55(1), the example of correlated equilibrium",
        chicken,
    ),
    Entry(
        "climbing",
        "Climbing game",
        "Claus and Boutilier (1998), The dynamics of reinforcement learning in cooperative "
        "multiagent systems, AAAI-98, the climbing game",
        climbing,
    ),
    Entry(
        "penalty",
        "Penalty game",
        "Claus and Boutilier (1998), The dynamics of reinforcement learning in cooperative "
        "multiagent systems, AAAI-98, the penalty game",
        penalty,
    ),
    Entry(
        "shapley",
        "Shapley's game",
        "Shapley (1964), Some topics in two-person games, Advances in Game Theory, Annals of "
        "Mathematics Studies 52, the example where fictitious play cycles",
        shapley,
    ),
    Entry(
        "three-player-matching-pennies",
        "Jordan's three-player matching pennies",
        "Jordan (1993), Three problems in learning mixed-strategy Nash equilibria, Games and "
        "Economic Behavior 5(3), the third problem",
        three_player_matching_pennies,
    ),
    Entry(
        "public-goods",
        "Public goods game with four agents",
        "Isaac and Walker (1988), Group size effects in public goods provision: the voluntary "
        "contributions mechanism, Quarterly Journal of Economics 103(1)",
        public_goods,
    ),
    Entry(
        "unequal-coordination",
        "Coordination in two states with 2 and 3 actions",
        "this catalogue",
        unequal_coordination,
    ),
    Entry(
        "two-state-mdp",
        "Puterman's two-state decision process",
        "Puterman (1994), Markov Decision Processes, Wiley, section 3.1, figure 3.1.1",
        two_state_mdp,
    ),
    Entry(
        "river-swim",
        "RiverSwim",
        "Strehl and Littman (2008), An analysis of model-based interval estimation for Markov "
        "decision processes, Journal of Computer and System Sciences 74(8), the RiverSwim "
        "experiment",
        river_swim,
    ),
)
