"""Rows about sample efficiency: read from records, judged as planted, else left open."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bounds.shared.claims import Claim, write_ledger
from bounds.shared.numbers import InputError
from tabular.audit.rows import sample_efficiency
from tabular.audit.rows.sample_efficiency import AORDPG, AORPO, claims_of, sample_claims
from tabular.records import comparison
from tabular.records.comparison import GOAL, compare
from tabular.records.greedy_returns import FILES, FOLDER, GreedyRun, recorded
from tabular.records.intervals import difference
from tabular.records.runs import read
from tabular.records.theory import read_object

#: Greedy return of a seed after some episodes.
Curve = Callable[[int, int], float]
ONCE, EQUAL, SHORT = "words-masac-1", "words-masac", "speaker-listener-masac-penalty"
MADDPG = "words-maddpg-1"
#: Episodes after which planted curves are compared.
MOMENT = 1000
ROOT = Path(__file__).parents[4]


@pytest.fixture(autouse=True)
def planted_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (comparison, sample_efficiency):
        monkeypatch.setattr(module, "MOMENT", MOMENT)


def learns(by: int, end: float = -7.0, start: float = -30.0, apart: float = 0.1) -> Curve:
    """From ``start`` to ``end`` at the episode ``by``; seeds are ``apart``."""
    return lambda seed, episode: start + (end - start) * min(1.0, episode / by) + apart * (seed - 2)


def write(
    folder: Path,
    name: str,
    curve: Curve,
    *,
    updates: int,
    every: int = 100,
    length: int = 2000,
    seeds: int = 5,
    calls: int | None = None,
    capacity: int = 15_000,
    **more: Any,
) -> Path:
    """A record as training writes it; calls: of each agent by the end, None for model-free."""
    known = ("aorpo", "aordpg", "masac", "maddpg")
    algorithm = next(part for part in name.split("-") if part in known)
    run = folder / name
    run.mkdir(parents=True)
    learner: dict[str, Any] = {"learning_rate": 0.001, **more}
    if calls is not None:
        learner["model"] = {"scheme": "adaptive", "k": 5}
    numbers = list(range(seeds))
    settings = {
        "algorithm": algorithm,
        "seeds": numbers,
        "updates": updates,
        "update_every": 100,
        "evaluate_every": every,
        "capacity": capacity,
        "learner": learner,
    }
    manifest = {"settings": settings, "seeds": numbers, "versions": {"torch": "9.8.7"}}
    (run / "manifest.json").write_text(json.dumps(manifest))
    summary = {"episodes": length, "updates": 7, "finished": "2031-02-03 04:05 UTC", "seconds": 1.5}
    (run / "summary.json").write_text(json.dumps(summary))
    with (run / "metrics.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["run", "seed", "episode", "name", "value"])
        for episode in range(every, length + 1, every):
            for seed in numbers:
                for agent, off in (("speaker_0", -1.0), ("listener_0", 1.0)):
                    value = curve(seed, episode) + off  # the mean over agents counts
                    table.writerow([name, seed, episode, f"evaluation/{agent}", value])
                    table.writerow([name, seed, episode, f"return/{agent}", 1e6])
                    if calls is not None:
                        made = calls * episode // length
                        table.writerow([name, seed, episode, f"calls/{agent}", made])
    return run


def planted(folder: Path, **curves: Curve) -> dict[str, Claim]:
    """The rows of AORPO, fast, MASAC with one update, slow, with 30, in between, or as given."""
    write(folder, AORPO, curves.get("aorpo", learns(500)), updates=30, calls=0)
    once = curves.get("once", learns(9000))
    write(folder, ONCE, once, updates=1, every=600, length=12_000, seeds=6)
    write(folder, EQUAL, curves.get("equal", learns(1600)), updates=30)
    return by_id(folder)


def by_id(folder: Path) -> dict[str, Claim]:
    published, equal = sample_claims(folder)
    assert published.id == "aorpo-sample-efficiency"
    assert equal.id == "aorpo-advantage-at-equal-updates"
    return {"published": published, "equal": equal}


def said(claim: Claim) -> str:
    """All that a row says in words."""
    return "; ".join([claim.summary, *claim.evidence.get("details", [])])


def pair(claim: Claim, base: str) -> dict[str, Any]:
    return dict(claim.evidence["pairs"][f"{AORPO} / {base}"])


def test_missing_records_leave_rows_open_and_are_named(tmp_path: Path) -> None:
    for claim, base in zip(sample_claims(tmp_path / "none"), (ONCE, EQUAL), strict=True):
        assert claim.status == "open"
        assert claim.evidence["missing"] == [AORPO, base]
        assert f"python notebooks/record_training.py {base}" in claim.summary
    run = write(tmp_path, AORPO, learns(500), updates=30, calls=0)
    write(tmp_path, ONCE, learns(9000), updates=1, length=12_000)
    claims = by_id(tmp_path)
    assert claims["published"].status == "tested"
    assert claims["equal"].evidence["missing"] == [EQUAL]
    (run / "summary.json").unlink()  # not all of it is there yet
    assert by_id(tmp_path)["published"].evidence["missing"] == [AORPO]


def test_what_is_planted_is_found(tmp_path: Path) -> None:
    claims = planted(tmp_path)
    assert [claim.status for claim in claims.values()] == ["tested", "tested"]
    found = pair(claims["published"], ONCE)
    # lines from -30 to -7; seeds 0 to 4 have the mean of the line, 0 to 5 lie 0.05 above it
    assert found["first"] == 500
    assert found["first_of_baseline"] == 8400
    assert found["first_by_seed"] == [500] * 5
    assert found["at"]["episode"] == 1000
    assert found["at"]["value"] == pytest.approx(-7)
    assert [at["episode"] for at in found["baseline_at"]] == [600, 1200]
    assert found["baseline_at"][0]["value"] == pytest.approx(-30 + 23 * 600 / 9000 + 0.05)
    seeds = -7 + 0.1 * (np.arange(5) - 2)
    expected = stats.ttest_1samp(seeds, 0).confidence_interval(0.95)
    assert found["at"]["low"] == pytest.approx(expected.low)
    assert found["at"]["high"] == pytest.approx(expected.high)
    brief = claims["published"].summary
    assert brief.startswith(
        "supported: AORPO (30 updates a round, 5 seeds) to -8.5 in 500 episodes, "
        "MASAC (1 update a round, 6 seeds) in 8,400; -7.00 ("
    )
    assert ") after 1,000 against -28.42 (" in brief
    assert len(brief) < 300
    summary = said(claims["published"])
    for words in (
        "AORPO (30 updates a round, 5 seeds) against MASAC (1 update a round, 6 seeds)",
        "first at 500 against at 8,400 episodes, 16.8 times (evaluated every 100 and 600)",
        f"-7.00 ({expected.low:.2f} to {expected.high:.2f}) at 1,000",
        "AORPO with lengths adaptive and 1 opponent made 0 calls a run",
        "2031-02-03",
        "torch 9.8.7",
        "python notebooks/record_training.py NAME",
    ):
        assert words in summary
    found = pair(claims["equal"], EQUAL)
    assert found["first_of_baseline"] == 1500
    assert found["a_third"]
    assert "goal of 1/3 of the episodes: reached" in said(claims["equal"])
    write_ledger(list(claims.values()), tmp_path / "ledger.json")


@pytest.mark.parametrize(
    ("curves", "status", "words"),
    [
        # apart, but as wide as that
        ({"aorpo": learns(500, apart=6)}, "open", "interval meets that of MASAC (30 updates"),
        # above the other's mean, though not above its interval
        (
            {"aorpo": learns(500, apart=0.8), "equal": learns(1000, end=-9, apart=1)},
            "open",
            "interval meets that of MASAC (30 updates",
        ),
        ({"aorpo": learns(500, end=-9)}, "open", "-8.5 was not reached"),
        # 2,000 episodes were not enough, and three times as many are more than 1,500
        ({"aorpo": learns(500, end=-9)}, "open", "goal of 1/3 of the episodes: missed"),
        ({"aorpo": learns(1900)}, "open", "lower than MASAC (30 updates"),
        ({"equal": learns(500)}, "open", "no sooner than MASAC (30 updates"),
        ({"equal": learns(900, end=-8.4)}, "tested", "goal of 1/3 of the episodes: missed"),
        # it needs more than 2,000 episodes, and 500 is less than a third of that
        ({"equal": learns(1600, end=-9)}, "tested", "not by 2,000 episodes, over 4.0 times"),
        ({"equal": learns(1600, end=-9)}, "tested", "goal of 1/3 of the episodes: reached"),
        (
            {"aorpo": learns(800), "equal": learns(1600, end=-9)},
            "tested",
            "goal of 1/3 of the episodes: not decided by these runs",
        ),
    ],
)
def test_verdicts_at_equal_updates(
    tmp_path: Path, curves: dict[str, Curve], status: str, words: str
) -> None:
    claim = planted(tmp_path, **curves)["equal"]
    assert claim.status == status
    assert words in said(claim)


def test_a_baseline_is_not_held_to_its_past(tmp_path: Path) -> None:
    """Far below at 600 episodes, above from 1,200 on: AORPO's 1,000 lie between the two."""
    claim = planted(tmp_path, once=lambda seed, episode: -40 if episode < 900 else -7 + 0.1 * seed)
    found = pair(claim["published"], ONCE)
    assert found["baseline_at"][0]["high"] < found["at"]["low"]
    assert not found["above"]
    assert not found["below"]
    assert claim["published"].status == "open"
    assert "interval meets that of MASAC (1 update a" in claim["published"].summary


def test_only_what_a_row_is_about_is_judged(tmp_path: Path) -> None:
    planted(tmp_path)
    # better than AORPO, with other updates; and AORDPG, worse than MADDPG
    write(tmp_path, SHORT, learns(200), updates=10)
    write(tmp_path, AORDPG, learns(1900), updates=30, calls=0)
    write(tmp_path, "words-maddpg", learns(200), updates=30)
    claims = by_id(tmp_path)
    assert claims["equal"].status == "tested"
    assert not pair(claims["equal"], SHORT)["judged"]
    assert said(claims["equal"]).count("(not judged)") == 2
    # as published there is MADDPG too
    write(tmp_path, MADDPG, learns(200), updates=1, seeds=3)
    claims = by_id(tmp_path)
    assert claims["published"].status == "open"
    assert "no sooner than MADDPG (1 update a round, 3 seeds)" in claims["published"].summary


def test_another_replay_is_named(tmp_path: Path) -> None:
    planted(tmp_path)
    write(tmp_path, SHORT, learns(1600), updates=30, capacity=5_000)
    claim = by_id(tmp_path)["equal"]
    assert "MASAC (30 updates a round, 5 seeds) in 1,500" in claim.summary
    assert "MASAC (30 updates a round, replay of 5,000, 5 seeds) in 1,500" in claim.summary
    assert pair(claim, SHORT)["judged"]


def test_equal_updates_are_looked_up(tmp_path: Path) -> None:
    write(tmp_path, AORPO, learns(500), updates=30, calls=0)
    write(tmp_path, EQUAL, learns(1600), updates=20, learning_rate=0.5)
    claim = by_id(tmp_path)["equal"]
    assert claim.status == "open"
    assert f"{EQUAL} is not what this row compares with" in claim.summary
    assert "settings that differ: learner.learning_rate" in said(claim)
    found = pair(claim, EQUAL)["settings_that_differ"]
    assert found["updates"] == [30, 20]
    assert found["learner.learning_rate"] == [0.001, 0.5]
    write(tmp_path, ONCE, learns(9000), updates=2, length=12_000)
    claim = by_id(tmp_path)["published"]
    assert claim.status == "open"
    assert f"{ONCE} is not what this row compares with" in claim.summary


def test_a_run_without_an_evaluation_in_time(tmp_path: Path) -> None:
    write(tmp_path, AORPO, learns(500), updates=30, calls=0)
    write(tmp_path, EQUAL, learns(1600), updates=30, every=1500, length=3000)
    claim = by_id(tmp_path)["equal"]
    assert claim.status == "open"
    assert "no evaluation by episode 1,000" in said(claim)


def test_calls_are_interactions(tmp_path: Path) -> None:
    run = write(tmp_path, AORPO, learns(500), updates=30, calls=5_000)
    write(tmp_path, ONCE, learns(9000), updates=1, length=12_000)
    record = recorded(run.name, tmp_path)
    assert record is not None
    assert record.calls.tolist() == [10_000.0] * 5
    # each of two agents acts once in a step; 2,000 episodes have 25
    assert record.normalised == (2 * 2000 * 25 + 10_000) / 2 / 25
    assert "made 10,000 calls a run, 2,200 normalised" in said(by_id(tmp_path)["published"])


def bare(returns: list[list[float]], every: int) -> GreedyRun:
    """A run of which only evaluations matter, every ``every`` episodes."""
    values = np.array(returns)
    episodes = every * (1 + np.arange(len(values)))
    settings = {"updates": 1, "update_every": 100, "evaluate_every": every}
    summary = {"episodes": int(episodes[-1])}
    seeds = values.shape[1]
    return GreedyRun("x", {"settings": settings}, summary, episodes, values, np.zeros(seeds), 2)


def runs() -> st.SearchStrategy[GreedyRun]:
    seed = st.lists(st.floats(-12, -5), min_size=3, max_size=3)
    return st.builds(
        bare, st.lists(seed, min_size=5, max_size=30), st.sampled_from([100, 150, 200])
    )


@given(runs(), runs(), st.integers(5, 30), st.integers(5, 30))
def test_shorter_runs_decide_less_and_never_otherwise(
    run: GreedyRun, base: GreedyRun, keep: int, keep_base: int
) -> None:
    def cut(each: GreedyRun, moments: int) -> GreedyRun:
        return bare(each.returns[:moments].tolist(), int(each.episodes[0]))

    whole, part = compare(run, base), compare(cut(run, keep), cut(base, keep_base))
    assert whole is not None
    assert part is not None
    if whole.first is not None and whole.baseline_first is not None:
        assert whole.within_a_third == (3 * whole.first <= whole.baseline_first)
        assert part.within_a_third in {None, whole.within_a_third}
        assert whole.sooner or not part.sooner
    assert not (whole.above and whole.below)
    # the baseline had no fewer episodes than the other in one of those compared, if it went on
    assert whole.mean[0] <= MOMENT
    assert max(at for at, _ in whole.baseline_means) >= min(whole.mean[0], base.last_evaluation)
    for first, each in ((whole.first, run), (whole.baseline_first, base)):
        means = dict(zip(each.episodes.tolist(), each.returns.mean(1), strict=True))
        reached = [episode for episode, mean in means.items() if mean >= GOAL]
        assert first == (min(reached) if reached else None)


@given(
    st.lists(st.floats(-30, 0), min_size=2, max_size=8, unique=True),
    st.lists(st.floats(-30, 0), min_size=2, max_size=8, unique=True),
)
def test_the_difference_is_welchs(a: list[float], b: list[float]) -> None:
    one, other = np.array(a).round(6), np.array(b).round(6)
    found = difference(one, other)
    if one.std() + other.std() == 0:
        assert found.low == found.value == found.high
        return
    expected = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
    assert found.low == pytest.approx(expected.low, rel=1e-9, abs=1e-9)
    assert found.high == pytest.approx(expected.high, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("metrics.csv", lambda text: text.rpartition("\n")[0].rpartition("\n")[0], r"of \[0, 1, 2"),
        ("metrics.csv", lambda text: text.replace("evaluation/", "test/"), "was not recorded"),
        ("metrics.csv", lambda text: text + "x,0,7,evaluation/speaker_0,nan\n", "not finite"),
        ("metrics.csv", lambda text: text + "x,0,7,evaluation/speaker_0\n", "line"),
        ("metrics.csv", lambda text: text + "x,0,seven,evaluation/speaker_0,1\n", "line"),
        ("manifest.json", lambda text: text[:-1], "not that of a run"),
        ("manifest.json", lambda text: "[]", "not that of a run"),
        ("summary.json", lambda text: text[:-1], "not JSON"),
        ("summary.json", lambda text: "[]", "no JSON object"),
        ("manifest.json", lambda text: text.replace("torch", "torsion"), "whole record"),
        ("summary.json", lambda text: text.replace("finished", "ended"), "whole record"),
    ],
)
def test_broken_records(
    tmp_path: Path, file: str, change: Callable[[str], str], words: str
) -> None:
    # without calls, so that the last row is an evaluation's
    path = write(tmp_path, EQUAL, lambda seed, episode: -9, updates=30) / file
    lines = [line for line in path.read_text().split("\n") if ",return/" not in line]
    path.write_text(change("\n".join(lines)))
    with pytest.raises(InputError, match=words) as caught:
        recorded(EQUAL, tmp_path)
    assert "\n" not in str(caught.value)


def test_agents_are_evaluated_together_and_seeds_are_several(tmp_path: Path) -> None:
    run = write(tmp_path, EQUAL, learns(900), updates=30)
    text = (run / "metrics.csv").read_text()
    rows = "".join(f"x,{seed},7777,evaluation/speaker_0,-9\n" for seed in range(5))
    (run / "metrics.csv").write_text(text + rows)
    with pytest.raises(InputError, match="different moments"):
        recorded(EQUAL, tmp_path)
    write(tmp_path, ONCE, learns(900), updates=1, seeds=1)
    with pytest.raises(InputError, match="one seed has no interval"):
        recorded(ONCE, tmp_path)
    with pytest.raises(InputError, match=r"holds no x\.json; make it"):
        read_object(tmp_path / "x.json", "make it")


RECORDED = sorted(p.name for p in FOLDER.iterdir() if all((p / file).is_file() for file in FILES))


@pytest.mark.parametrize("name", RECORDED)
def test_this_projects_records_read_as_deep_reads_them(name: str) -> None:
    run = recorded(name)
    assert run is not None
    episodes, values = read(FOLDER / name).over_agents("evaluation")
    assert np.array_equal(run.episodes, episodes)
    assert np.allclose(run.returns, values, rtol=1e-14, atol=0)  # sums of two in another order
    assert run.last_evaluation <= run.trained_episodes


def test_the_rows_need_no_torch() -> None:
    lines = (
        "import sys",
        "from tabular.audit.rows.sample_efficiency import sample_claims",
        "print(*(claim.status for claim in sample_claims()))",
        "assert 'torch' not in sys.modules and 'deep' not in sys.modules",
    )
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) <= {"tested", "open"}


def test_what_is_recorded_here_says_what_its_numbers_say() -> None:
    """Status and text follow from the evidence, whatever was trained."""
    for claim in sample_claims():
        if "missing" in claim.evidence:
            assert claim.status == "open"
            continue
        pairs = [each for each in claim.evidence["pairs"].values() if each["judged"]]
        assert (claim.status == "tested") == all(p["sooner"] and p["above"] for p in pairs)
        assert pairs
        assert claim.summary.startswith("supported: ") == (claim.status == "tested")


def test_no_runs_no_rows_judged() -> None:
    assert {claim.status for claim in claims_of({})} == {"open"}
