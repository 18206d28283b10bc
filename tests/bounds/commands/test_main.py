"""``python -m bounds``: exact answers on standard output, or one line on standard error and 2."""

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounds.commands.main import main
from bounds.commands.setting import MAX_K
from bounds.formula.bound import Bound
from bounds.formula.error_profile import ErrorProfile
from bounds.formula.symbols import SYMBOLS
from bounds.formula.tree import formula_text
from bounds.library.published import BOUNDS, find, names
from tests.support.profiles import FEW, profiles
from tests.support.published_bounds import EVERY, ONE_FORMULA

ROOT = Path(__file__).parents[3]
THEOREM1 = ["evaluate", "theorem1-printed", "--gamma", "9/10"]
THEOREM2 = ["evaluate", "theorem2-printed", "--gamma", "9/10"]


@pytest.fixture(autouse=True)
def digits() -> Iterator[None]:
    """Long answers lift Python's limit on printed digits; put it back for the other tests."""
    before = sys.get_int_max_str_digits()
    yield
    sys.set_int_max_str_digits(before)


def run(*arguments: str) -> tuple[int, str, str]:
    """(exit code, standard output, standard error) of the command line, in this process."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(arguments)
        except SystemExit as stop:
            code = 0 if stop.code is None else int(stop.code)
    return code, written(out), written(err)


def written(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


def answer(*arguments: str) -> str:
    """What a command that succeeds prints."""
    code, out, err = run(*arguments)
    assert (code, err) == (0, "")
    return out


def complaint(*arguments: str) -> str:
    """The one line with which wrong input ends."""
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("python -m bounds: ")
    assert err.endswith("\n")
    assert len(err.splitlines()) == 1
    assert "Traceback" not in err
    return err.rstrip()


def python(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bounds", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120, **options,
    )  # fmt: skip


# Listing and showing


def test_list_has_a_line_a_bound() -> None:
    lines = answer("list").splitlines()
    assert len(lines) == len(BOUNDS)
    for line, bound in zip(lines, BOUNDS, strict=True):
        assert line.split()[:3] == [bound.name, bound.about, bound.convention]
        assert line.endswith(formula_text(bound) or "its source")


def test_list_as_json_says_the_same() -> None:
    listed = json.loads(answer("list", "--json"))
    assert list(listed) == ["bounds"]
    assert len(listed["bounds"]) == len(BOUNDS)
    for row, bound in zip(listed["bounds"], BOUNDS, strict=True):
        assert row == {
            "name": bound.name,
            "about": bound.about,
            "convention": bound.convention,
            "valid": bound.valid,
            "formula": formula_text(bound),
            "hypotheses": list(bound.hypotheses),
            "source": bound.source,
        }


@pytest.mark.parametrize("name", names())
def test_show_says_all_of_a_bound(name: str) -> None:
    out = answer("show", name)
    for bound in (b for b in BOUNDS if b.name == name):
        assert f"{bound.name}, about the {bound.about} return, {bound.convention}" in out
        assert bound.source in out
        for symbol in bound.symbols:
            assert f"{symbol}: {SYMBOLS[symbol].meaning}" in out
        assert all(hypothesis in out for hypothesis in bound.hypotheses)
        if bound.symbols:
            assert formula_text(bound) in out
            assert bound.latex in out


def test_help_is_printed_and_is_no_error() -> None:
    for arguments in ((), ("--help",), ("-h",)):
        out = answer(*arguments)
        assert all(command in out for command in ("list", "show", "evaluate", "plot"))
    for command in ("list", "show", "evaluate", "plot"):
        assert "usage: python -m bounds" in answer(command, "--help")
    assert "--opponent-lengths" in answer("evaluate", "--help")


# Evaluating


def flags(p: ErrorProfile, error: Any, branched: bool) -> list[str]:
    """The command line of ``p`` with one model error of every kind."""
    given_ = ["--gamma", str(p.gamma), "--model-error", str(error), "--r-max", str(p.r_max)]
    given_ += ["--span", str(p.span), "--policy-shift", *map(str, p.policy_shift)]
    if p.opponent_model:
        given_ += ["--opponent-model", *map(str, p.opponent_model)]
    if branched:
        given_ += ["--k", str(p.k)]
        if p.opponent_lengths:
            given_ += ["--opponent-lengths", *map(str, p.opponent_lengths)]
    return given_


@pytest.mark.parametrize("bound", EVERY)
@FEW
@given(p=profiles(most_steps=5, opponents=2))
def test_evaluate_gives_the_exact_value(bound: Bound, p: ErrorProfile) -> None:
    error = p.model_data
    p = p.with_(model_current=error, model_sup=error, joint_policy_shift=None)
    if bound.exact_opponents:  # others are refused, below
        p = p.with_(opponent_model=(0,) * (p.n - 1))
    branched = bound.about == "branched"
    out = answer(
        "evaluate", bound.name, "--about", bound.about, "--json", *flags(p, error, branched)
    )
    value = bound.evaluate(p)
    assert json.loads(out) == {
        "name": bound.name,
        "about": bound.about,
        "convention": bound.convention,
        "value": str(value),
        "float": float(value),
        "largest": str(bound.largest(p)),
        "vacuous": bool(value >= bound.largest(p)),
        "source": bound.source,
    }


def test_the_answer_for_people() -> None:
    assert answer(*THEOREM1, "--model-error", "1/20").splitlines() == [
        "theorem1-printed (model return, unnormalised)",
        "  value    0.9  = 9/10",
        "  largest  20  possible discrepancy in this convention",
    ]
    vacuous = answer(*THEOREM2, "--model-error", "1", "--k", "12", "--r-max", "2/3")
    assert vacuous.splitlines() == [
        "theorem2-printed (branched return, unnormalised)",
        "  value    16  = 16",
        "  largest  13.33333333  possible discrepancy in this convention: the bound says nothing",
    ]


def test_the_return_follows_from_k_where_one_name_covers_two() -> None:
    arguments = ["evaluate", "coupling-sup", "--gamma", "1/2", "--json"]
    assert json.loads(answer(*arguments))["about"] == "model"
    assert json.loads(answer(*arguments, "--k", "3"))["about"] == "branched"
    both = answer(*arguments, "--k", "3", "--about", "model")
    assert json.loads(both)["about"] == "model"


@given(st.integers(0, 999), st.integers(0, 100), st.integers(0, 100), st.integers(0, 12))
@FEW
def test_decimals_equal_rationals(gamma: int, shift: int, hat: int, k: int) -> None:
    def command(per_thousand: str, shift: str, hat: str, k: str) -> str:
        return answer(
            "evaluate", "theorem2-normalised", "--json", "--gamma", per_thousand, "--k", k,
            "--policy-shift", shift, "0", "--opponent-model", hat, "--model-error", shift,
        )  # fmt: skip

    rational = command(f"{gamma}/1000", f"{shift}/100", f"{hat}/100", str(k))
    assert rational == command(f"{gamma / 1000:.3f}", f"{shift}e-2", f"{hat / 100:.2f}", f"{k}.0")
    profile = ErrorProfile(
        Fraction(gamma, 1000),
        (Fraction(shift, 100), 0),
        (Fraction(hat, 100),),
        model_current=Fraction(shift, 100),
        k=k,
    )
    value = find("theorem2-normalised").evaluate(profile)
    assert Fraction(json.loads(rational)["value"]) == value


def test_long_answers_are_exact_as_json() -> None:
    arguments = [*THEOREM2, "--k", "9999", "--policy-shift", "1/10"]
    out = json.loads(answer(*arguments, "--json"))
    shift = Fraction(9, 10) ** 10000 / 10
    assert out["value"] == str(2 * (shift + shift * 10))
    assert "(exact with --json)" in answer(*arguments)


def test_a_bound_without_opponent_models_refuses_their_errors() -> None:
    arguments = ["--gamma", "1/2", "--policy-shift", "0", "0", "--opponent-model", "1/10"]
    for name in sorted({b.name for b in BOUNDS if b.exact_opponents}):
        code, out, err = run("evaluate", name, *arguments, "--k", "1")
        assert (code, out) == (2, "")
        assert f"{name} has no opponent models" in err


# Wrong input

WRONG = [
    (["evaluate", "theorm1-printed", "--gamma", "1/2"], "did you mean theorem1-printed?"),
    (["show", "coupling_sup"], "did you mean coupling-sup?"),
    (["show", ""], "is not a bound of this library"),
    (["plot", "theorem-1-printed"], "did you mean theorem1-printed?"),
    (["lst"], "lst"),
    (["list", "--yaml"], "--yaml"),
    (["list", "extra"], "extra"),
    (["show"], "Name of the bound"),
    (["evaluate"], "--gamma"),
    (["evaluate", "theorem1-printed"], "--gamma"),
    (["evaluate", "--gamma", "1/2"], "Name of the bound"),
    ([*THEOREM1, "--gama", "1/2"], "--gama"),
    (["evaluate", "theorem1-printed", "--gamma"], "--gamma"),
    (["evaluate", "theorem1-printed", "--gamma", "1"], "gamma: 1 is not in [0, 1)"),
    (["evaluate", "theorem1-printed", "--gamma", "1.5"], "gamma: 3/2 is not in [0, 1)"),
    (["evaluate", "theorem1-printed", "--gamma", "-1/2"], "gamma: -1/2 is not in [0, 1)"),
    (["evaluate", "theorem1-printed", "--gamma", "1/0"], "--gamma: '1/0' divides by zero"),
    (["evaluate", "theorem1-printed", "--gamma", "nan"], "--gamma: 'nan' is not"),
    (["evaluate", "theorem1-printed", "--gamma", "inf"], "--gamma: 'inf' is not"),
    (["evaluate", "theorem1-printed", "--gamma", ""], "--gamma: '' is not"),
    (["evaluate", "theorem1-printed", "--gamma", "0.9\n0.8"], "--gamma: "),
    (["evaluate", "theorem1-printed", "--gamma", "0." + "9" * 10_000], "10002 characters"),
    (["evaluate", "theorem1-printed", "--gamma", "1e-99999"], "exponent"),
    ([*THEOREM1, "--model-error", "2"], "2 is not in [0, 1]"),
    ([*THEOREM1, "--model-error", "x"], "--model-error: 'x' is not"),
    ([*THEOREM1, "--policy-shift", "0", "1.1"], "policy_shift[1]: 11/10 is not in [0, 1]"),
    ([*THEOREM1, "--policy-shift", "0", "1/0"], "--policy-shift[1]: '1/0' divides by zero"),
    ([*THEOREM1, "--policy-shift", "0", "--opponent-model", "0", "0"], "opponent_model: 2 numbers"),
    (
        [*THEOREM1, "--policy-shift", "0", "0", "0", "--opponent-model", "0"],
        "opponent_model: 1 num",
    ),
    (
        [*THEOREM1, "--opponent-lengths", "1", "--opponent-model", "0"],
        "opponent_lengths: given wit",
    ),
    ([*THEOREM1, "--r-max", "-1"], "r_max: -1 is not in [0, "),
    ([*THEOREM1, "--span", "3"], "span: 3 is not in [0, 2]"),
    ([*THEOREM1, "--about", "branched"], "not about the branched return"),
    ([*THEOREM1, "--about", "both"], "both"),
    (THEOREM2, "k: not given"),
    ([*THEOREM2, "--k", "1/2"], "--k: 1/2 is not a whole number"),
    ([*THEOREM2, "--k", "-1"], "--k: -1 is not a whole number"),
    ([*THEOREM2, "--k", "1e1000"], "--k: "),
    ([*THEOREM2, "--k", "9" * 900], "--k: "),
    ([*THEOREM2, "--k", "inf"], "--k: 'inf' is not"),
    (
        [*THEOREM2, "--k", "3", "--opponent-model", "1/2", "--opponent-lengths", "4"],
        "opponent_lengths[0]: 4 is not a whole number, 0..3",
    ),
    (
        [*THEOREM2, "--k", "3", "--opponent-model", "1/2", "--opponent-lengths", "1.5"],
        "--opponent-lengths[0]: 3/2 is not a whole number",
    ),
]


@pytest.mark.parametrize(
    ("arguments", "part"), [pytest.param(a, b, id=" ".join(a)[-40:]) for a, b in WRONG]
)
def test_wrong_input_ends_in_one_line_and_2(arguments: list[str], part: str) -> None:
    message = complaint(*arguments)
    assert part in message
    assert len(message) < 400
    assert "python evaluate" not in message  # the command is python -m bounds evaluate


@given(
    st.sampled_from(["--gamma", "--k", "--model-error", "--r-max", "--span", "--policy-shift"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12).filter(
        lambda text: not text.startswith("-")
    ),
)
@FEW
def test_any_text_for_a_number_is_an_answer_or_one_line(flag: str, text: str) -> None:
    code, out, err = run("evaluate", "theorem2-printed", "--gamma", "1/2", "--k", "3", flag, text)
    if code == 0:
        assert (len(out.splitlines()), err) == (3, "")
    else:
        assert (code, out) == (2, "")
        assert len(err.splitlines()) == 1
        assert flag in err or flag.strip("-").replace("-", "_") in err


@pytest.mark.parametrize(
    "arguments",
    [
        [*THEOREM1, "--model-error", "1/2", "--r-max", "1e400"],
        [*THEOREM1, "--model-error", "1/2", "--r-max", "1e400", "--json"],
        [*THEOREM1, "--model-error", "1e-400"],
        ["evaluate", "coupling-sup", "--gamma", "1e-400", "--model-error", "1e-400"],
    ],
    ids=lambda v: " ".join(v)[-30:],
)
def test_numbers_beyond_floats_are_an_answer_or_one_line(arguments: list[str]) -> None:
    code, out, err = run(*arguments)
    assert code in (0, 2)
    assert len(err.splitlines()) == (0 if code == 0 else 1)
    if "--json" in arguments and code == 0:
        assert Fraction(json.loads(out)["value"]) == 9 * 10**400


# Plotting


@pytest.mark.parametrize("over", ["k", "gamma", "model-error"])
def test_plot_writes_a_picture_once(over: str, tmp_path: Path) -> None:
    out = tmp_path / f"{over}.png"
    arguments = ["plot", "theorem2-normalised", "coupling-expected", "--over", over]
    assert answer(*arguments, "--out", str(out)).strip() == str(out)
    picture = out.read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert complaint(*arguments, "--out", str(out)).endswith("remove it first")
    assert out.read_bytes() == picture
    again = tmp_path / "again.png"
    answer(*arguments, "--out", str(again))
    assert again.read_bytes() == picture
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.png", out.name]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        pytest.param(arguments, part, id=" ".join(arguments))
        for arguments, part in (
            (["--out", "picture.gif"], "picture.gif"),
            (["--out", "picture"], "picture"),
            (["--start", "7", "--stop", "7"], "--stop"),
            (["--start", "1/2"], "--start"),
            (["--stop", "-1"], "--stop"),
            (["--stop", "1e6"], "--stop"),
            (["--over", "gamma", "--stop", "1"], "--stop"),
            (["--over", "gamma", "--start", "-1/2"], "--start"),
            (["--over", "model-error", "--stop", "1.1"], "--stop"),
            (["--over", "time"], "time"),
            (["--gamma", "1"], "gamma"),
        )
    ],
)
def test_wrong_plots_end_in_one_line_and_leave_nothing(
    arguments: list[str], part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert part in complaint("plot", "theorem2-normalised", *arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bound", ONE_FORMULA)
def test_every_bound_can_be_plotted(bound: Bound, tmp_path: Path) -> None:
    over = "k" if bound.about == "branched" else "gamma"
    out = tmp_path / "picture.svg"
    answer("plot", bound.name, "--over", over, "--out", str(out))
    assert "<svg" in out.read_text(encoding="utf-8")


# In a process of its own


def test_as_a_process() -> None:
    done = python(*THEOREM1, "--model-error", "0.05", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["value"] == "9/10"
    wrong = python("evaluate", "theorm1-printed", "--gamma", "1/2")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr == (
        "python -m bounds: 'theorm1-printed' is not a bound of this library; "
        "did you mean theorem1-printed?\n"
    )


def test_on_a_terminal_without_greek_letters() -> None:
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii"}
    shown = python("show", "theorem1-printed", env=ascii_only)
    assert (shown.returncode, shown.stderr) == (0, "")
    wrong = python("list", "--yaml", env=ascii_only)
    assert wrong.returncode == 2
    assert len(wrong.stderr.splitlines()) == 1
    assert "---" not in wrong.stderr  # nothing of a frame around it


def test_a_reader_that_has_gone_is_no_error() -> None:
    code = f"{sys.executable} -m bounds list --json | true"
    done = subprocess.run(
        code, shell=True, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stderr == ""


@pytest.mark.parametrize(
    "errors",
    [
        ["--model-error", "1/10", "--policy-shift", "1e-20"],
        ["--model-error", "1e-400", "--policy-shift", "1/10"],
        ["--model-error", "1e-400", "--policy-shift", "0", "0", "--opponent-model", "1e-400"],
    ],
    ids=" ".join,
)
def test_tiny_errors_are_answered_in_time(errors: list[str]) -> None:
    done = python("evaluate", "coupling-expected", "--gamma", "1/2", "--k", "3", *errors)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["coupling-sup", "coupling-expected", "theorem2-printed"])
def test_the_longest_branch_that_is_accepted_is_answered_in_time(name: str) -> None:
    errors = ["--model-error", "1/20", "--policy-shift", "1/50", "1/30", "--opponent-model", "1/9"]
    done = python("evaluate", name, "--gamma", "0.95", "--k", str(MAX_K), *errors)
    if done.returncode == 2:  # or a lower limit is stated
        assert len(done.stderr.splitlines()) == 1
    else:
        assert (done.returncode, done.stderr) == (0, "")
