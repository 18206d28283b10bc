"""Checkpoints: everything that a run is, in one file that is written whole or not at all.

A file holds the format's name, the settings as JSON, and tensors by name, as ``torch.save`` writes
them; it is loaded with ``weights_only``, so that no code comes from it, and only after the checksum
of every part was verified. A file is written under another name, flushed to the disk and renamed:
at whatever moment the process dies, the newest file under its own name is a good one. The last
``KEPT`` are kept.
"""

from __future__ import annotations

import os
import re
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from bounds.shared.numbers import InputError, shown

FORMAT = "deep-checkpoint/2"
KEPT = 2
_NAME = re.compile(r"([0-9]{9})\.pt")
_UNFINISHED = ".writing-"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """``settings``: JSON text. ``tensors``: everything else, by name, on the CPU."""

    settings: str
    tensors: dict[str, Tensor]


def save(folder: Path, episode: int, content: Checkpoint) -> Path:
    """Write the checkpoint of ``episode`` into ``folder`` and remove all but the last ``KEPT``.

    One process at a time may save into a folder: what an earlier one left unfinished is removed.
    """
    path = folder / f"{episode:09d}.pt"
    saved = {
        "format": FORMAT,
        "settings": content.settings,
        "tensors": {name: _own(tensor) for name, tensor in content.tensors.items()},
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(f"{_UNFINISHED}*"):
            left.unlink()
        handle, name = tempfile.mkstemp(dir=folder, prefix=_UNFINISHED)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                torch.save(saved, file)
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _flush(folder)
        for old in paths(folder)[:-KEPT]:
            old.unlink()
    except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError
        reason = getattr(error, "strerror", None) or str(error).split("\n", 1)[0]
        raise InputError(f"{path}: cannot be written ({reason}); make room, then resume") from error
    return path


def paths(folder: Path) -> list[Path]:
    """The checkpoints in ``folder``, the oldest first."""
    return sorted(path for path in folder.glob("*.pt") if _NAME.fullmatch(path.name))


def load(path: Path) -> Checkpoint:
    """What ``save`` wrote; ``InputError`` where the file is damaged or of another format."""
    try:
        with zipfile.ZipFile(path) as file:
            damaged = file.testzip()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
        raise _damaged(path, "cut short, or no checkpoint") from error
    if damaged is not None:
        raise _damaged(path, f"the part {shown(damaged)} does not match its checksum")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a foreign file can fail in any way
        raise _damaged(path, "no checkpoint") from error
    if not isinstance(content, dict) or "format" not in content:
        raise _damaged(path, "no checkpoint")
    if content["format"] != FORMAT:
        raise InputError(
            f"{path}: format {shown(content['format'])}, and this version reads {FORMAT}; "
            "use the version that wrote it"
        )
    settings, tensors = content.get("settings"), content.get("tensors")
    if not isinstance(settings, str) or not isinstance(tensors, dict):
        raise _damaged(path, "parts are missing")
    if not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        raise _damaged(path, "parts are no tensors")
    return Checkpoint(settings, tensors)


def _own(tensor: Tensor) -> Tensor:
    """On the CPU, without the rest of a larger tensor that it may be a view of."""
    tensor = tensor.detach().cpu()
    views = tensor.untyped_storage().nbytes() != tensor.numel() * tensor.element_size()
    return tensor.clone() if views else tensor


def _damaged(path: Path, why: str) -> InputError:
    return InputError(f"{path}: {why}; remove it to go on from the checkpoint before it")


def _flush(folder: Path) -> None:
    """Have the renaming on the disk, where folders can be opened."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
