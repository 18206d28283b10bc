"""The grid games' learning experiment as published, and its record.

100 runs of 5,000 episodes each with random moves; then every pair of learners plays greedily
(``tabular.nash_q.grid_games``). Compared with Hu and Wellman (2003), from memory.

*Remembered with confidence*, and so here:

- The equilibrium Q-values at the start. Grid game 1: 97.0 for both agents, 95.1 where both move
  into the middle. Grid game 2: 98 for one agent and 49 for the other on the two joint optimal
  paths; and a third, symmetric equilibrium that moves into the middle with probability 0.97, worth
  about 49.4 to both (``third_equilibrium``: 0.9702 and 49.369). The others are exact
  here: 970299/10000, 95.06, 9801/100, 9801/200.
- That they move with 424 pairs of a state and a joint action in grid game 1.
- What the abstract says. The stage games met violate the theorem's assumption in both games (here:
  in every run). Learning converges in grid game 1, whose equilibrium Q-function is unique, and
  sometimes does not in grid game 2, which has three (here value iteration with ``first`` cycles).
  Nash Q-learners reach joint optimal paths more often than single-agent ones: here all 15 pairs
  with a Nash learner in grid game 1, and 14 of 15 in grid game 2. That both agents of such a pair
  do better than two single-agent ones is so here in grid game 1 and by that measure.
- That the learned values lie below the exact ones after 5,000 episodes: values seen early stay in
  the averages of the rate 1/n.

*Not remembered with confidence*: the percentages of the two tables of joint optimal paths. What
remains of them is that two single-agent learners reach 20 % in grid game 1 (14 % here), and pairs
of Nash learners with the same selection up to 100 % (100, 86 and 48 % here); of grid game 2 no
figure does. They depend on the order in which a solver lists the equilibria too, which is not known
here.

*Pairs of best expected Nash learners* do worse here than one would expect, 48 % and 6 %, and
``tabular.nash_q.coordination`` says why: not their values, but that each means another equilibrium.
Had both agents followed one of the two learners, 97 or 89 % of the runs would have ended on a joint
optimal path in grid game 1, and 92 or 97 % in grid game 2. In grid game 1 all equilibria are worth
97.03 to both, so noise decides which one of the ten pairs of paths a learner prefers; both prefer
the same one in 28 % of the runs, which all succeed. In grid game 2 the best equilibria differ on
purpose: each goes through the middle, and they collide there for ever.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bounds.shared.files import write_json, write_text
from bounds.shared.numbers import Array
from tabular.games.grid import GOALS
from tabular.games.number_text import rational_text
from tabular.nash_q.assumption_monitor import FLAGS
from tabular.nash_q.coordination import coordination, summary
from tabular.nash_q.grid_games import (
    KINDS,
    LEARNERS,
    SINGLE,
    equilibrium_table,
    greedy,
    learn,
    optimal_payoffs,
    play,
    published_game,
    start,
)
from tabular.nash_q.learning import Learned

SEED, RUNS, EPISODES = 0, 100, 5000
COMMAND = "python notebooks/record_nash_q.py"


def record(folder: Path, *, seed: int = SEED, runs: int = RUNS, episodes: int = EPISODES) -> Path:
    """Write results.json, tables.md and manifest.json of both games to ``folder``."""
    began = time.monotonic()
    results = [
        experiment(name, np.random.default_rng([seed, number]), runs, episodes)
        for number, name in enumerate(GOALS)
    ]
    manifest = {
        "command": COMMAND,
        "seed": seed,
        "runs": runs,
        "episodes": episodes,
        "seconds": round(time.monotonic() - began, 1),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    write_json(folder / "results.json", results, replace=True)
    write_text(folder / "tables.md", tables(results), replace=True)
    return write_json(folder / "manifest.json", manifest, replace=True)


def experiment(name: str, rng: np.random.Generator, runs: int, episodes: int) -> dict[str, Any]:
    """Train all learners on the same runs of game ``name``, and let all pairs play."""
    learned = learn(name, LEARNERS, rng, runs=runs, episodes=episodes)
    return {
        "game": name,
        "runs": runs,
        "episodes": episodes,
        "steps_per_episode": round(float(learned.steps.mean()) / episodes, 3),
        "equilibria": _equilibria(name),
        "learners": [_learner(name, learned, learner) for learner in LEARNERS],
        "pairs": pairs(name, learned),
        "coordination": coordinated(name, learned),
    }


def coordinated(name: str, learned: Learned) -> list[dict[str, Any]]:
    """Whether the two Nash learners of each pair mean the same equilibria, and what follows."""
    nash = [kind for kind in KINDS if {*kind[1:]} <= {*learned.learners}]
    return [
        {"agents": [one[0], other[0]]} | summary(coordination(name, learned, (one[1], other[2])))
        for one in nash
        for other in nash
    ]


def pairs(name: str, learned: Learned) -> list[dict[str, Any]]:
    """What each pair of learners does after training: shares of runs, mean returns."""
    _, legal = published_game(name)
    optimal = optimal_payoffs(name)
    trained = {*learned.learners, SINGLE}
    kinds = [kind for kind in KINDS if {*kind[1:]} <= trained]
    sides = [[greedy(learned, kind[1 + j], j, legal) for kind in kinds] for j in range(2)]
    rows = []
    for first, one in zip(kinds, sides[0], strict=True):
        for second, other in zip(kinds, sides[1], strict=True):
            played = play(name, (one, other))
            rows.append(
                {
                    "agents": [first[0], second[0]],
                    "joint_optimal_path": round(float(played.optimal(optimal).mean()), 4),
                    "equilibrium": round(float(played.equilibrium.mean()), 4),
                    "returns": [round(float(x), 2) for x in played.returns.mean(axis=0)],
                }
            )
    return rows


def _equilibria(name: str) -> list[dict[str, Any]]:
    seen = []
    for selection in ("best:0", "best:1"):
        table = _at_start(name, equilibrium_table(name, selection))
        exact = [[[rational_text(q) for q in row] for row in own] for own in table]
        seen.append({"selection": selection, "values": exact})
    return seen


def _at_start(name: str, tables: Array) -> Array:
    """The entries of ``tables[..., a⁰, a¹]`` for the moves that the agents have at the start."""
    game, legal = published_game(name)
    rows, columns = (np.flatnonzero(own[start(game)]) for own in legal)
    return np.asarray(tables[..., rows[:, None], columns])


def _learner(name: str, learned: Learned, learner: str) -> dict[str, Any]:
    game, _ = published_game(name)
    values = _at_start(name, learned.table(learner)[:, :, start(game)])
    number = learned.learners.index(learner)
    phases = learned.monitor.fractions()[:, number]
    return {
        "learner": learner,
        "start_mean": np.round(values.mean(axis=0), 2).tolist(),
        "start_deviation": np.round(values.std(axis=0), 2).tolist(),
        "assumption_held": float(learned.monitor.assumption_held()[:, number].mean()),
        "stage_games": int(learned.monitor.updates.sum()),
        "conditions": {
            flag: np.round(phases[:, place], 4).tolist() for place, flag in enumerate(FLAGS)
        },
    }


def tables(results: Sequence[dict[str, Any]]) -> str:
    """The record for people, in Markdown."""
    lines = ["# Nash Q-learning on the grid games", ""]
    for result in results:
        lines += [
            f"## {result['game']}: {result['runs']} runs of {result['episodes']:,} episodes",
            "",
            "| agent 0 | agent 1 | joint optimal path | equilibrium | mean returns |",
            "| --- | --- | --- | --- | --- |",
        ]
        for row in result["pairs"]:
            first, second = row["agents"]
            returns = ", ".join(f"{x:.1f}" for x in row["returns"])
            lines.append(
                f"| {first} | {second} | {row['joint_optimal_path']:.0%} | "
                f"{row['equilibrium']:.0%} | {returns} |"
            )
        lines += [
            "",
            "| agent 0 | agent 1 | optimal by tables of 0, of 1 | same profile on the path | "
            "optimal if so | optimal if not |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        for row in result["coordination"]:
            shares = [*row["own_optimal"], row["agree"]]
            shares += [row["optimal_where_they_agree"], row["optimal_where_they_do_not"]]
            of_0, of_1, agree, same, other = ("-" if x is None else f"{x:.0%}" for x in shares)
            first, second = row["agents"]
            lines.append(f"| {first} | {second} | {of_0}, {of_1} | {agree} | {same} | {other} |")
        lines += ["", "| learner | Q at the start, agents 0 and 1 | optimum used | saddle used |"]
        lines.append("| --- | --- | --- | --- |")
        for row in result["learners"]:
            last = {flag: shares[-1] for flag, shares in row["conditions"].items()}
            lines.append(
                f"| {row['learner']} | {row['start_mean']} | {last['optimum-used']:.0%} | "
                f"{last['saddle-used']:.0%} |"
            )
        lines.append("")
    lines.append("Conditions are those of the stage games in the last tenth of the episodes.")
    return "\n".join(lines) + "\n"
