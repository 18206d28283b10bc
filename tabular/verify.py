"""Independent checker of certificates: rational arithmetic and the standard library, nothing else.
Use: python tabular/verify.py CERTIFICATE.json (exit code 0: right, 1: wrong, 2: not readable).
Recomputes that a bound fails on an exact game ("refutation": η − η_model > bound) or is attained
("equality"), or that Section 5.1's opponent term exceeds what the paper puts for it.
"""

import json
import sys
from fractions import Fraction

sys.set_int_max_str_digits(0)
KEYS = {"T": "transition", "T_hat": "model_transition", "R": "reward", "start": "initial"}
KEYS |= {"gamma": "gamma", "pi": "policies", "data": "data_policies"}
OPERATIONS = {"+": Fraction.__add__, "-": Fraction.__sub__, "*": Fraction.__mul__, "min": min}
OPERATIONS |= {"/": Fraction.__truediv__, "**": Fraction.__pow__, "max": max}
Rejected = type("Rejected", (Exception,), {})


def demand(condition, message):
    if not condition:
        raise Rejected(message)


def rational(x):
    if isinstance(x, list):
        return [rational(y) for y in x]
    demand(type(x) in (int, str), f"{x!r} is not an exact number")
    top, _, bottom = str(x).partition("/")
    return Fraction(int(top), int(bottom or 1))


def dot(x, y):
    return sum((a * b for a, b in zip(x, y, strict=True)), Fraction(0))


def push(d, matrix):
    return [dot(d, column) for column in zip(*matrix, strict=True)]


def tv(p, q):
    rows = (zip(x, y, strict=True) for x, y in zip(p, q, strict=True))
    return max(sum(abs(x - y) for x, y in row) for row in rows) / 2


def joint(policies):
    out = policies[0]
    for policy in policies[1:]:
        out = [[x * y for x in p for y in q] for p, q in zip(out, policy, strict=True)]
    return out


def chain(transition, reward, policies):
    policy = joint(policies)
    matrix = [push(p, rows) for p, rows in zip(policy, transition, strict=True)]
    return matrix, [dot(p, r) for p, r in zip(policy, reward, strict=True)]


def solve(matrix, right, gamma):  # v with v = right + γ matrix v, by Gauss–Jordan elimination
    n = range(len(right))
    rows = [[(s == u) - gamma * matrix[s][u] for u in n] + [right[s]] for s in n]
    for i in n:
        rows[i] = [x / rows[i][i] for x in rows[i]]  # diagonally dominant: no pivot is 0
        for r in n:
            if r != i and rows[r][i] != 0:
                rows[r] = [x - rows[r][i] * y for x, y in zip(rows[r], rows[i], strict=True)]
    return [row[-1] for row in rows]


def supremum(initial, matrix, error, proof):  # of d₀Pᵗe, and if it is reached: time_suprema.py
    d, ahead, best, seen = initial, error, Fraction(0), []
    for _ in range(proof["t"]):
        best, seen, ahead = max(best, dot(d, error)), [*seen, d], [dot(p, ahead) for p in matrix]
        d = push(d, matrix)
    if d in seen:
        return best, True
    h = rational(proof["majorant"])
    demand(all(x >= y for x, y in zip(h, ahead, strict=True)), "majorant: h is below P^t e")
    demand(all(dot(row, h) <= x for row, x in zip(matrix, h, strict=True)), "majorant: P h > h")
    upper = max(best, dot(initial, h))
    return upper, upper == max(best, dot(d, error))


def branched_return(game, k, lengths):
    """Σ_{t≤k} γᵗ d₀P̂_1…P̂_t r̂ + γ^{k+1} d₀ P_D (I − γP_D)⁻¹ P̂_1…P̂_k r̂, agents' models per nⱼ."""
    gamma, early, total = game["gamma"], game["start"], Fraction(0)
    moved, _ = chain(game["T"], game["R"], game["data"])
    late = push(solve([list(x) for x in zip(*moved, strict=True)], early, gamma), moved)
    lengths = [k if n is None else n for n in lengths or [k] * len(game["pi"])]
    for step in range(1, k + 2):
        agents = zip(game["hat"], game["pi"], lengths, strict=True)
        policies = [hat if step <= n or n == k else pi for hat, pi, n in agents]
        matrix, reward = chain(game["T_hat"], game["R"], policies)
        total += gamma ** (step - 1) * dot(early, reward)
        if step <= k:
            early, late = push(early, matrix), push(late, matrix)
    return total + gamma ** (k + 1) * dot(late, reward)


def quantities(game, case, about, proofs):
    shift = [tv(p, q) for p, q in zip(game["pi"], game["data"], strict=True)]
    worlds = zip(game["T"], game["T_hat"], strict=True)
    error = [[tv([x], [y]) for x, y in zip(*rows, strict=True)] for rows in worlds]
    start, world = game["start"], (game["T"], error)
    data, pi = (supremum(start, *chain(*world, game[x]), proofs[x]) for x in ("data", "pi"))
    hat = [tv(p, m) for p, m in zip(game["pi"], game["hat"], strict=True)]
    ego, rewards, n = shift[case["ego"]], sum(game["R"], []), Fraction(len(hat))
    names = {"gamma": game["gamma"], "k": Fraction(case.get("branch_length", 0)), "n": n}
    names |= {"r_max": max(map(abs, rewards)), "span": max(rewards) - min(rewards)}
    names |= {"eps_m": data[0] if about == "model" else pi[0], "eps_m_data": data[0]}
    names |= {"eps_m_sup": max(map(max, error)), "attained": data[1] and pi[1]}
    names |= {"eps_pi_ego": ego, "sum_eps_pi": sum(shift), "sum_eps_pi_opp": sum(shift) - ego}
    names |= {"eps_pi_joint": tv(joint(game["pi"]), joint(game["data"]))}
    names |= {"sum_eps_hat": sum(hat), "max_eps_hat": max(hat)}
    names |= {f"eps_pi_{j}": e for j, e in enumerate(shift)}
    return names | {f"eps_hat_{j}": e for j, e in enumerate(hat)}


def exp(x):
    terms = [Fraction(1)]
    for i in range(1, 90):
        terms.append(terms[-1] * x / i)
    demand(abs(x) <= 20, "exp beyond 20: the rest of Taylor's sum would not be below its last term")
    return sum(terms) - abs(terms[-1]), sum(terms) + abs(terms[-1])


def evaluate(tree, names):
    """Lower and upper value of ["+", x, y] and the like over names, numbers and further trees."""
    if not isinstance(tree, list):
        return (names[tree] if tree in names else rational(tree),) * 2
    name, low, high = tree[0], *evaluate(tree[1], names)
    if name == "exp":
        return exp(low)[0], exp(high)[1]
    if name in ("log", "sqrt"):  # the tree states what the value lies between
        a, b = rational(tree[2:])
        above, below = (exp(a)[1], exp(b)[0]) if name == "log" else (a * abs(a), b * abs(b))
        demand(above <= low <= high <= below, f"{name}: not between {a} and {b}")
        return a, b
    other = evaluate(tree[2], names)
    power = low == high and other[0] == other[1] in range(-999, 1000)
    demand(power or name != "**", f"exponent {other} is not usable")
    demand(name != "/" or not other[0] <= 0 <= other[1], "a division by zero")
    corners = [OPERATIONS[name](x, y) for x in (low, high) for y in other]
    return min(corners), max(corners)


def check_game(certificate):
    """(γ^first_t (η − η_model), normalised where the bound is; the bound), on the case."""
    case = certificate["case"]
    case = {"data_policies": case["policies"], "model_transition": case["transition"]} | case
    game = {name: rational(case[key]) for name, key in KEYS.items()}
    models = zip(game["pi"], case["opponent_models"], strict=True)
    game["hat"] = [p if m is None else rational(m) for p, m in models]
    tables = ("T", "T_hat", "pi", "data", "hat")
    rows = sum((rows for key in tables for rows in game[key]), [game["start"]])
    fine = all(min(p) >= 0 and sum(p) == 1 for p in rows) and 0 <= game["gamma"] < 1
    demand(fine and case["opponent_models"][case["ego"]] is None, "not a valid case")
    eta = dot(game["start"], solve(*chain(game["T"], game["R"], game["pi"]), game["gamma"]))
    demand(certificate["first_t"] in (0, 1), "first_t: the sum starts at 0 or 1")
    if {"model": True, "branched": False}[certificate["about"]]:
        learned = chain(game["T_hat"], game["R"], game["hat"])
        other = dot(game["start"], solve(*learned, game["gamma"]))
    else:
        other = branched_return(game, case["branch_length"], case.get("opponent_lengths"))
    scale = {"unnormalised": 1, "normalised": 1 - game["gamma"]}[certificate["convention"]]
    names = quantities(game, case, certificate["about"], certificate["proofs"])
    low, high = evaluate(certificate["bound"], names)
    exact = (names["attained"] and low == high) or certificate["kind"] == "refutation"
    demand(exact, "an error is not attained")
    return scale * game["gamma"] ** certificate["first_t"] * (eta - other), high


def verify(certificate):
    """Both sides of a certificate; ``Rejected`` where it claims something false."""
    known = certificate["kind"] in ("refutation", "equality", "opponent-term")
    demand(certificate["format"] == "bound-certificate/1" and known, "format or kind is unknown")
    if certificate["kind"] == "opponent-term":  # nⱼ = ⌊k min ε_π̂ / ε_π̂ʲ⌋
        k, errors = certificate["k"], rational(certificate["opponent_model"])
        left = sum((k * min(errors) // e + 1) * e for e in errors)
        right = rational(certificate["factor"]) * len(errors) * k * min(errors)
    else:
        left, right = check_game(certificate)
    demand(rational([certificate["left"], certificate["right"]]) == [left, right], "other sides")
    demand(left == right if certificate["kind"] == "equality" else left > right, "no such relation")
    return left, right


def main(arguments):
    try:
        with open(arguments[0], encoding="utf-8") as file:
            left, right = verify(certificate := json.load(file))
    except Exception as why:  # whatever a malformed file makes fail
        code, what = (1, "rejected") if isinstance(why, Rejected) else (2, "not a certificate")
        print(f"{what}: {why!r}", file=sys.stderr)
        return code
    print(f"accepted: {certificate['claim']}: {float(left):.6g} against {float(right):.6g}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
