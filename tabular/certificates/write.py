"""From a case that refutes a bound to a certificate on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bounds.formula.bound import Bound
from bounds.shared.files import write_json
from bounds.shared.numbers import InputError
from tabular import verify
from tabular.cases.case import Case
from tabular.certificates.build import rationalised, refutation


def certify(case: Case, bound: Bound, folder: Path, stem: str) -> tuple[str, str]:
    """(name, path of the certificate written), or (name, why there is none).

    A float case is first moved to exact rationals nearby; the certificate speaks of those. Existing
    files are left alone: the first free name stem-bound.json, stem-bound-2.json, … is taken.
    """
    try:
        certificate = refutation(case if case.is_exact else rationalised(case), bound)
    except InputError as error:
        return bound.name, f"no certificate ({error})"
    return bound.name, str(written(certificate, folder, f"{stem}-{bound.name}"))


def written(certificate: dict[str, Any], folder: Path, stem: str) -> Path:
    """The path of ``certificate`` once the checker has accepted it: stem.json, stem-2.json, …"""
    verify.verify(json.loads(json.dumps(certificate)))
    return first_free(folder, stem, certificate)


def first_free(folder: Path, stem: str, value: dict[str, Any]) -> Path:
    """Write ``value`` as JSON under the first free name of stem.json, stem-2.json, …"""
    for count in range(1, 10_000):
        path = folder / f"{stem}{'' if count == 1 else f'-{count}'}.json"
        if not path.exists():
            return write_json(path, value)
    raise InputError(f"{folder}: no free name for {stem}.json; clear the folder")
