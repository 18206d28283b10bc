"""Floats of the coupling bounds over many scales, against the same sums in 80 digits.

The oracle adds up what is *kept*, by the closed form of each stretch with a constant factor, which
loses up to some forty of the digits; the library adds up what is lost, in floats.
"""

import math
import random
from typing import Any

import mpmath
import numpy as np
import pytest

from bounds.formula.error_profile import ErrorProfile
from tests.support.coupling_recursion import FORMS, value_of
from tests.support.profiles import UNIT

EVERY = [pytest.param(name, about, id=f"{name}-{about}") for name, about in FORMS]
#: Settings of each form.
MANY = 400


def kept(x: Any, c: Any, loss: Any, g: Any, length: Any) -> tuple[Any, Any]:
    """(Σ_{t<length} γᵗ x_t, x_length) by the closed form of x_t = cᵗ (x + θ) − θ."""
    if x <= 0 or length == 0:
        return mpmath.mpf(0), max(x, mpmath.mpf(0))
    if c == 0:
        return x, mpmath.mpf(0)
    if loss == 0:
        power = mpmath.mpf(0) if length == math.inf else (g * c) ** length
        end = mpmath.mpf(0) if length == math.inf else x * c**length
        return x * (1 - power) / (1 - g * c), end
    if c == 1:
        used_up = mpmath.ceil(x / loss)
    else:
        theta = loss / (1 - c)
        used_up = mpmath.ceil(mpmath.log(theta / (x + theta)) / mpmath.log(c))
    t = min(used_up, length)
    if c == 1:
        spent = g * (1 - g**t) / (1 - g) ** 2 - t * g**t / (1 - g)
        total, end = x * (1 - g**t) / (1 - g) - loss * spent, x - t * loss
    else:
        total = (x + theta) * (1 - (g * c) ** t) / (1 - g * c) - theta * (1 - g**t) / (1 - g)
        end = c**t * (x + theta) - theta
    return total, max(end, mpmath.mpf(0))


def survival(errors: Any) -> Any:
    return mpmath.fprod(1 - mpmath.mpf(e) for e in errors)


def oracle(name: str, about: str, p: ErrorProfile) -> Any:
    """The bound of a profile of floats, in 80 digits."""
    with mpmath.workdps(80):
        g, hats = mpmath.mpf(p.gamma), p.opponent_model
        error = mpmath.mpf(p.model_sup)  # all three model errors are alike
        keep, loss = (1 - error, 0 * error) if name == "coupling-sup" else (mpmath.mpf(1), error)
        if about == "model":
            c = keep * survival(hats)
            if name == "coupling-data":
                pairs = zip(p.policy_shift[1:], hats, strict=True)
                both = (min(mpmath.mpf(1), mpmath.mpf(a) + mpmath.mpf(b)) for a, b in pairs)
                c = survival((p.policy_shift[0], *both))
            together, _ = kept(mpmath.mpf(1), c, loss, g, math.inf)
            return p.span * (1 / (1 - g) - survival(hats) * together)
        k = p.k
        lengths = (k,) * len(hats) if p.opponent_lengths is None else p.opponent_lengths
        x, total, gone, start = mpmath.mpf(1), mpmath.mpf(0), mpmath.mpf(0), 0
        product = mpmath.mpf(1)
        for stop in sorted({*lengths, k}):
            c = survival(e for e, n in zip(hats, lengths, strict=True) if n >= stop > start)
            if stop > start:
                part, x = kept(x, keep * c, loss, g, stop - start)
                total += g**start * c * part
                step, n = keep * c, stop - start
                series = n if step == 1 else (1 - step**n) / (1 - step)
                product, gone = product * step**n, gone * step**n + loss * series
                start = stop
        last = survival(e for e, n in zip(hats, lengths, strict=True) if n == k)
        q = survival(p.policy_shift)
        late, _ = kept(product - gone, q, gone * (1 - q), g, math.inf)
        return p.span * (1 / (1 - g) - total - g**k * last * late)


def drawn(rng: random.Random, about: str) -> ErrorProfile:
    """Errors from 1e-12 to 1 and 0, γ up to 0.9999, k up to 100,000, up to eight agents."""
    n, size = rng.randint(1, 8), rng.choice([1e-12, 1e-9, 1e-6, 1e-4, 1e-2, 1.0])

    def error() -> float:
        return rng.choice([0.0, size, size * rng.random(), size * rng.random(), rng.random() ** 9])

    k = round(10 ** rng.uniform(0, 5)) if rng.random() < 0.8 else rng.randint(0, 3)
    lengths = tuple(rng.choice([0, k, rng.randint(0, k)]) for _ in range(n - 1))
    model = error()
    return ErrorProfile(
        gamma=rng.choice([0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 1 - 10 ** rng.uniform(-4, 0)]),
        policy_shift=tuple(error() for _ in range(n)),
        opponent_model=tuple(error() for _ in range(n - 1)),
        model_data=model,
        model_current=model,
        model_sup=model,
        k=k if about == "branched" else None,
        opponent_lengths=lengths if about == "branched" and rng.random() < 0.5 else None,
    )


@pytest.mark.parametrize(("name", "about"), EVERY)
def test_floats_keep_their_relative_precision_at_every_scale(name: str, about: str) -> None:
    rng = random.Random(f"{name} {about}")
    worst = 0.0
    for _ in range(MANY):
        p = drawn(rng, about)
        true = oracle(name, about, p)
        found = value_of(name, about)(p)
        if true < 1e-50:  # the oracle's digits end here
            assert found < 1e-49
        else:
            worst = max(worst, float(abs(found - true) / true))
    # Sums of non-negative terms, in each of which a few roundings meet (the worst of 10,000: 3.1);
    # what cancels is less than what comes later (``bounds.library.lost_mass``)
    assert worst <= 10 * UNIT


@pytest.mark.parametrize(("name", "about"), EVERY)
def test_arrays_are_as_precise(name: str, about: str) -> None:
    rng = random.Random(7)
    singles = [drawn(rng, about).with_(opponent_lengths=None) for _ in range(MANY)]
    singles = [p for p in singles if p.n == 3]

    def column(field: str, j: int | None = None) -> Any:
        values = [getattr(p, field) for p in singles]
        return np.array(values if j is None else [v[j] for v in values])

    p = ErrorProfile(
        gamma=column("gamma"),
        policy_shift=tuple(column("policy_shift", j) for j in range(3)),
        opponent_model=tuple(column("opponent_model", j) for j in range(2)),
        model_data=column("model_data"),
        model_current=column("model_current"),
        model_sup=column("model_sup"),
        k=column("k") if about == "branched" else None,
    )
    for found, single in zip(value_of(name, about)(p), singles, strict=True):
        # the same operations; a vectorised function may round a bit otherwise
        assert found == pytest.approx(value_of(name, about)(single), rel=20 * UNIT)
