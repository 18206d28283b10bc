"""Independent checker of certificates about soft Q iteration; rational arithmetic alone.

Use: python tabular/verify_soft.py CERTIFICATE.json (exit code 0: right, 1: wrong, 2: not readable).

- "cycle": in a repeated two-player game, agents who all move at once to softmax(u/α), α =
  1/log(base), go round the given profiles, which are not all the same.
- "wrong-limit": a repeated 2×2 game has a global optimum, and independent soft learners end
  elsewhere as α → 0, by signs on the box of profiles that play ``limit`` with probability ≥ 1/2.
- "printed-cycle": the target of Eq. (5) as printed, with one action that stays against M that leave
  for a state without rewards, goes to and fro between two intervals of the gap x = (Q_stay −
  Q_leave)/α for ever.
"""

from __future__ import annotations

import json
import sys
from fractions import Fraction
from typing import Any

sys.set_int_max_str_digits(0)


class Rejected(Exception):  # noqa: N818
    """The certificate claims something false."""


def demand(condition: bool, message: str) -> None:
    """``Rejected`` unless ``condition``."""
    if not condition:
        raise Rejected(message)


def rational(x: Any) -> Any:
    """Nested lists of "p/q" as Fractions."""
    if isinstance(x, list):
        return [rational(y) for y in x]
    demand(type(x) in (int, str), f"{x!r} is not an exact number")
    top, _, bottom = str(x).partition("/")
    return Fraction(int(top), int(bottom or 1))


def rounded(x: Fraction, up: bool) -> Fraction:
    """A nearby multiple of 2⁻¹⁵⁰ that is not smaller (``up``) or not larger."""
    scaled = x * 2**150
    whole = scaled.numerator // scaled.denominator
    return Fraction(whole + (up and whole != scaled), 2**150)


def exp(x: Fraction) -> tuple[Fraction, Fraction]:
    """(low, high) around e^x: Taylor's sum at x/2^k ≤ 1/2, squared k times."""
    if x < 0:
        low, high = exp(-x)
        return rounded(1 / high, False), rounded(1 / low, True)
    demand(x <= 1000, f"exp of {float(x)}: too large")
    halvings = max(0, (2 * x.numerator // x.denominator).bit_length())
    y, term, total = x / 2**halvings, Fraction(1), Fraction(0)
    for i in range(1, 31):
        total, term = total + term, rounded(term * y / i, False)
    # the rest of the sum is below twice its first term; 30 roundings, each kept at most twice
    low, high = total, total + 2 * term + Fraction(60, 2**150)
    for _ in range(halvings):
        low, high = rounded(low * low, False), rounded(high * high, True)
    return low, high


def log(x: Fraction) -> tuple[Fraction, Fraction]:
    """(low, high) around log x for x ≥ 1, by bisection."""
    low, high = Fraction(0), Fraction(x.numerator.bit_length())  # e > 2
    for _ in range(48):
        middle = (low + high) / 2
        below, above = exp(middle)
        if above <= x:
            low = middle
        elif below >= x:
            high = middle
        else:
            break
    return low, high


def chance(x: Fraction) -> tuple[Fraction, Fraction]:
    """(low, high) around 1/(1 + e^(−x))."""
    low, high = exp(-x)
    return 1 / (1 + high), 1 / (1 + low)


def mean(table: Any, other: Any) -> list[Fraction]:
    """Σ_b other[b] table[a][b] for every own action a."""
    return [sum((p * x for p, x in zip(other, row, strict=True)), Fraction(0)) for row in table]


def tables(payoffs: Any) -> tuple[Any, Any]:
    """Both agents' payoffs with the own action first."""
    return payoffs[0], [list(column) for column in zip(*payoffs[1], strict=True)]


def check_cycle(certificate: dict[str, Any]) -> tuple[Fraction, Fraction]:
    """Every profile leads to the next one, exactly; returns (number of profiles, 1)."""
    own = tables(rational(certificate["payoffs"]))
    base, cycle = rational(certificate["base"]), rational(certificate["cycle"])
    demand(base > 1, "base: not above 1")
    for now, following in zip(cycle, cycle[1:] + cycle[:1], strict=True):
        for j in range(2):
            u, reply = mean(own[j], now[1 - j]), following[j]
            demand(min(reply) > 0 and sum(reply) == 1, "not a distribution")
            for x, p in zip(u, reply, strict=True):
                power = x - u[0]
                demand(power.denominator == 1, "an irrational step")
                demand(p == reply[0] * base ** int(power), "another softmax")
    different = len({json.dumps(str(profile)) for profile in cycle})
    demand(different == len(cycle) > 1, "a profile comes twice, or never moves")
    return Fraction(different), Fraction(1)


def gain(own: Any, limit: int, other: Any) -> Fraction:
    """What the own action ``limit`` pays more than the other one, against ``other``."""
    u = mean(own, other)
    return u[limit] - u[1 - limit]


def check_wrong_limit(certificate: dict[str, Any]) -> tuple[Fraction, Fraction]:
    """(the optimum's payoff, more than the soft value times 1 − γ at the last α), of agent 0."""
    payoffs, optimum = rational(certificate["payoffs"]), certificate["optimum"]
    demand([len(row) for table in payoffs for row in table] == [2] * 4, "not a 2x2 game")
    best = [table[optimum[0]][optimum[1]] for table in payoffs]
    demand(best == [max(map(max, table)) for table in payoffs], "optimum: not a global one")
    own, half = tables(payoffs), [Fraction(1, 2)] * 2
    if certificate["limit"] == "uniform":  # nobody ever moves from there
        demand(all(gain(table, 0, half) == 0 for table in own), "uniform play is left")
        values = [max(mean(table, half)) for table in own]
        demand(all(x < y for x, y in zip(values, best, strict=True)), "no worse than the optimum")
        return best[0], values[0]
    limit = certificate["limit"]
    demand(optimum in ([0, 0], [0, 1], [1, 0], [1, 1]), "optimum: not a profile")
    demand(limit == [1 - x for x in optimum], "limit: not opposite to the optimum")

    def plays(j: int, x: Fraction) -> list[Fraction]:  # agent j plays ``limit`` with probability x
        return [x, 1 - x] if limit[j] == 0 else [1 - x, x]

    starts = [gain(own[j], limit[j], half) for j in range(2)]
    ends = [gain(own[j], limit[j], plays(1 - j, Fraction(1))) for j in range(2)]
    demand(min(starts) >= 0 < max(starts) and min(ends) > 0, "some soft reply leaves the box")
    # so for every α the soft replies stay in the box; as α → 0, first one and then both tend to 1
    values, most = best, log(Fraction(2))[1]  # L_α(u) ≤ max u + α log 2
    for row in certificate["enclosures"]:
        alpha, boxes, values = rational(row["alpha"]), rational(row["boxes"]), []
        demand(alpha > 0, "alpha: not above 0")
        for j in range(2):
            others = [plays(1 - j, x) for x in boxes[1 - j]]
            replies = sorted(gain(own[j], limit[j], other) / alpha for other in others)
            low, high = chance(replies[0])[0], chance(replies[1])[1]
            demand(half[0] <= boxes[j][0] <= low <= high <= boxes[j][1] <= 1, "not into the box")
            top = max(max(mean(own[j], other)) for other in others)
            values.append(top + alpha * most)
    demand(all(x < y for x, y in zip(values, best, strict=True)), "no worse than the optimum")
    return best[0], values[0]


def gap_step(
    x: Fraction, gamma: Fraction, shift: tuple[Fraction, Fraction], leaving: int
) -> tuple[Fraction, Fraction]:
    """(low, high) around shift + log(e^x + M) − (1 − γ) π x, π = e^x/(e^x + M)."""
    low, high = exp(x)
    shares = [(1 - gamma) * x * y / (y + leaving) for y in (low, high)]
    return (
        shift[0] + log(low + leaving)[0] - max(shares),
        shift[1] + log(high + leaving)[1] - min(shares),
    )


def check_printed_cycle(certificate: dict[str, Any]) -> tuple[Fraction, Fraction]:
    """The intervals, each falling into the other one; returns their distance, and 0.

    Staying pays ``stay``, all else 0. For ever after the leaving, each step is worth α log(M + 1),
    so Q_leave = α log(M + 1)/(1 − γ), and the gap moves by x ← stay/α − log(M + 1) +
    log(e^x + M) − (1 − γ) π x, whose slope π (γ − (1 − γ)(1 − π) x) is negative on the intervals.
    """
    gamma, alpha, stay = (rational(certificate[key]) for key in ("gamma", "alpha", "stay"))
    leaving, intervals = certificate["leaving"], rational(certificate["intervals"])
    demand(0 <= gamma < 1 and alpha > 0 and type(leaving) is int and leaving > 0, "not a game")
    logs = log(Fraction(leaving + 1))
    shift = stay / alpha - logs[1], stay / alpha - logs[0]
    for (a, b), (c, d) in (intervals, intervals[::-1]):
        top = exp(b)[1]
        demand((1 - gamma) * a * leaving / (top + leaving) > gamma, "not falling")
        after = gap_step(b, gamma, shift, leaving)[0], gap_step(a, gamma, shift, leaving)[1]
        demand(a <= b and c <= after[0] <= after[1] <= d, "not into the other interval")
    (_, low), (high, _) = sorted(intervals)
    demand(low < high, "the intervals meet")
    return high - low, Fraction(0)


CHECKS = {
    "cycle": check_cycle,
    "wrong-limit": check_wrong_limit,
    "printed-cycle": check_printed_cycle,
}


def verify(certificate: dict[str, Any]) -> tuple[Fraction, Fraction]:
    """Both sides of a certificate, the left one larger; ``Rejected`` where it claims falsely."""
    known = certificate["format"] == "soft-certificate/1" and certificate["kind"] in CHECKS
    demand(known, "format or kind is unknown")
    left, right = CHECKS[certificate["kind"]](certificate)
    demand(left > right, "no such relation")
    return left, right


def main(arguments: list[str]) -> int:
    """Check the file that is named."""
    try:
        with open(arguments[0], encoding="utf-8") as file:  # noqa: PTH123
            left, right = verify(certificate := json.load(file))
    except Exception as why:  # whatever a malformed file makes fail
        code, what = (1, "rejected") if isinstance(why, Rejected) else (2, "not a certificate")
        print(f"{what}: {why!r}", file=sys.stderr)
        return code
    print(f"accepted: {certificate['claim']}: {float(left):.6g} against {float(right):.6g}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
