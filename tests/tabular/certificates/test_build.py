"""Certificates: true ones are accepted, false ones are not, and two programs agree on both sides.

``tabular.verify`` shares no code with the library, so their agreement on random exact cases tests
both.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from bounds.formula.bound import Bound
from bounds.formula.symbols import read
from bounds.formula.tree import tree
from bounds.library.published import BOUNDS, find
from bounds.shared.numbers import Array, InputError
from tabular import verify
from tabular.cases.case import Case, as_float
from tabular.cases.check import check
from tabular.cases.errors import measure, profile
from tabular.cases.files import parse_case
from tabular.cases.returns import branched_return, model_return, real_return
from tabular.cases.strategies import cases, distributions
from tabular.certificates import build
from tabular.certificates.build import opponent_term, rationalised, refutation, save
from tabular.certificates.write import certify
from tabular.games.arrays import exact_array
from tabular.search.evolution import Shape, evolve, simplest_refutation
from tests.support.case_laws import (
    assert_the_checker_agrees,
)
from tests.support.cases import latch, leak

ROOT = Path(__file__).parents[3]
Certificate = dict[str, Any]


def careless_latch(lengths: tuple[int | None, ...] | None = None) -> Case:
    """A latch of two agents with small errors of every kind: it refutes Theorem 2 as printed."""

    def erring(e: Fraction) -> Array:
        return exact_array([[1 - e, e], [1, 0]])

    given = latch(3)
    model = given.transition.copy()
    model[0, 0] = exact_array([Fraction(99, 100), Fraction(1, 100)])
    return replace(
        given,
        data_policies=(erring(Fraction(1, 100)), erring(Fraction(1, 50))),
        model_transition=model,
        opponent_models=(None, erring(Fraction(1, 50))),
        opponent_lengths=lengths,
    )


@cache
def examples() -> tuple[Certificate, ...]:
    """Refutations of both theorems as printed: both returns, both starts of the sum, lengths."""
    one, two = find("theorem1-printed"), find("theorem2-printed")
    cases_of = (
        (leak(), one, 0),
        (leak(), one, 1),
        (leak(branch_length=5), two, 0),
        (careless_latch(), two, 1),
        (careless_latch((None, 1)), two, 0),
    )
    return tuple(refutation(case, bound, first_t=t) for case, bound, t in cases_of)


def reread(value: Certificate) -> Certificate:
    """A deep copy through JSON, as a checker gets it."""
    copied: Certificate = json.loads(json.dumps(value))
    return copied


def outcome(value: Certificate) -> tuple[Fraction, Fraction] | None:
    """Both sides where the checker accepts; None where it rejects or cannot read."""
    try:
        left, right = verify.verify(reread(value))
    except Exception:  # main maps Rejected to exit code 1 and all others to 2
        return None
    return left, right


# True certificates


def test_refutations_are_accepted() -> None:
    for value in examples():
        left, right = verify.verify(reread(value))
        assert left > right
        assert [left, right] == [Fraction(value["left"]), Fraction(value["right"])]


def test_what_a_refutation_says() -> None:
    case, bound = leak(), find("theorem1-printed")
    found = check(case, [bound]).verdicts[0]
    for first_t in (0, 1):
        value = refutation(case, bound, first_t=first_t)
        assert (value["format"], value["kind"]) == ("bound-certificate/1", "refutation")
        assert (value["claim"], value["source"]) == (bound.name, bound.source)
        assert (value["about"], value["convention"]) == ("model", "unnormalised")
        assert value["first_t"] == first_t
        assert value["bound"] == tree(bound)
        assert Fraction(value["left"]) == case.gamma**first_t * found.discrepancy
        assert Fraction(value["right"]) == found.value
        assert ("gamma * (real" in value["statement"]) == (first_t == 1)
        assert "model return) > " in value["statement"]


def test_the_sign_is_turned_where_the_model_earns_more() -> None:
    bound = find("theorem1-printed")
    plain = refutation(leak(), bound)
    turned = refutation(leak(reward=-leak().reward), bound)
    assert turned == plain


def test_a_sum_over_a_recursion_has_no_certificate() -> None:
    """A bound without a formula, such as coupling-data, cannot be written as a tree."""
    with pytest.raises(InputError, match="sum over a recursion"):
        refutation(leak(), find("coupling-data"))


def test_a_refutation_that_rounding_loses_is_reported(tmp_path: Path) -> None:
    """The float case refutes by less than the 10⁻⁶ to which its numbers are rounded."""
    bound = replace(
        find("theorem1-printed"),
        name="tight",
        formula=lambda r_max: r_max * Fraction(638655, 10**5),
    )
    near = as_float(leak(reward=leak().reward * Fraction(1, 10**7)))
    name, why = certify(near, bound, tmp_path, "case")
    assert name == "tight"
    assert why.startswith("no certificate (")
    assert not list(tmp_path.iterdir())


def test_what_is_not_refuted_has_no_certificate() -> None:
    with pytest.raises(InputError, match="theorem1-normalised: this case does not refute it"):
        refutation(leak(), find("theorem1-normalised"))
    with pytest.raises(InputError, match="theorem2-printed: does not apply to this case"):
        refutation(leak(), find("theorem2-printed"))
    with pytest.raises(InputError, match="needs an exact case"):
        refutation(as_float(leak()), find("theorem1-printed"))


@pytest.mark.parametrize("number", range(5))
def test_the_checker_runs_alone(number: int, tmp_path: Path) -> None:
    """python -I -S: no environment, no site-packages, no project on the path."""
    path = save(examples()[number], tmp_path / "certificate.json")
    command = [sys.executable, "-I", "-S", str(ROOT / "tabular" / "verify.py")]
    run = partial(subprocess.run, cwd=tmp_path, capture_output=True, text=True, check=False)
    accepted = run([*command, str(path)])
    assert (accepted.returncode, accepted.stderr) == (0, "")
    assert accepted.stdout.startswith(f"accepted: {examples()[number]['statement']}: ")
    false = tmp_path / "false.json"
    false.write_text(json.dumps(examples()[number] | {"right": "0"}))
    rejected = run([*command, str(false)])
    assert (rejected.returncode, rejected.stdout) == (1, "")
    assert rejected.stderr.startswith("rejected: ")
    for data in ("{", "[]", "{}", "17"):
        false.write_text(data)
        unreadable = run([*command, str(false)])
        assert (unreadable.returncode, unreadable.stdout) == (2, "")
        assert unreadable.stderr.startswith("not a certificate: ")
        assert len(unreadable.stderr.splitlines()) == 1
    assert run([*command, str(tmp_path / "absent")]).returncode == 2
    assert run(command).returncode == 2


def test_only_true_certificates_are_saved(tmp_path: Path) -> None:
    with pytest.raises(verify.Rejected):
        save(examples()[0] | {"right": "0"}, tmp_path / "false.json")
    assert not list(tmp_path.iterdir())
    path = save(examples()[0], tmp_path / "true.json")
    with pytest.raises(InputError, match="exists"):
        save(examples()[0], path)
    assert save(examples()[1], path, replace=True) == path
    assert json.loads(path.read_text()) == examples()[1]


# Tampering


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    return [path, *(found for key, x in items for found in places(x, (*path, key)))]


OTHER: tuple[Any, ...] = (
    "0", "1", "1/2", "-1", "2", "99/100", 0, 1, 2, -1, None, [], {}, "gamma", "eps_m", "r_max", "k",
    "span", "+", "-", "*", "/", "**", "model", "branched", "normalised", "unnormalised",
    "refutation", "equality", "opponent-term",
)  # fmt: skip
FREE_TEXT = {"claim", "source"}


@st.composite
def tampered(draw: st.DrawFn) -> tuple[Certificate, Certificate, tuple[Any, ...]]:
    """A certificate, itself with one thing changed, and where."""
    original = draw(st.sampled_from(examples()))
    value = reread(original)
    top = draw(st.sampled_from(sorted(value)))  # small fields as often as the large case
    path = (top, *draw(st.sampled_from(places(value[top]))))
    parent: Any = value
    for step in path[:-1]:
        parent = parent[step]
    old = parent[path[-1]]
    change = draw(st.sampled_from(("other", "near", "delete")))
    if change == "delete":
        del parent[path[-1]]
    elif change == "near" and isinstance(old, str) and old[-1:].isdigit() and "-c" not in old:
        parent[path[-1]] = str(Fraction(old) + draw(st.sampled_from([1, -1])) * Fraction(1, 7))
    else:
        new = draw(st.sampled_from(OTHER))
        assume(new != old)
        parent[path[-1]] = new
    return original, value, path


def value_of(node: Any, names: Callable[[str], Fraction]) -> Fraction:
    if not isinstance(node, list):
        return names(node) if str(node).isidentifier() else Fraction(node)
    left, right = (value_of(part, names) for part in node[1:])
    return {
        "+": lambda: left + right,
        "-": lambda: left - right,
        "*": lambda: left * right,
        "/": lambda: left / right,
        "**": lambda: left**right,
    }[node[0]]()


def recomputed(value: Certificate) -> tuple[Fraction, Fraction]:
    """Both sides by the library, which knows nothing of the checker."""
    case = parse_case(value["case"])
    errors = profile(case, measure(case), proved=True)
    gap = real_return(case) - {"model": model_return, "branched": branched_return}[value["about"]](
        case
    )
    scale = {"unnormalised": 1, "normalised": 1 - case.gamma}[value["convention"]]
    right = value_of(value["bound"], lambda name: Fraction(read(name, errors, value["about"])))
    return scale * case.gamma ** value["first_t"] * gap, right


@given(tampered())
def test_tampering_is_found_out_or_the_claim_is_still_true(
    drawn: tuple[Certificate, Certificate, tuple[Any, ...]],
) -> None:
    original, value, path = drawn
    sides = outcome(value)
    if path[0] in FREE_TEXT and isinstance(value.get(path[0]), str):
        assert sides is not None
    if path[0] in (
        "left",
        "right",
        "kind",
        "format",
        "first_t",
        "convention",
        "about",
        "statement",
    ):
        assert sides is None, path
    if sides is None or path[0] in FREE_TEXT:
        return
    try:
        again = recomputed(value)
    except InputError:
        # the library reads more strictly, for instance the lengths of the ego agent: what it
        # refuses and the checker does not may not have changed a number
        again = recomputed(original)
    assert sides == again
    assert sides[0] > sides[1]


@given(st.sampled_from(range(5)), st.data())
def test_a_changed_number_of_the_game_is_found_out(number: int, data: st.DataObject) -> None:
    """Rewards that matter and γ: a change changes a side, so the recorded sides are false."""
    value = reread(examples()[number])
    key = data.draw(st.sampled_from(["reward", "gamma", "initial"]))
    if key == "reward":
        value["case"]["reward"][0][0] = str(Fraction(value["case"]["reward"][0][0]) + 1)
    elif key == "gamma":
        value["case"]["gamma"] = str(Fraction(value["case"]["gamma"]) / 2)
    else:
        value["case"]["initial"] = value["case"]["initial"][::-1]
    assert outcome(value) is None


def test_a_proof_that_proves_nothing_is_rejected() -> None:
    """A smaller majorant would make ε_m smaller, and so the bound."""
    value = reread(examples()[0])
    proof = value["proofs"]["data"]
    assert proof["majorant"] is not None
    for majorant in (["0", "0"], [str(Fraction(h) / 2) for h in proof["majorant"]]):
        false = reread(value)
        false["proofs"]["data"]["majorant"] = majorant
        with pytest.raises(verify.Rejected, match="majorant"):
            verify.verify(false)
    rising = reread(value)  # above Pᵗe, but not superharmonic: P h > h in the first state
    rising["case"]["transition"] = [[["0", "1"]], [["0", "1"]]]
    rising["proofs"] = {who: {"t": 0, "majorant": ["1", "2"]} for who in ("data", "pi")}
    with pytest.raises(verify.Rejected, match="P h > h"):
        verify.verify(rising)


@pytest.mark.parametrize(
    "change",
    [
        {"first_t": -50},
        {"first_t": "1/2"},
        {"kind": "proof"},
        {"about": "some"},
        {"convention": "other"},
    ],
    ids=str,
)
def test_fields_outside_the_format_are_not_accepted(change: dict[str, Any]) -> None:
    """Also where both sides are recorded as the checker itself computes them."""
    for base in examples()[::2]:
        value = reread(base) | change
        try:
            left, right = verify.check_game(value)
        except Exception:  # unusable already
            continue
        value |= {"left": str(left), "right": str(right)}
        assert outcome(value) is None


def test_a_valid_bound_cannot_be_refuted_by_shifting_the_sum() -> None:
    """γ to a negative power exceeds everything; a sum starts at t = 0 or t = 1."""
    case, bound = leak(), find("theorem1-normalised")
    gap = (1 - case.gamma) * (real_return(case) - model_return(case))
    right = check(case, [bound]).verdicts[0].value
    left = case.gamma**-400 * gap
    assert left > right > gap
    value = build._certificate("refutation", case, bound, -400)
    assert outcome(value | {"left": str(left), "right": str(right)}) is None


def test_an_equality_needs_errors_that_are_attained() -> None:
    """A majorant that is too large proves ≤, not =: here it turns ε_m = 1/100 into half the gap."""
    case, bound = leak(), find("theorem1-printed")
    gap = real_return(case) - model_return(case)
    value = build._certificate("equality", case, bound, 0)
    value["bound"] = ["*", "2", "eps_m"]
    loose = [str(gap / 2)] * 2
    value["proofs"] = {who: {"t": 0, "majorant": loose} for who in ("data", "pi")}
    assert outcome(value | {"left": str(gap), "right": str(gap)}) is None


def test_a_number_that_would_take_for_ever_is_not_read(tmp_path: Path) -> None:
    """The exponent of a decimal would make 10**10**9."""
    value = reread(examples()[0])
    value["case"]["reward"][0][0] = "1e1000000000"
    path = tmp_path / "certificate.json"
    path.write_text(json.dumps(value))
    command = [sys.executable, "-I", "-S", str(ROOT / "tabular" / "verify.py"), str(path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode in (1, 2)
    assert "1e1000000000" in run.stderr


# Two programs, one answer


def tree_bounds() -> list[Bound]:
    return [bound for bound in BOUNDS if bound.symbols]


@given(cases(branched=True), st.integers(0, 1))
def test_the_checker_agrees_with_the_library_on_every_bound(given: Case, first_t: int) -> None:
    for bound in tree_bounds()[first_t::2]:
        assert_the_checker_agrees(given, bound, first_t)


@given(cases(branched=True, actions=(2, 1, 2)), st.sampled_from(tree_bounds()), st.integers(0, 1))
def test_the_checker_agrees_on_three_agents(given: Case, bound: Bound, first_t: int) -> None:
    assert_the_checker_agrees(given, bound, first_t)


def test_a_repetition_is_a_proof() -> None:
    """Two states change places: the error is 1/4, 3/4, 1/4, …, and every majorant is 1."""
    quarter, swap = Fraction(1, 4), exact_array([[[0, 1]], [[1, 0]]])
    model = swap.copy()
    model[1] = exact_array([[0, 1]])
    case = leak(
        initial=exact_array([1 - quarter, quarter]),
        transition=swap,
        model_transition=model,
        branch_length=1,
    )
    bound = find("theorem1-printed")
    value = build._certificate("refutation", case, bound, 0)
    assert value["proofs"]["pi"] == value["proofs"]["data"] == {"t": 2, "majorant": None}
    names = verify.check_game(value | {"bound": "eps_m"})
    assert names[1] == names[2] == measure(case).current.value == 1 - quarter
    assert_the_checker_agrees(case, bound, 0)
    one = {who: {"t": 1, "majorant": None} for who in ("pi", "data")}
    with pytest.raises(verify.Rejected, match="majorant: not 2 entries"):
        verify.check_game(value | {"proofs": one})


# Section 5.1's opponent term

some_errors = st.lists(
    st.sampled_from([Fraction(1, d) for d in (1, 2, 3, 10, 100)]), min_size=1, max_size=4
)


def opponent_ratio(k: int, errors: list[Fraction]) -> Fraction:
    """Σ(nⱼ+1)ε_π̂ʲ over (n−1) k min ε_π̂ with nⱼ = ⌊k min ε_π̂ / ε_π̂ʲ⌋, by a loop."""
    least, total = min(errors), Fraction(0)
    for e in errors:
        n = max(n for n in range(k + 1) if n * e <= k * least)
        total += (n + 1) * e
    return total / (len(errors) * k * least)


@given(st.integers(1, 12), some_errors)
def test_the_opponent_term_certificate(k: int, errors: list[Fraction]) -> None:
    ratio = opponent_ratio(k, errors)
    value = opponent_term(k, errors, ratio * Fraction(99, 100))
    left, right = verify.verify(reread(value))
    assert left / right == Fraction(100, 99)
    with pytest.raises(InputError, match="do not exceed the factor"):
        opponent_term(k, errors, ratio)


def test_tampered_opponent_terms_are_rejected() -> None:
    value = opponent_term(10, [Fraction(1, 10), Fraction(1)], Fraction(1))
    assert outcome(value) is not None
    for change in (
        {"k": 11}, {"factor": "3"}, {"left": "3"}, {"right": "1"},
        {"kind": "refutation"}, {"kind": "equality"}, {"format": "bound-certificate/2"},
        {"opponent_model": ["1/10", "1/2"]}, {"opponent_model": ["0", "1"]}, {"opponent_model": []},
    ):  # fmt: skip
        assert outcome(value | change) is None


def test_errors_of_zero_have_no_opponent_term() -> None:
    """⌊k · 0/0⌋ is no number; a user learns that in one line."""
    with pytest.raises(InputError, match="opponent_model"):
        opponent_term(3, [Fraction(0), Fraction(1, 2)], Fraction(1))


# Rounding to rationals


@given(cases(exact=False), st.sampled_from([5, 100, 10**6]))
def test_rationalised_cases_are_exact_and_near(given: Case, denominator: int) -> None:
    found = rationalised(given, denominator)
    assert found.is_exact
    assert 0 <= found.gamma < 1
    # each entry moves by half a step, the largest of a row by what all others together do
    step = 0.5 * max(given.n_states, *given.actions) / denominator + 1e-9
    for one, other in (
        (given.initial, found.initial),
        (given.transition, found.transition),
        (given.model_transition, found.model_transition),
        *zip(given.policies, found.policies, strict=True),
        *zip(given.data_policies, found.data_policies, strict=True),
    ):
        assert np.abs(one - other.astype(float)).max() <= step
    assert np.abs(given.reward - found.reward.astype(float)).max() <= 0.5 / denominator + 1e-9


@given(
    st.integers(5, 12).flatmap(lambda size: distributions(size, exact=False)),
    st.sampled_from([2, 5, 10]),
)
@example(np.full(9, 1 / 9), 5)
def test_wide_distributions_are_rationalised_too(initial: Array, denominator: int) -> None:
    """Nine probabilities of 0.11 all round up to 1/5, and the largest has to make up for it."""
    n = len(initial)
    given = replace(
        as_float(leak()),
        initial=initial,
        transition=np.tile(initial, (n, 1, 1)),
        model_transition=np.tile(initial, (n, 1, 1)),
        reward=np.zeros((n, 1)),
        policies=(np.ones((n, 1)),),
        data_policies=(np.ones((n, 1)),),
    )
    assert rationalised(given, denominator).initial.sum() == 1


# Searching


@pytest.mark.parametrize(
    ("name", "shape", "seed"),
    [
        ("theorem1-printed", Shape(2, (1, 1), Fraction(9, 10), 1), 0),
        ("theorem2-printed", Shape(2, (1, 1), Fraction(9, 10), 1), 1),
        ("theorem2-printed", Shape(2, (2, 2), Fraction(9, 10), 1), 2),
    ],
)
def test_the_search_refutes_the_theorems_as_printed(
    name: str, shape: Shape, seed: int, tmp_path: Path
) -> None:
    """From random games to a certificate, for the paper's sum from t = 1 as well."""
    bound = find(name)

    def refutes(case: Case) -> bool:
        verdict = check(case, [bound]).verdicts[0]
        return bool(case.gamma * verdict.discrepancy > verdict.value and verdict.refuted)

    rng = np.random.default_rng(seed)
    found = evolve(bound, shape, rng, population=200, generations=15)
    assert found.ratio > 1
    assert found.games == 200 * 15
    exact = simplest_refutation(found.case, refutes)
    assert exact is not None
    for first_t in (0, 1):
        value = refutation(exact, bound, first_t=first_t)
        assert verify.main([str(save(value, tmp_path / f"{first_t}.json"))]) == 0


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    "bound", [b for b in BOUNDS if b.valid], ids=lambda b: f"{b.name}-{b.about}"
)
def test_the_search_finds_nothing_against_valid_bounds(bound: Bound, seed: int) -> None:
    shape = Shape(2, (2, 2), Fraction(9, 10), 1 + seed, (None, seed))
    found = evolve(
        bound,
        shape,
        np.random.default_rng(seed),
        population=100,
        generations=6,
        exact_opponents=bound.exact_opponents,
    )
    # a bound is scored where it is at least 1/100 of the largest discrepancy; rounding, less than
    # 1e-9 of the largest, is less than 1e-7 of it
    assert 0 < found.ratio <= 1 + 1e-7


def test_the_search_is_reproducible() -> None:
    bound, shape = find("theorem1-printed"), Shape(2, (2,), Fraction(1, 2), 1)
    one, other = (
        evolve(bound, shape, np.random.default_rng(3), population=30, generations=4)
        for _ in range(2)
    )
    assert one.ratio == other.ratio
    assert (one.case.transition == other.case.transition).all()


def test_a_case_that_does_not_refute_is_not_made_to() -> None:
    assert simplest_refutation(as_float(leak()), lambda _: False) is None


def test_simplifying_keeps_the_refutation_and_drops_what_it_does_not_need() -> None:
    bound = find("theorem1-printed")

    def refutes(case: Case) -> bool:
        return bool(check(case, [bound]).verdicts[0].refuted)

    messy = as_float(careless_latch())
    assert refutes(rationalised(messy))
    plain = simplest_refutation(messy, refutes)
    assert plain is not None
    assert refutes(plain)
    assert plain.data_policies is plain.policies
    entries = [
        x for a in (plain.transition, plain.model_transition, plain.reward) for x in a.ravel()
    ]
    assert max(x.denominator for x in entries) <= 100
