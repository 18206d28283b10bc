"""The laws that the evaluation of a case obeys, for random cases and for planted mistakes.

Each takes a case (or a chain) and fails where the code disagrees with the definitions in
``tests.support.loops``, with itself in another arithmetic, or with the checker of certificates,
which shares no code with it.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache, partial
from math import log, sqrt
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from bounds.formula.bound import Bound
from bounds.library.published import BOUNDS
from tabular import verify
from tabular.cases import errors, returns, time_suprema
from tabular.cases.case import Case, case_at
from tabular.cases.check import Check, Verdict, check
from tabular.cases.errors import profile
from tabular.cases.monte_carlo import simulate
from tabular.certificates import build
from tabular.games import arrays
from tests.support.cases import U, floats, largest_reward, leak, rounding, sparse_case
from tests.support.chains import Chain, over_time
from tests.support.loops import (
    expected_over_time,
    largest_distances,
    sum_of_branched_return,
    sums_of_returns,
    tail,
)

HALF = Fraction(1, 2)
#: Times looked at where more would only take time.
LOOKED = 30
#: The bounds that say nothing where opponent models err.
NO_MODELS = {
    "centralised1-normalised",
    "centralised2-normalised",
    "mbpo-4.1",
    "mbpo-4.2",
    "mbpo-4.3",
    "simulation-lemma",
}


def the_returns(given: Case) -> dict[str, Callable[[Case], Any]]:
    """The returns that ``given`` has, by name."""
    found = {"real": returns.real_return, "model": returns.model_return}
    return found if given.branch_length is None else found | {"branched": returns.branched_return}


# Returns


def assert_returns_are_sums(given: Case) -> None:
    """η and η̂ against loops; γ is cut to 1/2 so that 20 steps say nearly everything."""
    short = given if given.gamma <= HALF else replace(given, gamma=HALF)
    real, model = sums_of_returns(short, 20)
    assert abs(returns.real_return(short) - real) <= tail(short, 20)
    assert abs(returns.model_return(short) - model) <= tail(short, 20)


def assert_branched_return_is_its_definition(given: Case) -> None:
    """The branched return against loops, every time from its own branch point."""
    short = given if given.gamma <= HALF else replace(given, gamma=HALF)
    horizon = short.branch_length + 12
    gap = returns.branched_return(short) - sum_of_branched_return(short, horizon)
    assert abs(gap) <= tail(short, horizon)


def assert_float_returns_agree(given: Case) -> None:
    """Returns in float64 are within ``rounding`` of those of the exact case."""
    real = floats(given)
    assert not real.is_exact
    allowed = rounding(given, given.branch_length or 0) * largest_reward(given)
    for returned in the_returns(given).values():
        assert abs(returned(real) - float(returned(given))) <= allowed


def assert_sparse_returns_agree(given: Case) -> None:
    """Returns and occupancy of a float case do not depend on how transitions are stored."""
    thin = sparse_case(given)
    # both are within `rounding` of the truth, and the iterative solver stops at a residual of
    # SOLVE_TOLERANCE, which bounds its error by SOLVE_TOLERANCE / (1 − γ) in the same norm
    steps = given.branch_length or 0
    allowed = 2 * rounding(given, steps) + arrays.SOLVE_TOLERANCE / (1 - given.gamma)
    for returned in the_returns(given).values():
        assert abs(returned(thin) - returned(given)) <= allowed * largest_reward(given)
    difference = np.abs(returns.occupancy(thin) - returns.occupancy(given)).sum()
    assert difference <= allowed


def assert_returns_of_a_batch_agree(batch: Case) -> None:
    """Returns and occupancies of a batch with k = 4 are those of its cases."""
    for returned in the_returns(batch).values():
        values = returned(batch)
        assert values.shape == batch.initial.shape[:1]
        for i, value in enumerate(values):
            one = case_at(batch, i)
            # the same operations in another order: twice the distance to the truth
            assert abs(value - returned(one)) <= 2 * rounding(one, 4) * largest_reward(one)
    occupied = returns.occupancy(batch)
    for i in range(len(occupied)):
        one = case_at(batch, i)
        assert np.abs(occupied[i] - returns.occupancy(one)).sum() <= 2 * rounding(one)


def assert_simulation_finds_each_return(given: Case, seed: int, samples: int = 40_000) -> None:
    """Monte Carlo lies within its radius, Hoeffding's, of each return, and tells them apart."""
    gamma, span = float(given.gamma), float(given.reward.max() - given.reward.min())
    # the confidence is 1 − 10⁻⁹ unless another is asked for
    radius = span / (1 - gamma) * sqrt(log(2e9) / (2 * samples))
    values = {which: float(returned(given)) for which, returned in the_returns(given).items()}
    means = {}
    for which, value in values.items():
        found = simulate(floats(given), which, np.random.default_rng(seed), samples=samples)
        # 1 − (1 − 10⁻⁹) is 10⁻⁹ to seven digits or so
        assert found.radius == pytest.approx(radius, rel=1e-6)
        assert (found.samples, found.confidence) == (samples, 1 - 1e-9)
        assert abs(found.mean - value) <= radius
        means[which] = found.mean
    # near enough to tell it from another return
    assert max(abs(means["real"] - value) for value in values.values()) > radius


# Errors


def assert_errors_are_their_definitions(given: Case) -> None:
    """Every ε, r_max and span against plain Python."""
    found = errors.measure(given, max_horizon=6)
    shift, models, joint, sup = largest_distances(given)
    assert list(found.policy_shift) == shift
    assert found.opponent_model[given.ego] is None
    for j in given.opponents:
        assert found.opponent_model[j] == models[j]
    assert (found.joint_policy_shift, found.model_sup) == (joint, sup)
    for error, data in ((found.data, True), (found.current, False)):
        values = expected_over_time(given, data, 10)[: error.steps + 4]
        assert error.value == max(values[: error.steps + 1])
        assert error.upper >= max(values)
    rewards = [r for row in given.reward for r in row]
    assert found.r_max == max(abs(r) for r in rewards)
    assert found.span == max(rewards) - min(rewards)


def assert_float_errors_agree(given: Case) -> None:
    """Errors measured in float64 are those of the exact case but for rounding."""
    exact = errors.measure(given, max_horizon=8)
    found = errors.measure(floats(given), max_horizon=8)
    # one rounding a number that is read, one a subtraction, one an addition
    rows = (max(given.n_states, given.joint_actions) + given.n + 4) * U
    for one, other in zip(exact.policy_shift, found.policy_shift, strict=True):
        assert abs(float(one) - other) <= rows
    for one, other in zip(exact.opponent_model, found.opponent_model, strict=True):
        assert (one is None) == (other is None)
        assert one is None or abs(float(one) - other) <= rows
    assert abs(float(exact.model_sup) - found.model_sup) <= rows
    assert abs(float(exact.joint_policy_shift) - found.joint_policy_shift) <= rows
    # each step of the chain rounds once more; a float maximum may stop FLOAT_GAP below the top
    time = 10 * (given.n_states + given.joint_actions + given.n) * U + time_suprema.FLOAT_GAP
    for one, other in ((exact.data, found.data), (exact.current, found.current)):
        assert other.value <= float(one.upper) + time
        if one.steps <= other.steps or other.horizon is None:
            assert float(one.value) <= other.value + time


def assert_sparse_errors_agree(given: Case) -> None:
    """The errors of a float case do not depend on how transitions are stored."""
    dense, thin = (errors.measure(c, max_horizon=8) for c in (given, sparse_case(given)))
    rows = 2 * (given.n_states + 4) * U
    assert abs(dense.model_sup - thin.model_sup) <= rows
    assert (dense.policy_shift, dense.opponent_model) == (thin.policy_shift, thin.opponent_model)
    assert (dense.r_max, dense.span) == (thin.r_max, thin.span)
    # as in the law above
    time = 20 * (given.n_states + given.joint_actions + given.n) * U + time_suprema.FLOAT_GAP
    for one, other in ((dense.data, thin.data), (dense.current, thin.current)):
        assert other.value <= one.upper + time
        assert one.value <= other.upper + time
        if one.horizon is None and other.horizon is None:
            assert abs(one.value - other.value) <= time


def assert_errors_of_a_batch_agree(batch: Case) -> None:
    """The errors of a batch are those of its cases; upper values may be those of plainer proofs."""
    together = errors.measure(batch, max_horizon=8)
    rows = 10 * (batch.n_states + batch.joint_actions + batch.n) * U
    for i in range(len(batch.initial)):
        alone = errors.measure(case_at(batch, i), max_horizon=8)
        for many, one in (
            *zip(together.policy_shift, alone.policy_shift, strict=True),
            *((together.opponent_model[j], alone.opponent_model[j]) for j in batch.opponents),
            (together.joint_policy_shift, alone.joint_policy_shift),
            (together.model_sup, alone.model_sup),
        ):
            assert abs(many[i] - one) <= rows
        assert (together.r_max[i], together.span[i]) == (alone.r_max, alone.span)
        for many, one in ((together.data, alone.data), (together.current, alone.current)):
            # as in the laws above; a proof found earlier ends the search earlier
            slack = rows + time_suprema.FLOAT_GAP
            assert one.value - slack <= many.upper[i]
            assert many.value[i] - slack <= one.upper
            if one.horizon is None and many.horizon[i] == -1:
                assert abs(many.value[i] - one.value) <= slack


def assert_maximum_over_time(drawn: Chain, limit: int) -> None:
    """The maximum over the times looked at, and an upper value of all later ones."""
    found = time_suprema.expected_error(*drawn, max_horizon=limit)
    values = over_time(drawn, found.steps + 41)
    assert found.steps <= limit
    assert found.value == max(values[: found.steps + 1])
    assert found.value <= found.upper
    assert found.upper >= max(values)
    assert (found.horizon is None) == (found.value == found.upper)
    assert found.horizon in (None, found.steps)


def assert_the_majorant_proves_the_upper_value(drawn: Chain, limit: int) -> None:
    """h ≥ Pᴴe and P h ≤ h; without h the distribution at the last step was there before."""
    initial, matrix, error = drawn
    found = time_suprema.expected_error(*drawn, max_horizon=limit)
    h = found.majorant
    if h is None:
        seen = [list(initial)]
        for _ in range(found.steps):
            seen.append(list(np.dot(seen[-1], matrix)))
        assert seen[-1] in seen[:-1]
        return
    ahead = error
    for _ in range(found.steps):
        ahead = np.dot(matrix, ahead)
    assert (h >= ahead).all()
    assert (np.dot(matrix, h) <= h).all()
    assert found.upper == max(found.value, np.dot(initial, h))


def assert_float_maximum_over_time(drawn: Chain, thin: bool, limit: int) -> None:
    """The same for the exact chain's floats, dense or sparse."""
    initial, matrix, error = (x.astype(float) for x in drawn)
    used = sparse.csr_array(matrix) if thin else matrix
    found = time_suprema.expected_error(initial, used, error, max_horizon=limit)
    values = over_time(drawn, found.steps + 41)
    # entries are multiples of 1/4 and 1/3, so transient states are left within s steps with
    # probability at least 4^−s, and the solve for the majorant has ‖(I − Q)⁻¹‖ ≤ s 4^s ≤ 1024;
    # 16 roundings a step and state are more than there are
    slack = 16 * 4 * 1024 * (found.steps + 2) * U
    assert abs(found.value - float(max(values[: found.steps + 1]))) <= slack
    assert found.upper >= float(max(values)) - slack
    settled = found.upper - found.value <= time_suprema.FLOAT_GAP
    assert (found.horizon is None) == settled
    assert found.horizon in (None, found.steps)


def assert_maxima_of_a_batch(chains: Sequence[Chain], limit: int) -> None:
    """The same for float chains of one size side by side."""
    initial, matrix, error = (np.stack(parts) for parts in zip(*chains, strict=True))
    found = time_suprema.expected_error(initial, matrix, error, max_horizon=limit)
    for i, one in enumerate(chains):
        values = over_time(one, limit + 41)
        settled = found.horizon[i] == -1
        # a chain counts as settled once it moves by no more than FLOAT_GAP a step; within 12 steps
        # that happens where it stands still or its moves shrink tenfold a step, so a ninth of
        # FLOAT_GAP is to come; and sums of a few numbers round a few times a step
        slack = 2 * time_suprema.FLOAT_GAP + 16 * (limit + 2) * len(one[0]) * U
        assert found.value[i] <= max(values[: limit + 1]) + slack
        assert found.upper[i] >= max(values) - slack
        if settled:
            assert abs(found.value[i] - max(values)) <= slack
        else:
            assert found.horizon[i] == limit
            assert abs(found.value[i] - max(values[: limit + 1])) <= slack


# Verdicts


def verdicts(found: Check) -> dict[tuple[str, str], Verdict]:
    """The verdicts by name of the bound and the return that it is about."""
    return {(v.bound.name, v.bound.about): v for v in found.verdicts}


def assert_valid_bounds_hold(given: Case) -> None:
    """No bound that the library calls valid is refuted, nor fails where the errors are proved."""
    found = check(given, max_horizon=LOOKED)
    proved = found.errors.data.horizon is None and found.errors.current.horizon is None
    for verdict in found.verdicts:
        if verdict.bound.valid:
            assert not verdict.refuted, verdict.bound.name
            assert verdict.holds or not proved, verdict.bound.name


def assert_rounding_refutes_nothing(off: float, rewards: tuple[float, float]) -> None:
    """Distributions may sum to 1 ± 10⁻⁹, and then returns differ by more than the span knows."""
    base = floats(leak(branch_length=3))
    model = base.transition.copy()
    model[0, 0, 0] += off
    given = replace(base, model_transition=model, reward=np.array(rewards)[:, None])
    for verdict in check(given).verdicts:
        assert verdict.holds or not verdict.bound.valid, verdict.bound.name
        assert not (verdict.bound.valid and verdict.refuted), verdict.bound.name


def assert_verdicts_are_comparisons(given: Case) -> None:
    """What a verdict says follows from its two sides."""
    found = check(given, max_horizon=LOOKED)
    largest = found.errors.span / (1 - given.gamma)
    gaps = {"model": abs(found.real - found.model)}
    if found.branched is not None:
        gaps["branched"] = abs(found.real - found.branched)
    proved = profile(given, found.errors, proved=True)
    for verdict in found.verdicts:
        scale = {"unnormalised": 1, "normalised": 1 - given.gamma}[verdict.bound.convention]
        assert verdict.discrepancy == scale * gaps[verdict.bound.about]
        assert verdict.holds == (verdict.discrepancy <= verdict.value)
        assert verdict.refuted == (verdict.discrepancy > verdict.bound.evaluate(proved))
        assert verdict.vacuous == (verdict.value >= scale * largest)
        assert not (verdict.holds and verdict.refuted)
        if verdict.value == 0:
            assert verdict.tightness is None
        else:
            assert verdict.tightness * verdict.value == verdict.discrepancy


def assert_bounds_apply_where_their_hypotheses_do(given: Case) -> None:
    """Every bound is judged, or left out for the first hypothesis that the case does not meet."""
    found = check(given, max_horizon=LOOKED)
    judged = set(verdicts(found))
    left_out = {(bound.name, bound.about): why for bound, why in found.not_applicable}
    assert judged | set(left_out) == {(b.name, b.about) for b in BOUNDS}
    assert not judged & set(left_out)
    exact_opponents = not any(found.errors.opponent_model[j] > 0 for j in given.opponents)
    for name, about in judged | set(left_out):
        needs = {
            "the case has no branch_length": about == "branched" and given.branch_length is None,
            "the case has no opponent_lengths": (
                name == "theorem2-opponent-wise" and given.opponent_lengths is None
            ),
            "it has no opponent models, and the case's opponent models are not exact": (
                name in NO_MODELS and not exact_opponents
            ),
        }
        missing = [why for why, true in needs.items() if true]
        assert ((name, about) in left_out) == bool(missing)
        assert not missing or left_out[name, about] == missing[0]


# Certificates


def certificate(case: Case, bound: Bound, first_t: int) -> dict[str, Any]:
    """A refutation as the library writes it, true or not, from errors at t = 0..10."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "measure", partial(errors.measure, max_horizon=10))
        return build._certificate("refutation", case, bound, first_t)


@lru_cache(maxsize=64)
def _sides(case: Case, bound: Bound, first_t: int) -> tuple[str, Any, Any]:
    """A certificate as a checker gets it, and what its sides are by the library."""
    proved = profile(case, errors.measure(case, max_horizon=10), proved=True)
    if bound.name == "coupling-sup" and bound.about == "branched":
        proved = proved.with_(opponent_lengths=None)  # what its one formula says
    other = the_returns(case)[bound.about](case)
    scale = {"unnormalised": 1, "normalised": 1 - case.gamma}[bound.convention]
    left = scale * case.gamma**first_t * (returns.real_return(case) - other)
    return json.dumps(certificate(case, bound, first_t)), left, bound.evaluate(proved)


def assert_the_checker_agrees(case: Case, bound: Bound, first_t: int) -> None:
    """``tabular.verify`` finds the sides of a certificate that the library says."""
    written, left, right = _sides(case, bound, first_t)
    assert verify.check_game(json.loads(written))[::2] == (left, right), bound.name
