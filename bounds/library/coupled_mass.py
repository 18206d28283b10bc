r"""The discounted mass that stays coupled, in exact numbers: Σ γᵗ x_t with x_{t+1} = (c x_t − ε)⁺.

Until the mass is used up, at t = T, x_t = cᵗ(x₀ + θ) − θ with θ = ε/(1 − c) (c < 1), or x₀ − tε
(c = 1). Where T is within ``MAX_STEPS`` steps (fewer, where the powers would outgrow ``MAX_BITS``
bits) the sum is exact. Beyond that it is the sum without the positive part, which is one rational
number, and what the positive part adds to it,

    Σ_{t<T} γᵗ x_t = (x₀ − εγ/(1 − γ))/(1 − γc) + γᵀ g_T,
    g_T = θ/(1 − γ) − (x₀ + θ)cᵀ/(1 − γc)           (c < 1),
    g_T = (Tε − x₀)/(1 − γ) + εγ/(1 − γ)²           (c = 1).

The powers are rounded so that the sum is never too large; a T that is off by rounding makes it
smaller, too, as the sum to any T is at most the one of the positive parts. All in all it is too
small by less than 2⁻⁶¹/(1 − γ): γᵀ g_T is rounded down to a multiple of 2⁻⁶⁴, each power carries
at most 2T units in the last place, and there are enough places for these times (1 + θ)/(1 − γ).
"""

from __future__ import annotations

import math
from fractions import Fraction

from bounds.shared.numbers import Operand

#: Steps after which exact sums stop and are enclosed (see the module).
MAX_STEPS = 10_000
#: Length, in bits, that the powers in an exact sum may reach.
MAX_BITS = 200_000
#: Bits after the point of what an enclosed sum adds, and bits in reserve for its powers.
PLACES, RESERVE = 64, 70


def decay(
    x: Operand, c: Operand, loss: Operand, gamma: Operand, length: Operand
) -> tuple[Operand, Operand]:
    """(Σ_{t<length} γᵗ x_t, x_length) for x_0 = x, x_{t+1} = (c x_t − loss)⁺; length may be inf.

    With T = min(length, first t with x_t = 0) the recursion summed over t < T gives
    Σ = (x − c γᵀ x_{T−1} − loss γ (1 − γ^{T−1})/(1 − γ)) / (1 − γ c).
    """
    if length == 0 or x == 0:
        return Fraction(0), x
    most = _most_steps(c, gamma) if length == math.inf else length
    zero = _first_zero(x, c, loss, most) if loss > 0 else None
    if zero is None and length == math.inf:
        return _enclosed(x, c, loss, gamma), Fraction(0)
    steps = length if zero is None else min(length, zero)
    power, geometric = power_and_sum(c, steps - 1)
    last = x * power - loss * geometric
    spent = loss * gamma * (1 - gamma ** (steps - 1)) / (1 - gamma)
    total = (x - c * gamma**steps * last - spent) / (1 - gamma * c)
    return total, max(c * last - loss, Fraction(0)) if steps == length else Fraction(0)


def power_and_sum(c: Operand, n: int) -> tuple[Operand, Operand]:
    """(cⁿ, 1 + c + … + c^{n−1})."""
    power = Fraction(c) ** n
    return power, (Fraction(n) if c == 1 else (1 - power) / (1 - c))


def _enclosed(x: Operand, c: Operand, loss: Operand, gamma: Operand) -> Operand:
    """Σ_t γᵗ x_t without end from below, by the module's formula; exact where loss = 0."""
    without = (x - loss * gamma / (1 - gamma)) / (1 - gamma * c)
    if loss == 0:
        return without
    if c == 1:
        steps = math.ceil(Fraction(x) / loss)
        size = 2 + loss / (1 - gamma)
        late = (steps * loss - x) / (1 - gamma) + loss * gamma / (1 - gamma) ** 2
        bits = RESERVE + steps.bit_length() + math.ceil(size).bit_length()
    else:
        theta = loss / (1 - c)
        level = theta / (x + theta)
        # cᵀ ≤ level before T = log(1/level)/(1 − c) + 1
        most = math.ceil(1 / (1 - c)) * (1 + _bits(level.denominator // level.numerator))
        bits = RESERVE + _bits(most) + _bits(math.ceil(1 + theta))
        steps = _first_below_about(c, level, bits)
        late = theta / (1 - gamma) - (x + theta) * _power(c, steps, bits, up=True) / (1 - gamma * c)
    added = max(late, 0) * _power(gamma, steps, bits, up=False)
    return max(without + Fraction(math.floor(added * 2**PLACES), 2**PLACES), Fraction(0))


def _bits(number: int) -> int:
    return number.bit_length()


def _scaled(x: Operand, bits: int, up: bool) -> int:
    """``x`` · 2^bits, rounded ``up`` or down."""
    shifted = x.numerator << bits
    return int(-(-shifted // x.denominator) if up else shifted // x.denominator)


def _power(base: Operand, n: int, bits: int, *, up: bool) -> Fraction:
    """baseⁿ for base in [0, 1], rounded up or down to ``bits`` bits after the point."""
    square, result = _scaled(base, bits, up), 1 << bits
    more = (1 << bits) - 1 if up else 0
    while n:
        if n & 1:
            result = (result * square + more) >> bits
        square = (square * square + more) >> bits
        n >>= 1
    return Fraction(result, 1 << bits)


def _first_below_about(c: Operand, level: Operand, bits: int) -> int:
    """The first t with cᵗ ≤ level > 0, for c < 1; cᵗ is known to ``bits`` bits after the point."""
    floor, limit = _scaled(c, bits, up=False), _scaled(level, bits, up=True)
    squares = [floor]
    while max(limit, 0) < squares[-1] < 1 << bits:
        squares.append((squares[-1] ** 2) >> bits)
    power, above = 1 << bits, 0
    for i, square in reversed([*enumerate(squares)]):
        product = (power * square) >> bits
        if product > limit:
            power, above = product, above + (1 << i)
    return above + 1


def _most_steps(*numbers: Operand) -> int:
    """How many steps an exact sum with these factors may have."""
    bits = sum(x.numerator.bit_length() + x.denominator.bit_length() for x in numbers)
    return max(1, min(MAX_STEPS, int(MAX_BITS // bits)))


def _first_zero(x: Operand, c: Operand, loss: Operand, most: int) -> int | None:
    """The first t in 1..most with x_t = 0, or None: c^t (x (1 − c) + loss) ≤ loss."""
    if c == 1:
        t = math.ceil(Fraction(x) / loss)
        return t if t <= most else None
    return first_below(Fraction(c), Fraction(loss) / (x * (1 - c) + loss), most)


def first_below(c: Fraction, level: Fraction, most: int) -> int | None:
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
