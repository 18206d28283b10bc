"""Tensors by name: nested in parts, and copied into those that a network already has."""

from __future__ import annotations

import sys

import torch
from torch import Tensor

from bounds.shared.numbers import InputError, in_range


def flat(parts: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
    """Tensors named "part/name"."""
    return {f"{part}/{name}": t for part, named in parts.items() for name, t in named.items()}


def part(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """The tensors of one part of ``flat``, under their own names."""
    start = f"{name}/"
    return {key.removeprefix(start): t for key, t in tensors.items() if key.startswith(start)}


def positive(where: str, value: float) -> None:
    """``InputError`` unless ``value`` is a number above 0."""
    if not in_range(where, value, 0, sys.float_info.max):
        raise InputError(f"{where}: 0; give a number above 0")


def restore_tensors(own: dict[str, Tensor], given: dict[str, Tensor]) -> None:
    """Copy ``given`` into the tensors ``own``; ``InputError`` where they do not match."""
    for name in sorted(own.keys() | given.keys()):
        if name not in own or name not in given:
            where = "the learner" if name in given else "the file"
            raise InputError(f"{name}: missing in {where}; restore with the settings it had")
        if own[name].shape != given[name].shape or own[name].dtype != given[name].dtype:
            raise InputError(
                f"{name}: {given[name].dtype} {list(given[name].shape)} in the file, "
                f"{own[name].dtype} {list(own[name].shape)} in the learner; restore with the "
                "settings it had"
            )
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(given[name])
