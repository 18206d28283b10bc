"""The laws of cases have power: every small slip in what evaluates a case is found.

The laws are those of the other test files, here on cases that are always the same. Each holds for
the code as it is and fails for every mutant (``tests.support.mutants``) of the functions beside it,
but for those in ``HARMLESS``, which change nothing that a law could see.
"""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest

from bounds.library import lost_mass
from bounds.shared.numbers import InputError
from tabular.cases import check, errors, monte_carlo, returns, time_suprema
from tabular.cases.case import Case
from tabular.cases.time_suprema import expected_error
from tabular.games import chains, policy
from tabular.games.arrays import exact_array
from tests.support.case_laws import (
    assert_bounds_apply_where_their_hypotheses_do,
    assert_branched_return_is_its_definition,
    assert_errors_are_their_definitions,
    assert_errors_of_a_batch_agree,
    assert_float_errors_agree,
    assert_float_maximum_over_time,
    assert_float_returns_agree,
    assert_maxima_of_a_batch,
    assert_maximum_over_time,
    assert_returns_are_sums,
    assert_returns_of_a_batch_agree,
    assert_rounding_refutes_nothing,
    assert_simulation_finds_each_return,
    assert_sparse_errors_agree,
    assert_sparse_returns_agree,
    assert_the_majorant_proves_the_upper_value,
    assert_valid_bounds_hold,
    assert_verdicts_are_comparisons,
)
from tests.support.cases import certain, clock, floats, latch, leak, random_batch, seeded
from tests.support.chains import Chain
from tests.support.mutants import assert_all_found, plant

HALF = Fraction(1, 2)
#: Cases of ``seeded``, those that tell most first.
SEEDS = (3, 7, 1, 5, 10, 2, 0, 4, 6, 8, 9, 11)


# Laws on cases that are always the same


@cache
def batch() -> Case:
    return random_batch(7, 3, (None, 2))


def of_returns() -> None:
    for seed in SEEDS:
        assert_returns_are_sums(seeded(seed))
        assert_branched_return_is_its_definition(seeded(seed))
        assert_float_returns_agree(seeded(seed))
        assert_sparse_returns_agree(floats(seeded(seed)))
    assert_sparse_returns_agree(floats(leak(branch_length=2)))
    assert_returns_of_a_batch_agree(batch())


@cache
def with_one_shift(seed: int) -> Case:
    """Only the first agent's policy has changed since the data were collected."""
    given = seeded(seed)
    return replace(given, data_policies=(given.data_policies[0], *given.policies[1:]))


@cache
def without_models(seed: int) -> Case:
    given = seeded(seed)
    return replace(given, opponent_models=(None,) * given.n)


def of_errors() -> None:
    for seed in SEEDS:
        assert_errors_are_their_definitions(seeded(seed))
        assert_float_errors_agree(seeded(seed))
        assert_sparse_errors_agree(floats(seeded(seed)))
    for given in (with_one_shift(3), without_models(1)):
        assert_errors_are_their_definitions(given)
    assert_errors_of_a_batch_agree(batch())


@cache
def some_chains() -> tuple[tuple[Chain, Any, int], ...]:
    """Chains that rise, fall, cycle, leave for one of two ends; with what is proved of them, when.

    (chain, an upper value of all times, the first time at which it is proved; 40 where the
    supremum is approached and never reached).
    """
    half, quarter, third = HALF, Fraction(1, 4), Fraction(1, 3)
    bump = [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1 - quarter, quarter], [0, 0, 0, 1]]
    two_ends = [[half, quarter, quarter, 0], [0, half, 0, half], [0, 0, 1, 0], [0, 0, 0, 1]]
    to_some = [[0, half, half, 0], [0, 1, 0, 0], [0, 0, half, half], [0, 0, quarter, 1 - quarter]]
    quiet = [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, half, half], [0, 0, quarter, 1 - quarter]]
    drawn = (
        ([1, 0], [[half, half], [0, 1]], [0, half], half, 40),
        ([1, 0], [[half, half], [0, 1]], [half, 0], half, 0),
        ([0, 1, 0], [[0, 1, 0], [0, 0, 1], [1, 0, 0]], [half, 0, 0], half, 2),
        ([1, 0, 0], [[0, quarter, 1 - quarter], [0, 1, 0], [0, 0, 1]], [third, 1, 0], third, 0),
        ([1, 0, 0], [[0, 1, 0], [0, 0, 1], [0, 0, 1]], [0, 1, third], 1, 1),
        ([1, 0, 0, 0], bump, [0, quarter, 0, half], half, 40),
        ([1, 0, 0, 0], bump, [0, 1, 0, third], 1, 1),
        ([1 - quarter, quarter], [[0, 1], [1, 0]], [0, 1], 1 - quarter, 2),
        ([1, 0], [[half, half], [0, 1]], [0, 0], 0, 0),
        ([1, 0, 0, 0], two_ends, [half, 0, 1, 0], half, 0),
        ([0, 0, 1, 0], quiet, [0, 1, third, third], third, 2),
        ([1, 0, 0, 0], to_some, [half, 1, 0, 0], half, 0),
    )
    found = []
    for *tables, upper, settled in drawn:
        chain = tuple(map(exact_array, tables))
        for array in chain:
            array.flags.writeable = False
        found.append((chain, upper, settled))
    return tuple(found)


def of_maxima() -> None:
    for chain, upper, settled in some_chains():
        exact = expected_error(*chain, max_horizon=40)
        assert (exact.upper, exact.steps) == (upper, settled)
        assert (exact.horizon is None) == (settled < 40)
        real = expected_error(*(x.astype(float) for x in chain), max_horizon=40)
        # half is absorbed a step: after 39 the rest is below the gap that counts as settled
        assert settled in (real.steps, 40)
        for limit in (0, 1, 5):
            assert_maximum_over_time(chain, limit)
            assert_the_majorant_proves_the_upper_value(chain, limit)
        for thin in (False, True):
            assert_float_maximum_over_time(chain, thin, 3)
    side_by_side = [tuple(x.astype(float) for x in chain) for chain, *_ in some_chains()[2:5]]
    assert_maxima_of_a_batch(side_by_side, 5)
    # a tenth of the rest is absorbed a step, so numbers grow by 3.3 bits each
    tenth = Fraction(1, 10)
    matrix = exact_array([[1 - tenth, tenth], [0, 1]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time_suprema, "MAX_BITS", 100)
        found = expected_error(exact_array([1, 0]), matrix, exact_array([0, 1]), max_horizon=60)
    assert found.steps == found.horizon == 31


@cache
def judged() -> tuple[Case, ...]:
    """Cases to which all, and not all, bounds apply; attained ones; one with nothing in common."""
    one = seeded(3)
    plain = replace(one, opponent_lengths=None)
    wrong = (None, latch(2).policies[1][:, ::-1])
    return (
        *(one, plain, replace(plain, branch_length=None), without_models(1), seeded(7)),
        *(latch(2), replace(latch(2), opponent_models=wrong)),
        replace(seeded(1), opponent_models=(*seeded(1).opponent_models[:2], None)),
        leak(reward=leak().reward / 10),
    )


def of_verdicts() -> None:
    for given in judged():
        assert_verdicts_are_comparisons(given)
        assert_bounds_apply_where_their_hypotheses_do(given)
    assert_rounding_refutes_nothing(9e-10, (1e6, 1e6 - 1e-3))
    found = check.check(floats(leak(gamma=HALF)))
    assert [v.bound.name for v in found.verdicts if v.refuted] == ["theorem1-printed"]


def of_validity() -> None:
    """Valid bounds on the games that attain them and on seeded ones."""
    for given in (latch(0), latch(3), clock(3, 2), leak(branch_length=4), *map(seeded, SEEDS)):
        assert_valid_bounds_hold(given)


@cache
def without_chance() -> tuple[Case, ...]:
    """Cases in which few samples are enough; k = 2 with nⱼ = 1, and k = 0."""
    one, two, three = map(certain, (73, 25, 108))
    here = (replace(c, branch_length=0, opponent_lengths=(None, 0)) for c in (one, two))
    return one, two, three, *here


class NothingUnwritten:
    """NumPy, but for what is never written: that must not look like numbers written before."""

    empty = staticmethod(lambda size: np.full(size, np.nan))

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


def of_simulation() -> None:
    """Few samples where nothing is left to chance, and one case with chances."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(monte_carlo, "np", NothingUnwritten())
        for given in without_chance():
            assert_simulation_finds_each_return(given, 0, samples=1000)
    assert_simulation_finds_each_return(seeded(11), 0, samples=20_000)
    some = floats(certain(25))
    assert monte_carlo.simulate(some, "real", np.random.default_rng(0), samples=1).samples == 1
    for wrong in ({"samples": 0}, {"confidence": 1}, {"confidence": -HALF}):
        with pytest.raises(InputError):
            monte_carlo.simulate(some, "real", np.random.default_rng(0), **wrong)


LAWS = (of_returns, of_errors, of_maxima, of_verdicts, of_validity, of_simulation)


@pytest.mark.parametrize("law", LAWS)
def test_the_laws_hold(law: Callable[[], None]) -> None:
    law()


# Every small slip

#: What must be found by which law.
FUNCTIONS: dict[Callable[[], None], tuple[Any, ...]] = {
    of_returns: (
        returns.state_values, returns.real_return, returns.model_return, returns.branched_return,
        Case.joint, Case.joint_data, Case.joint_model, Case.lengths, Case.joint_after_branch,
        policy.joint_policy, policy.replaced,
        chains.dot, chains.induced_reward, chains.induced_transition,
    ),
    of_errors: (errors.total_variation, errors.model_divergence, errors.measure),
    of_maxima: (
        time_suprema.expected_error, time_suprema._majorants, time_suprema._absorption,
        time_suprema._bits,
    ),
    of_verdicts: (check.check, check._inapplicable),
    of_simulation: (
        monte_carlo._world, monte_carlo._act, monte_carlo._draw, monte_carlo.simulate,
    ),
}  # fmt: skip

#: Why a mutant changes nothing that a law could see ↦ such mutants.
HARMLESS: dict[Callable[[], None], dict[str, tuple[str, ...]]] = {
    of_returns: {
        "0 remains 0": ("branched_return operand 1", "branched_return operation 0"),
        "a stretch of no steps": ("branched_return condition 0", "branched_return comparison 0"),
        "who is modelled in action k is in action k + 1 (nⱼ = k), and nobody else": (
            "branched_return statement 12", "branched_return operand 13",
            "branched_return number 8", "branched_return number 9",
        ),
        "NumPy takes any negative length for −1": ("joint_policy number 6",),
        "an array without axes is a number": ("dot condition 0",),
        "only faster": ("induced_transition condition 3",),
        "an axis of length 1, and two of the same length": (
            "induced_transition number 7", "induced_transition number 9",
        ),
    },
    of_errors: {
        "only faster": ("total_variation condition 1", "measure condition 7"),
        "no distance of these cases is rounded to more than 1": (
            "total_variation call 3", "model_divergence call 4",
        ),
        "T and T̂ are stored alike": ("model_divergence another 0",),
        "the same slice": ("measure operand 0",),
        "NumPy takes any negative length for −1": ("measure number 0",),
        "an array without axes is a number": (
            "measure condition 0", "measure condition 1", "measure call 11",
        ),
        "0 remains 0": ("measure operand 2", "measure operand 5", "measure operation 2"),
    },
    of_maxima: {
        "0 in another arithmetic, or less than any error": (
            "expected_error condition 2", "expected_error condition 3", "expected_error call 5",
            "expected_error operand 1", "expected_error number 5", "expected_error number 6",
            "expected_error number 7",
        ),
        "without an error everything is 0": (
            "expected_error condition 5", "expected_error operand 2", "expected_error operand 3",
            "expected_error number 10", "expected_error number 11",
        ),
        "set before it is read": ("expected_error statement 4",),
        "the loop ends before, or there": (
            "expected_error number 12", "expected_error number 14", "expected_error condition 16",
        ),
        "another name of the same distribution": (
            "expected_error condition 6", "expected_error call 10",
        ),
        "where it ends the two sides are one, but for FLOAT_GAP": (
            "expected_error call 18", "expected_error condition 12", "expected_error order 8",
            "expected_error call 26", "expected_error call 27", "expected_error call 28",
        ),
        "a square matrix": (
            "_majorants number 0", "_majorants number 1", "_absorption number 0",
            "_absorption number 1", "_absorption number 2", "_absorption number 3",
        ),
        "a better proof, that takes longer": ("_majorants condition 3",),
        "0 more": ("_majorants comparison 1",),
        "whole numbers are exact": ("_absorption call 0",),
        "these probabilities sum to 1 (see test_errors for a slow leak)": (
            "_absorption operand 5", "_absorption operation 2",
        ),
    },
    of_verdicts: {
        "one case, not a batch": ("_inapplicable call 1", "_inapplicable call 2"),
    },
    of_simulation: {
        "no two of these numbers are equal": ("_draw comparison 0",),
        "no row of these cases sums to less than 1": (
            "_draw call 2", "_draw operand 1", "_draw operation 0", "_draw number 9",
            "_draw number 11",
        ),
        "how many samples nobody asked for": ("simulate number 0", "simulate number 1"),
        "not read without branches": ("simulate condition 1",),
        "nobody is left by then": ("simulate number 18", "simulate number 20"),
        "nobody moves": ("simulate condition 4",),
    },
}  # fmt: skip


@pytest.mark.parametrize("law", FUNCTIONS)
def test_every_mutant_is_found(law: Callable[[], None]) -> None:
    assert_all_found(law, FUNCTIONS[law], HARMLESS[law])


# Mistakes of meaning

MISTAKES: dict[str, tuple[Any, Callable[[Any], Any], Callable[[], None]]] = {
    "joint actions in the other order": (
        policy.joint_policy, lambda right: lambda policies: right(policies[::-1]), of_returns,
    ),
    "an agent that plays uniformly": (
        policy.joint_policy,
        lambda right: lambda policies: right(
            (*policies[:-1], 0 * policies[-1] + Fraction(1, policies[-1].shape[-1]))
        ),
        of_returns,
    ),
    "sup for expected": (
        chains.induced_reward,
        lambda right: lambda values, joint: right(0 * values + values.max(), joint),
        of_errors,
    ),
    "model steps that lose half": (
        lost_mass.lost,
        lambda right: lambda y, gap, loss, *rest: right(y, gap, loss / 2, *rest),
        of_validity,
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_of_meaning_is_found(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    function, spoil, law = MISTAKES[mistake]
    plant(monkeypatch, function, spoil)
    with pytest.raises(AssertionError):
        law()
