"""The audit's rows about the ends of the coupling bounds: joint policies, opponent-wise lengths."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np

from bounds.formula.error_profile import ErrorProfile
from bounds.formula.symbols import survival
from bounds.library.published import find
from bounds.shared.claims import Claim
from tabular.cases.check import check
from tabular.extremal.joint_policies import joint_latch, joint_profile
from tabular.extremal.lengths_supremum import supremum
from tabular.extremal.lengths_upper_bound import Setting
from tabular.games.number_text import rational_text

_F = Fraction
#: What the audit's attaining games are drawn from.
ERRORS = tuple(_F(i, 20) for i in range(7))
DISCOUNTS = (_F(0), _F(1, 2), _F(9, 10), _F(19, 20))


def draw(rng: np.random.Generator, count: int) -> list[Fraction]:
    """``count`` of the ``ERRORS``."""
    return [ERRORS[i] for i in rng.integers(len(ERRORS), size=count)]


def joint_policies_claim(seed: int, count: int) -> Claim:
    """Games that attain the joint form, and by how much the per-agent form is larger on them."""
    rng = np.random.default_rng([seed, 10])
    seen, missed, largest, over = 0, 0, _F(1), 0
    for _ in range(count):
        n, k = int(rng.integers(2, 4)), int(rng.integers(0, 8))
        shift, hat = draw(rng, n), draw(rng, n - 1)
        case = joint_latch(
            DISCOUNTS[rng.integers(len(DISCOUNTS))],
            shift,
            hat,
            draw(rng, 1)[0],
            _between(rng, shift),
            _between(rng, hat),
            branch_length=k,
        )
        for about in ("model", "branched"):
            bound = find("coupling-sup", about)
            result = check(case, [bound])
            (verdict,) = result.verdicts
            value = bound.evaluate(joint_profile(case, result.errors))
            seen += 1
            missed += verdict.discrepancy != value
            over += verdict.value > n * value
            if value > 0:
                largest = max(largest, verdict.value / value)
    summary = f"{seen:,} exact games, " + (
        f"{missed} below the joint form, {over} with a factor above n"
        if missed or over
        else f"joint form attained on each; per-agent form up to {float(largest):.3f} times it"
    )
    return Claim(
        id="coupling-joint-policies",
        statement="coupling-sup with q = 1 - eps_J and c_bar = 1 - eps_hat_J of the joint "
        "policies is attained for all consistent errors, and the per-agent form is at most n "
        "times it",
        source="docstring of tabular.extremal.joint_policies",
        status="open" if missed or over else "tested",
        evidence={
            "games": seen,
            "not_attained": missed,
            "factor": float(largest),
            "summary": summary,
        },
    )


def _between(rng: np.random.Generator, errors: list[Fraction]) -> Fraction:
    """A joint error that agents with these ``errors`` can have."""
    low, high = max(errors), 1 - survival(tuple(errors))
    return Fraction(low + _F(int(rng.integers(5)), 4) * (high - low))


def lengths_claim() -> Claim:
    """With opponent-wise lengths the expected form is not attained: an upper value below it.

    The smallest setting, and a grid of others with both sides of the supremum.
    """
    below, apart, most = 0, _F(0), _F(1)
    hats = (_F(1, 4), _F(1, 2), _F(3, 4))
    grid = list(product(hats, (_F(1, 10), _F(1, 4)), ((2, 1), (3, 1), (3, 2))))
    for hat, error, (k, length) in grid:
        setting = Setting(
            gamma=_F(1, 2),
            opponent_model=(hat,),
            opponent_lengths=(length,),
            model_error=error,
            k=k,
            horizon=10,
        )
        found, value = supremum(setting), _expected(setting)
        below += found.upper < value
        apart = max(apart, found.upper - found.lower)
        most = min(most, found.upper / value)
    smallest = Setting(
        gamma=_F(1, 2),
        opponent_model=(_F(1, 2),),
        opponent_lengths=(1,),
        model_error=_F(1, 4),
        k=2,
        horizon=6,
    )
    found, value = supremum(smallest), _expected(smallest)
    holds = found.lower <= found.upper < value
    return Claim(
        id="coupling-expected-not-attained-with-lengths",
        statement="with opponent-wise lengths coupling-expected is not attained in general: for "
        "gamma = 1/2, eps_hat = 1/2, eps'_m = 1/4, k = 2, n_1 = 1, without policy shift, the "
        "discrepancy of every game is less",
        source="docstring of tabular.extremal.lengths_upper_bound",
        status="proved" if holds else "open",
        evidence={
            "upper": rational_text(found.upper),
            "lower": rational_text(found.lower),
            "bound": rational_text(value),
            "prices": [rational_text(price) for price in found.prices],
            "settings": len(grid),
            "settings_below": below,
            "largest_gap": float(apart),
            "summary": f"exactly, by prices: at most {rational_text(found.upper)} < "
            f"{rational_text(value)} of the span; on {below} of {len(grid)} settings below it, "
            f"down to {float(most):.4f} of it",
        },
    )


def _expected(setting: Setting) -> Fraction:
    """coupling-expected, branched, as a multiple of the span."""
    bound = find("coupling-expected", "branched")
    profile = ErrorProfile(
        gamma=setting.gamma,
        policy_shift=(_F(0),) * (1 + len(setting.opponent_model)),
        opponent_model=setting.opponent_model,
        model_current=setting.model_error,
        k=setting.k,
        opponent_lengths=setting.opponent_lengths,
    )
    return Fraction(bound.evaluate(profile) / profile.span)
