"""How fast cases are checked on one core: batches, large sparse games, exact ones, the start-up."""

import json
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from tabular.cases.case import Case, case_at
from tabular.cases.check import Check, check
from tabular.cases.perturb import near_dense, perturbed_case
from tabular.games.policy import random_policies
from tabular.games.random import garnet, garnet_arrays

ROOT = Path(__file__).parents[2]
ACTIONS = (3, 3)


def batch(games: int) -> Case:
    """Garnets of 5 states, 2 agents with 3 actions each, k = 5, errors everywhere."""
    rng = np.random.default_rng(0)
    drawn = garnet_arrays(ACTIONS, 5, 3, rng, batch=(games,))
    policies = random_policies(ACTIONS, 5, rng, (games,))
    return Case(
        gamma=0.9,
        actions=ACTIONS,
        ego=0,
        initial=drawn.initial,
        transition=drawn.transition,
        reward=drawn.reward[:, 0],
        policies=policies,
        data_policies=tuple(near_dense(p, 0.05, rng) for p in policies),
        model_transition=near_dense(drawn.transition, 0.02, rng),
        opponent_models=(None, near_dense(policies[1], 0.05, rng)),
        branch_length=5,
        opponent_lengths=(None, 3),
    )


def test_a_batch_of_games(bench: Any, compare: Callable[[Callable[[], Any], int], float]) -> None:
    games, singles = 10_000, 200
    case = batch(games)
    found: dict[str, Check] = {}

    def together() -> None:
        found["batch"] = check(case)

    alone = [case_at(case, i) for i in range(singles)]
    batched = games / bench.seconds(together, rounds=3)
    looped = singles / compare(lambda: [check(single) for single in alone], 2)
    bench.figure("10,000 games at once: games a second", batched, "games/s")
    bench.figure("games one by one: games a second", looped, "games/s")
    bench.figure("at once / one by one", batched / looped, "times")
    for i, single in enumerate(map(check, alone)):
        for a, b in zip(found["batch"].verdicts, single.verdicts, strict=True):
            # float64 solves of 5×5 systems with condition number at most (1+γ)/(1−γ) = 19, and
            # sums over time that end within 1e-12: 1e-9 leaves three digits
            assert abs(float(np.broadcast_to(a.value, games)[i]) - b.value) <= 1e-9
            assert abs(float(np.broadcast_to(a.discrepancy, games)[i]) - b.discrepancy) <= 1e-9


SPARSE = """
import json, time
import numpy as np
from tabular.cases.check import check
from tabular.cases.perturb import perturbed_case
from tabular.games.random import sparse_garnet

start = time.perf_counter()
rng = np.random.default_rng(0)
case = perturbed_case(sparse_garnet((4, 4), 20_000, 10, rng), rng)
made = time.perf_counter()
result = check(case)
# resource.getrusage would count what the parent process had used before it started this one
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
peak = int(status["VmHWM"].split()[0])
print(json.dumps({
    "make": made - start,
    "check": time.perf_counter() - made,
    "bytes": peak * 1024,
    "holds": [bool(v.holds) for v in result.verdicts if v.bound.valid],
}))
"""


def test_a_large_sparse_game(bench: Any) -> None:
    runs = []

    def run() -> None:
        done = subprocess.run(
            [sys.executable, "-c", SPARSE], cwd=ROOT, capture_output=True, text=True, check=True
        )
        runs.append(json.loads(done.stdout))

    bench.seconds(run, rounds=1)
    figures = runs[-1]
    assert all(figures["holds"])
    assert len(figures["holds"]) >= 6
    what = "20,000 states, 16 joint actions, 10 successors"
    bench.figure(f"{what}: check, seconds", figures["check"], "s", "15 s")
    bench.figure(f"{what}: making it, seconds", figures["make"], "s")
    bench.figure(f"{what}: peak memory", figures["bytes"] / 2**30, "GiB", "2 GB")


def test_an_exact_case(bench: Any) -> None:
    rng = np.random.default_rng(0)
    case = perturbed_case(
        garnet(ACTIONS, 20, 3, rng, exact=True, gamma=Fraction(9, 10)),
        rng,
        opponent_lengths=(None, 3),
    )
    found: dict[str, Check] = {}

    def run() -> None:
        found["check"] = check(case)

    seconds = bench.seconds(run, rounds=2)
    assert case.is_exact
    assert all(isinstance(v.value, Fraction) for v in found["check"].verdicts)
    assert all(v.holds for v in found["check"].verdicts if v.bound.valid)
    bench.figure("20 states, 2 agents, 3 actions, exact: check, seconds", seconds, "s", "5 s")


def test_start_of_the_command_line(bench: Any, tmp_path: Path) -> None:
    def tabular(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "tabular", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    path = tmp_path / "case.json"
    tabular("case", "climbing", "--out", str(path))
    assert json.loads(tabular("check", str(path), "--json"))["exact"] is True
    seconds = bench.seconds(lambda: tabular("check", str(path)), rounds=10)
    bench.figure("python -m tabular check, a small case: seconds", seconds, "s", "0.7 s")
