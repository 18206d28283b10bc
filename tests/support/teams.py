"""Teams of agents with spaces of every kind, and transitions that mean nothing."""

import itertools

import torch
from torch import Tensor

from deep.data.batch import Batch
from deep.envs.spaces import Box, Choices, Shape, random_actions
from deep.seeding import streams

#: Equal and unequal spaces, several numbers an action, continuous actions, one agent.
TEAMS = {
    "equal": Shape((4, 4, 4), (Choices((5,)),) * 3),
    "padded": Shape((3, 6), (Choices((3,)), Choices((5,)))),
    "several": Shape((6, 4, 4), (Choices((5, 3, 3)), Choices((5,)), Choices((5,)))),
    "boxes": Shape((3, 6), (Box(2), Box(1, -2.0, 1.0))),
    "alone": Shape((4,), (Choices((3,)),)),
}


def data(shape: Shape, seeds: list[int], rows: int, dtype: torch.dtype = torch.float64) -> Batch:
    """Transitions that have nothing to do with one another."""
    draw = streams(seeds, "data")
    there = torch.zeros(shape.agents, shape.observation_width, dtype=torch.float64)
    for agent, size in enumerate(shape.observation_sizes):
        there[agent, :size] = 1

    def observations() -> Tensor:
        drawn = draw.uniform(rows, shape.agents, shape.observation_width)
        return ((2 * drawn - 1) * there).to(dtype)

    return Batch(
        observations(),
        random_actions(shape.spaces, draw, rows, dtype),
        draw.uniform(rows, shape.agents).to(dtype) - 1,
        observations(),
        draw.whole(2, rows).to(dtype),
    )


#: (learner, team, settings of the learner) with everything that a learner can be told.
CASES = [
    *itertools.product(["masac", "maddpg"], TEAMS, [{}, {"central": False}]),
    ("masac", "equal", {"expect_up_to": 0}),
    ("masac", "several", {"expect_up_to": 0}),
    ("maddpg", "equal", {"twins": 2}),
    ("masac", "padded", {"hidden": (16,)}),
]
