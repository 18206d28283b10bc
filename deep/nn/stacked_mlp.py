"""Stacked perceptrons: one batched matrix product a layer for all runs, agents and twins.

A network is W₃ relu(W₂ relu(W₁x + b₁) + b₂) + b₃, with any number of hidden layers. The networks of
a stack have one architecture and axes [run, group, member]; the members of a group (twin critics,
or all agents' central critics) read the same input. All numbers of a network are one row of the
stack's parameters [run, group, member, number], so that an optimiser, a norm or a target network is
one elementwise operation.

Networks are differentiated by hand, in few passes over the rows: ``Networks.__call__`` has a
gradient for the parameters and none for the input, ``Networks.moved`` has one for a change of the
input and none for the parameters. Neither computes what is not asked for, so an actor's step
through a critic never pays for that critic's gradient.

A run's numbers are, bit for bit on one thread of a CPU, those that it has alone: a batched product
takes the matrices one by one, rows of parameters start at multiples of 64 bytes, and what goes
another way for a single matrix is avoided (``product``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
#: On a CPU networks are computed in blocks of which a layer has at most so many numbers, so that
#: what one layer writes is in the core's cache when the next one reads it.
BLOCK = 200_000

#: Weights [network, out, in] and biases [network, 1, out] of each layer.
Layers = tuple[tuple[Tensor, Tensor], ...]


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

    def fitted(
        self, x: Tensor, output_gradient: Callable[[Tensor], Tensor], gradient: Tensor
    ) -> Tensor:
        """The outputs for ``x``; writes the loss's gradient for ``parameters`` into ``gradient``.

        output_gradient: from the outputs to a loss's gradient for them. It is the gradient that
        ``__call__`` has, without autograd and written where it is wanted, for networks so large
        that each pass over their parameters is felt.
        """
        with torch.no_grad():
            kept, outputs, whole = [], [], gradient.flatten(0, 2)
            for part, rows, layers in self._blocks_of(x):
                hidden, output = _hidden_and_output(rows, layers)
                kept.append((part, rows, layers, hidden))
                outputs.append(output)
            output = _joined(outputs).mT.view(*self.axes, x.shape[2], -1)
            g = output_gradient(output).flatten(0, 2)
            for part, rows, layers, hidden in kept:
                _gradient_into(into=whole[part], g=g[part], x=rows, layers=layers, hidden=hidden)
            return output

    def moved(self, x: Tensor, change: Tensor, weights: Tensor) -> Tensor:
        """The outputs for W₁x + b₁ + weights · change, with a gradient for ``change`` alone.

        change[run, group, member, row, c], weights[run, group, member, unit, c]: the networks of a
        group read the same ``x``, and here each has some of it changed, by itself.
        """
        output: Tensor = _Moved.apply(change, x, weights, self)
        return output

    def options(self, x: Tensor, change: Tensor, weights: Tensor, options: range) -> Tensor:
        """The single output for W₁x + b₁ + weights · (change + e_k), k of ``options``, no gradient.

        Shape [run, group, member, row, k], arguments as in ``moved``. Only what comes after the
        first layer's products is computed for every k.
        """
        with torch.no_grad():
            outputs = []
            for part, rows, layers in self._blocks_of(x):
                own = weights.flatten(0, 2)[part]
                sums = _changed(rows, layers, change.flatten(0, 2)[part], own)
                space = torch.empty_like(sums)
                each = [
                    _hidden_and_output(
                        torch.add(sums, own[:, None, :, k], out=space).relu_(), layers[1:]
                    )[1]
                    for k in options
                ]
                outputs.append(torch.cat(each, 1))
            return _joined(outputs).mT.view(*self.axes, x.shape[2], -1)

    def _blocks_of(self, x: Tensor) -> Iterator[tuple[slice, Tensor, Layers]]:
        """``x[network, row, number]`` and the layers, by blocks of networks that fit the cache."""
        rows, members = x.flatten(0, 1), self.axes[2]
        count = len(rows) * members
        size = count
        if x.device.type == "cpu":
            size = max(1, BLOCK // (x.shape[2] * max(self.sizes[1:])))
        if members == 1 or size >= count:
            shared = self._shared(rows)
            for start in range(0, count, size):
                part = slice(start, start + size)
                yield part, shared[part], self._layers_of(part)
            return
        for entry, shared in enumerate(rows):
            for start in range(0, members, size):
                end = min(start + size, members)
                part = slice(entry * members + start, entry * members + end)
                yield part, shared.expand(end - start, -1, -1), self._layers_of(part)

    def _shared(self, rows: Tensor) -> Tensor:
        members = self.axes[2]
        if members == 1:
            return rows
        return rows.unsqueeze(1).expand(-1, members, -1, -1).flatten(0, 1)

    def _layers_of(self, part: slice) -> Layers:
        key = (part.start, part.stop)
        if key not in self._views:
            self._views[key] = tuple((weight[part], bias[part]) for weight, bias in self.layers)
        return self._views[key]

    @cached_property
    def _views(self) -> dict[tuple[int, int], Layers]:
        return {}

    @cached_property
    def layers(self) -> Layers:
        """Views of the parameters."""
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
    def axes(self) -> torch.Size:
        """Numbers of runs, groups and members."""
        return self.parameters.shape[:3]


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
    _keep_memory()
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


def _keep_memory() -> None:
    """Have glibc keep freed memory of the process, up to 64 MiB, for the next layers.

    It does so once a block of nearly 32 MiB was freed (mallopt(3), dynamic threshold); otherwise
    every update asks the system for its pages anew. Nothing is written to the block.
    """
    torch.empty(31 * 2**20, dtype=torch.uint8)


def product(a: Tensor, b: Tensor, out: Tensor | None = None) -> Tensor:
    """The matrix products a[network] b[network], perhaps written into ``out``.

    One product alone of a matrix with a vector would be another routine, with other roundings than
    beside others: it is computed twice.
    """
    if len(a) == 1 and 1 in (*a.shape[1:], b.shape[2]):
        single = torch.bmm(a.expand(2, -1, -1), b.expand(2, -1, -1))[:1]
        return single if out is None else out.copy_(single)
    return torch.bmm(a, b) if out is None else torch.bmm(a, b, out=out)


class _Network(Function):
    """parameters, x → outputs."""

    @staticmethod
    def forward(ctx: Any, parameters: Tensor, x: Tensor, stack: Networks) -> Tensor:
        kept, outputs = [], []
        for part, rows, layers in stack._blocks_of(x):
            hidden, output = _hidden_and_output(rows, layers)
            kept.append((part, rows, layers, hidden))
            outputs.append(output)
        if parameters.requires_grad:
            ctx.kept, ctx.stack = kept, stack
        return _joined(outputs).mT.view(*stack.axes, x.shape[2], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        whole, g = torch.zeros_like(ctx.stack.parameters), gradient.flatten(0, 2)
        by_network = whole.flatten(0, 2)
        for part, *block in ctx.kept:
            own = _gradient(g[part], *block)
            by_network[part, : own.shape[1]] = own
        return whole, None, None


class _Moved(Function):
    """change → outputs."""

    @staticmethod
    def forward(ctx: Any, change: Tensor, x: Tensor, weights: Tensor, stack: Networks) -> Tensor:
        ctx.kept, outputs = [], []
        for part, rows, layers in stack._blocks_of(x):
            own = weights.flatten(0, 2)[part]
            start = _changed(rows, layers, change.flatten(0, 2)[part], own).relu_()
            hidden, output = _hidden_and_output(start, layers[1:])
            ctx.kept.append((part, own, layers, [start, *hidden]))
            outputs.append(output)
        return _joined(outputs).mT.view(*stack.axes, x.shape[2], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        flat, parts = gradient.flatten(0, 2), []
        for part, own, layers, hidden in ctx.kept:
            g = flat[part]
            for (weight, _), below in zip(reversed(layers[1:]), reversed(hidden), strict=True):
                g = _through(g, weight, below)
            parts.append(product(g, own))
        return _joined(parts).view(*gradient.shape[:-1], -1), None, None, None


def _changed(x: Tensor, layers: Layers, change: Tensor, weights: Tensor) -> Tensor:
    """W₁x + b₁ + weights · change, [network, row, unit]."""
    weight, bias = layers[0]
    return product(x, weight.mT).add_(bias).add_(product(change, weights.mT))


def _hidden_and_output(x: Tensor, layers: Layers) -> tuple[list[Tensor], Tensor]:
    """Values of the hidden layers [network, row, unit], and outputs [network, number, row]."""
    hidden = []
    for weight, bias in layers[:-1]:
        x = product(x, weight.mT).add_(bias).relu_()
        hidden.append(x)
    weight, bias = layers[-1]
    return hidden, product(weight, x.mT).add_(bias.mT)


def _gradient(g: Tensor, x: Tensor, layers: Layers, hidden: list[Tensor]) -> Tensor:
    """The parameters' gradient [network, number] from that of the outputs, ``g``."""
    parts = []
    for (weight, _), below in zip(reversed(layers), [*reversed(hidden), x], strict=True):
        parts += [g.sum(1), product(g.mT, below).flatten(1)]
        if below is not x:
            g = _through(g, weight, below)
    return torch.cat(parts[::-1], 1)


def _gradient_into(
    into: Tensor, g: Tensor, x: Tensor, layers: Layers, hidden: list[Tensor]
) -> None:
    """``_gradient`` in ``into[network, number]``."""
    end = sum(weight[0].numel() + bias[0].numel() for weight, bias in layers)
    into[:, end:] = 0
    for (weight, bias), below in zip(reversed(layers), [*reversed(hidden), x], strict=True):
        torch.sum(g, 1, out=into[:, end - bias.shape[-1] : end])
        end -= bias.shape[-1] + weight[0].numel()
        own = into[:, end : end + weight[0].numel()].unflatten(-1, weight.shape[1:])
        product(g.mT, below, own)
        if below is not x:
            g = _through(g, weight, below)


def _through(g: Tensor, weight: Tensor, below: Tensor) -> Tensor:
    """The gradient before the relu whose values are ``below``, from the layer's gradient ``g``."""
    inner = g * weight if weight.shape[1] == 1 else product(g, weight)
    torch.ops.aten.threshold_backward.grad_input(inner, below, 0.0, grad_input=inner)
    return inner


def _joined(blocks: list[Tensor]) -> Tensor:
    return blocks[0] if len(blocks) == 1 else torch.cat(blocks)


def _size(sizes: Sequence[int]) -> int:
    numbers = sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(sizes))
    return -(-numbers // ALIGNED) * ALIGNED
