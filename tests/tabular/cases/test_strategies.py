"""The strategies find what is hard: counterexamples that shrink, and every corner of a case."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings

from bounds.formula.error_profile import ErrorProfile
from bounds.library.published import find as find_bound
from tabular.cases.case import Case
from tabular.cases.check import Check, check
from tabular.cases.strategies import cases, distributions, games, profiles

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
