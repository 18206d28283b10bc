r"""An attack on bounds by gradient ascent: games, policies and models as logits, in torch.

The attack knows nothing of a bound but its value. It maximises log(discrepancy / bound) by Adam, in
float64, over a batch of independent restarts, with every error measured from the game as
``tabular.cases.errors`` defines it: maxima over all states, expected model errors as maxima over
time, span and r_max of the rewards that are there.

Parametrisation. T, π and the initial distribution are softmaxes, rewards tanh. Whatever is near a
truth p (T̂ near T, π_D and π̂ near π) is

    p̂(x) = p(x)(1 − λ m(x)) + λ |m| w(x),   |m| = Σ_x p(x) m(x),  m a sigmoid, w a softmax,

so D_TV(p‖p̂) ≤ λ|m|, and every pair p, p̂ is of this form. A cap on the errors is kept by
construction: λ = min(1, cap / |m|) in every row, and, where the bound reads an expected model
error, λ = min(1, cap / error) for the whole of T̂, in which that error is linear.

Two things are approximate: expected errors are maxima over t < ``TIMES``, and sums over time end
(``tabular.search.ascent_bounds``). What an attack reports is not the value from here but the exact
check of its rounded game (``tabular.search.attack_jobs``).

torch is imported here only, inside the functions: ``pip install 'opponentwise[search]'``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bounds.formula.bound import Bound
from bounds.shared.numbers import Array, InputError, Operand
from tabular.cases.case import Case
from tabular.games.policy import joint_policy, replaced
from tabular.search.ascent_bounds import Measured, Tensor, expected_kind, value
from tabular.search.ascent_games import World, as_case, played_after_branch, start
from tabular.search.evolution import Shape

#: Times over which expected errors are maximised; a power of 2.
TIMES = 256
#: Bounds below this fraction of the largest discrepancy are pushed up: errors so small would not
#: survive the rounding to plain rationals.
SMALLEST_VALUE = 2e-2


@dataclass(frozen=True)
class Effort:
    """How hard an attack tries: independent restarts, Adam steps, the first step size."""

    restarts: int = 64
    steps: int = 300
    step_size: float = 0.3


@dataclass(frozen=True, eq=False)
class Ascent:
    """What an ascent found, by torch's values.

    cases: the float cases of the best restarts, best first. ratios: discrepancy / bound of every
    restart at the end, largest first. history: (step, largest ratio at that step).
    """

    cases: tuple[Case, ...]
    ratios: tuple[float, ...]
    history: tuple[tuple[int, float], ...]


def require_torch() -> None:
    """``InputError`` saying how to get torch, where it is missing."""
    try:
        import torch  # noqa: F401
    except ImportError:
        raise InputError(
            "torch: not installed, and the attack needs it; pip install 'opponentwise[search]'"
        ) from None


def ascend(
    bound: Bound,
    shape: Shape,
    effort: Effort,
    rng: np.random.Generator,
    *,
    cap: float = 1.0,
    least: float = 0.0,
    keep: int = 3,
) -> Ascent:
    """Gradient ascent on discrepancy / ``bound``, every error that it reads at most ``cap``.

    least: what the model error that the bound reads must reach to be scored; games with less are
    pushed there.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the same sums in the same order wherever it runs
    try:
        return _ascend(bound, shape, effort, rng, cap, least, keep)
    finally:
        torch.set_num_threads(threads)


def _ascend(
    bound: Bound,
    shape: Shape,
    effort: Effort,
    rng: np.random.Generator,
    cap: float,
    least: float,
    keep: int,
) -> Ascent:
    import torch

    def ratio(gap: Tensor, value: Tensor, largest: Tensor, error: Tensor) -> Array:
        """discrepancy / bound; 0 where the bound or the model error is too small to count."""
        usable = (value >= SMALLEST_VALUE * largest / 2) & (error >= least)
        return np.asarray((gap / value.clamp(min=1e-300) * usable).detach().numpy())

    def shortfall(x: Tensor, floor: Operand) -> Tensor:
        return torch.relu(torch.log(torch.as_tensor(floor)) - torch.log(x + 1e-9 * floor))

    genes = {
        name: torch.tensor(array, dtype=torch.float64, requires_grad=True)
        for name, array in start(shape, effort.restarts, rng).items()
    }
    adam = torch.optim.Adam(list(genes.values()), lr=effort.step_size, betas=(0.9, 0.99))
    history = []
    every = max(1, effort.steps // 40)
    for step in range(effort.steps):
        # the step size falls along a half cosine, to a hundredth
        fall = 0.5 * (1 + math.cos(math.pi * step / effort.steps))
        adam.param_groups[0]["lr"] = effort.step_size * max(fall, 0.01)
        adam.zero_grad()
        gap, value, largest, error = sides(bound, decode(genes, shape, bound, cap))
        if step % every == 0:
            history.append((step, float(ratio(gap, value, largest, error).max())))
        floor = SMALLEST_VALUE * largest
        objective = torch.log(gap + 1e-9 * floor) - torch.log(value + 1e-9 * floor)
        objective = objective - 2 * shortfall(value, floor)
        if least > 0:
            # a little above, so that most games end where they count
            objective = objective - 2 * shortfall(error, 1.02 * least)
        (-objective.sum()).backward()
        adam.step()
    with torch.no_grad():
        world = decode(genes, shape, bound, cap)
        ratios = ratio(*sides(bound, world))
    history.append((effort.steps, float(ratios.max())))
    order = np.argsort(-ratios, kind="stable")
    return Ascent(
        tuple(as_case(world, int(i)) for i in order[:keep]),
        tuple(float(x) for x in ratios[order]),
        tuple(history),
    )


def decode(genes: dict[str, Tensor], shape: Shape, bound: Bound, cap: float) -> World:
    """The batch of cases that the logits stand for, errors capped (see the module)."""
    agents = range(len(shape.actions))
    policies = tuple(genes[f"pi{j}"].softmax(-1) for j in agents)
    transition = genes["T"].softmax(-1)

    def near(truth: Tensor, name: str, j: int | str = "", most: float = cap) -> Tensor:
        lost = truth * genes[f"{name}_mask{j}"].sigmoid()
        size = lost.sum(-1, keepdim=True)
        scale = most / size.clamp(min=most)
        return truth + scale * (size * genes[f"{name}_else{j}"].softmax(-1) - lost)

    data = tuple(near(policies[j], "data", j) for j in agents)
    expected = expected_kind(bound)
    model = near(transition, "T", most=1.0 if expected else cap)
    world = World(
        shape=shape,
        initial=genes["initial"].softmax(-1),
        transition=transition,
        reward=genes["reward"].tanh(),
        policies=policies,
        data_policies=data,
        model_transition=model,
        opponent_models=tuple(
            None if j == 0 or bound.exact_opponents else near(policies[j], "hat", j) for j in agents
        ),
    )
    if expected and cap < 1:
        error = expected_error(world, data if expected == "model_data" else policies)
        scale = (cap / error.clamp(min=cap))[:, None, None, None]
        world = replace(world, model_transition=transition + scale * (model - transition))
    return world


def sides(bound: Bound, world: World) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(|discrepancy|, bound, largest possible discrepancy, model error that the bound reads)."""
    errors = measure(world)
    gap = discrepancy(world, bound.about).abs()
    if bound.convention == "normalised":
        gap = gap * (1 - errors.gamma)
    error = getattr(errors, expected_kind(bound) or "model_sup")
    return gap, value(bound, errors), bound.largest_of(errors.span, errors.gamma), error


def total_variation(p: Tensor, q: Tensor) -> Tensor:
    """D_TV(p‖q) = ½ Σ|p − q| over the last axis."""
    return (p - q).abs().sum(-1) / 2


def expected_error(world: World, policies: Sequence[Tensor]) -> Tensor:
    """max_{t < TIMES} E D_TV(T‖T̂) under ``policies`` in T."""
    import torch

    joint = joint_policy(policies)
    matrix = (joint[..., None, :] @ world.transition)[..., 0, :]
    error = (joint * total_variation(world.transition, world.model_transition)).sum(-1)
    rows = world.initial[:, None]  # rows[restart, t, s], doubled until there are TIMES of them
    while rows.shape[1] < TIMES:
        rows = torch.cat([rows, rows @ matrix], 1)
        matrix = matrix @ matrix
    return (rows @ error[..., None])[..., 0].amax(-1)


def measure(world: World) -> Measured:
    """Every error of every case of the batch."""
    shape = world.shape

    def shift(others: Sequence[Tensor | None]) -> tuple[Tensor, ...]:
        pairs = zip(world.policies, others, strict=True)
        return tuple(total_variation(p, p if o is None else o).amax(-1) for p, o in pairs)

    lengths = shape.opponent_lengths
    reward = world.reward.flatten(1)
    joints = joint_policy(world.policies), joint_policy(world.data_policies)
    distance = total_variation(world.transition, world.model_transition)
    return Measured(
        gamma=float(shape.gamma),
        policy_shift=shift(world.data_policies),
        opponent_model=shift(world.opponent_models)[1:],
        model_data=expected_error(world, world.data_policies),
        model_current=expected_error(world, world.policies),
        model_sup=distance.flatten(1).amax(-1),
        joint_policy_shift=total_variation(*joints).amax(-1),
        r_max=reward.abs().amax(-1),
        span=reward.amax(-1) - reward.amin(-1),
        k=shape.branch_length,
        opponent_lengths=None if lengths is None else tuple(n or 0 for n in lengths[1:]),
    )


def discrepancy(world: World, about: str) -> Tensor:
    """η − η̂ or η − η_branch, sums from t = 0 (``tabular.cases.returns`` has the formulas)."""
    shape, reward, gamma = world.shape, world.reward, float(world.shape.gamma)
    real = _return(world.initial, world.transition, joint_policy(world.policies), reward, gamma)
    if about == "model":
        joint = joint_policy(replaced(world.policies, world.opponent_models))
        return real - _return(world.initial, world.model_transition, joint, reward, gamma)
    k, total = shape.branch_length, 0
    data = _induced(world.transition, joint_policy(world.data_policies))
    early = world.initial[:, None]
    late = _resolvent(data.mT, gamma, (early @ data).mT).mT
    for step in range(1, k + 2):
        joint = joint_policy(played_after_branch(world, step))
        earned = (joint * reward).sum(-1)[..., None]
        if step <= k:
            total = total + gamma ** (step - 1) * (early @ earned)
            matrix = _induced(world.model_transition, joint)
            early, late = early @ matrix, late @ matrix
    return real - (total + gamma**k * ((early + gamma * late) @ earned))[:, 0, 0]


def _induced(transition: Tensor, joint: Tensor) -> Tensor:
    return (joint[..., None, :] @ transition)[..., 0, :]


def _resolvent(matrix: Tensor, gamma: float, right: Tensor) -> Tensor:
    """(I − γ matrix)⁻¹ right."""
    import torch

    identity = torch.eye(matrix.shape[-1], dtype=matrix.dtype)
    return torch.linalg.solve(identity - gamma * matrix, right)


def _return(
    initial: Tensor, transition: Tensor, joint: Tensor, reward: Tensor, gamma: float
) -> Tensor:
    values = _resolvent(_induced(transition, joint), gamma, (joint * reward).sum(-1, keepdim=True))
    return (initial * values[..., 0]).sum(-1)
