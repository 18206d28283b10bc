r"""An attack on bounds by gradient ascent: games, policies and models as logits, in torch.

The attack knows nothing of a bound but its value. It maximises log(discrepancy / bound) by Adam, in
float64, over a batch of independent restarts, with every error measured from the game as
``tabular.divergence`` defines it: maxima over all states, expected model errors as maxima over
time, span and r_max of the rewards that are there.

Parametrisation. T, π and the initial distribution are softmaxes, rewards tanh. Whatever is near a
truth p (T̂ near T, π_D and π̂ near π) is

    p̂(x) = p(x)(1 − λ m(x)) + λ |m| w(x),   |m| = Σ_x p(x) m(x),  m a sigmoid, w a softmax,

so D_TV(p‖p̂) ≤ λ|m|, and every pair p, p̂ is of this form. A cap on the errors is kept by
construction: λ = min(1, cap / |m|) in every row, and, where the bound reads an expected model
error, λ = min(1, cap / error) for the whole of T̂, in which that error is linear.

The two approximations. Expected errors are maxima over t < ``TIMES``. Bounds that are sums stop
where γᵗ ≤ ``TAIL`` and count the rest as lost, which makes the bound too large: ratios are not
overstated by it. What an attack reports is not the value from here but the exact check of its
rounded game (``tabular.attack``).

torch is imported inside the functions: ``pip install 'opponentwise[search]'``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bounds.bound import Bound
from bounds.numbers import Array, InputError
from bounds.symbols import read, survival
from tabular.case import Case
from tabular.policy import joint_policy, replaced
from tabular.search import Shape

#: A float64 torch tensor; the first axis is the restart.
Tensor = Any

#: Times over which expected errors are maximised; a power of 2.
TIMES = 256
#: The weight γᵗ at which sums over time stop.
TAIL = 1e-7
#: Most terms of a sum over time.
MAX_TERMS = 4096
#: Bounds below this fraction of the largest discrepancy are pushed up: errors so small would not
#: survive the rounding to plain rationals.
SMALLEST_VALUE = 2e-2
#: Standard deviations of the first logits: restarts from nearly uniform to nearly deterministic.
SHARPNESS = (1.0, 3.0, 8.0)
#: The sums over a recursion that are written here as well (``coupled_time``).
_SUMS = ("coupling-sup", "coupling-expected", "coupling-data")


@dataclass(frozen=True, eq=False)
class World:
    """A batch of cases as tensors; fields and index meanings of ``tabular.case.Case``, ego 0."""

    shape: Shape
    initial: Tensor
    transition: Tensor
    reward: Tensor
    policies: tuple[Tensor, ...]
    data_policies: tuple[Tensor, ...]
    model_transition: Tensor
    opponent_models: tuple[Tensor | None, ...]


@dataclass(frozen=True, eq=False)
class Measured:
    """The errors of a ``World``: field by field what ``ErrorProfile`` holds, as tensors [restart].

    Numbers are not validated: they come out of this module.
    """

    gamma: float
    policy_shift: tuple[Tensor, ...]
    opponent_model: tuple[Tensor, ...]
    model_data: Tensor
    model_current: Tensor
    model_sup: Tensor
    joint_policy_shift: Tensor
    r_max: Tensor
    span: Tensor
    k: int
    opponent_lengths: tuple[int, ...] | None

    @property
    def n(self) -> int:
        """Number of agents."""
        return len(self.policy_shift)

    def require(self, field: str, needed_by: str) -> Any:
        """The value of ``field``; all are known."""
        return getattr(self, field)


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
    keep: int = 3,
) -> Ascent:
    """Gradient ascent on discrepancy / ``bound``, every error that it reads at most ``cap``."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the same sums in the same order wherever it runs
    try:
        return _ascend(bound, shape, effort, rng, cap, keep)
    finally:
        torch.set_num_threads(threads)


def _ascend(
    bound: Bound, shape: Shape, effort: Effort, rng: np.random.Generator, cap: float, keep: int
) -> Ascent:
    import torch

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
        gap, value, largest = sides(bound, decode(genes, shape, bound, cap))
        if step % every == 0:
            history.append((step, float(_ratio(gap, value, largest).max())))
        floor = SMALLEST_VALUE * largest
        small = torch.relu(torch.log(floor) - torch.log(value + 1e-9 * floor))
        objective = torch.log(gap + 1e-9 * floor) - torch.log(value + 1e-9 * floor) - 2 * small
        (-objective.sum()).backward()
        adam.step()
    with torch.no_grad():
        world = decode(genes, shape, bound, cap)
        ratios = _ratio(*sides(bound, world)).numpy()
    history.append((effort.steps, float(ratios.max())))
    order = np.argsort(-ratios, kind="stable")
    return Ascent(
        tuple(as_case(world, int(i)) for i in order[:keep]),
        tuple(float(x) for x in ratios[order]),
        tuple(history),
    )


def _ratio(gap: Tensor, value: Tensor, largest: Tensor) -> Tensor:
    """discrepancy / bound; 0 where the bound is too small to count."""
    usable = value >= SMALLEST_VALUE * largest / 2
    return (gap / value.clamp(min=1e-300) * usable).detach()


def start(shape: Shape, restarts: int, rng: np.random.Generator) -> dict[str, Array]:
    """The first logits; ``decode`` says what each is. The last axis is what a softmax runs over."""
    s, a = shape.n_states, shape.joint_actions
    sizes = {"initial": (s,), "T": (s, a, s), "T_mask": (s, a, s), "T_else": (s, a, s)}
    for j, own in enumerate(shape.actions):
        for name in ("pi", "data_mask", "data_else", "hat_mask", "hat_else"):
            sizes[f"{name}{j}"] = (s, own)
    sharp = rng.choice(SHARPNESS, size=restarts)
    genes = {}
    for name, size in sizes.items():
        scale = sharp.reshape(restarts, *[1] * len(size))
        genes[name] = scale * rng.normal(size=(restarts, *size)) - 2 * ("mask" in name)
    genes["reward"] = rng.normal(0, 2, size=(restarts, s, a))
    return genes


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


def expected_kind(bound: Bound) -> str:
    """The field of the expected model error that ``bound`` reads; empty if it reads none."""
    if bound.name in ("coupling-expected", "coupling-data") and not bound.symbols:
        return "model_data" if bound.name == "coupling-data" else "model_current"
    if "eps_m_data" in bound.symbols or ("eps_m" in bound.symbols and bound.about == "model"):
        return "model_data"
    return "model_current" if "eps_m" in bound.symbols else ""


def sides(bound: Bound, world: World) -> tuple[Tensor, Tensor, Tensor]:
    """(|discrepancy|, bound, largest possible discrepancy) in the bound's convention."""
    errors = measure(world)
    gap = discrepancy(world, bound.about).abs()
    if bound.convention == "normalised":
        gap = gap * (1 - errors.gamma)
    return gap, value(bound, errors), bound.largest_of(errors.span, errors.gamma)


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
    """η − η̂ or η − η_branch, sums from t = 0 (``tabular.evaluation`` has the formulas)."""
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
        joint = joint_policy(_after_branch(world, step))
        earned = (joint * reward).sum(-1)[..., None]
        if step <= k:
            total = total + gamma ** (step - 1) * (early @ earned)
            matrix = _induced(world.model_transition, joint)
            early, late = early @ matrix, late @ matrix
    return real - (total + gamma**k * ((early + gamma * late) @ earned))[:, 0, 0]


def _after_branch(world: World, step: int) -> tuple[Tensor, ...]:
    """Who plays action number ``step`` after the branch: the model if step ≤ nⱼ or nⱼ = k."""
    shape = world.shape
    k = shape.branch_length
    lengths = shape.opponent_lengths or (k,) * len(shape.actions)
    modelled = [
        model if n is None or step <= n or n == k else None
        for model, n in zip(world.opponent_models, lengths, strict=True)
    ]
    return replaced(world.policies, modelled)


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


def value(bound: Bound, errors: Measured) -> Tensor:
    """The right-hand side: ``Bound.formula`` of tensors, or a coupling sum cut at ``TAIL``."""
    if bound.symbols and (bound.value is None or errors.opponent_lengths is None):
        given: Any = errors
        values = {name: read(name, given, bound.about) for name in bound.symbols}
        try:
            return bound(**values)
        except TypeError:
            raise InputError(
                f"{bound.name}: its formula takes no tensors; write its constants as whole numbers"
            ) from None
    if bound.name not in _SUMS:
        raise InputError(f"{bound.name}: a sum that the attack does not know; attack a formula")
    return errors.span * (1 / (1 - errors.gamma) - coupled_time(bound, errors))


def coupled_time(bound: Bound, errors: Measured) -> Tensor:
    """Σ γᵗ c x_t, the discounted time that the coupled chains spend together (bounds.coupling)."""
    import torch

    gamma = errors.gamma
    terms = 1 if gamma == 0 else min(MAX_TERMS, math.ceil(math.log(TAIL) / math.log(gamma)))
    times = torch.arange(terms, dtype=torch.float64)
    weights = gamma**times
    sup = bound.name == "coupling-sup"
    keep = 1 - errors.model_sup if sup else 1
    lose = 0 * errors.model_sup if sup else errors.model_current
    c_bar = survival(errors.opponent_model) * torch.ones_like(errors.span)
    if bound.about == "model":
        step = keep * c_bar
        if bound.name == "coupling-data":
            lose, step = errors.model_data, 1 - errors.policy_shift[0]
            for shift, hat in zip(errors.policy_shift[1:], errors.opponent_model, strict=True):
                step = step * torch.relu(1 - shift - hat)
        powers = step[:, None] ** times
        spent = lose[:, None] * (powers.cumsum(-1) - powers)
        return c_bar * (weights * torch.relu(powers - spent)).sum(-1)
    product, loss, total = torch.ones_like(c_bar), torch.zeros_like(c_bar), 0
    k = errors.k
    lengths = errors.opponent_lengths or (k,) * (errors.n - 1)
    for l in range(1, k + 2):  # noqa: E741
        pairs = zip(errors.opponent_model, lengths, strict=True)
        c = survival(tuple(e for e, n in pairs if l <= n or n == k)) * torch.ones_like(c_bar)
        if l <= k:
            total = total + gamma ** (l - 1) * c * torch.relu(product - loss)
            product, loss = product * keep * c, loss * keep * c + lose
    q = survival(errors.policy_shift)
    late = torch.relu(product[:, None] * q[:, None] ** times - loss[:, None])
    return total + gamma**k * c * (weights * late).sum(-1)


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
