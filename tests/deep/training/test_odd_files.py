"""Files of a run that are not what they should be: one line, and nothing else happens."""

import json
from pathlib import Path

import pytest

from bounds.shared.numbers import InputError
from deep.commands.main import main
from deep.training import checkpoint
from deep.training.run import assemble, reopen, train
from tests.support.runs import modelled, new, small


def rewritten(folder: Path, **changes: object) -> Path:
    """The manifest with other settings."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    manifest["settings"] |= changes
    path.write_text(json.dumps(manifest), "utf-8")
    return path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seeds": 3}, "seeds: 3 is not a list"),
        ({"seeds": [1, "2"]}, r"seeds\[1\]: '2' is not a whole number"),
        ({"seeds": [True]}, r"seeds\[0\]: True is not a whole number"),
        ({"episodes": 10.5}, "episodes: 10.5 is not a whole number"),
        ({"task": 5}, "task: 5 is not text"),
        ({"continuous": 1}, "continuous: 1 is not true or false"),
        ({"dtype": "float16"}, "dtype: 'float16' is not one of float32, float64"),
        ({"agents": "3"}, "agents: '3' is not a whole number or null"),
        ({"threads": 99_999}, "threads: 99999 is not a whole number, 1..256"),
    ],
)
def test_settings_of_another_type_are_named(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    run = new(tmp_path, small())
    rewritten(run.folder, **changes)
    with pytest.raises(InputError, match=words):
        reopen(run.folder)


def test_a_learner_of_another_type_is_named(tmp_path: Path) -> None:
    run = new(tmp_path, modelled(small(algorithm="aorpo")))
    learner = json.loads((run.folder / "manifest.json").read_text("utf-8"))["settings"]["learner"]
    learner["model"]["dynamics"]["hidden"] = 8
    rewritten(run.folder, learner=learner)
    with pytest.raises(InputError, match="hidden: 8 is not a list"):
        reopen(run.folder)


def test_a_manifest_nested_without_end_is_one_line(tmp_path: Path) -> None:
    run = new(tmp_path, small())
    (run.folder / "manifest.json").write_text("[" * 100_000, "utf-8")
    with pytest.raises(InputError, match="not the manifest of a run") as error:
        reopen(run.folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["streams/explore", "learner/policy", "trainer/steps"])
def test_a_checkpoint_that_lacks_something_is_refused(tmp_path: Path, name: str) -> None:
    """Without a stream the run would go on with other numbers."""
    run = new(tmp_path, small())
    assert train(run) == 0
    tensors = checkpoint.load(checkpoint.paths(run.checkpoints)[-1]).tensors
    trainer = assemble(run)
    trainer.restore(tensors)
    with pytest.raises(InputError, match=f"checkpoint: {name} is missing"):
        trainer.restore({key: t for key, t in tensors.items() if key != name})
    with pytest.raises(InputError, match="streams/another is not of this run"):
        trainer.restore(tensors | {"streams/another": tensors["streams/explore"]})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--threads", "99999"], "threads: 99999 is not a whole number, 1..256"),
        (["--hidden", "10000000", "10000000"], "hidden: networks of so many units come to"),
    ],
)
def test_what_no_machine_can_do_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    out = tmp_path / "run"
    assert main(["train", *arguments, "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not out.exists()
