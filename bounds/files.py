"""Files: written whole or not at all, and never over something that was there."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from bounds.numbers import InputError


def write_text(path: Path, text: str, *, replace: bool = False) -> Path:
    """Write ``text`` to ``path`` atomically; ``InputError`` if it exists and ``replace`` is off."""
    return write_bytes(path, text.encode(), replace=replace)


def write_bytes(path: Path, data: bytes, *, replace: bool = False) -> Path:
    """Write ``data`` to ``path`` atomically; ``InputError`` if it exists and ``replace`` is off."""
    if path.exists() and not replace:
        raise InputError(f"{path}: exists; choose another name or remove it first")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
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
