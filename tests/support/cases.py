"""Cases that several tests need, and one case in other arithmetic: floats, sparse, a batch.

The games that attain a bound are those of the theory.
"""

from dataclasses import replace
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any

import numpy as np

from bounds.shared.numbers import Array
from tabular.cases.case import Case, as_float, case_of
from tabular.cases.perturb import perturbed_case
from tabular.games.arrays import exact_array
from tabular.games.game import StochasticGame, as_sparse
from tabular.games.policy import random_policies, uniform
from tabular.games.random import garnet, garnet_arrays

#: Unit roundoff of float64.
U = 2.0**-53
HALF = Fraction(1, 2)


def latch(k: int) -> Case:
    """Good until anyone errs; π never errs, π_D, π̂ and T̂ do (theory, section 3)."""
    good, bad = Fraction(3), Fraction(-1)
    stay, fall = exact_array([1, 0]), exact_array([0, 1])
    transition = exact_array(np.zeros((2, 4, 2), int))
    transition[:] = fall
    transition[0, 0] = stay
    model = transition.copy()
    model[0, 0] = exact_array([Fraction(9, 10), Fraction(1, 10)])
    reward = exact_array([[good, bad, bad, bad], [bad] * 4])
    game = StochasticGame(
        (2, 2), transition, np.stack([reward] * 2), exact_array([1, 0]), Fraction(9, 10)
    )

    def erring(e: Fraction) -> Any:
        return exact_array([[1 - e, e], [1, 0]])

    return case_of(
        game,
        0,
        (erring(Fraction(0)),) * 2,
        data_policies=(erring(Fraction(1, 5)), erring(Fraction(1, 7))),
        model_transition=model,
        opponent_models=(None, erring(Fraction(1, 3))),
        branch_length=k,
    )


def leak(**changes: Any) -> Case:
    """One action; reality stays at +1, the model leaves with 1/100 for −1 (theory, section 1)."""
    one = StochasticGame(
        (1,),
        exact_array([[[1, 0]], [[0, 1]]]),
        exact_array([[[1], [-1]]]),
        exact_array([1, 0]),
        Fraction(19, 20),
    )
    model = exact_array([[[Fraction(99, 100), Fraction(1, 100)]], [[0, 1]]])
    return replace(case_of(one, 0, uniform(one), model_transition=model), **changes)


def clock(phases: int, k: int | None = None) -> Case:
    """Phases count down, good for ever; in the model phase 0 falls to bad (theory, section 3)."""
    good = range(phases)
    real = exact_array(np.zeros((2 * phases, 1, 2 * phases), int))
    for p in good:
        real[p, 0, (p - 1) % phases] = real[phases + p, 0, phases + (p - 1) % phases] = Fraction(1)
    model = real.copy()
    model[0, 0] = np.roll(model[0, 0], phases)
    reward = exact_array([[1]] * phases + [[-1]] * phases)
    initial = exact_array([Fraction(1, phases)] * phases + [0] * phases)
    game = StochasticGame((1,), real, reward[None], initial, Fraction(9, 10))
    return case_of(game, 0, uniform(game), model_transition=model, branch_length=k)


@cache
def seeded(seed: int) -> Case:
    """Two or three agents, unequal actions, every error large, k = 0..3, lengths of every kind."""
    rng = np.random.default_rng(seed)
    actions = ((2, 3), (2, 2, 2), (3, 2))[seed % 3]
    ego, k = seed % len(actions), seed % 4
    lengths = None
    if seed % 2:
        lengths = [None if j == ego else int(rng.integers(k + 1)) for j in range(len(actions))]
    error = Fraction(1 + seed % 3, 4)
    game, other = (garnet(actions, 3, 2, rng, exact=True, gamma=HALF) for _ in range(2))
    case = perturbed_case(
        game,
        rng,
        ego=ego,
        policy_shift=1 - error,
        opponent_error=error,
        branch_length=k,
        opponent_lengths=lengths,
    )
    # model errors that differ between states and actions, unlike those of perturbed_case
    weight = exact_array(rng.integers(0, 5, size=(*game.transition.shape[:2], 1))) / 4
    model = (1 - weight) * game.transition + weight * other.transition
    return read_only(replace(case, model_transition=model))


@cache
def certain(seed: int) -> Case:
    """Nothing is left to chance, rewards are ±1, every policy and the dynamics are mistaken."""
    rng = np.random.default_rng(seed)

    def picks(shape: tuple[int, ...], size: int) -> Array:
        return exact_array(np.eye(size, dtype=int)[rng.integers(size, size=shape)])

    def policies() -> tuple[Array, Array]:
        return picks((4,), 2), picks((4,), 2)

    reward = exact_array(rng.integers(0, 2, size=(2, 4, 4)) * 2 - 1)
    game = StochasticGame((2, 2), picks((4, 4), 4), reward, picks((), 4), HALF)
    current, data, models = policies(), policies(), policies()
    case = case_of(
        game,
        0,
        current,
        data_policies=data,
        model_transition=picks((4, 4), 4),
        opponent_models=(None, models[1]),
        branch_length=2,
        opponent_lengths=(None, 1),
    )
    return read_only(case)


def read_only(given: Case) -> Case:
    """The same case; whoever tries to write to its arrays fails."""
    tables = (given.initial, given.transition, given.model_transition, given.reward)
    policies = (*given.policies, *given.data_policies, *given.opponent_models)
    for array in (*tables, *policies):
        if array is not None:
            array.flags.writeable = False
    return given


def sampled_case(seed: int) -> Case:
    """One of four garnets with every error 1/2 and k = 3: one to three agents."""
    rng = np.random.default_rng(seed)
    actions = ((2, 3), (2,), (2, 2, 2), (3, 2))[seed]
    lengths = (None, None, (1, None, 3), (None, 0))[seed]
    return perturbed_case(
        garnet(actions, 4, 2, rng, exact=True),
        rng,
        ego=1 if seed == 2 else 0,
        model_error=Fraction(1, 2),
        policy_shift=Fraction(1, 2),
        opponent_error=Fraction(1, 2),
        branch_length=3,
        opponent_lengths=lengths,
    )


def random_batch(seed: int, count: int, lengths: tuple[int | None, ...] | None) -> Case:
    """``count`` random float cases of two agents with k = 4, as one batch."""
    rng = np.random.default_rng(seed)
    actions, s, gamma = (2, 3), 3, 0.9
    real, model = (garnet_arrays(actions, s, 2, rng, batch=(count,)) for _ in range(2))
    current, data, models = (random_policies(actions, s, rng, (count,)) for _ in range(3))
    return Case(
        gamma,
        actions,
        0,
        real.initial,
        real.transition,
        real.reward[:, 0],
        current,
        data,
        model.transition,
        (None, models[1]),
        4,
        lengths,
    )


@lru_cache(maxsize=64)
def floats(given: Case) -> Case:
    """The same case in float64, read-only and kept for a while."""
    return read_only(as_float(given))


def sparse_case(given: Case) -> Case:
    """The same float case with CSR transitions."""
    real, model = (
        as_sparse(StochasticGame(given.actions, t, given.reward[None].repeat(given.n, 0),
                                 given.initial, given.gamma)).transition
        for t in (given.transition, given.model_transition)
    )  # fmt: skip
    return replace(given, transition=real, model_transition=model)


def rounding(given: Case, steps: int = 0) -> float:
    """How far float64 may be from exact, in units of max|R| for a return, of 1 for an occupancy.

    Products of n policies summed over |A| joint actions leave P and r with relative errors of
    (|A| + n + 2)u. Solving (I − γP)v = r by elimination is backward stable: the matrix is perturbed
    by 3 s³ 2^{s−1} u relatively (Higham 2002, Theorem 9.5, growth at most 2^{s−1}), and that is
    amplified by the condition number ‖I − γP‖ ‖(I − γP)⁻¹‖ ≤ (1 + γ)/(1 − γ) of a value of at most
    max|R|/(1 − γ). For occupancies the same holds of the transposed system in the 1-norm. ``steps``
    products by a matrix add s + |A| + n each, and so do the sums over states at the end. Squares of
    u are in the factor 1.1.
    """
    gamma, s, a = float(given.gamma), given.n_states, given.joint_actions
    condition = (1 + gamma) / (1 - gamma)
    solved = 3 * s**3 * 2 ** (s - 1) + 2 * (a + given.n + 2)
    return 1.1 * U * (condition * solved + (steps + 2) * (s + a + given.n)) / (1 - gamma)


def largest_reward(given: Case) -> float:
    """max|R| of the ego agent."""
    return float(abs(given.reward).max())


def example() -> dict[str, Any]:
    """The JSON of a valid exact case: agents with 2 and 3 actions, two states, k = 2."""
    stay, leave = ["1", "0"], ["1/4", "3/4"]
    halves, thirds = ["1/2", "1/2"], ["1/3", "1/3", "1/3"]
    return {
        "format": "stochastic-game-case/1",
        "gamma": "9/10",
        "actions": [2, 3],
        "ego": 0,
        "initial": ["1/3", "2/3"],
        "transition": [[stay] * 6, [leave] * 6],
        "reward": [[0, 1, 2, 3, 4, 5], ["-1/2"] * 6],
        "policies": [[halves] * 2, [thirds] * 2],
        "data_policies": [[stay] * 2, [thirds] * 2],
        "model_transition": [[halves] * 6, [leave] * 6],
        "opponent_models": [None, [["1", "0", "0"]] * 2],
        "branch_length": 2,
        "opponent_lengths": [None, 1],
        "note": "an example",
        "source": "nowhere",
    }
