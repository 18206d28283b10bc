"""Predator-prey (simple_tag): slow adversaries catch a fast agent among obstacles.

Adversaries (radius 0.075, force multiplier 3, speed up to 1) come first, then the prey (0.05, 4, up
to 1.3); the landmarks are obstacles of radius 0.2. Everything collides. With a adversaries, g prey
and m obstacles an adversary observes 2(1 + m + a + 2g) numbers, prey 2(m + a + 2g): [0:2] its
velocity, [2:4] its position, [4:4+2m] the obstacles relative to it, then 2(a + g − 1) the other
agents relative to it, then 2 each the velocities of the (other) prey.

Actions: five moves. Rewards: every adversary +10 for each touch of an adversary and a prey, whoever
touches; prey −10 for each adversary that touches it, and −Σ_d b(|p_d|) for leaving the field, with
b(x) = 0 below 0.9, 10(x − 0.9) up to 1, min(exp(2x − 2), 10) beyond. mpe2 and the original code
give the same.
"""

from __future__ import annotations

import torch
from torch import Tensor

from deep.envs import observation as see
from deep.envs.particle import Body, Scenario, State
from deep.envs.physics import distances
from deep.envs.scenarios.colours import ADVERSARY, GREY

HUNTER, PREY = 0.075, 0.05


def tag(adversaries: int = 3, prey: int = 1, obstacles: int = 2) -> Scenario:
    """The task for any number of each."""
    everyone = range(adversaries + prey)
    good = everyone[adversaries:]
    hunters = (
        Body(f"adversary_{i}", HUNTER, ADVERSARY, collides=True, multiplier=3.0, speed=1.0)
        for i in range(adversaries)
    )
    hunted = (
        Body(f"agent_{i}", PREY, (0.35, 0.85, 0.35), collides=True, multiplier=4.0, speed=1.3)
        for i in range(prey)
    )
    return Scenario(
        name="tag",
        agents=(*hunters, *hunted),
        landmarks=tuple(Body(f"landmark_{i}", 0.2, GREY, collides=True) for i in range(obstacles)),
        observed=tuple(
            see.velocity(i)
            + see.position(i)
            + see.landmarks(obstacles, i)
            + see.others(everyone, i)
            + [entry for j in good if j != i for entry in see.velocity(j)]
            for i in everyone
        ),
        reward=lambda state: reward(state, adversaries),
        spread=0.9,
    )


def reward(state: State, adversaries: int) -> Tensor:
    """[..., agent], the adversaries first, see the module."""
    hunters, prey = state.position[..., :adversaries, :], state.position[..., adversaries:, :]
    touched = 10.0 * (distances(hunters, prey) < HUNTER + PREY).sum(-2)
    x = prey.abs()
    outside = torch.where(x < 1, (10 * (x - 0.9)).clamp(min=0), (2 * x - 2).exp().clamp(max=10))
    caught = touched.sum(-1, keepdim=True).expand(*touched.shape[:-1], adversaries)
    return torch.cat((caught, -touched - outside.sum(-1)), -1)
