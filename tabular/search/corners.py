"""Exact settings at the corners of the parameter box, where a bound may fail by very little.

The hunt among floats counts an excess from 10⁻⁹ of the trivial bound on
(``tabular.search.refute``); what fails by less is seen only in exact numbers. Bounds are least
tight at corners: every error of a kind 0, 1 or tiny, and rewards of size 1, or so large that a
constant bound falls short.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product

from bounds.formula.bound import Bound
from bounds.formula.error_profile import ErrorProfile
from bounds.shared.numbers import is_exact
from tabular.search.settings import Box

#: Discounts and branch lengths of the corners, and more than any of them: errors of one kind.
DISCOUNTS = (Fraction(1, 2), Fraction(0), Fraction(9, 10), Fraction(99, 100))
LENGTHS = (0, 1, 2)
ERRORS = (Fraction(0), Fraction(1), Fraction(1, 10**12))
#: Numbers of agents at the corners.
AGENTS = (1, 2, 3)


def corners(bound: Bound, box: Box) -> Iterator[ErrorProfile]:
    """The corners of ``box``; nothing for more agents than ``AGENTS``, or an inexact bound."""
    if box.n not in AGENTS:
        return
    lengths = (None,) if box.max_k is None else tuple(k for k in LENGTHS if k <= box.max_k)
    shifts = ERRORS if box.shifts else ERRORS[:1]
    hats = ERRORS if box.hats and box.n > 1 else ERRORS[:1]
    for gamma, k, shift, hat, error in product(DISCOUNTS, lengths, shifts, hats, ERRORS):
        setting = ErrorProfile(
            gamma=gamma,
            # on the last agent: an opponent, where there is one
            policy_shift=(*(Fraction(0),) * (box.n - 1), shift),
            opponent_model=(hat, *(Fraction(0),) * (box.n - 2))[: box.n - 1],
            model_data=error,
            model_current=error,
            model_sup=error,
            k=k,
        )
        value = bound.evaluate(setting)
        if not is_exact(value):
            return
        yield setting
        if value > setting.r_max:
            yield setting.with_(r_max=Fraction(4 * value))
