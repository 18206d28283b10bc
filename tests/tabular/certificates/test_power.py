"""The checker of certificates is held to its word: every small slip in it is found.

``tabular.verify`` is what a reader trusts, so its tests must have power: here it has to agree with
the library on what a certificate says, accept what is true, and reject what is not. For every
mutant (``tests.support.mutants``) of its functions it fails to, but for those in ``HARMLESS``.
"""

import json
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

import pytest
from sympy import primerange

from bounds.formula.symbols import read
from bounds.library.published import find
from tabular import verify
from tabular.cases.errors import measure, profile
from tabular.certificates import build
from tabular.certificates.build import opponent_term, refutation
from tabular.games.arrays import exact_array
from tests.support.case_laws import assert_the_checker_agrees, certificate
from tests.support.cases import latch, leak, seeded
from tests.support.mutants import assert_all_found

Certificate = dict[str, Any]
#: The quantities that a bound is made of.
NAMES = ("gamma", "k", "n", "r_max", "span", "eps_m", "eps_m_data", "eps_m_sup", "eps_pi_ego",
         "sum_eps_pi", "sum_eps_pi_opp", "eps_pi_joint", "sum_eps_hat", "max_eps_hat")  # fmt: skip


def with_statement(value: Certificate) -> Certificate:
    """``value`` with the statement that the checker itself makes."""
    return value | {"statement": verify.statement(value)}


def with_sides(value: Certificate) -> Certificate:
    """The same with the sides that it computes."""
    left, _, right = verify.check_game(value)
    return with_statement(value) | {"left": str(left), "right": str(right)}


def changed(value: Certificate, *path: Any, to: Any) -> Certificate:
    """A copy of ``value`` with another number at ``path``."""
    copied: Certificate = json.loads(json.dumps(value))
    place: Any = copied
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return copied


@cache
def true_ones() -> tuple[Certificate, ...]:
    """A refutation, an equality (the latch attains coupling-sup) twice, an opponent term."""
    sup = build._certificate("equality", latch(1), find("coupling-sup", "branched"), 0)
    # the error of the data's world is largest at t = 0, and so it is when t ≤ 2 was looked at too
    later = changed(sup, "proofs", "data", to={"t": 2, "majorant": ["12/175", "0"]})
    return (
        refutation(leak(), find("theorem1-printed")),
        refutation(leak(branch_length=5), find("theorem2-printed"), first_t=1),
        with_sides(sup),
        with_sides(later),
        opponent_term(5, [Fraction(1, 10), Fraction(1, 7)], Fraction(1)),
    )


@cache
def false_ones() -> tuple[tuple[Certificate, str], ...]:
    """What is not so, and what the checker says about it."""
    plain, _, equal, _, term = true_ones()
    low = {"t": 0, "majorant": ["1/200", "0"]}
    rising = changed(plain, "case", "transition", to=[[["0", "1"]], [["0", "1"]]])
    steep = {"t": 0, "majorant": ["1", "2"]}
    gap = equal["left"]
    # a root that is exact, but between other numbers too
    root = ["sqrt", ["*", gap, gap], "0", gap]
    return (
        (plain | {"left": "1"}, "left, right"),
        (plain | {"right": "0"}, "left, right"),
        (plain | {"kind": "proof"}, "is unknown"),
        (with_statement(plain | {"kind": "equality"}), "no such relation"),
        (with_statement(equal | {"kind": "refutation"}), "no such relation"),
        (with_statement(plain | {"bound": ["*", "r_max", "9"]}), "left, right"),
        (plain | {"proofs": {"data": low, "pi": low}}, "below"),
        (rising | {"proofs": {"data": steep, "pi": steep}}, "P h > h"),
        (with_statement(equal | {"bound": root}), "no such relation"),
        (plain | {"first_t": 2}, "first_t"),
        (plain | {"first_t": -1}, "first_t"),
        (changed(plain, "case", "initial", to=["1/2", "1/4"]), "not a distribution"),
        (changed(plain, "case", "initial", to=["3/2", "-1/2"]), "not a distribution"),
        (changed(plain, "case", "gamma", to="1"), "gamma"),
        (changed(plain, "case", "gamma", to="-1/2"), "gamma"),
        (changed(plain, "case", "opponent_models", to=[[["1"], ["1"]]]), "the ego agent has one"),
        (changed(plain, "case", "reward", 0, 0, to=0.5), "not an exact number"),
        (term | {"factor": "99"}, "left, right"),
    )


@cache
def all_quantities(seed: int) -> tuple[Certificate, Fraction]:
    """A certificate whose bound sums all quantities of a case, each with a prime; and that sum."""
    given = seeded(seed)
    errors = measure(given, max_horizon=10)
    known = profile(given, errors, proved=True)
    values = {name: Fraction(read(name, known, "branched")) for name in NAMES}
    values |= {f"eps_pi_{j}": e for j, e in enumerate(errors.policy_shift)}
    values |= {f"eps_hat_{j}": errors.opponent_model[j] for j in given.opponents}
    weights = dict(zip(values, primerange(100, 1000), strict=False))
    bound: Any = "0"
    for name, weight in weights.items():
        bound = ["+", bound, ["*", str(weight), name]]
    written = certificate(given, find("theorem2-normalised"), 0)
    return written | {"bound": bound}, sum(weights[n] * values[n] for n in values)


@cache
def what_may_be_left_out() -> tuple[Certificate, Certificate]:
    """A certificate on a case whose data policies are π and whose T̂ is T; and without the two."""
    given = seeded(3)
    same = replace(given, data_policies=given.policies, model_transition=given.transition)
    full = certificate(same, find("theorem2-normalised"), 0)
    left = full["case"].keys() - {"data_policies", "model_transition"}
    return full, full | {"case": {key: full["case"][key] for key in left}}


@cache
def a_repetition() -> Certificate:
    """Two states change places, so the error is 1/4, 3/4, 1/4, …: no majorant proves that."""
    quarter, swap = Fraction(1, 4), exact_array([[[0, 1]], [[1, 0]]])
    model = swap.copy()
    model[1] = exact_array([[0, 1]])
    initial = exact_array([1 - quarter, quarter])
    given = leak(initial=initial, transition=swap, model_transition=model, branch_length=1)
    return certificate(given, find("theorem1-printed"), 0) | {"bound": "eps_m"}


def of_the_checker() -> None:
    """What takes little comes first: most mutants are found soon."""
    for value in true_ones():
        assert verify.verify(value) == (Fraction(value["left"]), Fraction(value["right"]))
    for value, why in false_ones():
        with pytest.raises(verify.Rejected, match=why):
            verify.verify(value)
    for seed in (3, 10):
        value, total = all_quantities(seed)
        assert verify.check_game(value)[2] == total
    assert verify.check_game(a_repetition())[2] == Fraction(3, 4)
    full, short = what_may_be_left_out()
    assert verify.check_game(short) == verify.check_game(full)
    for seed in (7, 1, 2, 0):
        for name in ("theorem1-normalised", "theorem2-normalised"):
            assert_the_checker_agrees(seeded(seed), find(name), seed % 2)


def test_the_law_holds() -> None:
    of_the_checker()


#: The arithmetic; that no demand may be missing is in ``test_forged``.
FUNCTIONS = (
    verify.dot, verify.push, verify.tv, verify.joint, verify.chain, verify.solve,
    verify.branched_return,
)  # fmt: skip

#: Why a mutant changes nothing that a certificate could show ↦ such mutants.
HARMLESS = {
    "whole numbers are exact": ("dot call 2", "branched_return call 0"),
    "only faster": ("solve condition 3", "solve number 2", "solve number 3"),
}  # fmt: skip


def test_every_mutant_is_found() -> None:
    assert_all_found(of_the_checker, FUNCTIONS, HARMLESS)
