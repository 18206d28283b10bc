"""Steps of the particle kernel against mpe2 in a loop over as many environments, on one thread."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from mpe2 import simple_speaker_listener_v4, simple_spread_v3

from deep.envs.particle import ParticleEnv
from deep.envs.scenarios import scenario
from deep.envs.spaces import random_actions
from deep.seeding import streams

STEPS = 25
MPE2 = {"spread": simple_spread_v3, "speaker-listener": simple_speaker_listener_v4}


@pytest.mark.parametrize(
    ("runs", "envs", "target"), [(1, 15, "12"), (5, 15, "50"), (1, 1024, "200")]
)
@pytest.mark.parametrize("task", MPE2)
def test_against_mpe2_in_a_loop(
    task: str,
    runs: int,
    envs: int,
    target: str,
    bench: Any,
    compare: Callable[[Callable[[], Any], int], float],
) -> None:
    """An episode of every world: actions in, observations and rewards out, both reset before."""
    torch.set_num_threads(1)
    env = ParticleEnv(scenario(task))
    drawing = streams(range(runs), "environment")
    actions = random_actions(env.spaces, drawing, envs)

    def batched() -> None:
        state = env.reset(drawing, envs)
        for _ in range(STEPS):
            state, _ = env.step(state, actions)
            env.observe(state)

    loop = [MPE2[task].parallel_env() for _ in range(runs * envs)]
    chosen = dict.fromkeys(loop[0].possible_agents, 1)

    def one_by_one() -> None:
        for world in loop:
            world.reset()
        for _ in range(STEPS):
            for world in loop:
                world.step(chosen)

    seconds = bench.seconds(batched, rounds=20)
    slow = compare(one_by_one, 1 if envs > 100 else 5)
    what = f"{task}, {runs * envs} environments"
    bench.figure(f"{what}: steps a second", runs * envs * STEPS / seconds, "steps/s")
    bench.figure(f"{what}: times mpe2", slow / seconds, "times", target)
