"""Fit an ensemble of dynamics networks to a replay, with early stopping, from warm starts.

1. A bounded sample of the replay is taken, of rows to train on and rows held out, and made standard
   (``deep.dynamics.fitting_data``).
2. Bootstrap. Each network draws as many rows as there are, with replacement.
3. An epoch takes a network once through its own rows, in a new order, by minibatches: Adam with
   fresh moments at every fit. There is no weight decay: early stopping is what holds it back.
4. Early stopping, network by network. After each epoch the loss on the held-out rows is taken, and
   the parameters are kept if it is the least so far, the start included. A network stops once
   ``patience`` epochs have not brought the loss down by ``improvement`` in all. From then on its
   parameters are left alone, and once all networks of a run have stopped nothing is drawn from the
   run's streams: its result does not depend on the runs beside it.

Networks are trained one block after the other, each through the whole epoch, so that a large
network's parameters and moments stay in the cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from deep.data.replay import Replay
from deep.dynamics.ensemble import Ensemble
from deep.dynamics.fitting_data import Data, rows_of
from deep.nn import stacked_mlp
from deep.nn.adam import Adam
from deep.nn.stacked_mlp import Networks
from deep.seeding import Streams

#: Numbers that Adam steps at a time on a CPU: they and their moments fit a core's cache.
CHUNK = 2**15
#: Rows that are evaluated at a time.
ROWS = 1024
#: The intervals whose share of held-out targets is reported.
INTERVALS = (0.5, 0.9)


def fit(model: Ensemble, replay: Replay, streams: Streams) -> dict[str, Tensor]:
    """Fit ``model`` in place; metrics [run, ego].

    held_out_loss: mean over members, in nats a target; epochs: mean over members, those that
    brought nothing included; rmse: root mean squared error of the members' mean on held-out rows,
    in deviations of the targets (of ``CategoricalOutcomes``: the rewards); coverage_50,
    coverage_90: share of held-out targets in the mixture's central interval of that probability.

    Raises ``InputError`` where the replay is too small to train and to hold out.
    """
    data = rows_of(model, replay, streams)
    runs, count, _ = model.log_variance_bounds.shape
    boot = streams.whole(data.rows, count, data.rows)
    training = Training(model, data)
    for _ in range(model.settings.max_epochs):
        active = training.runs
        if not active:
            break
        drawing = Streams(tuple(streams.generators[run] for run in active))
        order = drawing.uniform(count, data.rows).argsort(-1)
        training.epoch(boot[active].gather(2, order))
    by_network = {"held_out_loss": training.best_loss, "epochs": training.epochs}
    return {
        name: each.to(model.dtype).view(runs, model.egos, -1).mean(-1)
        for name, each in by_network.items()
    } | quality(model, data)


@dataclass(frozen=True, eq=False)
class Moving:
    """Numbers that are trained and their moments, [active network, number]."""

    values: Tensor
    mean: Tensor
    square: Tensor

    def kept(self, which: Tensor) -> Moving:
        """Those of some networks, on memory of their own."""
        return Moving(self.values[which], self.mean[which], self.square[which])

    def steppers(self, part: slice, rate: float, steps: int) -> list[Adam]:
        """Adam for the networks ``part``, piece by piece."""
        flat = [each[part].flatten() for each in (self.values, self.mean, self.square)]
        size = CHUNK if flat[0].device.type == "cpu" else max(1, len(flat[0]))
        pieces = zip(*(each.split(size) for each in flat), strict=True)
        return [
            Adam(parameters=v, rate=rate, mean=m, square=s, steps=torch.tensor([steps]))
            for v, m, s in pieces
        ]


def _still(values: Tensor) -> Moving:
    return Moving(values.clone(), torch.zeros_like(values), torch.zeros_like(values))


class Training:
    """The networks of all runs along one axis, of which only those that are active are touched.

    which[active]: their places. numbers, log_variance_bounds: those of the active ones. best_loss,
    mark, waited, epochs [network]. ``model`` itself has the best parameters so far.
    """

    def __init__(self, model: Ensemble, data: Data) -> None:
        self.model, self.data = model, data
        self.which = torch.arange(
            model.log_variance_bounds.shape[:2].numel(), device=model.log_variance_bounds.device
        )
        self.numbers = _still(model.stack.parameters.flatten(0, 2))
        self.log_variance_bounds = _still(model.log_variance_bounds.flatten(0, 1))
        self.best_loss = self.losses()
        self.mark = self.best_loss.clone()
        self.waited = torch.zeros_like(self.which)
        self.epochs = torch.zeros_like(self.which)
        self.steps = 0

    @property
    def runs(self) -> list[int]:
        """Runs that have not stopped."""
        found: list[int] = self._run_of(slice(None)).unique().tolist()
        return found

    def epoch(self, rows: Tensor) -> None:
        """Train on ``rows[active run, network of it, row]``, then stop the networks that must."""
        rows = rows.to(self.which.device)
        runs, members = (
            self._run_of(slice(None)),
            self.which % self.model.log_variance_bounds.shape[1],
        )
        place = torch.unique(runs, return_inverse=True)[1]
        for part in self.blocks(self.model.settings.batch):
            own = rows[place[part], members[part]] + self.data.rows * runs[part, None]
            self.train(part, own)
        self.steps += -(-rows.shape[-1] // self.model.settings.batch)
        self.epochs[self.which] += 1
        self._judge(self.losses())

    def train(self, part: slice, rows: Tensor) -> None:
        """Take some active networks through ``rows[network, row]``, of all runs' training rows."""
        settings, outcomes = self.model.settings, self.model.outcomes
        x, y = self.data.inputs.flatten(0, 1), self.data.targets.flatten(0, 1)
        weights = self.model.scale.varies[self._run_of(part)]
        stack = Networks(self.model.stack.sizes, self.numbers.values[None, part, None])
        variance_bounds = self.log_variance_bounds.values[part].detach().requires_grad_()
        gradient = torch.empty_like(stack.parameters)
        adams, (bounds_adam,) = (
            moving.steppers(part, settings.learning_rate, self.steps)
            for moving in (self.numbers, self.log_variance_bounds)
        )
        pieces = gradient.flatten().split(adams[0].parameters.shape[0])
        to_bounds = torch.empty_like(variance_bounds)

        def output_gradient(outputs: Tensor, target: Tensor) -> Tensor:
            """The gradient for the outputs; that for the bounds goes to ``to_bounds``."""
            with torch.enable_grad():
                own = outputs[0, :, 0].detach().requires_grad_()
                loss = outcomes.objective(own, variance_bounds, target, weights).sum()
                to_outputs, other = torch.autograd.grad(loss, (own, variance_bounds))
            to_bounds.copy_(other)
            return to_outputs[None, :, None]

        for index in rows.split(settings.batch, 1):
            seen = x.index_select(0, index.flatten()).view(1, *index.shape, -1)
            target = y.index_select(0, index.flatten()).view(*index.shape, -1)
            stack.fitted(seen, partial(output_gradient, target=target), gradient)
            bounds_adam.step(to_bounds.flatten())
            for adam, piece in zip(adams, pieces, strict=True):
                adam.step(piece)

    def losses(self) -> Tensor:
        """The active networks' mean losses on the held-out rows, float64 [active]."""
        x, y = self.data.held_inputs, self.data.held_targets
        total = torch.zeros(len(self.which), dtype=torch.float64, device=x.device)
        with torch.no_grad():
            for part in self.blocks(min(ROWS, x.shape[1])):
                run = self._run_of(part)
                stack = Networks(self.model.stack.sizes, self.numbers.values[None, part, None])
                variance_bounds, weights = (
                    self.log_variance_bounds.values[part],
                    self.model.scale.varies[run],
                )
                for rows in _pieces(x.shape[1]):
                    outputs = stack(x[None, run, rows])[0, :, 0]
                    loss = self.model.outcomes.loss(outputs, variance_bounds, y[run, rows], weights)
                    total[part] += loss.double() * (rows.stop - rows.start)
        return total / x.shape[1]

    def blocks(self, rows: int) -> Iterator[slice]:
        """The active networks, as many at a time as fit a CPU's cache with ``rows`` rows."""
        size = count = len(self.which)
        if self.which.device.type == "cpu":
            size = max(1, stacked_mlp.BLOCK // (rows * max(self.model.stack.sizes[1:])))
        for start in range(0, count, size):
            yield slice(start, min(start + size, count))

    def _judge(self, losses: Tensor) -> None:
        settings, which = self.model.settings, self.which
        better = losses < self.best_loss[which]
        self.best_loss[which[better]] = losses[better]
        self.model.stack.parameters.view(-1, self.numbers.values.shape[1])[which[better]] = (
            self.numbers.values[better]
        )
        self.model.log_variance_bounds.flatten(0, 1)[which[better]] = (
            self.log_variance_bounds.values[better]
        )
        progress = losses < self.mark[which] - settings.improvement
        self.mark[which[progress]] = losses[progress]
        self.waited[which] = torch.where(progress, 0, self.waited[which] + 1)
        going = self.waited[which] < settings.patience
        if not bool(going.all()):
            self.which = which[going]
            self.numbers, self.log_variance_bounds = (
                self.numbers.kept(going),
                self.log_variance_bounds.kept(going),
            )

    def _run_of(self, part: slice) -> Tensor:
        return self.which[part] // self.model.log_variance_bounds.shape[1]


def quality(model: Ensemble, data: Data) -> dict[str, Tensor]:
    """The metrics [run, ego] of ``fit`` that are of the whole ensemble."""
    x, y = data.held_inputs.unsqueeze(1), data.held_targets.unsqueeze(1)
    weights = model.scale.varies.unsqueeze(1)
    variance_bounds = model.log_variance_bounds.unflatten(1, (model.egos, -1))
    names = ["rmse", *(f"coverage_{round(100 * share)}" for share in INTERVALS)]
    totals = {name: model.log_variance_bounds.new_zeros(len(x), model.egos) for name in names}
    with torch.no_grad():
        for rows in _pieces(x.shape[2]):
            outputs = model.by_member(x[:, :, rows].expand(-1, model.egos, -1, -1))
            target, share = y[:, :, rows], (rows.stop - rows.start) / x.shape[2]
            totals["rmse"] += share * model.outcomes.errors(outputs, target, weights)
            for name, wide in zip(names[1:], INTERVALS, strict=True):
                inside = model.outcomes.coverage(outputs, variance_bounds, target, weights, wide)
                totals[name] += share * inside
    return totals | {"rmse": totals["rmse"].sqrt()}


def _pieces(count: int) -> Iterator[slice]:
    for start in range(0, count, ROWS):
        yield slice(start, min(start + ROWS, count))
