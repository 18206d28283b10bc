"""Independent checker of certificates about soft Q iteration; rational arithmetic alone.

Use: python tabular/verify_soft.py CERTIFICATE.json
Exit code 0: right; 1: it claims something false; 2: it is no certificate of this format. What is
printed is made from what was checked, and ``statement`` has to be the same.

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

FORMAT = "soft-certificate/1"
COMMON = {"format", "kind", "claim", "statement"}


class Rejected(Exception):  # noqa: N818
    """The certificate claims something false."""


def demand(condition: bool, message: str) -> None:
    """``Rejected`` unless ``condition``."""
    if not condition:
        raise Rejected(message)


def keys(thing: Any, needed: set[str], more: tuple[str, ...] = ()) -> None:
    """``thing`` is an object with the ``needed`` keys, perhaps some ``more``, and no others."""
    demand(type(thing) is dict, "an object is missing")
    for name in sorted({*thing} ^ needed):
        demand(name in thing, f"{name}: missing")
        demand(name in needed or name in more, f"{name}: unknown")


def rational(x: Any) -> Fraction:
    """A whole number, or a string that is a fraction in its lowest terms."""
    fine = type(x) in (int, str) and {*str(x)} <= {*"-/0123456789"}
    demand(fine, f"{x!r} is not an exact number")
    value = Fraction(x)
    demand(str(value) == str(x), f"{x!r} is not written as {value}")
    return value


def table(where: str, x: Any, *sizes: int) -> Any:
    """Nested lists of exactly these sizes, of ``rational`` numbers."""
    if not sizes:
        return rational(x)
    demand(type(x) is list and len(x) == sizes[0], f"{where}: not {sizes[0]} entries")
    return [table(where, y, *sizes[1:]) for y in x]


def size(where: str, x: Any) -> int:
    """The length of a list that is not empty."""
    demand(type(x) is list and x != [], f"{where}: not a list with entries")
    return len(x)


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


def mean(own: Any, other: Any) -> list[Fraction]:
    """Σ_b other[b] own[a][b] for every own action a."""
    return [sum((p * x for p, x in zip(other, row, strict=True)), Fraction(0)) for row in own]


def tables(payoffs: Any) -> tuple[Any, Any]:
    """Both agents' payoffs with the own action first."""
    return payoffs[0], [list(column) for column in zip(*payoffs[1], strict=True)]


def check_cycle(certificate: dict[str, Any]) -> tuple[Fraction, Fraction]:
    """Every profile leads to the next one, exactly; returns (number of profiles, 1)."""
    keys(certificate, COMMON | {"payoffs", "base", "cycle"})
    given, profiles = certificate["payoffs"], certificate["cycle"]
    demand(size("payoffs", given) == 2, "payoffs: not of two agents")
    sizes = size("payoffs", given[0]), size("payoffs", given[0][0])
    own, base = tables(table("payoffs", given, 2, *sizes)), rational(certificate["base"])
    cycle = []
    for profile in range(size("cycle", profiles)):
        demand(size("cycle", profiles[profile]) == 2, "cycle: not of two agents")
        both = zip(profiles[profile], sizes, strict=True)
        cycle.append([table("cycle", shares, count) for shares, count in both])
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


def profile_of(x: Any) -> list[int]:
    """Two actions, each 0 or 1."""
    fine = type(x) is list and len(x) == 2 and all(type(a) is int and a in (0, 1) for a in x)
    demand(fine, f"{x!r} is not a profile")
    return list(x)


def gain(own: Any, limit: int, other: Any) -> Fraction:
    """What the own action ``limit`` pays more than the other one, against ``other``."""
    u = mean(own, other)
    return u[limit] - u[1 - limit]


def check_wrong_limit(certificate: dict[str, Any]) -> tuple[Fraction, Fraction]:
    """(the optimum's payoff, more than the soft value times 1 − γ at the last α), of agent 0."""
    uniform = certificate["limit"] == "uniform"
    more = {"payoffs", "optimum", "limit"} | (set() if uniform else {"enclosures"})
    keys(certificate, COMMON | more)
    payoffs, optimum = table("payoffs", certificate["payoffs"], 2, 2, 2), certificate["optimum"]
    profile_of(optimum)
    best = [own_payoffs[optimum[0]][optimum[1]] for own_payoffs in payoffs]
    demand(
        best == [max(map(max, own_payoffs)) for own_payoffs in payoffs], "optimum: not a global one"
    )
    own, half = tables(payoffs), [Fraction(1, 2)] * 2
    if uniform:  # nobody ever moves from there
        demand(all(gain(mine, 0, half) == 0 for mine in own), "uniform play is left")
        values = [max(mean(mine, half)) for mine in own]
        demand(all(x < y for x, y in zip(values, best, strict=True)), "no worse than the optimum")
        return best[0], values[0]
    limit = profile_of(certificate["limit"])
    demand(limit == [1 - x for x in optimum], "limit: not opposite to the optimum")

    def plays(j: int, x: Fraction) -> list[Fraction]:  # agent j plays ``limit`` with probability x
        return [x, 1 - x] if limit[j] == 0 else [1 - x, x]

    starts = [gain(own[j], limit[j], half) for j in range(2)]
    ends = [gain(own[j], limit[j], plays(1 - j, Fraction(1))) for j in range(2)]
    demand(min(starts) >= 0 < max(starts) and min(ends) > 0, "some soft reply leaves the box")
    # so for every α the soft replies stay in the box; as α → 0, first one and then both tend to 1
    values, entropy = best, log(Fraction(2))[1]  # L_α(u) ≤ max u + α log 2
    size("enclosures", certificate["enclosures"])
    for row in certificate["enclosures"]:
        keys(row, {"alpha", "boxes"})
        alpha, boxes, values = rational(row["alpha"]), table("boxes", row["boxes"], 2, 2), []
        demand(alpha > 0, "alpha: not above 0")
        for j in range(2):
            others = [plays(1 - j, x) for x in boxes[1 - j]]
            replies = sorted(gain(own[j], limit[j], other) / alpha for other in others)
            low, high = chance(replies[0])[0], chance(replies[1])[1]
            demand(half[0] <= boxes[j][0] <= low <= high <= boxes[j][1] <= 1, "not into the box")
            top = max(max(mean(own[j], other)) for other in others)
            values.append(top + alpha * entropy)
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
    keys(certificate, COMMON | {"gamma", "alpha", "stay", "leaving", "intervals"})
    gamma, alpha, stay = (rational(certificate[key]) for key in ("gamma", "alpha", "stay"))
    leaving = certificate["leaving"]
    intervals = table("intervals", certificate["intervals"], 2, 2)
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


def statement(certificate: dict[str, Any]) -> str:
    """What a certificate says, made from what is checked."""
    if certificate["kind"] == "cycle":
        return (
            f"agents who all move at once to softmax(u/alpha), alpha = 1/log(base), base = "
            f"{certificate['base']}, go round {len(certificate['cycle'])} profiles for ever"
        )
    if certificate["kind"] == "wrong-limit":
        at, limit = certificate["optimum"], certificate["limit"]
        end = "stay at uniform play" if limit == "uniform" else f"end at {limit} as alpha -> 0"
        return f"{at} is best for both, and independent soft learners {end}, with less for both"
    return (
        f"the target of Eq. (5) as printed, with gamma = {certificate['gamma']}, alpha = "
        f"{certificate['alpha']}, one action that stays for {certificate['stay']} and "
        f"{certificate['leaving']} that leave, goes to and fro between two intervals for ever"
    )


def verify(certificate: dict[str, Any]) -> tuple[Fraction, Fraction]:
    """Both sides of a certificate, the left one larger; ``Rejected`` where it claims falsely."""
    if certificate["format"] != FORMAT:
        raise ValueError(f"format: not {FORMAT}")
    kind = certificate["kind"]
    demand(type(kind) is str and kind in CHECKS, f"kind: {kind!r} is unknown")
    left, right = CHECKS[kind](certificate)
    demand(type(certificate["claim"]) is str, "claim: not text")
    demand(certificate["statement"] == statement(certificate), "statement: not what was checked")
    demand(left > right, "no such relation")
    return left, right


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys all differ: of one that stands twice nobody knows which is meant."""
    found = dict(pairs)
    demand(len(found) == len(pairs), f"a key stands twice among {sorted(found)}")
    return found


def read(path: str) -> dict[str, Any]:
    """What stands in a file; ``ValueError`` where it is no object."""
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        certificate = json.load(file, object_pairs_hook=once)
    if type(certificate) is not dict:
        raise ValueError("not an object")
    return certificate


def main(arguments: list[str]) -> int:
    """Check the file that is named."""
    try:
        certificate = read(arguments[0])
        left, right = verify(certificate)
        print(f"accepted: {statement(certificate)}: {float(left):.6g} against {float(right):.6g}")
    except Exception as why:  # whatever a malformed file makes fail
        code, what = (1, "rejected") if isinstance(why, Rejected) else (2, "not a certificate")
        words = f"{why.args[0]}: missing" if isinstance(why, KeyError) else str(why) or repr(why)
        print(f"{what}: {words}"[:1000], file=sys.stderr)
        return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
