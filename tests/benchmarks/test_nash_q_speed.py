"""How long the published learning experiment takes on one core."""

from typing import Any

import numpy as np

from tabular.nash_q.grid_games import learn, published_game

RUNS, EPISODES = 100, 5000


def test_grid_game_1(bench: Any) -> None:
    published_game("grid-game-1")
    out: dict[str, Any] = {}

    def train() -> None:
        rng = np.random.default_rng(0)
        out["learned"] = learn("grid-game-1", ["first"], rng, runs=RUNS, episodes=EPISODES)

    seconds = bench.seconds(train, rounds=1)
    what = f"Nash Q, grid game 1: {RUNS} runs of {EPISODES:,} episodes, one core"
    bench.figure(what, seconds, "s", "120 at most, on two")
    steps = out["learned"].steps
    bench.figure("Nash Q: updates", steps.sum() / seconds, "updates/s")
    assert (steps >= 4 * EPISODES).all()  # no goal is nearer than four moves
