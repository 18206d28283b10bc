"""Proofs that a bound dominates: what is proved is so, and weakened bounds are not proved."""

import inspect
from dataclasses import replace
from fractions import Fraction as F

import pytest
import sympy
from hypothesis import assume, given
from hypothesis import strategies as st

from bounds.figures.looseness import SETTINGS, heat_map, reference, table
from bounds.formula.bound import Bound
from bounds.formula.error_profile import ErrorProfile
from bounds.formula.expression import written_bound
from bounds.library.coupling import data, expected, sup
from bounds.library.published import BOUNDS, find
from bounds.proofs.dominance import dominates, nonnegative
from bounds.proofs.majorants import OutOfReachError, Region, covers, steps_power

EXPRESSIONS = [bound for bound in BOUNDS if bound.value is None]


@pytest.mark.parametrize("bound", EXPRESSIONS, ids=lambda b: b.name)
def test_every_published_bound_that_is_called_valid_is_proved(bound: Bound) -> None:
    proof = dominates(bound)
    assert proof.holds == bound.valid
    assert bool(proof.steps) == bound.valid


def scaled(bound: Bound, factor: F) -> Bound:
    """``bound`` with its right-hand side times ``factor``."""
    formula = bound.formula

    def less(**values: object) -> object:
        return factor * formula(**values)

    vars(less)["__signature__"] = inspect.signature(formula)
    return replace(bound, formula=less)


@pytest.mark.parametrize(
    "name",
    ["theorem1-normalised", "theorem2-without-third-term", "mbpo-4.1", "simulation-lemma"],
)
def test_bounds_that_are_attained_to_first_order_cannot_be_scaled_down(name: str) -> None:
    assert dominates(scaled(find(name), F(1))).holds
    assert not dominates(scaled(find(name), F(999, 1000))).holds


C = "max(0, 1 - sum_eps_hat)"
RHO = f"((1 - eps_m_sup)*{C})"
Q = "max(0, 1 - sum_eps_pi)"
SUP_BRANCHED = (
    f"span*(1/(1-gamma) - {C}*((1 - (gamma*{RHO})**(k+1))/(1 - gamma*{RHO})"
    f" + (gamma*{RHO})**k*gamma*{Q}/(1 - gamma*{Q})))"
)


@pytest.mark.parametrize(
    ("about", "convention", "words"),
    [
        ("model", "unnormalised", "span/(1-gamma)"),
        ("model", "normalised", "min(span, 3*r_max)"),
        ("model", "normalised", "max(span, -5)"),
        ("model", "unnormalised", f"span*(1/(1-gamma) - {C}/(1-gamma*{RHO}))"),
        (
            "model",
            "unnormalised",
            f"span*(1/(1-gamma) - {C}*(1-gamma*eps_m/(1-gamma))"
            "/(1-gamma*max(0, 1-sum_eps_hat-sum_eps_pi)))",
        ),
        ("model", "normalised", "2*r_max*sqrt(eps_m_sup+sum_eps_hat)/(1-gamma)"),
        ("model", "normalised", "2*r_max*(eps_m_sup+sum_eps_hat)**0.5/(1-gamma)"),
        ("model", "normalised", "2*r_max*(exp(eps_m+sum_eps_pi+sum_eps_hat)-1)/(1-gamma)"),
        ("model", "normalised", "-2*r_max*log(1-min(1/2, eps_m_sup+sum_eps_hat))/(1-gamma)*2"),
        ("model", "normalised", "span*((n-1)*max_eps_hat + gamma*eps_m_sup)/(1-gamma)"),
        ("branched", "normalised", "span*min(1, k*eps_m + (k+1)*sum_eps_hat"
         " + gamma**(k+1)*(eps_pi_ego + sum_eps_pi_opp)/(1-gamma))"),
        ("branched", "unnormalised", SUP_BRANCHED),
        ("branched", "unnormalised", "span/(1-gamma) + min(k, 1)*sum_eps_hat"),
        ("model", "normalised", "span*sqrt((eps_m_sup + sum_eps_hat)/(1-gamma))"),
        ("model", "normalised", "3*span/(1-gamma)*max(eps_m, max(sum_eps_pi, sum_eps_hat))"),
        ("model", "unnormalised", "span*(eps_m_sup - gamma)**2 + span/(1-gamma)"),
        ("branched", "normalised", "span*(k**3*eps_m + (k+1)**2*sum_eps_hat"
         " + gamma**(k+1)*sum_eps_pi/(1-gamma))"),
        ("model", "normalised", "span*(1 - (1-gamma)*(1-max_eps_hat)**(n-1)"
         "/(1-gamma*(1-max_eps_hat)**(n-1)*(1-eps_m_sup)))"),
        ("branched", "normalised", "span*max(k, 1)*(eps_m + 2*sum_eps_hat)"
         " + span*gamma**(k+1)*sum_eps_pi/(1-gamma)"),
        ("branched", "normalised", "span*(k*eps_m_sup + (k+1)*(n-1)*max_eps_hat"
         " + gamma**k*sum_eps_pi/(1-gamma))"),
    ],
)  # fmt: skip
def test_valid_forms_are_proved(about: str, convention: str, words: str) -> None:
    assert dominates(written_bound(words, about, convention)).holds  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("about", "convention", "words"),
    [
        ("model", "unnormalised", "span"),
        ("model", "normalised", "min(span, span*(sum_eps_hat + eps_m_sup))"),
        ("model", "normalised", "span*max(max_eps_hat, gamma*eps_m_sup/(1-gamma))"),
        ("model", "normalised", "span*(1 - exp(-(eps_m_sup+sum_eps_hat)/(1-gamma)))"),
        ("model", "normalised", "2*r_max*(eps_m_sup+sum_eps_hat)**2/(1-gamma)"),
        ("model", "normalised", "-span"),
        ("model", "normalised", "0.99*span*sqrt((eps_m_sup + sum_eps_hat)/(1-gamma))"),
        ("model", "normalised", "2.99*span/(1-gamma)*max(eps_m, max(sum_eps_pi, sum_eps_hat))"),
        ("model", "unnormalised", "span/(1-gamma) - span*(eps_m_sup - gamma)**2"),
        ("model", "unnormalised", "span/(1-gamma) + span*(eps_m_sup - gamma)**3"),
        (
            "branched",
            "normalised",
            "span*(k**(1/2)*eps_m + (k+1)*sum_eps_hat + gamma**(k+1)*sum_eps_pi/(1-gamma))",
        ),
        (
            "model",
            "normalised",
            "span*(1 - (1-gamma)*(1-max_eps_hat)/(1-gamma*(1-max_eps_hat)**(n-1)*(1-eps_m_sup)))",
        ),
        (
            "branched",
            "normalised",
            "span*max(k, 1)*(eps_m + 1.9*sum_eps_hat) + span*gamma**(k+1)*sum_eps_pi/(1-gamma)",
        ),
        ("branched", "unnormalised", f"0.999*{SUP_BRANCHED}"),
        ("branched", "normalised", "span*(k*eps_m + k*sum_eps_hat + gamma**(k+1)*sum_eps_pi)"),
        ("branched", "normalised", "*".join(["(1+k+eps_m+gamma+sum_eps_pi)"] * 60)),
        ("branched", "normalised", "min(" * 60 + "k" + ", span)" * 60),
    ],
)
def test_false_or_unknown_forms_are_not(about: str, convention: str, words: str) -> None:
    assert not dominates(written_bound(words, about, convention)).holds  # type: ignore[arg-type]


def test_a_bound_for_exact_opponents_is_proved_for_those_alone() -> None:
    bound = written_bound("span*gamma*eps_m_sup/(1-gamma)", "model", "normalised")
    assert not dominates(bound).holds
    assert dominates(replace(bound, exact_opponents=True)).holds


X = sympy.symbols("x0:3", nonnegative=True)


@given(st.lists(st.fractions(-2, 2, max_denominator=3), min_size=4, max_size=4), st.data())
def test_nonnegative_is_never_wrong(coefficients: list[F], draw: st.DataObject) -> None:
    a, b, c, d = map(sympy.Rational, coefficients)
    expression = (a * X[0] ** 2 + b * X[0] * X[1] + c) / (1 + X[2]) + d * X[2]
    if nonnegative(expression):
        point = {x: sympy.Rational(draw.draw(st.fractions(0, 9, max_denominator=4))) for x in X}
        assert expression.subs(point) >= 0


#: What makes the covers put in all their regions and majorants.
ASKING = {
    "model": ("sqrt(span)", "span*(1-max_eps_hat)**n"),
    "branched": ("sqrt(span)", "span*max(k, 1)", "span*(1-max_eps_hat)**(n*k)"),
}
COVERS = [
    (about, cover)
    for about, asked in ASKING.items()
    for words in asked
    for single in (True, False)
    for cover in covers(written_bound(words, about, "normalised"), single)  # type: ignore[arg-type]
]
QUARTERS = st.integers(0, 12).map(lambda x: sympy.Rational(x, 4))


@given(st.sampled_from(COVERS), st.integers(0, 3), st.data())
def test_majorants_are_never_below_the_coupling_bounds(
    chosen: tuple[str, tuple[Region, ...]], k: int, drawn: st.DataObject
) -> None:
    """At a random point of a region: the errors are its atoms there, one opponent has them all."""
    about, cover = chosen
    region = drawn.draw(st.sampled_from(cover))
    atoms = {name: sympy.sympify(x) for name, x in region.atoms.items()}
    majorants = [sympy.sympify(m) for _, m in region.majorants]
    symbols = sorted(set().union(*(x.free_symbols for x in [*atoms.values(), *majorants])), key=str)
    point = {x: drawn.draw(QUARTERS) for x in symbols}
    first = 1 if "k >= 1" in region.name else 0
    k = 0 if "k = 0" in region.name else max(k, first)

    def number(name: str) -> F:
        return F(str(atoms[name].subs(point)))

    gamma, shifts = number("gamma"), (number("eps_pi_ego"), number("sum_eps_pi_opp"))
    assume(max(*shifts, number("eps_m_sup"), number("sum_eps_hat")) <= 1)
    assume(gamma > 0 or k == 0)  # else γᵏ = 0, the open end of its variable's range
    single = "one agent" in region.name
    if "C" in atoms:  # the product of all 1 − ε_π̂ is never less
        assume(number("C") <= 1 - number("sum_eps_hat"))
    profile = ErrorProfile(
        gamma=gamma,
        policy_shift=shifts[:1] if single else shifts,
        opponent_model=() if single else (number("sum_eps_hat"),),
        model_data=number("eps_m"),
        model_current=number("eps_m"),
        model_sup=number("eps_m_sup"),
        k=k if about == "branched" else None,
        span=F(1),
    )
    branched = about == "branched"
    form = expected(profile, True) if branched else data(profile)
    least = min(sup(profile, branched), form) * (1 - gamma)
    at = point | {x: power_at(str(x), point, k) for x in symbols if str(x).startswith("power of ")}
    # γᵏ, or γ^{k−1} where k ≥ 1 is known, is 1/(1 + w); d is what k exceeds (1 − γᵏ)/(1 − γ) by
    power = gamma ** (k - first)
    chosen_too = {"w": 1 / power - 1 if power else F(0), "d": k - first - (1 - power) / (1 - gamma)}
    at |= {x: sympy.Rational(str(chosen_too[str(x)])) for x in symbols if str(x) in chosen_too}
    for majorant in majorants:
        assert F(str(majorant.subs(at))) >= least


def power_at(name: str, point: dict[sympy.Symbol, sympy.Rational], k: int) -> sympy.Rational:
    """The variable "power of f" at a whole k: fᵏ − 1 where f ≥ 1 everywhere, else fᵏ."""
    named = {str(x): x for x in point if not str(x).startswith("power of ")}
    factor = sympy.sympify(name.removeprefix("power of "), locals=named)
    least = factor.subs(dict.fromkeys(named.values(), 0))
    return factor.subs(point) ** k - (1 if least >= 1 else 0)


def test_powers_of_what_may_be_negative_are_out_of_reach() -> None:
    with pytest.raises(OutOfReachError):
        steps_power(1 - X[0])
    assert steps_power(sympy.Integer(1)) == 1


@pytest.mark.parametrize("bound", EXPRESSIONS, ids=lambda b: f"{b.name}-{b.about}")
def test_the_table_compares_with_the_coupling_bound_of_the_hypothesis(bound: Bound) -> None:
    for setting, row in zip(SETTINGS, table(bound), strict=True):
        profile = setting.profile(exact_opponents=bound.exact_opponents)
        assert row.coupling == pytest.approx(float(reference(bound, profile)), abs=0)
        assert row.looseness == row.value / row.coupling
        if bound.valid:
            # the coupling bounds in floats carry 10⁻¹⁵/(1 − γ) of the trivial bound
            assert row.value >= row.coupling - 1e-12


def test_the_reference_is_that_of_the_errors_named() -> None:
    profile = SETTINGS[0].profile()
    largest = profile.span / (1 - profile.gamma)
    chosen = {
        "span*eps_m": expected(profile, True),
        "span*eps_m_sup": sup(profile, True),
        "span*min(eps_m, eps_m_sup)": min(sup(profile, True), expected(profile, True)),
    }
    for words, value in chosen.items():
        assert reference(written_bound(words, "branched", "normalised"), profile) == value / largest


@pytest.mark.parametrize("about", ["model", "branched"])
def test_the_heat_map_names_its_axes(about: str) -> None:
    bound = next(b for b in EXPRESSIONS if b.about == about)
    axes, bar = heat_map(bound).axes
    assert axes.get_xlabel() == ("branch length k" if about == "branched" else "discount γ")
    assert "ε" in axes.get_ylabel()
    assert "coupling" in bar.get_ylabel()
