"""Observations as differences of numbers of the state.

Every number that an agent observes is a number of the state, the difference of two, or 0. A
scenario lists them per agent with the functions below, in the order of the observation; ``Reader``
then takes all observations of all worlds by two look-ups and one subtraction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

#: A number of the state: the name of a part and the index in it, flattened.
Number = tuple[str, int]
#: What is observed: the first number minus the second; None is 0.
Entry = tuple[Number | None, Number | None]

#: The parts of the state, in the order of the flat state.
PARTS = ("position", "velocity", "landmark", "message", "private")


def velocity(agent: int) -> list[Entry]:
    """The agent's velocity, 2 numbers."""
    return [(("velocity", 2 * agent + d), None) for d in (0, 1)]


def position(agent: int) -> list[Entry]:
    """The agent's position, 2 numbers."""
    return [(("position", 2 * agent + d), None) for d in (0, 1)]


def landmarks(count: int, seen_by: int) -> list[Entry]:
    """Landmarks 0..count − 1 relative to an agent, 2 numbers each."""
    return [
        (("landmark", 2 * i + d), ("position", 2 * seen_by + d))
        for i in range(count)
        for d in (0, 1)
    ]


def others(agents: Iterable[int], seen_by: int) -> list[Entry]:
    """The other agents relative to an agent, 2 numbers each."""
    return [
        (("position", 2 * other + d), ("position", 2 * seen_by + d))
        for other in agents
        if other != seen_by
        for d in (0, 1)
    ]


def message(numbers: Iterable[int]) -> list[Entry]:
    """Numbers of the message of the last step."""
    return [(("message", i), None) for i in numbers]


def private(numbers: Iterable[int]) -> list[Entry]:
    """Private numbers, as they are."""
    return [(("private", i), None) for i in numbers]


def private_point(first: int, seen_by: int) -> list[Entry]:
    """The point in private numbers first, first + 1, relative to an agent."""
    return [(("private", first + d), ("position", 2 * seen_by + d)) for d in (0, 1)]


def zeros(count: int) -> list[Entry]:
    """Numbers that are always 0."""
    return [(None, None)] * count


@dataclass(frozen=True, eq=False)
class Reader:
    """Where every observed number is in the flat state, whose last number is 0.

    plus, minus: indices, flat over [agent, number]; agents with fewer numbers read zeros last.
    """

    agents: int
    plus: Tensor
    minus: Tensor

    def __call__(self, parts: Sequence[Tensor]) -> Tensor:
        """Observations [..., agent, number] from the parts of the state, each [..., number]."""
        zero = parts[0].new_zeros((*parts[0].shape[:-1], 1))
        flat = torch.cat((*parts, zero), -1)
        seen = flat.index_select(-1, self.plus).sub_(flat.index_select(-1, self.minus))
        return seen.view(*seen.shape[:-1], self.agents, -1)


def reader(
    observed: Sequence[Sequence[Entry]], sizes: Mapping[str, int], device: torch.device
) -> Reader:
    """The reader of what each agent observes; ``sizes``: numbers in each part of the state."""
    offsets, total = {}, 0
    for part in PARTS:
        offsets[part] = total
        total += sizes[part]
    width = max(map(len, observed))

    def indices(side: int) -> Tensor:
        flat = [total] * (len(observed) * width)
        for agent, entries in enumerate(observed):
            for i, entry in enumerate(entries):
                number = entry[side]
                if number is not None:
                    flat[agent * width + i] = offsets[number[0]] + number[1]
        return torch.tensor(flat, device=device)

    return Reader(len(observed), indices(0), indices(1))
