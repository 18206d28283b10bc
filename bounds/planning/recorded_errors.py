"""Errors that a training run recorded, read back as an ``ErrorProfile``.

A run folder holds ``errors.json`` or ``errors.csv``; a file may be named directly.

- JSON: one object whose keys are fields of ``ErrorProfile`` (``gamma``, ``policy_shift``, a list,
  ego agent first, ``opponent_model``, a list, ``model_data``, ``model_current``, ``model_sup``,
  ``k``, ``r_max``, ``span``, ``joint_policy_shift``); or a list of such objects, one an epoch, of
  which the last counts. Numbers are JSON numbers or strings "p/q".
- CSV: a header of the same names, list entries as ``policy_shift[0]``, ``policy_shift[1]``, …, and
  one row an epoch, of which the last counts. Other columns are left alone.
"""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

from bounds.formula.error_profile import ErrorProfile
from bounds.shared.files import read_text
from bounds.shared.numbers import InputError, parse_number, shown

#: Largest file that is read, in bytes.
MAX_BYTES = 64 * 2**20
SCALARS = (
    "gamma",
    "model_data",
    "model_current",
    "model_sup",
    "k",
    "r_max",
    "span",
    "joint_policy_shift",
)
LISTS = ("policy_shift", "opponent_model")
_ENTRY = re.compile(r"(\w+)\[(\d{1,3})\]")


def load_profile(path: Path) -> ErrorProfile:
    """The last recorded errors in the run folder, or the file, ``path``."""
    file = path
    if path.is_dir():
        found = [path / name for name in ("errors.json", "errors.csv") if (path / name).is_file()]
        if not found:
            raise InputError(f"{path}: holds neither errors.json nor errors.csv")
        file = found[0]
    text = read_text(file, MAX_BYTES)
    record = _from_csv(file, text) if file.suffix.lower() == ".csv" else _from_json(file, text)
    if "gamma" not in record:
        raise InputError(f"{file}: gamma: missing; the discount must be recorded")
    if not record.get("policy_shift"):
        raise InputError(
            f"{file}: policy_shift: missing; record ε_π of every agent, the ego agent first"
        )
    return ErrorProfile(**record)


def _from_json(file: Path, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"{file}: not JSON ({str(error).splitlines()[0]})") from error
    if isinstance(value, list):
        if not value:
            raise InputError(f"{file}: an empty list; record one object an epoch")
        value = value[-1]
    if not isinstance(value, dict):
        raise InputError(f"{file}: holds no object with the fields of an ErrorProfile")
    record: dict[str, Any] = {}
    for key, given in value.items():
        if key in SCALARS and given is not None:
            record[key] = _number(f"{file}: {key}", given)
        elif key in LISTS:
            if not isinstance(given, list):
                raise InputError(f"{file}: {key}: {shown(given)} is not a list of numbers")
            record[key] = tuple(
                _number(f"{file}: {key}[{j}]", entry) for j, entry in enumerate(given)
            )
    return record


def _from_csv(file: Path, text: str) -> dict[str, Any]:
    try:
        rows = list(csv.DictReader(io.StringIO(text), strict=True))
    except csv.Error as error:
        raise InputError(f"{file}: not CSV ({error})") from error
    if not rows:
        raise InputError(f"{file}: no row below the header")
    record: dict[str, Any] = {}
    lists: dict[str, dict[int, Any]] = {name: {} for name in LISTS}
    for key, given in rows[-1].items():
        if key is None or not given:
            continue
        entry = _ENTRY.fullmatch(key)
        if key in SCALARS:
            record[key] = _number(f"{file}: {key}", given)
        elif entry and entry[1] in LISTS:
            lists[entry[1]][int(entry[2])] = _number(f"{file}: {key}", given)
    for name, entries in lists.items():
        if sorted(entries) != list(range(len(entries))):
            raise InputError(f"{file}: {name}: columns {sorted(entries)}; number them from 0 on")
        record[name] = tuple(entries[j] for j in range(len(entries)))
    return record


def _number(where: str, given: Any) -> Any:
    if not isinstance(given, str):
        raise InputError(f"{where}: {shown(given)} is not a number")
    return parse_number(given, where)
