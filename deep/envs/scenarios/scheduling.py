"""Cooperative scheduling: one agent knows where the two others have to go, and goes its own way.

Three agents of radius 0.075 that do not collide, three coloured landmarks; each agent has a goal
among them, drawn independently. All move. Agent 0 also says two words of three, one to each of the
others, who are silent, do not know their goals, and hear their word of the step before.

- agent_0, 20 numbers: [0:2] its velocity, [2:4] its goal relative to it, [4:10] the colours of the
  goals of agents 1 and 2, [10:14] these agents relative to it, [14:20] its own words of the step
  before; action: five moves, a word of three to agent 1, a word of three to agent 2;
- agent_1 and agent_2, 15 numbers: [0:2] its velocity, [2:8] the landmarks relative to it, [8:12]
  the other agents relative to it, [12:15] the word heard; action: five moves.

Reward of every agent: −Σ of the three squared distances of agents to their goals; a shared reward
that sums over the agents is three times as much.
"""

from __future__ import annotations

import torch
from torch import Tensor

from deep.envs import observation as see
from deep.envs.particle import Body, Scenario, State
from deep.envs.scenarios.colours import AGENT, GREY, LANDMARKS, colours


def scheduling() -> Scenario:
    """The task."""
    agents = range(3)
    return Scenario(
        name="scheduling",
        agents=(
            Body("agent_0", 0.075, AGENT, words=(3, 3)),
            Body("agent_1", 0.075, GREY),
            Body("agent_2", 0.075, GREY),
        ),
        landmarks=tuple(Body(f"landmark_{i}", 0.05, c) for i, c in enumerate(LANDMARKS)),
        goals=((0,), (1,), (2,)),
        private=private,
        observed=(
            see.velocity(0)
            + see.private_point(0, 0)
            + see.private(range(2, 8))
            + see.others(agents, 0)
            + see.message(range(6)),
            *(
                see.velocity(i)
                + see.landmarks(3, i)
                + see.others(agents, i)
                + see.message(range(3 * i - 3, 3 * i))
                for i in (1, 2)
            ),
        ),
        reward=reward,
        observed_reward=observed_reward,
    )


def private(landmark: Tensor, goal: Tensor) -> Tensor:
    """[0:2] the position of agent 0's goal, [2:8] the colours of the goals of agents 1 and 2."""
    own = landmark.take_along_dim(goal[..., :1, None], -2).flatten(-2)
    return torch.cat((own, colours(LANDMARKS, goal[..., 1:], landmark)), -1)


def observed_reward(seen: Tensor) -> Tensor:
    """The same of observations: agent 0 sees all goals' colours, the others their ways."""
    known = torch.tensor(LANDMARKS, dtype=seen.dtype, device=seen.device)
    total = seen[..., 0, 2:4].square().sum(-1)
    for agent in (1, 2):
        colour = seen[..., 0, 1 + 3 * agent : 4 + 3 * agent].unsqueeze(-2)
        goal = (colour - known).square().sum(-1).argmin(-1)
        squared = seen[..., agent, 2:8].unflatten(-1, (3, 2)).square().sum(-1)
        total = total + squared.take_along_dim(goal.unsqueeze(-1), -1).squeeze(-1)
    return total.neg().unsqueeze(-1).expand(*total.shape, 3)


def reward(state: State) -> Tensor:
    """−Σ_i |p_i − p_goal(i)|² for every agent, [..., agent]."""
    goals = state.landmark.take_along_dim(state.goal.unsqueeze(-1), -2)
    squared = (state.position - goals).square().sum((-2, -1))
    return squared.neg_().unsqueeze(-1).expand(*squared.shape, 3)
