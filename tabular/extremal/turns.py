"""The game of turns: ``coupling-expected``, branched, is attained with policy shift as well.

Write q and c for the bound's products, ε for ε′_m. On reality's paths mark three things: D_u, a
disagreement of π and π_D at time u (rate 1 − q); A_u, of π and the opponent models (rate 1 − c,
independent); E_u, a model error (probability at most ε in all). The branch of time m and a path are
together at m + k if there is no D before m and no A or E, no event, from m on. N_m: no D before m.

The bound leaves c^k (q^m − θ_k) of it, or nothing: θ_k = ε (c⁻¹ + … + c⁻ᵏ). Let M be the first m
with q^m < θ_k. A path is ripe at u if it had no event in the last k − 1 steps (or since time 0).

1. u < M. E_u: ε of the ripe paths in N_u without A_u. There are as many: of N_u each of the k − 1
   steps leaves c times what was there, less at most ε, which ends with c z − ε ≥ 0 as q^u ≥ θ_k.
2. M ≤ u < M + k − 1. The branches from before M still have to lose ε: E_u, all in all ε, is taken
   of the ripe paths in N_{M−1}, of which there are enough as in 1; those in N_M come first.
3. u ≥ M + k − 1. E_u: all ripe paths of N_M, unless they had an event after their D. These are at
   most ε: those with their last event at u − k were at most (1 − c) θ_k + ε then, and c^k of that
   is ε. If there are others, which is at u = M + k − 1, then N_M lost all of ε in each step of 2,
   and as q^M < θ_k less than ε/c is left of it.

So for m ≥ M every path of N_m has an event within k steps, and for m < M each step loses ε: every
branch loses all that the bound says, at every t. Without policy shift one game does it for all k at
once, ``tabular.extremal.ages``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

import numpy as np

from bounds.formula.symbols import survival
from bounds.shared.numbers import InputError, whole
from tabular.cases.case import Case
from tabular.extremal.ages import ages
from tabular.extremal.latch_and_lanes import MAX_LANES, attaining_case, check_parameters, latch
from tabular.games.arrays import exact_array, zeros

#: (time u, kind, age). Kinds: "n" in N_u; "d" in N_M with a D since, and no event after it; "f"
#: with its first D at M − 1, and no event after it. Ages: steps since the last event, up to k − 1.
State = tuple[int, str, int]


def turns(
    gamma: Fraction,
    policy_shift: Sequence[Fraction],
    opponent_model: Sequence[Fraction],
    model_error: Fraction,
    branch_length: int,
    *,
    r_hi: Fraction = Fraction(1),
    r_lo: Fraction = Fraction(-1),
) -> Case:
    """Attains ``coupling-expected``, branched, for any errors and one k; all nⱼ = k.

    Own actions are pairs: r, d or x, and for opponents r, y or w. πʲ plays d with probability ε_πʲ
    and, independently, y with ε_π̂ʲ; π_Dʲ plays x in place of d, π̂ʲ plays w in place of y. The first
    rule that fits decides: any w or x: r_lo, to B (r_lo for ever); all else pays r_hi, and reality
    goes on to the next time: any y is an event, and without one there is a model error with the
    probability that the module's rules give to this state: an event in reality, B in the model. Who
    had a d, and counts no more by the rules, goes to L (r_hi for ever, same policies, no errors).
    The states are (time, kind, age); from time M + k − 1 on they do not change in time.

    The games of no model error (a latch) and of no policy shift (``ages``) are their own.
    Raises ``InputError`` where more than ``MAX_LANES`` states are needed.
    """
    check_parameters(gamma, policy_shift, opponent_model, model_error)
    k = whole("branch_length", branch_length)
    if model_error == 0:
        return latch(
            gamma, policy_shift, opponent_model, model_error, branch_length=k, r_hi=r_hi, r_lo=r_lo
        )
    if not any(policy_shift):
        return ages(gamma, opponent_model, model_error, branch_length=k, r_hi=r_hi, r_lo=r_lo)
    plan = _plan(policy_shift, opponent_model, model_error, max(k, 1))
    names = [
        [d + y for d in ("rdx" if shift else "r") for y in ("ryw" if hat else "r")]
        for shift, hat in zip(policy_shift, [Fraction(0), *opponent_model], strict=True)
    ]
    return _built(
        gamma, plan, names, policy_shift, opponent_model, branch_length=k, r_hi=r_hi, r_lo=r_lo
    )


@dataclass(frozen=True)
class Plan:
    """What happens in the states, before there are actions.

    error: the probability of a model error [state] where no y is played; the keys are all states,
    the start first. at_y: that of a model error in the start state where y is played.
    first_poor, last: M, and the time M + k − 1 that does not end. k: at least 1.
    """

    error: dict[State, Fraction]
    at_y: Fraction
    first_poor: int
    last: int
    k: int

    def following(self, state: State, shifted: bool, event: bool) -> State | None:
        """The state after ``state``, given whether there was a d and an event; None is L."""
        u, kind, age = state
        later = min(u + 1, self.last)
        if event:
            return (later, "n", 0) if kind == "n" and not shifted else None
        if kind == "n" and shifted:
            kind = "d" if u >= self.first_poor else "f" if u == self.first_poor - 1 else ""
        if not kind or (kind == "f" and later == self.last):
            return None
        return (later, kind, min(age + 1, self.k - 1))


def _plan(
    policy_shift: Sequence[Fraction],
    opponent_model: Sequence[Fraction],
    error: Fraction,
    k: int,
) -> Plan:
    """The module's rules, with the masses of all states pushed forward in time."""
    q = Fraction(survival(tuple(policy_shift)))
    c = Fraction(survival(tuple(opponent_model)))
    spent = sum((c**i for i in range(k)), Fraction(0)) * error  # c^k θ_k
    first_poor = 0
    while q**first_poor * c**k >= spent:
        first_poor += 1
        if first_poor > MAX_LANES:
            raise InputError(
                f"model_error: {error} needs more than {MAX_LANES} states; take a larger one"
            )
    last = first_poor + k - 1
    start: State = (0, "n", k - 1)
    rules: dict[State, Fraction] = {}
    at_y = (error - c) / (1 - c) if error > c else Fraction(0)
    plan = Plan(error=rules, at_y=at_y, first_poor=first_poor, last=last, k=k)
    mass = {start: Fraction(1)}
    for u in range(last + 1):
        active, filler = _leaving(mass, c, error, u, plan)
        for state in mass:
            ripe = state[2] == k - 1
            rules[state] = Fraction(0) if not ripe else filler if state[1] == "f" else active
        if len(rules) > MAX_LANES:
            raise InputError(
                f"branch_length: {k} and model_error {error} need more than {MAX_LANES} states; "
                "take a shorter one or a larger error"
            )
        if u < last:
            mass = _pushed(plan, mass, q, c)
    waiting = list(mass)
    while waiting:  # the states at the last time that are reached later on
        for state in _successors(plan, waiting.pop()):
            if state not in rules:
                rules[state] = Fraction(state[2] == k - 1)
                waiting.append(state)
    return plan


def _leaving(
    mass: dict[State, Fraction], c: Fraction, error: Fraction, u: int, plan: Plan
) -> tuple[Fraction, Fraction]:
    """The probability of a model error, without A, on ripe paths at time u: (of N_M, fillers)."""
    if u == plan.last:
        return Fraction(1), Fraction(0)
    ripe = [Fraction(0), Fraction(0)]
    for (_, kind, age), weight in mass.items():
        ripe[kind == "f"] += c * weight * (age == plan.k - 1)
    active = min(Fraction(1), error / ripe[0]) if ripe[0] else Fraction(0)
    rest = error - active * ripe[0]
    return active, min(Fraction(1), rest / ripe[1]) if ripe[1] else Fraction(0)


def _pushed(
    plan: Plan, mass: dict[State, Fraction], q: Fraction, c: Fraction
) -> dict[State, Fraction]:
    """The masses one step later; what is in L is left out."""
    out: dict[State, Fraction] = {}
    for state, weight in mass.items():
        stays = c * (1 - plan.error[state])
        for shifted, event in product((False, True), repeat=2):
            target = plan.following(state, shifted, event)
            part = weight * (1 - q if shifted else q) * (1 - stays if event else stays)
            if target is not None and part:
                out[target] = out.get(target, Fraction(0)) + part
    return out


def _successors(plan: Plan, state: State) -> Iterator[State]:
    for shifted, event in product((False, True), repeat=2):
        target = plan.following(state, shifted, event)
        if target is not None:
            yield target


def _built(
    gamma: Fraction,
    plan: Plan,
    names: list[list[str]],
    policy_shift: Sequence[Fraction],
    opponent_model: Sequence[Fraction],
    *,
    branch_length: int,
    r_hi: Fraction,
    r_lo: Fraction,
) -> Case:
    """The plan with actions; states in the plan's order, then L, then B."""
    number: dict[State | None, int] = {state: s for s, state in enumerate(plan.error)}
    good, bad = len(plan.error), len(plan.error) + 1
    joint = list(product(*names))
    transition = zeros((bad + 1, len(joint), bad + 1), exact=True)
    model = transition.copy()
    reward = np.full((bad + 1, len(joint)), r_hi, dtype=object)
    reward[bad] = r_lo
    for a, pairs in enumerate(joint):
        played = "".join(pairs)
        shifted, disagree = "d" in played, "y" in played
        lost = "w" in played or "x" in played
        for table in (transition, model):
            table[bad, a, bad] = Fraction(1)
            table[good, a, bad if lost else good] = Fraction(1)
        if lost:
            reward[:, a] = r_lo
        for s, state in enumerate(plan.error):
            if lost:
                transition[s, a, bad] = model[s, a, bad] = Fraction(1)
                continue
            error = plan.error[state]
            if disagree:
                error = plan.at_y if s == 0 else Fraction(0)
            after, quiet = (
                number.get(target, good)  # where it is never reached, any will do
                for target in (plan.following(state, shifted, event) for event in (True, False))
            )
            onwards = after if disagree else quiet
            for table, end in ((transition, after), (model, bad)):
                table[s, a, onwards] += 1 - error
                table[s, a, end] += error

    def plays(
        own: list[str], moved: str, shift: Fraction, modelled: str, hat: Fraction
    ) -> list[list[Fraction]]:
        first = {"r": 1 - shift, moved: shift}
        second = {"r": 1 - hat, modelled: hat}
        row = [first.get(pair[0], Fraction(0)) * second.get(pair[1], Fraction(0)) for pair in own]
        idle = [Fraction(pair == "rr") for pair in own]
        return [row] * bad + [idle]

    agents = list(zip(names, policy_shift, [Fraction(0), *opponent_model], strict=True))
    initial = [Fraction(s == 0) for s in range(bad + 1)]
    return attaining_case(
        gamma,
        tuple(map(len, names)),
        (exact_array(initial), transition, reward, model),
        policies=[exact_array(plays(own, "d", s, "y", h)) for own, s, h in agents],
        data_policies=[exact_array(plays(own, "x", s, "y", h)) for own, s, h in agents],
        opponent_models=[
            None,
            *(exact_array(plays(own, "d", s, "w", h)) for own, s, h in agents[1:]),
        ],
        branch_length=branch_length,
    )
