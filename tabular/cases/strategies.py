"""Hypothesis strategies for games, policies, cases and error profiles: property tests for users.

>>> from hypothesis import given
>>> from tabular.cases.returns import real_return
>>> from tabular.cases.strategies import cases
>>> @given(cases())
... def test_a_return_is_at_most_the_largest_reward_for_ever(case):
...     assert real_return(case) <= case.reward.max() / (1 - case.gamma)
>>> test_a_return_is_at_most_the_largest_reward_for_ever()

``games`` and ``profiles`` draw games and error profiles in the same way. This module, and no other
of the package, needs Hypothesis (``pip install hypothesis``). Everything shrinks towards one agent,
one state, one action, γ = 0 and no errors. Corners are common: point masses, zeros, γ = 0, branch
length 0, opponent-wise lengths 0 and k, models that equal the truth, lie near it, or have nothing
to do with it. Exact numbers (the default) are Fractions with small denominators; float ones
(``exact=False``) are normalised arbitrary floats.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from itertools import product
from math import prod

import numpy as np
from hypothesis import strategies as st

from bounds.formula.error_profile import ErrorProfile
from bounds.shared.numbers import Array, Operand
from tabular.cases.case import Case, case_of
from tabular.games.arrays import exact_array
from tabular.games.game import StochasticGame
from tabular.games.policy import Policies, mixed

Strategy = st.SearchStrategy

#: Joint actions and states of a drawn game: enough for every kind of structure, quick to check.
MAX_JOINT_ACTIONS, MAX_STATES = 6, 4
_LISTED = 4  #: sizes up to which exact distributions are picked from a list: quick to shrink
_DENOMINATORS = (1, 2, 3, 4)
_GAMMAS = tuple(map(Fraction, ("0", "1/2", "9/10", "1/3", "19/20", "99/100")))
_REWARDS = tuple(map(Fraction, ("0", "1", "-1", "1/2", "2", "-3", "-1/3", "10")))
_ERRORS = tuple(map(Fraction, ("0", "1/2", "1/4", "1/10", "1/100", "1", "1/1000")))
_NEAR = tuple(map(Fraction, ("1/10", "1/100", "1/4", "1/1000")))
_BRANCH_LENGTHS = (1, 0, 2, 3, 8)
#: How models, data policies and opponent models may lie to the truth.
KINDS = ("equal", "near", "unrelated")


def errors(*, exact: bool = True) -> Strategy[Operand]:
    """A total variation distance: a number in [0, 1], often 0 and sometimes 1."""
    listed = st.sampled_from(_ERRORS)
    return listed if exact else listed.map(float) | st.floats(0, 1)


def discounts(*, exact: bool = True) -> Strategy[Operand]:
    """γ: 0, 1/3, 1/2, 9/10, 19/20 or 99/100; as floats also anything between 0 and 0.99."""
    listed = st.sampled_from(_GAMMAS)
    return listed if exact else listed.map(float) | st.floats(0, 0.99)


def distributions(size: int, *, exact: bool = True) -> Strategy[Array]:
    """A probability distribution over ``size`` outcomes, shape [size].

    Exact ones sum to 1 exactly, float ones up to rounding. Point masses and zeros are common.
    """
    if size <= _LISTED:
        plain = st.sampled_from(_listed(size))
    else:
        point = st.integers(0, size - 1).map(lambda i: [int(x == i) for x in range(size)])
        plain = (point | st.tuples(*[st.integers(0, 4)] * size).filter(any)).map(_weighted)
    if exact:
        return plain.map(np.copy)
    weights = st.tuples(*[st.floats(0, 1)] * size).filter(lambda w: sum(w) > 0)
    return plain.map(lambda p: p.astype(float)) | weights.map(lambda w: np.array(w) / sum(w))


def games(
    *,
    exact: bool = True,
    actions: Sequence[int] | None = None,
    n_states: int | None = None,
    gamma: Operand = None,
) -> Strategy[StochasticGame]:
    """A game of 1 to 3 agents with unequal action sets and 1 to 4 states, or of the given size."""
    return _games(exact, actions, n_states, gamma)


@st.composite
def _games(
    draw: st.DrawFn,
    exact: bool,
    actions: Sequence[int] | None,
    n_states: int | None,
    gamma: Operand,
) -> StochasticGame:
    sizes = tuple(draw(_action_sets()) if actions is None else actions)
    s = draw(st.integers(1, MAX_STATES)) if n_states is None else n_states
    joint = prod(sizes)
    reward = st.sampled_from(_REWARDS)
    numbers: Strategy[Operand] = reward if exact else reward.map(float) | st.floats(-10, 10)
    drawn = list(draw(st.tuples(*[numbers] * (len(sizes) * s * joint))))
    rewards = exact_array(drawn) if exact else np.array(drawn)
    return StochasticGame(
        actions=sizes,
        transition=draw(tables((s, joint, s), exact=exact)),
        reward=rewards.reshape(len(sizes), s, joint),
        initial=draw(distributions(s, exact=exact)),
        gamma=draw(discounts(exact=exact)) if gamma is None else gamma,
    )


def tables(shape: tuple[int, ...], *, exact: bool = True) -> Strategy[Array]:
    """Independent distributions along the last axis of ``shape``."""
    rows = st.tuples(*[distributions(shape[-1], exact=exact)] * prod(shape[:-1]))
    return rows.map(lambda drawn: np.stack(drawn).reshape(shape))


def policies(actions: Sequence[int], n_states: int, *, exact: bool = True) -> Strategy[Policies]:
    """One policy πʲ[s, aʲ] an agent."""
    return st.tuples(*(tables((n_states, size), exact=exact) for size in actions))


@st.composite
def perturbed(draw: st.DrawFn, truth: Array, kinds: Sequence[str] = KINDS) -> Array:
    """Distributions beside ``truth`` [..., x]: the same object, near it, or unrelated to it."""
    kind = draw(st.sampled_from(kinds))
    if kind == "equal":
        return truth
    exact = truth.dtype == object
    other = draw(tables(truth.shape, exact=exact))
    if kind == "unrelated":
        return other
    near: Strategy[Operand] = st.sampled_from(_NEAR)
    return mixed(truth, other, draw(near if exact else near.map(float) | st.floats(0, 0.25)))


def cases(
    *,
    exact: bool = True,
    actions: Sequence[int] | None = None,
    n_states: int | None = None,
    gamma: Operand = None,
    branched: bool | None = None,
    exact_opponents: bool = False,
) -> Strategy[Case]:
    """A case: a game with policies, data policies, opponent models and a dynamics model.

    branched: whether there is a branch length (and then perhaps opponent-wise lengths); None:
    either. exact_opponents: leave the opponents without models.
    """
    return _cases(_games(exact, actions, n_states, gamma), exact, branched, exact_opponents)


@st.composite
def _cases(
    draw: st.DrawFn,
    game_strategy: Strategy[StochasticGame],
    exact: bool,
    branched: bool | None,
    exact_opponents: bool,
) -> Case:
    game = draw(game_strategy)
    ego = draw(st.integers(0, game.n - 1))
    current = draw(policies(game.actions, game.n_states, exact=exact))
    # one bad model hides what small errors do, so in most cases no error is large
    kinds = KINDS[: draw(st.sampled_from((2, 1, 3)))]
    models: list[Array | None] = [None] * game.n
    if not exact_opponents:
        for j in range(game.n):
            if j != ego and draw(st.booleans()):
                models[j] = draw(perturbed(current[j], kinds))
    k = draw(_branch_lengths(branched))
    lengths = None
    if k is not None and game.n > 1 and draw(st.booleans()):
        lengths = [None if j == ego else draw(_lengths(k)) for j in range(game.n)]
    return case_of(
        game,
        ego,
        current,
        data_policies=[draw(perturbed(policy, kinds)) for policy in current],
        model_transition=draw(perturbed(game.transition, kinds)),
        opponent_models=models,
        branch_length=k,
        opponent_lengths=lengths,
    )


@st.composite
def profiles(
    draw: st.DrawFn, *, exact: bool = True, branched: bool | None = None, max_agents: int = 4
) -> ErrorProfile:
    """An ``ErrorProfile`` that some case could have: ε_m and ε′_m are at most ε_sup.

    branched: whether there is a branch length k; None: either.
    """
    n = draw(st.integers(1, max_agents))
    error = errors(exact=exact)
    shifts = draw(st.tuples(*[error] * n))
    sup = draw(error)
    k = draw(_branch_lengths(branched))
    lengths = None
    if k is not None and n > 1 and draw(st.booleans()):
        lengths = draw(st.tuples(*[_lengths(k)] * (n - 1)))
    one: Operand = Fraction(1) if exact else 1.0
    r_max = one * draw(st.sampled_from((1, 0, 2, 10)))
    joint = draw(st.sampled_from((None, "least", "most")))
    most = one - prod((1 - e for e in shifts), start=one)
    return ErrorProfile(
        gamma=draw(discounts(exact=exact)),
        policy_shift=shifts,
        opponent_model=draw(st.tuples(*[error] * (n - 1))),
        model_data=sup * draw(error),
        model_current=sup * draw(error),
        model_sup=sup,
        k=k,
        opponent_lengths=lengths,
        r_max=r_max,
        span=draw(st.sampled_from((None, r_max, 2 * r_max))),
        joint_policy_shift={None: None, "least": max(shifts), "most": max(most, *shifts)}[joint],
    )


def _branch_lengths(branched: bool | None) -> Strategy[int | None]:
    given: tuple[int | None, ...] = () if branched is False else _BRANCH_LENGTHS
    return st.sampled_from(given if branched else (None, *given))


def _lengths(k: int) -> Strategy[int]:
    """nⱼ in 0..k, with 0 and k more often than the rest."""
    return st.sampled_from((k, 0, (k + 1) // 2)) | st.integers(0, k)


def _action_sets() -> Strategy[tuple[int, ...]]:
    """(|A¹|, …, |Aⁿ|) of 1 to 3 agents with at most ``MAX_JOINT_ACTIONS`` joint actions."""
    few = st.sampled_from((1, 2, 3))
    sets = few.flatmap(lambda n: st.tuples(*[few] * n))
    return sets.filter(lambda sizes: prod(sizes) <= MAX_JOINT_ACTIONS)


@cache
def _listed(size: int) -> tuple[Array, ...]:
    """Distributions over ``size`` outcomes with denominators up to 4; point masses many times."""
    weights = [
        w for d in _DENOMINATORS for w in product(range(d, -1, -1), repeat=size) if sum(w) == d
    ]
    different = {tuple(_weighted(w)): None for w in weights}
    points = weights[:size] * max(1, len(different) // (2 * size))
    return (*map(_weighted, points), *map(exact_array, different))


def _weighted(weights: Sequence[int]) -> Array:
    return exact_array([Fraction(w, sum(weights)) for w in weights])
