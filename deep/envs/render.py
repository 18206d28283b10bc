"""Pictures of environments, drawn with NumPy alone: discs and rings on white, and words as squares.

The view is [−``HALF``, ``HALF``]², y upwards; what is farther out is drawn at the edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin

import numpy as np

from bounds.shared.numbers import Array, whole

#: Red, green, blue, each in [0, 1].
Colour = tuple[float, float, float]

HALF = 1.4


@dataclass(frozen=True)
class Disc:
    """A disc at (x, y), or its rim only."""

    x: float
    y: float
    radius: float
    colour: Colour
    ring: bool = False


def draw(discs: Sequence[Disc], words: Sequence[Sequence[float]] = (), size: int = 240) -> Array:
    """RGB picture [row, column, channel], uint8, of ``size`` × ``size`` pixels.

    Later discs cover earlier ones. ``words``: one row of squares each at the lower left, the darker
    the larger the number in [0, 1].
    """
    whole("size", size, 16, 4096)
    picture = np.ones((size, size, 3))
    pixel = 2 * HALF / size
    across = (np.arange(size) + 0.5) * pixel - HALF
    for disc in discs:
        x, y = (min(max(position, -HALF), HALF) for position in (disc.x, disc.y))
        near = disc.radius + pixel
        rows = slice(*np.searchsorted(across, (-y - near, -y + near)))
        columns = slice(*np.searchsorted(across, (x - near, x + near)))
        distance = np.hypot(across[None, columns] - x, -across[rows, None] - y)
        depth = (disc.radius - distance) / pixel
        cover = np.clip(depth + 0.5, 0, 1)
        if disc.ring:
            cover -= np.clip(depth - 1, 0, 1)
        window = picture[rows, columns]
        window += cover[..., None] * (np.array(disc.colour) - window)
    side = max(4, size // 24)
    for row, word in enumerate(words):
        bottom = size - (row + 1) * (side + 2)
        for column, number in enumerate(word):
            left = 2 + column * (side + 2)
            picture[bottom : bottom + side, left : left + side] = 0.4
            inner = (slice(bottom + 1, bottom + side - 1), slice(left + 1, left + side - 1))
            picture[inner] = 1 - min(max(number, 0.0), 1.0)
    return np.round(picture * 255).astype(np.uint8)


def on_a_ring(count: int) -> list[tuple[float, float]]:
    """``count`` places on a circle of radius 1, the first at the top, clockwise."""
    angles = [2 * pi * i / count for i in range(count)]
    return [(sin(angle), cos(angle)) for angle in angles]
