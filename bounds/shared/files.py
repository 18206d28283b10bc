"""Files: read with a limit; written whole or not at all, and never over what was there."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from bounds.shared.numbers import InputError


def read_text(path: Path, most: int) -> str:
    """The UTF-8 text of a user's file of at most ``most`` bytes; else ``InputError``, one line."""
    name = " ".join(str(path).split("\n"))
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
        if len(data) > most:
            raise InputError(f"{name}: larger than {most} bytes; that is the most that is read")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: not UTF-8 text (byte {error.start})") from error


def write_text(path: Path, text: str, *, replace: bool = False) -> Path:
    """Write ``text`` to ``path`` atomically; ``InputError`` if it exists and ``replace`` is off."""
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{path}: the text is not Unicode at character {error.start}") from error
    return write_bytes(path, data, replace=replace)


def write_bytes(path: Path, data: bytes, *, replace: bool = False) -> Path:
    """Write ``data`` to ``path`` atomically; ``InputError`` if it exists and ``replace`` is off."""
    try:
        if not replace and os.path.lexists(path):
            raise FileExistsError
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            temporary.chmod(0o644)
            if replace:
                temporary.replace(path)
            else:
                path.hardlink_to(temporary)  # fails if another process was there first
        finally:
            temporary.unlink(missing_ok=True)
    except FileExistsError as error:
        raise InputError(f"{path}: exists; choose another name or remove it first") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error
    return path


def write_json(path: Path, value: Any, *, replace: bool = False) -> Path:
    """Write ``value`` as JSON that a person can read: innermost lists on one line."""
    return write_text(path, json_text(value) + "\n", replace=replace)


def json_text(value: Any, indent: int = 0) -> str:
    """JSON with one line for every list of plain values and two spaces per level."""
    pad = "  " * (indent + 1)
    if isinstance(value, dict) and value:
        body = (f"{pad}{json.dumps(str(k))}: {json_text(v, indent + 1)}" for k, v in value.items())
        return "{\n" + ",\n".join(body) + "\n" + pad[:-2] + "}"
    if isinstance(value, list | tuple) and any(isinstance(v, list | tuple | dict) for v in value):
        body = (pad + json_text(v, indent + 1) for v in value)
        return "[\n" + ",\n".join(body) + "\n" + pad[:-2] + "]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
