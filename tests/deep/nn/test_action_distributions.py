"""Probabilities that sum and integrate to 1, samples that follow them, and their gradients."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from bounds.shared.numbers import InputError
from deep.envs.spaces import Box, Choices, Space
from deep.nn.action_distributions import Categorical, Head, TanhGaussian, TanhPoint, head, limits
from deep.seeding import Streams, streams

TEAMS = {
    "equal": (Choices((4,)), Choices((4,))),
    "padded": (Choices((2,)), Choices((5,))),
    "several": (Choices((3, 2, 2)), Choices((4,)), Choices((2, 3))),
}
#: Samples per test; five standard errors are the tolerance: less than 1 in a million fails.
MANY = 40_000


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def one_hots(space: Choices) -> list[Tensor]:
    """Every action of an agent."""
    parts = [torch.eye(size, dtype=torch.float64) for size in space.sizes]
    return [torch.cat(rows) for rows in itertools.product(*parts)]


class Same(Streams):
    """Draws that are always ``value``."""

    def __init__(self, value: float) -> None:
        super().__init__((torch.Generator(),))
        object.__setattr__(self, "value", value)

    def uniform(self, *shape: int) -> Tensor:
        return torch.full((1, *shape), self.value, dtype=torch.float64)


@pytest.mark.parametrize("name", TEAMS)
def test_probabilities_of_choices_are_products_that_sum_to_1(name: str) -> None:
    spaces = TEAMS[name]
    policy = Categorical(spaces)
    outputs = 3 * numbers(2, len(spaces), 6, policy.outputs)
    chances, logs = policy.probabilities(outputs)
    for agent, space in enumerate(spaces):
        rows = []
        for action in one_hots(space):
            padded = torch.nn.functional.pad(action, (0, policy.outputs - space.width))
            actions = torch.zeros_like(outputs)
            actions[:, agent] = padded
            rows.append(policy.log_probability(outputs, actions)[:, agent])
            # the product over the choices of softmax probabilities
            product, start = torch.ones(2, 6, dtype=torch.float64), 0
            for size in space.sizes:
                part = outputs[:, agent, :, start : start + size].softmax(-1)
                product *= (part * action[start : start + size]).sum(-1)
                start += size
            torch.testing.assert_close(rows[-1].exp(), product, rtol=1e-12, atol=0)
        total = torch.stack(rows).exp()
        torch.testing.assert_close(
            total.sum(0), torch.ones(2, 6, dtype=torch.float64), rtol=0, atol=1e-12
        )
        entropy = -(total * total.log()).sum(0)
        _, said = policy.sample(outputs, streams([0, 1], "update"))
        torch.testing.assert_close(said[:, agent], entropy, rtol=1e-12, atol=0)
        assert not chances[:, agent, :, space.width :].any()
        assert not logs[:, agent, :, space.width :].any()


@pytest.mark.parametrize("method", ["sample", "relaxed"])
@pytest.mark.parametrize("name", TEAMS)
def test_samples_of_choices_follow_their_probabilities(name: str, method: str) -> None:
    spaces = TEAMS[name]
    policy = Categorical(spaces)
    outputs = numbers(1, len(spaces), 1, policy.outputs).expand(-1, -1, MANY, -1)
    actions, _ = getattr(policy, method)(outputs, streams([0], "update"))
    for agent, space in enumerate(spaces):
        for action in one_hots(space):
            padded = torch.nn.functional.pad(action, (0, policy.outputs - space.width))
            share = float((actions[0, agent] == padded).all(-1).double().mean())
            wanted = torch.zeros(1, len(spaces), 1, policy.outputs, dtype=torch.float64)
            wanted[:, agent] = padded
            chance = policy.log_probability(outputs[:, :, :1], wanted)[0, agent].exp().item()
            assert abs(share - chance) < 5 * math.sqrt(chance * (1 - chance) / MANY)
        # nothing but its actions
        sums = actions[0, agent, :, : space.width].sum(-1)
        assert torch.equal(sums, torch.full_like(sums, len(space.sizes)))
        assert not actions[0, agent, :, space.width :].any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("u", [0.0, 1 - 2.0**-53])
@pytest.mark.parametrize("method", ["sample", "relaxed"])
@pytest.mark.parametrize("name", TEAMS)
def test_extreme_draws_give_actions_that_have_a_chance(
    name: str, method: str, u: float, dtype: torch.dtype
) -> None:
    spaces = TEAMS[name]
    policy = Categorical(spaces)
    outputs = torch.zeros(1, len(spaces), 1, policy.outputs, dtype=dtype, requires_grad=True)
    impossible = torch.zeros_like(outputs)
    firsts = [list(itertools.accumulate(space.sizes, initial=0))[:-1] for space in spaces]
    for agent, first in enumerate(firsts):
        impossible[:, agent, :, first] = -1e4  # its probability is 0 in both precisions
    actions, entropy = getattr(policy, method)(outputs + impossible, Same(u))
    assert bool(entropy.isfinite().all())
    for agent, space in enumerate(spaces):
        assert float(actions[0, agent].detach().sum()) == len(space.sizes)
        assert not actions[0, agent, 0, firsts[agent]].any()
    if method == "relaxed":
        (gradient,) = torch.autograd.grad(actions.square().sum(), outputs)
        assert bool(gradient.isfinite().all())


def test_the_gradient_of_a_relaxed_choice_is_that_of_the_softmax() -> None:
    spaces = TEAMS["several"]
    policy = Categorical(spaces, temperature=0.7)
    outputs = numbers(1, 3, 4, policy.outputs).requires_grad_()
    weights = numbers(1, 3, 4, policy.outputs, seed=1)
    actions, _ = policy.relaxed(outputs, Same(0.3))
    (gradient,) = torch.autograd.grad((actions * weights).sum(), outputs)
    for agent, space in enumerate(spaces):
        start = 0
        for size in space.sizes:
            part = slice(start, start + size)
            # one value for all draws: the noise of a choice cancels in its softmax
            soft = (outputs[:, agent, :, part] / 0.7).softmax(-1)
            (true,) = torch.autograd.grad((soft * weights[:, agent, :, part]).sum(), outputs)
            torch.testing.assert_close(
                gradient[:, agent, :, part], true[:, agent, :, part], rtol=0, atol=1e-12
            )
            start += size
        assert not gradient[:, agent, :, space.width :].any()


def test_options_of_other_choices() -> None:
    policy = Categorical((Choices((2, 2)), Choices((3,))))
    segments = [(options.start, options.stop, o.tolist()) for options, o in policy.others]
    one, none = [False, False, True, True], [False] * 4
    assert segments == [(0, 2, [one, none]), (2, 4, [[not x for x in one], none])]


BOXES = (Box(1), Box(2, -2.0, 3.0))


def test_the_density_of_a_box_integrates_to_1() -> None:
    policy = TanhGaussian((Box(1, -2.0, 3.0), Box(1)))
    outputs = torch.tensor([[[[0.4, -0.7]], [[-1.2, 0.1]]]], dtype=torch.float64)
    count = 200_000
    middle = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    grid = torch.stack((-2 + 5 * middle, middle)).view(1, 2, count, 1)
    density = policy.log_probability(outputs.expand(-1, -1, count, -1), grid).exp()
    integral = density.mean(-1) * torch.tensor([5.0, 1.0], dtype=torch.float64)
    # midpoint rule: the density is bounded with a bounded slope except within 1e-5 of the ends
    torch.testing.assert_close(integral, torch.ones(1, 2, dtype=torch.float64), rtol=0, atol=1e-5)


def test_samples_of_boxes_have_the_density_that_is_said() -> None:
    policy = TanhGaussian(BOXES)
    outputs = numbers(1, 2, 1, 4).expand(-1, -1, MANY, -1)
    actions, entropy = policy.sample(outputs, streams([0], "update"))
    torch.testing.assert_close(
        policy.log_probability(outputs, actions), -entropy, rtol=1e-6, atol=1e-6
    )
    assert not actions[0, 0, :, 1].any()
    # the share below the action at u = μ + σ/2 is Φ(1/2)
    mean, deviation = outputs.chunk(2, -1)
    edge = limits(BOXES, "cpu").scaled((mean + deviation.exp() / 2).tanh())
    below = (actions < edge).double().mean(2)[0]
    chance = 0.5 * (1 + math.erf(0.5 / math.sqrt(2)))
    error = 5 * math.sqrt(chance * (1 - chance) / MANY)
    for agent, number in ((0, 0), (1, 0), (1, 1)):
        assert abs(float(below[agent, number]) - chance) < error


def test_densities_stay_finite_far_out() -> None:
    policy = TanhGaussian(BOXES)
    outputs = torch.tensor([60.0, -60.0, 2.0, -10.0]).expand(1, 2, 3, 4).requires_grad_()
    actions, entropy = policy.relaxed(outputs, streams([0], "update"))
    (gradient,) = torch.autograd.grad((actions.sum() + entropy.sum()), outputs)
    assert bool(entropy.isfinite().all())
    assert bool(gradient.isfinite().all())


def test_gradients_through_samples_of_boxes_are_finite_differences() -> None:
    policy = TanhGaussian(BOXES)
    outputs = numbers(1, 2, 3, 4).requires_grad_()

    def said(x: Tensor) -> tuple[Tensor, Tensor]:
        return policy.relaxed(x, streams([0], "update"))

    assert torch.autograd.gradcheck(said, outputs)


def test_points_are_what_is_best_with_noise_inside_of_the_box() -> None:
    policy = TanhPoint(BOXES, noise=0.5)
    outputs = numbers(1, 2, 500, 2)
    explored, _ = policy.sample(outputs, streams([0], "explore"))
    assert torch.equal(policy.relaxed(outputs, streams([0], "update"))[0], policy.best(outputs))
    assert not torch.equal(explored, policy.best(outputs))
    for agent, space in enumerate(BOXES):
        part = explored[0, agent, :, : space.width]
        assert bool(((part >= space.low) & (part <= space.high)).all())


@pytest.mark.parametrize(
    ("spaces", "share", "aims"),
    [
        (TEAMS["several"], 0.5, [math.log(12) / 2, math.log(4) / 2, math.log(6) / 2]),
        # that of SAC on [−1, 1], and the logarithm of the scale
        ((Box(3, -1.0, 1.0), Box(2, 0.0, 1.0)), 0.5, [-3.0, -2 - 2 * math.log(2)]),
    ],
)
def test_target_entropies(spaces: tuple[Space, ...], share: float, aims: list[float]) -> None:
    policy: Head = head(spaces, "cpu", 1.0)
    assert policy.target_entropy(share) == pytest.approx(aims, rel=1e-15)


@pytest.mark.parametrize("name", TEAMS)
def test_the_greedy_action_is_the_likeliest(name: str) -> None:
    spaces = TEAMS[name]
    policy = Categorical(spaces)
    outputs = numbers(2, len(spaces), 6, policy.outputs)
    best = policy.best(outputs)
    for agent, space in enumerate(spaces):
        rows = [
            torch.nn.functional.pad(a, (0, policy.outputs - space.width)) for a in one_hots(space)
        ]
        for row in rows:
            other = best.clone()
            other[:, agent] = row
            ahead = policy.log_probability(outputs, best) - policy.log_probability(outputs, other)
            assert bool((ahead[:, agent] >= 0).all())


def test_a_team_of_both_kinds_is_refused() -> None:
    with pytest.raises(InputError, match=r"^spaces: 1 agents choose and 2 have continuous"):
        head((Choices((2,)), Box(1), Box(1)), "cpu", 1.0)
