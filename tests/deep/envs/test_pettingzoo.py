"""Every environment as a ParallelEnv: PettingZoo's own tests, spaces, pictures, errors."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from gymnasium import spaces

from bounds.shared.numbers import InputError
from deep.envs.climb import ClimbEnv
from deep.envs.game import GameEnv
from deep.envs.particle import ParticleEnv
from deep.envs.pettingzoo import ParallelWorld, Pictured
from deep.envs.scenarios import SCENARIOS, scenario
from deep.envs.spaces import one_hot
from deep.seeding import streams
from tabular.games.catalogue import find

with warnings.catch_warnings():
    # its tests import an environment of its own in a way that it calls deprecated
    warnings.simplefilter("ignore", DeprecationWarning)
    from pettingzoo.test import parallel_api_test, parallel_seed_test

WORLDS: dict[str, Pictured] = {
    **{task: ParticleEnv(scenario(task)) for task in SCENARIOS},
    **{f"{task}, boxes": ParticleEnv(scenario(task), continuous=True) for task in SCENARIOS},
    "spread, five agents": ParticleEnv(scenario("spread", agents=5, landmarks=2)),
    "climb": ClimbEnv(),
    "unequal-coordination": GameEnv(find("unequal-coordination").build()),
    "soccer": GameEnv(find("soccer").build(), episode_steps=40, dtype=torch.float64),
}


@pytest.mark.parametrize("name", WORLDS)
def test_pettingzoo_accepts_it(name: str) -> None:
    parallel_api_test(ParallelWorld(WORLDS[name]), num_cycles=60)
    parallel_seed_test(lambda: ParallelWorld(WORLDS[name]), num_cycles=60)


@pytest.mark.parametrize("name", WORLDS)
def test_an_episode_is_truncated_and_can_be_seen(name: str) -> None:
    env = ParallelWorld(WORLDS[name], render_mode="rgb_array")
    seen, _ = env.reset(seed=3)
    frames, steps = [env.render()], 0
    for agent in env.possible_agents:
        env.action_space(agent).seed(0)
    while env.agents:
        for agent in env.agents:
            assert env.observation_space(agent).contains(seen[agent])
        actions = {agent: env.action_space(agent).sample() for agent in env.agents}
        seen, rewards, terminations, truncations, infos = env.step(actions)
        steps += 1
        frames.append(env.render())
        assert set(rewards) == set(infos) == set(env.possible_agents)
        assert not any(terminations.values())
        assert all(truncations.values()) == (not env.agents)
    assert steps == WORLDS[name].episode_steps
    assert all(f is not None and f.shape == (240, 240, 3) for f in frames)
    assert all(f is not None and f.dtype == np.uint8 for f in frames)
    assert len({f.tobytes() for f in frames if f is not None}) > 1
    env.close()


def test_it_is_the_same_world_as_the_batched_one() -> None:
    world = ParticleEnv(scenario("scheduling"))
    env = ParallelWorld(world)
    seen, _ = env.reset(seed=11)
    state = world.reset(streams([11], "environment"), 1)
    rng = np.random.default_rng(0)
    for _ in range(25):
        batched = world.observe(state)[0, 0].numpy()
        for i, (agent, size) in enumerate(zip(env.agents, world.observation_sizes, strict=True)):
            np.testing.assert_array_equal(seen[agent], batched[i, :size])
        words = rng.integers(3, size=2)
        moves = rng.integers(5, size=3)
        seen, rewards, *_ = env.step(
            {
                "agent_0": np.array([moves[0], *words]),
                "agent_1": int(moves[1]),
                "agent_2": moves[2],
            }
        )
        index = torch.tensor([[moves[0], *words], [moves[1], 0, 0], [moves[2], 0, 0]])
        state, reward = world.step(state, one_hot(world.spaces, index[None, None], world.dtype))
        assert list(rewards.values()) == reward[0, 0].tolist()


def test_spaces_in_gymnasiums_terms() -> None:
    env = ParallelWorld(ParticleEnv(scenario("scheduling")))
    assert env.action_space("agent_0") == spaces.MultiDiscrete([5, 3, 3])
    assert env.action_space("agent_1") == spaces.Discrete(5)
    climb = ParallelWorld(ClimbEnv())
    assert climb.action_space("agent_0") == spaces.Box(-1, 1, (1,), np.float32)
    assert env.observation_space("agent_0").shape == (20,)


def test_resets_without_a_seed_go_on() -> None:
    def starts(seed: int | None) -> list[bytes]:
        env = ParallelWorld(ParticleEnv(scenario("spread")))
        return [env.reset(seed=s)[0]["agent_0"].tobytes() for s in (seed, None, None)]

    assert starts(1) == starts(1)
    assert len(set(starts(1))) == 3
    assert starts(None) != starts(None)


def test_what_is_refused() -> None:
    with pytest.raises(InputError, match=r"^render_mode: 'human' is not known; give rgb_array"):
        ParallelWorld(ClimbEnv(), render_mode="human")
    env = ParallelWorld(ParticleEnv(scenario("push")))
    assert env.render() is None
    with pytest.raises(InputError, match=r"^step: no episode is running; call reset first$"):
        env.step({"adversary_0": 0, "agent_0": 0})
    env.reset(seed=0)
    with pytest.raises(InputError, match=r"^actions: none for agent_0; give one for every agent$"):
        env.step({"adversary_0": 0})
    with pytest.raises(InputError, match=r"^actions\[agent_0\]: 5 is not in Discrete\(5\)$"):
        env.step({"adversary_0": 0, "agent_0": 5})
    shown = ParallelWorld(ClimbEnv(), render_mode="rgb_array")
    with pytest.raises(InputError, match=r"^render: no episode was started; call reset first$"):
        shown.render()
