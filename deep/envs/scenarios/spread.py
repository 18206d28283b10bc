"""Cooperative navigation (simple_spread): the agents cover the landmarks and avoid each other.

n agents (discs of radius 0.15 that collide) and m landmarks. Observation of agent i, 4n + 2m
numbers: [0:2] its velocity, [2:4] its position, [4:4+2m] the landmarks relative to it, then
2(n − 1) the other agents relative to it, then 2(n − 1) zeros, what silent agents say. Actions: five
moves.

Reward of agent i: −Σ_landmarks (distance of the nearest agent) − (number of other agents that it
touches). Other conventions for the same trajectory of T steps:

- the original code also counts an agent as touching itself: subtract 1 a step and agent;
- its shared reward is the sum over the agents: Σ_i of that;
- mpe2 (local_ratio 0.5) gives agent i half of the reward here.

So with n = 3 and T = 25 the mean mpe2 return is (original shared return + 75) / 6.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor

from deep.envs import observation as see
from deep.envs.particle import Body, Scenario, State
from deep.envs.physics import distances
from deep.envs.scenarios.colours import AGENT, GREY

SIZE = 0.15


def spread(agents: int = 3, landmarks: int = 3) -> Scenario:
    """The task for any number of agents and landmarks."""
    return Scenario(
        name="spread",
        agents=tuple(Body(f"agent_{i}", SIZE, AGENT, collides=True) for i in range(agents)),
        landmarks=tuple(Body(f"landmark_{i}", 0.05, GREY) for i in range(landmarks)),
        observed=tuple(
            see.velocity(i)
            + see.position(i)
            + see.landmarks(landmarks, i)
            + see.others(range(agents), i)
            + see.zeros(2 * (agents - 1))
            for i in range(agents)
        ),
        reward=reward,
        observed_reward=partial(observed_reward, agents, landmarks),
    )


def observed_reward(agents: int, landmarks: int, seen: Tensor) -> Tensor:
    """The same of observations: everyone sees the way to all landmarks and to all others."""
    ways = seen[..., :agents, 4 : 4 + 2 * landmarks].unflatten(-1, (landmarks, 2))
    uncovered: Tensor = ways.square().sum(-1).sqrt().amin(-2).sum(-1, keepdim=True)
    first = 4 + 2 * landmarks
    others = seen[..., first : first + 2 * (agents - 1)].unflatten(-1, (agents - 1, 2))
    near: Tensor = (others.square().sum(-1).sqrt() < 2 * SIZE).sum(-1)
    return -near - uncovered


def reward(state: State) -> Tensor:
    """−Σ of the landmarks' distances to their nearest agents − touches, [..., agent]."""
    uncovered = distances(state.landmark, state.position).amin(-1).sum(-1, keepdim=True)
    # every agent is within reach of itself
    near = (distances(state.position, state.position) < 2 * SIZE).sum(-1)
    return 1 - near - uncovered
