"""The tests have power: every planted mistake is found by a named check of the suite.

Each mutant is a formula with one mistake in it. The check that other test modules run on the
library's formula, on the same examples, runs here on the mutant and has to fail; the same check
passes on the unspoilt copy, so that it is the mistake that is found.
"""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import cache
from math import inf, prod
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bounds.formula import bound as bound_module
from bounds.formula import symbols
from bounds.formula.bound import BLOCK, Bound
from bounds.formula.error_profile import ErrorProfile
from bounds.library import coupling, lost_mass, published
from bounds.library.published import find
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
from tests.support.mutants import assert_all_found, mutants
from tests.support.profiles import DISCOUNTS, ERRORS, UNIT, profiles
from tests.support.published_bounds import (
    KNOWN,
    PAPERS,
    check_forms,
    check_monotone,
    check_paper,
    check_relations,
    check_size,
    check_zero,
    symbol_values,
)
from tests.support.refusals import GARBAGE, refusal

Check = Callable[[Any], None]
NUMBERS = st.tuples(ERRORS, ERRORS, ERRORS, DISCOUNTS)


def passes(check: Check, examples: st.SearchStrategy[Any]) -> None:
    """Run ``check`` on as many examples as the suite does in continuous integration."""

    @settings(
        max_examples=60,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(examples)
    def run(example: Any) -> None:
        check(example)

    run()


def found(check: Check, examples: st.SearchStrategy[Any]) -> bool:
    """Whether ``check`` fails on one of the examples."""
    try:
        passes(check, examples)
    except (AssertionError, ArithmeticError):
        return True
    return False


# One mistake at a time, everywhere in every formula

#: The formulas that are written a second time, each once.
FORMULAS = {b.formula: b for b in KNOWN if b.symbols}


@pytest.mark.parametrize("bound", FORMULAS.values(), ids=[f.__name__ for f in FORMULAS])
def test_every_mistake_in_a_formula_is_found(bound: Bound) -> None:
    check = check_paper if bound.name in PAPERS else check_sup_formula
    assert len(mutants(bound.formula)) >= 12
    assert_all_found(lambda: passes(lambda p: check(bound, p), profiles()), [bound.formula], {})


# And everywhere in the sums of the coupling bounds


@cache
def some_profiles() -> tuple[ErrorProfile, ...]:
    """Always the same, mostly mild errors; and opponents whose errors exceed 1."""
    drawn: list[ErrorProfile] = []
    passes(drawn.append, SMALL)
    whole = drawn[0].with_(k=Fraction(2), opponent_lengths=None)
    mild = [Fraction(1, 40)] * 3
    stretches = ErrorProfile(
        Fraction(1, 2), (Fraction(1, 3),) * 3, (Fraction(1, 4), Fraction(1, 10)), *mild, k=4,
        opponent_lengths=(1, 3),
    )  # fmt: skip
    return (whole, stretches, *drawn[:40], *CLASHES)


@cache
def proved_limits() -> tuple[tuple[str, str, ErrorProfile, Any, Any], ...]:
    """(form, return, profile, and between what the literal sum lies)."""
    return tuple(
        (name, about, p, *limits(name, about, p, terms=30))
        for p in some_profiles()
        for name, about in FORMS
        if name == "coupling-data" or p.model_sup is not None  # clashes have only its error
    )


LENGTHS = ((4, 2), (4, 4), (6, 6))
#: Three rollouts side by side: k and the first of two opponents' lengths.
SIDE_BY_SIDE = ErrorProfile(
    0.5,
    (0.1, 0.2, 0.3),
    (0.1, 0.2),
    model_current=0.02,
    model_sup=0.02,
    k=np.array([k for k, _ in LENGTHS]),
    opponent_lengths=(np.array([n for _, n in LENGTHS]), 3),
)


def of_coupling() -> None:
    for name, about, p, low, high in proved_limits():
        value = value_of(name, about)
        assert low <= value(p) <= high
        floats = p.with_(gamma=float(p.gamma))
        assert type(value(floats)) is float
        # as in test_coupling: 40 UNIT/(1−γ) of the trivial bound
        close = 40 * UNIT / (1 - floats.gamma) * float(p.span) / (1 - floats.gamma)
        assert float(low) - close <= value(floats) <= float(high) + close
    for name in ("coupling-sup", "coupling-expected"):
        value = value_of(name, "branched")
        for found, (k, n) in zip(value(SIDE_BY_SIDE), LENGTHS, strict=True):
            # γ = 1/2: 80 UNIT of the trivial bound 4, on both sides
            one = value(SIDE_BY_SIDE.with_(k=k, opponent_lengths=(n, 3)))
            assert abs(found - one) <= 2 * 80 * UNIT * 4


#: Why a mutant changes nothing that the sums could show ↦ such mutants.
HARMLESS = {
    "of use where lengths differ from entry to entry, and there only": (
        "sup condition 2", "expected condition 2",
    ),
    "0 remains 0": ("sup operand 1",),
    "the less of two, in either order": ("lost_to_data order 1",),
    "γ is a Fraction or a float already": ("_unbranched call 0", "_bound call 4"),
    "the same number": (
        "_bound statement 2", "_bound condition 2", "_bound condition 3", "_bound call 7",
        "_bound call 8",
    ),
    "stretches are put together, or have no steps": (
        "_segments condition 1", "_segments condition 2", "_segments comparison 0",
    ),
}  # fmt: skip


def test_every_mistake_in_a_coupling_bound_is_found() -> None:
    forms = (coupling.sup, coupling.expected, coupling.data, coupling.lost_to_data)
    parts = (coupling._unbranched, coupling._bound, coupling._throughout, coupling._segments)
    assert_all_found(of_coupling, (*forms, *parts), HARMLESS)


# Mistakes of meaning


def theorem1_without_gamma(
    gamma: Any, r_max: Any, eps_m: Any, eps_pi_ego: Any, sum_eps_pi_opp: Any, sum_eps_hat: Any
) -> Any:
    actions = 2 * eps_pi_ego + 2 * sum_eps_pi_opp + sum_eps_hat
    return 2 * r_max * ((eps_m + actions) / (1 - gamma) + actions)


def theorem1_with_sup_for_mean(
    gamma: Any, r_max: Any, eps_m_sup: Any, eps_pi_ego: Any, sum_eps_pi_opp: Any, sum_eps_hat: Any
) -> Any:
    return published.theorem1(gamma, r_max, eps_m_sup, eps_pi_ego, sum_eps_pi_opp, sum_eps_hat)


def theorem2_with_k_for_k_plus_1(
    gamma: Any,
    k: Any,
    r_max: Any,
    eps_m: Any,
    eps_pi_ego: Any,
    sum_eps_pi_opp: Any,
    sum_eps_hat: Any,
) -> Any:
    return published.theorem2(gamma, k, r_max, eps_m, eps_pi_ego, sum_eps_pi_opp, sum_eps_hat) - (
        2 * r_max * sum_eps_hat
    )


def mbpo42_with_the_error_under_pi(
    gamma: Any, k: Any, r_max: Any, eps_m: Any, eps_pi_joint: Any
) -> Any:
    return published.mbpo42(gamma, k, r_max, eps_m, eps_pi_joint)


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("theorem1-printed", theorem1_without_gamma),
        ("theorem1-normalised", theorem1_with_sup_for_mean),
        ("theorem2-printed", theorem2_with_k_for_k_plus_1),
        ("mbpo-4.2", mbpo42_with_the_error_under_pi),
        ("centralised1-normalised", published.theorem1),
        ("theorem2-opponent-wise", published.theorem2),
    ],
)
def test_a_wrong_formula_is_found(name: str, formula: Callable[..., Any]) -> None:
    spoilt = replace(find(name), formula=formula)
    assert found(lambda p: check_paper(spoilt, p), profiles())
    passes(lambda p: check_paper(find(name), p), profiles())


def without_last(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return values[:-1]


@pytest.mark.parametrize("name", ["theorem1-printed", "theorem2-without-third-term"])
def test_an_agent_forgotten_in_a_sum_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    total = symbols.total
    monkeypatch.setattr(symbols, "total", lambda values: total(without_last(values)))
    assert found(lambda p: check_paper(find(name), p), profiles())


def test_an_agent_forgotten_in_a_product_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    survival = symbols.survival
    monkeypatch.setattr(symbols, "survival", lambda values: survival(without_last(values)))
    assert found(lambda p: check_paper(find("mbpo-4.1"), p), profiles())
    monkeypatch.undo()
    lost_by = coupling.lost_by
    monkeypatch.setattr(coupling, "lost_by", lambda errors: lost_by(without_last(errors)))
    for about in ("model", "branched"):
        bound = find("coupling-sup", about)
        assert found(lambda p, b=bound: check_sup_formula(b, p), SMALL)
    for name, about in FORMS:
        value = value_of(name, about)
        assert found(lambda p, n=name, a=about, v=value: check_recursion(v, n, a, p), SMALL)


def test_a_bound_that_falls_with_an_error_is_found() -> None:
    def spoilt(gamma: Any, r_max: Any, eps_m: Any, sum_eps_pi: Any) -> Any:
        return 2 * r_max * (gamma * (eps_m + 2 * sum_eps_pi) / (1 - gamma) - sum_eps_pi)

    bound = find("centralised1-normalised")
    examples = st.tuples(profiles(), ERRORS)
    assert found(lambda x: check_monotone(replace(bound, formula=spoilt), *x), examples)
    passes(lambda x: check_monotone(bound, *x), examples)


def test_a_bound_that_is_not_zero_without_errors_is_found() -> None:
    def spoilt(gamma: Any, r_max: Any, eps_m_sup: Any) -> Any:
        return published.simulation_lemma(gamma, r_max, eps_m_sup) + r_max * gamma**30

    bound = find("simulation-lemma")
    assert found(lambda p: check_zero(replace(bound, formula=spoilt), p), profiles())
    passes(lambda p: check_zero(bound, p), profiles())


RELATED = {
    "theorem2-opponent-wise": lambda p: p.r_max * sum(p.opponent_model),  # nⱼ for nⱼ + 1
    "theorem2-without-third-term": lambda p: p.r_max * p.gamma**p.k * sum(p.policy_shift),
    "centralised2-normalised": lambda p: p.r_max * p.model_current,
    "mbpo-4.1": lambda p: p.r_max * p.model_data,
    "mbpo-4.2": lambda p: p.r_max * p.gamma * p.policy_shift[0],
    "simulation-lemma": lambda p: p.r_max * p.model_sup,
}


@pytest.mark.parametrize("name", RELATED)
def test_a_bound_out_of_step_with_the_others_is_found(name: str) -> None:
    def get(asked: str) -> Callable[[ErrorProfile], Any]:
        value = find(asked).evaluate
        return (lambda p: value(p) - RELATED[name](p)) if asked == name else value

    assert found(lambda p: check_relations(get, p), profiles())
    passes(lambda p: check_relations(lambda asked: find(asked).evaluate, p), profiles())


@pytest.mark.parametrize("size", [BLOCK + 1, 3 * BLOCK + 5])
def test_a_block_that_is_left_out_is_found(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    by_blocks = bound_module._by_blocks

    def spoilt(*arguments: Any) -> Any:
        result = by_blocks(*arguments)
        result[size // BLOCK * BLOCK :] = 0
        return result

    check_size(find("theorem2-normalised"), size)
    monkeypatch.setattr(bound_module, "_by_blocks", spoilt)
    with pytest.raises(AssertionError):
        check_size(find("theorem2-normalised"), size)


def test_a_form_that_disagrees_is_found() -> None:
    def for_floats(gamma: Any, r_max: Any, eps_m_sup: Any) -> Any:
        value = published.simulation_lemma(gamma, r_max, eps_m_sup)
        return value * (1 + 1e-13) if isinstance(value, float) else value

    def for_arrays(gamma: Any, r_max: Any, eps_m_sup: Any) -> Any:
        value = published.simulation_lemma(gamma, r_max, eps_m_sup)
        return value.astype(np.float32) if isinstance(value, np.ndarray) else value

    bound = find("simulation-lemma")
    for formula in (for_floats, for_arrays):
        spoilt = replace(bound, formula=formula)
        assert found(lambda values, b=spoilt: check_forms(b, values), symbol_values(bound))
    passes(lambda values: check_forms(bound, values), symbol_values(bound))


# Mistakes in the recursion


def decay_copy(
    x: Any,
    c: Any,
    loss: Any,
    gamma: Any,
    length: Any,
    *,
    cut: int = 0,
    clamped: bool = True,
    first: int = 0,
) -> tuple[Any, Any]:
    """(Σ_{t<length} γᵗ x_t, x_length), written plainly; γ ≤ 1/2 or loss > 0, 100 steps at most.

    cut: how far off the time is at which nothing is left; clamped: whether x stays at 0 there;
    first: the time at which the sum starts.
    """
    steps, mass, total = 0, Fraction(x), Fraction(0)
    masses = []
    while steps < min(length, 100) and (mass > 0 or not clamped):
        masses.append(mass)
        mass = c * mass - loss
        steps += 1
    if mass <= 0 and clamped and cut:
        masses = masses[:cut] if cut < 0 else [*masses, *[mass] * cut]
    total = sum((gamma ** (t + first) * m for t, m in enumerate(masses)), Fraction(0))
    if loss == 0 and length == inf:
        total = gamma**first * x / (1 - gamma * c)
    return total, max(mass, Fraction(0)) if clamped else mass


DECAYS: dict[str, dict[str, Any]] = {
    "one step too few": {"cut": -1},
    "one step too many": {"cut": 1},
    "the clamp dropped": {"clamped": False},
    "the sum from t = 1": {"first": 1},
}


@pytest.mark.parametrize("mistake", DECAYS)
def test_a_mistake_in_decay_is_found(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def spoilt(*arguments: Any) -> tuple[Any, Any]:
        return decay_copy(*arguments, **DECAYS[mistake])

    examples = st.tuples(NUMBERS, st.integers(0, 30))
    passes(lambda e: check_decay(decay_copy, *e[0], e[1]), examples)
    assert found(lambda e: check_decay(spoilt, *e[0], e[1]), examples)
    for name, about in (("coupling-expected", "model"), ("coupling-data", "model")):
        value = value_of(name, about)
        monkeypatch.setattr(lost_mass, "decay", spoilt)
        assert found(lambda p, n=name, v=value: check_recursion(v, n, "model", p), SMALL)
        monkeypatch.undo()
        passes(lambda p, n=name, v=value: check_recursion(v, n, "model", p), SMALL)


def test_a_clamp_dropped_in_kappa_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coupling, "apply", lambda _, limit, x: x)
    value, examples = value_of("coupling-data", "model"), st.sampled_from(CLASHES)
    assert found(lambda p: check_recursion(value, "coupling-data", "model", p), examples)


@pytest.mark.parametrize("mistake", ["loss", "clamp", "first"])
def test_a_mistake_in_the_data_steps_is_found(
    mistake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = coupling.lost

    def spoilt(y: Any, gap: Any, loss: Any, gamma: Any, length: Any) -> Any:
        if length != inf:  # a model step
            return original(y, gap, loss, gamma, length)
        if mistake == "loss":
            return original(y, gap, 0, gamma, length)
        if mistake == "clamp":
            kept = (1 - y - loss * gamma / (1 - gamma)) / (1 - gamma * (1 - gap))
            return 1 / (1 - gamma) - kept, 1
        total, end = original(y, gap, loss, gamma, length)
        return gamma * total, end

    value = value_of("coupling-expected", "branched")
    passes(lambda p: check_recursion(value, "coupling-expected", "branched", p), SMALL)
    monkeypatch.setattr(coupling, "lost", spoilt)
    assert found(lambda p: check_recursion(value, "coupling-expected", "branched", p), SMALL)


def sup_copy(p: ErrorProfile, mistake: str = "") -> Any:
    """coupling-sup of branched rollouts, term by term up to k and a geometric series from there."""
    k, n = p.k, p.n - 1
    lengths = (k,) * n if p.opponent_lengths is None else p.opponent_lengths

    def alike(step: int) -> Any:
        pairs = list(zip(p.opponent_model, lengths, strict=True))
        if mistake == "an opponent forgotten":
            pairs = pairs[1:]
        to_the_end = mistake != "a model used throughout stops at k"
        return prod(1 - e for e, m in pairs if step <= m or (m == k and to_the_end))

    shifts = p.policy_shift[1:] if mistake == "the ego agent forgotten" else p.policy_shift
    q = prod(1 - e for e in shifts)
    x, total = Fraction(1), Fraction(0)
    early = mistake == "the reward with the policy of the step before"
    for t in range(k):
        total += p.gamma**t * alike(max(t, 1) if early else t + 1) * x
        x *= alike(t + 1) * (1 - p.model_sup)
    if mistake == "one model step more":
        x *= 1 - p.model_sup
    power = k + 1 if mistake == "k + 1 for k" else k
    total += p.gamma**power * alike(k + 1) * x / (1 - p.gamma * q)
    if mistake == "r_max for span":
        return p.r_max * (1 / (1 - p.gamma) - total)
    return p.span * (1 / (1 - p.gamma) - total)


@pytest.mark.parametrize(
    "mistake",
    [
        "an opponent forgotten",
        "the ego agent forgotten",
        "a model used throughout stops at k",
        "the reward with the policy of the step before",
        "one model step more",
        "k + 1 for k",
        "r_max for span",
    ],
)
def test_a_mistake_in_the_branched_recursion_is_found(mistake: str) -> None:
    name, about = "coupling-sup", "branched"
    passes(lambda p: check_recursion(sup_copy, name, about, p), SMALL)
    assert found(lambda p: check_recursion(lambda q: sup_copy(q, mistake), name, about, p), SMALL)


def test_sup_in_place_of_the_expected_error_is_found() -> None:
    def spoilt(p: ErrorProfile) -> Any:
        return value_of("coupling-sup", "model")(p.with_(model_sup=p.model_current))

    assert found(lambda p: check_recursion(spoilt, "coupling-expected", "model", p), SMALL)


def test_the_tempting_form_is_found() -> None:
    """c̄^{t+1}(1 − tε′_m)⁺, which treats action and model errors as independent."""

    def spoilt(p: ErrorProfile) -> Any:
        c_bar = prod(1 - e for e in p.opponent_model)
        kept = (p.gamma**t * c_bar ** (t + 1) * max(1 - t * p.model_current, 0) for t in range(60))
        return p.span * (1 / (1 - p.gamma) - sum(kept))

    assert found(lambda p: check_recursion(spoilt, "coupling-expected", "model", p), SMALL)


@pytest.mark.parametrize(("form", "about"), FORMS)
def test_a_coupling_bound_above_the_printed_ones_is_found(form: str, about: str) -> None:
    def get(name: str, which: str) -> Callable[[ErrorProfile], Any]:
        value = value_of(name, which)
        return (lambda p: 2 * value(p)) if (name, which) == (form, about) else value

    compared = (form, about) not in (("coupling-sup", "branched"), ("coupling-expected", "model"))
    assert found(lambda p: check_below_printed(get, p), profiles()) == compared


# Mistakes in reading numbers


def test_a_reader_that_trusts_python_is_found() -> None:
    """``Fraction`` reads underscores and foreign digits, and divides by zero in its own way."""

    def refused(text: str) -> bool:
        try:
            refusal(lambda text, _: Fraction(text), text, "here")
        except (ArithmeticError, ValueError, pytest.fail.Exception):
            return False
        return True

    short = [text for text in GARBAGE if len(text) < 6]
    assert len(short) > 20
    assert not any(map(refused, short))
