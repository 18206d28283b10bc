"""Normalised agent interactions: what a run asked of real agents, in episodes of the whole group.

The paper's are "the times the agent groups complete a full interaction, which is divided by 25".
Read here: a full interaction of the group is that every agent acts once, so with n agents a step of
the real environment is one of them and a call to one real agent is 1/n of one.
"""

from __future__ import annotations

from typing import Any

#: Steps of an episode, by which the paper divides interactions.
EPISODE = 25


def normalised(steps: Any, calls: Any, agents: int) -> Any:
    """(n · steps + calls)/n/25 for n ``agents``; numbers or arrays of floats.

    steps: of the real environment. calls: of all agents to real opponents.
    """
    return (agents * steps + calls) / agents / EPISODE
