"""Train AORPO on exact games and record what the theory says at every epoch, or check the record.

Use: ``python notebooks/record_theory.py`` from the root of the repository writes
notebooks/data/theory; with ``--check`` (``make verify-deep``) it trains anew and compares.
"""

from __future__ import annotations

import sys

from bounds.shared.numbers import InputError
from deep.analysis.theory_in_the_loop import record, verify
from tabular.records.theory import FOLDER


def main(arguments: list[str]) -> int:
    """The exit code: 1 where the check finds a difference, 2 where it cannot be made."""
    if arguments not in ([], ["--check"]):
        print("use: python notebooks/record_theory.py [--check]", file=sys.stderr)
        return 2
    try:
        if arguments:
            return verify(FOLDER)
        print(record(FOLDER))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
