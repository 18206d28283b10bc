"""Stacks of networks, their gradients, Adam and clipping against torch's and finite differences."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from deep.nn import stacked_mlp as module
from deep.nn.adam import adam, clip
from deep.nn.stacked_mlp import Networks, networks, product
from deep.seeding import streams

SIZES = ((5, 8, 1), (4, 6, 7, 3), (3, 5, 4, 6, 1))


def build(sizes: tuple[int, ...], groups: int = 2, members: int = 3, runs: int = 2) -> Networks:
    return networks(
        sizes, groups, members, streams(range(runs), "initialise"), torch.float64, "cpu"
    )


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def plain(stack: Networks, x: Tensor) -> Tensor:
    """Every network by itself, with torch's own layers, differentiable in everything."""
    runs, groups, members = stack.axes
    out = []
    for run in range(runs):
        for group in range(groups):
            for member in range(members):
                row, h, start = stack.parameters[run, group, member], x[run, group], 0
                for layer, (a, b) in enumerate(zip(stack.sizes, stack.sizes[1:], strict=False)):
                    weight = row[start : start + a * b].view(b, a)
                    start += a * b
                    h = nn.functional.linear(h, weight, row[start : start + b])
                    start += b
                    h = h.relu() if layer < len(stack.sizes) - 2 else h
                out.append(h)
    return torch.stack(out).view(runs, groups, members, x.shape[2], -1)


@pytest.mark.parametrize("block", [1, 16, 10**6])
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("members", [1, 3])
def test_outputs_and_gradients_are_those_of_plain_layers(
    sizes: tuple[int, ...], members: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK", block)
    stack = build(sizes, members=members)
    x = numbers(2, 2, 9, sizes[0])
    said, expected = stack(x), plain(stack, x)
    weights = numbers(*said.shape, seed=1)
    (gradient,) = torch.autograd.grad((said * weights).sum(), stack.parameters)
    (true,) = torch.autograd.grad((expected * weights).sum(), stack.parameters)
    # sums of at most 9 products of numbers of size 10
    torch.testing.assert_close(said, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(gradient, true, rtol=0, atol=1e-12)


@pytest.mark.parametrize("sizes", SIZES)
def test_gradients_are_finite_differences(sizes: tuple[int, ...]) -> None:
    stack = build(sizes)
    x = numbers(2, 2, 4, sizes[0])
    assert torch.autograd.gradcheck(lambda p: replace(stack, parameters=p)(x), stack.parameters)
    change, weights = numbers(2, 2, 3, 4, 2, seed=1).requires_grad_(), numbers(2, 2, 3, sizes[1], 2)
    assert torch.autograd.gradcheck(lambda c: stack.moved(x, c, weights), change)


@pytest.mark.parametrize("block", [1, 16, 10**6])
@pytest.mark.parametrize("sizes", SIZES)
def test_changes_of_the_first_layers_input(
    sizes: tuple[int, ...], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change of the first two inputs, with their own weights, is another input."""
    monkeypatch.setattr(module, "BLOCK", block)
    stack = build(sizes)
    x, change = numbers(2, 2, 9, sizes[0]), numbers(2, 2, 3, 9, 2, seed=1)
    weights = stack.layers[0][0][..., :2].unflatten(0, stack.axes)
    for k in (None, 0, 1):
        wide = x.unsqueeze(2).repeat(1, 1, 3, 1, 1)
        wide[..., :2] += change
        if k is not None:
            wide[..., k] += 1
        # every network by itself: a group each
        apart = replace(stack, parameters=stack.parameters.flatten(1, 2).unsqueeze(2))
        expected = plain(apart, wide.flatten(1, 2)).view(2, 2, 3, 9, -1)
        if k is None:
            said = stack.moved(x, change, weights)
        elif sizes[-1] == 1:
            said = stack.options(x, change, weights, range(2))[..., k : k + 1]
        else:
            continue
        torch.testing.assert_close(said, expected, rtol=0, atol=1e-12)


def test_a_step_through_a_network_asks_nothing_of_its_parameters() -> None:
    stack = build(SIZES[0])
    change, weights = numbers(2, 2, 3, 4, 2).requires_grad_(), numbers(2, 2, 3, 8, 2)
    said = stack.moved(numbers(2, 2, 4, 5), change, weights).sum()
    assert torch.autograd.grad(said, stack.parameters, allow_unused=True) == (None,)
    assert not stack.copied.parameters.requires_grad


def test_first_parameters_are_uniform_within_the_fan_in() -> None:
    stack = networks((20, 64, 2), 2, 1, streams([0], "initialise"), torch.float64, "cpu", [4, 20])
    for group, read in enumerate([4, 20]):
        first = stack.layers[0][0][group]
        assert 0.98 / read**0.5 < float(first.abs().max()) <= read**-0.5
        # 1280 draws: the mean is within 5 standard errors of 0
        assert abs(float(first.mean())) < 5 * read**-0.5 / (3 * 1280) ** 0.5
        assert 0.95 / 64**0.5 < float(stack.layers[1][0][group].abs().max()) <= 64**-0.5
    width = stack.parameters.shape[-1]
    used = 21 * 64 + 65 * 2
    assert width % module.ALIGNED == 0
    assert not stack.parameters[..., used:].any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rows", [1, 15, 100])
@pytest.mark.parametrize("sizes", [(1, 64, 1), (18, 64, 64, 5), (69, 64, 1), (3, 5, 7, 1)])
@pytest.mark.parametrize(("groups", "members"), [(1, 1), (3, 1), (1, 6), (2, 2)])
def test_a_run_is_the_same_beside_others(
    groups: int, members: int, sizes: tuple[int, ...], rows: int, dtype: torch.dtype
) -> None:
    x = numbers(3, groups, rows, sizes[0]).to(dtype)
    results = []
    for seeds in ([0, 1, 2], [1]):
        stack = networks(sizes, groups, members, streams(seeds, "initialise"), dtype, "cpu")
        part = x if len(seeds) == 3 else x[1:2].clone()
        said = stack(part)
        change = part[..., :1].unsqueeze(2).repeat(1, 1, members, 1, 1).requires_grad_()
        weights = stack.layers[0][0][..., :1].unflatten(0, stack.axes)
        (gradient,) = torch.autograd.grad(said.square().sum(), stack.parameters)
        moved = stack.moved(part, change, weights)
        (through,) = torch.autograd.grad(moved.square().sum(), change)
        results.append((stack.parameters, said, gradient, moved, through))
        if sizes[-1] == 1:
            results[-1] += (stack.options(part, change.detach(), weights, range(1)),)
    for beside, alone in zip(*results, strict=True):
        assert torch.equal(beside[1:2], alone)


def test_product_of_one_is_product_of_many() -> None:
    for rows, inner, columns in ((1, 64, 64), (64, 64, 1), (15, 1, 64)):
        a, b = numbers(3, rows, inner).float(), numbers(3, inner, columns, seed=1).float()
        for i in range(3):
            assert torch.equal(product(a, b)[i], product(a[i : i + 1], b[i : i + 1])[0])


@pytest.mark.parametrize("cool", [0, 10, 40])
def test_adam_is_adam(cool: int) -> None:
    start = numbers(2, 3, 7)
    mine, other = start.clone(), start.clone().requires_grad_()
    stacked, reference = adam(mine, 0.01, cool), torch.optim.Adam([other], lr=0.01)
    for step in range(20):
        # from the whole rate to a tenth of it after ``cool`` steps, and there from then on
        left = 1 if cool == 0 else max(0, cool - step - 1) / cool
        reference.param_groups[0]["lr"] = 0.01 * (0.1 + 0.9 * left)
        gradient = numbers(2, 3, 7, seed=step) * 10.0 ** (step % 5 - 2)
        stacked.step(gradient)
        other.grad = gradient
        reference.step()
    # 20 steps of size 0.01, each rounded a few times
    torch.testing.assert_close(mine, other.detach(), rtol=0, atol=1e-14)
    assert stacked.steps.tolist() == [20, 20]


def test_clipping_is_apart_for_every_run_and_agent() -> None:
    gradient = numbers(2, 3, 4, 5)
    gradient[1, 2] *= 1000
    gradient[0, 0] = 0
    before = gradient.clone()
    norms = clip(gradient, 2.0)
    torch.testing.assert_close(norms, before.flatten(2).norm(dim=-1))
    after = gradient.flatten(2).norm(dim=-1)
    torch.testing.assert_close(after, norms.clamp(max=2.0))
    small = norms <= 2
    assert torch.equal(gradient[small], before[small])
    assert bool((norms > 2).any())
    assert bool(small.any())
