"""The published bounds: what the papers print, in every form the library gives it, and its laws.

Each formula is written here a second time, from the papers, agent by agent. The forms of one bound
(exact, SymPy, float, array, tree of operations) are compared with one another, and the bounds with
each other: which equals which, which is below which.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from difflib import SequenceMatcher
from fractions import Fraction
from functools import cache
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bounds.formula.bound import BLOCK, Bound
from bounds.formula.error_profile import ErrorProfile
from bounds.formula.symbols import SYMBOLS, joint_policy_shift, read, sympy_symbol
from bounds.formula.tree import formula_text, tree
from bounds.library.published import BOUNDS, find, names
from bounds.shared.numbers import InputError
from tabular import verify

EVERY = [pytest.param(b, id=f"{b.name}-{b.about}") for b in BOUNDS]
#: The bounds that are one formula; the rest are sums (tests/bounds/library/test_coupling.py).
FORMULAS = [b for b in BOUNDS if b.symbols]
ONE_FORMULA = [pytest.param(b, id=f"{b.name}-{b.about}") for b in FORMULAS]
UNIT = 2.0**-52  # the largest relative error of one float operation, powers included


# Error profiles

#: Fewer examples for the tests that run once a bound.
FEW = settings(max_examples=max(12, settings.default.max_examples // 4))


def fractions(denominators: Iterable[int], top: Fraction) -> list[Fraction]:
    """0, then the plain ones, all in [0, top]."""
    found = {Fraction(p, q): None for q in denominators for p in range(q + 1)}
    return [x for x in found if x <= top]


SIZES = (*fractions((1, 2, 10, 3, 7, 40), Fraction(1)), Fraction(1, 10**6))
GAMMAS = (*fractions((1, 2, 10, 20, 3, 7), Fraction(19, 20)), Fraction(99, 100))
ERRORS = st.sampled_from(SIZES)
DISCOUNTS = st.sampled_from(GAMMAS)


@st.composite
def profiles(
    draw: st.DrawFn,
    errors: Sequence[Any] = SIZES,
    discounts: Sequence[Any] = GAMMAS,
    most_steps: int = 8,
    opponents: int = 3,
) -> ErrorProfile:
    """An exact profile with everything in it; corners (0, 1, k = 0, nⱼ = 0 and k) are common.

    Two of three are drawn by a seed, uniformly: few coincidences, so that few examples see much.
    The others are drawn by Hypothesis, which likes coincidences, and finds plain examples.
    """
    seed = draw(st.none() | st.integers(0, 2**32 - 1) | st.integers(0, 2**32 - 1))
    rng = random.Random(seed)

    def pick(choices: Sequence[Any]) -> Any:
        return draw(st.sampled_from(choices)) if seed is None else rng.choice(choices)

    def each(count: int, choices: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(pick(choices) for _ in range(count))

    n = 1 + pick(range(opponents + 1))
    k = pick(range(most_steps + 1))
    given_ = pick((False, True, True))
    r_max = pick((Fraction(1), Fraction(7, 3), Fraction(1, 5), Fraction(0)))
    return ErrorProfile(
        gamma=pick(discounts),
        policy_shift=each(n, errors),
        opponent_model=each(n - 1, errors),
        model_data=pick(errors),
        model_current=pick(errors),
        model_sup=pick(errors),
        k=k,
        opponent_lengths=each(n - 1, (*range(k + 1), 0, k)) if given_ else None,
        r_max=r_max,
        span=pick((None, r_max, r_max / 3)),
        joint_policy_shift=pick((None, pick(errors))),
    )


def without_opponent_errors(p: ErrorProfile) -> ErrorProfile:
    return p.with_(opponent_model=(Fraction(0),) * (p.n - 1))


# The papers


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
PRINTED = [pytest.param(find(name), id=name) for name in PAPERS]


def check_paper(bound: Bound, p: ErrorProfile) -> None:
    """The bound is what the paper prints, exactly."""
    value = bound.evaluate(p)
    assert isinstance(value, Fraction)
    assert value == PAPERS[bound.name](p)


@pytest.mark.parametrize("bound", PRINTED)
@FEW
@given(p=profiles())
def test_the_bound_is_what_the_paper_prints(bound: Bound, p: ErrorProfile) -> None:
    check_paper(bound, p)


def test_every_bound_is_accounted_for() -> None:
    assert {b.name for b in BOUNDS} == {
        *PAPERS,
        "coupling-sup",
        "coupling-expected",
        "coupling-data",
    }
    assert len({(b.name, b.about) for b in BOUNDS}) == len(BOUNDS)
    assert list(names()) == list(dict.fromkeys(b.name for b in BOUNDS))
    # the printed theorems are refuted for the paper's own return (theory.md, section 1)
    assert {b.name for b in BOUNDS if not b.valid} == {"theorem1-printed", "theorem2-printed"}
    for b in BOUNDS:
        assert b.source
        assert b.hypotheses
        assert (b.convention == "normalised") == (
            b.name.endswith("-normalised") or b.name.startswith("theorem2-")
        ) or not b.valid


# One bound in its many forms


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
    return {name: v if name == "k" else float(v) for name, v in values.items()}


def operations(node: Any) -> int:
    return 1 + sum(map(operations, node[1:])) if isinstance(node, list) else 0


def float_error(bound: Bound, values: dict[str, Any]) -> Any:
    """A bound on |float value − exact value| of the formula at float ``values``.

    1 − γ has a relative error of at most one ``UNIT``. Apart from it every operation of a published
    formula is a sum, product, quotient or power of numbers that are not negative: relative errors
    add up, one ``UNIT`` an operation (two for (1 − γ)², which squares an inexact number). The
    coupling formulas subtract from 1/(1−γ): their error is relative to span/(1−γ), and the error
    of 1 − γρ or 1 − γq, one ``UNIT`` absolutely, is amplified by at most 1/(1−γ); (γρ)ᵏ carries k
    roundings, and k(γρ)ᵏ ≤ 1/(1−γρ).
    """
    steps = operations(tree(bound)) + 2
    if "span" in values:
        gamma = values["gamma"]
        return 2 * steps * UNIT * values["span"] / (1 - gamma) / (1 - gamma)
    return steps * UNIT * bound.formula(**values)


@cache
def expression(bound: Bound) -> Any:
    return bound.expression


def check_forms(bound: Bound, values: dict[str, Any]) -> None:
    """Exact value, SymPy, the tree of operations, float and array agree."""
    import sympy

    value = bound(**values)
    assert isinstance(value, Fraction)
    numbers = {
        sympy_symbol(name): sympy.Rational(v.numerator, v.denominator) for name, v in values.items()
    }
    symbolic = expression(bound).subs(numbers)
    assert symbolic == sympy.Rational(value.numerator, value.denominator)
    at = {n: Fraction(v) for n, v in values.items()}
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


@pytest.mark.parametrize("bound", ONE_FORMULA)
@FEW
@given(data=st.data())
def test_all_forms_of_a_bound_agree(bound: Bound, data: st.DataObject) -> None:
    check_forms(bound, data.draw(symbol_values(bound)))


@pytest.mark.parametrize("bound", ONE_FORMULA)
@FEW
@given(p=profiles())
def test_a_profile_is_read_symbol_by_symbol(bound: Bound, p: ErrorProfile) -> None:
    p = p.with_(opponent_lengths=None)  # the coupling formulas are those of equal lengths
    values = {name: read(name, p, bound.about) for name in bound.symbols}
    assert bound(**values) == bound.evaluate(p)


@given(profiles())
def test_symbols_mean_what_they_say(p: ErrorProfile) -> None:
    lengths = p.opponent_lengths or (p.k,) * (p.n - 1)
    c_bar = prod(1 - e for e in p.opponent_model)
    expected = {
        "gamma": p.gamma,
        "k": p.k,
        "n": p.n,
        "r_max": p.r_max,
        "span": p.span,
        "eps_m_data": p.model_data,
        "eps_m_sup": p.model_sup,
        "eps_pi_ego": p.policy_shift[0],
        "sum_eps_pi_opp": sum(p.policy_shift[1:]),
        "sum_eps_pi": sum(p.policy_shift),
        "eps_pi_joint": joint(p),
        "sum_eps_hat": sum(p.opponent_model),
        "max_eps_hat": max(p.opponent_model, default=0),
        "sum_n_eps_hat": sum((n + 1) * e for n, e in zip(lengths, p.opponent_model, strict=True)),
        "q": prod(1 - e for e in p.policy_shift),
        "c_bar": c_bar,
        "rho": c_bar * (1 - p.model_sup),
    }
    assert set(expected) == set(SYMBOLS) - {"eps_m"}
    for about in ("model", "branched"):
        for name, value in expected.items():
            assert read(name, p, about) == value, name
    assert read("eps_m", p, "model") == p.model_data
    assert read("eps_m", p, "branched") == p.model_current
    assert joint_policy_shift(p) <= 1
    with pytest.raises(InputError, match=r"^eps_q: not a symbol"):
        read("eps_q", p, "model")


@pytest.mark.parametrize("bound", ONE_FORMULA)
def test_latex_shows_every_symbol_and_can_be_typeset(bound: Bound) -> None:
    from matplotlib.mathtext import MathTextParser

    latex = bound.latex
    for name in bound.symbols:
        symbol = r"\epsilon'_m" if name == "eps_m" and bound.about == "branched" else ""
        assert (symbol or SYMBOLS[name].latex) in latex, name
        assert "_" not in name or name not in latex
    # matplotlib's parser knows every command of these formulas but \textstyle
    parsed = MathTextParser("path").parse(f"${latex.replace(chr(92) + 'textstyle', '')}$")
    assert parsed.width > 0


@pytest.mark.parametrize("bound", ONE_FORMULA)
@FEW
@given(data=st.data())
def test_the_formula_as_text_is_the_formula(bound: Bound, data: st.DataObject) -> None:
    import sympy

    text = formula_text(bound)
    symbols = {name: sympy_symbol(name) for name in bound.symbols}
    again = sympy.parse_expr(text, local_dict=symbols)
    values = data.draw(symbol_values(bound))
    numbers = {
        symbols[name]: sympy.Rational(v.numerator, v.denominator) for name, v in values.items()
    }
    value = bound(**values)
    assert again.subs(numbers) == sympy.Rational(value.numerator, value.denominator)


@pytest.mark.parametrize("bound", ONE_FORMULA)
def test_wrong_names_are_refused(bound: Bound) -> None:
    values: dict[str, Any] = dict.fromkeys(bound.symbols, Fraction(1, 2))
    for wrong in ({**values, "extra": 1}, dict(list(values.items())[1:]), {}):
        with pytest.raises(InputError, match=f"^{bound.name} is a function of "):
            bound(**wrong)


# Arrays

ROWS = 3
COLUMNS = BLOCK // 2 + 1  # ROWS · COLUMNS is beyond a block, and no multiple of one
KINDS = ("scalar", "row", "column", "full", "transposed", "strided")


def spread(kind: str, low: float, high: float, rng: np.random.Generator, whole: bool) -> Any:
    """Random numbers in [low, high): a scalar, or an array that broadcasts to [ROWS, COLUMNS]."""
    shapes = {
        "row": (1, COLUMNS),
        "column": (ROWS, 1),
        "full": (ROWS, COLUMNS),
        "transposed": (COLUMNS, ROWS),
        "strided": (ROWS, 2 * COLUMNS),
    }
    numbers = rng.uniform(low, high, size=shapes.get(kind))
    array = np.floor(numbers).astype(int) if whole else np.asarray(numbers)
    if kind == "transposed":
        array = array.T
    if kind == "strided":
        array = array[:, ::2]
    return array.item() if kind == "scalar" else array


@pytest.mark.parametrize("bound", ONE_FORMULA)
@FEW
@given(data=st.data())
def test_any_mixture_of_scalars_and_arrays_broadcasts(bound: Bound, data: st.DataObject) -> None:
    kinds = {name: data.draw(st.sampled_from(KINDS)) for name in bound.symbols}
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    values = {
        name: spread(kind, 0, 12 if name == "k" else 0.99, rng, name == "k")
        for name, kind in kinds.items()
    }
    result = bound(**values)
    shape = np.broadcast_shapes(*(np.shape(v) for v in values.values()))
    assert np.shape(result) == shape
    assert np.result_type(result) == np.dtype(float)
    whole = bound.formula(**values)  # the same operations without blocks
    # NumPy may use another instruction for the same power, one UNIT apart; error as in float_error
    scale = bound.formula(**{**values, "c_bar": 0.0}) if "c_bar" in values else whole
    close = operations(tree(bound)) * UNIT * np.max(scale / (1 - np.asarray(values["gamma"])))
    assert np.max(np.abs(result - whole)) <= close
    for index in zip(*(rng.integers(0, n, size=5) for n in shape), strict=True):
        at = {n: np.broadcast_to(v, shape)[index].item() for n, v in values.items()}
        assert abs(result[index] - bound.formula(**at)) <= close


def check_size(bound: Bound, size: int) -> None:
    """Arrays of ``size`` entries give what the formula gives without blocks."""
    rng = np.random.default_rng(size)
    values: dict[str, Any] = {name: rng.uniform(0, 0.99, size) for name in bound.symbols}
    values["k"] = rng.integers(0, 12, size)
    result, whole = bound(**values), bound.formula(**values)
    assert result.shape == (size,)
    # relative errors of at most one UNIT an operation on both sides (float_error)
    assert np.all(np.abs(result - whole) <= 2 * operations(tree(bound)) * UNIT * whole)


@pytest.mark.parametrize("size", [1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5])
def test_sizes_around_a_block(size: int) -> None:
    check_size(find("theorem2-normalised"), size)


def test_empty_arrays_give_empty_arrays() -> None:
    for bound in FORMULAS:
        values: dict[str, Any] = dict.fromkeys(bound.symbols, 0.5)
        values["gamma"] = np.zeros((0, 4))
        assert bound(**values).shape == (0, 4)


@pytest.mark.parametrize("size", [3, BLOCK + 1])
def test_exact_scalars_beside_arrays_give_arrays_of_floats(size: int) -> None:
    for bound in FORMULAS:
        values: dict[str, Any] = dict.fromkeys(bound.symbols, Fraction(1, 2))
        if "k" in values:
            values["k"] = 2
        result = bound(**{**values, "gamma": np.full(size, 0.5)})
        assert result.dtype == float
        # γ = 1/2: the amplification of float_error is 2
        close = 4 * operations(tree(bound)) * UNIT * bound(**values)
        assert abs(result[-1] - bound(**values)) <= close


@pytest.mark.parametrize("bound", EVERY)
@FEW
@given(p=profiles(opponents=2, most_steps=5), seed=st.integers(0, 99))
def test_arrays_in_a_profile_are_evaluated_entry_by_entry(
    bound: Bound, p: ErrorProfile, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    length = len(p.opponent_model)
    gamma = rng.uniform(0, 0.99, (4, 1))
    shift = tuple(rng.uniform(0, 1, (1, 3)) for _ in p.policy_shift)
    p = p.with_(
        gamma=gamma,
        policy_shift=shift,
        opponent_model=(*p.opponent_model[:-1], rng.uniform(0, 1, (4, 3)))[:length]
        if length
        else (),
        model_current=rng.uniform(0, 1, (4, 1)),
    )
    value = np.broadcast_to(bound.evaluate(p), (4, 3))
    assert value.dtype == float
    for i in range(4):
        for j in range(3):

            def at(x: Any, index: tuple[int, int] = (i, j)) -> float:
                return float(np.broadcast_to(x, (4, 3))[index])

            single = p.with_(
                gamma=at(gamma),
                policy_shift=tuple(map(at, shift)),
                opponent_model=tuple(map(at, p.opponent_model)),
                model_current=at(p.model_current),
            )
            # both are within float_error of the exact value, γ ≤ 0.99: 40 operations of one UNIT,
            # amplified by at most 1/(1−γ), on the largest the value can be
            largest = max(1.0, bound.evaluate(single), bound.largest(single))
            assert abs(bound.evaluate(single) - value[i, j]) <= 100 * 2 * 40 * UNIT * largest


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint64, np.int64])
def test_branch_lengths_of_any_integer_kind(kind: Any) -> None:
    top = min(np.iinfo(kind).max, 1000)
    p = ErrorProfile(
        0.5, (0.1, 0.2), (0.1,), model_data=0.25, model_current=0.25, model_sup=0.25, k=top
    )
    for bound in (b for b in BOUNDS if b.about == "branched"):
        value = bound.evaluate(p.with_(k=np.array([0, top], dtype=kind)))
        # equal up to the roundings of float_error
        assert abs(value[1] - bound.evaluate(p)) <= 200 * UNIT * bound.evaluate(p)
        assert abs(value[0] - bound.evaluate(p.with_(k=0))) <= 200 * UNIT * bound.evaluate(p)


# Laws that every bound obeys


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


@pytest.mark.parametrize("bound", EVERY)
@FEW
@given(p=profiles(opponents=2, most_steps=4), more=ERRORS)
def test_bounds_are_monotone_in_every_error(bound: Bound, p: ErrorProfile, more: Any) -> None:
    check_monotone(bound, p, more)


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


@pytest.mark.parametrize("bound", EVERY)
@FEW
@given(p=profiles())
def test_no_errors_no_discrepancy(bound: Bound, p: ErrorProfile) -> None:
    check_zero(bound, p)


@pytest.mark.parametrize("bound", EVERY)
@FEW
@given(p=profiles(opponents=2, most_steps=4), factor=st.integers(0, 5))
def test_bounds_scale_with_the_rewards(bound: Bound, p: ErrorProfile, factor: int) -> None:
    scaled = p.with_(r_max=7 * p.r_max, span=factor * p.span)
    times = factor if "span" in bound.symbols or not bound.symbols else 7
    assert bound.evaluate(scaled) == times * bound.evaluate(p)
    largest = p.span if bound.convention == "normalised" else p.span / (1 - p.gamma)
    assert bound.largest(p) == largest


@pytest.mark.parametrize("bound", EVERY)
def test_a_missing_error_is_asked_for_by_name(bound: Bound) -> None:
    bare = ErrorProfile(Fraction(1, 2), (Fraction(1, 9),) * 2, (Fraction(1, 9),))
    needed = []
    for _ in range(4):
        with pytest.raises(InputError, match=r"^(k|model_\w+): not given, and .* needs it$") as e:
            bound.evaluate(bare)
        needed.append(str(e.value).partition(":")[0])
        bare = bare.with_(**{needed[-1]: 1})
        try:
            bound.evaluate(bare)
        except InputError:
            continue
        break
    assert ("k" in needed) == (bound.about == "branched")
    assert len(set(needed)) == len(needed) == 1 + (bound.about == "branched")


# How the bounds compare


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


@given(profiles())
def test_bounds_relate_as_they_should(p: ErrorProfile) -> None:
    check_relations(lambda name: find(name).evaluate, p)


# Names


@given(st.sampled_from(names()), st.integers(0, 40), st.sampled_from(["drop", "double", "swap"]))
def test_a_misspelt_name_gets_a_hint(name: str, place: int, how: str) -> None:
    i = place % len(name)
    wrong = {
        "drop": name[:i] + name[i + 1 :],
        "double": name[:i] + name[i] + name[i:],
        "swap": name[:i] + name[i : i + 2][::-1] + name[i + 2 :],
    }[how]
    assume(wrong not in names())
    with pytest.raises(InputError) as caught:
        find(wrong)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert repr(wrong) in message
    hint = message.partition("did you mean ")[2].rstrip("?")
    assert hint in names()

    def likeness(candidate: str) -> float:
        return SequenceMatcher(None, candidate, wrong).ratio()

    assert likeness(hint) == max(map(likeness, names()))


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("theorm1-printed", "theorem1-printed"),
        ("theorem2-without-third", "theorem2-without-third-term"),
        ("simulation lemma", "simulation-lemma"),
        ("coupling_sup", "coupling-sup"),
        ("mbpo4.1", "mbpo-4.1"),
        ("centralized2-normalized", "centralised2-normalised"),
    ],
)
def test_the_hint_is_the_name_that_was_meant(wrong: str, meant: str) -> None:
    with pytest.raises(InputError, match=rf"; did you mean {meant}\?$"):
        find(wrong)


@given(st.text(max_size=200))
def test_any_text_is_a_name_or_one_line(text: str) -> None:
    if text in names():
        assert find(text).name == text
        return
    with pytest.raises(InputError) as caught:
        find(text)
    assert len(str(caught.value).splitlines()) == 1


def test_find_knows_which_return() -> None:
    for b in BOUNDS:
        assert find(b.name, b.about) is b
    with pytest.raises(InputError, match=r"^theorem1-printed is not about the branched return$"):
        find("theorem1-printed", "branched")
