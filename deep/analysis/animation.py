"""Render one episode as a GIF."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bounds.shared.files import write_bytes
from bounds.shared.numbers import Array
from deep.agents.learner import Learner
from deep.envs.batch import World
from deep.seeding import streams

#: Milliseconds that a picture is shown: a step is a tenth of a second of the particle world.
MILLISECONDS = 100


def episode(
    world: World, learner: Learner, seeds: Sequence[int], purpose: str, *, greedy: bool = True
) -> Iterator[Array]:
    """Pictures of one episode of the first run, those of its start and of every step."""
    starts, play = streams(seeds, f"{purpose}: worlds"), streams(seeds, f"{purpose}: actions")
    state = world.reset(starts, 1)
    yield world.frame(state.at(0, 0))
    for _ in range(world.episode_steps):
        actions = learner.act(world.observe(state), play, greedy=greedy)
        state, _ = world.step(state, actions, starts)
        yield world.frame(state.at(0, 0))


def save_gif(pictures: Iterator[Array], path: Path) -> Path:
    """Write the pictures as a GIF that repeats; ``InputError`` if ``path`` exists."""
    from PIL import Image

    frames: list[Any] = [Image.fromarray(picture) for picture in pictures]
    file = io.BytesIO()
    frames[0].save(
        file, "GIF", save_all=True, append_images=frames[1:], duration=MILLISECONDS, loop=0
    )
    return write_bytes(path, file.getvalue())
