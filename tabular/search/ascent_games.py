"""A batch of small games as tensors: how it starts, who plays what, and one of it as a ``Case``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bounds.shared.numbers import Array
from tabular.cases.case import Case
from tabular.games.policy import replaced
from tabular.search.evolution import Shape

#: A float64 torch tensor; the first axis is the restart.
Tensor = Any

#: Standard deviations of the first logits: restarts from nearly uniform to nearly deterministic.
SHARPNESS = (1.0, 3.0, 8.0)


@dataclass(frozen=True, eq=False)
class World:
    """Cases as tensors; fields and index meanings of ``tabular.cases.case.Case``, ego 0."""

    shape: Shape
    initial: Tensor
    transition: Tensor
    reward: Tensor
    policies: tuple[Tensor, ...]
    data_policies: tuple[Tensor, ...]
    model_transition: Tensor
    opponent_models: tuple[Tensor | None, ...]


def start(shape: Shape, restarts: int, rng: np.random.Generator) -> dict[str, Array]:
    """The first logits; ``decode`` says what each is. The last axis is what a softmax runs over."""
    s, a = shape.n_states, shape.joint_actions
    dynamics = (s, a, s)
    # name, shape and mean: the masks start low, so that models are near the truth
    logits: list[tuple[str, tuple[int, ...], int]] = [
        ("initial", (s,), 0),
        ("T", dynamics, 0),
        ("T_mask", dynamics, -2),
        ("T_else", dynamics, 0),
    ]
    for j, own in enumerate(shape.actions):
        kinds = (("pi", 0), ("data_mask", -2), ("data_else", 0), ("hat_mask", -2), ("hat_else", 0))
        logits += [(f"{kind}{j}", (s, own), mean) for kind, mean in kinds]
    sharp = rng.choice(SHARPNESS, size=restarts)
    genes = {}
    for name, size, mean in logits:
        scale = sharp.reshape(restarts, *[1] * len(size))
        genes[name] = scale * rng.normal(size=(restarts, *size)) + mean
    genes["reward"] = rng.normal(0, 2, size=(restarts, s, a))
    return genes


def played_after_branch(world: World, step: int) -> tuple[Tensor, ...]:
    """Who plays action number ``step`` after the branch: the model if step ≤ nⱼ or nⱼ = k."""
    shape = world.shape
    k = shape.branch_length
    lengths = shape.opponent_lengths or (k,) * len(shape.actions)
    modelled = [
        model if n is None or step <= n or n == k else None
        for model, n in zip(world.opponent_models, lengths, strict=True)
    ]
    return replaced(world.policies, modelled)


def as_case(world: World, index: int) -> Case:
    """Case number ``index`` of the batch, with NumPy's floats."""

    def pick(tensor: Tensor | None) -> Any:
        if tensor is None:
            return None
        array = tensor[index].detach().numpy().clip(0)  # capped rows may round to −10⁻¹⁷
        return array / array.sum(-1, keepdims=True)

    shape = world.shape
    return Case(
        gamma=float(shape.gamma),
        actions=shape.actions,
        ego=0,
        initial=pick(world.initial),
        transition=pick(world.transition),
        reward=world.reward[index].detach().numpy().copy(),
        policies=tuple(map(pick, world.policies)),
        data_policies=tuple(map(pick, world.data_policies)),
        model_transition=pick(world.model_transition),
        opponent_models=tuple(map(pick, world.opponent_models)),
        branch_length=shape.branch_length,
        opponent_lengths=shape.opponent_lengths,
    )
