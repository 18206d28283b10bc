"""Physical deception (simple_adversary): the agents cover the goal and hide which landmark it is.

One adversary and n agents of radius 0.15 that do not collide, n landmarks, one of them the goal.

- adversary_0, 4n numbers: [0:2n] the landmarks relative to it, [2n:4n] the agents relative to it;
- agent_i, 4n + 2 numbers: [0:2] the goal relative to it, [2:2n+2] the landmarks relative to it,
  [2n+2:4n+2] the other agents relative to it, the adversary first.

Actions: five moves. Rewards: adversary_0 −(its distance to the goal); every agent that distance −
(the distance of the nearest agent to the goal). mpe2 and the original code give the same.
"""

from __future__ import annotations

import torch
from torch import Tensor

from deep.envs import observation as see
from deep.envs.particle import Body, Scenario, State
from deep.envs.physics import distances
from deep.envs.scenarios.colours import ADVERSARY, AGENT, GREY


def adversary(agents: int = 2) -> Scenario:
    """The task for any number of agents on the good side."""
    everyone = range(agents + 1)
    return Scenario(
        name="adversary",
        agents=(
            Body("adversary_0", 0.15, ADVERSARY),
            *(Body(f"agent_{i}", 0.15, AGENT) for i in range(agents)),
        ),
        landmarks=tuple(Body(f"landmark_{i}", 0.08, GREY) for i in range(agents)),
        goals=(tuple(everyone[1:]),),
        private=lambda landmark, goal: landmark.take_along_dim(goal[..., None], -2).flatten(-2),
        observed=(
            see.landmarks(agents, 0) + see.others(everyone, 0),
            *(
                see.private_point(0, i) + see.landmarks(agents, i) + see.others(everyone, i)
                for i in everyone[1:]
            ),
        ),
        reward=reward,
    )


def reward(state: State) -> Tensor:
    """[..., agent], the adversary first, see the module."""
    distance = distances(state.position, state.private[..., None, :]).squeeze(-1)
    seeker = distance[..., :1]
    good = seeker - distance[..., 1:].amin(-1, keepdim=True)
    return torch.cat((-seeker, good.expand_as(distance[..., 1:])), -1)
