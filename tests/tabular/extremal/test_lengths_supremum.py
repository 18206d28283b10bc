"""Opponent-wise lengths: no game exceeds the upper value, and a game comes close to it."""

from dataclasses import replace
from fractions import Fraction as F
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bounds.formula.error_profile import ErrorProfile
from bounds.library.published import find
from bounds.shared.numbers import InputError
from tabular.cases.case import Case
from tabular.cases.errors import measure
from tabular.cases.returns import branched_return, real_return
from tabular.cases.strategies import cases
from tabular.extremal import lengths_supremum, lengths_upper_bound
from tabular.extremal.ages import ages, oldest_age
from tabular.extremal.lengths_supremum import DENOMINATOR, supremum
from tabular.extremal.lengths_upper_bound import Setting, upper

#: γ, ε_π̂, nⱼ, ε′_m, k, H
GAP = Setting(F(1, 2), (F(1, 2),), (1,), F(1, 4), 2, 10)


def bound(setting: Setting) -> F:
    """coupling-expected, as a multiple of the span."""
    profile = ErrorProfile(
        gamma=setting.gamma,
        policy_shift=(F(0),) * (1 + len(setting.opponent_model)),
        opponent_model=setting.opponent_model,
        model_current=setting.model_error,
        k=setting.k,
        opponent_lengths=setting.opponent_lengths,
    )
    value: F = find("coupling-expected", "branched").evaluate(profile) / 2
    return value


def slack(setting: Setting) -> F:
    """What the module says about the gap: times after H, and rounding to 1/DENOMINATOR.

    A price that is off by 1/DENOMINATOR costs at most that, an error probability too (the mass that
    it does not reach is together for at most k rewards); floats are much closer.
    """
    tail = F(setting.gamma) ** (setting.horizon + 1) / (1 - F(setting.gamma))
    return tail + F(setting.horizon * (setting.k + 2), DENOMINATOR)


@st.composite
def settings(draw: st.DrawFn) -> Setting:
    n, k = draw(st.integers(1, 2)), draw(st.integers(0, 3))
    errors = st.fractions(0, 1, max_denominator=6)
    return Setting(
        draw(st.sampled_from([F(0), F(1, 2), F(2, 3)])),
        tuple(draw(st.lists(errors, min_size=n, max_size=n))),
        tuple(draw(st.lists(st.integers(0, k), min_size=n, max_size=n))),
        draw(errors),
        k,
        draw(st.integers(1, 6)),
    )


@given(settings())
@example(GAP)
@example(Setting(F(1, 2), (F(1, 4), F(1, 3)), (1, 2), F(1, 10), 3, 8))
def test_the_two_sides_meet(setting: Setting) -> None:
    found = supremum(setting)
    assert measure(found.game).current.upper <= setting.model_error
    assert found.lower <= bound(setting)
    assert found.lower <= found.upper <= found.lower + slack(setting)


@given(settings(), st.data())
def test_the_upper_value_is_one_for_any_prices(setting: Setting, data: st.DataObject) -> None:
    prices = data.draw(
        st.lists(
            st.fractions(0, 1, max_denominator=4),
            min_size=setting.horizon,
            max_size=setting.horizon,
        )
    )
    case = ages(
        setting.gamma,
        setting.opponent_model,
        setting.model_error,
        branch_length=setting.k,
        opponent_lengths=setting.opponent_lengths,
    )
    assert (real_return(case) - branched_return(case)) / 2 <= upper(setting, prices)


@given(cases(branched=True), st.fractions(0, 1, max_denominator=4))
def test_no_game_exceeds_the_upper_value(case: Case, price: F) -> None:
    k = min(case.branch_length or 0, 3)
    short = tuple(None if j == case.ego else min(x, k) for j, x in enumerate(case.lengths()))
    case = replace(case, data_policies=case.policies, branch_length=k, opponent_lengths=short)
    errors = measure(case)
    setting = Setting(
        case.gamma,
        tuple(errors.opponent_model[j] for j in case.opponents),
        tuple(case.lengths()[j] for j in case.opponents),
        errors.current.upper,
        k,
        4,
    )
    gap = abs(real_return(case) - branched_return(case))
    assert gap <= errors.span * upper(setting, [price] * 4)


def test_where_no_game_attains_the_bound() -> None:
    """γ = 1/2, ε_π̂ = 1/2 for one of two steps, ε′_m = 1/4: the bound loses everything at t ≥ 2."""
    found = supremum(GAP)
    assert bound(GAP) == F(11, 8)
    assert found.upper < bound(GAP)
    # and the game of ages, which is not made for this, stays below what can be had
    case = ages(F(1, 2), [F(1, 2)], F(1, 4), branch_length=2, opponent_lengths=[1])
    assert oldest_age([F(1, 2)], F(1, 4), branch_length=2, opponent_lengths=[1]) == 1
    assert (real_return(case) - branched_return(case)) / 2 < found.lower


def test_equal_lengths_give_the_bound() -> None:
    setting = Setting(F(1, 2), (F(1, 3), F(1, 6)), (2, 2), F(1, 10), 2, 10)
    found = supremum(setting)
    assert found.lower <= bound(setting) <= found.upper <= bound(setting) + slack(setting)


def test_prices_decide() -> None:
    """Without prices the upper value knows nothing of ε′_m."""
    free = upper(GAP, [F(0)] * GAP.horizon)
    assert free > bound(GAP)
    assert upper(GAP, supremum(GAP).prices) < free


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"gamma": F(1)}, "gamma"),
        ({"model_error": 0.5}, "model_error"),
        ({"k": -1}, "k: -1"),
        ({"horizon": 0}, "horizon"),
        ({"opponent_lengths": (3,)}, r"opponent_lengths\[0\]"),
        ({"opponent_lengths": ()}, "opponent_lengths: 0"),
    ],
)
def test_settings_that_cannot_be(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        replace(GAP, **change)


def test_prices_that_cannot_be() -> None:
    for prices in ([F(0)], [F(-1)] * GAP.horizon):
        with pytest.raises(InputError, match="prices"):
            lengths_upper_bound.upper(GAP, prices)


def test_too_large_a_programme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lengths_supremum, "MAX_MASSES", 10)
    with pytest.raises(InputError, match="horizon"):
        supremum(GAP)
