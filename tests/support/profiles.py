"""Error profiles for the tests of bounds: exact numbers, corners common, few coincidences."""

import random
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from bounds.formula.error_profile import ErrorProfile

#: The largest relative error of one float operation, powers included.
UNIT = 2.0**-52

#: Fewer examples for the tests that run once a bound.
FEW = settings(max_examples=max(12, settings.default.max_examples // 4))


def fractions(denominators: Iterable[int], top: Fraction) -> list[Fraction]:
    """0, then the plain ones, all in [0, top]."""
    found = {Fraction(p, q): None for q in denominators for p in range(q + 1)}
    return [x for x in found if x <= top]


SIZES = (*fractions((1, 2, 10, 3, 7, 40), Fraction(1)), Fraction(1, 10**6))
GAMMAS = (*fractions((1, 2, 10, 20, 3, 7), Fraction(19, 20)), Fraction(99, 100))
ERRORS = st.sampled_from(SIZES)
DISCOUNTS = st.sampled_from(GAMMAS)


@st.composite
def profiles(
    draw: st.DrawFn,
    errors: Sequence[Any] = SIZES,
    discounts: Sequence[Any] = GAMMAS,
    most_steps: int = 8,
    opponents: int = 3,
) -> ErrorProfile:
    """An exact profile with everything in it; corners (0, 1, k = 0, nⱼ = 0 and k) are common.

    Two of three are drawn by a seed, uniformly: few coincidences, so that few examples see much.
    The others are drawn by Hypothesis, which likes coincidences, and finds plain examples.
    """
    seed = draw(st.none() | st.integers(0, 2**32 - 1) | st.integers(0, 2**32 - 1))
    rng = random.Random(seed)

    def pick(choices: Sequence[Any]) -> Any:
        return draw(st.sampled_from(choices)) if seed is None else rng.choice(choices)

    def each(count: int, choices: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(pick(choices) for _ in range(count))

    n = 1 + pick(range(opponents + 1))
    k = pick(range(most_steps + 1))
    given_ = pick((False, True, True))
    r_max = pick((Fraction(1), Fraction(7, 3), Fraction(1, 5), Fraction(0)))
    return ErrorProfile(
        gamma=pick(discounts),
        policy_shift=each(n, errors),
        opponent_model=each(n - 1, errors),
        model_data=pick(errors),
        model_current=pick(errors),
        model_sup=pick(errors),
        k=k,
        opponent_lengths=each(n - 1, (*range(k + 1), 0, k)) if given_ else None,
        r_max=r_max,
        span=pick((None, r_max, r_max / 3)),
        joint_policy_shift=pick((None, pick(errors))),
    )
