"""How far policies have moved: exact distances by hand, and what is not known is 0."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from deep.agents.learner import Inference
from deep.agents.policies import Policies, policies
from deep.envs.spaces import Box, Choices, Shape, Space
from deep.nn.action_distributions import Categorical, TanhGaussian, head
from deep.opponents.errors import normal_distance
from deep.opponents.fitting import History
from deep.opponents.policy_shift import measurable, policy_shift
from deep.seeding import Streams, streams

SEEDS, ROWS = [0, 1], 50
CHOOSING: tuple[Space, ...] = (Choices((2,)), Choices((3, 2)), Choices((4,)))
NUMBERS: tuple[Space, ...] = (Box(1, -1, 1),) * 3


def team(
    spaces: tuple[Space, ...], inference: Inference | None = None, noise: float | None = None
) -> Policies:
    shape = Shape((3, 4, 2), spaces)
    policy = head(spaces, "cpu", 1.0, noise)
    initial = streams(SEEDS, "initialise")
    return policies(shape, policy, (8,), initial, torch.float64, "cpu", inference)


def history(shape: Shape) -> History:
    seen = streams(SEEDS, "seen").uniform(ROWS, shape.agents, shape.observation_width) * 4 - 2
    for agent, size in enumerate(shape.observation_sizes):
        seen[:, :, agent, size:] = 0
    done = torch.zeros(2, ROWS, shape.agents, shape.action_width, dtype=torch.float64)
    return History(seen, done, torch.arange(ROWS))


def moved(of: Policies) -> Tensor:
    """Other parameters, of agents 1 and 2 alone."""
    before = of.stack.parameters.detach().clone()
    before[:, 1:] += streams(SEEDS, "move").uniform(*before[:, 1:].shape[1:]) - 0.5
    return before


def said(of: Policies, parameters: Tensor, seen: Tensor) -> Tensor:
    own = type(of.stack)(of.stack.sizes, parameters)
    return own(seen.transpose(1, 2).contiguous()).squeeze(2).detach()


def test_choices_by_hand() -> None:
    """½ Σ |p − q| over joint options, the mean over rows; those of agent 1 are 3 times 2."""
    of = team(CHOOSING)
    known, before = history(of.shape), moved(of)
    found = policy_shift(of, before, known, streams(SEEDS, "x"))
    assert isinstance(of.head, Categorical)
    laws = [
        of.head.probabilities(said(of, p, known.observations))[0]
        for p in (of.stack.parameters.detach(), before)
    ]
    joint = [(law[:, 1, :, :3, None] * law[:, 1, :, None, 3:5]).flatten(-2) for law in laws]
    expected = torch.stack(
        [
            torch.zeros(2, dtype=torch.float64),
            (joint[0] - joint[1]).abs().sum(-1).mean(-1) / 2,
            (laws[0] - laws[1])[:, 2].abs().sum(-1).mean(-1) / 2,
        ],
        -1,
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    assert float(found[:, 1:].min()) > 0.01
    assert not bool(
        policy_shift(of, of.stack.parameters.detach(), known, streams(SEEDS, "x")).any()
    )


def test_numbers_by_hand() -> None:
    of = team(NUMBERS)
    known, before = history(of.shape), moved(of)
    found = policy_shift(of, before, known, streams(SEEDS, "x"))
    assert isinstance(of.head, TanhGaussian)
    laws = []
    for parameters in (of.stack.parameters.detach(), before):
        mean, log_deviation = said(of, parameters, known.observations).chunk(2, -1)
        laws += [mean[..., 0], log_deviation[..., 0].clamp(-10, 2).exp()]
    torch.testing.assert_close(found, normal_distance(*laws).mean(-1), rtol=0, atol=1e-12)
    assert float(found[:, 1:].min()) > 0.01


def test_both_infer_the_same() -> None:
    """Conditioned policies that have not moved are not apart, whatever they infer."""

    def infer(observations: Tensor, drawing: Streams) -> Tensor:
        return drawing.uniform(*observations.shape[1:3], 5)

    of = team(CHOOSING, Inference(5, infer))
    known = history(of.shape)
    drawing, plain = streams(SEEDS, "x"), streams(SEEDS, "x")
    assert not bool(policy_shift(of, of.stack.parameters.detach(), known, drawing).any())
    plain.uniform()
    assert torch.equal(drawing.state(), plain.state())
    assert float(policy_shift(of, moved(of), known, drawing)[:, 1:].min()) > 0.01


@pytest.mark.parametrize(
    ("spaces", "density", "known"),
    [
        (CHOOSING, True, True),
        (CHOOSING, False, True),
        (NUMBERS, True, True),
        (NUMBERS, False, False),
        ((Box(1), Box(2)), True, False),
    ],
)
def test_what_has_a_closed_form(spaces: tuple[Space, ...], density: bool, known: bool) -> None:
    assert measurable(spaces, density) == known


@pytest.mark.parametrize("noise", [None, 0.1])
def test_what_is_not_known_is_0(noise: float | None) -> None:
    of = team((Box(2, -1, 1), *NUMBERS[1:]) if noise is None else NUMBERS, None, noise)
    drawing, plain = streams(SEEDS, "x"), streams(SEEDS, "x")
    found = policy_shift(of, moved(of), history(of.shape), drawing)
    assert torch.equal(found, torch.zeros(2, 3, dtype=torch.float64))
    plain.uniform()
    assert torch.equal(drawing.state(), plain.state())
