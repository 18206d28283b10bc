"""Checkpoints: whole, or not there, or refused in one line."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from bounds.shared.numbers import InputError
from deep.training import checkpoint
from deep.training.checkpoint import Checkpoint


def content(number: float = 1.0) -> Checkpoint:
    rows = torch.arange(1000.0).reshape(2, 500)
    tensors = {
        "learner/weights": torch.full((3, 4), number),
        "replay/rows": rows[:, :20],
        "streams/explore": torch.Generator().get_state()[None],
        "trainer/steps": torch.tensor(7),
        "learner/moments": torch.ones(2, dtype=torch.float64) / 3,
    }
    return Checkpoint('{"task": "spread"}', tensors)


def same(a: Checkpoint, b: Checkpoint) -> bool:
    return (
        a.settings == b.settings
        and a.tensors.keys() == b.tensors.keys()
        and all(
            t.dtype == b.tensors[k].dtype and torch.equal(t, b.tensors[k])
            for k, t in a.tensors.items()
        )
    )


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, 30, content())
    assert path.name == "000000030.pt"
    assert same(checkpoint.load(path), content())


def test_a_part_of_a_larger_tensor_is_saved_alone(tmp_path: Path) -> None:
    large = torch.zeros(1, 10**6)
    path = checkpoint.save(tmp_path, 1, Checkpoint("{}", {"rows": large[:, :10]}))
    assert path.stat().st_size < 10_000


def test_the_last_two_are_kept_and_unfinished_ones_removed(tmp_path: Path) -> None:
    (tmp_path / ".writing-abc").write_bytes(b"half")
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    for episode in (15, 9, 300, 1500):
        checkpoint.save(tmp_path, episode, content(episode))
    assert [path.name for path in checkpoint.paths(tmp_path)] == ["000000300.pt", "000001500.pt"]
    assert (tmp_path / "notes.txt").exists()
    assert not list(tmp_path.glob(".writing-*"))
    assert same(checkpoint.load(checkpoint.paths(tmp_path)[-1]), content(1500))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_a_save_that_breaks_off_leaves_the_last_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    kept = checkpoint.save(tmp_path, 1, content())

    def half(_: object, file: Any) -> None:
        file.write(b"PK")
        raise error

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises((InputError, KeyboardInterrupt)) as raised:
        checkpoint.save(tmp_path, 2, content(2))
    if isinstance(error, OSError):
        assert "000000002.pt: cannot be written (No space left on device)" in str(raised.value)
    assert [path.name for path in tmp_path.iterdir()] == [kept.name]
    assert same(checkpoint.load(kept), content())


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return checkpoint.save(tmp_path_factory.mktemp("whole"), 1, content()).read_bytes()


def refused(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    with pytest.raises(InputError) as error:
        checkpoint.load(path)
    assert "\n" not in str(error.value)
    return str(error.value)


@settings(max_examples=60)
@given(part=st.floats(0, 1, exclude_max=True))
@example(part=0.0)
@example(part=0.999999)
def test_a_file_cut_short_anywhere_is_refused(
    written: bytes, tmp_path_factory: pytest.TempPathFactory, part: float
) -> None:
    path = tmp_path_factory.getbasetemp() / "short.pt"
    assert "short.pt: " in refused(path, written[: int(part * len(written))])


@settings(max_examples=200)
@given(part=st.floats(0, 1, exclude_max=True), bits=st.integers(1, 255))
def test_a_changed_byte_is_refused_or_changes_nothing(
    written: bytes, tmp_path_factory: pytest.TempPathFactory, part: float, bits: int
) -> None:
    place = int(part * len(written))
    path = tmp_path_factory.getbasetemp() / "changed.pt"
    path.write_bytes(written[:place] + bytes([written[place] ^ bits]) + written[place + 1 :])
    try:
        found = checkpoint.load(path)
    except InputError:
        return
    assert same(found, content())  # dates and padding say nothing


class Shout:
    """What a hostile file would run when it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("code ran",))


@pytest.mark.parametrize(
    ("saved", "words"),
    [
        ({"format": "deep-checkpoint/0"}, "format 'deep-checkpoint/0', and this version reads"),
        ({"format": Tensor}, "format <class 'torch.Tensor'>, and this version reads"),
        ({"format": checkpoint.FORMAT}, "parts are missing"),
        ({"format": checkpoint.FORMAT, "settings": "{}", "tensors": {"a": 1}}, "no tensors"),
        ({"weights": torch.zeros(1)}, "no checkpoint"),
        (torch.zeros(1), "no checkpoint"),
        ({"format": checkpoint.FORMAT, "code": Shout()}, "no checkpoint"),
    ],
)
def test_other_contents_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], saved: object, words: str
) -> None:
    file = io.BytesIO()
    torch.save(saved, file)
    assert words in refused(tmp_path / "other.pt", file.getvalue())
    assert "code ran" not in capsys.readouterr().out


def test_other_files_are_refused(tmp_path: Path) -> None:
    assert "cut short, or no checkpoint" in refused(tmp_path / "a.pt", b"")
    assert "cut short, or no checkpoint" in refused(tmp_path / "a.pt", b"episode 1")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as file:
        file.writestr("a", "b")
    assert "no checkpoint" in refused(tmp_path / "c.pt", (tmp_path / "b.zip").read_bytes())
    with pytest.raises(InputError, match="cannot be read"):
        checkpoint.load(tmp_path / "missing.pt")
