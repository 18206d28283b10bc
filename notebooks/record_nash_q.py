"""Train Nash Q-learners on both grid games, or on Climb, and record what they learned.

Use, from the root of the repository: ``python notebooks/record_nash_q.py [grid | climb]``; left
out: the grid games. One core.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tabular.nash_q import climb, record

RECORD = Path(__file__).parent / "data" / "nash_q"
#: What is recorded for each argument.
RECORDERS = {"grid": record.record, "climb": climb.record}


def main(arguments: list[str]) -> int:
    """Write the record; returns 0, or 2 for an unknown argument."""
    name = arguments[0] if arguments else "grid"
    if name not in RECORDERS or len(arguments) > 1:
        print(f"{' '.join(arguments)}: give grid or climb", file=sys.stderr)
        return 2
    print(RECORDERS[name](RECORD))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
