"""The suite has power: planted mistakes are found, and so is a counterexample to Theorem 1.

Every mutant is a small change of one line of the code, planted wherever the function is known. The
properties are those of the other test files, on seeded cases; each must hold for the code as it is
and fail for its mutants.
"""

import __future__

import importlib
import inspect
import sys
import textwrap
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings

from bounds.formula.error_profile import ErrorProfile
from bounds.library.published import find as find_bound
from bounds.shared.numbers import InputError
from tabular.cases.case import Case
from tabular.cases.check import Check, check
from tabular.cases.perturb import perturbed_case
from tabular.cases.strategies import cases, distributions, games, profiles
from tabular.cases.time_suprema import expected_error
from tabular.games.arrays import exact_array
from tabular.games.random import garnet
from tabular.verify import Rejected
from tests.support.case_laws import (
    assert_branched_return_is_its_definition,
    assert_errors_are_their_definitions,
    assert_maximum_over_time,
    assert_returns_are_sums,
    assert_simulation_finds_each_return,
    assert_the_checker_agrees,
    assert_valid_bounds_hold,
)
from tests.support.cases import clock, latch, leak, sampled_case

HALF = Fraction(1, 2)


# Cases that are always the same


@cache
def seeded(seed: int) -> Case:
    """Two or three agents, unequal actions, every error large, k = 0..3, lengths of every kind."""
    rng = np.random.default_rng(seed)
    actions = ((2, 3), (2, 2, 2), (3, 2))[seed % 3]
    ego, k = seed % len(actions), seed % 4
    lengths = None
    if seed % 2:
        lengths = [None if j == ego else int(rng.integers(k + 1)) for j in range(len(actions))]
    error = Fraction(1 + seed % 3, 4)
    game, other = (garnet(actions, 3, 2, rng, exact=True, gamma=HALF) for _ in range(2))
    case = perturbed_case(
        game,
        rng,
        ego=ego,
        policy_shift=1 - error,
        opponent_error=error,
        branch_length=k,
        opponent_lengths=lengths,
    )
    # model errors that differ between states and actions, unlike those of perturbed_case
    weight = exact_array(rng.integers(0, 5, size=(*game.transition.shape[:2], 1))) / 4
    model = (1 - weight) * game.transition + weight * other.transition
    return replace(case, model_transition=model)


def on_seeded(property_of: Callable[[Case], None]) -> Callable[[], None]:
    def everywhere() -> None:
        for seed in range(12):
            property_of(seeded(seed))

    return everywhere


returns = on_seeded(assert_returns_are_sums)
branched = on_seeded(assert_branched_return_is_its_definition)
errors = on_seeded(assert_errors_are_their_definitions)


def maxima() -> None:
    """Chains that rise, fall, cycle, leave for one of two ends; and whose supremum is reached."""
    quarter, third = Fraction(1, 4), Fraction(1, 3)
    bump = [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1 - quarter, quarter], [0, 0, 0, 1]]
    for matrix, error, reached in (
        ([[HALF, HALF], [0, 1]], [0, 1], False),
        ([[HALF, HALF], [0, 1]], [1, 0], True),
        ([[0, 1, 0], [0, 0, 1], [1, 0, 0]], [0, 0, 1], True),
        ([[0, quarter, 1 - quarter], [0, 1, 0], [0, 0, 1]], [third, 1, 0], True),
        ([[0, 1, 0], [0, 0, 1], [0, 0, 1]], [0, 1, third], True),
        (bump, [0, HALF, 0, 1], False),
        (bump, [0, 1, 0, third], True),
    ):
        initial = exact_array([1] + [0] * (len(error) - 1))
        drawn = (initial, exact_array(matrix), exact_array(error))
        for limit in (*range(6), 40):
            assert_maximum_over_time(drawn, limit)
        assert (expected_error(*drawn, max_horizon=40).horizon is None) == reached


def validity() -> None:
    """Valid bounds on the games that attain them and on seeded ones."""
    for case in (latch(0), latch(3), clock(3, 2), leak(branch_length=4)):
        assert_valid_bounds_hold(case)
    on_seeded(assert_valid_bounds_hold)()


def agreement() -> None:
    names = ("theorem1-normalised", "theorem2-normalised", "theorem2-opponent-wise", "mbpo-4.1")
    for seed in range(12):
        for name in names:
            if name != "theorem2-opponent-wise" or seeded(seed).opponent_lengths is not None:
                assert_the_checker_agrees(seeded(seed), find_bound(name), seed % 2)


def verdicts() -> None:
    """What ``check`` compares, from the returns and errors it measured."""
    for seed in range(12):
        found = check(seeded(seed), max_horizon=6)
        for verdict in found.verdicts:
            other = found.model if verdict.bound.about == "model" else found.branched
            scale = HALF if verdict.bound.convention == "normalised" else 1  # 1 − γ = 1/2
            assert verdict.discrepancy == scale * abs(found.real - other)
            assert verdict.vacuous == (verdict.value >= scale * 2 * found.errors.span)
            assert verdict.holds == (verdict.discrepancy <= verdict.value)


def simulation() -> None:
    assert_simulation_finds_each_return(sampled_case(2), 2)
    assert_simulation_finds_each_return(clock(2, 1), 0)


PROPERTIES = {
    "returns": returns,
    "branched": branched,
    "errors": errors,
    "maxima": maxima,
    "validity": validity,
    "agreement": agreement,
    "verdicts": verdicts,
    "simulation": simulation,
}


@pytest.mark.parametrize("name", PROPERTIES)
def test_the_properties_hold(name: str) -> None:
    PROPERTIES[name]()


# Mutants: module, function, the text of the mistake, and what must notice it

EVALUATION, CASE, DIVERGENCE = "tabular.cases.returns", "tabular.cases.case", "tabular.cases.errors"
HORIZON, CHECK, COUPLING = (
    "tabular.cases.time_suprema",
    "tabular.cases.check",
    "bounds.library.coupling",
)

MUTANTS: dict[str, tuple[str, str, str, str, Callable[[], None]]] = {
    "γ dropped between early times": (
        EVALUATION, "branched_return", "weight = weight * case.gamma", "weight = weight", branched,
    ),
    "γ dropped for late times": (
        EVALUATION, "branched_return", "weight * case.gamma * dot", "weight * dot", branched,
    ),
    "k + 1 model steps for k": (
        EVALUATION, "branched_return", "[*changes, k]", "[*changes, k + 1]", branched,
    ),
    "k for k + 1 in the exponent of Theorem 2": (
        "tabular.verify", "branched_return", "gamma ** (k + 1)", "gamma ** k", agreement,
    ),
    "current policies before the branch": (
        EVALUATION, "branched_return", "case.joint_data", "case.joint", branched,
    ),
    "data policies after the branch": (
        CASE, "Case.joint_after_branch", "replaced(self.policies", "replaced(self.data_policies",
        branched,
    ),
    "ε′_m measured under the data policies": (
        DIVERGENCE, "measure", "current = expected(case.joint)",
        "current = expected(case.joint_data)", errors,
    ),
    "ε_m measured under the current policies": (
        DIVERGENCE, "measure", "else expected(case.joint_data)", "else current", errors,
    ),
    "an agent forgotten in the joint policy": (
        "tabular.games.policy", "joint_policy", "joint[..., :, None] * policy[..., None, :]",
        "joint[..., :, None] + 0 * policy[..., None, :]", returns,
    ),
    "an agent that plays uniformly": (
        "tabular.games.policy", "joint_policy", "policy[..., None, :]",
        "(policy * 0 + Fraction(1, policy.shape[-1]))[..., None, :]", returns,
    ),
    "joint actions in the other order": (
        "tabular.games.policy", "joint_policy", "joint[..., :, None] * policy[..., None, :]",
        "joint[..., None, :] * policy[..., :, None]", returns,
    ),
    "mean instead of max over states": (
        DIVERGENCE, "measure", ".max(axis=-1)", ".mean(axis=-1)", errors,
    ),
    "sup for expected": (
        DIVERGENCE, "measure", "error = induced_reward(divergence, joint)",
        "error = induced_reward(divergence * 0 + divergence.max(), joint)", errors,
    ),
    "expected error in the learned dynamics": (
        DIVERGENCE, "measure", "induced_transition(case.transition, joint)",
        "induced_transition(case.model_transition, joint)", errors,
    ),
    "½ forgotten": (
        DIVERGENCE, "total_variation", ".sum(axis=-1) / 2", ".sum(axis=-1)", errors,
    ),
    "span for r_max": (
        DIVERGENCE, "measure", "largest(np.abs(case.reward), 2)", "top - bottom", errors,
    ),
    "nⱼ off by one": (
        CASE, "Case.joint_after_branch", "step <= length", "step < length", branched,
    ),
    "nⱼ = k ends with the last step": (
        CASE, "Case.joint_after_branch", " or length == k", "", branched,
    ),
    "real opponents in the model": (
        CASE, "Case.joint_model", "replaced(self.policies, self.opponent_models)",
        "self.policies", returns,
    ),
    "real opponents after the branch": (
        CASE, "Case.joint_after_branch", "model if step <= length or length == k else None",
        "None", branched,
    ),
    "T for T̂ after the branch": (
        EVALUATION, "branched_return", "case.model_transition", "case.transition", branched,
    ),
    "T for T̂ in the model return": (
        EVALUATION, "state_values", "case.model_transition if model", "case.transition if model",
        returns,
    ),
    "initial distribution ignored": (
        EVALUATION, "real_return", "dot(case.initial, state_values(case))", "state_values(case)[0]",
        returns,
    ),
    "the branched return forgets the data occupancy": (
        EVALUATION, "branched_return", "case.initial, matrix_data, case.gamma",
        "case.initial, 0 * matrix_data, case.gamma", branched,
    ),
    "only the first time is looked at": (
        HORIZON, "expected_error", "t == max_horizon or", "True or", maxima,
    ),
    "any second time counts as a repetition": (
        HORIZON, "expected_error", "if key in seen:", "if seen:", maxima,
    ),
    "the last value for the largest": (
        HORIZON, "expected_error", "value = max(value, _total(distribution, error))",
        "value = _total(distribution, error)", maxima,
    ),
    "a majorant that is not lifted": (
        HORIZON, "_majorants", "h = h + lift", "pass", maxima,
    ),
    "a majorant that takes the least of a class": (
        HORIZON, "_majorants", "g[c].max()", "g[c].min()", maxima,
    ),
    "every convention compared alike": (
        CHECK, "check", "gap = gap * (1 - case.gamma)", "pass", verdicts,
    ),
    "the other return compared": (
        CHECK, "check", 'bound.about == "model"', 'bound.about != "model"', verdicts,
    ),
    "no model error in coupling-sup": (
        COUPLING, "sup", "keep=1 - error", "keep=1", validity,
    ),
    "the last action's opponents forgotten": (
        COUPLING, "_bound", "gamma**k * last *", "gamma**k *", validity,
    ),
    "model steps that lose half": (
        COUPLING, "expected", "lose=error", "lose=error / 2", validity,
    ),
    "the checker plays models for one step less": (
        "tabular.verify", "branched_return", "step <= n", "step < n", agreement,
    ),
    "the checker takes the error in T̂": (
        "tabular.verify", "quantities", '(game["T"], error)', '(game["T_hat"], error)',
        agreement,
    ),
    "simulation branches one step early": (
        "tabular.cases.monte_carlo", "simulate", "times - k", "times - k - 1", simulation,
    ),
    "simulation plays real opponents": (
        "tabular.cases.monte_carlo", "_world",
        "model if step <= length or length == k else None", "None",
        simulation,
    ),
    "simulation never leaves the model's start": (
        "tabular.cases.monte_carlo", "simulate", "states[moving] = _draw", "_ = _draw", simulation,
    ),
}  # fmt: skip


def mutated(owner: Any, name: str, module: Any, old: str, new: str) -> Any:
    """The function ``owner.name`` with ``old`` replaced by ``new`` in its source."""
    function = inspect.getattr_static(owner, name)
    code = textwrap.dedent(inspect.getsource(getattr(function, "fget", function)))
    assert code.count(old) >= 1, f"{name} has changed; say anew how to break it: {old!r}"
    scope = dict(vars(module))
    flags = __future__.annotations.compiler_flag
    exec(compile(code.replace(old, new), f"<mutant of {name}>", "exec", flags), scope)
    return scope[name]


def plant(patch: pytest.MonkeyPatch, where: str, name: str, old: str, new: str) -> None:
    module = importlib.import_module(where)
    if "." in name:
        owner_name, _, name = name.partition(".")
        owner = getattr(module, owner_name)
        patch.setattr(owner, name, mutated(owner, name, module, old, new))
        return
    original = getattr(module, name)
    mutant = mutated(module, name, module, old, new)
    for known_as, other in list(sys.modules.items()):
        if known_as.startswith(("tabular", "bounds", "tests.")):
            for key, value in list(vars(other).items()):
                if value is original:
                    patch.setattr(other, key, mutant)


@pytest.mark.parametrize("mistake", MUTANTS)
def test_mutants_are_killed(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, name, old, new, property_of = MUTANTS[mistake]
    plant(monkeypatch, where, name, old, new)
    # the latter two where the mistake makes numbers that the library or the checker refuses
    with pytest.raises((AssertionError, InputError, Rejected)):
        property_of()


# Hard examples are found


def refuted(found: Check) -> set[str]:
    return {verdict.bound.name for verdict in found.verdicts if verdict.refuted}


#: The same examples every time, and no more than it takes.
ALWAYS = settings(
    max_examples=2000, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.parametrize("name", ["theorem1-printed", "theorem2-printed"])
def test_random_cases_refute_the_theorems_as_printed(name: str) -> None:
    bound = find_bound(name)
    found = find(
        cases(),
        lambda case: bool(refuted(check(case, [bound], max_horizon=10))),
        settings=settings(ALWAYS, phases=[Phase.generate]),
    )
    assert name in refuted(check(found))


def test_a_counterexample_shrinks_to_what_it_needs() -> None:
    bound = find_bound("theorem2-printed")
    found = find(
        cases(actions=(1,), n_states=2, branched=True),
        lambda case: bool(refuted(check(case, [bound], max_horizon=10))),
        settings=ALWAYS,
    )
    assert found.branch_length == 1
    assert found.data_policies[0] is found.policies[0]
    assert {x for array in (found.initial, found.transition) for x in array.ravel()} == {0, 1}


def test_everything_shrinks_to_the_simplest() -> None:
    case = find(cases(), lambda _: True, settings=ALWAYS)
    assert (case.n, case.actions, case.n_states, case.gamma) == (1, (1,), 1, 0)
    assert (case.ego, case.branch_length, case.opponent_lengths) == (0, None, None)
    assert case.reward == [[0]]
    assert case.model_transition is case.transition
    game = find(games(), lambda _: True, settings=ALWAYS)
    assert (game.actions, game.n_states, game.gamma) == ((1,), 1, 0)
    assert list(find(distributions(7), lambda _: True, settings=ALWAYS)) == [1] + [0] * 6
    profile = find(profiles(), lambda _: True, settings=ALWAYS)
    assert (profile.n, profile.gamma, profile.policy_shift, profile.k) == (1, 0, (0,), None)


def corners(case: Case) -> set[str]:
    k, lengths = case.branch_length, case.opponent_lengths
    own = {n for n in lengths or () if n is not None}
    pairs = list(zip(case.policies, case.data_policies, strict=True))
    models = list(zip(case.policies, case.opponent_models, strict=True))
    found = {
        "one agent": case.n == 1,
        "three agents": case.n == 3,
        "unequal actions": len(set(case.actions)) > 1,
        "one action": case.joint_actions == 1,
        "one state": case.n_states == 1,
        "four states": case.n_states == 4,
        "γ = 0": case.gamma == 0,
        "γ near 1": case.gamma >= 0.95,
        "unbranched": k is None,
        "k = 0": k == 0,
        "k > 2": (k or 0) > 2,
        "nⱼ = 0 < k": 0 in own and k != 0,
        "nⱼ = k > 0": k in own and k != 0,
        "0 < nⱼ < k": any(0 < n < (k or 0) for n in own),
        "deterministic": bool((case.transition.max(axis=-1) == 1).all()),
        "mixed": bool((case.transition.max(axis=-1) < 1).any()),
        "zeros": bool((case.transition == 0).any()),
        "T̂ = T": case.model_transition is case.transition,
        "T̂ ≠ T": bool((case.model_transition != case.transition).any()),
        "π_D = π": all(p is d for p, d in pairs),
        "π_D ≠ π": any((p != d).any() for p, d in pairs),
        "perfect model": any(m is not None and (p == m).all() for p, m in models),
        "imperfect model": any(m is not None and (p != m).any() for p, m in models),
        "no model": any(m is None for j, (_, m) in enumerate(models) if j != case.ego),
        "ego agent not the first": case.ego > 0,
        "rewards all equal": bool((case.reward == case.reward[0, 0]).all()),
    }
    assert len(found) == 26
    return {name for name, true in found.items() if true}


@pytest.mark.parametrize("exact", [True, False])
def test_corners_are_common(exact: bool) -> None:
    seen: Counter[str] = Counter()

    @settings(ALWAYS, max_examples=200, phases=[Phase.generate])
    @given(cases(exact=exact))
    def count(case: Case) -> None:
        assert case.is_exact == exact
        seen.update(corners(case))

    count()
    assert len(seen) == 26
    assert min(seen.values()) >= 2, seen  # 1 in 100


@pytest.mark.parametrize("exact", [True, False])
def test_corners_of_profiles_are_common(exact: bool) -> None:
    seen: Counter[str] = Counter()

    @settings(ALWAYS, max_examples=200, phases=[Phase.generate])
    @given(profiles(exact=exact))
    def count(profile: ErrorProfile) -> None:
        seen["γ = 0"] += profile.gamma == 0
        seen["k = 0"] += profile.k == 0
        seen["no error"] += profile.model_sup == 0
        seen["error 1"] += 1 in (profile.model_sup, *profile.policy_shift)
        seen["expected = sup"] += profile.model_current == profile.model_sup > 0
        seen["expected < sup"] += profile.model_data < profile.model_sup
        seen["no reward"] += profile.r_max == 0
        seen["lengths"] += profile.opponent_lengths is not None
        seen["joint shift unknown"] += profile.joint_policy_shift is None

    count()
    assert len(seen) == 9
    assert min(seen.values()) >= 2, seen  # 1 in 100
