"""The recursion of the coupling bounds, summed term by term, and the laws of its closed forms.

Real and model chain run side by side, x_t is the mass that is still together at time t, and the
discrepancy is at most span · Σ_t γᵗ (1 − c x_t). What a finite sum cuts off lies between proved
limits. Every law is a function of the form, so that it runs on spoilt ones too.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import count, islice
from math import prod
from typing import Any

from bounds.formula.bound import Bound
from bounds.formula.error_profile import ErrorProfile
from bounds.library.published import find
from tests.support.profiles import profiles

Value = Callable[[ErrorProfile], Any]
#: The five coupling bounds.
FORMS = [
    ("coupling-sup", "model"),
    ("coupling-sup", "branched"),
    ("coupling-expected", "model"),
    ("coupling-expected", "branched"),
    ("coupling-data", "model"),
]


def value_of(name: str, about: str) -> Value:
    """The library's closed form, as a function of a profile."""
    return find(name, about).evaluate


def acting_alike(p: ErrorProfile, lengths: tuple[int, ...], k: int, step: int) -> Any:
    """c_l: the probability that the modelled opponents of action number l draw the same."""
    modelled = zip(p.opponent_model, lengths, strict=True)
    return prod(1 - e for e, n in modelled if step <= n or n == k)


def model_masses(name: str, p: ErrorProfile) -> Iterator[Any]:
    """The mass that earns the same reward at t = 0, 1, …, without branching."""
    pairs = zip(p.policy_shift[1:], p.opponent_model, strict=True)
    kappa = (1 - p.policy_shift[0]) * prod(max(1 - a - b, 0 * a) for a, b in pairs)
    c_bar = prod(1 - e for e in p.opponent_model)
    x = 1 + 0 * p.gamma
    while True:
        yield c_bar * x
        if name == "coupling-sup":
            x = c_bar * (1 - p.model_sup) * x
        elif name == "coupling-expected":
            x = max(c_bar * x - p.model_current, 0 * x)
        else:
            x = max(kappa * x - p.model_data, 0 * x)


def branched_masses(name: str, p: ErrorProfile) -> Iterator[Any]:
    """The mass that earns the same reward at t = 0, 1, …, k-step branches."""
    k = p.k
    lengths = (k,) * (p.n - 1) if p.opponent_lengths is None else p.opponent_lengths
    alike = [acting_alike(p, lengths, k, step) for step in range(1, k + 2)]
    for t in count():
        x = prod(1 - e for e in p.policy_shift) ** max(t - k, 0) + 0 * p.gamma
        for c in alike[: min(t, k)]:
            if name == "coupling-sup":
                x = c * (1 - p.model_sup) * x
            else:
                x = max(c * x - p.model_current, 0 * x)
        yield alike[min(t, k)] * x


def limits(name: str, about: str, p: ErrorProfile, terms: int) -> tuple[Any, Any]:
    """Proved limits of span · Σ_t γᵗ (1 − mass_t), from its first ``terms`` terms.

    From t = k on the mass that is together only shrinks, so every term that is cut off lies
    between 1 − mass_terms and 1. Where nothing is together any more the two limits agree.
    """
    assert about == "model" or terms >= p.k
    masses = model_masses(name, p) if about == "model" else branched_masses(name, p)
    head, weight = 0 * p.gamma, 1 + 0 * p.gamma
    for mass in islice(masses, terms):
        head += weight * (1 - mass)
        weight *= p.gamma
    rest = weight / (1 - p.gamma)
    return p.span * (head + (1 - next(masses)) * rest), p.span * (head + rest)


def check_recursion(value: Value, name: str, about: str, p: ErrorProfile, terms: int = 40) -> None:
    """The exact closed form lies between the limits of the literal sum."""
    low, high = limits(name, about, p, terms)
    found = value(p)
    assert isinstance(found, Fraction)
    assert low <= found <= high


#: Mostly mild errors, so that some mass survives; γ ≤ 1/2 leaves 2⁻⁴⁰ after 40 terms.
SMALL = profiles(
    errors=[Fraction(0), *(Fraction(1, q) for q in (100, 40, 20, 10, 7, 4, 3, 40, 2, 1))],
    discounts=(Fraction(1, 2), Fraction(1, 3), Fraction(2, 5), Fraction(0)),
    most_steps=6,
)

#: Opponents whose shift and model error together exceed 1: no mass of theirs is in all three chains
#: (two of them would seem to leave some, if the factors of κ were not cut off at 0).
CLASHES = [
    ErrorProfile(
        Fraction(1, 2),
        (Fraction(1, 9), first, second),
        (Fraction(1, 2), Fraction(2, 3)),
        model_data=error,
    )
    for first in (Fraction(3, 4), Fraction(1, 2), Fraction(1, 3))
    for second in (Fraction(3, 4), Fraction(1, 4))
    for error in (Fraction(0), Fraction(1, 1000))
]


def check_decay(
    decay: Callable[..., Any], x: Any, c: Any, loss: Any, gamma: Any, length: int
) -> None:
    """(Σ_{t<length} γᵗ x_t, x_length) term by term."""
    total, mass = Fraction(0), x
    for t in range(length):
        total += gamma**t * mass
        mass = max(c * mass - loss, Fraction(0))
    assert decay(x, c, loss, gamma, length) == (total, mass)


def check_sup_formula(bound: Bound, p: ErrorProfile) -> None:
    """The formula of coupling-sup is, at equal lengths, the value of its closed form."""
    p = p.with_(opponent_lengths=None)
    c_bar = prod(1 - e for e in p.opponent_model)
    values = {
        "gamma": p.gamma,
        "span": p.span,
        "c_bar": c_bar,
        "rho": c_bar * (1 - p.model_sup),
        "k": p.k,
        "q": prod(1 - e for e in p.policy_shift),
    }
    assert bound(**{name: values[name] for name in bound.symbols}) == bound.evaluate(p)


def check_below_printed(get: Callable[[str, str], Value], p: ErrorProfile) -> None:
    """Each coupling bound is at most every published bound with its hypothesis."""

    def printed(name: str, at: ErrorProfile) -> Any:
        bound = find(name)
        scale = 1 - at.gamma if bound.convention == "normalised" else 1
        return bound.evaluate(at) / scale

    data, expected = get("coupling-data", "model"), get("coupling-expected", "branched")
    assert data(p) <= printed("theorem1-normalised", p)
    assert expected(p) <= printed("theorem2-opponent-wise", p)
    plain = p.with_(opponent_lengths=None)
    assert expected(plain) <= printed("theorem2-without-third-term", plain)
    assert expected(plain) <= printed("theorem2-normalised", plain)
    known = plain.with_(opponent_model=(0,) * (p.n - 1), joint_policy_shift=None)
    assert data(known) <= printed("mbpo-4.1", known)
    assert data(known) <= printed("centralised1-normalised", known)
    assert expected(known) <= printed("mbpo-4.3", known)
    assert expected(known) <= printed("centralised2-normalised", known)
    # without shifts the printed bounds are linear in the model error, and tight for small ones
    still = known.with_(policy_shift=(0,) * p.n)
    assert data(still) <= printed("mbpo-4.1", still)
    assert expected(still) <= printed("mbpo-4.3", still)
    assert get("coupling-sup", "model")(still) <= printed("simulation-lemma", still)
