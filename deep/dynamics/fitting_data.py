"""The training and validation rows of a fit of the dynamics, standardised.

A share of all transitions is held out for ever (``deep.data.validation_split``). It is rows that
are held out and not episodes, so neighbours in time may lie in different sets. At most ``max_rows``
transitions of a run are looked at, uniformly drawn and in the stated share from both sets, of each
set a multiple of 32. Inputs and targets are made standard with the training rows' mean and
deviation; networks that were fitted on other scales are changed so that they say what they said,
and go on from there.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bounds.shared.numbers import InputError
from deep.data.replay import Replay
from deep.data.validation_split import held_out, numbers
from deep.dynamics.ensemble import UNIT, Ensemble
from deep.nn.standard import Standard, standard
from deep.seeding import Streams


@dataclass(frozen=True, eq=False)
class Data:
    """Standard inputs and targets, [run, row, number]: of the training and the held-out rows."""

    inputs: Tensor
    targets: Tensor
    held_inputs: Tensor
    held_targets: Tensor

    @property
    def rows(self) -> int:
        """Training rows."""
        return self.inputs.shape[1]


def rows_of(model: Ensemble, replay: Replay, streams: Streams) -> Data:
    """The rows that a fit looks at; ``model`` gets their means and deviations."""
    settings = model.settings
    out = held_out(numbers(replay), settings.validation_share)
    held = round(settings.max_rows * settings.validation_share)
    sets = []
    for rows, most in ((~out, settings.max_rows - held), (out, held)):
        found = rows.nonzero().squeeze(-1)
        count = min(len(found), most) // UNIT * UNIT
        if not count:
            what = "hold out" if rows is out else "train on"
            raise InputError(
                f"replay: {replay.size} transitions leave {min(len(found), most)} to {what}; "
                f"{UNIT} are needed: add more, or raise max_rows"
            )
        index = found.expand(streams.runs, -1)
        if count < len(found):
            index = index.gather(1, streams.uniform(len(found)).argsort(-1)[:, :count])
        sets.append(_raw(model, replay, index))
    (x, y), (held_x, held_y) = sets
    scaled = torch.tensor(model.outcomes.scaled, device=y.device)
    own = standard(y)
    scale = Standard(own.mean.where(scaled, 0.0), own.deviation.where(scaled, 1.0))
    model.rescale(standard(x), scale)
    inputs = model.inputs.bounded
    return Data(inputs(x), model.scale(y), inputs(held_x), model.scale(held_y))


def _raw(model: Ensemble, replay: Replay, index: Tensor) -> tuple[Tensor, Tensor]:
    batch = replay.batch(index.to(replay.rows.device))
    seen = torch.cat((batch.observations.flatten(-2), batch.actions.flatten(-2)), -1)
    columns = torch.tensor(list(model.outcomes.read), device=seen.device)
    targets = model.outcomes.targets(batch.observations, batch.next_observations, batch.rewards)
    return seen.index_select(-1, columns).to(model.dtype), targets.to(model.dtype)
