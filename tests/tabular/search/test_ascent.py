"""The gradient adversary: values as the check's, jobs that resume, refutations that are exact."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bounds.formula.bound import Bound
from bounds.library.published import BOUNDS, find
from bounds.shared.numbers import InputError
from tabular import verify
from tabular.cases.check import check
from tabular.commands.main import main
from tabular.search import ascent, ascent_bounds, ascent_games, attack, attack_jobs
from tabular.search.ascent import SMALLEST_VALUE, TIMES, Effort
from tabular.search.ascent_bounds import TAIL
from tabular.search.ascent_games import World
from tabular.search.attack import run_attack
from tabular.search.attack_jobs import SHAPES, TARGETS, Job, Settings, run_job
from tabular.search.evolution import Shape
from tabular.search.figures import expected_best, picture

F = Fraction
NO_CAP = F(1)
ROOT = Path(__file__).parents[3]
SMALL = (Shape(2, (2,), F(9, 10), 1), Shape(2, (2, 2), F(1, 2), 2, (None, 1)))
QUICK = Effort(restarts=4, steps=6)
#: Two bounds, two caps, two shapes: eight jobs of a fraction of a second.
SETTINGS = Settings(
    targets=(("coupling-sup", "branched"), ("coupling-data", "model")), shapes=SMALL, effort=QUICK
)


def job(bound: str, about: str, shape: Shape, cap: Fraction = NO_CAP, **effort: Any) -> Job:
    return Job(0, bound, about, cap, shape, 0, Effort(**effort))


def tensors(shape: Shape, restarts: int, seed: int) -> dict[str, Any]:
    genes = ascent_games.start(shape, restarts, np.random.default_rng(seed))
    return {name: torch.tensor(array, dtype=torch.float64) for name, array in genes.items()}


def batch(shape: Shape, bound: Bound, cap: float = 1.0, restarts: int = 6, seed: int = 0) -> World:
    return ascent.decode(tensors(shape, restarts, seed), shape, bound, cap)


def results(folder: Path) -> dict[str, bytes]:
    """Every file of a run, by name, without what depends on the machine."""
    files = sorted(path for path in folder.rglob("*.json") if path.name != "manifest.json")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("attack") / "run"
    assert run_attack(SETTINGS, folder, workers=1) == 0
    return folder


# Values


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda b: f"{b.name}-{b.about}")
@pytest.mark.parametrize("cap", [1.0, 0.05])
def test_values_are_those_of_the_check(bound: Bound, cap: float) -> None:
    jobs = Settings(targets=((bound.name, bound.about),), caps=(NO_CAP,)).jobs()
    assert jobs
    for number, shape in enumerate(one.shape for one in jobs):
        world = batch(shape, bound, cap, seed=number)
        errors = ascent.measure(world)
        gap, value, _, _ = ascent.sides(bound, world)
        gamma = float(shape.gamma)
        for i in range(len(gap)):
            result = check(ascent_games.as_case(world, i), [bound], max_horizon=TIMES - 1)
            exact = result.errors
            # TIMES products of rows of at most 5 numbers lose less than TIMES · 5 · 2⁻⁵² = 3e-13
            close = {"rel": 0, "abs": 1e-12}
            assert [float(e[i]) for e in errors.policy_shift] == pytest.approx(
                list(exact.policy_shift), **close
            )
            assert [float(e[i]) for e in errors.opponent_model] == pytest.approx(
                list(exact.opponent_model[1:]), **close
            )
            assert float(errors.model_sup[i]) == pytest.approx(exact.model_sup, **close)
            assert float(errors.model_data[i]) == pytest.approx(exact.data.value, **close)
            assert float(errors.model_current[i]) == pytest.approx(exact.current.value, **close)
            assert float(errors.joint_policy_shift[i]) == pytest.approx(
                exact.joint_policy_shift, **close
            )
            assert float(errors.span[i]) == pytest.approx(exact.span, **close)
            (verdict,) = result.verdicts
            # a return moves by at most r_max/(1 − γ)² per unit of error in the probabilities, and
            # no bound here by more than 20 (k + 1) r_max/(1 − γ)² per unit of its errors
            rounding = 20 * (shape.branch_length + 1) * 1e-12 / (1 - gamma) ** 2
            assert float(gap[i]) == pytest.approx(verdict.discrepancy, rel=0, abs=rounding)
            tail = float(errors.span[i]) * TAIL / (1 - gamma)
            assert -rounding <= float(value[i]) - verdict.value <= tail + rounding


@pytest.mark.parametrize(("name", "about"), TARGETS)
def test_gradients_are_finite_differences(name: str, about: str) -> None:
    bound = find(name, about)
    for shape in SHAPES[1:8:3]:
        genes = tensors(shape, 3, 5)
        rng = np.random.default_rng(1)
        way = {key: torch.tensor(rng.normal(size=g.shape)) for key, g in genes.items()}

        def objective(at: dict[str, Any], shape: Shape = shape) -> Any:
            gap, value, _, _ = ascent.sides(bound, ascent.decode(at, shape, bound, 0.3))
            return torch.log(gap) - torch.log(value)

        step = 1e-6
        ahead = objective({key: g + step * way[key] for key, g in genes.items()})
        behind = objective({key: g - step * way[key] for key, g in genes.items()})
        leaves = {key: g.requires_grad_() for key, g in genes.items()}
        for i in range(3):
            # a gene may not matter to this bound
            grads = torch.autograd.grad(
                objective(leaves)[i], list(leaves.values()), allow_unused=True
            )
            slope = sum(
                float((g * way[key]).sum())
                for key, g in zip(leaves, grads, strict=True)
                if g is not None
            )
            # central differences: 1e-12 times third derivatives, and 1e-15/step of rounding
            measured = float(ahead[i] - behind[i]) / (2 * step)
            assert slope == pytest.approx(measured, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda b: f"{b.name}-{b.about}")
def test_the_cap_holds_by_construction(bound: Bound) -> None:
    for shape in SHAPES:
        result = ascent.measure(batch(shape, bound, cap=0.05, restarts=20))
        kind = ascent_bounds.expected_kind(bound) or "model_sup"
        capped = [*result.policy_shift, *result.opponent_model, getattr(result, kind)]
        # rows sum to 1 but for a few units in the last place
        assert max(float(e.max()) for e in capped) <= 0.05 * (1 + 1e-13) + 1e-15
        assert float(getattr(result, kind).max()) > 0.04  # and it is not kept by having no errors


# Attacks


@pytest.mark.parametrize(("name", "about"), TARGETS)
@pytest.mark.parametrize("cap", [F(1), F(1, 20)])
def test_coupling_bounds_stand_and_are_approached(name: str, about: str, cap: Fraction) -> None:
    found = run_job(job(name, about, SHAPES[0], cap, restarts=16, steps=120))
    assert not found["refuted"]
    assert 0.99 < found["ratio"] <= 1
    assert max(found["errors"].values()) <= float(cap)


@pytest.mark.parametrize(("name", "about"), TARGETS)
def test_the_model_error_can_be_held_up(name: str, about: str) -> None:
    least, cap = F(1, 40), F(1, 20)
    one = replace(job(name, about, SHAPES[5], cap, restarts=16, steps=100), least=least)
    found = run_job(one)
    kind = ascent_bounds.expected_kind(find(name, about)) or "model_sup"
    assert float(least) <= found["errors"][kind] <= float(cap)
    assert 0 < found["ratio"] <= 1


@pytest.mark.nightly
@pytest.mark.parametrize("cap", [F(1), F(1, 5), F(1, 20), F(1, 100)])
@pytest.mark.parametrize("least", [F(0), F(1, 2)])
def test_coupling_bounds_stand_on_every_shape(cap: Fraction, least: Fraction) -> None:
    for one in Settings(caps=(cap,), least=least, seed=1).jobs():
        found = run_job(one)
        assert not found["refuted"]
        # every rounding may have fallen out of the range
        assert found["ratio"] is None or found["ratio"] <= 1


def planted(bound: Bound) -> Bound:
    """``bound`` times 9/10, called valid."""

    def formula(gamma: Any, span: Any, c_bar: Any, rho: Any) -> Any:
        return 9 * bound.formula(gamma, span, c_bar, rho) / 10

    return replace(bound, name="planted", formula=formula, value=None)


def test_a_planted_false_bound_is_refuted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    false = planted(find("coupling-sup", "model"))
    for module in (attack_jobs, attack):
        monkeypatch.setattr(module, "find", lambda name, about: false)
    settings = Settings(
        targets=(("planted", "model"),),
        caps=(F(1, 20),),
        shapes=SHAPES[:1],
        effort=Effort(restarts=8, steps=60),
    )
    assert run_attack(settings, tmp_path / "run", workers=1) == 1
    assert "refuted although the library calls it valid: planted" in capsys.readouterr().err
    (certificate,) = (tmp_path / "run" / "certificates").iterdir()
    assert verify.main([str(certificate)]) == 0
    assert F(json.loads(certificate.read_text())["left"]) > 0
    # a finished run is read again, with the same verdict and no second certificate
    assert run_attack(settings, tmp_path / "run", workers=1) == 1
    assert len(list((tmp_path / "run" / "certificates").iterdir())) == 1


def test_a_printed_theorem_is_refuted_and_that_is_no_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    settings = Settings(
        targets=(("theorem1-printed", "model"),),
        caps=(F(1, 20),),
        shapes=SHAPES[:1],
        effort=Effort(restarts=4, steps=40),
    )
    assert run_attack(settings, folder, workers=1) == 0
    rows = json.loads((folder / "results.json").read_text())["rows"]
    assert [row["refuted"] for row in rows] == [True]
    for certificate in (folder / "certificates").iterdir():
        assert verify.main([str(certificate)]) == 0
    assert "theorem1-printed" in capsys.readouterr().out


def test_bounds_that_know_no_opponent_models_are_attacked_without() -> None:
    found = run_job(job("mbpo-4.3", "branched", SHAPES[1], restarts=4, steps=5))
    models = found["case"]["opponent_models"]
    assert models == [None, None]


def test_sums_that_it_does_not_know_are_refused() -> None:
    own = replace(find("coupling-data"), name="own")
    with pytest.raises(InputError, match="own: a sum that the attack does not know"):
        ascent.ascend(own, SHAPES[0], QUICK, np.random.default_rng(0))


def test_formulas_that_take_no_tensors_are_refused() -> None:
    own = replace(find("simulation-lemma"), name="own", formula=lambda gamma, span: F(1, 2) * span)
    with pytest.raises(InputError, match="own: its formula takes no tensors"):
        ascent.ascend(own, SHAPES[0], QUICK, np.random.default_rng(0))


def test_small_bounds_are_not_scored() -> None:
    """Ratios are those of bounds of a size that survives rounding; the rest count as 0."""
    found = ascent.ascend(
        find("coupling-sup", "model"), SHAPES[0], QUICK, np.random.default_rng(3), cap=1e-5
    )
    bound = find("coupling-sup", "model")
    values = [
        float(v.value / bound.largest_of(r.errors.span, r.case.gamma))
        for r in (check(c, [bound]) for c in found.cases)
        for v in r.verdicts
    ]
    assert max(values) < SMALLEST_VALUE / 2
    assert set(found.ratios) == {0.0}


def test_same_seed_same_result_and_another_seed_another() -> None:
    one = job("coupling-expected", "branched", SHAPES[1], restarts=4, steps=5)
    assert run_job(one) == run_job(one)
    assert run_job(one)["restarts"] != run_job(replace(one, seed=1))["restarts"]
    assert run_job(one)["restarts"] != run_job(replace(one, number=1))["restarts"]


# Runs


def test_a_run_writes_every_job_and_a_table(uninterrupted: Path) -> None:
    jobs = SETTINGS.jobs()
    assert len(jobs) == 8
    assert {path.stem for path in (uninterrupted / "jobs").iterdir()} == {j.name for j in jobs}
    rows = json.loads((uninterrupted / "results.json").read_text())["rows"]
    assert [(r["bound"], r["about"], r["cap"], r["jobs"]) for r in rows] == [
        ("coupling-sup", "branched", "1", 2),
        ("coupling-sup", "branched", "1/20", 2),
        ("coupling-data", "model", "1", 2),
        ("coupling-data", "model", "1/20", 2),
    ]
    for row in rows:
        ratios = [
            r["ratio"]
            for r in attack.read_results(uninterrupted)
            if (r["bound"], r["cap"]) == (row["bound"], row["cap"])
        ]
        assert row["ratio"] == max(ratios)


def test_an_interrupted_run_goes_on_to_the_same_results(
    uninterrupted: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    done: list[int] = []

    def until_the_fourth(one: Job) -> dict[str, Any]:
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(one.number)
        return run_job(one)

    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(attack, "run_job", until_the_fourth)
        with pytest.raises(KeyboardInterrupt):
            run_attack(SETTINGS, folder, workers=1)
    assert "3 of 8 jobs are done" in capsys.readouterr().err
    assert len(list((folder / "jobs").iterdir())) == 3

    def only_the_missing(one: Job) -> dict[str, Any]:
        assert one.number not in done
        return run_job(one)

    monkeypatch.setattr(attack, "run_job", only_the_missing)
    assert run_attack(SETTINGS, folder, workers=1) == 0
    assert results(folder) == results(uninterrupted)


def test_processes_give_the_same_results(uninterrupted: Path, tmp_path: Path) -> None:
    assert run_attack(SETTINGS, tmp_path / "run", workers=2) == 0
    assert results(tmp_path / "run") == results(uninterrupted)


def started(folder: Path, *flags: str) -> subprocess.Popen[str]:
    """An attack of ten slow jobs in a process of its own, once two of them are done."""
    command = [sys.executable, "-m", "tabular", "attack", "coupling-data", "--out", str(folder)]
    command += ["--caps", "1", "--restarts", "16", "--steps", "40", "--workers", "2", *flags]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    run = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    while run.poll() is None and len(list(folder.glob("jobs/*.json"))) < 2:
        time.sleep(0.02)
    return run


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_killed_run_loses_the_jobs_in_flight_only(
    how: signal.Signals, code: int, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    run = started(folder)
    run.send_signal(how)
    # the workers hold the other end of these pipes: this ends when the last of them has ended
    out, err = run.communicate(timeout=30)
    assert run.returncode == code, out + err
    assert "Traceback" not in err
    done = results(folder)
    assert 2 <= len(done) < 10
    settings = Settings(
        targets=(("coupling-data", "model"),), caps=(F(1),), effort=Effort(restarts=16, steps=40)
    )
    kept = attack.read_results(folder)
    assert run_attack(settings, folder, workers=1) == 0
    after = results(folder)
    assert len(after) == 11
    assert done.items() <= after.items()
    # jobs end in any order: the first one may have been in flight
    least = min(int(Path(name).name[:4]) for name in done)
    assert kept[0] == run_job(next(job for job in settings.jobs() if job.number == least))


def test_a_local_ray_cluster_gives_the_same_results(uninterrupted: Path, tmp_path: Path) -> None:
    assert run_attack(SETTINGS, tmp_path / "run", workers=2, ray=True) == 0
    assert results(tmp_path / "run") == results(uninterrupted)


# What a user can get wrong


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"effort": Effort(4, 7)}, "steps"),
        ({"effort": Effort(5, 6)}, "restarts"),
        ({"caps": (F(1),)}, "caps"),
        ({"least": F(1, 2)}, "least"),
        ({"seed": 1}, "seed"),
        ({"targets": TARGETS}, "targets"),
        ({"shapes": SHAPES}, "shapes"),
    ],
)
def test_other_settings_are_refused(
    change: dict[str, Any], named: str, uninterrupted: Path
) -> None:
    with pytest.raises(InputError, match=f"an attack with other {named}; give the same"):
        run_attack(replace(SETTINGS, **change), uninterrupted)


def no_json(folder: Path) -> None:
    (folder / "jobs" / f"{SETTINGS.jobs()[0].name}.json").write_text("{")


def no_object(folder: Path) -> None:
    (folder / "jobs" / f"{SETTINGS.jobs()[0].name}.json").write_text("[]")


def other_job(folder: Path) -> None:
    (folder / "jobs" / f"{SETTINGS.jobs()[0].name}.json").write_text('{"bound": "other"}')


def no_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text("{}")


def other_files(folder: Path) -> None:
    (folder / "manifest.json").rename(folder / "thesis.json")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (no_json, "not JSON; remove it"),
        (no_object, "not a JSON object; remove it"),
        (other_job, "not this job's result; remove it"),
        (no_manifest, "not the manifest of an attack"),
        (other_files, "holds something else; name a new folder"),
    ],
)
def test_damaged_folders_are_refused(
    damage: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    one = replace(SETTINGS, targets=SETTINGS.targets[:1], caps=(F(1),), shapes=SMALL[:1])
    run_attack(one, tmp_path / "run", workers=1)
    damage(tmp_path / "run")
    with pytest.raises(InputError, match=message):
        run_attack(one, tmp_path / "run", workers=1)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["coupling-sub"], "did you mean coupling-sup?"),
        (["--caps", "0"], "--caps: 0 is not in (0, 1]"),
        (["--caps", "3/2"], "--caps: 3/2 is not in (0, 1]"),
        (["--caps", "x"], "--caps: 'x' is not a rational number"),
        (["--caps"], "--caps: none given"),
        (["--least", "1"], "--least: 1 is not in [0, 1)"),
        (["--steps", "0"], "--steps: 0 is not a whole number"),
        (["--restarts", "0"], "--restarts: 0 is not a whole number"),
        (["--seeds", "0"], "--seeds: 0 is not a whole number"),
        (["--seed", "-1"], "--seed: -1 is not a whole number"),
        (["--workers", "0"], "--workers: 0 is not a whole number"),
        (["--address", "nowhere:1"], "--address: given without --ray"),
    ],
)
def test_impossible_flags(
    flags: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["attack", *flags, "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1:x", "127.0.0.1:99999", "auto"])
def test_no_cluster_at_the_address(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--ray", "--address", address, "--out", str(tmp_path / "run")]
    assert main(["attack", *flags]) == 2
    error = capsys.readouterr().err
    assert f"--address: {address}: no Ray cluster there" in error
    assert error.count("\n") == 1


def dies(one: Job) -> dict[str, Any]:
    os._exit(3)


def test_a_worker_that_dies_ends_the_run_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attack, "run_job", dies)
    with pytest.raises(InputError, match="--workers: a process ended"):
        run_attack(SETTINGS, tmp_path / "run", workers=2)


@pytest.mark.parametrize(
    ("missing", "flags", "extra"),
    [("torch", [], "opponentwise[search]"), ("ray", ["--ray"], "opponentwise[ray]")],
)
def test_missing_extras_are_named(
    missing: str,
    flags: list[str],
    extra: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    assert main(["attack", "--out", str(tmp_path / "run"), *flags]) == 2
    error = capsys.readouterr().err
    assert f"pip install '{extra}'" in error
    assert error.count("\n") == 1


# The picture


def test_expected_best_of_m_restarts() -> None:
    gaps = np.array([0.3, 0.1, 0.4, 0.2, 0.1])
    expected = [
        np.mean([min(chosen) for chosen in combinations(gaps, m)]) for m in range(1, len(gaps) + 1)
    ]
    # five terms of at most 1 in float64
    assert expected_best(gaps) == pytest.approx(expected, rel=0, abs=1e-14)


def test_the_picture_has_one_curve_a_bound(uninterrupted: Path) -> None:
    left, right = picture(attack.read_results(uninterrupted)).axes
    for axes in (left, right):
        assert [line.get_label() for line in axes.lines] == [
            "coupling-sup (branched)",
            "coupling-data (model)",
        ]
    assert left.lines[0].get_xdata()[-1] == QUICK.steps
    assert "1/20" in left.get_title()
    with pytest.raises(InputError, match="no finished jobs"):
        picture([])


def test_pictures_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--restarts", "2", "--steps", "2", "--caps", "1", "--workers", "1", "--plot"]
    assert main(["attack", "simulation-lemma", *flags, "--out", str(tmp_path / "run")]) == 0
    assert capsys.readouterr().out.strip().endswith("attack.png")
    assert (tmp_path / "run" / "attack.svg").is_file()
