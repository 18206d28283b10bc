"""Learned dynamics: a bootstrap ensemble of probabilistic networks of every run, or of every ego.

Each network predicts what follows for *all* agents from all agents' observations and actions
(``deep.dynamics.outcomes``). A prediction is made by one member, drawn uniformly, and only that
member is evaluated: the model of a run or of an ego agent is the mixture

    T̂(s', r | s, a) = 1/B Σ_b T̂_b(s', r | s, a).

Drawing. M rows have to be dealt to B members. Each member has P slots, the least multiple of 32
with B P ≥ M, and a random permutation of all slots says where each row goes. So the member of each
row is uniform, and those of two steps are independent. The rows of one step are dealt without
replacement: no member gets more than P, so two rows of a step have one member with probability
(P − 1)/(B P − 1), a little less than 1/B. Empty slots are computed with the first row's input and
not read.

Inputs are made standard per run with the training rows' mean and deviation. Hidden units are relu
(the paper names none; the released code has swish, as the rewards' own network does). All egos of a
run are fitted to the same D_env, so one ensemble serves them: their rows are dealt together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from bounds.shared.numbers import InputError, in_range, whole
from deep.dynamics.categorical_outcomes import CategoricalOutcomes
from deep.dynamics.gaussian_outcomes import GaussianOutcomes
from deep.dynamics.outcomes import Outcomes
from deep.envs.batch import World
from deep.envs.climb import ClimbEnv
from deep.envs.game import GameEnv
from deep.envs.spaces import Shape
from deep.nn.stacked_mlp import Networks, networks
from deep.nn.standard import Affine, Standard, change
from deep.nn.tensors import positive, restore_tensors
from deep.seeding import Streams

#: Rows come in multiples of this: what is left over after the processor's vectors is computed by
#: other routines, with other roundings, so no run's rows may end within a vector.
UNIT = 32


@dataclass(frozen=True)
class DynamicsSettings:
    """Settings of learned dynamics. The network is the released code's; the paper gives none."""

    members: int = 8
    """Networks of an ego agent's ensemble, B."""
    hidden: tuple[int, ...] = (512, 512, 512, 512)
    """Units of the hidden layers."""
    learning_rate: float = 0.001
    """Adam's rate."""
    batch: int = 256
    """Rows of a network in a step, a multiple of 32."""
    max_rows: int = 50_000
    """The most transitions of a run that a fit sees, drawn uniformly from its replay."""
    max_epochs: int = 50
    """The most epochs of a fit."""
    patience: int = 3
    """Epochs without progress after which a network stops."""
    improvement: float = 0.01
    """Decrease of the held-out loss that counts as progress, in nats a target: 0.01 makes what
    happened 1 % likelier."""
    validation_share: float = 0.1
    """Share of the transitions that is held out for ever."""
    per_ego: bool = False
    """An ensemble for every ego agent, as Algorithm 1 has it; otherwise one for all of them, which
    are fitted to the same transitions anyway."""
    deterministic: bool = True
    """Branches follow the mean of the member that is drawn in every step, where numbers are
    predicted; otherwise a draw from its law."""

    def __post_init__(self) -> None:
        whole("model.dynamics.members", self.members, 1)
        for layer, units in enumerate(self.hidden):
            whole(f"model.dynamics.hidden[{layer}]", units, 1)
        if not self.hidden:
            raise InputError("model.dynamics.hidden: no layer; give at least one")
        in_range("model.dynamics.learning_rate", self.learning_rate, 0, 1)
        if whole("model.dynamics.batch", self.batch, 1) % UNIT:
            raise InputError(f"model.dynamics.batch: {self.batch}; give a multiple of {UNIT}")
        whole("model.dynamics.max_rows", self.max_rows, 2)
        whole("model.dynamics.max_epochs", self.max_epochs, 1)
        whole("model.dynamics.patience", self.patience, 1)
        in_range("model.dynamics.improvement", self.improvement, 0, 1)
        in_range("model.dynamics.validation_share", self.validation_share, 0, 1, open_high=True)
        positive("model.dynamics.validation_share", self.validation_share)


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Learned ``Dynamics``.

    stack: one group of one network for each ego and member, row-major. log_variance_bounds[run, ego
    · member, number]: what the outcomes learn beside the networks. inputs, scale: of the networks'
    inputs and targets.
    """

    shape: Shape
    settings: DynamicsSettings
    outcomes: Outcomes
    stack: Networks
    log_variance_bounds: Tensor
    inputs: Standard
    scale: Standard

    def begin(self, rows: Tensor) -> None:
        """Nothing to remember."""
        del rows

    def step(
        self, memory: None, observations: Tensor, actions: Tensor, streams: Streams
    ) -> tuple[None, Tensor, Tensor]:
        """What the drawn members say (``Dynamics``)."""
        if self.egos < observations.shape[1]:  # one for all: an ego's rows after another's
            apart = observations.shape[1:3]
            _, following, rewards = self.step(
                memory, _together(observations), _together(actions), streams
            )
            return memory, _apart(following, apart), _apart(rewards, apart)
        with torch.no_grad():
            slots = deal(streams, self.egos, self.settings.members, observations.shape[2])
            slots = slots.to(observations.device)
            outputs = self._drawn(self.read(observations, actions), slots)
            variance_bounds = self._log_variance_bounds_of(
                slots // slots_per_member(self.settings.members, observations.shape[2])
            )
            following, rewards = self.outcomes.draw(
                outputs, variance_bounds, observations, self.scale, streams
            )
            return memory, following, rewards

    def every(self, observations: Tensor, actions: Tensor) -> Tensor:
        """What every member says, [run, ego, member, row, number]."""
        if self.egos < observations.shape[1]:
            apart = observations.shape[1:3]
            found = self.every(_together(observations), _together(actions)).squeeze(1)
            by_ego: Tensor = found.unflatten(2, apart).transpose(1, 2)
            return by_ego
        with torch.no_grad():
            return self.by_member(self.read(observations, actions))

    def distribution(self, observations: Tensor, actions: Tensor) -> Tensor:
        """Probabilities of the next states, [run, ego, row, state], float64: the mixture's.

        They are exact, so total variations of it are too. ``TypeError`` where no states are
        predicted.
        """
        if not isinstance(self.outcomes, CategoricalOutcomes):
            raise TypeError("these dynamics predict numbers, not states")
        return self.outcomes.distribution(self.every(observations, actions))

    def by_member(self, x: Tensor) -> Tensor:
        """The outputs [run, ego, member, row, number] for standard x[run, ego, row, number]."""
        apart = self.stack.parameters.view(len(x), self.egos, self.settings.members, -1)
        return replace(self.stack, parameters=apart)(x)

    def read(self, observations: Tensor, actions: Tensor) -> Tensor:
        """The networks' inputs [run, ..., number] from those [run, ..., agent, number]."""
        flat = torch.cat((observations.flatten(-2), actions.flatten(-2)), -1)
        return self.inputs.bounded(flat.to(self.dtype).index_select(-1, self._read))

    @property
    def egos(self) -> int:
        """Ego agents of a run."""
        return self.stack.axes[1] // self.settings.members

    @property
    def dtype(self) -> torch.dtype:
        """Of the networks."""
        return self.stack.parameters.dtype

    @property
    def mean_prediction(self) -> MeanPrediction:
        """The same model without chance."""
        return MeanPrediction(self)

    def rescale(self, inputs: Standard, scale: Standard) -> None:
        """Read and predict on other scales, with networks changed so that predictions stay.

        What was constant before starts anew on its new scale, as everything does in a new model.
        """
        with torch.no_grad():
            members = self.stack.axes[1]
            read = self._each(change(inputs, self.inputs, self.inputs.deviation > 0), members)
            weight, bias = self.stack.layers[0]
            bias[:, 0].add_((weight @ read.shift.unsqueeze(-1)).squeeze(-1))
            weight.mul_(read.factor.unsqueeze(1))
            rescaled = self._each(change(self.scale, scale, self.scale.deviation > 0), members)
            self.outcomes.rescale(
                self.stack.layers[-1], self.log_variance_bounds.flatten(0, 1), rescaled
            )
            for own, new in ((self.inputs, inputs), (self.scale, scale)):
                own.mean.copy_(new.mean)
                own.deviation.copy_(new.deviation)

    def state(self) -> dict[str, Tensor]:
        """Every tensor that later predictions and fits depend on, leading axis [run]; no copies."""
        return {
            "parameters": self.stack.parameters,
            "log_variance_bounds": self.log_variance_bounds,
            "inputs.mean": self.inputs.mean,
            "inputs.deviation": self.inputs.deviation,
            "scale.mean": self.scale.mean,
            "scale.deviation": self.scale.deviation,
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Set the model to what ``state`` returned, bit for bit."""
        restore_tensors(self.state(), state)

    def _drawn(self, x: Tensor, slots: Tensor) -> Tensor:
        """The outputs [run, ego, row, number] of each row's slot, for x[run, ego, row, number]."""
        runs, egos, rows, width = x.shape
        total = self.settings.members * slots_per_member(self.settings.members, rows)
        source = torch.zeros(runs, egos, total, dtype=torch.int64, device=x.device)
        source.scatter_(2, slots, torch.arange(rows, device=x.device).expand_as(slots))
        dealt = x.gather(2, source.unsqueeze(-1).expand(-1, -1, -1, width))
        outputs = self.stack(dealt.view(runs, self.stack.axes[1], -1, width))
        outputs = outputs.reshape(runs, egos, total, -1)
        return outputs.gather(2, slots.unsqueeze(-1).expand(-1, -1, -1, outputs.shape[-1]))

    def _each(self, by_run: Affine, members: int) -> Affine:
        """[run, number] for every network."""
        return Affine(
            factor=by_run.factor.repeat_interleave(members, 0),
            shift=by_run.shift.repeat_interleave(members, 0),
        )

    def _log_variance_bounds_of(self, member: Tensor) -> Tensor:
        """[run, ego, row, number]: the limits of the member of each row."""
        each: Tensor = self.log_variance_bounds.unflatten(1, (self.egos, -1))
        return each.gather(2, member.unsqueeze(-1).expand(-1, -1, -1, each.shape[-1]))

    @cached_property
    def _read(self) -> Tensor:
        return torch.tensor(list(self.outcomes.read), device=self.stack.parameters.device)


@dataclass(frozen=True, eq=False)
class MeanPrediction:
    """An ensemble's mean prediction (of states: the likeliest) as ``Dynamics`` without chance."""

    ensemble: Ensemble

    def begin(self, rows: Tensor) -> None:
        """Nothing to remember."""
        del rows

    def step(
        self, memory: None, observations: Tensor, actions: Tensor, streams: Streams
    ) -> tuple[None, Tensor, Tensor]:
        """All members are evaluated; nothing is drawn."""
        del streams
        model = self.ensemble
        outputs = model.every(observations, actions)
        following, rewards = model.outcomes.mean_prediction(outputs, observations, model.scale)
        return memory, following, rewards


def _together(x: Tensor) -> Tensor:
    """[run, 1, ego · row, ...] of [run, ego, row, ...]."""
    return x.flatten(1, 2).unsqueeze(1)


def _apart(x: Tensor, egos_and_rows: torch.Size) -> Tensor:
    each: Tensor = x.squeeze(1).unflatten(1, egos_and_rows)
    return each


def deal(streams: Streams, egos: int, members: int, rows: int) -> Tensor:
    """The slot of each row, [run, ego, row]: the first numbers of a random permutation.

    Slot s is of member s // P (see the module).
    """
    return streams.uniform(egos, members * slots_per_member(members, rows)).argsort(-1)[..., :rows]


def slots_per_member(members: int, rows: int) -> int:
    """Slots of a member, P."""
    return UNIT * -(-rows // (members * UNIT))


def outcomes(world: World, *, rewards: bool = True, deterministic: bool = False) -> Outcomes:
    """What is predicted of ``world``: next states where all agents observe them, else numbers.

    rewards, deterministic: see ``GaussianOutcomes``; with states rewards are always predicted.
    """
    shape = Shape(world.observation_sizes, world.spaces)
    if predicts_states(world):
        return CategoricalOutcomes(shape)
    return GaussianOutcomes(shape, rewards=rewards, deterministic=deterministic)


def predicts_states(world: World) -> bool:
    """Whether next states are predicted, as all agents observe them, and not numbers."""
    return isinstance(world, GameEnv | ClimbEnv)


def ensemble(
    shape: Shape,
    settings: DynamicsSettings,
    predicted: Outcomes,
    streams: Streams,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
    egos: int | None = None,
) -> Ensemble:
    """A new ensemble for each run of ``streams`` and each of ``egos`` agents (None: all).

    Until it is fitted it takes inputs as they are, and says that no number ever changes and that
    rewards are 0.
    """
    count = settings.members * (shape.agents if egos is None else whole("egos", egos, 1))
    read, targets = len(predicted.read), len(predicted.scaled)
    sizes = (read, *settings.hidden, predicted.outputs)
    stack = networks(
        sizes=sizes, groups=count, members=1, streams=streams, dtype=dtype, device=device
    )
    first = torch.tensor(predicted.initial_log_variance_bounds, dtype=dtype, device=device)
    return Ensemble(
        shape=shape,
        settings=settings,
        outcomes=predicted,
        stack=stack.copied,
        log_variance_bounds=first.expand(streams.runs, count, -1).clone(),
        inputs=_unscaled(streams.runs, read, dtype, device),
        scale=_unscaled(streams.runs, targets, dtype, device),
    )


def _unscaled(runs: int, numbers: int, dtype: torch.dtype, device: str) -> Standard:
    shape = (runs, numbers)
    return Standard(
        torch.zeros(shape, dtype=dtype, device=device),
        torch.zeros(shape, dtype=dtype, device=device),
    )
