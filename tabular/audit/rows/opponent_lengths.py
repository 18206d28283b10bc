"""The audit's row about the paper's lengths nⱼ = ⌊k min ε_π̂ / ε_π̂ʲ⌋: they are not the best.

Lengths are compared at equal numbers of calls, Σ(k − nⱼ). The certificate is a game, the latch of
``tabular.extremal.latch_and_lanes``, on which branches with the rule's lengths are off by more than
the bound ``coupling-sup`` of the other lengths: by more than *any* game with these errors can be
with those. That bound is

    span [1/(1 − γ) − c_1 (1 + γσ c_2 (1 + … γσ c_{k+1}/(1 − γq)))]

(``bounds.planning.opponent_lengths``) and stands in the certificate as a tree over the errors,
which the independent checker measures.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from bounds.formula.bound import Bound
from bounds.formula.error_profile import ErrorProfile
from bounds.formula.tree import Tree, text
from bounds.planning.opponent_lengths import allocate, evaluated, paper_rule
from bounds.shared.claims import Claim, Status
from bounds.shared.files import write_json
from bounds.shared.numbers import Operand
from tabular import verify
from tabular.cases.case import Case
from tabular.certificates.build import refutation
from tabular.extremal.latch_and_lanes import latch
from tabular.games.number_text import rational_text, short

_F = Fraction
NAME = "nj-rule-optimal"
_SOURCE = "Zhang et al., IJCAI 2021, Section 5.1"
#: The smallest k with three opponents at which the rule loses on errors in tenths: k, γ, ε_π̂.
SMALLEST = (2, _F(1, 2), (_F(1, 5), _F(3, 10), _F(2, 5)))
#: Random settings for each number of opponents.
SETTINGS = 60
#: Values are sums of some hundred floats; what is closer than this counts as equal.
ROUNDING = 1e-9


def nj_rule_claim(folder: Path, seed: int) -> Claim:
    """Refuted by a certificate; how often and by how much the rule loses elsewhere."""
    certificate = nj_rule_certificate()
    path = write_json(folder / "certificates" / f"{NAME}.json", certificate)
    left, right = (_F(certificate[side]) for side in ("left", "right"))
    status: Status = "refuted" if left > right else "open"
    found = {size: _compared(size, seed) for size in (2, 3, 4)}
    relative = path.relative_to(folder).as_posix()
    beaten = ", ".join(
        f"{number} of {SETTINGS} with {size} opponents (up to {worst:.3f} times)"
        for size, (number, worst) in found.items()
    )
    k, _, errors = SMALLEST
    rule, better = _both()
    return Claim(
        id=NAME,
        statement="no other lengths with as many calls have a smaller coupling-sup bound than "
        "n_j = floor(k min eps_hat / eps_hat_j)",
        source=_SOURCE,
        status=status,
        evidence={
            "certificate": relative,
            "left": certificate["left"],
            "right": certificate["right"],
            "beaten": {str(size): number for size, (number, _) in found.items()},
            "settings": SETTINGS,
            "worst_ratio": max(worst for _, worst in found.values()),
            "summary": f"{relative}: k = {k}, errors {', '.join(map(str, errors))}: "
            f"{rule} is off by {short(left)} on a game, {better} by at most {short(right)} on "
            f"every one; the rule loses in {beaten}",
        },
    )


def nj_rule_certificate() -> dict[str, Any]:
    """The certificate at ``SMALLEST``, accepted by the independent checker."""
    k, gamma, errors = SMALLEST
    rule, better = _both()
    case = _game(rule)
    right = _worst(k, better)
    stands_in = Bound(
        name=NAME,
        about="branched",
        convention="unnormalised",
        source=_SOURCE,
        hypotheses=(),
        valid=False,
        formula=lambda: evaluated_exactly(k, gamma, errors, better),
    )
    certificate = refutation(case, stands_in)
    certificate |= {
        "bound": right.node,
        "statement": f"real return - branched return with lengths {rule} > {text(right.node)}, "
        f"coupling-sup of the lengths {better}, which make as many calls",
    }
    sides = verify.check_game(certificate)
    certificate |= {
        name: rational_text(side) for name, side in zip(("left", "right"), sides, strict=True)
    }
    verify.verify(certificate)
    return certificate


def evaluated_exactly(
    k: int, gamma: Fraction, errors: tuple[Fraction, ...], n: tuple[int, ...]
) -> Fraction:
    """``coupling-sup`` with a span of 2, a perfect dynamics model and no policy shift."""
    from bounds.library.coupling import sup

    return Fraction(sup(_profile(k, gamma, errors).with_(opponent_lengths=n), branched=True))


def _both() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The rule's lengths at ``SMALLEST``, and the best with as many calls."""
    k, gamma, errors = SMALLEST
    rule = paper_rule(k, errors)
    return rule, allocate(_profile(k, gamma, errors), sum(k - n for n in rule)).n


def _profile(k: int, gamma: Operand, errors: tuple[Operand, ...]) -> ErrorProfile:
    return ErrorProfile(
        gamma=gamma,
        policy_shift=(_F(0),) * (len(errors) + 1),
        opponent_model=errors,
        model_sup=_F(0),
        k=k,
    )


def _game(n: tuple[int, ...]) -> Case:
    k, gamma, errors = SMALLEST
    shift = [_F(0)] * (len(errors) + 1)
    return latch(gamma, shift, errors, _F(0), branch_length=k, opponent_lengths=n)


def _worst(k: int, n: tuple[int, ...]) -> Tree:
    """``coupling-sup`` of lengths ``n`` with σ = q = 1, in γ, span and the opponents' errors."""

    def kept(step: int) -> Tree | None:
        used = [j for j, length in enumerate(n, 1) if step <= length or length == k]
        product: Tree | None = None
        for j in used:
            factor = 1 - Tree(f"eps_hat_{j}")
            product = factor if product is None else product * factor
        return product

    def times(factor: Tree | None, rest: Tree) -> Tree:
        return rest if factor is None else factor * rest

    gamma = Tree("gamma")
    mass = times(kept(k + 1), 1 / (1 - gamma))
    for step in range(k, 0, -1):
        mass = times(kept(step), 1 + gamma * mass)
    return Tree("span") * (1 / (1 - gamma) - mass)


def _compared(size: int, seed: int) -> tuple[int, float]:
    """In how many random settings lengths with as many calls do better, and the largest ratio."""
    rng = np.random.default_rng([seed, 60, size])
    beaten, worst = 0, 1.0
    for _ in range(SETTINGS):
        errors = tuple(_F(int(i), 50) for i in rng.integers(1, 26, size=size))
        k = int(rng.integers(2, 16))
        profile = ErrorProfile(
            gamma=0.95,
            policy_shift=(0.05,) * (size + 1),
            opponent_model=errors,
            model_sup=0.02,
            k=k,
        )
        # exact errors for the rule, whose quotients are rounded down
        rule = evaluated(profile, paper_rule(k, errors))
        best = allocate(profile, rule.calls)
        ratio = rule.value / best.value
        beaten += ratio > 1 + ROUNDING
        worst = max(worst, ratio)
    return beaten, worst
