"""What a run was made with: the platform, and versions of Python and of installed packages."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version


def installed(distribution: str) -> str:
    """The version of an installed distribution, or "not installed"."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


def environment(*distributions: str) -> dict[str, object]:
    """The entries python, platform and versions (of ``distributions``) of a manifest."""
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "versions": {name: installed(name) for name in distributions},
    }
