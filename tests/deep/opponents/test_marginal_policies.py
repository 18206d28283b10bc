"""Laws of policies that infer what others do, against a plain loop and against draws."""

from itertools import product
from math import prod

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from bounds.shared.numbers import InputError
from deep.agents.policies import Policies, policies
from deep.envs.spaces import Box, Choices, Shape
from deep.nn.action_distributions import head
from deep.opponents import marginal_policies
from deep.opponents.models import OpponentModels, ego_view, opponent_models
from deep.seeding import streams

RUNS, ROWS = (3, 5), 4


def team(
    sizes: tuple[tuple[int, ...], ...], conditioned: bool = True, scale: float = 3.0
) -> tuple[Policies, OpponentModels | None, Tensor]:
    """Agents with these choices, networks far from uniform, and what they see."""
    shape = Shape(tuple(2 + j for j in range(len(sizes))), tuple(map(Choices, sizes)))
    inferring = None
    if conditioned:
        inferring = opponent_models(
            shape, (5,), ego_view, streams(RUNS, "models"), torch.float64, "cpu"
        )
        inferring.stack.parameters.data.mul_(scale)
    stack = policies(
        shape,
        head(shape.spaces, "cpu", 1.0),
        (6,),
        streams(RUNS, "policies"),
        torch.float64,
        "cpu",
        None if inferring is None else inferring.inference,
    )
    stack.stack.parameters.data.mul_(scale)
    seen = streams(RUNS, "rows").uniform(len(sizes), ROWS, shape.observation_width) * 2 - 1
    return stack, inferring, seen


def plainly(found: Policies, inferring: OpponentModels, seen: Tensor) -> list[Tensor]:
    """The sum by a loop over every run, agent, row and joint option."""
    shape, width = found.shape, found.shape.action_width
    spaces = [space for space in shape.spaces if isinstance(space, Choices)]
    agents = shape.agents
    about = inferring.opponents.probabilities(seen.unsqueeze(3).expand(-1, -1, -1, agents, -1))
    laws = []
    for i, space in enumerate(spaces):
        others = [j for j in range(agents) if j != i]
        every = [list(product(*map(range, spaces[j].sizes))) for j in others]
        law = torch.zeros(len(RUNS), ROWS, prod(space.sizes), dtype=torch.float64)
        for run, row, acted in product(range(len(RUNS)), range(ROWS), product(*every)):
            chance, told = 1.0, torch.zeros(agents - 1, width, dtype=torch.float64)
            for place, (j, picks) in enumerate(zip(others, acted, strict=True)):
                start = 0
                for size, pick in zip(spaces[j].sizes, picks, strict=True):
                    chance *= about[run, i, row, j, start + pick].item()
                    told[place, start + pick] = 1
                    start += size
            asked = torch.cat((seen[run, i, row], told.flatten()))
            with torch.no_grad():
                said = found.stack(asked.expand(len(RUNS), agents, 1, -1).contiguous())
            logits = said.reshape(len(RUNS), agents, -1)[run, i]
            parts = logits[: space.width].split(space.sizes)
            joint = [prod(p) for p in product(*(part.softmax(0).tolist() for part in parts))]
            law[run, row] += chance * torch.tensor(joint, dtype=torch.float64)
        laws.append(law)
    return laws


@given(
    st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=2), min_size=2, max_size=3),
    st.floats(0, 5),
)
def test_laws_are_sums_over_what_may_be_inferred(sizes: list[list[int]], scale: float) -> None:
    found, inferring, seen = team(tuple(map(tuple, sizes)), scale=scale)
    assert inferring is not None
    laws = marginal_policies.laws(found, inferring, seen)
    for law, plain in zip(laws, plainly(found, inferring, seen), strict=True):
        # sums of some dozen products in float64
        assert torch.allclose(law, plain, rtol=0, atol=1e-12)
        assert torch.allclose(law.sum(-1), torch.ones(2, ROWS, dtype=torch.float64), atol=1e-12)


def test_laws_of_those_who_infer_nothing_are_their_own() -> None:
    found, _, seen = team(((3,), (2, 2)), conditioned=False)
    first, second = marginal_policies.laws(found, None, seen)
    with torch.no_grad():
        said = found.outputs(seen, streams(RUNS, "none"))
    assert torch.allclose(first, said[:, 0, :, :3].softmax(-1), rtol=0, atol=1e-12)
    parts = said[:, 1, :, :4].unflatten(-1, (2, 2)).softmax(-1)
    both = parts[..., 0, :, None] * parts[..., 1, None, :]
    assert torch.allclose(second, both.flatten(-2), rtol=0, atol=1e-12)


def test_laws_are_what_is_played() -> None:
    found, inferring, seen = team(((3,), (2,), (2,)))
    draws = 20_000
    many = seen.repeat_interleave(draws, 2)
    played = found.act_alone(many, streams(RUNS, "play"), greedy=False)
    shares = played.unflatten(2, (ROWS, draws)).mean(3)
    for i, law in enumerate(marginal_policies.laws(found, inferring, seen)):
        deviation = (law * (1 - law) / draws).sqrt()
        # five standard errors, of 56 shares
        assert bool(((shares[:, i, :, : law.shape[-1]] - law).abs() <= 5 * deviation + 1e-9).all())


def test_sums_that_are_too_long_are_refused() -> None:
    found, inferring, seen = team(((11,),) * 4)
    assert not marginal_policies.enumerable(found, inferring)
    with pytest.raises(InputError, match="1331 things at once; sums are over 1024 at most"):
        marginal_policies.laws(found, inferring, seen)
    few, asked, _ = team(((10,),) * 4)
    assert marginal_policies.enumerable(few, asked)


def test_numbers_have_no_laws_here() -> None:
    shape = Shape((2, 2), (Box(1), Box(1)))
    found = policies(
        shape, head(shape.spaces, "cpu", 1.0), (4,), streams(RUNS, "p"), torch.float64, "cpu"
    )
    assert not marginal_policies.enumerable(found, None)
    with pytest.raises(InputError, match="do not choose at random"):
        marginal_policies.laws(found, None, torch.zeros(2, 2, 3, 2, dtype=torch.float64))
