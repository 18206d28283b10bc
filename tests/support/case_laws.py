"""The laws that the evaluation of a case obeys, for random cases and for planted mistakes.

Each takes a case (or a chain) and fails where the code disagrees with the definitions in
``tests.support.loops`` or with the checker of certificates, which shares no code with it.
"""

import json
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import islice, product

import numpy as np
import pytest

from bounds.formula.bound import Bound
from tabular import verify
from tabular.cases import errors, monte_carlo, returns, time_suprema
from tabular.cases.case import Case, as_float
from tabular.cases.check import check
from tabular.cases.errors import measure, profile
from tabular.cases.returns import branched_return, model_return, real_return
from tabular.certificates import build
from tests.support.chains import Chain, over_time
from tests.support.loops import (
    branched_series,
    expected_over_time,
    joint_row,
    largest_event,
    learned,
    series,
    tail,
)

HALF = Fraction(1, 2)
#: Times looked at where more would only take time.
LOOKED = 30


def assert_returns_are_sums(given: Case) -> None:
    """η and η̂ against loops; γ is cut to 1/2 so that 20 steps say nearly everything."""
    short = replace(given, gamma=min(given.gamma, HALF))
    for value, policies, transition in (
        (returns.real_return(short), short.policies, short.transition),
        (returns.model_return(short), learned(short), short.model_transition),
    ):
        assert abs(value - series(short, policies, transition, 20)) <= tail(short, 20)


def assert_branched_return_is_its_definition(given: Case) -> None:
    """The branched return against loops, every time from its own branch point."""
    short = replace(given, gamma=min(given.gamma, HALF))
    time_suprema = short.branch_length + 12
    gap = returns.branched_return(short) - branched_series(short, time_suprema)
    assert abs(gap) <= tail(short, time_suprema)


def assert_simulation_finds_each_return(given: Case, seed: int) -> None:
    """Monte Carlo lies within its radius of each return, and tells them apart."""
    values = {
        "real": returns.real_return(given),
        "model": returns.model_return(given),
        "branched": returns.branched_return(given),
    }
    estimates = {
        which: monte_carlo.simulate(
            as_float(given), which, np.random.default_rng(seed), samples=40_000
        )
        for which in values
    }
    for which, value in values.items():
        assert abs(estimates[which].mean - float(value)) <= estimates[which].radius
    real = estimates["real"]  # near enough to tell it from another return
    assert max(abs(real.mean - float(v)) for v in values.values()) > real.radius


def assert_errors_are_their_definitions(given: Case) -> None:
    """Every ε, r_max and span against plain Python."""
    found = errors.measure(given, max_horizon=6)
    states, joint = range(given.n_states), given.joint_actions
    for j in range(given.n):
        pi, data, model = (x[j] for x in (given.policies, given.data_policies, learned(given)))
        assert found.policy_shift[j] == max(largest_event(pi[s], data[s]) for s in states)
        if j == given.ego:
            assert found.opponent_model[j] is None
        else:
            assert found.opponent_model[j] == max(largest_event(pi[s], model[s]) for s in states)
    assert found.joint_policy_shift == max(
        largest_event(*(joint_row(p, s, joint) for p in (given.policies, given.data_policies)))
        for s in states
    )
    assert found.model_sup == max(
        largest_event(given.transition[s, a], given.model_transition[s, a])
        for s, a in product(states, range(joint))
    )
    for error, policies in (
        (found.data, given.data_policies),
        (found.current, given.policies),
    ):
        values = expected_over_time(given, policies, error.steps + 4)
        assert error.value == max(values[: error.steps + 1])
        assert error.upper >= max(values)
    rewards = [r for row in given.reward for r in row]
    assert found.r_max == max(abs(r) for r in rewards)
    assert found.span == max(rewards) - min(rewards)


def assert_maximum_over_time(drawn: Chain, limit: int) -> None:
    """The maximum over the times looked at, and an upper value of all later ones."""
    found = time_suprema.expected_error(*drawn, max_horizon=limit)
    values = list(islice(over_time(*drawn), found.steps + 41))
    assert found.steps <= limit
    assert found.value == max(values[: found.steps + 1])
    assert found.value <= found.upper
    assert found.upper >= max(values)
    assert (found.horizon is None) == (found.value == found.upper)
    assert found.horizon in (None, found.steps)


def assert_valid_bounds_hold(given: Case) -> None:
    """No bound that the library calls valid is refuted, nor fails where the errors are proved."""
    found = check(given, max_horizon=LOOKED)
    proved = found.errors.data.horizon is None and found.errors.current.horizon is None
    for verdict in found.verdicts:
        if verdict.bound.valid:
            assert not verdict.refuted, verdict.bound.name
            assert verdict.holds or not proved, verdict.bound.name


def assert_the_checker_agrees(case: Case, bound: Bound, first_t: int) -> None:
    """``tabular.verify`` finds the sides of a certificate that the library says."""
    proved = profile(case, measure(case, max_horizon=10), proved=True)
    if bound.name == "coupling-sup" and bound.about == "branched":
        proved = proved.with_(opponent_lengths=None)  # what its one formula says
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "measure", partial(measure, max_horizon=10))
        value = build._certificate("refutation", case, bound, first_t)
    left, right = verify.check_game(json.loads(json.dumps(value)))  # as a checker gets it
    other = {"model": model_return, "branched": branched_return}[bound.about](case)
    scale = {"unnormalised": 1, "normalised": 1 - case.gamma}[bound.convention]
    assert left == scale * case.gamma**first_t * (real_return(case) - other)
    assert right == bound.evaluate(proved), bound.name
