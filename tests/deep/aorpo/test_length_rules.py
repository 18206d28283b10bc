"""Lengths against fractions, laws that every scheme keeps, and the schedules of k."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from bounds.formula.error_profile import ErrorProfile
from bounds.planning.opponent_lengths import allocate, evaluated, paper_rule
from bounds.shared.numbers import InputError
from deep.aorpo.length_rules import (
    ADDED,
    adaptive,
    all_models,
    all_real,
    constant,
    linear,
    one_less,
    planned,
    released_match_rates,
    released_recursion,
)

ERRORS = st.one_of(
    st.just(0.0),
    st.floats(2.0**-40, 1.0),
    st.integers(1, 99).map(lambda n: n / 100),
)
KS = st.integers(1, 60)
SCHEMES = (adaptive, all_models, all_real, released_match_rates)


def table(errors: list[float], agents: int) -> Tensor:
    """One run; every agent has its n − 1 errors in order, turned by its number."""
    out = torch.full((1, agents, agents), torch.nan, dtype=torch.float64)
    for i in range(agents):
        others = [j for j in range(agents) if j != i]
        out[0, i, others] = torch.tensor(errors[i:] + errors[:i], dtype=torch.float64)
    return out


def rows(lengths: Tensor) -> list[list[int]]:
    """The lengths of each agent's opponents, in order."""
    agents = lengths.shape[1]
    return [[int(lengths[0, i, j]) for j in range(agents) if j != i] for i in range(agents)]


def turned(errors: list[float]) -> list[list[float]]:
    return [errors[i:] + errors[:i] for i in range(len(errors) + 1)]


@given(errors=st.lists(ERRORS, min_size=1, max_size=4), k=KS)
@example(errors=[0.1, 0.3], k=3)
@example(errors=[0.1, 0.7], k=7)
@example(errors=[0.01, 0.07, 0.29], k=29)
@example(errors=[0.0, 0.0], k=5)
@example(errors=[0.0, 0.5], k=5)
def test_adaptive_is_the_paper_s_rule_in_fractions(errors: list[float], k: int) -> None:
    found = adaptive(table(errors, len(errors) + 1), k)
    assert found.dtype == torch.int64
    for own, lengths in zip(turned(errors), rows(found), strict=True):
        exact = [Fraction(repr(e)) for e in own]
        least = min(exact)
        expected = [k if e == 0 else k * least // e for e in exact]
        assert lengths == expected


@given(error=st.floats(2.0**-1000, 1.0), k=KS, agents=st.integers(2, 5))
def test_equal_errors_give_k(error: float, k: int, agents: int) -> None:
    """⌊k e/e⌋ is k whatever rounding does; so is the most accurate opponent's length."""
    assert bool((adaptive(table([error] * (agents - 1), agents), k) == k).all())
    single = torch.full((1, agents, agents), error, dtype=torch.float32)
    assert bool((adaptive(single, k) == k).all())


def test_rounding_would_take_one_away() -> None:
    """What the exactness is for: in float64 the quotient of these falls below the whole number."""
    cases = [(k, a, b) for k in range(1, 30) for a in range(1, 20) for b in range(1, 100)]
    off = [
        (k, a, b) for k, a, b in cases if int(k * (a / 100 / (b / 100))) != min(k * a // b, 10**6)
    ]
    assert off
    for k, a, b in off[:50]:
        if a <= b:
            assert rows(adaptive(table([a / 100, b / 100], 3), k))[0][1] == k * a // b


@given(errors=st.lists(ERRORS, min_size=1, max_size=4), k=KS, scheme=st.sampled_from(SCHEMES))
def test_lengths_are_0_to_k_and_an_agent_s_own_is_k(
    errors: list[float], k: int, scheme: object
) -> None:
    found = scheme(table(errors, len(errors) + 1), k)  # type: ignore[operator]
    assert bool(((found >= 0) & (found <= k)).all())
    assert bool((found.diagonal(dim1=1, dim2=2) == k).all())
    shorter = one_less(found)
    assert bool((shorter.diagonal(dim1=1, dim2=2) == k).all())
    assert [[max(n - 1, 0) for n in each] for each in rows(found)] == rows(shorter)


@given(errors=st.lists(ERRORS, min_size=2, max_size=4), k=KS)
def test_a_more_accurate_model_plays_no_shorter(errors: list[float], k: int) -> None:
    for own, lengths in zip(
        turned(errors), rows(adaptive(table(errors, len(errors) + 1), k)), strict=True
    ):
        ordered = sorted(zip(own, lengths, strict=True), key=lambda pair: (pair[0], -pair[1]))
        assert [n for _, n in ordered] == sorted(lengths, reverse=True)


def test_models_throughout_or_never() -> None:
    errors = torch.zeros(2, 3, 3)
    assert bool((all_models(errors, 4) == 4).all())
    real = all_real(errors, 4)
    assert torch.equal(real, 4 * torch.eye(3, dtype=torch.int64).expand(2, -1, -1))


def test_k_of_each_ego_agent() -> None:
    errors = torch.full((2, 2, 2), 0.1)
    errors[0, 0, 1] = 0.2
    k = torch.tensor([[3, 4], [5, 6]])
    for found in (adaptive(errors, k), all_models(errors, k)):
        assert torch.equal(found, k.unsqueeze(-1).expand(-1, -1, 2))
    assert torch.equal(all_real(errors, k).diagonal(dim1=1, dim2=2), k)


@given(
    rates=st.lists(st.integers(0, 1000).map(lambda n: n / 1000), min_size=1, max_size=4),
    k=KS,
    power=st.integers(1, 2),
)
def test_released_ratios_in_fractions(rates: list[float], k: int, power: int) -> None:
    found = rows(released_match_rates(table(rates, len(rates) + 1), k, power))
    for own, lengths in zip(turned(rates), found, strict=True):
        exact = [Fraction(r) + ADDED for r in own]
        assert lengths == [int(k * r**power // max(exact) ** power) for r in exact]
        assert max(lengths) == k


def test_the_released_ratio_hardly_tells_errors_apart() -> None:
    """Errors 0.01 and 0.02: the paper gives half the length, the released code nearly all of it."""
    errors = table([0.01, 0.02], 3)
    assert rows(adaptive(errors, 10))[0] == [10, 5]
    assert rows(released_match_rates(1 - errors, 10))[0] == [10, 9]
    assert rows(released_match_rates(1 - errors, 10, power=2))[0] == [10, 9]
    assert rows(one_less(released_match_rates(1 - errors, 10)))[0] == [9, 8]


def planning(errors: list[float], calls: int, most: int, model: float = 0.01) -> tuple[Tensor, ...]:
    agents = len(errors) + 1
    found = planned(
        table(errors, agents),
        torch.full((1, agents), 0.03),
        torch.full((1, agents), model),
        0.9,
        calls,
        most,
    )
    return found.k, found.lengths, found.value


@given(
    errors=st.lists(st.integers(0, 40).map(lambda n: n / 100), min_size=1, max_size=3),
    calls=st.integers(0, 12),
    most=st.integers(1, 6),
)
def test_the_planner_s_choice(errors: list[float], calls: int, most: int) -> None:
    """Within its calls, its value is the bound there, and no shorter k is as good."""
    ks, lengths, values = planning(errors, calls, most)
    for i, own in enumerate(turned(errors)):
        k, n = int(ks[0, i]), tuple(rows(lengths)[i])
        profile = ErrorProfile(
            gamma=0.9,
            policy_shift=(float(torch.tensor(0.03)),) * (len(own) + 1),
            opponent_model=tuple(own),
            model_sup=float(torch.tensor(0.01)),
        )
        assert sum(k - each for each in n) <= calls
        assert evaluated(profile.with_(k=k), n).value == float(values[0, i])
        assert int(lengths[0, i, i]) == k
        at = [allocate(profile.with_(k=each), calls).value for each in range(1, most + 1)]
        assert at[k - 1] <= 1.01 * min(at)
        assert all(value > 1.01 * min(at) for value in at[: k - 1])


def test_the_planner_beats_the_paper_s_rule_at_as_many_calls() -> None:
    """Errors 0.1, 0.2, 0.4 and k = 10: 13 calls both, and the planner's bound is lower."""
    errors = (0.1, 0.2, 0.4)
    profile = ErrorProfile(
        gamma=0.95, policy_shift=(0.02,) * 4, opponent_model=errors, model_sup=0.01, k=10
    )
    rule = paper_rule(10, errors)
    assert rows(adaptive(table(list(errors), 4), 10))[0] == list(rule) == [10, 5, 2]
    assert allocate(profile, 13).value < evaluated(profile, rule).value


def test_a_bound_that_says_nothing_gives_k_1() -> None:
    """Deterministic dynamics: ε_sup is 1."""
    ks, _, values = planning([0.1, 0.2], calls=4, most=5, model=1.0)
    assert bool((ks == 1).all())
    assert bool((values > 0.85).all())


@given(start=st.integers(0, 20), more=st.integers(1, 40), k=st.integers(1, 30))
def test_the_linear_schedule(start: int, more: int, k: int) -> None:
    end = start + more
    each = [linear(epoch, start, end, k) for epoch in range(end + 5)]
    assert each[: start + 1] == [1] * (start + 1)
    assert each[end:] == [k] * 5
    assert each == sorted(each)
    exact = [1 + Fraction((k - 1) * (epoch - start), more) for epoch in range(start, end)]
    assert each[start:end] == [int(x // 1) for x in exact]


@given(
    current=st.integers(1, 15),
    epoch=st.integers(0, 60),
    start=st.integers(0, 20),
    more=st.integers(1, 40),
)
def test_the_released_recursion(current: int, epoch: int, start: int, more: int) -> None:
    k = 15
    exact = current + Fraction(epoch - start, more) * (k - current)
    expected = int(min(k, max(current, exact)) // 1)
    assert released_recursion(current, epoch, start, start + more, k) == expected
    assert constant(epoch, k) == k


def test_the_recursion_outruns_the_line() -> None:
    """Cooperative navigation's k = 15, A = 5, B = 25: 75 rounds an epoch (7,500 steps)."""
    k, grown = 1, {}
    for epoch in range(30):
        for _ in range(75):
            k = released_recursion(k, epoch, 5, 25, 15)
        grown[epoch] = k
    assert [grown[e] for e in (5, 6, 7, 15, 25)] == [1, 1, 6, 14, 15]
    assert [linear(e, 5, 25, 15) for e in (5, 6, 7, 15, 25)] == [1, 1, 2, 8, 15]


@pytest.mark.parametrize("bad", [-0.1, float("nan"), float("inf")])
def test_errors_that_are_none(bad: float) -> None:
    errors = torch.full((1, 2, 2), 0.1)
    errors[0, 1, 0] = bad
    with pytest.raises(InputError, match=r"errors\[0\]\[1\]\[0\]"):
        adaptive(errors, 3)
    with pytest.raises(InputError, match=r"errors\[0\]\[1\]\[0\]"):
        planned(errors, torch.zeros(1, 2), torch.zeros(1, 2), 0.9, 2, 3)


def test_lengths_that_are_none() -> None:
    errors = torch.full((1, 2, 2), 0.1)
    for call in (
        lambda: adaptive(errors, 0),
        lambda: constant(0, 0),
        lambda: linear(1, 5, 5, 3),
        lambda: released_recursion(0, 1, 1, 2, 3),
        lambda: released_match_rates(errors, 3, 0),
    ):
        with pytest.raises(InputError):
            call()
