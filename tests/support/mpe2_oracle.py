"""mpe2 as the oracle of the particle kernel: one world, in any state, read in float64.

``original`` physics is mpe2 with its integrator replaced (six lines) and the moves turned around.
Cooperative scheduling, which mpe2 does not have, is written here as a scenario of mpe2's kind.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import Any

import numpy as np
from mpe2._mpe_utils.core import Agent, Landmark, World
from mpe2._mpe_utils.scenario import BaseScenario
from mpe2._mpe_utils.simple_env import SimpleEnv
from mpe2.simple_adversary.simple_adversary import raw_env as adversary
from mpe2.simple_push.simple_push import raw_env as push
from mpe2.simple_speaker_listener.simple_speaker_listener import raw_env as speaker_listener
from mpe2.simple_spread.simple_spread import raw_env as spread
from mpe2.simple_tag.simple_tag import raw_env as tag

Array = np.ndarray[Any, Any]

COLOURS = np.array([[0.65, 0.15, 0.15], [0.15, 0.65, 0.15], [0.15, 0.15, 0.65]])


class SchedulingScenario(BaseScenario):
    """Definition of the task in ``deep/envs/scenarios/scheduling.py``, written agent by agent."""

    def make_world(self) -> World:
        world = World()
        world.dim_c = 6
        world.agents = [Agent() for _ in range(3)]
        for i, agent in enumerate(world.agents):
            agent.name = f"agent_{i}"
            agent.collide = False
            agent.silent = i > 0
            agent.size = 0.075
        world.landmarks = [Landmark() for _ in range(3)]
        for landmark in world.landmarks:
            landmark.collide = False
        return world

    def reset_world(self, world: World, np_random: np.random.Generator) -> None:
        for entity in world.entities:
            entity.state.p_pos = np_random.uniform(-1, 1, 2)
            entity.state.p_vel = np.zeros(2)
        for agent in world.agents:
            agent.state.c = np.zeros(6)
        for landmark, colour in zip(world.landmarks, COLOURS, strict=True):
            landmark.color = colour
        self.goals = [world.landmarks[np_random.integers(3)] for _ in range(3)]

    def reward(self, agent: Agent, world: World) -> float:
        total = 0.0
        for each, goal in zip(world.agents, self.goals, strict=True):
            total -= np.sum(np.square(each.state.p_pos - goal.state.p_pos))
        return total

    def observation(self, agent: Agent, world: World) -> Array:
        here = agent.state.p_pos
        others = [other.state.p_pos - here for other in world.agents if other is not agent]
        words = world.agents[0].state.c
        if agent is world.agents[0]:
            colours = [goal.color for goal in self.goals[1:]]
            seen = [agent.state.p_vel, self.goals[0].state.p_pos - here, *colours, *others, words]
        else:
            heard = words[:3] if agent is world.agents[1] else words[3:]
            marks = [landmark.state.p_pos - here for landmark in world.landmarks]
            seen = [agent.state.p_vel, *marks, *others, heard]
        return np.concatenate(seen)


def scheduling(continuous_actions: bool) -> SimpleEnv:
    scenario = SchedulingScenario()
    return SimpleEnv(scenario, scenario.make_world(), 25, continuous_actions=continuous_actions)


def integrate_as_the_original(self: World, p_force: list[Any]) -> None:
    for entity, force in zip(self.entities, p_force, strict=True):
        if entity.movable:
            entity.state.p_vel = entity.state.p_vel * (1 - self.damping)
            if force is not None:
                entity.state.p_vel += (force / entity.mass) * self.dt
            if entity.max_speed is not None:
                speed = np.sqrt(np.sum(np.square(entity.state.p_vel)))
                if speed > entity.max_speed:
                    entity.state.p_vel = entity.state.p_vel / speed * entity.max_speed
            entity.state.p_pos = entity.state.p_pos + entity.state.p_vel * self.dt


#: mpe2's environment for each task that it has, or that is written in its style here, from the
#: numbers of bodies and whether actions are continuous.
TASKS: dict[str, Callable[[dict[str, int], bool], Any]] = {
    "spread": lambda counts, numbers: spread(N=counts.get("agents", 3), continuous_actions=numbers),
    "speaker-listener": lambda _, numbers: speaker_listener(continuous_actions=numbers),
    # its two words are no single choice of mpe2's, so it takes one-hots as numbers
    "scheduling": lambda _, __: scheduling(continuous_actions=True),
    "push": lambda _, numbers: push(continuous_actions=numbers),
    "adversary": lambda counts, numbers: adversary(
        N=counts.get("agents", 2), continuous_actions=numbers
    ),
    "tag": lambda counts, numbers: tag(
        num_good=counts.get("prey", 1),
        num_adversaries=counts.get("adversaries", 3),
        num_obstacles=counts.get("obstacles", 2),
        continuous_actions=numbers,
    ),
}


class Oracle:
    """One world of mpe2's for a task; actions are the kernel's vectors, one an agent."""

    def __init__(self, task: str, integrator: str, continuous: bool, **counts: int) -> None:
        self.task, self.integrator, self.continuous = task, integrator, continuous
        self.env = TASKS[task](counts, continuous)
        self.world = self.env.world
        if integrator == "original":
            self.world.integrate_state = MethodType(integrate_as_the_original, self.world)

    def place(self, position: Array, velocity: Array, landmark: Array, goal: Array) -> None:
        """Start an episode in this state."""
        self.env.reset(seed=0)
        for agent, p, v in zip(self.world.agents, position, velocity, strict=True):
            agent.state.p_pos, agent.state.p_vel = p.copy(), v * agent.movable
        for body, p in zip(self.world.landmarks, landmark, strict=True):
            body.state.p_pos = p.copy()
        goals = [self.world.landmarks[i] for i in goal]
        if self.task == "scheduling":
            self.env.scenario.goals = goals
        elif self.task == "speaker-listener":
            self.world.agents[0].goal_b = goals[0]
        elif self.task in ("push", "adversary"):
            for agent in self.world.agents:
                agent.goal_a = goals[0]
        if self.task == "push":
            self.world.agents[1].color = np.array([0.25, 0.25, 0.25])
            self.world.agents[1].color[goals[0].index + 1] += 0.5

    def step(self, actions: Array) -> Array:
        """Act; the rewards in the convention of ``deep``."""
        # landmarks on one point: a force of 0/0 or 1/0 on what cannot move
        with np.errstate(divide="ignore", invalid="ignore"):
            for agent, action in zip(self.world.agents, actions, strict=True):
                self.env.step(self.as_mpe2(agent, action))
        rewards = np.array([self.env.rewards[agent.name] for agent in self.world.agents])
        return rewards * 2 if self.task == "spread" else rewards

    def as_mpe2(self, agent: Agent, action: Array) -> Any:
        """One agent's action as mpe2 takes it."""
        moving = action[:5] if agent.movable else action[:0]
        words = action[len(moving) :][: 0 if agent.silent else self.world.dim_c]
        if self.integrator == "original" and len(moving):
            moving = moving[[0, 2, 1, 4, 3]]
        if self.continuous or self.task == "scheduling":
            return np.concatenate([moving, words])
        return int(np.argmax(moving if len(moving) else words))

    def observe(self) -> list[Array]:
        """What every agent sees."""
        return [self.env.scenario.observation(agent, self.world) for agent in self.world.agents]

    @property
    def position(self) -> Array:
        return np.array([agent.state.p_pos for agent in self.world.agents])

    @property
    def velocity(self) -> Array:
        return np.array([agent.state.p_vel for agent in self.world.agents])
