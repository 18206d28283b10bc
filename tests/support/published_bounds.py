"""What the papers print, written a second time agent by agent, and the laws that bounds obey.

Every law is a function of the bound (or of how to find bounds), so that it runs on the library's
formulas and, to show that it has power, on spoilt ones.
"""

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from math import prod
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import strategies as st

from bounds.formula.bound import Bound
from bounds.formula.error_profile import ErrorProfile
from bounds.formula.symbols import sympy_symbol
from bounds.formula.tree import tree
from bounds.library.published import BOUNDS
from tabular import verify
from tests.support.profiles import DISCOUNTS, ERRORS, UNIT

#: The library's bounds as parameters of a test.
EVERY = [pytest.param(b, id=f"{b.name}-{b.about}") for b in BOUNDS]
#: The bounds that are one formula; the rest are sums (tests/bounds/library/test_coupling.py).
FORMULAS = [b for b in BOUNDS if b.symbols]
ONE_FORMULA = [pytest.param(b, id=f"{b.name}-{b.about}") for b in FORMULAS]


def without_opponent_errors(p: ErrorProfile) -> ErrorProfile:
    """``p`` with ε_π̂ʲ = 0 for every opponent."""
    return p.with_(opponent_model=(Fraction(0),) * (p.n - 1))


def zhang1(p: ErrorProfile) -> Any:
    """Zhang et al. 2021, Eq. (2)."""
    ego, *others = p.policy_shift
    inside = p.gamma * (p.model_data + 2 * ego + 2 * sum(others) + sum(p.opponent_model))
    return (
        2 * p.r_max * (inside / (1 - p.gamma) + 2 * ego + 2 * sum(others) + sum(p.opponent_model))
    )


def zhang2(p: ErrorProfile) -> Any:
    """Zhang et al. 2021, Eq. (3)."""
    ego, *others = p.policy_shift
    generalisation = p.k * p.model_current + (p.k + 1) * sum(p.opponent_model)
    third = p.gamma ** (p.k + 1) * (ego + sum(others))
    fourth = p.gamma ** (p.k + 1) * (ego + sum(others)) / (1 - p.gamma)
    return 2 * p.r_max * (generalisation + third + fourth)


def zhang2_without_third(p: ErrorProfile) -> Any:
    """Eq. (3) without its third term."""
    third = p.gamma ** (p.k + 1) * sum(p.policy_shift)
    return zhang2(p) - 2 * p.r_max * third


def zhang2_opponent_wise(p: ErrorProfile) -> Any:
    """Eq. (3) with Σ(nⱼ+1)ε_π̂ʲ of Section 5.1 in place of (k+1)Σε_π̂ʲ."""
    lengths = p.opponent_lengths or (p.k,) * (p.n - 1)
    fewer = [(p.k - n) * e for n, e in zip(lengths, p.opponent_model, strict=True)]
    return zhang2(p) - 2 * p.r_max * sum(fewer)


def joint(p: ErrorProfile) -> Any:
    """ε_π of the joint policies: as measured, else what independent agents reach at most."""
    measured = p.joint_policy_shift
    return 1 - prod(1 - e for e in p.policy_shift) if measured is None else measured


def janner41(p: ErrorProfile) -> Any:
    """Janner et al. 2019, Theorem 4.1."""
    g, e = p.gamma, joint(p)
    first = 2 * g * p.r_max * (p.model_data + 2 * e) / (1 - g) ** 2
    return first + 4 * p.r_max * e / (1 - g)


def janner42(p: ErrorProfile) -> Any:
    """Janner et al. 2019, Theorem 4.2."""
    g, e = p.gamma, joint(p)
    terms = (
        g ** (p.k + 1) * e / (1 - g) ** 2,
        (g**p.k + 2) * e / (1 - g),
        Fraction(p.k) / (1 - g) * (p.model_data + 2 * e),
    )
    return 2 * p.r_max * sum(terms)


def janner43(p: ErrorProfile) -> Any:
    """Janner et al. 2019, Theorem 4.3."""
    g, e = p.gamma, joint(p)
    terms = (
        g ** (p.k + 1) * e / (1 - g) ** 2,
        g**p.k * e / (1 - g),
        Fraction(p.k) / (1 - g) * p.model_current,
    )
    return 2 * p.r_max * sum(terms)


def kearns(p: ErrorProfile) -> Any:
    """The simulation lemma: rewards differ by at most r_max 2ε_sup γ/(1−γ) per unit of 1/(1−γ)."""
    return 2 * p.r_max * p.model_sup * p.gamma / ((1 - p.gamma) * (1 - p.gamma))


PAPERS: dict[str, Callable[[ErrorProfile], Any]] = {
    "theorem1-printed": zhang1,
    "theorem1-normalised": zhang1,
    "theorem2-printed": zhang2,
    "theorem2-normalised": zhang2,
    "theorem2-without-third-term": zhang2_without_third,
    "theorem2-opponent-wise": zhang2_opponent_wise,
    "centralised1-normalised": lambda p: zhang1(without_opponent_errors(p)),
    "centralised2-normalised": lambda p: zhang2(without_opponent_errors(p)),
    "mbpo-4.1": janner41,
    "mbpo-4.2": janner42,
    "mbpo-4.3": janner43,
    "simulation-lemma": kearns,
}


#: The bounds of which more is known than what any bound of the library has to be: the papers', and
#: the coupling bounds (tests/bounds/library/test_coupling.py).
KNOWN = [b for b in BOUNDS if b.name in PAPERS or b.value is not None]


def check_paper(bound: Bound, p: ErrorProfile) -> None:
    """The bound is what the paper prints, exactly."""
    value = bound.evaluate(p)
    assert isinstance(value, Fraction)
    assert value == PAPERS[bound.name](p)


@st.composite
def symbol_values(draw: st.DrawFn, bound: Bound) -> dict[str, Any]:
    """Exact values for the symbols of ``bound``; its formula needs no relation between them."""
    values: dict[str, Any] = {}
    for name in bound.symbols:
        if name == "gamma":
            values[name] = draw(DISCOUNTS)
        elif name == "k":
            values[name] = draw(st.integers(0, 12))
        else:
            values[name] = draw(ERRORS) * draw(st.sampled_from([1, 1, 3]))
            if name in ("q", "rho", "c_bar"):
                values[name] = min(values[name], Fraction(1))
    return values


def as_floats(values: dict[str, Any]) -> dict[str, Any]:
    """``values`` in float64; k stays whole."""
    return {name: v if name == "k" else float(v) for name, v in values.items()}


def rounded(node: Any, values: dict[str, Any]) -> tuple[Any, Any]:
    """(value, bound on the rounding errors) of a tree that floats evaluate at exact ``values``.

    Running error analysis (Higham 2002, Accuracy and Stability of Numerical Algorithms, section
    3.3): every operation passes its operands' errors on and adds one ``UNIT`` of its own result, of
    what that may be with these errors. Powers are whole. Arrays of floats may stand for the exact
    values; the bound is then itself rounded, by a part of about ``UNIT``.
    """
    if not isinstance(node, list):
        return (values[node], 0) if node.isidentifier() else (Fraction(node), 0)
    operation = node[0]
    (x, dx), (y, dy) = (rounded(part, values) for part in node[1:])
    if operation in ("+", "-"):
        value, error = x + y if operation == "+" else x - y, dx + dy
    elif operation == "*":
        value, error = x * y, abs(x) * dy + dx * abs(y) + dx * dy
    elif operation == "/":
        value = x / y
        error = (dx + abs(value) * dy) / (abs(y) - dy)
    else:
        assert operation == "**", f"{operation}: tell what it does to errors"
        value, error = x**y, (abs(x) + dx) ** y - abs(x) ** y
    return value, error + UNIT * (abs(value) + error)


def float_error(bound: Bound, values: dict[str, Any]) -> Any:
    """A bound on |float value − exact value| of the formula at float ``values``."""
    return rounded(tree(bound), values)[1]


@cache
def expression(bound: Bound) -> Any:
    """The SymPy expression of ``bound``, made once."""
    return bound.expression


def check_forms(bound: Bound, values: dict[str, Any]) -> None:
    """Exact value, SymPy, the tree of operations, float and array agree."""
    value = bound(**values)
    assert isinstance(value, Fraction)
    numbers = {
        sympy_symbol(name): sympy.Rational(v.numerator, v.denominator) for name, v in values.items()
    }
    symbolic = expression(bound).subs(numbers)
    assert symbolic == sympy.Rational(value.numerator, value.denominator)
    at = {n: (Fraction(v), Fraction(v)) for n, v in values.items()}
    assert verify.evaluate(tree(bound), at) == (value, value)
    floats = as_floats(values)
    meant = {name: v if name == "k" else Fraction(v) for name, v in floats.items()}
    close = float_error(bound, meant)
    true = bound(**meant)
    assert abs(Fraction(bound(**floats)) - true) <= close
    arrays = {name: np.full((2, 1), v) for name, v in floats.items()}
    array = bound(**arrays)
    assert array.shape == (2, 1)
    assert array.dtype == float
    assert all(abs(Fraction(float(x)) - true) <= close for x in array.ravel())


def check_size(bound: Bound, size: int) -> None:
    """Arrays of ``size`` entries give what the formula gives without blocks."""
    rng = np.random.default_rng(size)
    values: dict[str, Any] = {name: rng.uniform(0, 0.99, size) for name in bound.symbols}
    values["k"] = rng.integers(0, 12, size)
    result, whole = bound(**values), bound.formula(**values)
    assert result.shape == (size,)
    # both sides are within float_error of the exact values
    assert np.all(np.abs(result - whole) <= 2 * float_error(bound, values))


def with_error(p: ErrorProfile, field: str, index: int, value: Any) -> ErrorProfile:
    """``p`` with one of its errors replaced."""
    if field in ("policy_shift", "opponent_model"):
        given_ = getattr(p, field)
        return p.with_(**{field: (*given_[:index], value, *given_[index + 1 :])})
    return p.with_(**{field: value})


def check_monotone(bound: Bound, p: ErrorProfile, more: Any) -> None:
    """A larger error of any kind never makes the bound smaller."""
    before = bound.evaluate(p)
    for field in ("model_data", "model_current", "model_sup", "policy_shift", "opponent_model"):
        given_ = getattr(p, field)
        for index, error in enumerate(given_ if isinstance(given_, tuple) else (given_,)):
            raised = with_error(p, field, index, error + (1 - error) * more)
            assert bound.evaluate(raised) >= before, (field, index)


def check_zero(bound: Bound, p: ErrorProfile) -> None:
    """No errors, no discrepancy; and never a negative bound."""
    zero = Fraction(0)
    none = p.with_(
        policy_shift=(zero,) * p.n,
        opponent_model=(zero,) * (p.n - 1),
        model_data=zero,
        model_current=zero,
        model_sup=zero,
        joint_policy_shift=zero,
    )
    assert bound.evaluate(none) == 0
    assert bound.evaluate(p) >= 0


def check_relations(get: Callable[[str], Callable[[ErrorProfile], Any]], p: ErrorProfile) -> None:
    """Which bound equals which, and which is below which; ``get`` gives a bound's value by name."""
    exact_opponents = without_opponent_errors(p)
    shift = sum(p.policy_shift)
    scale = 1 - p.gamma

    assert get("theorem1-normalised")(p) == get("theorem1-printed")(p)
    assert get("theorem2-normalised")(p) == get("theorem2-printed")(p)

    equal_lengths = p.with_(opponent_lengths=(p.k,) * (p.n - 1))
    theorem2 = get("theorem2-normalised")(p)
    assert get("theorem2-opponent-wise")(equal_lengths) == theorem2
    assert get("theorem2-opponent-wise")(p.with_(opponent_lengths=None)) == theorem2
    assert get("theorem2-opponent-wise")(p) <= theorem2
    third = 2 * p.r_max * p.gamma ** (p.k + 1) * shift
    assert theorem2 - get("theorem2-without-third-term")(p) == third
    assert third >= 0

    for number in "12":
        centralised = get(f"centralised{number}-normalised")(p)
        assert centralised == get(f"theorem{number}-normalised")(exact_opponents)
        assert centralised <= get(f"theorem{number}-normalised")(p)

    # Janner et al. with Σε_π for the joint policy's shift: Theorem 4.1 is the centralised Theorem 1
    # of the un-normalised return, Theorem 4.3 exceeds the centralised Theorem 2 by 2 r_max γᵏ Σε_π
    for e in (None, min(shift, Fraction(1))):
        q = p.with_(joint_policy_shift=e)
        used = joint(q)
        least = get("centralised1-normalised")(p) / scale
        assert get("mbpo-4.1")(q) <= least
        if used == shift:
            assert get("mbpo-4.1")(q) == least
            more = get("mbpo-4.3")(q) - get("centralised2-normalised")(p) / scale
            assert more == 2 * p.r_max * p.gamma**p.k * shift
        # Theorem 4.2 pays for the shift of policies in every model step as well
        same = q.with_(model_data=p.model_current)
        more = get("mbpo-4.2")(same) - get("mbpo-4.3")(same)
        assert more == 4 * p.r_max * (p.k + 1) * used / scale

    # the simulation lemma is Theorem 4.1 without a shift of policies
    still = p.with_(joint_policy_shift=0, model_data=p.model_sup)
    assert get("simulation-lemma")(p) == get("mbpo-4.1")(still)
    # with γ = 0 and no shift of policies only the first actions count, in both theorems
    at0 = p.with_(k=0, opponent_lengths=None, policy_shift=(0,) * p.n, gamma=0)
    assert get("theorem1-normalised")(at0) == get("theorem2-normalised")(at0)
