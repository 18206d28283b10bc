"""Forged certificates: none that is false is accepted, and a checker that is weakened lets some in.

Mutants (``tests.support.certificate_mutants``) are decided by a second evaluation of the printed
statement (``tests.support.certificate_truth``), which shares nothing with the checkers.
"""

from __future__ import annotations

import ast
import copy
import itertools
import json
import random
from fractions import Fraction as F
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from bounds.formula.expression import written_bound
from bounds.library.published import find
from tabular import verify, verify_soft
from tabular.certificates.build import opponent_term, refutation
from tabular.certificates.check_file import CHECKERS, check_file
from tests.support.cases import latch, leak
from tests.support.certificate_mutants import Certificate, mutants, repaired, with_a_key_twice
from tests.support.certificate_truth import is_true

ROOT = Path(__file__).parents[3]
RECORDED = sorted((ROOT / "notebooks" / "data" / "audit" / "certificates").glob("*.json"))
#: Mutants that look for one hole, those of the usual tests, and those at night.
SOME, MANY = 1500, 20_000


@cache
def originals() -> tuple[Certificate, ...]:
    """The recorded certificates, and others for what those do not have in them."""
    found = [json.loads(path.read_text("utf-8")) for path in RECORDED]
    for text in (
        "sqrt(eps_m)/4",
        "exp(-span)*eps_m",
        "log(1 + eps_m)/9",
        "max(eps_m, gamma**2*eps_m)/9",
    ):
        found += [refutation(leak(), written_bound(text, "model", "unnormalised"))]
    found.append(refutation(leak(branch_length=5), find("theorem2-printed"), first_t=1))
    found.append(refutation(latch(2), written_bound("eps_m/7", "branched", "normalised")))
    found.append(opponent_term(3, [F(9, 10), F(1, 50), F(1, 10)], F(3)))
    attained = refutation(leak(), written_bound("(1 - eps_m)/9", "model", "unnormalised"))
    equality = attained | {"kind": "equality", "bound": attained["left"]}
    found.append(repaired(equality, verify))
    return tuple(found)


def checker_of(value: object) -> ModuleType | None:
    """The checker of a mutant's format."""
    name = value.get("format") if isinstance(value, dict) else None
    return CHECKERS.get(name) if isinstance(name, str) else None


def accepted(value: Certificate, checker: ModuleType | None = None) -> bool:
    checker = checker or checker_of(value)
    if checker is None:
        return False
    try:
        checker.verify(copy.deepcopy(value))
    except Exception:  # main turns all of them into exit codes 1 and 2
        return False
    return True


def test_the_originals_are_true_and_accepted() -> None:
    for value in originals():
        assert accepted(value), value["claim"]
        assert is_true(value), value["claim"]


def forged(count: int, seed: int) -> tuple[int, list[Certificate]]:
    """How many mutants were accepted, and those of them that are false."""
    rng, found, false = random.Random(seed), 0, []
    soft = [value for value in originals() if checker_of(value) is verify_soft]
    hard = [value for value in originals() if checker_of(value) is verify]
    for pool, checker, share in ((hard, verify, 3), (soft, verify_soft, 1)):
        for value in mutants(pool, checker, rng, count * share // 4):
            if accepted(value):
                found += 1
                if not is_true(value):
                    false.append(value)
    return found, false


def test_no_forged_certificate_is_accepted() -> None:
    found, false = forged(SOME, seed=0)
    assert found > SOME // 100  # some changes leave a statement true
    assert not false, json.dumps(false[0])


@pytest.mark.nightly
def test_no_forged_certificate_is_accepted_of_many() -> None:
    found, false = forged(MANY, seed=1)
    assert found > MANY // 100
    assert not false, json.dumps(false[0])


def test_a_key_that_stands_twice_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(0)
    for number in range(40):
        value = rng.choice(originals())
        path = tmp_path / f"{number}.json"
        path.write_text(with_a_key_twice(rng, value), "utf-8")
        checker = checker_of(value)
        assert checker is not None
        assert checker.main([str(path)]) == 1
        assert "a key stands twice" in capsys.readouterr().err
        assert check_file(path) in (1, 2)
        capsys.readouterr()


# A checker without one of its demands


class Without(ast.NodeTransformer):
    """Leaves out the ``number``-th call of ``demand`` in a module."""

    def __init__(self, number: int) -> None:
        self.number, self.seen, self.message = number, -1, ""

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        call = node.value
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Name)
            and call.func.id == "demand"
        ):
            self.seen += 1
            if self.seen == self.number:
                self.message = ast.unparse(call.args[1])
                return ast.copy_location(ast.Pass(), node)
        return node


def weakened(checker: ModuleType, number: int) -> tuple[ModuleType, str] | None:
    """The checker without its ``number``-th demand, and that demand's message."""
    source = Path(str(checker.__file__)).read_text("utf-8")
    without = Without(number)
    tree = ast.fix_missing_locations(without.visit(ast.parse(source)))
    if not without.message:
        return None
    module = ModuleType(f"{checker.__name__}_without_{number}")
    exec(compile(tree, module.__name__, "exec"), module.__dict__)
    return module, without.message


def changed(name: str, **changes: object) -> Certificate:
    """The recorded certificate of a claim with other entries at the top."""
    value = next(v for v in originals() if v["claim"] == name)
    return copy.deepcopy(value) | copy.deepcopy(changes)


def inside(name: str, **changes: object) -> Certificate:
    """The same with other entries in its case."""
    value = changed(name)
    return value | {"case": value["case"] | changes}


def loose(tree: object) -> Certificate:
    """A bound on a case whose ε_m is only known to lie between two numbers."""
    value = changed("theorem1-printed", bound=tree)
    states = len(value["case"]["initial"])
    value["proofs"] = {name: {"t": 0, "majorant": ["1"] * states} for name in ("data", "pi")}
    return value


def pennies(payoff: int, base: str, scale: F) -> Certificate:
    """The cycle of matching pennies with other payoffs, base and shares."""
    value = changed("theorem6-all-agents", base=base)

    def times(x: object, factor: F) -> object:
        return [times(y, factor) for y in x] if isinstance(x, list) else str(F(str(x)) * factor)

    value["payoffs"] = times(value["payoffs"], F(payoff) / scale)
    value["cycle"] = times(value["cycle"], scale)
    return value


ONE, RULE = "theorem1-printed", "nj-rule-optimal"
LIMIT = "theorem7-independent-stag-hunt"
HALF = ["-", "eps_m", "1/2"]  # its interval has zero inside where ε_m is loose


def soft_game(first: list[list[str]], second: list[list[str]], **changes: object) -> Certificate:
    """Other payoffs in the certificate of a wrong limit, with boxes that any gain maps inside."""
    boxes = [["1/2", "1"], ["1/2", "1"]]
    rows = [{"alpha": "1", "boxes": boxes}]
    return changed(LIMIT, payoffs=[first, second], enclosures=rows) | changes


def uniform(first: list[list[str]], second: list[list[str]]) -> Certificate:
    value = soft_game(first, second, limit="uniform")
    del value["enclosures"]
    return value


def forgeries() -> dict[str, list[Certificate]]:
    """Forgeries that one demand alone stops, by words of its message: chance seldom makes them."""
    one, limit, target = changed(ONE), changed(LIMIT), changed("theorem6-printed-target")
    cycle = changed("theorem6-all-agents")
    policy, term = one["case"]["policies"], changed("opponent-term-approximation")
    lengths = changed(RULE)["case"]["opponent_lengths"]
    stag, stag_too = limit["payoffs"]
    return {
        ": unknown": [one | {"more": 1}, limit | {"more": 1}, one | {"kind": "theorem"}],
        "is not written as": [limit | {"payoffs": [[["6/2", "0"], ["2", "2"]], stag_too]}],
        "entries": [
            inside(ONE, reward=[[*row, "0"] for row in one["case"]["reward"]]),
            limit
            | {
                "enclosures": [
                    {**row, "boxes": [[*b, "1"] for b in row["boxes"]]}
                    for row in limit["enclosures"]
                ]
            },
        ],
        "case: not a": [inside(ONE, format="stochastic-game-case/2")],
        "the ego agent has one": [
            inside(ONE, opponent_models=[policy[0], policy[1]]),
            inside(RULE, opponent_lengths=[1, *lengths[1:]]),
        ],
        "no branch_length": [inside("coupling-independent-form", opponent_lengths=[None, 1])],
        "exp beyond 20": [changed(ONE, bound=["min", ["exp", "-100"], "0"])],
        "{name}: of": [
            changed(ONE, bound=["sqrt", "-4", "-3", "0"]),
            changed(ONE, bound=["min", "0", ["sqrt", ["-", "0", "span"], "-9", "0"]]),
        ],
        "{name}: not between": [changed(ONE, bound=["sqrt", "4", "0", "1/10"])],
        "is not usable": [changed(ONE, bound=["min", "0", ["**", "4", "1/2"]])],
        "a power of zero": [loose(["min", "0", ["**", HALF, "-1"]])],
        "a division by zero": [loose(["min", "0", ["/", "1", HALF]])],
        "gamma: not in": [inside(ONE, gamma="-1/2"), inside(ONE, gamma="3/2")],
        "majorant: P h > h": [sinking()],
        "about: neither": [changed("theorem2-printed", about="branch")],
        "convention: unknown": [changed(ONE, convention="printed")],
        "out of range": [term | {"opponent_model": ["24", "1/100"]}, term | {"factor": "1/2"}],
        "is unknown": [one | {"kind": "theorem"}],
        "claim: not text": [one | {"claim": 1}, limit | {"claim": None}],
        "statement: not": [one | {"statement": "eta > 0"}, limit | {"statement": "eta > 0"}],
        "left, right: not": [one | {"left": str(F(one["left"]) + 1)}],
        "base: not above 1": [pennies(-1, "1/3", F(1))],
        "not a distribution": [pennies(1, "3", F(2)), pennies(1, "3", F(1, 2))],
        "another softmax": [cycle | {"base": "2"}, cycle | {"base": "5"}],
        "a profile comes twice": [cycle | {"cycle": 2 * cycle["cycle"]}],
        "not a global one": [soft_game([["3", "-5"], ["7/2", "0"]], [["3", "7/2"], ["-5", "0"]])],
        "uniform play is left": [uniform(stag, stag_too)],
        "no worse than the optimum": [
            uniform([["2", "0"], ["0", "2"]], [["1", "1"], ["1", "1"]]),
            soft_game(stag, [["3", "2"], ["0", "3"]]),
        ],
        "is not a profile": [limit | {"optimum": [False, False]}, limit | {"limit": [1.0, 1]}],
        "not into the box": [
            limit | {"enclosures": [{"alpha": "1", "boxes": [["9/10", "1"], ["9/10", "1"]]}]}
        ],
        "not a game": [target | {"alpha": "-1", "stay": "-" + target["stay"]}],
        "not into the other interval": [target | {"intervals": [["4", "41/10"], ["5", "51/10"]]}],
    }


def sinking() -> Certificate:
    """The error is in the second state, where play goes; the proof looks at the first one alone."""
    case = {
        "format": "stochastic-game-case/1",
        "gamma": "1/2",
        "actions": [1],
        "ego": 0,
        "initial": ["1", "0"],
        "transition": [[["0", "1"]], [["0", "1"]]],
        "model_transition": [[["0", "1"]], [["1", "0"]]],
        "reward": [["0"], ["1"]],
        "policies": [[["1"], ["1"]]],
        "opponent_models": [None],
    }
    proof = {"t": 0, "majorant": ["0", "1"]}
    return changed(ONE, case=case, bound="eps_m", first_t=0, proofs={"data": proof, "pi": proof})


#: Demands that nothing gets past for want of them, and why: what they keep out fails by itself.
REDUNDANT = {
    "an object is missing": "nothing but an object has keys",
    "{name}: missing": "every key is read",
    "is not an exact number": "no float or truth value is written as a fraction either",
    "actions: not a list of sizes": "no policies fit to no sizes, and no letter is a size",
    "initial: no state": "no distribution is empty",
    "not one for each agent": "the lists are gone through side by side, strictly",
    "opponent_lengths: too few": "the same",
    "branch_length: missing": "there is no k then",
    "opponent_model: no opponent": "there is no least error then",
    "a key stands twice": "seen in a file's text alone: test_a_key_that_stands_twice_is_refused",
    "not a list with entries": "nothing else has the entries that are asked for next",
    "too large": "it keeps the sums short; the enclosure would be right",
    "of two agents": "the tables that follow are asked for two",
    "an irrational step": "no fraction is the power, so another softmax it is",
    "not opposite": "against the optimum's action the optimum's own is best, so no gain is above 0",
    "leaves the box": "an enclosure that begins at one half is never inside, for its own rounding",
    "alpha: not above 0": "a negative one turns the gains round, and nothing is divided by 0",
    "the intervals meet": "the sides say the same",
    "kind: {kind!r} is unknown": "there is no check of another kind",
    "soft: 'no such relation": "each check has compared its sides already",
    "not falling": "no forgery is known; the argument about ends of intervals rests on it",
}


@pytest.mark.parametrize("checker", [verify, verify_soft], ids=lambda module: module.__name__)
def test_a_checker_without_one_of_its_demands_accepts_more(checker: ModuleType) -> None:
    """Every demand keeps something out, and the mutants or a forgery by hand find it."""
    pool = [value for value in originals() if checker_of(value) is checker]
    by_hand, number, unfound = forgeries(), 0, []
    prefix = "soft: " if checker is verify_soft else ""
    while (planted := weakened(checker, number)) is not None:
        module, message = planted
        number += 1
        if any(words in f"{prefix}{message}" for words in REDUNDANT):
            continue
        made = [
            forged for words, several in by_hand.items() if words in message for forged in several
        ]
        tried = [*made, *(repaired(value, module) for value in made)]
        by_chance = mutants(pool, module, random.Random(number), SOME)
        if not any(
            accepted(value, module) and not accepted(value, checker)
            for value in itertools.chain(tried, by_chance)
        ):
            unfound.append(message)
    assert number > 30
    assert not unfound
