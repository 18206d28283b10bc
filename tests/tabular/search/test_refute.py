"""The refuter: false bounds are refuted by exact games, valid ones proved, nothing is both."""

import json
import math
import random
import signal
from dataclasses import replace
from fractions import Fraction as F
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bounds.formula.bound import Bound
from bounds.formula.error_profile import ErrorProfile
from bounds.formula.expression import written_bound
from bounds.library.published import BOUNDS, find
from bounds.proofs.dominance import dominates
from bounds.shared.numbers import InputError
from tabular import verify
from tabular.cases.check import check
from tabular.cases.errors import measure
from tabular.cases.files import parse_case
from tabular.commands.main import main
from tabular.extremal.families import FAMILIES
from tabular.search import refute as refuter
from tabular.search.refute import Result, refute, tightest_game
from tabular.search.settings import Box, drawn, exact_profile, mutated, profiles

BRANCHED = "2*r_max*(k*eps_m + (k+1)*sum_eps_hat + gamma**(k+1)*sum_eps_pi/(1-gamma))"


def written(words: str, about: str = "branched", convention: str = "normalised") -> Bound:
    return written_bound(words, about, convention)  # type: ignore[arg-type]


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda b: f"{b.name}-{b.about}")
def test_every_bound_of_the_library_is_decided(bound: Bound) -> None:
    result = refute(bound)
    assert result.answer == ("valid" if bound.valid else "refuted")
    if result.certificate is not None:
        left, right = verify.verify(json.loads(json.dumps(result.certificate)))
        assert left > right
    elif bound.value is None:
        assert result.tightest is not None
        assert result.tightest.ratio <= 1
        # what the worst cases reach, the bound allows: rounding of 10⁻¹⁵/(1 − γ), 1 − γ ≥ 10⁻⁵
        assert min(result.looseness) >= 1 - 1e-9


#: A true bound and what a slip of the pen makes of it.
SLIPS = [
    ("k*eps_m", "(k-1)*eps_m"),
    ("k*eps_m", "eps_m"),
    ("k*eps_m", "k*eps_m**2"),
    ("2*r_max", "r_max"),
    ("2*r_max", "19/10*r_max"),
    ("2*r_max", "1"),
    ("(k+1)*sum_eps_hat", "k*sum_eps_hat"),
    ("(k+1)*sum_eps_hat", "(k+1)*max_eps_hat"),
    ("(k+1)*sum_eps_hat", "(k+1)*sum_eps_hat/n"),
    ("gamma**(k+1)", "gamma**(k+2)"),
    ("sum_eps_pi", "eps_pi_ego"),
    ("sum_eps_pi", "sum_eps_pi_opp"),
    ("/(1-gamma)", ""),
]


@pytest.mark.parametrize(("part", "slip"), SLIPS)
def test_every_slip_is_found(part: str, slip: str) -> None:
    assert refute(written(BRANCHED)).answer == "valid"
    result = refute(written(BRANCHED.replace(part, slip)))
    assert result.answer == "refuted"
    assert result.certificate is not None
    verify.verify(json.loads(json.dumps(result.certificate)))


@pytest.mark.parametrize(
    ("about", "convention", "words"),
    [
        ("model", "normalised", "span*(sum_eps_hat**(1/2) + log(1+gamma*eps_m_sup/(1-gamma)))"),
        ("model", "normalised", "span*(1-exp(-sum_eps_hat/(1-gamma)-gamma*eps_m_sup/(1-gamma)))"),
        ("model", "normalised", "2*r_max*sqrt(1-exp(-eps_m_sup-sum_eps_hat))/(1-gamma)"),
        ("model", "normalised", "min(span, 3*r_max*eps_m)"),
        ("branched", "normalised", "max(span/3, span*gamma**(k/2)*sum_eps_pi)"),
        ("branched", "normalised", "span/n + 0*k"),
        ("branched", "unnormalised", "r_max**2*100"),
        ("branched", "unnormalised", "0"),
        ("branched", "unnormalised", "-1 - eps_m"),
        ("model", "unnormalised", "100*span*(sum_eps_hat + gamma*eps_m)/(1-gamma)/n**3"),
    ],
)
def test_false_bounds_of_every_form_are_refuted_exactly(
    about: str, convention: str, words: str
) -> None:
    result = refute(written(words, about, convention))
    assert result.answer == "refuted"
    assert result.certificate is not None
    left, right = verify.verify(json.loads(json.dumps(result.certificate)))
    (verdict,) = check(
        parse_case(result.certificate["case"]), [written(words, about, convention)]
    ).verdicts
    assert float(left) == float(verdict.discrepancy)
    # the checker's upper value of roots and logarithms is within 10⁻¹² of theirs
    assert float(right) == pytest.approx(float(verdict.value), rel=1e-9, abs=1e-9)


def test_the_search_is_the_same_for_the_same_seed() -> None:
    bound = written("r_max*k*eps_m + sum_eps_hat*span + sum_eps_pi*span/(1-gamma)")
    first, second = refute(bound, seed=3), refute(bound, seed=3)
    assert first.certificate == second.certificate
    assert first.looseness == second.looseness


TERMS = (
    "span*eps_m*k",
    "span*sum_eps_hat*(k+1)",
    "2*r_max*gamma**(k+1)*sum_eps_pi/(1-gamma)",
    "span*eps_m_sup/(1-gamma)",
    "r_max*sum_eps_hat/(1-gamma)",
    "span*sum_eps_pi",
    "span*max_eps_hat*(n-1)",
)


@settings(max_examples=15)
@given(st.lists(st.sampled_from(["0", "1/2", "1", "2"]), min_size=7, max_size=7), st.booleans())
def test_no_bound_is_proved_and_refuted(weights: list[str], capped: bool) -> None:
    words = " + ".join(f"{w}*{term}" for w, term in zip(weights, TERMS, strict=True))
    bound = written(f"min(span, {words})" if capped else words)
    result = refute(bound)
    assert not (dominates(bound).holds and result.answer == "refuted")
    if result.answer == "valid":
        assert result.tightest is not None
        assert result.tightest.ratio <= 1


def test_a_bound_for_exact_opponents_is_judged_for_those() -> None:
    bound = written("span*(k*eps_m + gamma**(k+1)*sum_eps_pi/(1-gamma))")
    assert refute(bound).answer == "refuted"
    assert refute(replace(bound, exact_opponents=True)).answer == "valid"


#: Below the trivial bound by less than any game here misses it, in a form that no proof reaches.
OUT_OF_REACH = "span*(1 - (1-gamma)*exp(-k-9)/10**9 * (1-sum_eps_hat/n))"


def test_what_is_neither_proved_nor_refuted_is_undecided() -> None:
    result = refute(written(OUT_OF_REACH))
    assert result.answer == "undecided"
    assert result.certificate is None
    assert result.tightest is not None
    assert result.tightest.ratio <= 1


@pytest.mark.parametrize("words", ["span/(n-1)", "log(eps_m)", "sqrt(1-2*sum_eps_hat)", "1/k"])
def test_a_bound_needs_a_value_everywhere(words: str) -> None:
    with pytest.raises(InputError, match="has no real value at"):
        refute(written(words))


def simple(result: Result) -> int:
    assert result.certificate is not None
    return len(json.dumps(result.certificate["case"]))


def test_counterexamples_are_plain() -> None:
    """Theorem 2 as printed falls on a game of two states whose file a person can read."""
    result = refute(find("theorem2-printed"))
    assert result.certificate is not None
    assert len(result.certificate["case"]["initial"]) == 2
    assert simple(result) < 700


#: What was left undecided, or crashed, and is decided now.
MENDED = [
    ("valid", "branched", "unnormalised", "span/(1-gamma) + min(k, 1)*sum_eps_hat"),
    ("refuted", "branched", "unnormalised", "1e400"),
    ("refuted", "model", "unnormalised", "0.9999999999*span/(1-gamma)"),
    ("refuted", "branched", "normalised", "span*(1 - 1e-30)"),
]


@pytest.mark.parametrize(("answer", "about", "convention", "words"), MENDED)
def test_cases_that_were_reported(answer: str, about: str, convention: str, words: str) -> None:
    result = refute(written(words, about, convention))
    assert result.answer == answer
    if result.certificate is not None:
        left, right = verify.verify(json.loads(json.dumps(result.certificate)))
        assert left > right


def test_a_shift_that_counts_one_percent_too_little_is_refuted_by_three_states() -> None:
    """Theorem 1 with 0.99 Σε_π: a game with ε_m = 0, in which π plays what π_D never does."""
    words = "span*(gamma*(eps_m + 0.99*sum_eps_pi + sum_eps_hat)/(1-gamma) + sum_eps_hat)"
    result = refute(written(words, "model"))
    assert result.answer == "refuted"
    assert result.certificate is not None
    assert len(result.certificate["case"]["initial"]) == 3
    assert measure(parse_case(result.certificate["case"])).data.upper == 0
    verify.verify(json.loads(json.dumps(result.certificate)))


def test_words_follow_the_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where floats are below an attaining game, nothing says "not below"."""
    monkeypatch.setattr(refuter, "_certified", lambda bound, case: None)
    result = refute(written("0.9*span", "model"))
    assert result.answer == "undecided"
    assert result.tightest is not None
    assert result.tightest.ratio > 1
    (words,) = result.how
    assert words.startswith(f"below an attaining game in floats, {result.tightest.ratio:.6g} times")
    assert "not below" not in words


STOPPED = "stopped after {:g} seconds, before every proof and search had its turn"


def test_the_time_that_is_given_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proof that takes longer is stopped; the answer says so, with what was found until then."""
    bound = written("4*span/(1-gamma)**2")
    monkeypatch.setattr(refuter, "dominates", lambda _: signal.raise_signal(signal.SIGALRM))
    result = refute(bound, seconds=600)  # and this is when they are over
    assert result.answer == "undecided"
    assert result.how[0] == STOPPED.format(600)
    assert result.settings > 0
    assert result.tightest is not None
    nothing = refute(bound, seconds=1e-3)
    assert (nothing.answer, nothing.tightest, nothing.settings) == ("undecided", None, 0)
    assert nothing.how[0] == STOPPED.format(0.001)
    assert len(nothing.how) == 2


# --- the families: closed form and game agree ----------------------------------------------------

FRACTIONS = st.sampled_from([F(0), F(1, 20), F(1, 4), F(1, 2), F(1)])


@given(
    st.sampled_from(FAMILIES),
    st.integers(1, 3),
    st.data(),
    st.sampled_from([F(0), F(1, 2), F(19, 20)]),
    st.integers(0, 5),
)
def test_closed_forms_are_those_of_the_games(
    family: Any, n: int, draw: st.DataObject, gamma: F, k: int
) -> None:
    """Exactly: the errors that ``measured`` states, and the discrepancy."""
    about = draw.draw(st.sampled_from(family.about))
    shift = tuple(draw.draw(FRACTIONS) if family.shifts else F(0) for _ in range(n))
    hat = tuple(draw.draw(FRACTIONS) for _ in range(n - 1))
    # small errors make long games
    error = draw.draw(
        FRACTIONS if family.name == "latch" else st.sampled_from([F(0), F(1, 5), F(1, 2), F(1)])
    )
    kappa = (1 - shift[0]) * math.prod(1 - s - h for s, h in zip(shift[1:], hat, strict=True))
    if family.name.startswith("lanes") and (
        any(s + h > 1 for s, h in zip(shift[1:], hat, strict=True)) or kappa == 0
    ):
        return  # no lanes for these: nothing of the mass stays together
    length = min(k, family.max_k) if about == "branched" else None
    setting = ErrorProfile(gamma, shift, hat, model_sup=error, k=length, r_max=F(3), span=F(5))
    measured = family.measured(setting)
    case = family.build(setting, about)
    result = check(case)
    gap = result.model_discrepancy if about == "model" else result.branched_discrepancy
    assert gap == family.discrepancy(measured, about)
    errors = measure(case)
    assert tuple(errors.policy_shift) == shift
    assert tuple(errors.opponent_model[1:]) == hat
    assert (errors.r_max, errors.span) == (3, 5)
    expected = errors.data if about == "model" else errors.current
    assert expected.upper == (measured.model_data if about == "model" else measured.model_current)
    assert errors.model_sup <= measured.model_sup


# --- settings ------------------------------------------------------------------------------------


@given(
    st.integers(0, 2**32),
    st.integers(1, 5),
    st.sampled_from([None, 1, 4, 300]),
    st.booleans(),
    st.booleans(),
)
def test_settings_stay_in_the_box(
    seed: int, n: int, max_k: int | None, shifts: bool, hats: bool
) -> None:
    box = Box(n, max_k, shifts, hats)
    rng = np.random.default_rng(seed)
    rows = drawn(rng, 200, box)
    for _ in range(5):
        profiles(rows, box)  # validates every number
        assert rows[:, 1].max(initial=0) <= (max_k or 0)
        assert shifts or not rows[:, 5 : 5 + n].any()
        assert hats or not rows[:, 5 + n :].any()
        rows = mutated(rng, rows, box)
    for row in rows[:20]:
        profile = exact_profile(row, box, 20)
        assert profile.n == n
        assert profile.gamma.denominator <= 20


# --- the checker's functions ---------------------------------------------------------------------


@given(st.fractions(-15, 15, max_denominator=50))
def test_the_checker_encloses_the_exponential(x: F) -> None:
    low, high = verify.evaluate(["exp", "x"], {"x": (x, x)})
    assert low <= high
    # math.exp is right to 2⁻⁵² or so
    assert float(low) * (1 - 1e-14) <= math.exp(x) <= float(high) * (1 + 1e-14)
    assert high - low <= high / 10**20


@given(st.fractions(F(1, 50), 100, max_denominator=50), st.sampled_from(["log", "sqrt"]))
def test_the_checker_believes_no_wrong_enclosure(x: F, name: str) -> None:
    value = F(math.log(x) if name == "log" else math.sqrt(x))
    slack = F(1, 10**9)
    node = [name, "x", str(value - slack), str(value + slack)]
    assert verify.evaluate(node, {"x": (x, x)}) == (value - slack, value + slack)
    for low, high in ((value + slack, value + 2 * slack), (value - 2 * slack, value - slack)):
        with pytest.raises(verify.Rejected, match="not between"):
            verify.evaluate([name, "x", str(low), str(high)], {"x": (x, x)})


def test_the_checker_multiplies_enclosures_by_their_corners() -> None:
    wide = ["sqrt", "2", "1", "2"]
    assert verify.evaluate(["*", wide, "-3"], {}) == (-6, -3)
    assert verify.evaluate(["-", "0", wide], {}) == (-2, -1)
    assert verify.evaluate(["/", "1", wide], {}) == (F(1, 2), 1)
    assert verify.evaluate(["min", wide, "3/2"], {}) == (1, F(3, 2))
    assert verify.evaluate(["max", wide, "3/2"], {}) == (F(3, 2), 2)
    assert verify.evaluate(["**", wide, "2"], {}) == (1, 4)
    assert verify.evaluate(["**", ["-", wide, "3/2"], "2"], {}) == (0, F(1, 4))
    with pytest.raises(verify.Rejected, match="division by zero"):
        verify.evaluate(["/", "1", ["-", wide, "1"]], {})
    with pytest.raises(verify.Rejected, match="not usable"):
        verify.evaluate(["**", "2", wide], {})
    with pytest.raises(verify.Rejected, match="exp beyond 20"):
        verify.evaluate(["exp", "21"], {})


# --- the command ---------------------------------------------------------------------------------


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["refute", *words])
    out, err = capsys.readouterr()
    return code, out, err


def test_the_command_says_valid(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    picture = tmp_path / "loose.svg"
    code, out, _ = run(
        capsys, BRANCHED, "--about", "branched", "--convention", "normalised", "--json",
        "--plot", str(picture),
    )  # fmt: skip
    answer = json.loads(out)
    assert (code, answer["verdict"], answer["certificate"]) == (0, "valid", None)
    assert answer["about"] == "branched"
    assert {row["setting"] for row in answer["looseness"]} >= {"two agents", "one agent"}
    assert all(row["looseness"] >= 1 for row in answer["looseness"])
    assert picture.read_bytes().startswith(b"<?xml")
    assert answer["how"]


def test_the_command_refutes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ("r_max*sum_eps_hat/(1-gamma)", "--about", "model", "--convention", "normalised")
    code, out, _ = run(capsys, *words, "--out", str(tmp_path))
    assert code == 1
    assert out.startswith("refuted: r_max*sum_eps_hat/(1 - gamma)")
    path = tmp_path / "refuted-model.json"
    assert str(path) in out
    assert verify.main([str(path)]) == 0
    capsys.readouterr()
    before = path.read_bytes()
    code, out, _ = run(capsys, *words, "--out", str(tmp_path), "--json")
    assert json.loads(out)["certificate"] == str(tmp_path / "refuted-model-2.json")
    assert path.read_bytes() == before


def test_nothing_is_written_unasked(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("--about", "branched", "--convention", "normalised")
    code, out, _ = run(capsys, "span/2", *words)
    assert code == 1
    assert "--out FOLDER writes the certificate" in out
    code, out, _ = run(capsys, "span/2", *words, "--json")
    assert (code, json.loads(out)["certificate"]) == (1, None)
    code, out, _ = run(capsys, OUT_OF_REACH, *words)
    assert code == 3
    assert list(tmp_path.iterdir()) == []


def test_the_command_is_stopped_in_time(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("span*k", "--about", "branched", "--convention", "normalised")
    code, out, _ = run(capsys, *words, "--seconds", "0.01")
    assert code == 3
    assert "stopped after 0.01 seconds" in out
    code, _, err = run(capsys, *words, "--seconds", "0")
    assert code == 2
    assert "--seconds" in err


def test_the_command_says_undecided_and_leaves_the_tightest_game(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = OUT_OF_REACH
    args = ("--about", "branched", "--convention", "normalised", "--out", str(tmp_path))
    code, out, _ = run(capsys, words, *args)
    assert code == 3
    assert "undecided" in out
    case = parse_case(json.loads((tmp_path / "tightest-branched.json").read_text("utf-8")))
    (verdict,) = check(case, [written(words)]).verdicts
    assert f"discrepancy / bound {float(verdict.tightness):.3f}"[:20] in out
    code, out, _ = run(capsys, words, *args, "--json")
    assert json.loads(out)["tightest"]["case"].endswith("tightest-branched-2.json")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("gama", "--about", "model", "--convention", "normalised"), "did you mean gamma"),
        (("k", "--about", "model", "--convention", "normalised"), "not branched"),
        (("span/(n-1)", "--about", "model", "--convention", "normalised"), "no real value"),
        (("span", "--about", "both", "--convention", "normalised"), "about"),
        (("span", "--about", "model"), "convention"),
        (("span", "--about", "model", "--convention", "normalised", "--seed", "-1"), "--seed"),
        (
            ("span", "--about", "model", "--convention", "normalised", "--plot", "x.gif"),
            "end it in .png",
        ),
        (("k" * 10**6, "--about", "model", "--convention", "normalised"), "are read"),
    ],
)
def test_what_is_no_bound_ends_in_one_line(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_picture_is_not_overwritten(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_text("mine")
    code, _, err = run(
        capsys, "span", "--about", "model", "--convention", "normalised", "--plot", str(picture)
    )
    assert code == 2
    assert "exists" in err
    assert picture.read_text() == "mine"


def test_the_tightest_game_is_the_one_that_was_found() -> None:
    result = refute(find("theorem1-normalised"))
    case = tightest_game(result)
    assert case is not None
    (verdict,) = check(case, [result.bound]).verdicts
    assert result.tightest is not None
    # its numbers were rounded to denominators of 10⁶
    assert float(verdict.tightness) == pytest.approx(result.tightest.ratio, abs=1e-3)


def test_random_order_does_not_matter() -> None:
    """The bounds' verdicts do not depend on what else was judged before."""
    names = ["theorem1-printed", "mbpo-4.1", "theorem2-normalised"]
    expected = {name: refute(find(name)).looseness for name in names}
    random.Random(0).shuffle(names)
    assert {name: refute(find(name)).looseness for name in names} == expected
