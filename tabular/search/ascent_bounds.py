"""Bounds as functions of tensors: what the attack climbs on (``tabular.search.ascent``).

Formulas are called as they are. The coupling bounds that are sums over a recursion are summed here
once more, so that their gradients are known: up to γᵗ ≤ ``TAIL`` (or ``MAX_TERMS`` terms), with
everything later counted as lost. That makes a bound too large, by span γᵗ/(1 − γ) at most, so that
ratios are not overstated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from bounds.formula.bound import Bound
from bounds.formula.symbols import read, survival
from bounds.shared.numbers import InputError, Operand

#: A float64 torch tensor; the first axis is the restart.
Tensor = Any

#: The weight γᵗ at which sums over time stop.
TAIL = 1e-7
#: Most terms of a sum over time.
MAX_TERMS = 4096
#: The sums over a recursion that are written here as well (``coupled_time``).
_SUMS = ("coupling-sup", "coupling-expected", "coupling-data")


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

    def require(self, field: str, needed_by: str) -> Operand:
        """The value of ``field``; all are known."""
        return getattr(self, field)


def expected_kind(bound: Bound) -> str:
    """The field of the expected model error that ``bound`` reads; empty if it reads none."""
    if bound.name in ("coupling-expected", "coupling-data") and not bound.symbols:
        return "model_data" if bound.name == "coupling-data" else "model_current"
    if "eps_m_data" in bound.symbols or ("eps_m" in bound.symbols and bound.about == "model"):
        return "model_data"
    return "model_current" if "eps_m" in bound.symbols else ""


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
    """Σ γᵗ c x_t, the discounted time of coupled chains together (bounds.library.coupling)."""
    gamma = errors.gamma
    terms = 1 if gamma == 0 else min(MAX_TERMS, math.ceil(math.log(TAIL) / math.log(gamma)))
    times = errors.span.new_tensor(range(terms))
    weights = gamma**times
    sup = bound.name == "coupling-sup"
    keep = 1 - errors.model_sup if sup else 1
    lose = 0 * errors.model_sup if sup else errors.model_current
    one = 1 + 0 * errors.span  # products over no opponents are the number 1
    c_bar = survival(errors.opponent_model) * one
    if bound.about == "model":
        step = keep * c_bar
        if bound.name == "coupling-data":
            lose, step = errors.model_data, 1 - errors.policy_shift[0]
            for shift, hat in zip(errors.policy_shift[1:], errors.opponent_model, strict=True):
                step = step * positive(1 - shift - hat)
        powers = step[:, None] ** times
        spent = lose[:, None] * (powers.cumsum(-1) - powers)
        return c_bar * (weights * positive(powers - spent)).sum(-1)
    product, loss, total = one, 0 * one, 0
    k = errors.k
    lengths = errors.opponent_lengths or (k,) * (errors.n - 1)
    for l in range(1, k + 2):  # noqa: E741
        pairs = zip(errors.opponent_model, lengths, strict=True)
        c = survival(tuple(e for e, n in pairs if l <= n or n == k)) * one
        if l <= k:
            total = total + gamma ** (l - 1) * c * positive(product - loss)
            product, loss = product * keep * c, loss * keep * c + lose
    q = survival(errors.policy_shift)
    late = positive(product[:, None] * q[:, None] ** times - loss[:, None])
    return total + gamma**k * c * (weights * late).sum(-1)


def positive(x: Tensor) -> Tensor:
    """max(x, 0)."""
    return x.clamp(min=0)
