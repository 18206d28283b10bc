"""``python -m deep`` as a user meets it."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from bounds.shared.progress import progress
from deep.commands.main import main
from deep.training import checkpoint
from deep.training.metrics import GLOSSARY
from deep.training.run import reopen

SETTINGS = {
    "environments": 3,
    "update-every": 25,
    "warm-up": 50,
    "capacity": 500,
    "evaluation-episodes": 3,
    "record-every": 3,
    "evaluate-every": 3,
    "checkpoint-every": 6,
    "batch": 8,
    "hidden": 8,
    "device": "cpu",
}
QUICK = [text for name, value in SETTINGS.items() for text in (f"--{name}", str(value))]

AORPO = ("--algorithm", "aorpo", "--warm-up", "400")


def deep(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def train(out: Path, *more: object) -> int:
    return deep("train", "--task", "speaker-listener", "--episodes", 9, *QUICK, "--out", out, *more)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "first"
    assert train(folder, "--seeds", 3, 5) == 0
    return folder


def test_train_says_what_it_does_and_is_quiet_off_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path / "run", "--episodes", "10", "--seeds", 0, 1) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    first, second, *seeds = printed.out.splitlines()
    assert first == f"{tmp_path / 'run'}: 12 episodes, seeds 0 1, cpu, 1 thread"
    assert second.startswith(f"{tmp_path / 'run'}: 12 episodes in ")
    assert [line.split(":")[0] for line in seeds] == ["seed 0", "seed 1"]


def test_a_run_says_what_it_was(run: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["seeds"] == [3, 5]
    assert manifest["settings"]["learner"]["batch"] == 8
    assert manifest["settings"]["environments"] == 3
    assert manifest["versions"]["torch"] == torch.__version__.partition("+")[0] or (
        manifest["versions"]["torch"] == torch.__version__
    )
    assert (manifest["device"], manifest["threads"], manifest["episodes"]) == ("cpu", 1, 9)
    assert {"git", "platform", "started"} <= manifest.keys()
    result = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    assert (result["episodes"], result["steps"]) == (9, 225)
    assert set(result["evaluation"]["return"]) == {"3", "5"}


def test_evaluate_plays_the_last_checkpoint(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {p.name: p.stat().st_mtime_ns for p in run.rglob("*")}
    assert deep("evaluate", run, "--episodes", 7, "--json", "--render", tmp_path / "a.gif") == 0
    printed = capsys.readouterr()
    assert printed.err.strip() == str(tmp_path / "a.gif")
    found = json.loads(printed.out)
    assert found["checkpoint"].endswith("000000009.pt")
    assert found["episodes"] == 7
    assert set(found["return"]["3"]) == {"speaker_0", "listener_0"}
    assert found["return"]["3"] != found["return"]["5"]
    assert deep("evaluate", run, "--episodes", 7, "--json") == 0
    assert json.loads(capsys.readouterr().out) == found
    assert deep("evaluate", run, "--episodes", 7, "--json", "--seed", 1) == 0
    assert json.loads(capsys.readouterr().out) != found
    assert deep("evaluate", run, "--episodes", 1, "--sample") == 0
    assert capsys.readouterr().out.splitlines()[0].endswith("000000009.pt: 1 episodes")
    assert {p.name: p.stat().st_mtime_ns for p in run.rglob("*")} == before
    with Image.open(tmp_path / "a.gif") as film:
        assert film.format == "GIF"
        # pictures that are alike are one that is shown for longer: 26 in all, 100 ms each
        shown = []
        for picture in range(film.n_frames):  # type: ignore[attr-defined]
            film.seek(picture)
            shown.append(film.info["duration"])
        assert sum(shown) == 26 * 100


def test_resume_goes_on_to_more_episodes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    assert train(folder) == 0
    assert deep("resume", folder, "--episodes", 15) == 0
    assert "15 episodes in" in capsys.readouterr().out
    assert reopen(folder).settings.episodes == 15
    assert checkpoint.paths(folder / "checkpoints")[-1].name == "000000015.pt"


def test_tensorboard_has_the_same_values(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = tmp_path / "run"
    assert train(folder, "--seeds", 4, "--tensorboard") == 0
    events = EventAccumulator(str(folder / "tensorboard" / "seed-4"))
    events.Reload()
    lines = (folder / "metrics.csv").read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split(",") for line in lines]
    there = {(n, e.step): e.value for n in events.Tags()["scalars"] for e in events.Scalars(n)}
    assert len(there) == len(rows)
    for _, _, episode, name, value in rows:
        # event files hold float32: 24 bits
        assert there[name, int(episode)] == pytest.approx(float(value), rel=2**-24)


def test_doctor_says_versions_device_threads_and_parts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert deep("doctor") == 0
    text = capsys.readouterr().out
    for words in ("python", "torch", "device", "threads", "TensorBoard", "PettingZoo"):
        assert words in text
    assert deep("doctor", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["device"].startswith(("cpu (", "cuda ("))


def test_doctor_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("deep.training.installation.find_spec", lambda _: None)
    assert deep("doctor", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["TensorBoard files"] == "missing; pip install 'opponentwise[deep]'"


def test_metrics_prints_the_glossary(capsys: pytest.CaptureFixture[str]) -> None:
    assert deep("metrics") == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(GLOSSARY)


def test_help_shows_the_defaults_of_the_chosen_preset(capsys: pytest.CaptureFixture[str]) -> None:
    for preset, episodes in (("laptop", "600"), ("paper", "12000")):
        with pytest.raises(SystemExit):
            deep("train", "--preset", preset, "--task", "speaker-listener", "--help")
        text = " ".join(capsys.readouterr().out.split())
        assert f"(default: {episodes})" in text
        assert "Environment steps of a run before the first round" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--task", "sprad"), "task: 'sprad' is not known; the nearest name is spread"),
        (("--algorithm", "mdpg"), "algorithm: 'mdpg' is not known; the nearest name is maddpg"),
        (("--preset", "papr"), "--preset: 'papr' is not known; the nearest name is paper"),
        (("--learning-rate", "-1"), "learning_rate: -1.0 is not in [0, 1]"),
        (("--batch", "64"), "batch: 64 is larger than the warm-up of 50 steps"),
        (("--task", "tag", "--agents", "3"), "agents: 3 given, but in tag only"),
        (("--seeds", "1", "1"), "seeds[1]: 1 is there already"),
        (("--episodes", "many"), "invalid literal"),
        (("--twins", "2"), "--twins"),
        (("--capacity", str(10**12), "--episodes", str(10**11)), "and this machine has"),
        ((*AORPO, "--model.rollouts", str(10**12)), "model.rollouts: 1 x 1000000000000 branches"),
        ((*AORPO, "--model.k", "0"), "model.k: 0 is not a whole number"),
        ((*AORPO, "--model.scheme", "all"), "model.scheme"),
        ((*AORPO, "--model.dynamics.hidden", "8", "0"), "model.dynamics.hidden[1]: 0 is not"),
        (
            (*AORPO, "--model.opponents.learning-rate", "2"),
            "model.opponents.learning_rate: 2.0 is not",
        ),
        (("--algorithm", "aorpo"), "model.opponents.validation_share: 0.2 of 50 rows may leave"),
        (("--model.k", "3"), "--model.k"),
    ],
)
def test_bad_settings_are_one_line_and_leave_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    assert train(tmp_path / "run", *arguments) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.startswith("python -m deep: ")
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_cuda_that_is_not_there_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert train(tmp_path / "run", "--device", "cuda") == 2
    assert "torch sees no GPU here; choose cpu or auto" in capsys.readouterr().err


def test_nothing_is_overwritten(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    assert train(run) == 2
    assert "holds something already" in capsys.readouterr().err
    film = tmp_path / "a.gif"
    film.write_bytes(b"mine")
    assert deep("evaluate", run, "--render", film) == 2
    assert "exists; choose another name" in capsys.readouterr().err
    assert deep("evaluate", run, "--render", tmp_path / "a.mp4") == 2
    assert "does not end in .gif" in capsys.readouterr().err
    assert deep("resume", run, "--episodes", 3) == 2
    assert "--episodes: 3 is not a whole number, 9 or more" in capsys.readouterr().err
    assert film.read_bytes() == b"mine"
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before


def test_what_is_no_run_is_one_line(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    for text, words in (
        (None, "holds no manifest.json"),
        ("{", "not the manifest of a run"),
        ("[]", "not the manifest of a run"),
        ('{"format": "deep-run/0"}', "format 'deep-run/0', and this version reads deep-run/1"),
        (json.dumps(manifest | {"settings": {}}), "algorithm None is not of this version"),
        (json.dumps(manifest), "has no checkpoint yet"),
    ):
        if text is not None:
            (tmp_path / "manifest.json").write_text(text, encoding="utf-8")
        assert deep("evaluate", tmp_path) == 2
        error = capsys.readouterr().err
        assert words in error
        assert error.count("\n") == 1


def test_a_cut_checkpoint_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    assert train(folder) == 0
    before, newest = checkpoint.paths(folder / "checkpoints")
    newest.write_bytes(newest.read_bytes()[:-1000])
    capsys.readouterr()
    for command in ("evaluate", "resume"):
        assert deep(command, folder) == 2
        error = capsys.readouterr().err
        assert f"{newest.name}: cut short, or no checkpoint; remove it to go on" in error
        assert error.count("\n") == 1
    newest.unlink()
    assert deep("evaluate", folder, "--episodes", 1) == 0
    assert before.name in capsys.readouterr().out
    assert deep("resume", folder) == 0
    assert checkpoint.paths(folder / "checkpoints")[-1].name == newest.name


def test_an_interrupted_run_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("deep.training.run.evaluate", interrupted)
    assert train(tmp_path / "run") == 130
    assert f"python -m deep resume {tmp_path / 'run'} goes on" in capsys.readouterr().err


def test_notes_beside_the_progress_are_shown_on_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with progress() as bar:
        bar.note("before any loop")
        for _ in bar.over(range(2), "training"):
            bar.note("return -12.5")
    assert "return -12.5" in stream.getvalue()
    stream.truncate(0)
    assert train(tmp_path / "run") == 0
    assert "masac speaker-listener" in stream.getvalue()
    assert "return -" in stream.getvalue()


def test_the_module_runs() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "deep", "--help"], capture_output=True, text=True, check=True
    )
    for name in ("train", "resume", "evaluate", "metrics", "doctor", "bench"):
        assert name in run.stdout
