"""Random games: Garnets, dense in batches, exact, or sparse and large; and coordination games.

A Garnet is a random decision process in which every state and action has the same number of
successors, the branching (Archibald, McKinnon and Thomas 1995); here every state and joint action.

All randomness comes from the generator that the caller passes. NumPy may change the streams of its
generators between versions, so a seed names a game only together with NumPy's version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod

import numpy as np

from bounds.shared.numbers import Array, InputError, whole
from tabular.games.arrays import exact_array, zeros
from tabular.games.entry import Entry
from tabular.games.game import StochasticGame, check_actions

GAMMA = Fraction(9, 10)
#: The common denominator of exact games.
DENOMINATOR = 12


@dataclass(frozen=True, eq=False)
class GameArrays:
    """The numbers of one game or, with leading batch axes, of many independent ones.

    transition: shape [..., s, a, s_next]; reward: [..., agent, s, a]; initial: [..., s].
    """

    transition: Array
    reward: Array
    initial: Array


def garnet_arrays(
    actions: Sequence[int],
    n_states: int,
    branching: int,
    rng: np.random.Generator,
    *,
    batch: tuple[int, ...] = (),
    exact: bool = False,
    denominator: int = DENOMINATOR,
) -> GameArrays:
    """Independent Garnets; the arrays have the leading axes ``batch``.

    The successors of a state and joint action are a uniformly random set of ``branching`` states.
    Their probabilities are the lengths into which branching − 1 uniformly random cuts divide
    [0, 1]. Rewards are uniform in [−1, 1], which is this package's choice. The initial distribution
    is drawn like one more row of T.

    exact: rationals over ``denominator``, all probabilities of successors positive.
    """
    _check(actions, n_states, branching)
    size = prod(actions)
    rows = (*batch, n_states, size)
    return GameArrays(
        _dense_rows(rows, n_states, branching, rng, exact, denominator),
        _rewards((*batch, len(actions), n_states, size), rng, exact, denominator),
        _dense_rows(batch, n_states, branching, rng, exact, denominator),
    )


def garnet(
    actions: Sequence[int],
    n_states: int,
    branching: int,
    rng: np.random.Generator,
    *,
    exact: bool = False,
    denominator: int = DENOMINATOR,
    gamma: Fraction | float = GAMMA,
) -> StochasticGame:
    """One Garnet; ``garnet_arrays`` says how it is drawn."""
    drawn = garnet_arrays(actions, n_states, branching, rng, exact=exact, denominator=denominator)
    return _game(actions, drawn, gamma, exact)


def sparse_garnet(
    actions: Sequence[int],
    n_states: int,
    branching: int,
    rng: np.random.Generator,
    *,
    gamma: float = 0.9,
) -> StochasticGame:
    """One float Garnet with a sparse transition, drawn without ever making a dense one.

    >>> large = sparse_garnet((2, 3), 1000, 4, np.random.default_rng(0))
    >>> large.transition.shape, int(large.transition.nnz)
    ((6000, 1000), 24000)
    """
    from scipy import sparse

    _check(actions, n_states, branching)
    size = prod(actions)
    rows = n_states * size
    successors = _subsets(rows, n_states, branching, rng)
    weights = _parts(rows, branching, rng)
    starts = np.arange(0, rows * branching + 1, branching)
    return StochasticGame(
        actions=tuple(actions),
        transition=sparse.csr_array(
            (weights.ravel(), successors.ravel(), starts), shape=(rows, n_states)
        ),
        reward=_rewards((len(actions), n_states, size), rng, False, 1),
        initial=_dense_rows((), n_states, branching, rng, False, 1),
        gamma=float(gamma),
    )


def coordination(
    n_agents: int,
    n_actions: int,
    n_states: int,
    rng: np.random.Generator,
    *,
    exact: bool = False,
    denominator: int = DENOMINATOR,
    gamma: Fraction | float = GAMMA,
) -> StochasticGame:
    """Common payoffs; in every state the agents must find out which actions belong together.

    In state s the actions of each agent carry the labels 0..n_actions − 1 in a random order. Agents
    that all play label l receive u(s, l), uniform in (0, 1]; all others receive 0. The next state
    depends on s and on the label, or on s alone where labels differ; each such case has two random
    successors (one where there is one state). So every label is a strict equilibrium of the stage
    game, and which is best depends on where it leads.
    """
    whole("n_agents", n_agents, 1)
    actions = (n_actions,) * n_agents
    _check(actions, n_states, 1)
    labels = rng.permuted(np.tile(np.arange(n_actions), (n_states, n_agents, 1)), axis=-1)
    own = np.stack(np.unravel_index(np.arange(prod(actions)), actions), axis=-1)
    played = labels[:, np.arange(n_agents), own]  # [s, a, agent]
    agreed = (played == played[..., :1]).all(axis=-1)
    case = np.where(agreed, played[..., 0], n_actions)
    worth = zeros((n_states, n_actions + 1), exact=exact)
    if exact:
        whole_worth = rng.integers(1, denominator + 1, size=(n_states, n_actions))
        worth[:, :-1] = exact_array(whole_worth) / denominator
    else:
        worth[:, :-1] = 1 - rng.random((n_states, n_actions))
    branching = min(2, n_states)
    rows = _dense_rows((n_states, n_actions + 1), n_states, branching, rng, exact, denominator)
    state = np.arange(n_states)[:, None]
    drawn = GameArrays(
        rows[state, case],
        np.repeat(worth[state, case][None], n_agents, axis=0),
        _dense_rows((), n_states, branching, rng, exact, denominator),
    )
    return _game(actions, drawn, gamma, exact)


def _check(actions: Sequence[int], n_states: int, branching: int) -> None:
    check_actions(actions)
    whole("n_states", n_states, 1)
    whole("branching", branching, 1, n_states)


def _game(
    actions: Sequence[int], drawn: GameArrays, gamma: Fraction | float, exact: bool
) -> StochasticGame:
    return StochasticGame(
        actions=tuple(actions),
        transition=drawn.transition,
        reward=drawn.reward,
        initial=drawn.initial,
        # a Fraction times a float array would be an array of objects
        gamma=gamma if exact else float(gamma),
    )


def _dense_rows(
    shape: tuple[int, ...],
    n_states: int,
    branching: int,
    rng: np.random.Generator,
    exact: bool,
    denominator: int,
) -> Array:
    """Random distributions, shape [*shape, s_next], each on ``branching`` states."""
    rows = prod(shape)
    dense = zeros((rows, n_states), exact=exact)
    successors = _subsets(rows, n_states, branching, rng)
    if exact:
        weights = _exact_parts(rows, branching, denominator, rng)
    else:
        weights = _parts(rows, branching, rng)
    np.put_along_axis(dense, successors, weights, axis=1)
    return dense.reshape(*shape, n_states)


def _rewards(
    shape: tuple[int, ...], rng: np.random.Generator, exact: bool, denominator: int
) -> Array:
    """Uniform in [−1, 1], or in the multiples of 1/denominator there."""
    if not exact:
        return rng.uniform(-1, 1, size=shape)
    values = exact_array(np.arange(-denominator, denominator + 1)) / denominator
    return np.asarray(values[rng.integers(0, len(values), size=shape)])


def _parts(rows: int, parts: int, rng: np.random.Generator) -> Array:
    """Positive floats that sum to 1, shape [rows, parts], uniform on the simplex."""
    cuts = np.zeros((rows, parts + 1))
    cuts[:, 1:-1] = np.sort(rng.random((rows, parts - 1)), axis=1)
    cuts[:, -1] = 1
    return np.diff(cuts, axis=1)


def _exact_parts(rows: int, parts: int, denominator: int, rng: np.random.Generator) -> Array:
    """Positive multiples of 1/denominator that sum to 1, shape [rows, parts], uniform."""
    if denominator < parts:
        raise InputError(
            f"denominator: {denominator} cannot be divided among {parts} successors; "
            f"give {parts} or more"
        )
    cuts = np.zeros((rows, parts + 1), int)
    cuts[:, 1:-1] = 1 + _subsets(rows, denominator - 1, parts - 1, rng)
    cuts[:, -1] = denominator
    values = exact_array(np.arange(denominator + 1)) / denominator
    return np.asarray(values[np.diff(cuts, axis=1)])


def _subsets(rows: int, population: int, size: int, rng: np.random.Generator) -> Array:
    """Uniformly random ``size``-subsets of 0..population − 1, sorted, shape [rows, size].

    Floyd's algorithm (Bentley and Floyd 1987, Communications of the ACM 30(9)) on all rows at once:
    ``size`` draws a row however large the population is.
    """
    chosen = np.empty((rows, size), np.int64)
    for i in range(size):
        last = population - size + i
        drawn = rng.integers(0, last + 1, size=rows)
        taken = (chosen[:, :i] == drawn[:, None]).any(axis=1)
        chosen[:, i] = np.where(taken, last, drawn)
    return np.sort(chosen, axis=1)


#: Seeds of the two members of random families that have a name.
GARNET_SEED = 1995
COORDINATION_SEED = 2024


def named_garnet() -> StochasticGame:
    """The exact Garnet with 2 and 3 actions, 6 states and 3 successors, seed ``GARNET_SEED``."""
    return garnet((2, 3), 6, 3, np.random.default_rng(GARNET_SEED), exact=True)


def named_coordination() -> StochasticGame:
    """The exact coordination game of 3 agents, 2 actions, 4 states, seed ``COORDINATION_SEED``."""
    return coordination(3, 2, 4, np.random.default_rng(COORDINATION_SEED), exact=True)


#: What the catalogue lists of this module.
ENTRIES = (
    Entry(
        "garnet",
        "A Garnet",
        "Archibald, McKinnon and Thomas (1995), On the generation of Markov decision "
        "processes, Journal of the Operational Research Society 46(3)",
        named_garnet,
    ),
    Entry(
        "coordination",
        "A random coordination game with three agents",
        "this catalogue",
        named_coordination,
    ),
)
