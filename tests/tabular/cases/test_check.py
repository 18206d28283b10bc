"""The check: valid bounds hold, attaining games attain, answers follow the format to the letter."""

import json
import math
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from bounds.library.published import BOUNDS
from bounds.shared.files import write_json
from tabular import verify
from tabular.cases import check as check_module
from tabular.cases.case import Case, as_float, case_at
from tabular.cases.check import as_json, check
from tabular.cases.files import case_json
from tabular.cases.strategies import cases
from tabular.cases.time_suprema import FLOAT_GAP
from tabular.commands.main import main
from tabular.games.arrays import exact_array
from tests.support.case_laws import (
    LOOKED,
    NO_MODELS,
    assert_bounds_apply_where_their_hypotheses_do,
    assert_rounding_refutes_nothing,
    assert_valid_bounds_hold,
    assert_verdicts_are_comparisons,
    verdicts,
)
from tests.support.cases import clock, largest_reward, latch, leak, random_batch, rounding
from tests.support.published_bounds import KNOWN

#: Unit roundoff of float64.
U = 2.0**-53
RATIONAL = re.compile(r"-?(0|[1-9][0-9]*)(/[1-9][0-9]*)?")

MODEL_BOUNDS = ["theorem1-printed", "theorem1-normalised"]
BRANCHED_BOUNDS = ["theorem2-printed", "theorem2-normalised"]
COUPLING = {"coupling-sup", "coupling-expected", "coupling-data"}


@pytest.fixture(scope="module", autouse=True)
def long_numbers() -> Iterator[None]:
    """Exact values may have more digits than Python turns into text by default."""
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    yield
    sys.set_int_max_str_digits(limit)


def without_errors(given: Case) -> Case:
    return replace(
        given,
        data_policies=given.policies,
        model_transition=given.transition,
        opponent_models=(None,) * given.n,
    )


# Bounds


@given(cases())
def test_valid_bounds_hold(given: Case) -> None:
    assert_valid_bounds_hold(given)


@given(cases(exact=False))
def test_valid_bounds_hold_in_floats(given: Case) -> None:
    assert_valid_bounds_hold(given)


@pytest.mark.parametrize("off", [0, 9e-10, -9e-10])
@pytest.mark.parametrize("rewards", [(1.0, 1.0), (100.0, 99.0), (1e6, 1e6 - 1e-3)])
def test_rounding_refutes_no_valid_bound(off: float, rewards: tuple[float, float]) -> None:
    assert_rounding_refutes_nothing(off, rewards)


@given(cases())
def test_no_error_means_no_discrepancy_and_every_bound_holds(given: Case) -> None:
    found = check(without_errors(given), max_horizon=LOOKED)
    assert found.model_discrepancy == 0
    assert found.branched_discrepancy in (0, None)
    for verdict in found.verdicts:
        assert verdict.holds
        assert not verdict.refuted
        assert verdict.discrepancy == 0
        if verdict.bound in KNOWN:
            assert verdict.value == 0
            assert verdict.tightness is None


@given(cases())
def test_verdicts_are_comparisons(given: Case) -> None:
    assert_verdicts_are_comparisons(given)


@given(cases())
def test_coupling_bounds_are_never_above_the_trivial_one(given: Case) -> None:
    found = check(given, max_horizon=LOOKED)
    for (name, _), verdict in verdicts(found).items():
        if name in COUPLING:
            assert 0 <= verdict.value <= found.errors.span / (1 - given.gamma)


@given(cases())
def test_normalised_and_printed_theorems_have_one_right_hand_side(given: Case) -> None:
    found = verdicts(check(given, max_horizon=LOOKED))
    for name, about in (("theorem1", "model"), ("theorem2", "branched")):
        if (f"{name}-printed", about) in found:
            printed, read = (found[f"{name}-{x}", about] for x in ("printed", "normalised"))
            assert printed.value == read.value
            assert read.discrepancy == (1 - given.gamma) * printed.discrepancy


# Which bounds apply


@given(cases())
def test_bounds_apply_where_their_hypotheses_do(given: Case) -> None:
    assert_bounds_apply_where_their_hypotheses_do(given)
    judged = verdicts(check(given, max_horizon=LOOKED))
    assert set(MODEL_BOUNDS) | COUPLING <= {name for name, about in judged if about == "model"}


# Games that attain a bound


@pytest.mark.parametrize("phases", range(1, 6))
def test_the_clock_attains_coupling_expected_for_every_k_up_to_its_length(phases: int) -> None:
    for k in range(phases + 1):
        verdict = verdicts(check(clock(phases, k)))["coupling-expected", "branched"]
        assert verdict.discrepancy == verdict.value
        assert (verdict.value > 0) == (k > 0)


@pytest.mark.parametrize("k", [0, 1, 2, 5, 20])
def test_the_latch_attains_coupling_sup_for_every_k_at_once(k: int) -> None:
    found = verdicts(check(latch(k)))
    assert found["coupling-sup", "branched"].tightness == 1
    assert found["coupling-sup", "model"].tightness == 1


def test_the_leak_refutes_theorem_1_as_printed_and_only_that() -> None:
    found = verdicts(check(leak()))
    printed = found["theorem1-printed", "model"]
    assert printed.refuted
    assert round(float(printed.discrepancy), 2) == 6.39
    assert round(float(printed.value), 2) == 0.38
    assert [v.bound.name for v in found.values() if v.refuted] == ["theorem1-printed"]


# The answer as JSON


def assert_number(value: Any, exact: bool) -> None:
    if exact:
        assert isinstance(value, str)
        assert RATIONAL.fullmatch(value)
        assert str(Fraction(value)) == value
    else:
        assert type(value) is float
        assert math.isfinite(value)


def assert_is_the_format(found: Any, given: Case) -> None:
    """``check --json`` as shared/case-format.md and the docstring of as_json define it."""
    exact = given.is_exact
    number = partial(assert_number, exact=exact)
    assert set(found) == {
        "exact", "errors", "reward", "returns", "discrepancy", "bounds", "not_applicable"
    }  # fmt: skip
    assert found["exact"] is exact
    errors = found["errors"]
    assert set(errors) == {
        "policy_shift", "opponent_model", "joint_policy_shift", "model_sup",
        "model_expected_data", "model_expected_current", "horizon",
    }  # fmt: skip
    assert len(errors["policy_shift"]) == len(errors["opponent_model"]) == given.n
    for j in range(given.n):
        number(errors["policy_shift"][j])
        if j == given.ego:
            assert errors["opponent_model"][j] is None
        else:
            number(errors["opponent_model"][j])
    for key in ("joint_policy_shift", "model_sup"):
        number(errors[key])
    assert set(errors["horizon"]) == {"model_expected_data", "model_expected_current"}
    for key, horizon in errors["horizon"].items():
        number(errors[key])
        if horizon is not None:
            assert set(horizon) == {"t", "upper"}
            assert type(horizon["t"]) is int
            number(horizon["upper"])
            assert Fraction(horizon["upper"]) >= Fraction(errors[key])
    assert set(found["reward"]) == {"r_max", "span"}
    assert set(found["returns"]) == {"real", "model", "branched"}
    assert set(found["discrepancy"]) == {"model", "branched"}
    for value in (*found["reward"].values(), found["returns"]["real"], found["returns"]["model"]):
        number(value)
    number(found["discrepancy"]["model"])
    for group in (found["returns"], found["discrepancy"]):
        if given.branch_length is None:
            assert group["branched"] is None
        else:
            number(group["branched"])
    for about in ("model", "branched"):
        if found["returns"][about] is not None and exact:
            difference = Fraction(found["returns"]["real"]) - Fraction(found["returns"][about])
            assert Fraction(found["discrepancy"][about]) == difference
    names = [(b["name"], b["about"]) for b in found["bounds"]]
    assert len(set(names)) == len(names)
    expected = {(name, "model") for name in (*MODEL_BOUNDS, *COUPLING)}
    if given.branch_length is not None:
        both = ("coupling-sup", "coupling-expected")
        expected |= {(name, "branched") for name in (*BRANCHED_BOUNDS, *both)}
    assert expected <= set(names)
    assert given.branch_length is not None or {about for _, about in names} == {"model"}
    for bound in found["bounds"]:
        assert set(bound) == {
            "name", "source", "about", "convention", "value", "discrepancy", "holds",
            "tightness", "vacuous",
        }  # fmt: skip
        assert bound["about"] in ("model", "branched")
        assert bound["convention"] in ("unnormalised", "normalised")
        assert bound["source"]
        number(bound["value"])
        number(bound["discrepancy"])
        assert Fraction(bound["discrepancy"]) >= 0
        assert type(bound["holds"]) is type(bound["vacuous"]) is bool
        assert (bound["tightness"] is None) == (Fraction(bound["value"]) == 0)
        if bound["tightness"] is not None:
            number(bound["tightness"])
    for entry in found["not_applicable"]:
        assert set(entry) == {"name", "about", "why"}
        assert entry["why"]


@given(cases() | cases(exact=False))
def test_the_answer_has_the_format(given: Case) -> None:
    text = json.dumps(as_json(check(given, max_horizon=LOOKED)), allow_nan=False)
    assert_is_the_format(json.loads(text), given)


@given(cases())
def test_the_answer_says_what_was_measured(given: Case) -> None:
    found = check(given, max_horizon=LOOKED)
    said = as_json(found)
    for verdict, bound in zip(found.verdicts, said["bounds"], strict=True):
        assert (bound["name"], bound["about"]) == (verdict.bound.name, verdict.bound.about)
        assert (bound["source"], bound["convention"]) == (
            verdict.bound.source,
            verdict.bound.convention,
        )
        for key in ("value", "discrepancy", "tightness"):
            value = getattr(verdict, key)
            assert bound[key] == (None if value is None else str(value))
        assert (bound["holds"], bound["vacuous"]) == (verdict.holds, verdict.vacuous)
    assert said["returns"]["real"] == str(found.real)
    assert said["returns"]["model"] == str(found.model)
    assert said["errors"]["model_expected_data"] == str(found.errors.data.value)
    assert said["errors"]["model_expected_current"] == str(found.errors.current.value)
    assert said["errors"]["model_sup"] == str(found.errors.model_sup)
    for key, error in (("data", found.errors.data), ("current", found.errors.current)):
        horizon = said["errors"]["horizon"][f"model_expected_{key}"]
        if error.horizon is None:
            assert horizon is None
        else:
            assert horizon == {"t": error.horizon, "upper": str(error.upper)}


# Floats and batches


@given(cases())
def test_floats_agree_with_fractions(given: Case) -> None:
    exact, floats = (check(c, max_horizon=LOOKED) for c in (given, as_float(given)))
    gamma, k = float(given.gamma), given.branch_length or 0
    returns = rounding(given, k) * largest_reward(given)
    assert abs(float(exact.real) - floats.real) <= returns
    assert abs(float(exact.model) - floats.model) <= returns
    # every error is off by few roundings, expected ones by FLOAT_GAP more; 2n + 4 of them enter a
    # bound, none with a slope above 8 (k + 2) r_max / (1 − γ)² (the steepest is mbpo-4.2), and γ
    # with one that is 1/(1 − γ) times as large
    slope = 8 * (k + 2) * largest_reward(given) / (1 - gamma) ** 2
    off = 10 * (given.n_states + given.joint_actions + given.n) * U + FLOAT_GAP
    allowed = slope * ((2 * given.n + 4) * off + 40 * U / (1 - gamma))
    one, other = verdicts(exact), verdicts(floats)
    for key in set(one) & set(other):
        assert abs(float(one[key].discrepancy) - other[key].discrepancy) <= 2 * returns
        assert abs(float(one[key].value) - other[key].value) <= allowed
        margin = float(one[key].value - one[key].discrepancy)
        if abs(margin) > allowed + 2 * returns + 2e-9 * largest_reward(given) / (1 - gamma):
            # far from equality, also of the float slack, both must decide alike
            assert other[key].holds == one[key].holds
    # a float error of an opponent model may be a rounding error where the exact one is 0
    assert {name for name, _ in set(one) ^ set(other)} <= NO_MODELS


@pytest.mark.parametrize("lengths", [None, (None, 0), (None, 2), (None, 4)])
def test_a_batch_is_a_loop(lengths: tuple[int | None, ...] | None) -> None:
    batch = random_batch(11, 6, lengths)
    together = check(batch, max_horizon=200)
    for i in range(6):
        one = case_at(batch, i)
        alone = check(one, max_horizon=200)
        # the same sums in another order: both are near the truth, as in the test above
        returns = 2 * rounding(one, 4) * largest_reward(one)
        allowed = 8 * 6 * largest_reward(one) / 0.1**2 * (8 * (110 * U + FLOAT_GAP) + 400 * U)
        assert abs(together.real[i] - alone.real) <= returns
        assert abs(together.model[i] - alone.model) <= returns
        assert abs(together.branched[i] - alone.branched) <= returns
        assert [v.bound for v in together.verdicts] == [v.bound for v in alone.verdicts]
        for many, single in zip(together.verdicts, alone.verdicts, strict=True):
            assert abs(many.value[i] - single.value) <= 2 * allowed
            assert abs(many.discrepancy[i] - single.discrepancy) <= 2 * returns
            assert many.holds[i] == single.holds
            assert many.vacuous[i] == single.vacuous
            assert abs(many.tightness[i] - single.tightness) <= (
                2 * (allowed + returns) / single.value * (1 + single.tightness)
            )


# The command


@given(given=cases())
def test_a_loaded_case_has_the_same_answer(
    tmp_path_factory: pytest.TempPathFactory, given: Case
) -> None:
    path = tmp_path_factory.mktemp("case") / "case.json"
    write_json(path, case_json(given))
    from tabular.cases.files import load_case

    assert as_json(check(load_case(path), max_horizon=LOOKED)) == as_json(
        check(given, max_horizon=LOOKED)
    )


def write_case(folder: Path, given: Case) -> Path:
    return write_json(folder / "case.json", case_json(given))


def test_the_command_prints_the_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for case in (latch(3), as_float(latch(3)), leak()):
        path = write_json(tmp_path / "case.json", case_json(case), replace=True)
        assert main(["check", str(path), "--json"]) == 0
        printed = capsys.readouterr()
        assert printed.err == ""
        assert_is_the_format(json.loads(printed.out), case)
        assert json.loads(printed.out) == as_json(check(case))


def test_the_table_has_a_line_for_every_bound(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(write_case(tmp_path, leak()))]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = check(leak())
    for verdict in found.verdicts:
        bound = verdict.bound
        begin = [bound.name, bound.about, bound.convention]
        (line,) = [line for line in lines if line.split()[:3] == begin]
        assert ("FAILS" in line) == (bound.name == "theorem1-printed")
        assert ("holds" in line) != ("FAILS" in line)
        assert ("vacuous" in line) == verdict.vacuous
    for bound, why in found.not_applicable:
        assert any(bound.name in line and why in line for line in lines)


def test_refuted_bounds_are_certified_on_demand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, folder = write_case(tmp_path, leak()), tmp_path / "certificates"
    assert main(["check", str(path), "--json", "--certificates", str(folder)]) == 0
    printed = capsys.readouterr()
    json.loads(printed.out)
    written = folder / "case-theorem1-printed.json"
    assert printed.err == f"refuted: theorem1-printed: {written}\n"
    assert list(folder.iterdir()) == [written]
    assert verify.main([str(written)]) == 0
    before = written.read_bytes()
    assert main(["check", str(path), "--certificates", str(folder)]) == 0
    assert written.read_bytes() == before
    assert verify.main([str(folder / "case-theorem1-printed-2.json")]) == 0


def test_exit_1_and_nothing_unasked_where_a_bound_that_is_called_valid_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_case(tmp_path, leak())
    claimed = [replace(bound, valid=True) for bound in BOUNDS]
    monkeypatch.setattr(check_module, "check", partial(check, bounds=claimed))
    monkeypatch.chdir(tmp_path)
    assert main(["check", str(path)]) == 1
    assert "refuted: theorem1-printed: the library calls it valid" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [path]
    assert main(["check", str(path), "--certificates", "."]) == 1
    assert "refuted: theorem1-printed: case-theorem1-printed.json\n" in capsys.readouterr().out
    assert verify.main(["case-theorem1-printed.json"]) == 0


def test_a_float_case_is_certified_by_an_exact_one_nearby(tmp_path: Path) -> None:
    path = write_case(tmp_path, as_float(leak()))
    assert main(["check", str(path), "--certificates", str(tmp_path)]) == 0
    assert verify.main([str(tmp_path / "case-theorem1-printed.json")]) == 0


# Extreme but valid numbers


def tiny(denominator: int) -> Any:
    return exact_array([[Fraction(1, denominator), 1 - Fraction(1, denominator)]] * 2)


@pytest.mark.parametrize("digits", [10, 20, 400])
@pytest.mark.parametrize("where", ["data_policies", "model_transition", "opponent_models"])
def test_errors_below_float_resolution_stay_exact(digits: int, where: str) -> None:
    """Errors of 10⁻²⁰ and 10⁻⁴⁰⁰ are numbers like any other in exact arithmetic."""
    small = Fraction(1, 10**digits)
    near = exact_array([[1 - small, small], [1, 0]])
    given = latch(2)
    world = given.transition.copy()
    world[0, 0] = near[0]
    changes = {
        "data_policies": (near, near),
        "model_transition": world,
        "opponent_models": (None, near),
    }
    found = check(replace(given, **{where: changes[where]}))
    for verdict in found.verdicts:
        assert isinstance(verdict.value, Fraction)
        assert not (verdict.bound.valid and verdict.refuted)


def test_exact_numbers_beyond_floats_are_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """γ = 1 − 10⁻⁴⁰⁰ makes returns of 10⁴⁰⁰, which no float can hold."""
    given = leak(gamma=1 - Fraction(1, 10**400))
    path = write_case(tmp_path, given)
    assert main(["check", str(path), "--json"]) == 0
    assert_is_the_format(json.loads(capsys.readouterr().out), given)
    assert main(["check", str(path)]) == 0
    assert "theorem1-printed" in capsys.readouterr().out


@pytest.mark.filterwarnings("default")  # a warning would be one more line on standard error
@pytest.mark.parametrize("size", [1e299, 1e300, 1e308])
@pytest.mark.parametrize("gamma", [0.9, 1 - 1e-12])
def test_float_rewards_near_overflow_give_finite_numbers_or_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], size: float, gamma: float
) -> None:
    given = as_float(leak())
    value = case_json(replace(given, gamma=gamma)) | {"reward": [[size], [-size]]}
    path = write_json(tmp_path / "case.json", value)
    code = main(["check", str(path), "--json"])
    printed = capsys.readouterr()
    if code == 2:
        assert printed.out == ""
        assert len(printed.err.splitlines()) == 1
        assert "reward" in printed.err
        assert len(printed.err) < 300
    else:
        assert code == 0
        assert printed.err == ""
        assert_is_the_format(
            json.loads(printed.out, parse_constant=pytest.fail), replace(given, gamma=gamma)
        )
