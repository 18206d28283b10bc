"""The particle tasks by name; one file a task, whose docstring defines it."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from inspect import signature

from bounds.shared.numbers import InputError, shown, whole
from deep.envs.particle import Scenario
from deep.envs.scenarios.adversary import adversary
from deep.envs.scenarios.push import push
from deep.envs.scenarios.scheduling import scheduling
from deep.envs.scenarios.speaker_listener import speaker_listener
from deep.envs.scenarios.spread import spread
from deep.envs.scenarios.tag import tag

SCENARIOS: dict[str, Callable[..., Scenario]] = {
    "spread": spread,
    "speaker-listener": speaker_listener,
    "scheduling": scheduling,
    "push": push,
    "adversary": adversary,
    "tag": tag,
}

#: The most bodies of one kind: observations grow with their square.
MOST = 100


def scenario(task: str, **counts: int) -> Scenario:
    """The task called ``task``, with these numbers of agents and landmarks (``spread(agents=5)``).

    Raises ``InputError`` for unknown names, and for numbers that the task does not have or that are
    not in 1..``MOST``.
    """
    if task not in SCENARIOS:
        near = get_close_matches(task[:100].lower(), SCENARIOS, n=1, cutoff=0.0)[0]
        raise InputError(f"task: {shown(task)} is not a particle task; the nearest name is {near}")
    known = tuple(signature(SCENARIOS[task]).parameters)
    for name, count in counts.items():
        if name not in known:
            has = f"only {', '.join(known)} can be chosen" if known else "its numbers are fixed"
            raise InputError(f"{name}: {shown(count)} given, but in {task} {has}")
        whole(name, count, 1, MOST)
    return SCENARIOS[task](**counts)
