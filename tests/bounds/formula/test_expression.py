"""Bounds as text: what is read means what it says, and nothing else is read."""

import math
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from bounds.formula.error_profile import ErrorProfile
from bounds.formula.expression import MAX_TEXT, NAMES, evaluate, names_in, parse, written_bound
from bounds.formula.operations import apply
from bounds.formula.tree import formula_text, text, tree
from bounds.shared.numbers import InputError

RATIONALS = st.fractions(-3, 3, max_denominator=7)
LEAVES = st.sampled_from(NAMES) | st.fractions(0, 5, max_denominator=9).map(str)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["+", "-", "*", "/", "min", "max"]), inner, inner).map(list),
        st.tuples(st.just("**"), inner, st.sampled_from(["2", "3"])).map(list),
        st.tuples(st.sampled_from(["exp", "log", "sqrt"]), inner).map(list),
        st.tuples(st.just("-"), st.just("0"), inner).map(list),
    ),
    max_leaves=12,
)


def values() -> st.SearchStrategy[dict[str, F]]:
    return st.fixed_dictionaries({name: st.fractions(0, 2, max_denominator=5) for name in NAMES})


def meaning(node: Any, at: dict[str, F]) -> float:
    """The value of a tree, computed another way: Python's own floats; NaN where there is none."""
    if not isinstance(node, list):
        return float(at[node] if node in at else F(node))
    parts = [meaning(part, at) for part in node[1:]]
    if any(math.isnan(x) for x in parts):
        return math.nan
    try:
        return {
            "+": lambda x, y: x + y,
            "-": lambda x, y: x - y,
            "*": lambda x, y: x * y,
            "/": lambda x, y: x / y,
            "**": lambda x, y: x**y,
            "min": min,
            "max": max,
            "exp": math.exp,
            "log": math.log,
            "sqrt": math.sqrt,
        }[node[0]](*parts)  # type: ignore[operator]
    except (ValueError, ZeroDivisionError, OverflowError):
        return math.nan


@given(TREES)
def test_text_and_tree_are_inverse(node: Any) -> None:
    """What is printed is read again as something of the same meaning, and printed the same."""
    if _divides_by_zero(node):
        with pytest.raises(InputError, match="divides by zero"):
            parse(text(node))
        return
    again = parse(text(node))
    assert set(names_in(again)) == set(names_in(node))
    assert text(parse(text(again))) == text(again)


def _divides_by_zero(node: Any) -> bool:
    """Whether some denominator is the number 0."""
    if not isinstance(node, list):
        return False
    return (node[0] == "/" and node[2] == "0") or any(map(_divides_by_zero, node[1:]))


@given(TREES, values())
def test_a_tree_has_the_value_that_arithmetic_gives_it(node: Any, at: dict[str, F]) -> None:
    expected = meaning(node, at)
    found = evaluate(node, dict(at))
    if not math.isfinite(expected) or abs(expected) > 1e12:
        return  # no value, or one that floats lose
    if isinstance(found, float) and math.isnan(found):
        return  # a root or logarithm of what is exactly 0 or below, and rounds to more in floats
    # at most 12 leaves and so 11 operations; cancellation may leave the rounding of 10¹² · 2⁻⁵²
    assert abs(float(found) - expected) <= 1e-3 * max(1.0, abs(expected)) or _cancels(node, at)


def _cancels(node: Any, at: dict[str, F]) -> bool:
    """Whether some intermediate value is huge, so that floats lose the result."""
    if not isinstance(node, list):
        return False
    return abs(meaning(node, at)) > 1e9 or any(
        math.isnan(meaning(part, at)) or _cancels(part, at) for part in node[1:]
    )


@given(TREES, values())
def test_fractions_floats_and_arrays_agree(node: Any, at: dict[str, F]) -> None:
    exact = evaluate(node, dict(at))
    floats = evaluate(node, {name: float(v) for name, v in at.items()})
    arrays = evaluate(node, {name: np.full(3, float(v)) for name, v in at.items()})
    spread = np.broadcast_to(np.asarray(arrays, dtype=float), (3,))
    assert np.array_equal(spread, np.full(3, float(floats)), equal_nan=True)
    if isinstance(exact, F) and abs(exact) < 10**9 and math.isfinite(floats):
        assert abs(float(exact) - floats) <= 1e-6 * max(1, abs(floats)) or _cancels(node, at)


@given(RATIONALS, RATIONALS, st.sampled_from(["+", "-", "*", "/", "min", "max"]))
def test_exact_numbers_stay_exact(x: F, y: F, name: str) -> None:
    value = apply(name, x, y)
    assert isinstance(value, F) or (name == "/" and y == 0 and math.isnan(value))
    assert apply("sqrt", x * x) == abs(x)
    assert isinstance(apply("sqrt", x * x), F)
    assert apply("exp", F(0)) == 1
    assert apply("log", F(1)) == 0


@pytest.mark.parametrize(
    ("name", "operands"),
    [
        ("/", (1, 0)),
        ("log", (0,)),
        ("log", (-1,)),
        ("sqrt", (-1,)),
        ("**", (0, -1)),
        ("**", (-2, F(1, 3))),
    ],
)
def test_what_has_no_real_value_is_nan(name: str, operands: tuple[Any, ...]) -> None:
    assert math.isnan(apply(name, *operands))
    assert math.isnan(apply(name, *map(float, operands)))
    assert np.isnan(apply(name, *(np.array([float(x)]) for x in operands))).all()


def test_symbols_make_an_expression() -> None:
    bound = written_bound("min(span, exp(-eps_m)) * sqrt(k) - log(1+n)", "branched", "normalised")
    x = {name: sympy.Symbol(name, nonnegative=True) for name in bound.symbols}
    expected = sympy.Min(x["span"], sympy.exp(-x["eps_m"])) * sympy.sqrt(x["k"])
    assert sympy.simplify(bound.formula(**x) - expected + sympy.log(1 + x["n"])) == 0
    assert r"\min" in bound.latex


def test_a_written_bound_is_a_bound() -> None:
    words = "2*r_max*(k*eps_m + (k+1)*sum_eps_hat + gamma**(k+1)*sum_eps_pi/(1-gamma))"
    bound = written_bound(words, "branched", "normalised")
    profile = ErrorProfile(
        F(9, 10), (F(1, 20), F(1, 10)), (F(1, 50),), model_current=F(1, 100), k=3
    )
    value = 2 * (3 * F(1, 100) + 4 * F(1, 50) + F(9, 10) ** 4 * F(3, 20) * 10)
    assert bound.evaluate(profile) == value
    assert parse(formula_text(bound)) == tree(bound)
    constant = written_bound("0.95", "model", "normalised")
    assert constant.evaluate(profile) == F(19, 20)
    assert formula_text(constant) == "19/20"


def test_decimals_are_exact() -> None:
    assert parse("0.1") == "1/10"
    assert parse("1e-3 + 1_000") == ["+", "1/1000", "1000"]
    assert parse("-2") == "-2"
    assert parse("--2") == ["-", "0", "-2"]
    assert parse("+k") == "k"
    assert parse("max(1, k, n)") == ["max", ["max", "1", "k"], "n"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "empty"),
        ("  \n ", "empty"),
        ("gama", "did you mean gamma"),
        ("foo", "use gamma, k, n"),
        ("sum_n_eps_hat", "not a name of a bound"),
        ("__import__('os').system('ls')", "not a function of a bound"),
        ("open('x')", "not a function of a bound"),
        ("gamma.real", "not part of a bound"),
        ("[x for x in (1,)]", "not part of a bound"),
        ("lambda: 1", "not part of a bound"),
        ("k if n else 1", "not part of a bound"),
        ("k < 3", "not part of a bound"),
        ("True", "not part of a bound"),
        ("'text'", "not part of a bound"),
        ("3j", "not part of a bound"),
        ("k // 2", "not part of a bound"),
        ("not k", "not part of a bound"),
        ("2^k", r"write \*\* for a power"),
        ("γ", "not ASCII"),
        ("gamma(2)", "not a function"),
        ("exp(1, 2)", "exp takes one number"),
        ("min(1)", "min takes two numbers or more"),
        ("min(*k)", "not part of a bound"),
        ("exp(x=1)", "not a function"),
        ("1/0", "divides by zero"),
        ("k/(0)", "divides by zero"),
        ("9**9**9", "a power in an exponent"),
        ("k**exp(k)", "a power in an exponent"),
        ("2**100000", "the exponent 100000 is beyond 1000"),
        ("(10**10)**(10*k)", ""),
        ("9999**k", "a power of a number beyond 1000"),
        ("1e4000", "exponent beyond 1000"),
        ("1" * 2000, "a number of 2000 characters"),
        ("k +", "not arithmetic"),
        ("k k", "not arithmetic"),
        ("(" * 3000 + "k", "not arithmetic"),
        ("-" * 3000 + "k", "nested|not arithmetic"),
        ("-(" * 150 + "k" + "+1)" * 150, "nested more than 200 deep"),
        ("+".join(["k"] * 4500), "too long|nested|not arithmetic"),
        ("k" * (MAX_TEXT + 1), f"at most {MAX_TEXT} are read"),
        ("k+" * 500_000 + "k", f"at most {MAX_TEXT} are read"),
        ("k\x00", "not arithmetic"),
    ],
)
def test_what_is_not_a_bound_is_refused_in_one_line(words: str, message: str) -> None:
    if words == "(10**10)**(10*k)":  # harmless as text; its value is what is refused
        with pytest.raises(InputError, match="bits"):
            evaluate(parse(words), {"k": F(10**9)})
        return
    with pytest.raises(InputError, match=message) as caught:
        parse(words)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_bound_about_the_model_return_has_no_branch_length() -> None:
    with pytest.raises(InputError, match="the model return is not branched"):
        written_bound("span*k", "model", "normalised")
