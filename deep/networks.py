"""Perceptrons by the stack: one batched matrix product a layer for all runs, agents and twins.

A network is W₃ relu(W₂ relu(W₁x + b₁) + b₂) + b₃, with any number of hidden layers. The networks of
a stack have one architecture and axes [run, group, member]; the members of a group (twin critics,
or all agents' central critics) read the same input. All numbers of a network are one row of the
stack's parameters [run, group, member, number], so that an optimiser, a norm or a target network is
one elementwise operation.

Networks are differentiated by hand, in few passes over the rows: ``Networks.__call__`` has a
gradient for the parameters and none for the input, ``Networks.after_first`` has one for its input
and none for the parameters. Neither computes what is not asked for, so an actor's step through a
critic never pays for that critic's gradient.

A run's numbers are, bit for bit on one thread of a CPU, those that it has alone: a batched product
takes the matrices one by one, rows of parameters start at multiples of 64 bytes, and what goes
another way for a single matrix is avoided (``product``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function, once_differentiable

from deep.seeding import Streams

#: Rows of parameters have a multiple of this many numbers: 64 bytes in float32.
ALIGNED = 16


@dataclass(frozen=True, eq=False)
class Networks:
    """A stack of networks.

    sizes: numbers in the input, in each hidden layer and in the output. parameters[run, group,
    member, number]: per layer the weights [out, in], then the biases [out]; zeros at the end.
    """

    sizes: tuple[int, ...]
    parameters: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Outputs [run, group, member, row, number] of inputs ``x[run, group, row, number]``."""
        output: Tensor = _Network.apply(self.parameters, x, self)
        return output

    def first(self, x: Tensor) -> Tensor:
        """W₁x + b₁, shape [run, group, member, row, number], without gradients."""
        with torch.no_grad():
            weight, bias = self.layers[0]
            return product(self._shared(x), weight.mT).add_(bias).view(*self._axes, *_rows(x), -1)

    def after_first(self, first: Tensor) -> Tensor:
        """The outputs for ``first`` in place of W₁x + b₁, with a gradient for ``first`` alone."""
        output: Tensor = _AfterFirst.apply(first, self)
        return output

    def shifted(self, first: Tensor, shifts: Tensor) -> Tensor:
        """The single output for first + shifts_k, all k: [run, group, member, row, k], no gradient.

        shifts: [run, group, member, k, number]. By relu(x + c) = max(x, −c) + c a shift or a bias
        passes through a layer as a number of the unit, so that each costs one pass over the rows.
        """
        with torch.no_grad():
            x, c = first.flatten(0, 2), shifts.flatten(0, 2)
            options = range(c.shape[1])
            constants = [c]
            for weight, bias in self.layers[1:]:
                constants.append(product(constants[-1], weight.mT).add_(bias))
            lower = [torch.neg(c).split(1, 1) for c in constants[:-1]]
            outputs = []
            space = torch.empty_like(x)
            for k in options:
                h = torch.maximum(x, lower[0][k], out=space)
                for layer, (weight, _) in enumerate(self.layers[1:-1], 1):
                    h = product(h, weight.mT)
                    torch.maximum(h, lower[layer][k], out=h)
                outputs.append(product(self.layers[-1][0], h.mT))
            return torch.cat(outputs, 1).mT.add(constants[-1].mT).view(*first.shape[:-1], -1)

    @cached_property
    def layers(self) -> tuple[tuple[Tensor, Tensor], ...]:
        """Views of the parameters: weights [network, out, in] and biases [network, 1, out]."""
        rows = self.parameters.detach().flatten(0, 2)
        views, start = [], 0
        for fan_in, fan_out in pairwise(self.sizes):
            weight = rows[:, start : start + fan_out * fan_in].unflatten(-1, (fan_out, fan_in))
            start += fan_out * fan_in
            views.append((weight, rows[:, None, start : start + fan_out]))
            start += fan_out
        return tuple(views)

    @property
    def copied(self) -> Networks:
        """The same networks on numbers of their own, without gradients."""
        return Networks(self.sizes, self.parameters.detach().clone())

    @property
    def _axes(self) -> torch.Size:
        return self.parameters.shape[:3]

    def _shared(self, x: Tensor) -> Tensor:
        """``x`` for every member, [network, row, number]."""
        members = self.parameters.shape[2]
        return x.unsqueeze(2).expand(-1, -1, members, -1, -1).reshape(-1, *x.shape[2:])


def networks(
    sizes: Sequence[int],
    groups: int,
    members: int,
    streams: Streams,
    dtype: torch.dtype,
    device: str,
    inputs: Sequence[int] | None = None,
) -> Networks:
    """New networks with gradients, one set a run of ``streams``.

    Weights and biases are uniform on ±1/√(numbers that their unit reads).
    inputs: numbers that a group really reads, where its input is padded with zeros.
    """
    size = _size(sizes)
    drawn = streams.uniform(groups, members, size)
    start = 0
    for layer, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        count = (fan_in + 1) * fan_out
        part = drawn[..., start : start + count]
        fans = inputs if layer == 0 and inputs is not None else [fan_in] * groups
        bound = torch.tensor(fans, dtype=torch.float64).rsqrt()[:, None, None]
        part.mul_(2).sub_(1).mul_(bound)
        start += count
    drawn[..., start:] = 0
    return Networks(tuple(sizes), drawn.to(device, dtype).requires_grad_())


def product(a: Tensor, b: Tensor) -> Tensor:
    """The matrix products a[network] b[network].

    One product alone of a matrix with a vector would be another routine, with other roundings than
    beside others: it is computed twice.
    """
    if len(a) == 1 and 1 in (*a.shape[1:], b.shape[2]):
        return torch.bmm(a.repeat(2, 1, 1), b.repeat(2, 1, 1))[:1]
    return torch.bmm(a, b)


class _Network(Function):
    """parameters, x → outputs."""

    @staticmethod
    def forward(ctx: Any, parameters: Tensor, x: Tensor, stack: Networks) -> Tensor:
        rows = stack._shared(x)
        hidden, output = _hidden_and_output(stack, rows, stack.layers)
        if parameters.requires_grad:
            ctx.save_for_backward(rows, *hidden)
            ctx.stack = stack
        return output.view(*parameters.shape[:3], *_rows(x), -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        rows, *hidden = ctx.saved_tensors
        stack: Networks = ctx.stack
        g = gradient.flatten(0, 2)
        parts = []
        for layer in range(len(hidden), -1, -1):
            below = hidden[layer - 1] if layer else rows
            parts += [g.sum(1), product(g.mT, below).flatten(1)]
            if layer:
                g = _through(g, stack.layers[layer][0], below)
        parts.reverse()
        total = stack.parameters.shape[-1]
        parts.append(g.new_zeros(len(g), total - sum(part.shape[1] for part in parts)))
        return torch.cat(parts, 1).view_as(stack.parameters), None, None


class _AfterFirst(Function):
    """The first layer's sums → outputs."""

    @staticmethod
    def forward(ctx: Any, first: Tensor, stack: Networks) -> Tensor:
        start = first.flatten(0, 2).relu()
        hidden, output = _hidden_and_output(stack, start, stack.layers[1:])
        ctx.save_for_backward(start, *hidden)
        ctx.stack = stack
        return output.view(*first.shape[:-1], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        g = gradient.flatten(0, 2)
        for (weight, _), below in zip(
            reversed(ctx.stack.layers[1:]), reversed(ctx.saved_tensors), strict=True
        ):
            g = _through(g, weight, below)
        return g.view(*gradient.shape[:-1], -1), None


def _hidden_and_output(
    stack: Networks, x: Tensor, layers: Sequence[tuple[Tensor, Tensor]]
) -> tuple[list[Tensor], Tensor]:
    hidden = []
    for weight, bias in layers[:-1]:
        x = product(x, weight.mT).add_(bias).relu_()
        hidden.append(x)
    weight, bias = layers[-1]
    if weight.shape[1] == 1:  # a row times a matrix is faster than a matrix times a column
        return hidden, product(weight, x.mT).mT.add_(bias)
    return hidden, product(x, weight.mT).add_(bias)


def _through(g: Tensor, weight: Tensor, below: Tensor) -> Tensor:
    """The gradient before the relu whose values are ``below``, from the layer's gradient ``g``."""
    inner = g * weight if weight.shape[1] == 1 else product(g, weight)
    torch.ops.aten.threshold_backward.grad_input(inner, below, 0.0, grad_input=inner)
    return inner


def _rows(x: Tensor) -> tuple[int]:
    return (x.shape[-2],)


def _size(sizes: Sequence[int]) -> int:
    numbers = sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(sizes))
    return -(-numbers // ALIGNED) * ALIGNED
