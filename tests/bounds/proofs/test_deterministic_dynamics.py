"""Deterministic dynamics and models with densities: their distance is 1, and what follows."""

from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounds.formula.error_profile import ErrorProfile
from bounds.library.published import find
from bounds.planning.rollout_length import plan
from bounds.proofs.deterministic_dynamics import binned_distance, deterministic_claim, says_nothing
from bounds.shared.numbers import InputError

ERRORS = st.fractions(0, 1, max_denominator=20)


def test_every_step_is_established() -> None:
    claim = deterministic_claim()
    assert claim.status == "proved"
    assert all(step.endswith(": established") for step in says_nothing().steps)


@given(
    st.lists(st.floats(-1, 1), min_size=1, max_size=4),
    st.floats(-0.1, 0.1),
    st.floats(1e-3, 1.0),
)
def test_binned_distances_tend_to_one(point: list[float], off: float, deviation: float) -> None:
    """A density is at most 1/(σ√2π), so a bin of width h has at most that times h of it."""
    before = 0.0
    for width in (1.0, 0.1, 0.01, 1e-3, 1e-5):
        mean, spread = [x + off for x in point], [deviation] * len(point)
        found = binned_distance(point, mean, spread, width)
        most = (width / (deviation * np.sqrt(2 * np.pi))) ** len(point)
        assert 1 - most - 1e-12 <= found <= 1
        assert found >= before - 1e-12  # finer bins tell more apart
        before = found
    assert before > 0.99


def test_binned_distances_by_drawing() -> None:
    rng = np.random.default_rng(3)
    drawn = rng.normal([0.02, -0.01], [0.05, 0.1], size=(200_000, 2))
    inside = (np.abs(drawn) <= 0.05).all(axis=1).mean()
    found = binned_distance([0.0, 0.0], [0.02, -0.01], [0.05, 0.1], 0.1)
    # five standard errors of a share
    assert abs((1 - inside) - found) < 5 * (0.25 / 200_000) ** 0.5


def test_a_model_that_is_nearly_right_is_close_by_large_bins_only() -> None:
    wide, fine = (binned_distance([0.0], [0.0], [1e-3], h) for h in (1e-2, 1e-5))
    assert wide < 1e-6
    assert fine > 0.99


@pytest.mark.parametrize("bad", [(0.0, 1.0), (1.0, 0.0), (float("nan"), 1.0)])
def test_bins_and_spreads_must_have_a_size(bad: tuple[float, float]) -> None:
    with pytest.raises(InputError):
        binned_distance([0.0], [0.0], [bad[1]], bad[0])


@given(st.lists(ERRORS, min_size=2, max_size=2), st.integers(1, 30), st.fractions(0, F(19, 20)))
def test_printed_bounds_are_trivial_there(hats: list[F], k: int, gamma: F) -> None:
    at = ErrorProfile(
        gamma=gamma,
        policy_shift=(F(1, 20),) * 3,
        opponent_model=tuple(hats),
        model_data=F(1),
        model_current=F(1),
        model_sup=F(1),
        k=k,
    )
    second, first = find("theorem2-normalised"), find("theorem1-normalised")
    assert second.evaluate(at) >= second.largest(at)
    if gamma >= F(1, 2):
        assert first.evaluate(at) >= first.largest(at)
    one = find("coupling-expected", "branched").evaluate(at.with_(k=1))
    assert find("coupling-expected", "branched").evaluate(at) == one


def test_the_printed_k_is_one_whatever_was_learned() -> None:
    at = ErrorProfile(
        gamma=0.99, policy_shift=(0.3, 0.3, 0.3), opponent_model=(0.0, 0.0), model_current=1.0
    )
    assert plan(at).k_printed == 1
    # with a smaller error it is not: the test can fail
    assert plan(at.with_(model_current=0.01)).k_printed > 1
