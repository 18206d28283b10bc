"""The particle kernel against mpe2, on any state and any actions, and mutants that must differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bounds.shared.numbers import InputError
from deep.envs.particle import ParticleEnv, State
from deep.envs.physics import Physics, contact_forces, distances
from deep.envs.scenarios import SCENARIOS, scenario
from deep.envs.spaces import random_actions
from deep.seeding import streams
from tests.support.mpe2_oracle import TASKS, Oracle

#: What has to agree: float64 sums of a few terms of order 1, so 1e-15 a step; in 25 steps contacts
#: (stiffness F dt² = 1 a step and pair) multiply that. Bodies closer than ``CLOSEST`` turn the
#: direction of their force by more than their positions differ, so the comparison stops there.
TOLERANCE = 1e-10
CLOSEST = 1e-3

COUNTS: dict[str, st.SearchStrategy[dict[str, int]]] = {
    # mpe2 has as many landmarks as agents in both
    "spread": st.integers(1, 5).map(lambda n: {"agents": n, "landmarks": n}),
    "adversary": st.integers(1, 4).map(lambda n: {"agents": n}),
    "tag": st.fixed_dictionaries(
        {
            "adversaries": st.integers(1, 4),
            "prey": st.integers(1, 3),
            "obstacles": st.integers(1, 3),
        }
    ),
}


def points(count: int, most: float) -> st.SearchStrategy[Any]:
    return arrays(np.float64, (count, 2), elements=st.floats(-most, most))


@st.composite
def episodes(draw: st.DrawFn, task: str) -> tuple[dict[str, int], list[Any], bool, int]:
    """Numbers of bodies, a start (also crowded ones), whether actions are continuous, a seed."""
    counts = draw(COUNTS.get(task, st.just({})))
    task_ = scenario(task, **counts)
    scale = draw(st.sampled_from([1.0, 0.3, 0.1]))
    n, m = len(task_.agents), len(task_.landmarks)
    position, landmark = draw(points(n, 1.2)) * scale, draw(points(m, 1.2)) * scale
    velocity = draw(points(n, 2.0))
    goal = draw(arrays(np.int64, len(task_.goals), elements=st.integers(0, m - 1)))
    start = [position, velocity, landmark, goal]
    return counts, start, draw(st.booleans()), draw(st.integers(0, 2**32 - 1))


def crowded(env: ParticleEnv, state: State) -> bool:
    """Whether two bodies that collide are closer than ``CLOSEST``."""
    agents, landmarks = env.scenario.agents, env.scenario.landmarks
    hit = [i for i, body in enumerate(agents) if body.collides]
    bodies = state.position[hit]
    if landmarks[0].collides:
        bodies = torch.cat((bodies, state.landmark))
    apart = distances(state.position[hit], bodies)
    return bool((apart + torch.eye(*apart.shape) < CLOSEST).any())


def at_a_threshold(env: ParticleEnv, state: State) -> bool:
    """Whether a touch, which a reward counts, hangs on the last bits of a distance."""
    sizes = torch.tensor([body.size for body in env.scenario.agents])
    reach = sizes + sizes.unsqueeze(-1)
    return bool(((distances(state.position, state.position) - reach).abs() < 1e-9).any())


def check_parity(task: str, physics: Physics, oracle_integrator: str) -> Callable[[], None]:
    """The property: 25 steps of the kernel agree with mpe2 in everything there is to see."""

    @given(episodes(task))
    def check(episode: tuple[dict[str, int], list[Any], bool, int]) -> None:
        counts, (position, velocity, landmark, goal), continuous, seed = episode
        env = ParticleEnv(scenario(task, **counts), physics, continuous, torch.float64)
        oracle = Oracle(task, oracle_integrator, continuous, **counts)
        oracle.place(position, velocity, landmark, goal)
        state = env.place(*(torch.tensor(x) for x in (position, landmark, goal)))
        # what cannot move has no velocity in mpe2 either
        state = replace(state, velocity=torch.tensor(oracle.velocity))
        actions = random_actions(env.spaces, streams([seed], task), 25, torch.float64)[0]
        for t in range(25):
            if crowded(env, state):
                break
            state, reward = env.step(state, actions[t])
            expected = oracle.step(actions[t].numpy())
            close(state.position, oracle.position)
            close(state.velocity, oracle.velocity)
            if not at_a_threshold(env, state):
                close(reward, expected)
            seen = env.observe(state)
            for agent, (size, own) in enumerate(
                zip(env.observation_sizes, oracle.observe(), strict=True)
            ):
                assert own.shape == (size,)
                close(seen[agent, :size], own)
                assert not seen[agent, size:].any()

    return check


def close(kernel: torch.Tensor, oracle: Any) -> None:
    np.testing.assert_allclose(kernel.numpy(), oracle, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("integrator", ["original", "mpe2"])
@pytest.mark.parametrize("task", TASKS)
def test_parity_with_mpe2(task: str, integrator: str) -> None:
    check_parity(task, Physics(integrator), integrator)()


MUTANTS = {
    "integrator": Physics("mpe2"),
    "multiplier": Physics(multiplier=5.001),
    "damping": Physics(damping=0.2501),
    "dt": Physics(dt=0.1001),
    "contact force": Physics(contact_force=100.1),
    "contact margin": Physics(contact_margin=1.1e-3),
}


@pytest.mark.parametrize(
    ("task", "mutant"),
    [
        (task, mutant)
        for task in TASKS
        for mutant in MUTANTS
        # nothing collides in the other three; every agent of tag has a multiplier of its own
        if ("contact" not in mutant or task in ("spread", "push", "tag"))
        and (mutant, task) != ("multiplier", "tag")
    ],
)
def test_mutants_fail_the_same_check(task: str, mutant: str) -> None:
    check = settings(phases=[Phase.generate], report_multiple_bugs=False)(
        check_parity(task, MUTANTS[mutant], "original")
    )
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("gap", [0.0, 1e-300, 1e-40, 1e-12])
def test_bodies_on_one_point_give_no_nan(gap: float, dtype: torch.dtype) -> None:
    env = ParticleEnv(scenario("tag"), dtype=dtype)
    position = torch.zeros(4, 2, dtype=dtype)
    position[1, 0] = gap
    state = env.place(position, torch.zeros(2, 2, dtype=dtype), torch.zeros(0, dtype=torch.int64))
    for _ in range(25):
        state, reward = env.step(state, torch.zeros(4, 5, dtype=dtype))
        assert state.position.isfinite().all()
        assert state.velocity.isfinite().all()
        assert reward.isfinite().all()


@given(
    arrays(np.float64, (4, 2), elements=st.floats(-1e3, 1e3, allow_subnormal=True)),
    st.sampled_from([1.0, 1e-3, 1e-150, 1e-300]),
)
def test_contact_forces_are_equal_and_opposite(position: Any, scale: float) -> None:
    """Pairs of agents push each other alike, so all forces sum to zero, and none is infinite."""
    p = torch.tensor(position * scale)
    reach = torch.full((4, 4), 0.3, dtype=torch.float64).fill_diagonal_(-float("inf"))
    forces = contact_forces(Physics(), p, p, reach)
    # a pair's force is at most F (r + r' + m log 2) < 31; 16 terms, each rounded once or twice
    assert forces.sum(0).abs().max() <= 16 * 31 * 2.0**-51


def test_the_worlds_beside_do_not_matter() -> None:
    """Bit for bit: runs 0, 1, 2 together against run 1 alone, one world against many."""
    for task in SCENARIOS:
        env = ParticleEnv(scenario(task))
        together = episode(env, [0, 1, 2], 15)
        alone = episode(env, [1], 15)
        for many, one in zip(together, alone, strict=True):
            assert torch.equal(many[1:2], one)


def episode(env: ParticleEnv, seeds: list[int], envs: int) -> list[torch.Tensor]:
    starts, acting = streams(seeds, "environment"), streams(seeds, "actions")
    state = env.reset(starts, envs)
    seen = [env.observe(state)]
    for _ in range(env.episode_steps):
        state, reward = env.step(state, random_actions(env.spaces, acting, envs))
        seen += [state.position, state.velocity, reward, env.observe(state)]
    return seen


def test_batches_agree_with_single_worlds() -> None:
    """Leading axes are free: [run, env] against each world on its own, bit for bit."""
    for task in SCENARIOS:
        env = ParticleEnv(scenario(task))
        both = streams([3, 4], "environment")
        state = env.reset(both, 2, 3)
        actions = random_actions(env.spaces, both, 6).unflatten(1, (2, 3))
        after, reward = env.step(state, actions)
        seen = env.observe(after)
        for index in np.ndindex(2, 2, 3):
            own, earned = env.step(state.at(*index), actions[index])
            assert torch.equal(own.position, after.position[index])
            assert torch.equal(earned, reward[index])
            assert torch.equal(env.observe(own), seen[index])


#: Every device of this machine.
DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


@pytest.mark.parametrize("device", DEVICES)
def test_precisions_and_devices_agree(device: str) -> None:
    """float32 on every device against float64: the same starts, and 5 steps without surprises."""
    for task in SCENARIOS:
        exact = ParticleEnv(scenario(task), dtype=torch.float64)
        env = ParticleEnv(scenario(task), device=device)
        wide = exact.reset(streams([0], "environment"), 100)
        state = env.reset(streams([0], "environment"), 100)
        assert torch.equal(state.goal.cpu(), wide.goal)
        actions = random_actions(env.spaces, streams([0], "actions"), 100)
        for _ in range(5):
            wide, _ = exact.step(wide, actions.double())
            state, reward = env.step(state, actions.to(device))
        assert reward.dtype == torch.float32
        # 2⁻²⁴ in positions of order 1, times at most (1 + stiffness) = 2 to 4 a step and contact:
        # 4⁵ · 6e-8 = 6e-5; ten times that for several contacts at once
        assert (state.position.cpu() - wide.position).abs().max() < 6e-4


def test_unknown_integrators_are_refused() -> None:
    with pytest.raises(InputError, match=r"^integrator: 'euler' is not known; choose"):
        Physics("euler")
