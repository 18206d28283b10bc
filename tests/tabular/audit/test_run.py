"""The audit finds its statuses itself: the ledger, the certificates, the exit code, the folder."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bounds.library.published import BOUNDS, find
from tabular import verify
from tabular.audit import run as audit
from tabular.audit.tally import Tally
from tabular.cases import check
from tabular.cases.files import parse_case
from tabular.commands.main import main

ROOT = Path(__file__).parents[3]
#: The checker of each format of certificates.
CHECKERS = {"bound-certificate/1": "verify.py", "soft-certificate/1": "verify_soft.py"}
#: A fiftieth of the usual games: enough for the printed theorems to fall.
SCALE = "0.02"
#: The rows on the library's bounds.
BOUND_ROWS = {b.claim or b.name: b for b in BOUNDS}
REFUTED = {
    *(row for row, bound in BOUND_ROWS.items() if not bound.valid),
    "opponent-term-approximation",
    "coupling-independent-form",
    "theorem6-all-agents",
    "theorem6-printed-target",
    "theorem7-independent",
    "theorem7-independent-stag-hunt",
    "nj-rule-optimal",
}
PROVED = {
    *(row for row, bound in BOUND_ROWS.items() if bound.valid),
    "opponent-term-bracket",
    "theorem1-from-coupling",
    "theorem2-from-coupling",
    "coupling-sup-monotone-in-k",
    "coupling-sup-closed-form",
    "coupling-expected-no-inner-optimum",
    "theorem2-printed-optimum",
    "coupling-expected-not-attained-with-lengths",
    "theorem6",
    "theorem6-contraction",
    "theorem6-distance",
    "theorem6-all-agents-condition",
    "theorem6-all-agents-slow-steps",
    "theorem7",
    "theorem7-zero-sum",
    "theorem7-dominance",
    "nash-q-rate",
    "climb-unique-equilibrium",
    "tv-bounds-on-deterministic-dynamics",
}
ATTAINED = {
    "branch-bias-identity",
    "adaptive-beats-all-models",
    "adaptive-saves-calls",
    "nash-q-convergence",
    "coupling-joint-policies",
    "theorem6-distance-attained",
    "theorem6-learned-models",
    "coupling-expected-branched-attained-with-shift",
    *(f"coupling-{form}-attained" for form in ("sup", "expected", "expected-branched", "data")),
}
#: Rows about recorded training: what they say depends on the record.
RECORDED = {"aorpo-sample-efficiency", "aorpo-advantage-at-equal-updates"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audit") / "run"
    assert main(["audit", "--out", str(folder), "--scale", SCALE]) == 0
    return folder


def ledger(folder: Path) -> dict[str, dict[str, object]]:
    value = json.loads((folder / "ledger.json").read_text("utf-8"))
    assert value["format"] == "claims-ledger/1"
    assert all(
        set(c) == {"id", "statement", "source", "status", "evidence"} for c in value["claims"]
    )
    return {claim["id"]: claim for claim in value["claims"]}


def test_every_claim_is_in_the_ledger(run: Path) -> None:
    assert set(ledger(run)) == {*BOUND_ROWS, *PROVED, *REFUTED, *ATTAINED, *RECORDED}


def test_what_holds_is_proved_and_what_does_not_is_refuted(run: Path) -> None:
    claims = ledger(run)
    status = {name: claim["status"] for name, claim in claims.items()}
    assert {status.pop(name) for name in RECORDED} <= {"tested", "open"}
    assert {name for name, s in status.items() if s == "refuted"} == REFUTED
    assert {name for name, s in status.items() if s == "proved"} == PROVED
    assert set(status.values()) == {"refuted", "proved", "tested"}
    for name in BOUND_ROWS:
        if status[name] == "proved":
            evidence = claims[name]["evidence"]
            assert isinstance(evidence, dict)
            # a float check may pass a bound that is attained by its own rounding
            assert evidence["games"] > 100
            assert evidence["worst_ratio"] <= 1 + 1e-9


def test_certificates_are_accepted_by_the_checker_alone(run: Path) -> None:
    paths = sorted((run / "certificates").iterdir())
    assert len(paths) == len(REFUTED)
    for path in paths:
        form = json.loads(path.read_text("utf-8"))["format"]
        command = [sys.executable, "-I", "-S", str(ROOT / "tabular" / CHECKERS[form]), str(path)]
        checked = subprocess.run(command, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr
        assert checked.stdout.startswith("accepted: ")


def test_printed_theorems_fail_for_the_papers_own_return(run: Path) -> None:
    for name in ("theorem1-printed", "theorem2-printed"):
        certificate = json.loads((run / "certificates" / f"{name}.json").read_text("utf-8"))
        assert certificate["first_t"] == 1
        case = parse_case(certificate["case"])
        assert case.is_exact
        assert case.n_states <= 3
        assert case.n >= 2


def test_the_report_is_one_file(run: Path) -> None:
    html = (run / "report.html").read_text("utf-8")
    assert "theorem1-printed" in html
    assert html.count("data:image/svg+xml;base64,") == 6
    assert "How loose the bounds are" in html
    assert " src='http" not in html
    assert "<link" not in html
    assert "<script" not in html
    assert len(list((run / "plots").glob("*.png"))) == 6


def test_a_file_in_the_folder_s_place_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    assert main(["audit", "--out", str(tmp_path / "file")]) == 2
    assert "--out: " in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_with_files_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["audit", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("scale", ["0", "-1", "nan", "inf"])
def test_impossible_scales(scale: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--out", str(tmp_path / "run"), "--scale", scale]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def planted() -> tuple[object, ...]:
    """The library's bounds with Theorem 1 as printed called valid."""
    return tuple(replace(b, valid=True) if b.name == "theorem1-printed" else b for b in BOUNDS)


def test_a_false_bound_called_valid_fails_the_audit_and_changes_nothing_else(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the same seed the ledger is the same, to the letter, but for what the bound is called.

    One audit for both: it takes half a minute, whatever its scale.
    """
    monkeypatch.setattr(audit, "BOUNDS", planted())
    monkeypatch.setattr(check.check, "__defaults__", (planted(),))
    again = tmp_path / "run"
    assert main(["audit", "--out", str(again), "--scale", SCALE, "--no-plots"]) == 1
    assert "theorem1-printed" in capsys.readouterr().err
    first, second = ledger(run), ledger(again)
    called = second["theorem1-printed"]["evidence"]
    assert isinstance(called, dict)
    assert called["called_valid"]
    called["called_valid"] = False
    # the order of the rows and of what they say included
    assert json.dumps(list(second.items())) == json.dumps(list(first.items()))


def test_a_false_bound_called_valid_fails_the_check(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    certificate = json.loads((run / "certificates" / "theorem1-printed.json").read_text("utf-8"))
    path = tmp_path / "case.json"
    path.write_text(json.dumps(certificate["case"]))
    monkeypatch.chdir(tmp_path)
    assert main(["check", str(path)]) == 0  # the library does not call it valid
    assert list(tmp_path.iterdir()) == [path]
    monkeypatch.setattr(check.check, "__defaults__", (planted(),))
    capsys.readouterr()
    assert main(["check", str(path)]) == 1
    assert "refuted: theorem1-printed: the library calls it valid" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [path]
    folder = tmp_path / "certificates"
    for expected in ("case-theorem1-printed.json", "case-theorem1-printed-2.json"):
        assert main(["check", str(path), "--certificates", str(folder)]) == 1
        assert f"refuted: theorem1-printed: {folder / expected}" in capsys.readouterr().out
        assert verify.main([str(folder / expected)]) == 0


def test_certificates_of_printed_bounds_on_request(run: Path, tmp_path: Path) -> None:
    certificate = json.loads((run / "certificates" / "theorem1-printed.json").read_text("utf-8"))
    case = certificate["case"]
    # in floats, so that the certificate is of a rational case nearby
    case["gamma"] = 0.9
    path = tmp_path / "float.json"
    path.write_text(json.dumps(case))
    assert main(["check", str(path), "--certificates", str(tmp_path / "out"), "--json"]) == 0
    assert verify.main([str(tmp_path / "out" / "float-theorem1-printed.json")]) == 0


def test_violations_in_floats_alone_leave_a_claim_open(tmp_path: Path) -> None:
    tally = Tally(BOUNDS)
    record = tally.record(find("mbpo-4.1"))
    record.games, record.failed, record.worst = 10, 1, 1.5
    claim = audit._claim([record], tmp_path)
    assert claim.status == "open"
