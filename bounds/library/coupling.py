r"""Coupling bounds: what the errors can cost at most, when real and model chain run side by side.

Couple the two chains step by step; they earn different rewards only after they have parted. With
x_t the mass that is still together in the state at time t, and c̄ = Π_{j≠i}(1 − ε_π̂ʲ) the part of
it that also draws the same actions,

    |η − η_model| ≤ span · Σ_{t≥0} γᵗ (1 − c̄ x_t)        (un-normalised, sum from t = 0).

- sup:      x ← c̄ (1 − ε_sup) x in each of the min(t, k) model steps, after (t − k)⁺ steps of
            x ← q x under the data policies, q = Π_j (1 − ε_πʲ)
- expected: x ← (c̄ x − ε′_m)⁺ in each model step, the data steps as above
- data:     x ← (κ x − ε_m)⁺ unbranched, κ = (1 − ε_πⁱ) Π_{j≠i} (1 − ε_πʲ − ε_π̂ʲ)⁺

With opponent-wise lengths nⱼ, model step l (l = 1 is the first action after the branch) has
c_l = Π_{j: l ≤ nⱼ or nⱼ = k} (1 − ε_π̂ʲ) in place of c̄, and the reward at time t uses
c_{min(t,k)+1}. Everything is summed in closed form: the factors are constant between the nⱼ.

Every form is attained by exact games (``tabular.extremal``), the expected one,
branched, where all nⱼ = k; with other lengths its supremum may be a little less
(``tabular.extremal.lengths_upper_bound``). As functions of k neither sup nor expected has an inner
minimum (``bounds.proofs.rollout_length``). The joint policies' total variations may stand for the
products: 1 − ε_J for q, 1 − ε̂_J for c̄, which is never worse
(``tabular.extremal.joint_policies``).

In exact arithmetic a sum without end is exact where the coupled mass is used up within
``MAX_STEPS`` steps (fewer, where the powers would outgrow ``MAX_BITS`` bits). Beyond that the
positive part is dropped, (c x − ε)⁺ ≥ c x − ε, which makes the value an upper bound, too large by
less than span ε γᵗ / (1 − γ)², t the steps within reach. Floats carry about 10⁻¹⁵/(1 − γ) of the
trivial bound: take exact numbers for errors below 10⁻⁶ or so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import reduce

import numpy as np

from bounds.formula.error_profile import ErrorProfile
from bounds.formula.symbols import lengths, survival
from bounds.shared.numbers import Operand, exact, is_exact

#: Steps after which exact sums stop and count the rest as lost (see the module).
MAX_STEPS = 10_000
#: Length, in bits, that the powers in an exact sum may reach.
MAX_BITS = 200_000


def sup(profile: ErrorProfile, branched: bool) -> Operand:
    """``coupling-sup``: model error as ε_sup = max_{s,a} D_TV(T‖T̂)."""
    error = profile.require("model_sup", "coupling-sup")
    if branched and _uneven(profile):
        return _entrywise(profile, lambda one: sup(one, branched))
    return _bound(profile, branched, keep=1 - error, lose=0 * error)


def expected(profile: ErrorProfile, branched: bool) -> Operand:
    """``coupling-expected``: model error as ε′_m = max_t E_{π,T} D_TV(T‖T̂)."""
    error = profile.require("model_current", "coupling-expected")
    if branched and _uneven(profile):
        return _entrywise(profile, lambda one: expected(one, branched))
    return _bound(profile, branched, keep=1, lose=error)


def data(profile: ErrorProfile) -> Operand:
    """``coupling-data``: Theorem 1's hypothesis, ε_m = max_t E_{π_D,T} D_TV(T‖T̂); unbranched."""
    gamma = exact(profile.gamma)
    kappa = (1 - profile.policy_shift[0]) * reduce(
        lambda product, pair: product * positive(1 - pair[0] - pair[1]),
        zip(profile.policy_shift[1:], profile.opponent_model, strict=True),
        1,
    )
    error = profile.require("model_data", "coupling-data")
    together, _ = decay(1, kappa, error, gamma, math.inf)
    return profile.span * positive(1 / (1 - gamma) - survival(profile.opponent_model) * together)


def _bound(profile: ErrorProfile, branched: bool, keep: Operand, lose: Operand) -> Operand:
    """span Σ γᵗ (1 − c x_t) with model steps x ← (keep · c · x − lose)⁺."""
    gamma = exact(profile.gamma)
    c_bar = survival(profile.opponent_model)
    if not branched:
        together, _ = decay(1, keep * c_bar, lose, gamma, math.inf)
        return profile.span * positive(1 / (1 - gamma) - c_bar * together)
    k = profile.require("k", "a bound about the branched return")
    k = k.numerator if isinstance(k, Fraction) else k
    # whole numbers, not Fractions, to start from: arrays of floats must stay arrays of floats
    total: Operand = 0
    mass: Operand = 1  # coupled mass at the start of the segment
    product: Operand = 1  # x_k = (product · x_0 − loss)⁺, the model steps as one map
    loss: Operand = 0
    start: Operand = 0
    for c, length in _segments(profile, k):
        step = keep * c
        part, mass = decay(mass, step, lose, gamma, length)
        total = total + gamma**start * c * part
        power, geometric = _power_and_sum(step, length)
        product, loss = product * power, loss * power + lose * geometric
        start = start + length
    last = survival(
        tuple(
            e for e, n in zip(profile.opponent_model, lengths(profile), strict=True) if _all(n, k)
        )
    )
    q = survival(profile.policy_shift)
    total = total + gamma**k * last * decay_from_data(product, q, loss, gamma)
    return profile.span * positive(1 / (1 - gamma) - total)


def _uneven(profile: ErrorProfile) -> bool:
    """Whether the stretches of constant c_l differ from entry to entry of an array."""
    lengths_ = profile.opponent_lengths
    return lengths_ is not None and any(np.ndim(v) > 0 for v in (profile.k, *lengths_))


def _entrywise(profile: ErrorProfile, evaluate: Callable[[ErrorProfile], float]) -> Operand:
    """``evaluate`` for every entry of the arrays in ``profile``, one at a time."""
    scalars = ("gamma", "model_data", "model_current", "model_sup", "k", "r_max", "span")
    fields = {name: getattr(profile, name) for name in (*scalars, "joint_policy_shift")}
    tuples = {
        name: getattr(profile, name)
        for name in ("policy_shift", "opponent_model", "opponent_lengths")
    }
    every = [*fields.values(), *(v for values in tuples.values() for v in values)]
    shape = np.broadcast_shapes(*(np.shape(v) for v in every))
    out = np.empty(shape)
    for index in np.ndindex(shape):

        def entry(value: Operand, at: tuple[int, ...] = index) -> Operand:
            return value if np.ndim(value) == 0 else np.broadcast_to(value, shape)[at].item()

        one = {name: entry(value) for name, value in fields.items()}
        one |= {name: tuple(map(entry, values)) for name, values in tuples.items()}
        out[index] = evaluate(ErrorProfile(**one))
    return out


def _all(length: Operand, k: Operand) -> bool:
    """Whether an opponent's model plays throughout (nⱼ = k)."""
    return bool(np.all(length == k))


def _segments(profile: ErrorProfile, k: Operand) -> Iterator[tuple[Operand, Operand]]:
    """(c_l, number of steps) for the stretches of 1..k over which c_l is constant."""
    chosen = lengths(profile)
    if all(_all(n, k) for n in chosen):
        yield survival(profile.opponent_model), k
        return
    stops = sorted({int(n) for n in chosen} | {int(k)})
    start = 0
    for stop in stops:
        if stop > start:
            yield (
                survival(
                    tuple(
                        e for e, n in zip(profile.opponent_model, chosen, strict=True) if n > start
                    )
                ),
                stop - start,
            )
        start = stop


def decay(
    x: Operand, c: Operand, loss: Operand, gamma: Operand, length: Operand
) -> tuple[Operand, Operand]:
    """(Σ_{t<length} γᵗ x_t, x_length) for x_0 = x, x_{t+1} = (c x_t − loss)⁺; length may be inf.

    With T = min(length, first t with x_t = 0) the recursion summed over t < T gives
    Σ = (x − c γᵀ x_{T−1} − loss γ (1 − γ^{T−1})/(1 − γ)) / (1 − γ c); nothing in it cancels as
    c → 1.
    """
    if all(map(is_exact, (x, c, loss, gamma))) and not isinstance(length, np.ndarray):
        return _decay_exact(x, c, loss, gamma, length)
    x, c, loss, gamma, length = (np.asarray(v, dtype=float) for v in (x, c, loss, gamma, length))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        gap = 1 - c
        falling = np.ceil(np.log1p(-gap * x / (gap * x + loss)) / np.log1p(-gap))
        zero = np.where(gap > 0, falling, np.ceil(x / loss))
        zero = np.where(loss > 0, np.fmax(zero, 1), math.inf)
        steps = np.fmax(np.fmin(zero, length), 1)
        power, geometric = _power_and_sum(c, steps - 1)
        last = positive(x * power - np.where(loss > 0, loss * geometric, 0))
        spent = np.where(loss > 0, loss * gamma * (1 - gamma ** (steps - 1)) / (1 - gamma), 0)
        total = (x - c * gamma**steps * last - spent) / (1 - gamma * c)
        end = positive(c * last - loss)
        return _scalar(np.where(length > 0, total, 0)), _scalar(np.where(length > 0, end, x))


def _decay_exact(
    x: Operand, c: Operand, loss: Operand, gamma: Operand, length: Operand
) -> tuple[Operand, Operand]:
    if length == 0 or x == 0:
        return Fraction(0), x
    most = _most_steps(c, loss, gamma) if length == math.inf else length
    zero = _first_zero(x, c, loss, most) if loss > 0 else None
    if zero is None and length == math.inf:
        return _never_used_up(x, c, loss, gamma), Fraction(0)
    steps = length if zero is None else min(length, zero)
    power, geometric = _power_and_sum(c, steps - 1)
    last = x * power - loss * geometric
    spent = loss * gamma * (1 - gamma ** (steps - 1)) / (1 - gamma)
    total = (x - c * gamma**steps * last - spent) / (1 - gamma * c)
    return total, positive(c * last - loss) if steps == length else Fraction(0)


def _never_used_up(x: Operand, c: Operand, loss: Operand, gamma: Operand) -> Operand:
    """Σ γᵗ x_t for x_0 = x, x_{t+1} = c x_t − loss without the positive part; at least 0."""
    return positive((x - loss * gamma / (1 - gamma)) / (1 - gamma * c))


def _most_steps(*numbers: Operand) -> int:
    """How many steps an exact sum with these factors may have."""
    bits = sum(x.numerator.bit_length() + x.denominator.bit_length() for x in numbers)
    return max(1, min(MAX_STEPS, int(MAX_BITS // bits)))


def _first_zero(x: Operand, c: Operand, loss: Operand, most: int) -> int | None:
    """The first t in 1..most with x_t = 0, or None: c^t (x (1 − c) + loss) ≤ loss."""
    if c == 1:
        t = math.ceil(Fraction(x) / loss)
        return t if t <= most else None
    return _first_below(Fraction(c), Fraction(loss) / (x * (1 - c) + loss), most)


def _first_below(c: Fraction, level: Fraction, most: int) -> int | None:
    """The first t in 1..most with cᵗ ≤ level, or None; for 0 ≤ c < 1, in whole numbers only."""

    def above(t: int) -> bool:
        return bool(c.numerator**t * level.denominator > level.numerator * c.denominator**t)

    high = 1
    while above(high):
        if high == most:
            return None
        high = min(2 * high, most)
    low = high // 2  # above, or 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if above(middle) else (low, middle)
    return high


def decay_from_data(product: Operand, q: Operand, loss: Operand, gamma: Operand) -> Operand:
    """Σ_{m≥0} γᵐ (product · qᵐ − loss)⁺: the branch point moves on under the data policies."""
    if all(map(is_exact, (product, q, loss, gamma))):
        if product <= loss:
            return Fraction(0)
        found = None
        if loss > 0 and q < 1:
            level = Fraction(loss) / product
            found = _first_below(Fraction(q), level, _most_steps(q, gamma))
        if found is None:  # never used up, or beyond reach: without the positive part
            return positive(product / (1 - gamma * q) - Fraction(loss) / (1 - gamma))
        steps: Operand = found
    else:
        product, q, loss, gamma = (np.asarray(v, dtype=float) for v in (product, q, loss, gamma))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            count = np.ceil(np.log(loss / product) / np.log(q))
        count = np.where((loss > 0) & (q < 1), np.fmax(count, 1), math.inf)
        steps = np.where(product > loss, count, 0.0)
    total = product * (1 - (gamma * q) ** steps) / (1 - gamma * q)
    total = total - loss * (1 - gamma**steps) / (1 - gamma)
    return total if is_exact(total) else _scalar(np.where(product > loss, total, 0))


def _power_and_sum(c: Operand, n: Operand) -> tuple[Operand, Operand]:
    """(cⁿ, 1 + c + … + c^{n−1}), without cancellation where c is close to 1."""
    if is_exact(c) and not isinstance(n, np.ndarray):
        power = Fraction(c) ** n
        return power, (Fraction(n) if c == 1 else (1 - power) / (1 - c))
    c, n = np.asarray(c, dtype=float), np.asarray(n, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = 1 - c
        series = np.where(gap > 0, -np.expm1(n * np.log1p(-gap)) / gap, n)
    return c**n, np.where(n == 0, 0, np.where(c == 0, 1, series))


def positive(x: Operand) -> Operand:
    """max(x, 0), for exact numbers, floats (whose rounding may leave −10⁻¹⁶) and arrays."""
    return max(x, Fraction(0)) if is_exact(x) else _scalar(np.fmax(x, 0.0))


def _scalar(x: Operand) -> Operand:
    return float(x) if np.ndim(x) == 0 else x
