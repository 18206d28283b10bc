"""Recorded training: measured by hand, read back, judged, and caught where it is wrong."""

import json
from dataclasses import replace
from fractions import Fraction as F
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounds.planning.opponent_lengths import evaluated, paper_rule
from bounds.planning.recorded_errors import load_profile
from bounds.shared.numbers import InputError
from tabular import verify
from tabular.audit.rows.adaptive_lengths import claims_of, training_claims
from tabular.audit.rows.opponent_lengths import SMALLEST, evaluated_exactly, nj_rule_certificate
from tabular.cases.case import Case, as_float
from tabular.cases.check import check
from tabular.cases.perturb import perturbed_case
from tabular.games.catalogue import find
from tabular.records.figures import errors, lengths, under_the_bounds
from tabular.records.intervals import over_seeds
from tabular.records.theory import FOLDER, ROUNDING, Record, load, parse, row, table
from tabular.records.theory_checks import broken
from tabular.records.theory_row import COMPARED, measured

MANIFEST, RECORDS = load()
IDS = [record.game for record in RECORDS]


def some_case(seed: int, name: str = "coordination", model: F = F(1, 20)) -> Case:
    return perturbed_case(
        find(name).build(),
        np.random.default_rng(seed),
        model_error=model,
        policy_shift=F(1, 20),
        opponent_error=F(1, 10),
    )


@given(st.integers(0, 10**6), st.integers(1, 4))
def test_measured_is_what_check_says_of_each_branch(seed: int, k: int) -> None:
    case = some_case(seed)
    found = measured(as_float(case), k)
    for branch in found.branches.values():
        lengths: list[int | None] = list(branch.n)
        lengths.insert(case.ego, None)
        exact = check(replace(case, branch_length=k, opponent_lengths=tuple(lengths)))
        assert exact.branched_discrepancy is not None
        # returns reach 10 and are solved for in floats
        assert branch.discrepancy == pytest.approx(
            abs(float(exact.branched_discrepancy)), abs=1e-12
        )
        by_name = {(v.bound.name, v.bound.about): v for v in exact.verdicts}
        bound = by_name["coupling-expected", "branched"]
        assert branch.coupling == pytest.approx(float(bound.value), rel=1e-9)
        printed = by_name["theorem2-opponent-wise", "branched"]
        assert branch.theorem2 * (1 - found.errors.gamma) == pytest.approx(float(printed.value))
        assert branch.calls == sum(k - n for n in branch.n)
    assert found.branches["all-real"].calls == 2 * k
    assert found.branches["all-models"].calls == 0
    assert found.branches["adaptive"].n == paper_rule(k, found.errors.opponent_model)
    assert found.branches["planned"].calls <= found.branches["adaptive"].calls


@given(st.integers(0, 10**6), st.integers(1, 6))
def test_the_planner_is_never_worse_by_its_own_bound(seed: int, k: int) -> None:
    found = measured(as_float(some_case(seed)), k)
    rule, best = (evaluated(found.errors, found.branches[u].n) for u in ("adaptive", "planned"))
    assert best.value <= rule.value * (1 + 1e-12)


def small_record(rows: int = 4) -> Record:
    learner = {"training_return": 0.5, "estimate": 0.1, "calls": 6, "calls_all_real": 24}
    lines = [
        row(seed, 50, 0, measured(as_float(some_case(seed)), 3), learner) for seed in range(rows)
    ]
    return parse("coordination", table(lines), "here")


def test_a_table_is_read_back() -> None:
    record = small_record()
    case = as_float(some_case(2))
    found = measured(case, 3)
    back = record.errors(2)
    assert back.k == 3
    for name in ("gamma", "model_data", "model_current", "model_sup", "span", "r_max"):
        assert getattr(back, name) == pytest.approx(getattr(found.errors, name), rel=ROUNDING)
    assert back.opponent_model == pytest.approx(found.errors.opponent_model, rel=ROUNDING)
    for scheme in COMPARED:
        assert tuple(record.lengths(scheme)[2]) == found.branches[scheme].n
        assert record.calls(scheme)[2] == found.branches[scheme].calls
    assert not broken(record)
    assert record.seeds == (0, 1, 2, 3)


def test_bounds_plan_reads_a_recorded_table(tmp_path: Path) -> None:
    record = RECORDS[0]
    profile = load_profile(FOLDER / f"{record.game}.csv")
    assert profile.n == record.opponents + 1
    assert float(profile.model_current) == record["model_current"][-1]


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("discrepancy_adaptive", 1000.0),
        ("discrepancy_planned", 1000.0),
        ("real", 100.0),
        ("coupling_adaptive", 1.001),
        ("coupling_data", 0.999),
        ("theorem1", 1.001),
        ("theorem2_all-real", 0.999),
        ("model_current", 1.01),
        ("opponent_model[1]", 1.01),
        ("n_adaptive[0]", 0.0),
    ],
)
def test_a_wrong_number_in_a_table_is_found(name: str, factor: float) -> None:
    record = small_record(2)
    wrong = Record(record.game, {**record.columns, name: record[name] * factor})
    assert broken(wrong)


@pytest.mark.parametrize("text", ["", "seed,episode\n", "seed,episode\n0,x\n", "seed,episode\n0\n"])
def test_what_is_no_table_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not a table of recorded training"):
        parse("coordination", text, "here")


@pytest.mark.parametrize("record", RECORDS, ids=IDS)
def test_bounds_hold_at_every_recorded_moment(record: Record) -> None:
    """Discrepancy under coupling under printed, recomputed from the recorded errors."""
    assert len(record) == 19 * len(MANIFEST["seeds"]) * (record.opponents + 1)
    assert not broken(record)
    assert (record["model_sup"] >= record["model_current"] - ROUNDING).all()


def test_the_rows_come_from_the_record() -> None:
    beats, saves = training_claims()
    assert (beats.status, saves.status) == ("tested", "tested")
    for claim in (beats, saves):
        assert set(claim.evidence["games"]) == {r.game for r in RECORDS if r.opponents > 1}
        run = claim.evidence["run"]
        assert run["command"] == "python notebooks/record_theory.py"
        assert run["versions"]
        assert run["finished"]
        assert run["processor"]
    record = next(r for r in RECORDS if r.game == "coordination")
    gain = (record["discrepancy_all-models"] - record["discrepancy_adaptive"]) / record.trivial
    by_hand = np.mean([gain[record["seed"] == seed].mean() for seed in MANIFEST["seeds"]])
    assert beats.evidence["games"]["coordination"]["gain"]["value"] == pytest.approx(by_hand)


def test_the_rows_can_fail() -> None:
    """Exchange two schemes, or let the learner call more than it may: rows are open."""
    swapped = []
    for record in RECORDS:
        columns = dict(record.columns)
        one, other = "discrepancy_adaptive", "discrepancy_all-models"
        columns[one], columns[other] = columns[other], columns[one]
        swapped.append(Record(record.game, columns))
    assert claims_of(MANIFEST, swapped)[0].status == "open"
    lavish = [
        Record(r.game, {**r.columns, "calls": r.columns["calls_all_real"] * 0.99}) for r in RECORDS
    ]
    assert claims_of(MANIFEST, lavish)[1].status == "open"


def test_nothing_recorded_is_open(tmp_path: Path) -> None:
    assert [claim.status for claim in training_claims(tmp_path)] == ["open", "open"]
    with pytest.raises(InputError, match="record_theory"):
        load(tmp_path)


def test_intervals_cover() -> None:
    """Of 2,000 intervals at 95 % as many miss as binomial chance allows (5 deviations)."""
    rng = np.random.default_rng(5)
    means = [over_seeds(rng.normal(1.0, 2.0, size=5)) for _ in range(2000)]
    missed = sum(not m.low <= 1.0 <= m.high for m in means)
    assert abs(missed - 100) < 5 * (2000 * 0.05 * 0.95) ** 0.5


def test_the_rule_is_refuted_by_a_game() -> None:
    certificate = nj_rule_certificate()
    left, right = verify.verify(json.loads(json.dumps(certificate)))
    k, gamma, errors = SMALLEST
    # the latch attains coupling-sup of the rule's own lengths, and the right side is the others'
    assert left == evaluated_exactly(k, gamma, errors, (2, 1, 1))
    assert right == evaluated_exactly(k, gamma, errors, (2, 2, 0))
    tampered = certificate | {"bound": ["*", "2", certificate["bound"]]}
    with pytest.raises(verify.Rejected):
        verify.verify(tampered)


def test_pictures_show_what_is_recorded() -> None:
    record = RECORDS[0]
    left, right = under_the_bounds(record).axes
    printed, coupling, exact = (line.get_ydata() for line in left.get_lines()[:3])
    assert (exact < coupling).all()
    assert (coupling < printed).all()
    last = record["episode"] == record["episode"].max()
    gap = np.abs(record["real"] - record["model"]) / record.trivial
    assert exact[-1] == pytest.approx(np.median(gap[last]))
    assert right.get_yscale() == left.get_yscale() == "log"
    assert len(errors(RECORDS).axes) == len(RECORDS)
    assert len(lengths(RECORDS).axes) == 2 * len(RECORDS)
