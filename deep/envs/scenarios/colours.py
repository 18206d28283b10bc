"""Colours of agents and landmarks, as in the original tasks; some tasks show them to agents."""

from __future__ import annotations

from torch import Tensor

from deep.envs.render import Colour

#: The three landmarks of the tasks that tell goals by their colour.
LANDMARKS: tuple[Colour, ...] = ((0.65, 0.15, 0.15), (0.15, 0.65, 0.15), (0.15, 0.15, 0.65))
#: Agents that are on the same side, adversaries, landmarks without a colour, and goals.
AGENT: Colour = (0.35, 0.35, 0.85)
ADVERSARY: Colour = (0.85, 0.35, 0.35)
GREY: Colour = (0.25, 0.25, 0.25)


def colours(palette: tuple[Colour, ...], goal: Tensor, like: Tensor) -> Tensor:
    """The goals' colours, [..., 3 · goal], in the dtype and on the device of ``like``."""
    return like.new_tensor(palette)[goal].flatten(-2)
