"""The coupling bounds: closed forms against the recursion summed term by term, and their laws.

The recursion is that of the theory: real and model chain run side by side, x_t is the mass that is
still together at time t, and the discrepancy is at most span · Σ_t γᵗ (1 − c x_t). Here it is
summed literally, and what is cut off lies between proved limits.
"""

import math
from fractions import Fraction
from itertools import product
from math import prod
from types import SimpleNamespace
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from bounds.formula.error_profile import ErrorProfile
from bounds.library import coupled_mass, lost_mass
from bounds.library.published import find
from bounds.shared.numbers import InputError
from tests.support.coupling_recursion import (
    CLASHES,
    FORMS,
    SMALL,
    check_below_printed,
    check_decay,
    check_recursion,
    check_sup_formula,
    limits,
    value_of,
)
from tests.support.profiles import DISCOUNTS, ERRORS, FEW, UNIT, profiles

EVERY = [pytest.param(name, about, id=f"{name}-{about}") for name, about in FORMS]
BRANCHED = [name for name, about in FORMS if about == "branched"]


# The recursion


@pytest.mark.parametrize(("name", "about"), EVERY)
@given(p=SMALL)
def test_the_closed_form_is_the_recursion(name: str, about: str, p: ErrorProfile) -> None:
    check_recursion(value_of(name, about), name, about, p)


@pytest.mark.parametrize(("name", "about"), EVERY)
@FEW
@given(p=SMALL)
def test_the_closed_form_is_the_recursion_at_long_horizons(
    name: str, about: str, p: ErrorProfile
) -> None:
    # 0.9^130 / (1 − 0.9) < 2e-5 of span is left open
    p = p.with_(gamma=Fraction(9, 10))
    check_recursion(value_of(name, about), name, about, p, terms=130)


def corner_profiles() -> list[ErrorProfile]:
    """Every corner of the box: ε ∈ {0, 1}, γ = 0, k = 0, q ∈ {0, 1}, and something in between."""
    corners = []
    for gamma in (Fraction(0), Fraction(1, 2)):
        for shift in (Fraction(0), Fraction(1, 4), Fraction(1)):
            for hat in (Fraction(0), Fraction(1, 4), Fraction(1)):
                for model in (Fraction(0), Fraction(1, 4), Fraction(1)):
                    for k, lengths in ((0, None), (3, None), (3, (0, 3)), (3, (2, 1)), (3, (0, 0))):
                        corners.append(
                            ErrorProfile(
                                gamma,
                                (shift, shift, Fraction(0)),
                                (hat, Fraction(1, 3)),
                                model_data=model,
                                model_current=model,
                                model_sup=model,
                                k=k,
                                opponent_lengths=lengths,
                            )
                        )
    return corners


@pytest.mark.parametrize(("name", "about"), EVERY)
def test_the_closed_form_is_the_recursion_in_every_corner(name: str, about: str) -> None:
    for p in corner_profiles():
        check_recursion(value_of(name, about), name, about, p, terms=30)


@pytest.mark.parametrize("p", CLASHES, ids=range(len(CLASHES)))
def test_opponents_whose_errors_exceed_one(p: ErrorProfile) -> None:
    check_recursion(value_of("coupling-data", "model"), "coupling-data", "model", p)


#: Errors of extreme sizes: the closed form must settle where the mass is used up all the same.
EXTREMES = [
    Fraction(0),
    Fraction(1, 10**400),
    Fraction(1, 10**20),
    Fraction(1, 10),
    1 - Fraction(1, 10**20),
    1 - Fraction(1, 10**400),
    Fraction(1),
]


@pytest.mark.parametrize("model", EXTREMES, ids=["0", "tiny", "small", ".1", "large", "most", "1"])
@pytest.mark.parametrize(("name", "about"), EVERY)
def test_exact_numbers_of_any_size_are_summed_exactly(
    name: str, about: str, model: Fraction, monkeypatch: pytest.MonkeyPatch
) -> None:
    # fewer steps, to be quick; with this γ they leave less open (10⁻¹²⁰) than the literal sum
    monkeypatch.setattr(coupled_mass, "MAX_STEPS", 20)
    for shift, hat in product(EXTREMES, repeat=2):
        p = ErrorProfile(
            Fraction(1, 10**6),
            (shift, Fraction(0)),
            (hat,),
            model_data=model,
            model_current=model,
            model_sup=model,
            k=2,
        )
        check_recursion(value_of(name, about), name, about, p, terms=10)


@pytest.mark.parametrize(("name", "about"), EVERY)
@given(p=profiles(most_steps=6))
def test_floats_are_the_recursion_too(name: str, about: str, p: ErrorProfile) -> None:
    p = p.with_(gamma=float(p.gamma))
    low, high = limits(name, about, p, 30 if p.gamma < 0.5 else round(36 / (1 - p.gamma)))
    # Closed form: 1 − γ, 1 − γc and c carry one UNIT each and are divided by, which amplifies by at
    # most 1/(1−γ); a sum of three such terms, on the scale of span/(1−γ). Recursion: x_t carries
    # 2 UNIT a step, and Σγᵗ 2t ≤ 2/(1−γ)². Together below 40 UNIT/(1−γ) of the trivial bound.
    close = 40 * UNIT / (1 - p.gamma) * p.span / (1 - p.gamma)
    assert low - close <= value_of(name, about)(p) <= high + close


#: Errors of at most ``size`` at horizons that can be summed literally.
SCALED = profiles(discounts=[Fraction(g) for g in ("0", "1/2", "9/10", "19/20")], most_steps=12)
#: These sums are long: what fails is shown as it was found.
UNSHRUNK = settings(FEW, phases=[Phase.explicit, Phase.reuse, Phase.generate])
#: From errors below the rounding of 1 − ε to large ones.
TINY = [1e-18, 1e-15, 1e-12, 1e-9, 1e-6, 1e-3]


def precise(name: str, about: str, p: ErrorProfile) -> Any:
    """The literal sum in 60 digits, up to γᵗ < 1e-40."""
    numbers = {
        field: tuple(map(in_60_digits, value)) if isinstance(value, tuple) else in_60_digits(value)
        for field, value in vars(p).items()
        if field not in ("k", "opponent_lengths", "joint_policy_shift")
    }
    q: Any = SimpleNamespace(**numbers, k=p.k, opponent_lengths=p.opponent_lengths, n=p.n)
    with mpmath.workdps(60):
        terms = p.k + 1 + (round(92 / -math.log(p.gamma)) if p.gamma > 0 else 1)
        low, high = limits(name, about, q, terms)
        return (low + high) / 2


def in_60_digits(x: Any) -> Any:
    with mpmath.workdps(60):
        exact = Fraction(x)
        return mpmath.mpf(exact.numerator) / exact.denominator


@pytest.mark.parametrize(("name", "about"), EVERY)
@UNSHRUNK
@given(p=SCALED, size=st.sampled_from(TINY))
def test_floats_keep_their_relative_precision(
    name: str, about: str, p: ErrorProfile, size: float
) -> None:
    floats, _ = scaled(p, size)
    true = precise(name, about, floats)
    # as in test_lost_mass; the literal sum leaves 1e-40 of the trivial bound open
    assert abs(value_of(name, about)(floats) - true) <= 10 * UNIT * true + 1e-38 * floats.span


@pytest.mark.parametrize(("name", "about"), EVERY)
@UNSHRUNK
@given(p=SCALED, size=st.sampled_from(TINY))
def test_exact_numbers_with_many_digits_are_summed_as_well_as_floats(
    name: str, about: str, p: ErrorProfile, size: float
) -> None:
    floats, exact = scaled(p, size)
    true = precise(name, about, floats)
    found = in_60_digits(value_of(name, about)(exact))
    # nine digits again; the literal sum leaves 1e-40 of the trivial bound open
    assert abs(found - true) <= 1e-9 * true + 1e-38 * floats.span


def scaled(p: ErrorProfile, size: float) -> tuple[ErrorProfile, ErrorProfile]:
    """``p`` with errors of at most ``size``: in floats, and the same binary numbers exactly."""

    def small(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(size * float(v) for v in values)

    shift, hat = small(p.policy_shift), small(p.opponent_model)
    data, current, sup = small((p.model_data, p.model_current, p.model_sup))
    numbers = {"model_data": data, "model_current": current, "model_sup": sup}
    gamma, r_max, span = float(p.gamma), float(p.r_max), float(p.span)
    floats = p.with_(
        gamma=gamma,
        policy_shift=shift,
        opponent_model=hat,
        r_max=r_max,
        span=span,
        joint_policy_shift=None,
        **numbers,
    )
    exact = p.with_(
        gamma=Fraction(gamma),
        policy_shift=tuple(map(Fraction, shift)),
        opponent_model=tuple(map(Fraction, hat)),
        r_max=Fraction(r_max),
        span=Fraction(span),
        joint_policy_shift=None,
        **{name: Fraction(v) for name, v in numbers.items()},
    )
    return floats, exact


# The sums that everything rests on


@given(ERRORS, ERRORS, ERRORS, DISCOUNTS, st.integers(0, 30))
def test_decay_sums_the_recursion(
    x: Fraction, c: Fraction, loss: Fraction, gamma: Fraction, length: int
) -> None:
    check_decay(coupled_mass.decay, x, c, loss, gamma, length)


@given(ERRORS, ERRORS, ERRORS, DISCOUNTS, st.integers(0, 30))
def test_what_is_lost_in_floats_and_arrays(
    y: Fraction, gap: Fraction, loss: Fraction, gamma: Fraction, length: int
) -> None:
    # exact at the same binary numbers; the tolerance is that of the closed forms above
    given_ = tuple(map(float, (y, gap, loss, gamma)))
    total, mass = lost_mass.lost(*map(Fraction, given_), length)
    close = 40 * UNIT / (1 - given_[3]) ** 2
    for arguments in (
        given_,
        tuple(np.full(3, v) for v in given_),
        (*given_[:3], np.array(given_[3])),
    ):
        a, b = lost_mass.lost(*arguments, np.array([length]) if length % 2 else length)
        assert np.all(np.abs(np.asarray(a, float) - float(total)) <= close)
        assert np.all(np.abs(np.asarray(b, float) - float(mass)) <= close)


@given(ERRORS, ERRORS, ERRORS, DISCOUNTS)
def test_decay_without_end_is_the_limit(
    x: Fraction, c: Fraction, loss: Fraction, gamma: Fraction
) -> None:
    total, rest = coupled_mass.decay(x, c, loss, gamma, math.inf)
    some, mass = coupled_mass.decay(x, c, loss, gamma, 40)
    # from t = 40 on x_t lies between 0 and x_40; where it is not exact it is too small
    below = 1 / (2**61 * (1 - gamma))
    assert some - below <= total <= some + gamma**40 * mass / (1 - gamma)
    assert rest in (0, x)


# The closed form as a formula


@pytest.mark.parametrize("about", ["model", "branched"])
@given(p=profiles(most_steps=20))
def test_the_formula_of_coupling_sup_is_its_value(about: str, p: ErrorProfile) -> None:
    check_sup_formula(find("coupling-sup", about), p)


def test_sums_over_a_recursion_have_no_formula() -> None:
    for name, about in FORMS[2:]:
        bound = find(name, about)
        assert bound.symbols == ()
        with pytest.raises(InputError, match="not one expression"):
            _ = bound.expression


# Laws


@pytest.mark.parametrize(("name", "about"), EVERY)
@given(p=profiles())
def test_never_negative_never_more_than_the_trivial_bound(
    name: str, about: str, p: ErrorProfile
) -> None:
    assert 0 <= value_of(name, about)(p) <= p.span / (1 - p.gamma)


@pytest.mark.parametrize(("name", "about"), EVERY)
@given(p=profiles())
def test_floats_are_never_negative_nor_above_the_trivial_bound(
    name: str, about: str, p: ErrorProfile
) -> None:
    p = p.with_(gamma=float(p.gamma))
    trivial = p.span / (1 - p.gamma)
    # 40 UNIT/(1−γ) of the trivial bound, as above; below 0 rounding is cut off
    close = 40 * UNIT / (1 - p.gamma) * trivial
    assert 0 <= value_of(name, about)(p) <= trivial + close


@pytest.mark.parametrize("name", BRANCHED)
@given(p=profiles(most_steps=4), more=st.integers(0, 30))
def test_long_branches_tend_to_no_branches(name: str, p: ErrorProfile, more: int) -> None:
    k = p.k + more
    p = p.with_(k=k, opponent_lengths=None)
    branched, model = value_of(name, "branched")(p), value_of(name, "model")(p)
    # the terms t ≤ k are the same, the later ones lie between 0 and γᵗ
    assert abs(branched - model) <= p.span * p.gamma ** (k + 1) / (1 - p.gamma)
    if prod(1 - e for e in p.policy_shift) == 0:
        assert branched >= model  # nothing is together at the branch point once it has moved


@pytest.mark.parametrize("name", BRANCHED)
@given(p=profiles())
def test_equal_lengths_are_the_plain_bound(name: str, p: ErrorProfile) -> None:
    value = value_of(name, "branched")
    plain = value(p.with_(opponent_lengths=None))
    assert value(p.with_(opponent_lengths=(p.k,) * (p.n - 1))) == plain
    real = p.with_(opponent_lengths=(0,) * (p.n - 1))
    if p.k > 0:  # at k = 0 a length of 0 is k: the model acts in the last state
        without = p.with_(opponent_model=(0,) * (p.n - 1), opponent_lengths=None)
        assert value(real) == value(without)
    else:
        assert value(real) == plain


@pytest.mark.parametrize("name", BRANCHED)
@given(p=profiles(), place=st.integers(0, 9))
def test_longer_use_of_an_opponent_model_never_costs_less(
    name: str, p: ErrorProfile, place: int
) -> None:
    lengths = list(p.opponent_lengths or (0,) * (p.n - 1))
    if not lengths:
        return
    value = value_of(name, "branched")
    j = place % len(lengths)
    before = value(p.with_(opponent_lengths=tuple(lengths)))
    lengths[j] = min(lengths[j] + 1, p.k)
    assert value(p.with_(opponent_lengths=tuple(lengths))) >= before


@given(profiles(), ERRORS)
def test_the_forms_are_ordered(p: ErrorProfile, error: Fraction) -> None:
    """With one ε for all model errors: sup ≤ expected, and expected ≤ data.

    x ← c(1 − ε)x is at least x ← cx − ε where x ≤ 1; and κ ≤ c̄, with equality without shifts.
    """
    p = p.with_(model_data=error, model_current=error, model_sup=error)
    for about in ("model", "branched"):
        assert value_of("coupling-sup", about)(p) <= value_of("coupling-expected", about)(p)
    assert value_of("coupling-expected", "model")(p) <= value_of("coupling-data", "model")(p)
    still = p.with_(policy_shift=(0,) * p.n)
    model = value_of("coupling-expected", "model")(still)
    assert model == value_of("coupling-data", "model")(still)


@given(profiles(), st.integers(0, 9))
def test_without_shift_or_model_error_other_symbols_do_not_matter(
    p: ErrorProfile, other: int
) -> None:
    """The model return does not know k, nor (sup, expected) the shift of policies."""
    for name in BRANCHED:
        changed = p.with_(k=other, opponent_lengths=None, policy_shift=(Fraction(1, 3),) * p.n)
        assert value_of(name, "model")(changed) == value_of(name, "model")(p)


@given(profiles())
def test_coupling_is_never_above_the_published_bounds(p: ErrorProfile) -> None:
    check_below_printed(value_of, p)


# Numbers of the theory


def test_the_tempting_form_is_false() -> None:
    """γ = 9/10, ε_π̂ = 1/10, ε′_m = 1/20, span 2: the lanes game loses 13.36, not 12.52.

    The bound of the model return is what the lanes game attains; writing c̄^{t+1}(1 − tε′_m)⁺ for
    the mass together, as if action and model errors were independent, gives less.
    """
    gamma, c_bar, error = Fraction(9, 10), Fraction(9, 10), Fraction(1, 20)
    p = ErrorProfile(gamma, (0, 0), (1 - c_bar,), model_current=error)
    x, masses = Fraction(1), []
    while x > 0:
        masses.append(c_bar * x)
        x = max(c_bar * x - error, Fraction(0))
    assert len(masses) == 11  # 1, .85, .715, … are used up after eleven steps
    sum_of_masses = sum(gamma**t * mass for t, mass in enumerate(masses))
    value = value_of("coupling-expected", "model")(p)
    assert value == 2 * (1 / (1 - gamma) - sum_of_masses)
    assert value == Fraction(13364589601450921225673, 10**21)
    tempting = 2 * (
        1 / (1 - gamma)
        - sum(gamma**t * c_bar ** (t + 1) * max(1 - t * error, Fraction(0)) for t in range(20))
    )
    assert tempting == Fraction(125158579953897345767043144985483508520911, 10**40)
    assert round(float(value), 2) == 13.36
    assert round(float(tempting), 2) == 12.52
    # no other form of the bound is between the two
    setting = p.with_(model_data=error, model_sup=error)
    assert value_of("coupling-data", "model")(setting) == value
    assert value_of("coupling-sup", "model")(setting) < tempting


#: How much too large an enclosed sum may be, in trivial bounds: the module says 2⁻⁶⁰.
ENCLOSED = Fraction(1, 2**60)


@pytest.mark.parametrize("steps", [1, 2, 5, 17])
@pytest.mark.parametrize(("name", "about"), EVERY)
@FEW
@given(p=profiles(most_steps=20))
def test_giving_up_after_some_steps_gives_a_close_upper_bound(
    name: str, about: str, steps: int, p: ErrorProfile
) -> None:
    true = value_of(name, about)(p)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coupled_mass, "MAX_STEPS", steps)
        found = value_of(name, about)(p)
    assert true <= found <= true + ENCLOSED * p.span / (1 - p.gamma)
    if name == "coupling-sup":
        assert found == true


LATE = Fraction(9999, 10_000)


@pytest.mark.parametrize("name", ["coupling-expected", "coupling-data"])
def test_mass_that_is_used_up_late_counts(name: str) -> None:
    """γ = 9999/10000, error 1/5000: used up at t = 5000, after which γᵗ is still 0.6."""
    p = ErrorProfile(LATE, (0,), (), model_data=Fraction(1, 5000), model_current=Fraction(1, 5000))
    with mpmath.workdps(40):
        g = mpmath.mpf(9999) / 10_000
        kept = mpmath.fsum(g**t * (1 - mpmath.mpf(t) / 5000) for t in range(5000))
        true = 2 * (10_000 - kept)
        found = value_of(name, "model")(p)
        assert abs(mpmath.mpf(found.numerator) / found.denominator - true) < 1e-25
    assert f"{float(found):.3f}" == "15737.806"


SIZES_AT_THE_EDGE = [Fraction(1, 10**d) for d in (2, 4, 7, 20, 400)]


@pytest.mark.parametrize("gamma", [Fraction(99, 100), LATE, 1 - Fraction(1, 10**30)], ids=str)
@pytest.mark.parametrize(
    "gap", [Fraction(0), *SIZES_AT_THE_EDGE[1:]], ids=lambda x: f"1/{len(str(x.denominator))}"
)
@pytest.mark.parametrize("loss", SIZES_AT_THE_EDGE, ids=lambda x: f"1/{len(str(x.denominator))}")
def test_sums_out_of_reach_are_enclosed(gamma: Fraction, gap: Fraction, loss: Fraction) -> None:
    """Against the same sum in 1000 digits, T by logarithms; it is too small by < 2⁻⁶¹/(1 − γ)."""
    with pytest.MonkeyPatch.context() as patch, mpmath.workdps(1000):
        patch.setattr(coupled_mass, "MAX_STEPS", 3)
        found, _ = coupled_mass.decay(Fraction(1), 1 - gap, loss, gamma, math.inf)
        c, g, e = (mpmath.mpf(v.numerator) / v.denominator for v in (1 - gap, gamma, loss))
        if gap:
            theta = e / (1 - c)
            t = mpmath.ceil(mpmath.log(theta / (1 + theta)) / mpmath.log(c))
            true = (1 + theta) * (1 - (g * c) ** t) / (1 - g * c) - theta * (1 - g**t) / (1 - g)
        else:
            t = mpmath.ceil(1 / e)
            spent = g * (1 - g**t) / (1 - g) ** 2 - t * g**t / (1 - g)
            true = (1 - g**t) / (1 - g) - e * spent
        low = true - mpmath.mpf(found.numerator) / found.denominator
        assert -(mpmath.mpf(10) ** -100) <= low <= mpmath.mpf(2) ** -61 / (1 - g)


@pytest.mark.parametrize("name", BRANCHED)
def test_long_branches_of_long_numbers_are_summed_to_the_end(name: str) -> None:
    error = Fraction("0.000001234567")
    p = ErrorProfile(
        Fraction("0.9999"), (Fraction(1, 2), 0), (error,), model_current=error, model_sup=error,
        k=5000,
    )  # fmt: skip
    found, floats = value_of(name, "branched")(p), value_of(name, "branched")(p.with_(gamma=0.9999))
    # 40 UNIT/(1−γ) of the trivial bound, as above, and the rounding of 0.9999 as much again
    assert abs(float(found) - floats) <= 2 * 40 * UNIT * 1e4 * 2 * 1e4
    if name == "coupling-sup":
        check_sup_formula(find(name, "branched"), p)


@pytest.mark.parametrize("bits", [1, 50, 400])
@pytest.mark.parametrize(("name", "about"), EVERY)
@FEW
@given(p=profiles(most_steps=20))
def test_giving_up_on_long_numbers_gives_an_upper_bound(
    name: str, about: str, bits: int, p: ErrorProfile
) -> None:
    true = value_of(name, about)(p)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coupled_mass, "MAX_BITS", bits)
        assert true <= value_of(name, about)(p) <= p.span / (1 - p.gamma)


# Arrays


@pytest.mark.parametrize("name", BRANCHED)
def test_arrays_of_lengths_are_evaluated_entry_by_entry(name: str) -> None:
    value = value_of(name, "branched")
    p = ErrorProfile(
        0.5,
        (0.1, 0.2, 0.3),
        (0.1, 0.2),
        model_current=0.02,
        model_sup=0.02,
        k=np.array([4, 4, 6]),
        opponent_lengths=(np.array([2, 4, 6]), 3),
    )
    found = value(p)
    for i, (k, first) in enumerate(((4, 2), (4, 4), (6, 6))):
        single = value(p.with_(k=k, opponent_lengths=(first, 3)))
        # γ = 1/2: 80 UNIT of the trivial bound 4, on both sides
        assert abs(found[i] - single) <= 2 * 80 * UNIT * 4


@pytest.mark.parametrize(("name", "about"), EVERY)
@FEW
@given(p=profiles(), seed=st.integers(0, 99))
def test_grids_of_branch_lengths_and_errors(
    name: str, about: str, p: ErrorProfile, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    value = value_of(name, about)
    k, error = np.arange(7), rng.uniform(0, 0.3, (4, 1))
    p = p.with_(
        gamma=min(float(p.gamma), 0.95), opponent_lengths=None, model_data=error,
        model_current=error, model_sup=error, k=k,
    )  # fmt: skip
    found = np.broadcast_to(value(p), (4, 7))
    assert found.dtype == float
    for i in range(4):
        for j in range(7):
            e = float(error[i, 0])
            single = p.with_(model_data=e, model_current=e, model_sup=e, k=int(k[j]))
            # 40 UNIT/(1−γ) of the trivial bound on both sides, γ ≤ 0.95
            close = 2 * 40 * 20 * UNIT * p.span * 20
            assert abs(found[i, j] - value(single)) <= close
