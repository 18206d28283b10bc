"""Soft Q iteration: against loops, exact values, the constants of the proofs, planted mutants."""

from fractions import Fraction as F
from itertools import islice, pairwise, product
from math import exp, log
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounds.shared.numbers import Array, InputError
from tabular.cases.case import Case, as_float, case_at
from tabular.cases.strategies import cases
from tabular.games.arrays import exact_array
from tabular.games.game import as_sparse, split_action
from tabular.games.policy import random_policies
from tabular.games.random import garnet, garnet_arrays
from tabular.soft_q import one_agent
from tabular.soft_q.one_agent import FORMS, World, backup, ego_world, iteration, solve, world
from tabular.soft_q.printed_target import (
    lipschitz,
    printed_backup,
    printed_cycle,
    printed_iteration,
    printed_values,
    staying,
    staying_start,
)
from tabular.verify_soft import Rejected, verify

ALPHAS = st.sampled_from((0.0, 1e-3, 0.1, 1.0, 30.0))
#: Rounding of one backup in these tests: some hundred operations on numbers of size 10⁴ at most.
ROUNDING = 1e-9


def soft_max(values: list[float], alpha: float) -> float:
    top = max(values)
    if alpha == 0:
        return top
    return top + alpha * log(sum(exp((x - top) / alpha) for x in values))


def looped(case: Case, q: Array, alpha: float, form: str) -> Array:
    """T Q [s, a] over joint actions, by nothing but loops: the oracle."""
    sizes, ego = case.actions, case.ego
    rivals = [j for j in range(case.n) if j != ego]
    values = []
    for s in range(case.n_states):
        drawn = []
        for others in product(*(range(sizes[j]) for j in rivals)):
            chance = 1.0
            for j, x in zip(rivals, others, strict=True):
                chance *= case.policies[j][s][x]
            row = []
            for own in range(sizes[ego]):
                joint = [0] * case.n
                joint[ego] = own
                for j, x in zip(rivals, others, strict=True):
                    joint[j] = x
                a = next(
                    i for i in range(case.joint_actions) if list(split_action(sizes, i)) == joint
                )
                row.append(q[s][a])
            drawn.append((chance, row))
        if form == "conditioned":
            values.append(sum(p * soft_max(row, alpha) for p, row in drawn))
        else:
            mean = [sum(p * row[i] for p, row in drawn) for i in range(sizes[ego])]
            values.append(soft_max(mean, alpha))
    return case.reward + case.gamma * np.array(
        [
            [sum(t * v for t, v in zip(row, values, strict=True)) for row in rows]
            for rows in case.transition
        ]
    )


def by_joint(case: Case, q: Array) -> Array:
    """Q[s, aⁱ, o] as Q[s, a]."""
    sizes = case.actions
    rest = [sizes[j] for j in range(case.n) if j != case.ego]
    wide = q.reshape(case.n_states, sizes[case.ego], *rest)
    return np.moveaxis(wide, 1, 1 + case.ego).reshape(case.n_states, case.joint_actions)


@given(cases(branched=False), ALPHAS, st.sampled_from(FORMS), st.integers(0, 99))
def test_the_operator_is_the_loops(given: Case, alpha: float, form: Any, seed: int) -> None:
    case = as_float(given)
    w = world(case)
    q = np.random.default_rng(seed).normal(size=w.reward.shape) * 10
    expected = looped(case, by_joint(case, q), alpha, form)
    assert by_joint(case, backup(w, q, alpha, form)) == pytest.approx(expected, abs=ROUNDING)


@given(cases(branched=False, exact=False), ALPHAS, st.sampled_from(FORMS), st.booleans())
def test_solve_finds_the_fixed_point(case: Case, alpha: float, form: Any, model: bool) -> None:
    w = world(case, model=model)
    found = solve(w, alpha, form)
    # the error is the residual's, and so is the distance of q from its backup
    assert np.abs(backup(w, found.q, alpha, form) - found.q).max() <= found.error + ROUNDING
    assert found.policy.sum(axis=-2) == pytest.approx(1)
    bonus = alpha * log(w.own_actions)
    low, high = (x + bonus for x in (w.reward.min(), w.reward.max()))
    slack = found.error + ROUNDING
    assert (found.v * (1 - w.gamma) >= low - slack).all()
    assert (found.v * (1 - w.gamma) <= high + slack).all()


def in_floats(w: World) -> World:
    return World(float(w.gamma), *(x.astype(float) for x in (w.reward, w.transition, w.others)))


@given(cases(branched=False), st.sampled_from(FORMS))
def test_without_temperature_the_exact_value_is_the_best_policys(case: Case, form: Any) -> None:
    w = world(case)
    found = solve(w, 0, form)
    assert found.error == 0
    assert (backup(w, found.q, 0, form) == found.q).all()
    floats = solve(in_floats(w), 0, form)
    assert floats.v == pytest.approx(found.v.astype(float), abs=1e-6)
    # α log|A|/(1 − γ) is the most that a temperature adds, and it takes nothing
    warm = solve(in_floats(w), 0.5, form)
    gap = (warm.v - floats.v) * (1 - float(w.gamma))
    assert (gap >= -ROUNDING * 100).all()
    assert (gap <= 0.5 * log(w.own_actions) + ROUNDING * 100).all()


@given(cases(branched=False, exact=False), ALPHAS, st.sampled_from(FORMS), st.integers(0, 99))
def test_contraction_by_gamma(case: Case, alpha: float, form: Any, seed: int) -> None:
    w = world(case)
    rng = np.random.default_rng(seed)
    one, other = (rng.normal(size=w.reward.shape) * 10 for _ in range(2))
    after = np.abs(backup(w, one, alpha, form) - backup(w, other, alpha, form)).max()
    assert after <= w.gamma * np.abs(one - other).max() + ROUNDING
    shifted = backup(w, one + 3.0, alpha, form) - backup(w, one, alpha, form)
    assert shifted == pytest.approx(3 * w.gamma, abs=ROUNDING)


@given(cases(branched=False, exact=False), st.sampled_from((0.1, 1.0)))
def test_conditioning_never_costs(case: Case, alpha: float) -> None:
    knows, guesses = (solve(world(case), alpha, form) for form in FORMS)
    assert (knows.v >= guesses.v - knows.error - guesses.error - ROUNDING).all()


def test_iteration_converges_to_the_solution_by_gamma() -> None:
    rng = np.random.default_rng(0)
    game = garnet((3, 2), 5, 2, rng)
    w = ego_world(
        game.gamma,
        game.actions,
        1,
        game.reward[1],
        game.transition,
        random_policies(game.actions, 5, rng),
    )
    for form in FORMS:
        found = solve(w, 0.3, form)
        far = [np.abs(q - found.q).max() for q in islice(iteration(w, 0.3, form), 60)]
        assert all(b <= w.gamma * a + ROUNDING for a, b in pairwise(far))
        assert far[-1] < 0.01 * far[0]


def test_batches_are_their_games() -> None:
    rng = np.random.default_rng(1)
    arrays = garnet_arrays((2, 3), 4, 2, rng, batch=(6,))
    policies = random_policies((2, 3), 4, rng, (6,))
    batch = Case(
        0.9,
        (2, 3),
        0,
        arrays.initial,
        arrays.transition,
        arrays.reward[:, 0],
        policies,
        policies,
        arrays.transition,
        (None, None),
    )
    for form, alpha in product(FORMS, (0.0, 0.2)):
        together = solve(world(batch), alpha, form)
        for i in range(6):
            alone = solve(world(case_at(batch, i)), alpha, form)
            assert together.v[i] == pytest.approx(alone.v, abs=ROUNDING)


# planted mutants: each breaks a check above


def entropy_forgotten(x: Array, alpha: float) -> Array:
    return x.max(axis=-1)


def wrong_axis(x: Array, alpha: float) -> Array:
    weights = np.exp((x - x.max()) / alpha)
    return weights / weights.sum(axis=-2, keepdims=True)


def entropy_outside(q: Array, others: Array, alpha: float, form: Any) -> Array:
    return printed_values(q, others, 0.9, alpha, form) / 0.9


def tilted() -> World:
    rng = np.random.default_rng(2)
    game = garnet((3, 2), 4, 2, rng)
    return ego_world(
        game.gamma,
        game.actions,
        0,
        game.reward[0],
        game.transition,
        random_policies(game.actions, 4, rng),
    )


def is_right(alpha: float = 0.5) -> bool:
    """Values within their range of the exact optimum, and a solution that is a fixed point."""
    w = tilted()
    for form in FORMS:
        found = solve(w, alpha, form)
        steps = islice(iteration(w, alpha, form), 400)
        *_, last = steps
        if np.abs(last - found.q).max() > 1e-6:
            return False
        constant = World(w.gamma, np.ones_like(w.reward), w.transition, w.others)
        fair = (1 + alpha * log(3)) / (1 - w.gamma)
        if np.abs(solve(constant, alpha, form).v - fair).max() > 1e-6:
            return False
        if np.abs(found.policy.sum(axis=-2) - 1).max() > 1e-6:
            return False
    return True


def test_the_right_operator_passes() -> None:
    assert is_right()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("log_sum_exp", entropy_forgotten),
        ("softmax", wrong_axis),
        ("lookahead", lambda w, v: w.reward + 0.8 * (w.transition @ v)),
        ("log_sum_exp", lambda x, alpha: x.max(-1) + alpha * np.log(x.shape[-1])),
        ("soft_values", entropy_outside),
    ],
)
def test_a_wrong_operator_is_caught(name: str, wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_agent, "MAX_STEPS", 20)
    monkeypatch.setattr(one_agent, name, wrong)
    assert not is_right()


def test_what_users_get_wrong() -> None:
    w = tilted()
    for alpha in (-1, float("nan"), float("inf"), "warm"):
        with pytest.raises(InputError, match="alpha"):
            solve(w, alpha, "conditioned")
    with pytest.raises(InputError, match="form: 'best'"):
        solve(w, 0.1, "best")  # type: ignore[arg-type]
    exact = World(
        F(1, 2),
        exact_array(np.zeros((1, 2, 1), int)),
        exact_array(np.ones((1, 2, 1, 1), int)),
        exact_array([[1]]),
    )
    with pytest.raises(InputError, match="irrational"):
        solve(exact, F(1, 2), "conditioned")
    rng = np.random.default_rng(0)
    sparse = as_sparse(garnet((2, 2), 3, 2, rng))
    policies = random_policies((2, 2), 3, rng)
    case = Case(
        0.9,
        (2, 2),
        0,
        sparse.initial,
        sparse.transition,
        sparse.reward[0],
        policies,
        policies,
        sparse.transition,
        (None, None),
    )
    with pytest.raises(InputError, match="sparse"):
        world(case)


# Eq. (5) as printed


def test_the_printed_target_prices_entropy_at_alpha_over_gamma() -> None:
    """For a held policy: E[γ Q − α log π] = γ (E[Q − (α/γ) log π])."""
    rng = np.random.default_rng(3)
    q, others = rng.normal(size=(5, 3, 2)), rng.dirichlet(np.ones(2), size=5)
    gamma, alpha = 0.9, 0.7
    own = np.exp(q / alpha) / np.exp(q / alpha).sum(axis=1, keepdims=True)
    value = (own * (q - alpha / gamma * np.log(own))).sum(axis=1)
    expected = gamma * (others * value).sum(axis=-1)
    assert printed_values(q, others, gamma, alpha, "conditioned") == pytest.approx(expected)
    standard = gamma * one_agent.soft_values(q, others, alpha, "conditioned")
    assert (printed_values(q, others, gamma, alpha, "conditioned") > standard).all()


def test_the_printed_target_is_no_contraction_with_many_actions() -> None:
    assert lipschitz(0.0, 5) < 1 < lipschitz(0.0, 6)
    assert lipschitz(0.95, 10**6) == pytest.approx(0.95)  # many actions do no harm at γ = 0.95
    assert lipschitz(0.5, 1) == 0.5
    # the constant is reached by two values a small step apart, in the worst direction
    gamma, m = 0.1, 100
    p = np.linspace(0.01, 0.99, 99)
    rest = (1 - p) / (m - 1)
    h = -p * np.log(p) - (1 - p) * np.log(rest)
    slope = np.abs(gamma - (1 - gamma) * (np.log(p) + h)) * p
    slope = slope + (1 - p) * np.abs(gamma - (1 - gamma) * (np.log(rest) + h))
    best = p[slope.argmax()]
    q = np.zeros((1, m, 1))
    q[0, 0] = log(best * (m - 1) / (1 - best))
    step = np.full((1, m, 1), 1e-6)
    step[0, 0] = -1e-6
    w = World(gamma, np.zeros((1, m, 1)), np.ones((1, m, 1, 1)), np.ones((1, 1)))
    moved = printed_backup(w, q + step, 1.0, "conditioned") - printed_backup(
        w, q, 1.0, "conditioned"
    )
    # 10⁻⁶ leaves a relative curvature of 10⁻⁶ times the gap, and rounding of 10⁻¹⁰
    assert np.abs(moved).max() / 1e-6 == pytest.approx(slope.max(), rel=1e-3)
    assert slope.max() > 2


def test_the_printed_target_goes_to_and_fro() -> None:
    certificate = printed_cycle(F(1, 10), F(1), F(31, 5), 99, "it")
    assert verify(certificate)[0] > F(1, 4)
    w = staying(0.1, 6.2, 99)
    gaps = [
        float(q[0, 0, 0] - q[0, 1, 0])
        for q in islice(printed_iteration(w, 1.0, "conditioned", staying_start(w, 1.0, 4.5)), 500)
    ]
    (a, b), (c, d) = [[F(x) for x in pair] for pair in certificate["intervals"]]
    assert all(a <= x <= b or c <= x <= d for x in gaps[100:])
    assert abs(gaps[-1] - gaps[-2]) > 0.3
    # the standard target converges there
    far = list(islice(iteration(w, 1.0, "conditioned"), 60))
    assert np.abs(far[-1] - far[-2]).max() < 1e-12


@pytest.mark.parametrize(
    "change",
    [
        {"leaving": 30},
        {"gamma": "1/2"},
        {"stay": "7"},
        {"intervals": [["4", "9/2"], ["22/5", "5"]]},
        {"leaving": -1},
    ],
)
def test_a_false_cycle_is_rejected(change: dict[str, Any]) -> None:
    certificate = printed_cycle(F(1, 10), F(1), F(31, 5), 99, "it")
    with pytest.raises(Rejected):
        verify(certificate | change)


def test_no_cycle_no_certificate() -> None:
    with pytest.raises(InputError, match="no cycle of two"):
        printed_cycle(F(9, 10), F(1), F(1), 3, "it")
