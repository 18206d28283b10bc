"""How much opponent-wise lengths take from ``coupling-expected``: an upper value for every game.

With all nⱼ = k the branched expected form is attained (``tabular.extremal.ages``,
``tabular.extremal.turns``). With other lengths it is not in general, as one model error cannot fall
where every branch of the last k steps is still together with reality. What is the most that a game
can reach, without policy shift?

On reality's paths mark A_u^j, a disagreement of πʲ and π̂ʲ at time u (rate at most ε_π̂ʲ given the
past, independent over j), and E_u, a model error (probability at most ε′_m in all). At time s a
path has a set of live branches, by the steps l they have done: l = 0 starts now; A^j ends those in
whose step l + 1 the model of j is used, E ends all. A game's discrepancy is at most span Σ_t γᵗ
(1 − mass of those together in the branch of time (t − k)⁺, action included), and for every such
process of marks there is a game that reaches it, whose states are time and live set. So the
supremum is that of a linear programme in the masses, with one constraint Pr(E_u) ≤ ε′_m a time.

Weak duality: for any prices λ_u ≥ 0, the least of Σ_{t≤H} γᵗ (mass together) + Σ_u λ_u Pr(E_u), a
backward recursion over live sets, less ε′_m Σ λ_u, is no more than the mass together can be in all.
It is computed in rationals, so that prices from anywhere prove an upper value. Times after H count
as lost. ``tabular.extremal.lengths_supremum`` finds good prices, and games.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import product

from bounds.shared.numbers import InputError, whole
from tabular.extremal.latch_and_lanes import check_parameters

#: Who disagrees: one entry an opponent.
Pattern = tuple[bool, ...]
#: Steps done by the live branches of a path; 0 is always among them.
Live = frozenset[int]


@dataclass(frozen=True)
class Setting:
    """Discount, opponents' errors and lengths nⱼ, ε′_m, k, and H, the last time that is planned."""

    gamma: Fraction
    opponent_model: tuple[Fraction, ...]
    opponent_lengths: tuple[int, ...]
    model_error: Fraction
    k: int
    horizon: int

    def __post_init__(self) -> None:
        n = 1 + len(self.opponent_model)
        check_parameters(self.gamma, [Fraction(0)] * n, self.opponent_model, self.model_error)
        whole("k", self.k)
        whole("horizon", self.horizon, 1)
        for j, length in enumerate(self.opponent_lengths):
            whole(f"opponent_lengths[{j}]", length, 0, self.k)
        if len(self.opponent_lengths) != n - 1:
            raise InputError(
                f"opponent_lengths: {len(self.opponent_lengths)} numbers for {n - 1} opponents; "
                "give one for each"
            )

    def modelled(self, j: int, step: int) -> bool:
        """Whether the model of opponent j is used in action number ``step`` after the branch."""
        return step <= self.opponent_lengths[j] or self.opponent_lengths[j] == self.k

    @cached_property
    def patterns(self) -> list[Pattern]:
        """All of them."""
        return list(product((False, True), repeat=len(self.opponent_model)))

    def chance(self, pattern: Pattern, rates: Sequence[Fraction]) -> Fraction:
        """The probability of ``pattern`` where opponents disagree at ``rates``."""
        out = Fraction(1)
        for disagrees, rate in zip(pattern, rates, strict=True):
            out *= rate if disagrees else 1 - rate
        return out

    def counts(self, live: Live, time: int, pattern: Pattern) -> bool:
        """Whether the branch that earns the reward of ``time`` is together, action included."""
        done = min(time, self.k)
        return done in live and not self.parts(done, pattern)

    def parts(self, done: int, pattern: Pattern) -> bool:
        """Whether ``pattern`` ends a branch that has done ``done`` steps."""
        return any(d and self.modelled(j, done + 1) for j, d in enumerate(pattern))

    def following(self, live: Live, pattern: Pattern) -> Live:
        """The live set a step later, without a model error; with one it is {0}."""
        on = (done + 1 for done in live if done < self.k and not self.parts(done, pattern))
        return frozenset({0, *on})

    @cached_property
    def layers(self) -> list[list[Live]]:
        """The live sets that can occur at each time 0..H."""
        layer = {frozenset({0})}
        out = []
        for _ in range(self.horizon + 1):
            out.append(sorted(layer, key=sorted))
            layer = {self.following(live, p) for live in layer for p in self.patterns}
            layer.add(frozenset({0}))
        return out


def upper(setting: Setting, prices: Sequence[Fraction]) -> Fraction:
    """No game exceeds this discrepancy, as a multiple of the span; ``prices`` [u] for u < H.

    Any prices of 0 or more will do, good ones make it small.
    """
    if len(prices) != setting.horizon or any(price < 0 for price in prices):
        raise InputError(
            f"prices: give {setting.horizon} numbers of 0 or more, one a time before H"
        )
    given = setting.opponent_model
    options = list(product(*((Fraction(0), e) if e else (e,) for e in given)))
    value: dict[Live, Fraction] = {}
    for time in range(setting.horizon, -1, -1):
        last = time == setting.horizon
        ahead, value = value, {}
        for live in setting.layers[time]:
            of = []
            for pattern in setting.patterns:
                worth = setting.gamma**time * setting.counts(live, time, pattern)
                if not last:
                    worth += min(
                        ahead[setting.following(live, pattern)],
                        prices[time] + ahead[frozenset({0})],
                    )
                of.append(worth)
            value[live] = min(
                sum(
                    (
                        setting.chance(p, rates) * w
                        for p, w in zip(setting.patterns, of, strict=True)
                    ),
                    start=Fraction(0),
                )
                for rates in options
            )
    together = value[frozenset({0})] - setting.model_error * sum(prices, start=Fraction(0))
    return 1 / (1 - Fraction(setting.gamma)) - together
