"""The games that an audit looks at: the catalogue, exact corners, random families, searches."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from bounds.shared.numbers import Array
from tabular.cases.case import Case, case_of
from tabular.cases.perturb import perturbed_case
from tabular.games.arrays import exact_array
from tabular.games.catalogue import CATALOGUE
from tabular.games.game import StochasticGame
from tabular.games.policy import mixed, random_policies
from tabular.games.random import garnet_arrays
from tabular.search.evolution import Shape

_F = Fraction

#: (model error, policy shift, opponent error, k) of the catalogue's perturbations; the last two
#: have exact opponents, for the bounds that know no others.
PERTURBATIONS = (
    (_F(1, 100), _F(1, 20), _F(1, 20), 5),
    (_F(1, 10), _F(1, 5), _F(1, 10), 1),
    (_F(1, 2), _F(1, 3), _F(1, 2), 0),
    (_F(1, 20), _F(1, 10), _F(0), 3),
    (_F(1, 3), _F(0), _F(0), 10),
)

#: States, own actions and branch lengths of the random families.
FAMILIES = (
    (2, (2,), 1),
    (3, (2, 2), 0),
    (5, (3, 3), 5),
    (4, (2, 3, 2), 3),
    (8, (2, 2), 10),
)
DISCOUNTS = (0.0, 0.5, 0.9, 0.99)
#: Sizes of games that are searched for counterexamples, smallest first.
SHAPES = (
    Shape(2, (1, 1), _F(9, 10), 1),
    Shape(2, (2, 2), _F(9, 10), 1),
    Shape(3, (2, 2), _F(19, 20), 3),
    Shape(
        n_states=3,
        actions=(2, 2, 2),
        gamma=_F(1, 2),
        branch_length=2,
        opponent_lengths=(None, 1, 2),
    ),
)


def catalogue_cases(seed: int, rounds: int) -> Iterator[tuple[str, Case]]:
    """(name, case): every game of the catalogue, perturbed in every way, ``rounds`` times."""
    rng = np.random.default_rng([seed, 1])
    for entry in CATALOGUE.values():
        game = entry.build()
        for number in range(rounds):
            for model, shift, opponent, k in PERTURBATIONS:
                ego = int(rng.integers(game.n))
                lengths = _lengths(game, ego, k, rng) if number % 2 else None
                yield (
                    entry.name,
                    perturbed_case(
                        game,
                        rng,
                        ego=ego,
                        model_error=model,
                        policy_shift=shift,
                        opponent_error=opponent,
                        branch_length=k,
                        opponent_lengths=lengths,
                    ),
                )


def _lengths(game: StochasticGame, ego: int, k: int, rng: np.random.Generator) -> list[int | None]:
    return [None if j == ego else int(rng.integers(k + 1)) for j in range(game.n)]


def corner_cases(seed: int, count: int) -> Iterator[Case]:
    """Exact cases at the corners: deterministic rows, errors 0, 1/2 or 1, rewards −1, 0 or 1.

    One to three agents, one to three states, γ in {0, 1/2, 9/10}, k in 0..3, every nⱼ.
    """
    rng = np.random.default_rng([seed, 2])
    for _ in range(count):
        n, s = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        actions = tuple(int(x) for x in rng.integers(1, 3, size=n))
        joint = int(np.prod(actions))

        def points(*shape: int) -> Array:
            chosen = rng.integers(shape[-1], size=shape[:-1])
            return exact_array(np.eye(shape[-1], dtype=int)[chosen])

        def near(truth: Array) -> Array:
            weight = (_F(0), _F(1, 2), _F(1))[rng.integers(3)]
            return mixed(truth, points(*truth.shape), weight)

        transition = points(s, joint, s)
        reward = exact_array(rng.integers(-1, 2, size=(n, s, joint)).tolist())
        gamma = (_F(0), _F(1, 2), _F(9, 10))[rng.integers(3)]
        game = StochasticGame(
            actions=actions, transition=transition, reward=reward, initial=points(s), gamma=gamma
        )
        policies = tuple(points(s, size) for size in actions)
        k, ego = int(rng.integers(4)), int(rng.integers(n))
        known = rng.random() < 0.4  # exact opponents
        yield case_of(
            game,
            ego,
            policies,
            data_policies=tuple(map(near, policies)),
            model_transition=near(transition),
            opponent_models=[
                None if j == ego or known else near(p) for j, p in enumerate(policies)
            ],
            branch_length=k,
            opponent_lengths=_lengths(game, ego, k, rng) if rng.random() < 0.5 else None,
        )


def random_batches(seed: int, size: int) -> Iterator[Case]:
    """Float batches of ``size`` Garnet games: every family at every discount, errors of all sizes.

    One batch in two has exact opponents, for the bounds that know no others.
    """
    rng = np.random.default_rng([seed, 3])
    for s, actions, k in FAMILIES:
        for gamma in DISCOUNTS:
            for known in (False, True):
                yield _batch(s, actions, k, gamma, known, size, rng)


def _batch(
    s: int,
    actions: tuple[int, ...],
    k: int,
    gamma: float,
    known: bool,
    size: int,
    rng: np.random.Generator,
) -> Case:
    drawn = garnet_arrays(actions, s, int(rng.integers(1, s + 1)), rng, batch=(size,))
    policies = random_policies(actions, s, rng, (size,))
    agents = range(len(actions))

    def near(truth: Array) -> Array:
        other = rng.dirichlet(np.full(truth.shape[-1], 0.2), size=truth.shape[:-1])
        # one error size a game, from 10⁻⁴ to 1
        weight: Array = 10.0 ** rng.uniform(-4, 0, size=(size, *[1] * (truth.ndim - 1)))
        return (1 - weight) * truth + weight * other

    return Case(
        gamma=gamma,
        actions=actions,
        ego=0,
        initial=drawn.initial,
        transition=drawn.transition,
        reward=drawn.reward[:, 0],
        policies=policies,
        data_policies=tuple(map(near, policies)),
        model_transition=near(drawn.transition),
        opponent_models=tuple(None if j == 0 or known else near(p) for j, p in enumerate(policies)),
        branch_length=k,
        opponent_lengths=None
        if known
        else tuple(None if j == 0 else k * j // len(actions) for j in agents),
    )
