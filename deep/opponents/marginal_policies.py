"""Opponent-conditioned policies as exact distributions given the own observation alone.

πⁱ(a|oⁱ) = Σ_â Π_j π̂ʲ(âʲ|oⁱ) πⁱ(a|oⁱ, â), the sum over all â⁻ⁱ that the others may be believed to
play, π̂ʲ agent i's models that read its own observation (Eq. 4). Exact, for choices.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import prod

import torch
from torch import Tensor
from torch.nn import functional

from bounds.shared.numbers import InputError
from deep.agents.learner import Inference
from deep.agents.policies import Policies
from deep.envs.spaces import Choices
from deep.nn.action_distributions import Categorical, joint
from deep.opponents.models import OpponentModels
from deep.seeding import Streams

#: Combinations of others' options over which is summed at most.
MOST = 1024


def enumerable(policies: Policies, inferring: OpponentModels | None) -> bool:
    """Whether ``laws`` can sum: all agents choose, and the others' options are few enough."""
    if not isinstance(policies.head, Categorical):
        return False
    return inferring is None or _combinations(policies) <= MOST


def laws(
    policies: Policies, inferring: OpponentModels | None, observations: Tensor
) -> tuple[Tensor, ...]:
    """πⁱ(·|oⁱ) for every agent i, [run, row, joint option], float64; nothing is drawn.

    observations[run, agent, row, number], each agent's own; inferring: the models that the policies
    ask, None where they ask nobody. ``InputError`` unless ``enumerable``.
    """
    if not isinstance(policies.head, Categorical):
        raise InputError("policies: do not choose at random, so there are no options to sum over")
    if inferring is None:
        weights, asked, seen = torch.ones(1, policies.shape.agents, 1, 1), policies, observations
    else:
        if _combinations(policies) > MOST:
            raise InputError(
                f"agents: the others of one may do {_combinations(policies)} things at once; "
                f"sums are over {MOST} at most"
            )
        weights, inferred = _inferred(policies, inferring, observations)
        # one block of all rows for each combination
        seen = observations.repeat(1, 1, weights.shape[2], 1)
        asked = replace(policies, inference=Inference(inferred.shape[-1], lambda _, __: inferred))
    with torch.no_grad():
        outputs = asked.outputs(seen, Streams(())).double()
        each = policies.head.probabilities(outputs)[0].unflatten(2, (weights.shape[2], -1))
    found = []
    for agent, space in enumerate(policies.shape.spaces):
        assert isinstance(space, Choices)  # as the head is categorical
        weight = weights[:, agent].to(each).unsqueeze(-1)
        found.append((joint(each[:, agent], space) * weight).sum(1))
    return tuple(found)


def _inferred(policies: Policies, inferring: OpponentModels, seen: Tensor) -> tuple[Tensor, Tensor]:
    """(chance [run, agent, combination, row], what is inferred [run, agent, row, number]).

    The rows of the latter are all rows for the first combination, then for the second, …. Agents
    whose others have fewer combinations have some of chance 0 at the end.
    """
    shape = policies.shape
    runs, agents, rows = seen.shape[:3]
    about = inferring.opponents.probabilities(
        seen.unsqueeze(3).expand(-1, -1, -1, agents, -1)
    ).double()  # [run, ego, row, agent, option]
    many, width = _combinations(policies), shape.action_width
    chance = about.new_zeros(runs, agents, many, rows)
    given = seen.new_zeros(runs, agents, many, rows, (agents - 1) * width)
    for ego in range(agents):
        others = [j for j in range(agents) if j != ego]
        # of every other agent, for each of its joint options, the places of its ones
        options = [list(product(*_places(shape.spaces[j]))) for j in others]
        for combination, picked in enumerate(product(*options)):
            each = [(j, at) for j, ones in zip(others, picked, strict=True) for at in ones]
            parts = [about[:, ego, :, j, at] for j, at in each]
            chance[:, ego, combination] = prod(parts[1:], start=parts[0])
            ones = [functional.one_hot(torch.tensor(at), width).sum(0) for at in picked]
            given[:, ego, combination] = torch.cat(ones).to(given)
    return chance, given.flatten(2, 3)


def _combinations(policies: Policies) -> int:
    """What all others of an agent may do at once, of the agent for which that is most."""
    sizes = [prod(map(len, _places(space))) for space in policies.shape.spaces]
    return max(prod(sizes) // size for size in sizes)


def _places(space: object) -> list[range]:
    """The places in the vector of an action that each choice may set to one."""
    assert isinstance(space, Choices)  # as the head is categorical
    ends = [sum(space.sizes[: i + 1]) for i in range(len(space.sizes))]
    return [range(end - size, end) for end, size in zip(ends, space.sizes, strict=True)]
