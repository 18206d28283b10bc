"""The particle tasks: sizes, resets, what doing nothing earns, and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from scipy import stats

from bounds.shared.numbers import InputError
from deep.envs.particle import ParticleEnv, State
from deep.envs.scenarios import SCENARIOS, scenario
from deep.envs.spaces import Box, Choices, action_width, chosen, one_hot, random_actions
from deep.seeding import streams

#: How many standard errors a mean may be off: 5.7e-7 of a chance a test, and the seeds are fixed.
SIGMAS = 5

MOVES = Choices((5,))
EXPECTED = {
    "spread": ([MOVES] * 3, [18] * 3),
    "speaker-listener": ([Choices((3,), words=1), MOVES], [3, 11]),
    "scheduling": ([Choices((5, 3, 3), words=2), MOVES, MOVES], [20, 15, 15]),
    "push": ([MOVES] * 2, [8, 19]),
    "adversary": ([MOVES] * 3, [8, 10, 10]),
    "tag": ([MOVES] * 4, [16, 16, 16, 14]),
}


def env_of(task: str, **counts: int) -> ParticleEnv:
    return ParticleEnv(scenario(task, **counts), dtype=torch.float64)


@pytest.mark.parametrize("task", SCENARIOS)
def test_spaces_and_sizes(task: str) -> None:
    env = env_of(task)
    sizes = list(env.observation_sizes)
    # a task that is not in the table has whatever its file says
    assert (list(env.spaces), sizes) == EXPECTED.get(task, (list(env.spaces), sizes))
    state = env.reset(streams([0, 1], "environment"), 3)
    seen = env.observe(state)
    assert seen.shape == (2, 3, len(sizes), max(sizes))
    after, reward = env.step(state, random_actions(env.spaces, streams([0, 1], "a"), 3).double())
    assert reward.shape == (2, 3, len(sizes))
    assert (state.time, after.time, env.episode_steps) == (0, 1, 25)
    boxes = ParticleEnv(scenario(task), continuous=True).spaces
    assert boxes == tuple(Box(space.width) for space in env.spaces)


@pytest.mark.parametrize(
    ("task", "counts", "sizes"),
    [
        ("spread", {"agents": 2, "landmarks": 4}, [16] * 2),
        ("adversary", {"agents": 3}, [12, 14, 14, 14]),
        ("tag", {"adversaries": 2, "prey": 2, "obstacles": 3}, [20, 20, 18, 18]),
    ],
)
def test_other_numbers_of_bodies(task: str, counts: dict[str, int], sizes: list[int]) -> None:
    assert list(env_of(task, **counts).observation_sizes) == sizes


def test_spread_with_as_many_landmarks_as_one_likes() -> None:
    """By hand: two agents that touch, three landmarks."""
    env = env_of("spread", agents=2, landmarks=3)
    position = torch.tensor([[0.0, 0.0], [0.2, 0.0]], dtype=torch.float64)
    landmark = torch.tensor([[0.0, 1.0], [0.2, 0.5], [-1.0, 0.0]], dtype=torch.float64)
    state = env.place(position, landmark, torch.zeros(0, dtype=torch.int64))
    assert torch.allclose(env.scenario.reward(state), torch.tensor([-3.5, -3.5]).double())
    apart = replace(state, position=position * 2)
    uncovered = 1 + math.hypot(0.2, 0.5) + 1
    assert torch.allclose(env.scenario.reward(apart), -torch.tensor([uncovered] * 2).double())


@pytest.mark.parametrize("task", SCENARIOS)
def test_worlds_start_uniformly_and_each_on_its_own(task: str) -> None:
    env = env_of(task)
    state = env.reset(streams([0, 1], "environment"), 2000)
    assert not state.velocity.any()
    assert not state.message.any()
    for points, most in ((state.position, 1.0), (state.landmark, env.scenario.spread)):
        for numbers in points.flatten(0, 1).flatten(1).T:
            test = stats.kstest(numbers.numpy(), stats.uniform(-most, 2 * most).cdf)
            assert test.pvalue > 1e-6
    m = len(env.scenario.landmarks)
    for goal in state.goal.flatten(0, 1).T:
        counts = torch.bincount(goal, minlength=m)
        assert stats.chisquare(counts.numpy()).pvalue > 1e-6
    assert len(torch.unique(state.position.flatten(0, 1).flatten(1), dim=0)) == 4000


def mean_return(env: ParticleEnv, still: bool, envs: int = 4000) -> tuple[float, float]:
    """Mean and standard error of the first agent's return."""
    starts, acting = streams([0], "environment"), streams([0], "actions")
    state = env.reset(starts, envs)
    none = torch.zeros(1, envs, len(env.agents), action_width(env.spaces), dtype=env.dtype)
    total = torch.zeros(1, envs, dtype=env.dtype)
    for _ in range(env.episode_steps):
        actions = none if still else random_actions(env.spaces, acting, envs, env.dtype)
        state, reward = env.step(state, actions)
        total += reward[..., 0]
    return float(total.mean()), float(total.std() / math.sqrt(envs))


@pytest.mark.parametrize(
    ("task", "expected"), [("speaker-listener", -100 / 3), ("scheduling", -100)]
)
def test_standing_still_earns_what_it_must(task: str, expected: float) -> None:
    """E|p − q|² = 4/3 for two points uniform on [−1, 1]², 25 times, for one or three agents."""
    mean, error = mean_return(env_of(task), still=True)
    assert abs(mean - expected) < SIGMAS * error


@pytest.mark.parametrize("task", ["spread", "speaker-listener", "scheduling"])
def test_moving_at_random_is_worse_than_standing_still(task: str) -> None:
    still, error = mean_return(env_of(task), still=True)
    moving, other = mean_return(env_of(task), still=False)
    assert still - moving > SIGMAS * math.hypot(error, other)


def towards_goal(state: State) -> torch.Tensor:
    """One-hot moves of the last agent along the larger coordinate of what is left to its goal."""
    left = state.landmark.take_along_dim(state.goal[..., -1:, None], -2)[..., 0, :]
    left = left - state.position[..., -1, :] - 0.5 * state.velocity[..., -1, :]
    axis = left.abs().argmax(-1, keepdim=True)
    back = left.take_along_dim(axis, -1) < 0
    move = torch.where(left.abs().amax(-1, keepdim=True) < 0.05, 0, 1 + 2 * axis + back)
    return move.squeeze(-1)


def test_option_one_goes_right_and_a_listener_that_knows_does_well() -> None:
    """The moves have the stated directions: following them leads to the goal."""
    env = env_of("speaker-listener")
    state = env.reset(streams([0], "environment"), 500)
    for _ in range(env.episode_steps):
        moves = torch.stack((torch.zeros_like(towards_goal(state)), towards_goal(state)), -1)
        state, reward = env.step(state, one_hot(env.spaces, moves.unsqueeze(-1), env.dtype))
    # a move changes the speed by 0.5, the position by 0.05 in the step itself
    assert reward.mean() > -0.05


def test_goals_reach_the_observations() -> None:
    env = env_of("scheduling")
    state = env.reset(streams([7], "environment"), 50)
    seen = env.observe(state)[0]
    for world, goals in enumerate(state.goal[0].tolist()):
        own = state.landmark[0, world, goals[0]] - state.position[0, world, 0]
        assert torch.equal(seen[world, 0, 2:4], own)
        for k, goal in enumerate(goals[1:]):
            assert int(seen[world, 0, 4 + 3 * k : 7 + 3 * k].argmax()) == goal


def test_words_are_heard_one_step_later() -> None:
    env = env_of("scheduling")
    state = env.reset(streams([7], "environment"), 1)
    said = torch.tensor([[[[0, 2, 1], [0, 0, 0], [0, 0, 0]]]])
    state, _ = env.step(state, one_hot(env.spaces, said, env.dtype))
    seen = env.observe(state)[0, 0]
    assert seen[0, 14:20].tolist() == [0, 0, 1, 0, 1, 0]
    assert seen[1, 12:15].tolist() == [0, 0, 1]
    assert seen[2, 12:15].tolist() == [0, 1, 0]
    state, _ = env.step(state, one_hot(env.spaces, said * 0, env.dtype))
    assert env.observe(state)[0, 0, 1, 12:15].tolist() == [1, 0, 0]


def test_indices_and_one_hots_are_inverse() -> None:
    spaces = env_of("scheduling").spaces
    actions = random_actions(spaces, streams([0, 1], "actions"), 300)
    assert torch.equal(one_hot(spaces, chosen(spaces, actions), actions.dtype), actions)
    counts = chosen(spaces, actions)[..., 0, 0].flatten().bincount(minlength=5)
    assert stats.chisquare(counts.numpy()).pvalue > 1e-6
    with pytest.raises(TypeError, match="no indices"):
        chosen([Box(2)], actions)
    numbers = random_actions([Box(2, -1, 1)], streams([0], "actions"), 4000)
    assert stats.kstest(numbers[0, :, 0, 1].numpy(), stats.uniform(-1, 2).cdf).pvalue > 1e-6


def test_streams_belong_to_a_seed_and_a_purpose() -> None:
    together = streams([5, 6], "a")
    first = together.uniform(4)
    assert torch.equal(first[1:], streams([6], "a").uniform(4))
    assert not torch.equal(first[1:], streams([6], "b").uniform(4))
    kept = together.state()
    following = together.uniform(2, 3)
    together.restore(kept)
    assert torch.equal(together.uniform(2, 3), following)


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        ([], "seeds: none; give at least one"),
        ([1, -2], r"seeds\[1\]: -2 is not a whole number, 0 or more"),
        ([3, 3], r"seeds\[1\]: 3 is there already; give each seed once"),
    ],
)
def test_bad_seeds_are_refused(seeds: list[int], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        streams(seeds, "environment")


@pytest.mark.parametrize(
    ("task", "counts", "message"),
    [
        ("spred", {}, "task: 'spred' is not a particle task; the nearest name is spread"),
        ("spread", {"agents": 0}, r"agents: 0 is not a whole number, 1\.\.100"),
        ("push", {"agents": 3}, "agents: 3 given, but in push its numbers are fixed"),
        (
            "tag",
            {"agents": 3},
            "agents: 3 given, but in tag only adversaries, prey, obstacles can be chosen",
        ),
    ],
)
def test_unknown_tasks_and_numbers_are_refused(
    task: str, counts: dict[str, int], message: str
) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        scenario(task, **counts)


def test_pictures_show_what_is_there() -> None:
    env = env_of("scheduling")
    state = env.reset(streams([0], "environment"), 1)
    before = env.frame(state.at(0, 0), size=120)
    assert before.shape == (120, 120, 3)
    assert (before != 255).any()
    said = torch.tensor([[[[1, 2, 1], [0, 0, 0], [0, 0, 0]]]])
    state, _ = env.step(state, one_hot(env.spaces, said, env.dtype))
    after = env.frame(state.at(0, 0), size=120)
    assert (before != after).any()
    # a world whose agents left the view shows them at the edge
    far = replace(state.at(0, 0), position=torch.full((3, 2), 1e6, dtype=torch.float64))
    assert (env.frame(far, size=120)[:4, -4:] < 255).any()
