"""Nash Q-learning on the discretised Climb at the paper's γ = 0.95, with three learning rates.

Each state's stage game of the exact Q-values has one equilibrium, in which
``tabular.audit.rows.climb_equilibrium`` shows that no other action survives strict dominance; the
theorem's assumption is not met all the same (it is neither a global optimum nor a saddle point).
What is measured is the largest distance of any learned Q-value from the exact one, against steps,
and whether both greedy policies are the landmark in both states.

Learning is by ``best:0``: the stage games met have other equilibria too as long as their entries
are noisy, since away from the landmark the leader's best reply on the grid leads by 0.045 to 0.167
only; ``first`` would take the corner (−1, −1) whenever that is one of them.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from bounds.shared.files import write_json
from bounds.shared.numbers import Array
from tabular.equilibria.exploitability import stage_payoffs
from tabular.equilibria.nash_value_iteration import solve
from tabular.equilibria.selection import parse_selection
from tabular.games import climb
from tabular.games.catalogue import find
from tabular.nash_q.grid_games import greedy
from tabular.nash_q.learning import Learned, nash_q
from tabular.nash_q.learning_rates import Rate, polynomial, published, rescaled

LEARNER = "best:0"
#: (shown, rate) at Climb's γ.
RATES: tuple[tuple[str, Rate], ...] = (
    ("1/n", published),
    ("n^-0.77", polynomial(0.77)),
    ("1/(1 + (1 - gamma) n)", rescaled(float(climb.GAMMA))),
)
SEED, RUNS, STEPS = 0, 5, (2_500, 10_000, 40_000, 160_000)
COMMAND = "python notebooks/record_nash_q.py climb"
FILE = "climb.json"


@lru_cache(maxsize=1)
def exact_table() -> Array:
    """Q[agent, s, a⁰, a¹] of Climb's only stationary equilibrium, in floats."""
    game = find("climb").build()
    values = solve(game, parse_selection("first", 2)).values
    table: Array = np.moveaxis(stage_payoffs(game, values), 1, 0).astype(float)
    return table


def landmarks(learned: Learned, learner: str = LEARNER) -> Array:
    """Whether both greedy policies are the landmark in both states, [run]."""
    every = (np.ones((2, climb.GRID_SIZE), bool),) * 2
    places = list(climb.grid())
    right = []
    for j in range(2):
        policy = greedy(learned, learner, j, every)
        right += [policy[:, s, places.index(climb.equilibrium(s)[j])] == 1 for s in range(2)]
    return np.asarray(np.all(right, axis=0))


def rows(name: str, rate: Rate, steps: Sequence[int], runs: int, seed: int) -> list[dict[str, Any]]:
    """One row a number of steps; the shorter runs are the beginnings of the longer ones."""
    game, exact, out = find("climb").build(), exact_table(), []
    for number in steps:
        rng = np.random.default_rng([seed, 50])  # the same moves whatever the rate is
        learned = nash_q(game, [LEARNER], rng, runs=runs, episodes=1, steps=number, rate=rate)
        apart = np.abs(learned.table(LEARNER) - exact).max(axis=(1, 2, 3, 4))
        out.append(
            {
                "rate": name,
                "steps": number,
                "distance": [round(float(x), 4) for x in np.quantile(apart, [0, 0.5, 1])],
                "landmark": float(landmarks(learned).mean()),
                "assumption_held": float(learned.monitor.assumption_held().mean()),
            }
        )
    return out


def record(
    folder: Path, *, seed: int = SEED, runs: int = RUNS, steps: Sequence[int] = STEPS
) -> Path:
    """Write ``FILE`` to ``folder``: distances (least, median and largest of the runs), and how."""
    began = time.monotonic()
    found = [row for name, rate in RATES for row in rows(name, rate, steps, runs, seed)]
    value = {
        "command": COMMAND,
        "seed": seed,
        "runs": runs,
        "learner": LEARNER,
        "gamma": float(climb.GAMMA),
        "largest": round(float(np.abs(exact_table()).max()), 4),
        "rows": found,
        "seconds": round(time.monotonic() - began, 1),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    return write_json(folder / FILE, value, replace=True)
