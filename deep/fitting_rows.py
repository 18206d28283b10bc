"""The rows that a dynamics model is fitted to, and those that judge it.

A share of all transitions is held out for ever: transition t, counted from the first that was ever
added, is held out if a hash of t falls below the share. So no row moves between the two sets from
one fit to the next, wherever it lies in the replay. It is rows that are held out and not episodes,
so neighbours in time may lie in different sets. At most ``rows`` transitions of a run are looked
at, uniformly drawn and in the stated share from both sets, of each set a multiple of 32. Inputs and
targets are made standard with the training rows' mean and deviation; networks that were fitted on
other scales are changed so that they say what they said, and go on from there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bounds.numbers import Array, InputError
from deep.ensemble import UNIT, Ensemble
from deep.outcomes import Standard, standard
from deep.replay import Replay
from deep.seeding import Streams


def held_out(replay: Replay, share: float) -> Tensor:
    """Whether the transition in each row of the replay is held out, bool [row]."""
    slots = np.arange(replay.size, dtype=np.int64)
    last = replay.added - 1
    ever = (last - (last - slots) % replay.capacity).astype(np.uint64)
    return torch.from_numpy(_hash(ever) < share)


def _hash(x: Array) -> Array:
    """Numbers in [0, 1) that look random (the finaliser of splitmix64)."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return (x >> np.uint64(11)) * 2.0**-53


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
    out = held_out(replay, settings.held_out)
    held = round(settings.rows * settings.held_out)
    sets = []
    for rows, most in ((~out, settings.rows - held), (out, held)):
        found = rows.nonzero().squeeze(-1)
        count = min(len(found), most) // UNIT * UNIT
        if not count:
            what = "hold out" if rows is out else "train on"
            raise InputError(
                f"replay: {replay.size} transitions leave {min(len(found), most)} to {what}; "
                f"{UNIT} are needed: add more, or raise rows"
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
    return Data(model.inputs(x), model.scale(y), model.inputs(held_x), model.scale(held_y))


def _raw(model: Ensemble, replay: Replay, index: Tensor) -> tuple[Tensor, Tensor]:
    batch = replay.batch(index.to(replay.rows.device))
    seen = torch.cat((batch.observations.flatten(-2), batch.actions.flatten(-2)), -1)
    columns = torch.tensor(list(model.outcomes.read), device=seen.device)
    targets = model.outcomes.targets(batch.observations, batch.next_observations, batch.rewards)
    return seen.index_select(-1, columns).to(model.dtype), targets.to(model.dtype)
