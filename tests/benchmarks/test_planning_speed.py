"""How soon a plan, an allocation and a verdict are there, on one core."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from bounds.formula.error_profile import ErrorProfile
from bounds.library.published import BOUNDS
from bounds.planning.opponent_lengths import allocate, evaluated, paper_rule
from bounds.planning.rollout_length import curves
from tabular.search.refute import refute

ROOT = Path(__file__).parents[2]
PLAN = ["-m", "bounds", "plan", "--gamma", "0.95", "--policy-shift", "0.05", "0.05", "0.05"]
PLAN += ["--opponent-model", "0.02", "0.02", "--model-error", "0.02", "--json"]


def test_a_plan_from_the_command_line(bench: Any) -> None:
    def plan() -> None:
        run = subprocess.run(
            [sys.executable, *PLAN], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert '"coupling_within_1_percent"' in run.stdout

    bench.figure("python -m bounds plan: seconds", bench.seconds(plan, rounds=5), "s", "1")


def test_a_grid_of_lengths_and_errors(bench: Any) -> None:
    """1000 lengths k by 1000 model errors, both bounds at each."""
    errors = np.logspace(-4, -0.5, 1000)[:, None]
    profile = ErrorProfile(
        gamma=0.95,
        policy_shift=(0.05, 0.05, 0.05),
        opponent_model=(0.02, 0.02),
        model_current=errors,
    )
    ks = np.arange(1, 1001)[None, :]

    def grid() -> None:
        printed, coupling, _ = curves(profile, "expected", ks)
        assert printed.shape == coupling.shape == (1000, 1000)

    seconds = bench.seconds(grid, rounds=3)
    bench.figure("10⁶ settings of k and model error: seconds", seconds, "s", "10")


def test_an_allocation(bench: Any) -> None:
    hats = tuple(0.02 * (j + 1) for j in range(8))
    profile = ErrorProfile(
        gamma=0.95, policy_shift=(0.05,) * 9, opponent_model=hats, model_sup=0.02, k=50
    )
    calls = evaluated(profile, paper_rule(50, hats)).calls
    seconds = bench.seconds(lambda: allocate(profile, calls), rounds=3)
    bench.figure("allocation, 8 opponents, k = 50: seconds", seconds, "s", "10")


def test_verdicts(bench: Any) -> None:
    slowest = [0.0, ""]

    def judge() -> None:
        for bound in BOUNDS:
            start = time.perf_counter()
            refute(bound)
            slowest[:] = max(slowest, [time.perf_counter() - start, bound.name])

    bench.seconds(judge, rounds=1)
    seconds, name = slowest
    bench.figure(f"slowest verdict on a published bound ({name})", seconds, "s", "60")
