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

That they hold is proved in ``bounds.proofs.coupling``. Every form is attained by exact games
(``tabular.extremal``), the expected one, branched, where all nⱼ = k; with other lengths its
supremum may be a little less (``tabular.extremal.lengths_upper_bound``). As functions of k neither
sup nor expected has an inner minimum (``bounds.proofs.rollout_length``). The joint policies' total
variations may stand for the products: 1 − ε_J for q, 1 − ε̂_J for c̄, which is never worse
(``tabular.extremal.joint_policies``).

Everything is added up as what is *lost*, Σ γᵗ [(1 − c) + c (1 − x_t)]: floats keep their relative
precision however small the errors are (``bounds.library.lost_mass``). Exact numbers give the exact
sum, or, where it has more than ``coupled_mass.MAX_STEPS`` steps, an upper bound of it that is too
large by less than 2⁻⁶⁰ span/(1 − γ) (``bounds.library.coupled_mass``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np

from bounds.formula.error_profile import ErrorProfile
from bounds.formula.operations import apply
from bounds.formula.symbols import lengths
from bounds.library.lost_mass import annuity, kept_and_lost, lost, lost_by
from bounds.shared.numbers import Operand, exact


def sup(profile: ErrorProfile, branched: bool) -> Operand:
    """``coupling-sup``: model error as ε_sup = max_{s,a} D_TV(T‖T̂)."""
    error = profile.require("model_sup", "coupling-sup")
    if branched and _uneven(profile):
        return _entrywise(profile, lambda one: sup(one, branched))
    return _bound(profile, branched, apart=error, lose=0 * error)


def expected(profile: ErrorProfile, branched: bool) -> Operand:
    """``coupling-expected``: model error as ε′_m = max_t E_{π,T} D_TV(T‖T̂)."""
    error = profile.require("model_current", "coupling-expected")
    if branched and _uneven(profile):
        return _entrywise(profile, lambda one: expected(one, branched))
    return _bound(profile, branched, apart=0, lose=error)


def data(profile: ErrorProfile) -> Operand:
    """``coupling-data``: Theorem 1's hypothesis, ε_m = max_t E_{π_D,T} D_TV(T‖T̂); unbranched."""
    error = profile.require("model_data", "coupling-data")
    return _unbranched(profile, lost_to_data(profile), error)


def lost_to_data(profile: ErrorProfile) -> Operand:
    """1 − κ: what real, data and model chain, coupled three at a time, lose in a step's actions."""
    pairs = zip(profile.policy_shift[1:], profile.opponent_model, strict=True)
    return lost_by((profile.policy_shift[0], *(apply("min", 1, a + b) for a, b in pairs)))


def _unbranched(profile: ErrorProfile, gap: Operand, lose: Operand) -> Operand:
    """span Σ γᵗ (1 − c̄ x_t) with steps x ← ((1 − gap) x − lose)⁺."""
    gamma = exact(profile.gamma)
    other = lost_by(profile.opponent_model)
    apart, _ = lost(0, gap, lose, gamma, math.inf)
    return _scalar(profile.span * (other * annuity(gamma, math.inf) + (1 - other) * apart))


def _bound(profile: ErrorProfile, branched: bool, apart: Operand, lose: Operand) -> Operand:
    """span Σ γᵗ (1 − c x_t) with model steps x ← ((1 − apart) c x − lose)⁺."""
    if not branched:
        return _unbranched(profile, lost_by((*profile.opponent_model, apart)), lose)
    gamma = exact(profile.gamma)
    k = profile.require("k", "a bound about the branched return")
    k = k.numerator if isinstance(k, Fraction) else k
    # whole numbers, not Fractions, to start from: arrays of floats must stay arrays of floats
    total: Operand = 0
    gone: Operand = 0  # the mass lost at the start of the segment
    loss: Operand = 0  # x_k = (product · x_0 − loss)⁺, the model steps as one map
    start: Operand = 0
    for errors, length in _segments(profile, k):
        other, gap = lost_by(errors), lost_by((*errors, apart))
        part, gone = lost(gone, gap, lose, gamma, length)
        total = total + gamma**start * (other * annuity(gamma, length) + (1 - other) * part)
        power, series = kept_and_lost(gap, length)
        loss = loss * power + lose * series
        start = start + length
    other, shift = lost_by(_throughout(profile, k)), lost_by(profile.policy_shift)
    # under the data policies x_k = product · qᵐ − loss: steps x ← q x − loss (1 − q)
    part, _ = lost(gone, shift, loss * shift, gamma, math.inf)
    late = other * annuity(gamma, math.inf) + (1 - other) * part
    return _scalar(profile.span * (total + gamma**k * late))


def _throughout(profile: ErrorProfile, k: Operand) -> tuple[Operand, ...]:
    """The errors of the opponents whose models play to the end, nⱼ = k."""
    pairs = zip(profile.opponent_model, lengths(profile), strict=True)
    return tuple(e for e, n in pairs if _all(n, k))


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


def _segments(profile: ErrorProfile, k: Operand) -> Iterator[tuple[tuple[Operand, ...], Operand]]:
    """(errors of the models that play, number of steps) for the stretches of 1..k."""
    chosen = lengths(profile)
    if all(_all(n, k) for n in chosen):
        yield profile.opponent_model, k
        return
    start = 0
    for stop in sorted({int(n) for n in chosen} | {int(k)}):
        if stop > start:
            pairs = zip(profile.opponent_model, chosen, strict=True)
            yield tuple(e for e, n in pairs if n > start), stop - start
        start = stop


def _scalar(x: Operand) -> Operand:
    """Arrays of no dimension as floats."""
    return float(x) if isinstance(x, np.generic | np.ndarray) and x.ndim == 0 else x
