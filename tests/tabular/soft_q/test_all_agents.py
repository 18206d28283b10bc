"""All agents at once: the contraction, the cycles, and certificates that cannot be forged."""

import json
import subprocess
import sys
from fractions import Fraction as F
from itertools import islice, pairwise
from math import tanh
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounds.library import soft_q
from bounds.shared.numbers import InputError
from tabular import verify_soft
from tabular.equilibria.logit_stage import residual
from tabular.games.arrays import exact_array
from tabular.games.literature import matching_pennies, shapley, three_player_matching_pennies
from tabular.games.random import garnet_arrays
from tabular.soft_q import all_agents
from tabular.soft_q.all_agents import (
    Learners,
    cycle_certificate,
    interactions,
    largest_span,
    learners_distance,
    own_values,
    power_softmax,
    simultaneous_iteration,
    stage_alpha,
    uniform_start,
    values_of,
)
from tabular.verify_soft import Rejected, verify

PENNIES = matching_pennies().reward.reshape(2, 2, 2)
ROOT = Path(__file__).parents[3]


def one_state(payoffs: Any, alpha: float, start: list[list[float]], rate: float = 1.0) -> Any:
    """Policies of a repeated game, γ = 0.9, step by step: [agent][aʲ]."""
    table = np.asarray(payoffs, dtype=float)
    n, actions = table.shape[0], table.shape[1:]
    reward = table.reshape(n, 1, -1)
    first = Learners(np.array(reward), tuple(np.array([p]) for p in start))
    transition = np.ones((1, reward.shape[-1], 1))
    for now in simultaneous_iteration(0.9, actions, transition, reward, alpha, first, rate):
        yield [p[0] for p in now.policies]


def test_one_step_by_hand() -> None:
    """Two states, two agents: the step written out."""
    rng = np.random.default_rng(0)
    arrays = garnet_arrays((2, 3), 2, 2, rng)
    alpha, gamma = 0.7, 0.8
    q = rng.normal(size=(2, 2, 6))
    policies = (rng.dirichlet(np.ones(2), size=2), rng.dirichlet(np.ones(3), size=2))
    _, after = islice(
        simultaneous_iteration(
            gamma, (2, 3), arrays.transition, arrays.reward, alpha, Learners(q, policies)
        ),
        2,
    )
    value = np.zeros((2, 2))
    for s in range(2):
        table = q[:, s].reshape(2, 2, 3)
        mine, theirs = table[0] @ policies[1][s], policies[0][s] @ table[1]
        for j, u in enumerate((mine, theirs)):
            weights = np.exp(u / alpha)
            assert after.policies[j][s] == pytest.approx(weights / weights.sum())
            value[j, s] = alpha * np.log(weights.sum())
    expected = arrays.reward + gamma * np.einsum("sat,jt->jsa", arrays.transition, value)
    assert after.q == pytest.approx(expected)
    assert values_of(Learners(q, policies), (2, 3), alpha) == pytest.approx(value)


@given(
    st.sampled_from([(2, 2), (3, 2), (2, 2, 2), (2, 1)]),
    st.sampled_from((0.0, 0.3, 0.9)),
    st.floats(0.2, 5),
    st.integers(0, 9999),
)
def test_the_step_shrinks_by_beta(
    actions: tuple[int, ...], gamma: float, share: float, seed: int
) -> None:
    """The inequality N(after) ≤ β N(before), below the sufficient temperature as well."""
    rng = np.random.default_rng(seed)
    n = len(actions)
    arrays = garnet_arrays(actions, 3, 2, rng)
    span = largest_span(arrays.reward)
    alpha = share * soft_q.sufficient_alpha(n, gamma, span)
    runs = []
    for _ in range(2):
        q = rng.random(arrays.reward.shape) * span / (1 - gamma)
        policies = tuple(rng.dirichlet(np.full(a, 0.3), size=3) for a in actions)
        steps = simultaneous_iteration(
            gamma, actions, arrays.transition, arrays.reward, alpha, Learners(q, policies)
        )
        runs.append(list(islice(steps, 4)))
    distance = [learners_distance(a, b, gamma, span) for a, b in zip(*runs, strict=True)]
    factor = soft_q.contraction_factor(n, gamma, span, alpha)
    assert all(b <= factor * a + 1e-9 for a, b in pairwise(distance))


def test_beta_is_one_at_the_sufficient_temperature() -> None:
    for n in (2, 3, 5):
        for gamma in (F(0), F(1, 2), F(9, 10)):
            enough = soft_q.sufficient_alpha(n, gamma, F(3))
            assert soft_q.contraction_factor(n, gamma, F(3), enough) == 1
            assert soft_q.contraction_factor(n, gamma, F(3), 2 * enough) == (1 + gamma) / 2
    assert soft_q.weight_of_policies(3, F(1, 2), F(3)) == 12


def test_above_the_temperature_every_start_leads_to_one_logit_equilibrium() -> None:
    rng = np.random.default_rng(4)
    payoffs = rng.uniform(-1, 1, size=(2, 3, 3))
    alpha = 1.05 * stage_alpha(payoffs)
    ends = []
    for _ in range(5):
        start = [rng.dirichlet(np.full(3, 0.2)).tolist() for _ in range(2)]
        *_, last = islice(one_state(payoffs, alpha, start), 600)
        assert residual(payoffs, last, alpha) < 1e-12
        ends.append(np.concatenate(last))
    # 1.05^-600 of the first distance is left
    assert np.ptp(ends, axis=0).max() < 1e-9


def test_interactions_by_hand() -> None:
    assert interactions(PENNIES).tolist() == [[0, 4], [4, 0]]
    assert stage_alpha(PENNIES) == 1
    assert interactions(exact_array([[[1, 2], [3, 4]], [[0, 0], [0, 5]]])).tolist() == [
        [0, 0],
        [5, 0],
    ]
    circle = three_player_matching_pennies().reward.reshape(3, 2, 2, 2)
    assert (interactions(circle) > 0).sum() == 3  # everyone looks at one other
    assert stage_alpha(circle) == pytest.approx(1)


@pytest.mark.parametrize("alpha", [0.3, 0.7, 0.95])
def test_pennies_cycle_below_one(alpha: float) -> None:
    size = 1.0
    for _ in range(10_000):
        size = tanh(size / alpha)
    assert size > 0.05
    for start in ([[0.5 + 1e-3, 0.5 - 1e-3], [0.5, 0.5]], [[0.9, 0.1], [0.4, 0.6]]):
        *_, last = islice(one_state(PENNIES, alpha, start), 4000)
        far = max(abs(2 * p[0] - 1) for p in last)
        assert far == pytest.approx(size, abs=1e-6)  # and so not at the equilibrium, 0


@pytest.mark.parametrize("alpha", [1.05, 2.0])
def test_pennies_settle_above_one(alpha: float) -> None:
    *_, last = islice(one_state(PENNIES, alpha, [[0.9, 0.1], [0.4, 0.6]]), 2000)
    assert np.concatenate(last) == pytest.approx(0.5, abs=1e-9)


def test_slower_steps_cure_pennies_and_not_shapleys_game() -> None:
    *_, last = islice(one_state(PENNIES, 0.3, [[0.9, 0.1], [0.4, 0.6]], rate=0.05), 4000)
    assert np.concatenate(last) == pytest.approx(0.5, abs=1e-9)
    table = shapley().reward.reshape(2, 3, 3)
    start = [[0.34, 0.33, 0.33], [0.33, 0.34, 0.33]]
    for rate in (1.0, 0.1, 0.01):
        runs = list(islice(one_state(table, 1 / 8, start, rate=rate), int(60 / rate)))
        far = [max(np.abs(p - 1 / 3).max() for p in now) for now in runs]
        assert min(far[len(far) // 2 :]) > 0.1
    *_, last = islice(one_state(table, 1 / 4, start, rate=0.1), 3000)
    assert np.concatenate(last) == pytest.approx(1 / 3, abs=1e-9)


def test_the_rational_cycle() -> None:
    quarter = exact_array([F(3, 4), F(1, 4)])
    certificate = cycle_certificate(PENNIES, F(3), [quarter, quarter], "it")
    assert len(certificate["cycle"]) == 4
    assert verify(certificate) == (4, 1)
    # in floats the same policies follow one another
    alpha = 1 / np.log(3)
    for now, exact in zip(
        islice(one_state(PENNIES, alpha, [[0.75, 0.25]] * 2), 4), certificate["cycle"], strict=True
    ):
        assert now == [pytest.approx([float(F(x)) for x in p]) for p in exact]


def forged(path: list[Any], value: Any) -> dict[str, Any]:
    quarter = exact_array([F(3, 4), F(1, 4)])
    certificate = cycle_certificate(PENNIES, F(3), [quarter, quarter], "it")
    certificate = json.loads(json.dumps(certificate))
    place: Any = certificate
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return certificate


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["base"], "4"),
        (["base"], "1/3"),
        (["payoffs", 0, 0, 0], "2"),
        (["payoffs", 0, 0, 0], "3/2"),
        (["cycle", 1, 1], ["3/4", "1/4"]),
        (["cycle", 1, 1], ["1/4", "1/4"]),
        (["cycle"], [[["1/2", "1/2"], ["1/2", "1/2"]]]),
        (["cycle"], [[["1/2", "1/2"], ["1/2", "1/2"]]] * 2),
        (["kind"], "circle"),
    ],
)
def test_forged_cycles_are_rejected(path: list[Any], value: Any) -> None:
    with pytest.raises(Rejected):
        verify(forged(path, value))


def test_another_format_is_no_verdict() -> None:
    with pytest.raises(ValueError, match="format: not soft-certificate/1"):
        verify(forged(["format"], "bound-certificate/1"))


def test_the_checker_stands_alone(tmp_path: Path) -> None:
    source = ROOT / "tabular" / "verify_soft.py"
    good, bad, broken = (tmp_path / name for name in ("good.json", "bad.json", "broken.json"))
    good.write_text(json.dumps(forged(["claim"], "it")))
    bad.write_text(json.dumps(forged(["base"], "4")))
    broken.write_text("{")
    for path, code in ((good, 0), (bad, 1), (broken, 2)):
        command = [sys.executable, "-I", "-S", str(source), str(path)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        assert run.returncode == code
        assert verify_soft.main([str(path)]) == code


@given(st.fractions(-30, 30, max_denominator=50))
def test_the_checkers_exponential(x: F) -> None:
    low, high = verify_soft.exp(x)
    assert low < high
    assert float(high - low) <= 1e-24 * float(high)
    # math.exp is good to an ulp or two
    assert float(low) * (1 - 1e-15) <= np.exp(float(x)) * (1 + 1e-14)
    assert float(high) * (1 + 1e-15) >= np.exp(float(x)) * (1 - 1e-14)
    times = [verify_soft.exp(x)[i] * verify_soft.exp(-x)[i] for i in range(2)]
    assert times[0] <= 1 <= times[1]


@given(st.fractions(1, 1000, max_denominator=50))
def test_the_checkers_logarithm(x: F) -> None:
    low, high = verify_soft.log(x)
    assert verify_soft.exp(low)[0] <= x <= verify_soft.exp(high)[1]
    assert high - low <= F(1, 10**10)


def test_what_users_get_wrong() -> None:
    reward, transition = np.zeros((2, 1, 4)), np.ones((1, 4, 1))
    for alpha in (0.0, -1.0, float("nan")):
        with pytest.raises(InputError, match="alpha"):
            next(simultaneous_iteration(0.5, (2, 2), transition, reward, alpha))
    for rate in (0.0, 1.5):
        with pytest.raises(InputError, match="rate"):
            next(simultaneous_iteration(0.5, (2, 2), transition, reward, 1.0, rate=rate))
    with pytest.raises(InputError, match="gamma"):
        next(simultaneous_iteration(1.0, (2, 2), transition, reward, 1.0))
    with pytest.raises(InputError, match="not whole"):
        power_softmax(exact_array([F(1, 2), 0]), F(3))
    half = exact_array([F(1, 2), F(1, 2)])
    with pytest.raises(InputError, match="fixed point"):
        cycle_certificate(PENNIES, F(3), [half, half], "it")
    start = uniform_start((2, 2), reward)
    assert [u.shape for u in own_values(start, (2, 2))] == [(1, 2), (1, 2)]


# planted mutants


def test_a_wrong_factor_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of β fails on pennies, whose distance shrinks by 1/α near the equilibrium."""
    near = [[0.5 + 1e-6, 0.5 - 1e-6], [0.5 - 1e-6, 0.5 + 1e-6]]
    alpha = 1.25
    first, second = islice(one_state(PENNIES, alpha, near), 2)
    ratio = abs(second[0][0] - 0.5) / abs(first[0][0] - 0.5)
    assert ratio == pytest.approx(soft_q.contraction_factor(2, 0.0, 2.0, alpha), rel=1e-6)
    monkeypatch.setattr(
        all_agents, "softmax", lambda u, a: np.exp(u) / np.exp(u).sum(-1)[..., None]
    )
    _, wrong = islice(one_state(PENNIES, alpha, near), 2)
    assert abs(wrong[0][0] - 0.5) / 1e-6 > 1.05 * ratio
