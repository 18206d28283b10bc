"""Check a certificate file of any format that the project writes.

The checkers themselves know no library: they print the statement that they checked. Here the name
that a file claims is held against the library besides: who says "coupling-data" must speak of it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from bounds.library.published import BOUNDS
from bounds.shared.files import read_text
from bounds.shared.numbers import InputError, shown
from tabular import verify, verify_soft
from tabular.cases.files import parse_case
from tabular.certificates.build import expanded_tree

#: The checkers by the formats that they know.
CHECKERS = {verify.FORMAT: verify, verify_soft.FORMAT: verify_soft}
#: Largest file that is read, in bytes.
MAX_BYTES = 64 * 2**20


def check_file(path: Path) -> int:
    """Print what the file proves, or why it does not; the exit code: 0 right, 1 false.

    ``InputError`` where it is no certificate of a known format.
    """
    try:
        value = json.loads(read_text(path, MAX_BYTES))
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: not a certificate ({reason})") from error
    found = value.get("format") if isinstance(value, dict) else None
    if not isinstance(found, str) or found not in CHECKERS:
        known = ", ".join(CHECKERS)
        raise InputError(f"{path}: format {shown(found)} is not one of {known}")
    code: int = CHECKERS[found].main([str(path)])
    if code == 0 and found == verify.FORMAT and not of_the_library(value):
        print(
            f"rejected: claim: the library's {value['claim']} is another bound than that of the "
            "statement",
            file=sys.stderr,
        )
        return 1
    return code


def of_the_library(certificate: dict[str, Any]) -> bool:
    """Whether a certificate that claims the name of a bound of the library has its tree.

    Also its convention and the return it is about. True of names that the library does not have.
    """
    named = [bound for bound in BOUNDS if bound.name == certificate["claim"]]
    if not named or certificate["kind"] == "opponent-term":
        return not named
    return any(
        bound.about == certificate["about"]
        and bound.convention == certificate["convention"]
        and expanded_tree(bound, parse_case(certificate["case"])) == certificate["bound"]
        for bound in named
        if not bound.is_series
    )
