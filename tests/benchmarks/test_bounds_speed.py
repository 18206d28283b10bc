"""How fast bounds are evaluated on one core, and how soon the command line answers."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bounds.formula.tree import tree
from bounds.library.published import find

ROOT = Path(__file__).parents[2]
SIZE = 10**7
THEOREM2 = find("theorem2-normalised")
EVALUATE = ["-m", "bounds", "evaluate", "theorem2-printed", "--gamma", "0.95", "--k", "10"]
EVALUATE += ["--model-error", "0.02", "--policy-shift", "0.05", "0.05", "--opponent-model", "0.02"]


def values(dense: bool) -> dict[str, Any]:
    """Theorem 2 at 10⁷ settings: all numbers different in each, or γ, k and r_max the same."""
    rng = np.random.default_rng(0)
    drawn: dict[str, Any] = {name: rng.uniform(0, 0.1, SIZE) for name in THEOREM2.symbols}
    drawn["gamma"] = rng.uniform(0.9, 0.99, SIZE) if dense else 0.95
    drawn["k"] = rng.integers(1, 20, SIZE) if dense else 10
    drawn["r_max"] = rng.uniform(0, 1, SIZE) if dense else 1.0
    return drawn


@pytest.mark.parametrize("dense", [True, False], ids=["all-arrays", "errors-only"])
def test_theorem2_vectorised(
    dense: bool, bench: Any, compare: Callable[[Callable[[], Any], int], float]
) -> None:
    given = values(dense)
    out: dict[str, Any] = {}

    def evaluate() -> None:
        out["value"] = THEOREM2(**given)

    blocked = bench.seconds(evaluate, rounds=3)
    naive = compare(lambda: THEOREM2.formula(**given), 3)
    what = "Theorem 2, " + ("all numbers arrays" if dense else "errors arrays, rest scalars")
    bench.figure(f"{what}: values a second", SIZE / blocked, "values/s")
    bench.figure(f"{what}: without blocks / with", naive / blocked, "times")
    sample = slice(None, None, SIZE // 1000)
    part = {name: v[sample] if isinstance(v, np.ndarray) else v for name, v in given.items()}
    # the same operations in the same order; NumPy's powers may differ by one rounding of 2⁻⁵²
    whole = THEOREM2.formula(**part)
    assert np.all(
        np.abs(out["value"][sample] - whole) <= len(str(tree(THEOREM2))) * 2.0**-52 * whole
    )


def test_start_of_the_command_line(
    bench: Any, compare: Callable[[Callable[[], Any], int], float]
) -> None:
    def python(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
        )
        return done.stdout

    assert "largest" in python(*EVALUATE)
    evaluate = bench.seconds(lambda: python(*EVALUATE), rounds=10)
    numpy = compare(lambda: python("-c", "import numpy"), 10)
    bench.figure("python -m bounds evaluate: seconds", evaluate, "s")
    bench.figure("python -m bounds evaluate / import numpy", evaluate / numpy, "times")
