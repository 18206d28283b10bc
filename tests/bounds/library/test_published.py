"""The published bounds: what the papers print, in every form the library gives it, and its laws.

Each formula is written here a second time, from the papers, agent by agent. The forms of one bound
(exact, SymPy, float, array, tree of operations) are compared with one another, and the bounds with
each other: which equals which, which is below which.
"""

import re
from difflib import SequenceMatcher
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bounds.formula.bound import BLOCK, Bound
from bounds.formula.error_profile import ErrorProfile
from bounds.formula.symbols import SYMBOLS, joint_policy_shift, read, sympy_symbol
from bounds.formula.tree import formula_text
from bounds.library.published import BOUNDS, find, names
from bounds.shared.numbers import InputError
from tests.support.profiles import ERRORS, FEW, UNIT, profiles
from tests.support.published_bounds import (
    EVERY,
    FORMULAS,
    KNOWN,
    ONE_FORMULA,
    PAPERS,
    check_forms,
    check_monotone,
    check_paper,
    check_relations,
    check_size,
    check_zero,
    float_error,
    joint,
    symbol_values,
)

# The papers


PRINTED = [pytest.param(find(name), id=name) for name in PAPERS]
LAWFUL = [pytest.param(b, id=f"{b.name}-{b.about}") for b in KNOWN]


@pytest.mark.parametrize("bound", PRINTED)
@FEW
@given(p=profiles())
def test_the_bound_is_what_the_paper_prints(bound: Bound, p: ErrorProfile) -> None:
    check_paper(bound, p)


def test_every_bound_is_accounted_for() -> None:
    assert set(PAPERS) | {"coupling-sup", "coupling-expected", "coupling-data"} == {
        b.name for b in KNOWN
    }
    assert len({(b.name, b.about) for b in BOUNDS}) == len(BOUNDS)
    assert list(names()) == list(dict.fromkeys(b.name for b in BOUNDS))
    # the printed theorems are refuted for the paper's own return (theory.md, section 1)
    assert {b.name for b in KNOWN if not b.valid} == {"theorem1-printed", "theorem2-printed"}
    assert {b.name for b in KNOWN if b.first_t == 1} == {"theorem1-printed", "theorem2-printed"}
    for b in BOUNDS:
        assert b.source
        assert b.hypotheses


# One bound in its many forms


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
    # NumPy may use another instruction for the same power, one UNIT apart
    close = np.broadcast_to(2 * float_error(bound, values), shape)
    assert np.all(np.abs(result - whole) <= close)
    for index in zip(*(rng.integers(0, n, size=5) for n in shape), strict=True):
        at = {n: np.broadcast_to(v, shape)[index].item() for n, v in values.items()}
        assert abs(result[index] - bound.formula(**at)) <= close[index]


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
        assert abs(result[-1] - bound(**values)) <= float_error(bound, values)


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


# Laws that the papers' bounds and the coupling bounds obey


@pytest.mark.parametrize("bound", LAWFUL)
@FEW
@given(p=profiles(opponents=2, most_steps=4), more=ERRORS)
def test_bounds_are_monotone_in_every_error(bound: Bound, p: ErrorProfile, more: Any) -> None:
    check_monotone(bound, p, more)


@pytest.mark.parametrize("bound", LAWFUL)
@FEW
@given(p=profiles())
def test_no_errors_no_discrepancy(bound: Bound, p: ErrorProfile) -> None:
    check_zero(bound, p)


@pytest.mark.parametrize("bound", LAWFUL)
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
    while True:
        try:
            bound.evaluate(bare)
        except InputError as error:
            message = str(error)
        else:
            break
        asked = re.fullmatch(r"(k|model_\w+): not given, and .* needs it", message)
        assert asked, message
        needed.append(asked[1])
        bare = bare.with_(**{needed[-1]: 1})
    assert len(set(needed)) == len(needed)
    if not bound.symbols:  # a sum over a recursion, of one model error
        assert ("k" in needed) == (bound.about == "branched") == (len(needed) == 2)
        return
    reads = {
        "eps_m": "model_data" if bound.about == "model" else "model_current",
        "eps_m_data": "model_data",
        "eps_m_sup": "model_sup",
        "rho": "model_sup",
        "k": "k",
        "sum_n_eps_hat": "k",
    }
    assert set(needed) == {reads[name] for name in bound.symbols if name in reads}


# How the bounds compare


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
