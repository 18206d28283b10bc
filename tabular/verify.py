"""Independent checker of certificates: rational arithmetic and the standard library, nothing else.

Use: python tabular/verify.py CERTIFICATE.json
Exit code 0: right; 1: it claims something false; 2: it is no certificate of this format.

Three kinds: on an exact game the real return exceeds that of the model or of branches by more than
a bound ("refutation") or by just as much ("equality"); Section 5.1's opponent term exceeds the
stated multiple of what the paper puts for it ("opponent-term"). The bound is a tree ["+", x, y] of
operations; what is printed is made from the tree, and ``statement`` has to be the same.
"""

import json
import sys
from fractions import Fraction

sys.set_int_max_str_digits(0)
FORMAT, CASE = "bound-certificate/1", "stochastic-game-case/1"
COMMON = {"format", "kind", "claim", "statement", "source", "left", "right"}
GAME = COMMON | {"about", "convention", "first_t", "bound", "proofs", "case"}
TERM = COMMON | {"k", "opponent_model", "factor"}
CASE_KEYS = {"format", "gamma", "actions", "ego", "initial", "transition", "reward", "policies"}
CASE_KEYS |= {"opponent_models"}
CASE_MORE = {"data_policies", "model_transition", "branch_length", "opponent_lengths"}
TERM_SAYS = (
    "sum_j (n_j + 1) eps_hat_j > factor * (n - 1) * k * min_j eps_hat_j, "
    "n_j = floor(k * min_j' eps_hat_j' / eps_hat_j)"
)
ARITHMETIC = {"+": Fraction.__add__, "-": Fraction.__sub__, "*": Fraction.__mul__}
ARITHMETIC |= {"/": Fraction.__truediv__, "**": Fraction.__pow__, "min": min, "max": max}
LEVELS = {"+": 1, "-": 1, "*": 2, "/": 2, "**": 3}


class Rejected(Exception):
    """The certificate claims something false, or is not what it seems."""


def demand(condition, message):
    if not condition:
        raise Rejected(message)


def keys(thing, needed, more=()):
    demand(type(thing) is dict, "an object is missing")
    for name in sorted({*thing} ^ {*needed}):
        demand(name in thing, f"{name}: missing")
        demand(name in needed or name in more, f"{name}: unknown")


def whole(where, x, low, high=None):
    fine = type(x) is int and low <= x and (high is None or x <= high)
    demand(fine, f"{where}: {x!r} is not a whole number from {low} to {high}")
    return x


def rational(x):  # a whole number, or a string that is a fraction in its lowest terms
    fine = type(x) in (int, str) and {*str(x)} <= {*"-/0123456789"}
    demand(fine, f"{x!r} is not an exact number")
    value = Fraction(x)
    demand(str(value) == str(x), f"{x!r} is not written as {value}")
    return value


def table(where, x, *sizes):  # nested lists of exactly these sizes
    if not sizes:
        return rational(x)
    demand(type(x) is list and len(x) == sizes[0], f"{where}: not {sizes[0]} entries")
    return [table(where, y, *sizes[1:]) for y in x]


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


def supremum(where, initial, matrix, error, proof):  # between which numbers sup_t d₀Pᵗe lies
    keys(proof, {"t", "majorant"})
    d, ahead, best, seen = initial, error, Fraction(0), []
    for _ in range(whole(f"{where}: t", proof["t"], 0, 100_000)):
        best, seen, ahead = max(best, dot(d, error)), [*seen, d], [dot(p, ahead) for p in matrix]
        d = push(d, matrix)
    if d in seen:
        return best, best
    h = table(f"{where}: majorant", proof["majorant"], len(initial))
    demand(all(x >= y for x, y in zip(h, ahead, strict=True)), "majorant: h is below P^t e")
    demand(all(dot(row, h) <= x for row, x in zip(matrix, h, strict=True)), "majorant: P h > h")
    return max(best, dot(d, error)), max(best, dot(initial, h))


def game_of(case):
    """The game and all policies of a case, with every size and every distribution checked."""
    keys(case, CASE_KEYS, CASE_MORE)
    demand(case["format"] == CASE, f"case: not a {CASE}")
    case = {"data_policies": case["policies"], "model_transition": case["transition"]} | case
    demand(type(case["actions"]) is list and case["actions"] != [], "actions: not a list of sizes")
    demand(type(case["initial"]) is list and case["initial"] != [], "initial: no state")
    sizes = [whole("actions", size, 1) for size in case["actions"]]
    states, joint_actions, ego = len(case["initial"]), 1, case["ego"]
    for size in sizes:
        joint_actions *= size
    whole("ego", ego, 0, len(sizes) - 1)
    game = {"gamma": rational(case["gamma"]), "start": table("initial", case["initial"], states)}
    for name, key in (("T", "transition"), ("T_hat", "model_transition")):
        game[name] = table(key, case[key], states, joint_actions, states)
    game["R"] = table("reward", case["reward"], states, joint_actions)
    for name, key in (("pi", "policies"), ("data", "data_policies"), ("hat", "opponent_models")):
        given = case[key]
        demand(type(given) is list and len(given) == len(sizes), f"{key}: not one for each agent")
        if name == "hat":  # who is not modelled is played for real, the ego agent always
            demand(given[ego] is None, "opponent_models: the ego agent has one")
            given = [p if m is None else m for m, p in zip(given, case["policies"], strict=True)]
        pairs = zip(given, sizes, strict=True)
        game[name] = [table(key, policy, states, size) for policy, size in pairs]
    rows = [game["start"], *(row for name in ("T", "T_hat") for rows in game[name] for row in rows)]
    rows += [row for name in ("pi", "data", "hat") for policy in game[name] for row in policy]
    demand(all(min(row) >= 0 and sum(row) == 1 for row in rows), "case: not a distribution")
    demand(0 <= game["gamma"] < 1, "gamma: not in [0, 1)")
    if "branch_length" in case:
        game["k"] = whole("branch_length", case["branch_length"], 0, 100_000)
        lengths = case.get("opponent_lengths") or [None] * len(sizes)
        demand(type(lengths) is list and len(lengths) == len(sizes), "opponent_lengths: too few")
        demand(lengths[ego] is None, "opponent_lengths: the ego agent has one")
        known = [game["k"] if n is None else n for n in lengths]
        game["lengths"] = [whole("opponent_lengths", n, 0, game["k"]) for n in known]
    demand("k" in game or "opponent_lengths" not in case, "opponent_lengths: no branch_length")
    return game


def branched_return(game):
    """Σ_{t≤k} γᵗ d₀P̂_1…P̂_t r̂ + γ^{k+1} d₀ P_D (I − γP_D)⁻¹ P̂_1…P̂_k r̂, agents' models per nⱼ."""
    gamma, k, early, total = game["gamma"], game["k"], game["start"], Fraction(0)
    moved, _ = chain(game["T"], game["R"], game["data"])
    late = push(solve([list(x) for x in zip(*moved, strict=True)], early, gamma), moved)
    for step in range(1, k + 2):
        agents = zip(game["hat"], game["pi"], game["lengths"], strict=True)
        policies = [hat if step <= n or n == k else pi for hat, pi, n in agents]
        matrix, reward = chain(game["T_hat"], game["R"], policies)
        total += gamma ** (step - 1) * dot(early, reward)
        if step <= k:
            early, late = push(early, matrix), push(late, matrix)
    return total + gamma ** (k + 1) * dot(late, reward)


def quantities(game, ego, about, proofs):
    """What the names of a bound mean: between which numbers each lies, the same twice if known."""
    shift = [tv(p, q) for p, q in zip(game["pi"], game["data"], strict=True)]
    hat = [tv(p, m) for p, m in zip(game["pi"], game["hat"], strict=True)]
    worlds = zip(game["T"], game["T_hat"], strict=True)
    error = [[tv([x], [y]) for x, y in zip(*rows, strict=True)] for rows in worlds]
    rewards = sum(game["R"], [])
    names = {"gamma": game["gamma"], "n": Fraction(len(hat)), "r_max": max(map(abs, rewards))}
    names |= {"span": max(rewards) - min(rewards), "eps_m_sup": max(map(max, error))}
    names |= {"eps_pi_ego": shift[ego], "sum_eps_pi": sum(shift), "sum_eps_hat": sum(hat)}
    names |= {"sum_eps_pi_opp": sum(shift) - shift[ego], "max_eps_hat": max(hat)}
    names |= {"eps_pi_joint": tv(joint(game["pi"]), joint(game["data"]))}
    names |= {f"eps_pi_{j}": e for j, e in enumerate(shift)}
    names |= {f"eps_hat_{j}": e for j, e in enumerate(hat) if j != ego}
    names |= {"k": Fraction(game["k"])} if "k" in game else {}
    known = {name: (value, value) for name, value in names.items()}
    keys(proofs, {"data", "pi"})
    for name in proofs:
        worlds = chain(game["T"], error, game[name])
        known[name] = supremum(f"proofs: {name}", game["start"], *worlds, proofs[name])
    known |= {"eps_m_data": known.pop("data"), "eps_m": known.pop("pi")}
    return known | ({"eps_m": known["eps_m_data"]} if about == "model" else {})


def exp(x):  # e^x lies between the two: the rest of Taylor's sum is below its last term
    demand(abs(x) <= 20, "exp beyond 20")
    terms = [Fraction(1)]
    for i in range(1, 90):
        terms.append(terms[-1] * x / i)
    return sum(terms) - abs(terms[-1]), sum(terms) + abs(terms[-1])


def evaluate(tree, names):
    """Between which numbers the value of ["+", x, y] and the like lies."""
    if type(tree) is not list:
        known = type(tree) is str and tree in names
        return names[tree] if known else (rational(tree),) * 2
    name = tree[0] if tree and type(tree[0]) is str else None
    count = {"exp": 2, "log": 4, "sqrt": 4}.get(name, 3)
    demand(len(tree) == count and (name in ARITHMETIC or count != 3), f"{name}: not an operation")
    low, high = evaluate(tree[1], names)
    if name == "exp":
        return exp(low)[0], exp(high)[1]
    if name in ("log", "sqrt"):  # the tree states what the value lies between
        a, b = map(rational, tree[2:])
        demand(a <= b and low >= 0 and (low > 0 or name == "sqrt"), f"{name}: of {low}")
        if name == "log":
            fine = exp(a)[1] <= low and high <= exp(b)[0]
        else:
            fine = (a <= 0 or a * a <= low) and b >= 0 and high <= b * b
        demand(fine, f"{name}: not between {a} and {b}")
        return a, b
    other = evaluate(tree[2], names)
    if name == "**":
        power = other[0]
        fine = power == other[1] and power.denominator == 1 and abs(power) < 1000
        demand(fine, f"exponent {other} is not usable")
        demand(power >= 0 or not low <= 0 <= high, "a power of zero")
        corners = [low**power, high**power]
        # an even power of what may be 0 is least there
        corners += [Fraction(0)] if low < 0 < high and power > 0 else []
        return min(corners), max(corners)
    demand(name != "/" or not other[0] <= 0 <= other[1], "a division by zero")
    corners = [ARITHMETIC[name](x, y) for x in (low, high) for y in other]
    return min(corners), max(corners)


def text(tree, outer=0):
    """A tree as arithmetic, with the parentheses that it needs."""
    if type(tree) is not list:
        level = 1 if str(tree).startswith("-") else 2 if "/" in str(tree) else 4
        return f"({tree})" if level < outer else str(tree)
    name, *parts = tree
    if name not in LEVELS:  # of a logarithm and a root what encloses the value is left out
        parts = parts[:1] if name in ("log", "sqrt") else parts
        return f"{name}({', '.join(map(text, parts))})"
    level, gap = LEVELS[name], "" if name in ("*", "/", "**") else " "
    right = text(parts[1], level + (name in ("-", "/", "**")))
    body = f"{text(parts[0], level + (name == '**'))}{gap}{name}{gap}{right}"
    return f"({body})" if level < outer else body


def statement(certificate):
    """What a certificate says, made from what is checked."""
    if certificate["kind"] == "opponent-term":
        return TERM_SAYS
    start = "gamma * " if certificate["first_t"] else ""
    scale = "(1 - gamma) * " if certificate["convention"] == "normalised" else ""
    relation = "=" if certificate["kind"] == "equality" else ">"
    gap = f"(real return - {certificate['about']} return)"
    return f"{start}{scale}{gap} {relation} {text(certificate['bound'])}"


def check_game(certificate):
    """γ^first_t (η − η_model), normalised where the bound is, and the bound's least and most."""
    case, about = certificate["case"], certificate["about"]
    game, first_t = game_of(case), whole("first_t", certificate["first_t"], 0, 1)
    demand(about in ("model", "branched"), "about: neither model nor branched")
    demand(certificate["convention"] in ("unnormalised", "normalised"), "convention: unknown")
    eta = dot(game["start"], solve(*chain(game["T"], game["R"], game["pi"]), game["gamma"]))
    if about == "model":
        learned = chain(game["T_hat"], game["R"], game["hat"])
        other = dot(game["start"], solve(*learned, game["gamma"]))
    else:
        demand("k" in game, "branch_length: missing")
        other = branched_return(game)
    scale = 1 - game["gamma"] if certificate["convention"] == "normalised" else 1
    names = quantities(game, case["ego"], about, certificate["proofs"])
    left = scale * game["gamma"] ** first_t * (eta - other)
    return left, *evaluate(certificate["bound"], names)


def check_term(certificate):
    """Both sides of Section 5.1's ≃, the right one times ``factor``; nⱼ = ⌊k min ε_π̂ / ε_π̂ʲ⌋."""
    k, errors = whole("k", certificate["k"], 1, 100_000), certificate["opponent_model"]
    demand(type(errors) is list and errors != [], "opponent_model: no opponent")
    errors, factor = [rational(e) for e in errors], rational(certificate["factor"])
    demand(all(0 < e <= 1 for e in errors) and factor >= 1, "an error or a factor out of range")
    left = sum((k * min(errors) // e + 1) * e for e in errors)
    right = factor * len(errors) * k * min(errors)
    return left, right, right


def verify(certificate):
    """Both sides of a certificate; ``Rejected`` where it claims something false."""
    if certificate["format"] != FORMAT:
        raise ValueError(f"format: not {FORMAT}")
    kind = certificate["kind"]
    demand(kind in ("refutation", "equality", "opponent-term"), f"kind: {kind!r} is unknown")
    keys(certificate, TERM if kind == "opponent-term" else GAME, {"note"})
    demand(all(type(certificate[key]) is str for key in ("claim", "source")), "claim: not text")
    left, low, right = (check_term if kind == "opponent-term" else check_game)(certificate)
    demand(certificate["statement"] == statement(certificate), "statement: not what the tree says")
    sides = [rational(certificate[key]) for key in ("left", "right")]
    demand(sides == [left, right], f"left, right: not {left}, {right}")
    demand(left == low == right if kind == "equality" else left > right, "no such relation")
    return left, right


def once(pairs):  # of a key that stands twice nobody knows which is meant
    found = dict(pairs)
    demand(len(found) == len(pairs), f"a key stands twice among {sorted(found)}")
    return found


def read(path):
    """What stands in a file; ``ValueError`` where it is no object."""
    with open(path, encoding="utf-8") as file:
        certificate = json.load(file, object_pairs_hook=once)
    if type(certificate) is not dict:
        raise ValueError("not an object")
    return certificate


def near(x):
    try:
        return f"{float(x):.6g}"
    except OverflowError:
        return f"a number of {len(str(abs(x.numerator // x.denominator)))} digits"


def main(arguments):
    try:
        certificate = read(arguments[0])
        left, right = verify(certificate)
        print(f"accepted: {statement(certificate)}: {near(left)} against {near(right)}")
    except Exception as why:  # whatever a malformed file makes fail
        code, what = (1, "rejected") if isinstance(why, Rejected) else (2, "not a certificate")
        words = f"{why.args[0]}: missing" if isinstance(why, KeyError) else str(why) or repr(why)
        print(f"{what}: {words}"[:1000], file=sys.stderr)
        return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
