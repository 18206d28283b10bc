"""The checkout that this code runs from, if it does: where its recorded data are, and its commit.

Recorded data (``notebooks/data``) are part of the checkout and of no installed package.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

_ROOT = Path(__file__).parents[2]
#: The folder of recorded data; it does not exist beside an installed package.
RECORDED = _ROOT / "notebooks" / "data"


def in_checkout() -> bool:
    """Whether this code is that of a checkout, not of an installed package."""
    return (_ROOT / "pyproject.toml").is_file()


def not_recorded(command: str) -> str:
    """Why a record is missing, in one line; ``command`` makes it."""
    if in_checkout():
        return f"nothing recorded here: {command}"
    return (
        "needs a checkout of the project: an installed package holds no recorded data "
        "(notebooks/data)"
    )


def git_state() -> str:
    """The commit this code is at, with "+" if there are changes; empty outside a checkout."""
    if not in_checkout():  # git would answer for whatever repository surrounds the environment
        return ""
    try:
        run = subprocess.run(
            ["git", "describe", "--always", "--dirty=+"],
            cwd=_ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return run.stdout.strip()
