"""Fit opponent models by maximum likelihood to the agents' own newest transitions.

A model π̂ʲ of ego agent i is fitted to rows (o, aʲ) of D_env, the newest, as j's policy changes:

    minimise  −1/|D| Σ_D log π̂ʲ(aʲ|o)   by Adam in minibatches, from the last parameters on.

A share of the rows is held out, for ever (``deep.data.validation_split``), so what was trained on
never judges later. After every epoch the loss on held-out rows is taken. Each network keeps its
best parameters, those before the fit included, so that a fit never makes the held-out loss worse;
after ``patience`` epochs without a better one it has stopped, and nothing of it changes any more.
So a network's result does not depend on the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bounds.shared.numbers import InputError, in_range, whole
from deep.data.replay import Replay
from deep.data.validation_split import held_out as is_held_out
from deep.nn.adam import adam
from deep.nn.tensors import positive
from deep.opponents.models import OpponentModels, inside, pairs
from deep.seeding import Streams, forked

#: Rows come in multiples of this. What is left over after the processor's vectors is computed by
#: other routines, with other roundings, so a run's rows must not end within a vector: no more than
#: 16 numbers, and two are taken at a time.
UNIT = 32


@dataclass(frozen=True)
class OpponentSettings:
    """How opponent models look and learn."""

    hidden: tuple[int, ...] = (64, 64)
    """Units of the hidden layers."""
    learning_rate: float = 0.0005
    """Adam's rate."""
    max_rows: int = 3072
    """Newest transitions of a run that a fit looks at."""
    batch: int = 256
    """Transitions in a gradient step: this many or fewer, in multiples of 32."""
    max_epochs: int = 50
    """The most passes over the training rows in a fit."""
    patience: int = 5
    """Epochs without a lower held-out loss after which a model has stopped."""
    validation_share: float = 0.2
    """Share of the rows that judge and are not trained on."""

    def __post_init__(self) -> None:
        for layer, units in enumerate(self.hidden):
            whole(f"model.opponents.hidden[{layer}]", units, 1)
        if not self.hidden:
            raise InputError("model.opponents.hidden: no layer; give at least one")
        in_range("model.opponents.learning_rate", self.learning_rate, 0, 1)
        whole("model.opponents.max_rows", self.max_rows, 2)
        whole("model.opponents.batch", self.batch, 1)
        whole("model.opponents.max_epochs", self.max_epochs)
        whole("model.opponents.patience", self.patience, 1)
        positive("model.opponents.validation_share", self.validation_share)
        in_range("model.opponents.validation_share", self.validation_share, 0, 1, open_high=True)


@dataclass(frozen=True, eq=False)
class History:
    """What the agents saw and did, the same for every ego agent of a run.

    observations, actions: [run, row, agent, number]. numbers[row]: of each transition, how many
    came before it since the start of training.
    """

    observations: Tensor
    actions: Tensor
    numbers: Tensor

    def __len__(self) -> int:
        return len(self.numbers)

    def where(self, chosen: Tensor) -> History:
        """The rows where ``chosen[row]``."""
        at = chosen.to(self.observations.device)
        return History(self.observations[:, at], self.actions[:, at], self.numbers[chosen])

    def by_ego(self) -> tuple[Tensor, Tensor]:
        """Observations and actions [run, ego, row, agent, number], not copied."""
        agents = self.actions.shape[2]
        seen, done = self.observations.unsqueeze(1), self.actions.unsqueeze(1)
        return seen.expand(-1, agents, -1, -1, -1), done.expand(-1, agents, -1, -1, -1)


def newest(replay: Replay, rows: int) -> History:
    """The newest ``rows`` transitions of each run, or all where there are fewer."""
    count = min(rows, replay.size)
    if count == 0:
        raise InputError("replay: empty; add transitions before fitting to any")
    numbers = torch.arange(replay.added - count, replay.added)
    index = (numbers % replay.capacity).to(replay.rows.device)
    batch = replay.batch(index.expand(len(replay.rows), -1))
    return History(batch.observations, batch.actions, numbers)


@dataclass(frozen=True, eq=False)
class Split:
    """A history in two: rows to train on, and rows that judge, each a multiple of ``UNIT``."""

    train: History
    held_out: History


def split(history: History, validation_share: float) -> Split:
    """The rows of ``history`` by whether they are held out for ever.

    The oldest of each are left out to get a multiple of ``UNIT``. ``InputError`` where nothing is
    left.
    """
    out = is_held_out(history.numbers, validation_share)
    train, rest = (_whole_units(history.where(side)) for side in (~out, out))
    if not len(train) or not len(rest):
        raise InputError(
            f"history: of {len(history)} rows {int(out.sum())} are held out, and {UNIT} are needed "
            "there and elsewhere; add more rows, or change the share held out"
        )
    return Split(train, rest)


def fit(
    models: OpponentModels, settings: OpponentSettings, rows: Split, streams: Streams
) -> dict[str, Tensor]:
    """Fit every model of every run in place; see the module.

    Metrics [run, ego, opponent], 0 of an agent about itself: opponent_loss, the mean of −log π̂ on
    the held-out rows, and opponent_epochs, passes over the training rows until the best one.
    """
    # runs stop at different epochs: only a fork of the streams is used up by that
    drawing = forked(streams)
    seen, done = _pairs(models, rows.train)
    held_seen, held_done = _pairs(models, rows.held_out)
    parameters = models.stack.parameters
    optimiser = adam(parameters, settings.learning_rate)
    units = seen.shape[2] // UNIT
    parts = min(-(-seen.shape[2] // settings.batch), units)

    def loss(inputs: Tensor, actions: Tensor) -> Tensor:
        outputs = models.stack(inputs).squeeze(2)
        return -models.head.log_probability(outputs, actions).mean(-1)

    def judged() -> Tensor:
        with torch.no_grad():
            return loss(held_seen, held_done)

    best, lowest = parameters.detach().clone(), judged()
    epochs = torch.zeros_like(lowest, dtype=torch.int64)
    for epoch in range(1, settings.max_epochs + 1):
        order = drawing.uniform(*seen.shape[1:3]).argsort(-1).to(seen.device)
        for some in order.unflatten(-1, (units, UNIT)).tensor_split(parts, 2):
            index = some.flatten(2)
            each = loss(_taken(seen, index), _taken(done, index))
            (gradient,) = torch.autograd.grad(each.sum(), parameters)
            optimiser.step(gradient)
        now = judged()
        going = epoch - epochs <= settings.patience
        better = going & (now < lowest)
        lowest, epochs = torch.where(better, now, lowest), torch.where(better, epoch, epochs)
        best = torch.where(better[..., None, None], parameters.detach(), best)
        if not bool((epoch - epochs < settings.patience).any()):
            break
    optimiser.parameters.copy_(best)
    return {
        "opponent_loss": _square(lowest, models.shape.agents),
        "opponent_epochs": _square(epochs.to(lowest.dtype), models.shape.agents),
    }


def _whole_units(history: History) -> History:
    numbers = torch.arange(len(history))
    return history.where(numbers >= len(history) % UNIT)


def _pairs(models: OpponentModels, history: History) -> tuple[Tensor, Tensor]:
    """(inputs, actions of the modelled agents), [run, pair, row, number]."""
    seen, done = history.by_ego()
    actions = torch.stack([done[:, i, :, j] for i, j in pairs(models.shape.agents)], 1)
    return models.inputs(seen), inside(models.head, actions)


def _taken(rows: Tensor, index: Tensor) -> Tensor:
    """The rows ``index[run, pair, row]`` of ``rows[run, pair, row, number]``."""
    return rows.gather(2, index.unsqueeze(-1).expand(-1, -1, -1, rows.shape[-1]))


def _square(values: Tensor, agents: int) -> Tensor:
    """[run, ego, opponent] of [run, pair]."""
    out = values.new_zeros(len(values), agents, agents)
    for pair, (i, j) in enumerate(pairs(agents)):
        out[:, i, j] = values[:, pair]
    return out
