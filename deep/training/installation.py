"""What this installation can do: versions, device, threads, optional parts."""

from __future__ import annotations

import os
import platform
from importlib.util import find_spec

import torch

from bounds.shared.checkout import git_state
from bounds.shared.numbers import InputError
from bounds.shared.versions import installed

#: Distributions whose versions a run records.
RECORDED = ("opponentwise", "torch", "numpy", "mpe2", "pettingzoo")
#: Optional parts: what for, the module, the distribution, the extra that brings it.
OPTIONAL = (
    ("TensorBoard files", "torch.utils.tensorboard", "tensorboard", "deep"),
    ("PettingZoo environments", "pettingzoo", "pettingzoo", "deep"),
    ("the reference physics, for the tests", "mpe2", "mpe2", "deep"),
    ("sweeps over machines", "ray", "ray", "ray"),
)


def versions() -> dict[str, str]:
    """Versions of Python and of what the numbers of a run come from."""
    return {"python": platform.python_version()} | {name: installed(name) for name in RECORDED}


def device(choice: str) -> str:
    """ "cpu" or "cuda" for auto, cpu or cuda; ``InputError`` for a GPU that is not there."""
    there = torch.cuda.is_available()
    if choice == "cuda" and not there:
        raise InputError("device: cuda chosen, but torch sees no GPU here; choose cpu or auto")
    return "cuda" if there and choice != "cpu" else "cpu"


def device_name(chosen: str) -> str:
    """The device in words."""
    if chosen == "cuda":
        return f"cuda ({torch.cuda.get_device_name()})"
    return f"cpu ({platform.machine()}, {os.cpu_count()} cores)"


def report() -> list[tuple[str, str]]:
    """Rows of the table that ``python -m deep doctor`` prints."""
    rows = list(versions().items())
    rows.append(("platform", f"{platform.system()} {platform.machine()}"))
    rows.append(("git", git_state() or "not a checkout"))
    rows.append(("device", device_name(device("auto"))))
    rows.append(("threads", f"{torch.get_num_threads()} are torch's choice; train takes --threads"))
    for purpose, module, distribution, extra in OPTIONAL:
        there = find_spec(module.partition(".")[0]) is not None and installed(distribution)
        missing = f"missing; pip install 'opponentwise[{extra}]'"
        found = there if there and there != "not installed" else missing
        rows.append((purpose, found))
    return rows
