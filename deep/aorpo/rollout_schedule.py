"""The schedule of the rollout length: k grows from 1 to its full length during training."""

from __future__ import annotations

from bounds.shared.numbers import whole


def linear(epoch: int, start: int, end: int, k: int) -> int:
    """⌊1 + (k − 1)(epoch − A)/(B − A)⌋, 1 until A = ``start``, k from B = ``end`` on.

    The schedule that the paper takes over from MBPO (Janner et al. 2019).
    """
    whole("start", start)
    whole("end", end, start + 1)
    whole("k", k, 1)
    into = min(max(epoch - start, 0), end - start)
    return 1 + (k - 1) * into // (end - start)
