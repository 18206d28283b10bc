"""Planning: k by exhaustive search, nⱼ by brute force, recorded errors, what the theory says."""

import json
from fractions import Fraction as F
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bounds.commands.main import main
from bounds.formula.error_profile import ErrorProfile
from bounds.library.published import find
from bounds.planning.opponent_lengths import allocate, evaluated, paper_rule, pareto
from bounds.planning.recorded_errors import load_profile
from bounds.planning.rollout_length import TIE, curves, plan, scaled, sensitivity
from bounds.shared.numbers import InputError

ERRORS = st.fractions(0, 1, max_denominator=20)
PAPER = ErrorProfile(
    gamma=0.95,
    policy_shift=(0.05, 0.05, 0.05),
    opponent_model=(0.02, 0.02),
    model_current=0.02,
    model_sup=0.02,
)


@st.composite
def settings(draw: st.DrawFn, opponents: int = 2) -> ErrorProfile:
    n = draw(st.integers(0, opponents))
    return ErrorProfile(
        gamma=draw(st.sampled_from([F(1, 2), F(9, 10), F(99, 100)])),
        policy_shift=tuple(draw(ERRORS) for _ in range(n + 1)),
        opponent_model=tuple(draw(ERRORS) for _ in range(n)),
        model_current=draw(ERRORS),
        model_sup=draw(ERRORS),
        k=draw(st.integers(0, 4)),
    )


@given(settings(), st.sampled_from(["expected", "sup"]))
def test_plan_is_the_exhaustive_minimum(profile: ErrorProfile, kind: str) -> None:
    found = plan(profile, kind=kind, max_k=40)  # type: ignore[arg-type]
    error = profile.model_current if kind == "expected" else profile.model_sup
    at = profile.with_(model_current=error, model_sup=error)

    def fractions(name: str, about: str, ks: list[int]) -> list[float]:
        bound = find(name, about)
        exact = [bound.evaluate(at.with_(k=k)) / bound.largest(at) for k in ks]
        return [float(value) for value in exact]

    ks = list(range(1, 41))
    printed = fractions("theorem2-normalised", "branched", ks)
    coupling = fractions(f"coupling-{kind}", "branched", ks)
    (limit,) = fractions(f"coupling-{kind}", "model", [1])
    slack = 2 * TIE  # the planner compares floats up to TIE
    none = error == 0 == sum(profile.opponent_model) and sum(profile.policy_shift) > 0
    if found.k_printed is None:
        assert none
        assert sorted(printed, reverse=True) == printed
    else:  # k is exact, the bound at it a float
        (least,) = fractions("theorem2-normalised", "branched", [found.k_printed])
        assert least <= min(printed)
        assert found.printed_at_printed == pytest.approx(least, rel=1e-13)
        assert found.k_printed > 40 or printed.index(min(printed)) + 1 == found.k_printed
    best = min(*coupling, limit)
    assert coupling[found.k_within - 1] <= 1.01 * best + slack or found.k_within == 40
    if found.k_coupling is None:
        assert limit <= min(coupling) + slack
    else:
        assert coupling[found.k_coupling - 1] <= min(coupling) + slack
        assert limit > min(coupling)


@given(settings())
def test_the_sup_form_is_monotone_in_k(profile: ErrorProfile) -> None:
    """Longer is never worse if ρ > q, and k = 1 is best if ρ < q (theory, section 4)."""
    q = rho = 1 - profile.model_sup
    for e in profile.opponent_model:
        rho *= 1 - e
    q = F(1)
    for e in profile.policy_shift:
        q *= 1 - e
    bound = find("coupling-sup", "branched")
    values = [bound.evaluate(profile.with_(k=k)) for k in range(1, 12)]
    pairs = list(pairwise(values))
    if rho >= q:
        assert all(b <= a for a, b in pairs)
    if rho <= q:
        assert all(b >= a for a, b in pairs)


def test_the_printed_bound_says_nothing_at_the_papers_scale() -> None:
    found = plan(PAPER)
    assert found.printed_at_printed > 1
    assert "says nothing" in found.note
    assert found.best < 1
    assert found.k_coupling is None


@pytest.mark.parametrize(
    ("shift", "hat", "error", "k"),
    [
        (F(1, 20), F(0), F(1, 10_000), 6212),
        (F(1, 20), F(0), F(1, 10**9), 17_719),
        (F(1, 20), F(0), F(0), None),
        (F(0), F(0), F(0), 1),
        (F(0), F(1, 10), F(0), 1),
        (F(1), F(1), F(1), 1),
    ],
)
def test_the_printed_k_has_no_longest(shift: F, hat: F, error: F, k: int | None) -> None:
    """γ = 0.999: the least k ≥ 1 with γ^{k+1} (2 − γ) Σε_π ≤ ε′_m + Σε_π̂; none without errors."""
    p = ErrorProfile(F(999, 1000), (shift, 0), (hat,), model_current=error)
    for at in (p, p.with_(gamma=0.999)):
        found = plan(at)
        assert found.k_printed == k
        if k is not None:
            left = F(999, 1000) ** (k + 1) * F(1001, 1000) * shift
            assert left <= error + hat < left * F(1000, 999) or k == 1
        else:
            assert (found.printed_at_printed, found.coupling_at_printed) == (0, found.limit)


def test_ties_are_settled_in_whole_numbers() -> None:
    """(1/2)^4 · (3/2) · (2/3) = 1/16 exactly: k = 3, and one step more for a little less error."""
    p = ErrorProfile(F(1, 2), (F(2, 3),), (), model_current=F(1, 16))
    assert plan(p).k_printed == 3
    assert plan(p.with_(model_current=F(1, 16) - F(1, 10**30))).k_printed == 4
    # a float stands for the decimal it was written as
    tenth = ErrorProfile(0.5, (0.1, 0.2), (0.0,), model_current=0.1125)
    assert plan(tenth).k_printed == 1


def test_no_reward_and_impossible_lengths() -> None:
    with pytest.raises(InputError, match="r_max"):
        plan(PAPER.with_(r_max=0, span=0))
    with pytest.raises(InputError, match="max_k"):
        plan(PAPER, max_k=0)
    with pytest.raises(InputError, match="model_sup"):
        plan(PAPER.with_(model_sup=None), kind="sup")


def test_sensitivity_is_zero_at_the_truth_up_to_the_one_percent() -> None:
    half, true, double = sensitivity(PAPER)
    assert 0 <= true.regret <= 0.01 * (1 + 2 * TIE)
    assert half.k > true.k > double.k
    assert min(half.regret, double.regret) >= 0
    # longer comes closer to the best than the 1 percent of the true plan
    assert half.change < true.change == 0 < double.change
    assert double.change == pytest.approx((1 + double.regret) / (1 + true.regret) - 1)
    assert scaled(PAPER, 100).policy_shift == (1, 1, 1)


def test_curves_broadcast_over_a_grid() -> None:
    errors = np.linspace(0, 0.1, 7)[:, None]
    ks = np.arange(1, 9)[None, :]
    grid = PAPER.with_(model_current=np.broadcast_to(errors, (7, 8)), model_sup=None)
    bound = find("coupling-expected", "branched")
    values = bound.evaluate(grid.with_(k=np.broadcast_to(ks, (7, 8)).copy()))
    for i, j in product(range(7), range(8)):
        one = bound.evaluate(PAPER.with_(model_current=float(errors[i, 0]), k=int(ks[0, j])))
        # the same operations on scalars and arrays; a last bit may differ by vectorisation
        assert values[i, j] == pytest.approx(one, rel=1e-13)
    printed, coupling, limit = curves(PAPER, "sup", np.arange(1, 5))
    assert printed.shape == coupling.shape == (4,)
    assert 0 <= limit <= 1


# Allocation


@given(settings(opponents=3), st.booleans())
def test_allocation_is_the_brute_force_optimum(profile: ErrorProfile, last: bool) -> None:
    assume(profile.k <= 3)
    size, k = profile.n - 1, profile.k
    lengths = list(product(range(k + 1), repeat=size))
    every = [evaluated(profile, n, last_action=last) for n in lengths]
    for n, found in zip(lengths, every, strict=True):
        # calls one by one: steps n_j + 1..k, and action k + 1 of those whose model stopped before k
        steps = [step for nj in n for step in range(1, k + 1 + last) if step > nj and nj < k]
        assert found.calls == len(steps)
    front = pareto(profile, last_action=last)
    for calls in range(size * (k + 1) + 1):
        best = min(a.value for a in every if a.calls <= calls)
        found = allocate(profile, calls, last_action=last)
        assert found.calls <= calls
        assert found.value == pytest.approx(best, rel=1e-12)  # floats of one rational
    assert [a.calls for a in front] == sorted({a.calls for a in front})
    assert all(b.value < a.value for a, b in pairwise(front))
    assert front[0].calls == 0


def test_the_papers_rule_is_dominated() -> None:
    """Errors 0.1, 0.2, 0.4, k = 10: (10, 5, 2) and (10, 7, 0) make the same 13 calls."""
    profile = ErrorProfile(
        gamma=F(95, 100),
        policy_shift=(F(1, 20),) * 4,
        opponent_model=(F(1, 10), F(1, 5), F(2, 5)),
        model_sup=F(1, 50),
        k=10,
    )
    paper = evaluated(profile, paper_rule(10, profile.opponent_model))
    assert (paper.n, paper.calls) == ((10, 5, 2), 13)
    best = allocate(profile, 13)
    assert (best.n, best.calls) == ((10, 7, 0), 13)
    assert best.value < paper.value


def test_the_papers_rule_in_floats_and_with_exact_models() -> None:
    assert paper_rule(10, (0.1, 0.2, 0.4)) == (10, 5, 2)
    assert paper_rule(10, (F(0), F(1, 10))) == (10, 0)
    assert paper_rule(5, ()) == ()


def test_large_allocations_are_refused_and_eight_opponents_are_not() -> None:
    eight = ErrorProfile(
        gamma=0.95,
        policy_shift=(0.05,) * 9,
        opponent_model=tuple(0.01 * j for j in range(1, 9)),
        model_sup=0.02,
        k=50,
    )
    assert len(pareto(eight)) > 300
    with pytest.raises(InputError, match="too much to allocate"):
        pareto(eight.with_(k=50_000))


# Recorded errors


def test_recorded_json_and_csv(tmp_path: Path) -> None:
    want = ErrorProfile(
        gamma=F(95, 100),
        policy_shift=(F(1, 20), F(1, 10)),
        opponent_model=(F(1, 50),),
        model_current=F(3, 100),
    )
    fields = {
        "gamma": 0.95,
        "policy_shift": ["1/20", 0.1],
        "opponent_model": [0.02],
        "model_current": "3/100",
        "loss": "ignored",
    }
    for number, value in enumerate((fields, [{"gamma": 0.1}, fields])):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "errors.json").write_text(json.dumps(value))
        assert load_profile(folder) == want
    table = "epoch,gamma,policy_shift[0],policy_shift[1],opponent_model[0],model_current\n"
    path = tmp_path / "errors.csv"
    path.write_text(table + "0,0.5,0,0,0,0\n1,0.95,1/20,0.1,0.02,0.03\n")
    assert load_profile(path) == want


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("errors.json", "", "not JSON"),
        ("errors.json", "[]", "empty list"),
        ("errors.json", "3", "no object"),
        ("errors.json", "{}", "gamma: missing"),
        ("errors.json", '{"gamma": 0.9}', "policy_shift: missing"),
        ("errors.json", '{"gamma": 2, "policy_shift": [0]}', "gamma"),
        ("errors.json", '{"gamma": 0.5, "policy_shift": 0}', "policy_shift"),
        ("errors.json", '{"gamma": 0.5, "policy_shift": [true]}', r"policy_shift\[0\]"),
        ("errors.json", '{"gamma": NaN, "policy_shift": [0]}', "gamma"),
        ("errors.csv", "", "no row"),
        ("errors.csv", "gamma\n", "no row"),
        ("errors.csv", "gamma,policy_shift[1]\n0.5,0\n", "number them from 0"),
        ("errors.csv", "gamma,policy_shift[0]\n0.5,x\n", r"policy_shift\[0\]"),
    ],
)
def test_bad_records(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=words) as error:
        load_profile(tmp_path)
    assert "\n" not in str(error.value)


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = "plan --gamma 0.95 --policy-shift 0.05 0.05 0.05 --opponent-model 0.02 0.02 "
    words += "--model-error 0.02"
    assert main([*words.split(), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert set(answer["k"]) == {"printed", "coupling", "coupling_within_1_percent"}
    assert answer["k"]["coupling"] is None
    assert answer["value"]["printed"]["at_printed_k"] > 1
    record = {"gamma": "0.95", "policy_shift": [0.05] * 3, "opponent_model": [0.02] * 2}
    (tmp_path / "errors.json").write_text(json.dumps(record | {"model_current": 0.02}))
    assert main(["plan", "--from", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == answer
    assert main(words.split()) == 0
    out = capsys.readouterr().out
    assert "none: without limit is best" in out
    assert "errors taken 0.5 times: k = 39, 0.8% better than with the true errors" in out
    words = "plan --gamma 0.999 --policy-shift 0.05 --model-error "
    assert main((words + "0").split()) == 0
    assert "none: it falls for ever" in capsys.readouterr().out
    assert main((words + "1e-4 --json").split()) == 0
    assert json.loads(capsys.readouterr().out)["k"]["printed"] == 6212
    words = "allocate --gamma 0.95 --k 10 --opponent-model 0.1 0.2 0.4 --model-error 0.02 "
    words += "--policy-shift 0.05 0.05 0.05 0.05"
    assert main([*words.split(), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {"paper", "optimal", "pareto", "last_action_counted"}
    assert (answer["paper"]["calls"], answer["last_action_counted"]) == (13, False)
    assert answer["paper"]["n"] == [10, 5, 2]
    assert answer["optimal"]["n"] == [10, 7, 0]
    assert main(words.split()) == 0
    out = capsys.readouterr().out
    assert "Pareto front" in out
    assert "also asked for action k + 1, in the last state: not counted" in out
    assert main([*words.split(), "--last-action", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["paper"]["calls"], answer["last_action_counted"]) == (15, True)
    assert answer["optimal"]["calls"] <= 15
    assert main([*words.split(), "--last-action"]) == 0
    assert "in the last state: counted" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        "plan --gamma 0.95",
        "plan --model-error 0.1",
        "plan --gamma 0.95 --model-error 0.1 --from .",
        "plan --from /nowhere/at/all",
        "plan --gamma 0.95 --model-error 0.1 --max-k 0",
        "plan --gamma 0.95 --model-error 0.1 --model-error-kind mean",
        "allocate --gamma 0.95 --k 3 --opponent-model 0.1 --calls -1",
        "allocate --gamma 0.95 --k -3 --opponent-model 0.1",
        "allocate --gamma 0.95 --k 3 --opponent-model 2",
    ],
)
def test_bad_commands(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1


def test_powers_that_leave_the_floats_give_no_warning() -> None:
    """c̄ᵏ is subnormal at k = 450, c̄ = 0.2: nothing is together, the bound is the trivial one."""
    lossy = ErrorProfile(0.9, (0.1, 0.1), (0.8,), model_current=0.5)
    found = plan(lossy, max_k=500)
    assert found.k_coupling is None
    _, coupling, _ = curves(lossy, "expected", np.arange(440, 470))
    assert np.all(coupling == found.limit)
