"""Keep-away (simple_push): an agent goes to its goal, an adversary that guesses it pushes it off.

Two agents of radius 0.05 that collide, two coloured landmarks, one of them the goal.

- adversary_0, 8 numbers: [0:2] its velocity, [2:6] the landmarks relative to it, [6:8] the agent
  relative to it;
- agent_0, 19 numbers: [0:2] its velocity, [2:4] the goal relative to it, [4:7] its own colour
  (0.25, and 0.5 more in the goal's channel), [7:11] the landmarks relative to it, [11:17] their
  colours, [17:19] the adversary relative to it.

Actions: five moves. Rewards: agent_0 −(its distance to the goal); adversary_0 that distance − (its
own distance to the goal). mpe2 and the original code give the same.
"""

from __future__ import annotations

import torch
from torch import Tensor

from deep.envs import observation as see
from deep.envs.particle import Body, Scenario, State
from deep.envs.physics import distances
from deep.envs.render import Colour
from deep.envs.scenarios.colours import ADVERSARY, GREY, colours

MARKS: tuple[Colour, ...] = ((0.1, 0.9, 0.1), (0.1, 0.1, 0.9))
OWN: tuple[Colour, ...] = ((0.25, 0.75, 0.25), (0.25, 0.25, 0.75))


def push() -> Scenario:
    """The task."""
    return Scenario(
        name="push",
        agents=(
            Body("adversary_0", 0.05, ADVERSARY, collides=True),
            Body("agent_0", 0.05, GREY, collides=True),
        ),
        landmarks=tuple(Body(f"landmark_{i}", 0.05, c) for i, c in enumerate(MARKS)),
        goals=((1,),),
        private=private,
        observed=(
            see.velocity(0) + see.landmarks(2, 0) + see.others((0, 1), 0),
            see.velocity(1)
            + see.private_point(0, 1)
            + see.private(range(2, 5))
            + see.landmarks(2, 1)
            + see.private(range(5, 11))
            + see.others((0, 1), 1),
        ),
        reward=reward,
    )


def private(landmark: Tensor, goal: Tensor) -> Tensor:
    """[0:2] the goal's position, [2:5] the agent's colour, [5:11] the landmarks' colours."""
    target = landmark.take_along_dim(goal.unsqueeze(-1), -2).flatten(-2)
    own = colours(OWN, goal, landmark)
    marks = landmark.new_tensor(MARKS).flatten().expand(*target.shape[:-1], 6)
    return torch.cat((target, own, marks), -1)


def reward(state: State) -> Tensor:
    """[..., (adversary, agent)], see the module."""
    goal = state.private[..., None, :2]
    adversary, agent = distances(state.position, goal).squeeze(-1).unbind(-1)
    return torch.stack((agent - adversary, -agent), -1)
