"""Train Nash Q-learners on both grid games and record what they learned.

Use: ``python notebooks/record_nash_q.py``, from the root of the repository; one core.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tabular.nash_q_record import record

RECORD = Path(__file__).parent / "data" / "nash_q"


def main() -> int:
    """Write the record; returns 0."""
    print(record(RECORD))
    return 0


if __name__ == "__main__":
    sys.exit(main())
