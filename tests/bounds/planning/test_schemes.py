"""Schemes against fractions, laws that every scheme keeps, and what is missing is named."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bounds.formula.error_profile import ErrorProfile
from bounds.planning.opponent_lengths import allocate, evaluated, paper_rule
from bounds.planning.schemes import ADDED, SCHEMES, SLACK, Known, Lengths
from bounds.shared.numbers import InputError

ERRORS = st.one_of(
    st.just(0.0),
    st.floats(2.0**-40, 1.0),
    st.integers(1, 99).map(lambda n: n / 100),
)
KS = st.integers(1, 60)


def known(
    errors: list[float],
    k: int,
    *,
    shortest: int | None = None,
    calls: int = 0,
    model_sup: float = 0.0,
) -> Known:
    """Errors of the opponents, which are their match rates too."""
    profile = ErrorProfile(
        gamma=0.9,
        policy_shift=(0.03,) * (len(errors) + 1),
        opponent_model=tuple(errors),
        model_sup=model_sup,
        k=k,
    )
    return Known(profile, shortest=shortest, calls=calls, match_rates=tuple(errors))


def chosen(scheme: str, errors: list[float], k: int) -> Lengths:
    return SCHEMES[scheme].choose(known(errors, k))


@given(errors=st.lists(ERRORS, min_size=1, max_size=4), k=KS)
@example(errors=[0.01, 0.07, 0.29], k=29)
@example(errors=[0.0, 0.0], k=5)
@example(errors=[0.0, 0.5], k=5)
def test_the_paper_s_rule_in_fractions(errors: list[float], k: int) -> None:
    """⌊k e/eⱼ⌋ of the decimals that the floats are; an exact model plays throughout."""
    exact = [Fraction(repr(e)) for e in errors]
    due = tuple(k if e == 0 else int(k * min(exact) / e // 1) for e in exact)
    assert chosen("adaptive", errors, k) == Lengths(k, due)


@given(error=ERRORS, k=KS, opponents=st.integers(1, 4))
def test_equal_errors_give_k(error: float, k: int, opponents: int) -> None:
    assert chosen("adaptive", [error] * opponents, k).n == (k,) * opponents


def test_rounding_would_take_one_away() -> None:
    """What the exactness is for: in float64 the quotient of these falls below the whole number."""
    cases = [(k, a, b) for k in range(1, 30) for a in range(1, 20) for b in range(a, 100)]
    off = [(k, a, b) for k, a, b in cases if int(k * (a / 100 / (b / 100))) != k * a // b]
    assert off
    for k, a, b in off[:50]:
        assert chosen("adaptive", [a / 100, b / 100], k).n == (k, k * a // b)


@given(
    errors=st.lists(ERRORS, min_size=1, max_size=3),
    k=st.integers(1, 12),
    scheme=st.sampled_from(sorted(SCHEMES)),
    calls=st.integers(0, 9),
)
def test_lengths_are_0_to_k(errors: list[float], k: int, scheme: str, calls: int) -> None:
    found = SCHEMES[scheme].choose(known(errors, k, shortest=1, calls=calls))
    assert 1 <= found.k <= k
    assert len(found.n) == len(errors)
    assert all(0 <= n <= found.k for n in found.n)
    assert found.calls == sum(found.k - n for n in found.n)
    assert scheme == "planned" or found.k == k


@given(errors=st.lists(ERRORS, min_size=2, max_size=4), k=KS)
def test_a_more_accurate_model_plays_no_shorter(errors: list[float], k: int) -> None:
    pairs = sorted(zip(errors, chosen("adaptive", errors, k).n, strict=True))
    lengths = [n for _, n in sorted(pairs, key=lambda pair: (pair[0], -pair[1]))]
    assert lengths == sorted(lengths, reverse=True)


def test_models_throughout_or_never() -> None:
    assert chosen("all-models", [0.1, 0.5], 4) == Lengths(4, (4, 4))
    assert chosen("all-real", [0.1, 0.5], 4) == Lengths(4, (0, 0))


@given(rates=st.lists(st.integers(0, 1000).map(lambda n: n / 1000), min_size=1, max_size=4), k=KS)
def test_released_ratios_in_fractions(rates: list[float], k: int) -> None:
    """max(⌊k m/max m⌋ − 1, 0): the best matched model plays k − 1 steps."""
    exact = [Fraction(r) + ADDED for r in rates]
    due = tuple(max(int(k * r // max(exact)) - 1, 0) for r in exact)
    found = chosen("released", rates, k)
    assert found == Lengths(k, due)
    assert max(found.n) == k - 1


def test_the_released_ratio_hardly_tells_errors_apart() -> None:
    """Errors 0.01 and 0.02: the paper gives half the length, the released code nearly all of it."""
    assert chosen("adaptive", [0.01, 0.02], 10).n == (10, 5)
    assert chosen("released", [0.99, 0.98], 10).n == (9, 8)


@given(
    errors=st.lists(st.integers(0, 40).map(lambda n: n / 100), min_size=1, max_size=3),
    calls=st.integers(0, 12),
    k=st.integers(1, 6),
    shortest=st.integers(1, 6),
)
def test_the_planner_s_choice(errors: list[float], calls: int, k: int, shortest: int) -> None:
    """Within its calls and lengths; its bound is within the slack, and no shorter k's is."""
    shortest = min(shortest, k)
    given_ = known(errors, k, shortest=shortest, calls=calls, model_sup=0.01)
    found = SCHEMES["planned"].choose(given_)
    profile = given_.errors
    at = {each: allocate(profile.with_(k=each), calls) for each in range(shortest, k + 1)}
    least = min(each.value for each in at.values())
    assert found.calls <= calls
    assert found.n == at[found.k].n
    assert evaluated(profile.with_(k=found.k), found.n).value <= (1 + SLACK) * least
    assert all(at[each].value > (1 + SLACK) * least for each in range(shortest, found.k))


def test_at_equal_k_the_planner_beats_the_paper_s_rule() -> None:
    """Errors 0.1, 0.2, 0.4 and k = 10: 13 calls both, and the planner's bound is lower."""
    errors = [0.1, 0.2, 0.4]
    rule = chosen("adaptive", errors, 10)
    assert rule.n == paper_rule(10, tuple(errors)) == (10, 5, 2)
    planned = SCHEMES["planned"].choose(known(errors, 10, calls=rule.calls, model_sup=0.01))
    assert planned.k == 10
    profile = known(errors, 10, model_sup=0.01).errors
    assert evaluated(profile, planned.n).value < evaluated(profile, rule.n).value


def test_a_bound_that_says_nothing_gives_the_shortest() -> None:
    """Deterministic dynamics: ε_sup is 1."""
    given_ = known([0.1, 0.2], 5, shortest=1, calls=4, model_sup=1.0)
    assert SCHEMES["planned"].choose(given_).k == 1


def test_what_a_scheme_needs_is_named() -> None:
    errors = known([0.1], 3).errors
    with pytest.raises(InputError, match=r"^match_rates: not given"):
        SCHEMES["released"].choose(Known(errors))
    for scheme in SCHEMES.values():
        with pytest.raises(InputError, match=r"^k: not given, and a scheme needs it"):
            scheme.choose(Known(errors.with_(k=None), match_rates=(0.5,)))
    with pytest.raises(InputError, match=r"^shortest: 4 is not"):
        SCHEMES["planned"].choose(Known(errors, shortest=4))
    with pytest.raises(InputError, match=r"^model_sup: not given"):
        SCHEMES["planned"].choose(Known(errors.with_(model_sup=None)))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_table_says_what_schemes_ask_for(scheme: str) -> None:
    """What an entry does not ask for changes nothing: match rates, policy shifts, a budget."""
    entry, bare = SCHEMES[scheme], Known(known([0.2, 0.4], 6).errors)
    if not entry.match_rates:
        assert entry.choose(bare) == entry.choose(Known(bare.errors, match_rates=(0.9, 0.1)))
    if not (entry.match_rates or entry.policy_shift):
        moved = Known(bare.errors.with_(policy_shift=(0.9,) * 3), calls=5)
        assert entry.choose(bare) == entry.choose(moved)


def test_the_paper_compares_three() -> None:
    published = [name for name, scheme in SCHEMES.items() if scheme.published]
    assert published == ["adaptive", "all-models", "all-real"]
