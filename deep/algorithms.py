"""The learners by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deep.learner import Learner
from deep.maddpg import Maddpg, maddpg
from deep.masac import Masac, masac


@dataclass(frozen=True)
class Algorithm:
    """``settings``: their class. ``build``: of (shape, settings, streams, dtype, device)."""

    settings: type[Any]
    build: Callable[..., Learner]


ALGORITHMS = {"masac": Algorithm(Masac, masac), "maddpg": Algorithm(Maddpg, maddpg)}
