"""The particle world's physics, for any number of worlds at once.

Bodies are discs of mass 1. In a step of length dt an agent's velocity v and position p become

    f = c u + Σ_b  F · pen(d_b) · (p − p_b) / d_b,    pen(d) = m log(1 + exp((r + r_b − d)/m))
    original:  v ← (1 − damping) v + dt f;   p ← p + dt v
    mpe2:      p ← p + dt v;   v ← (1 − damping) v + dt f

with u the action in [−1, 1]², c the force multiplier, the sum over the bodies b that both collide,
d_b the distance to b, r the radii, F the contact force and m its margin; then |v| is cut to the
agent's largest speed. The original environments (Lowe et al. 2017), and so the paper, move with the
new velocity; mpe2 moves with the old one. mpe2 also turns the discrete moves around: option 1 is +x
in the original and −x in mpe2. Both differences go by ``Physics.integrator``.

Where two bodies lie on one point the direction is undefined (mpe2 divides by zero): no force then.

Only elementwise operations and short sums, no matrix products: a world's numbers do not depend on
the worlds computed beside it, nor on the precision that is set for matrix products.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bounds.shared.numbers import InputError, shown

INTEGRATORS = ("original", "mpe2")


@dataclass(frozen=True)
class Physics:
    """The constants, as in the original environments.

    integrator: "original" or "mpe2" (see the module).
    multiplier: c of agents without one of their own.
    """

    integrator: str = "original"
    dt: float = 0.1
    damping: float = 0.25
    contact_force: float = 100.0
    contact_margin: float = 1e-3
    multiplier: float = 5.0

    def __post_init__(self) -> None:
        if self.integrator not in INTEGRATORS:
            raise InputError(
                f"integrator: {shown(self.integrator)} is not known; choose original or mpe2"
            )


def distances(a: Tensor, b: Tensor) -> Tensor:
    """|a_i − b_j|, shape [..., i, j], of points [..., i, 2] and [..., j, 2]."""
    apart = a.unsqueeze(-2) - b.unsqueeze(-3)
    return torch.hypot(*apart.unbind(-1))


def contact_forces(physics: Physics, agents: Tensor, bodies: Tensor, reach: Tensor) -> Tensor:
    """The contact force on every agent, shape [..., agent, 2].

    agents, bodies: positions [..., agent, 2] and [..., body, 2]. reach[agent, body]: the distance
    at which they touch, −∞ for pairs that do not collide.
    """
    apart = agents.unsqueeze(-2) - bodies.unsqueeze(-3)
    distance = torch.hypot(*apart.unbind(-1))
    depth = softplus((reach - distance).div_(physics.contact_margin)).mul_(physics.contact_margin)
    direction = apart.div_(distance.clamp_(min=torch.finfo(distance.dtype).tiny).unsqueeze(-1))
    return direction.mul_(depth.mul_(physics.contact_force).unsqueeze(-1)).sum(-2)


def softplus(x: Tensor) -> Tensor:
    """log(1 + eˣ) = max(x, 0) + log(1 + e^−|x|), without overflow.

    torch's own rounds the last numbers of a batch in another way than the rest.
    """
    return x.abs().neg_().exp_().log1p_().add_(x.clamp(min=0))


def integrate(
    physics: Physics, position: Tensor, velocity: Tensor, force: Tensor, max_speed: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Position and velocity after a step; ``max_speed[agent]`` is ∞ for agents without one."""
    new = torch.add(velocity * (1 - physics.damping), force, alpha=physics.dt)
    if max_speed is not None:
        speed = torch.hypot(*new.unbind(-1))
        new = new * (max_speed / speed).clamp_(max=1.0).unsqueeze(-1)
    moving = new if physics.integrator == "original" else velocity
    return torch.add(position, moving, alpha=physics.dt), new


def moves(physics: Physics, actions: Tensor) -> Tensor:
    """u[..., agent, 2] from the five numbers (stay, ±x, ±x, ±y, ±y) that begin every action."""
    there, back = actions[..., 1:5:2], actions[..., 2:5:2]
    return there - back if physics.integrator == "original" else back - there
