"""From a case that refutes a bound to a certificate on disk."""

from __future__ import annotations

from pathlib import Path

from bounds.bound import Bound
from bounds.numbers import InputError
from tabular.case import Case
from tabular.certificate import rationalised, refutation, save


def certify(case: Case, bound: Bound, folder: Path, stem: str) -> tuple[str, str]:
    """(name, path of the certificate written), or (name, why there is none).

    A float case is first moved to exact rationals nearby; the certificate speaks of those. Existing
    files are left alone: the first free name stem-bound.json, stem-bound-2.json, … is taken.
    """
    try:
        certificate = refutation(case if case.is_exact else rationalised(case), bound)
    except InputError as error:
        return bound.name, f"no certificate ({error})"
    for count in range(1, 10_000):
        suffix = "" if count == 1 else f"-{count}"
        path = folder / f"{stem}-{bound.name}{suffix}.json"
        if not path.exists():
            return bound.name, str(save(certificate, path))
    raise InputError(f"{folder}: no free name for {stem}-{bound.name}.json; clear the folder")
