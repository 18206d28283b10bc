"""Schemes: who plays an opponent at which step of a branch, its model or the real agent.

A branch of k steps plays opponent j by its model in steps 1..nⱼ and asks the real agent in steps nⱼ
+ 1..k, which is k − nⱼ calls. A scheme turns what an ego agent knows into k and the nⱼ. ``SCHEMES``
is the one table of them: training (``deep.aorpo.schemes``), Fig. 5 (``deep.analysis.drift``) and
the theory in the loop (``tabular.records.theory_row``) read it, and the settings list its names.

- adaptive: nⱼ = ⌊k min ε_π̂ / ε_π̂ʲ⌋ (Section 5.1), the paper's;
- all-models: nⱼ = k, nobody is asked; all-real: nⱼ = 0, everybody is asked in every step. The
  paper compares with both (Fig. 5);
- planned: the least coupling bound for a budget of calls (``bounds.planning.opponent_lengths``);
- released: ratios of match rates in place of errors, and a model used for one step less, as the
  authors' code has it.

Source: Zhang et al., IJCAI 2021, Section 5.1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from bounds.formula.error_profile import ErrorProfile
from bounds.planning.opponent_lengths import allocate, paper_rule
from bounds.shared.numbers import InputError, whole

#: The released code adds this to match rates before it divides them.
ADDED = Fraction(1, 10**10)
#: Of two branch lengths whose bounds differ by less than this share, ``planned`` takes the shorter:
#: longer branches cost more, and the bound hardly sees them.
SLACK = 0.01


@dataclass(frozen=True)
class Known:
    """What one ego agent knows when it chooses its lengths.

    errors: γ, ε_π, ε_π̂ and, for ``planned``, ε_sup; k is the branch length of the schedule.
    shortest: the shortest branch that may be chosen in its place; None: k itself, as where schemes
    are compared at equal k. calls: the calls a branch may make, for ``planned``. match_rates: of
    each opponent, the share of its actions that its model thought the likeliest; for ``released``.
    """

    errors: ErrorProfile
    shortest: int | None = None
    calls: int = 0
    match_rates: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Lengths:
    """A branch of ``k`` steps, opponent j played by its model in the first ``n[j]`` of them."""

    k: int
    n: tuple[int, ...]

    @property
    def calls(self) -> int:
        """Calls to real opponents, Σ(k − nⱼ)."""
        return sum(self.k - length for length in self.n)


@dataclass(frozen=True)
class Scheme:
    """An entry of ``SCHEMES``.

    choose: from what is known to the lengths; ``InputError`` where something is missing. published:
    whether the paper compares it in Fig. 5. policy_shift, match_rates: whether it asks for these.
    """

    choose: Callable[[Known], Lengths]
    published: bool = False
    policy_shift: bool = False
    match_rates: bool = False


def adaptive(known: Known) -> Lengths:
    """nⱼ = ⌊k min ε_π̂ / ε_π̂ʲ⌋, exactly; a float stands for its shortest decimal."""
    k = _k(known)
    return Lengths(k, paper_rule(k, known.errors.opponent_model))


def all_models(known: Known) -> Lengths:
    """nⱼ = k."""
    k = _k(known)
    return Lengths(k, (k,) * (known.errors.n - 1))


def all_real(known: Known) -> Lengths:
    """nⱼ = 0."""
    return Lengths(_k(known), (0,) * (known.errors.n - 1))


def planned(known: Known) -> Lengths:
    """The least ``coupling-sup`` for at most ``known.calls`` calls.

    Of the branch lengths from ``known.shortest`` to k it takes the shortest whose bound is within
    ``SLACK`` of the least; where the bound says nothing at all that is the shortest of all.
    """
    k = _k(known)
    first = k if known.shortest is None else whole("shortest", known.shortest, 1, k)
    found = [allocate(known.errors.with_(k=each), known.calls) for each in range(first, k + 1)]
    enough = (1 + SLACK) * min(each.value for each in found)
    return next(
        Lengths(each, allocation.n)
        for each, allocation in enumerate(found, first)
        if allocation.value <= enough
    )


def released(known: Known) -> Lengths:
    """nⱼ = max(⌊k mⱼ/max m⌋ − 1, 0) of the match rates m.

    The paper divides errors: where one opponent is matched in 98 % of the rows and another in 99 %,
    their lengths are nearly the same here, and one is half of the other there.
    """
    k = _k(known)
    if known.match_rates is None:
        raise InputError("match_rates: not given, and the scheme released divides them")
    rates = [Fraction(rate) + ADDED for rate in known.match_rates]
    most = max(rates, default=Fraction(1))
    return Lengths(k, tuple(max(int(k * rate // most) - 1, 0) for rate in rates))


#: The schemes by name.
SCHEMES = {
    "adaptive": Scheme(adaptive, published=True),
    "all-models": Scheme(all_models, published=True),
    "all-real": Scheme(all_real, published=True),
    "planned": Scheme(planned, policy_shift=True),
    "released": Scheme(released, match_rates=True),
}


def _k(known: Known) -> int:
    return int(whole("k", known.errors.require("k", "a scheme"), 1))
