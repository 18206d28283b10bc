"""Compare estimates of opponent models' errors on families where D_TV is known exactly.

Use: python notebooks/opponent_estimates.py

Each family is an opponent and a model of it, both softmax policies over five options of an
observation with six normal numbers (two random linear layers with a tanh between). Per number of
rows: the mean estimate beside the mean of D_TV over the rows, its deviation over draws, how often
its 95 % interval holds 0 and how often it lies at D_TV or below (as a lower bound has to), and the
time of one estimate for a run of three agents.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

from bounds.shared.text_table import aligned
from deep.envs.spaces import Choices, Shape
from deep.nn.action_distributions import head
from deep.opponents.errors import Estimate, mismatch, pooled_rank
from deep.opponents.fitting import History
from deep.opponents.models import Opponents
from deep.opponents.two_sample import two_sample
from deep.seeding import Streams

OPTIONS, SEEN, DRAWS = 5, 6, 200
ROWS = (64, 256, 1024)

#: The logits of an opponent and of its model from observations [draw, row, number].
Pair = tuple[Tensor, Tensor]


def random_logits(generator: torch.Generator, seen: Tensor, size: float) -> Tensor:
    """Random logits of a random policy of each draw."""
    first = torch.randn(DRAWS, SEEN, 16, generator=generator, dtype=seen.dtype)
    second = torch.randn(DRAWS, 16, OPTIONS, generator=generator, dtype=seen.dtype)
    return size * ((seen @ first) / SEEN**0.5).tanh() @ second / 4


def families(generator: torch.Generator, seen: Tensor) -> dict[str, Pair]:
    """Opponents beside their models."""
    soft, hard = (random_logits(generator, seen, size) for size in (3.0, 60.0))
    zero = torch.zeros_like(soft)
    other = random_logits(generator, seen, 3.0)
    chances = hard.softmax(-1)
    return {
        "perfect, uniform": (zero, zero),
        "perfect, random": (soft, soft),
        "perfect, nearly sure": (hard, hard),
        "0.3 wrong about a sure one": (hard, (0.7 * chances + 0.3 / OPTIONS).log()),
        "uniform for a sure one": (hard, zero),
        "uniform for a random one": (soft, zero),
        "moved on a little": (soft + 0.5 * other, soft),
        "two options exchanged": (soft, soft[..., [1, 0, 2, 3, 4]]),
        "always one more of option 0": (soft, soft - torch.eye(OPTIONS, dtype=soft.dtype)[0]),
    }


def table(estimate: Callable[[Opponents, History], Estimate]) -> list[tuple[str, ...]]:
    """The rows of one estimate."""
    found = []
    for count in ROWS:
        generator = torch.Generator().manual_seed(count)
        seen = torch.randn(DRAWS, count, SEEN, generator=generator, dtype=torch.float64)
        for name, (real, model) in families(generator, seen).items():
            chances = real.softmax(-1)
            index = torch.multinomial(chances.flatten(0, 1), 1, generator=generator)
            played = torch.nn.functional.one_hot(index.view(DRAWS, count), OPTIONS).double()
            distance = (chances - model.softmax(-1)).abs().sum(-1).mean(1) / 2
            got = estimate(*history(seen, played, model))
            value, low, high = (x[:, 0, 1] for x in (got.value, got.low, got.high))
            found.append(
                (
                    str(count),
                    name,
                    f"{float(distance.mean()):.3f}",
                    f"{float(value.mean()):.3f}",
                    f"{float(value.std()):.3f}",
                    f"{float((low <= 0).double().mean()):.2f}",
                    f"{float((low <= distance).double().mean()):.2f}",
                )
            )
            del high
    return found


def history(seen: Tensor, played: Tensor, logits: Tensor) -> tuple[Opponents, History]:
    """A team of two of which agent 0 models agent 1, in every draw a run."""
    shape = Shape((SEEN, SEEN), (Choices((OPTIONS,)),) * 2)

    def outputs(observations: Tensor, _: Streams | None) -> Tensor:
        del observations
        return logits.unsqueeze(1).expand(-1, 2, -1, -1)

    both = torch.stack((seen, seen), 2), torch.stack((played, played), 2)
    opponents = Opponents(shape, head(shape.spaces, "cpu", 1.0), outputs)
    return opponents, History(*both, torch.arange(seen.shape[1]))


def main() -> None:
    """Print the tables."""
    torch.set_num_threads(1)
    titles = ("rows", "family", "D_TV", "estimate", "deviation", "holds 0", "low <= D_TV")
    for estimate in (mismatch, pooled_rank, two_sample):
        began = time.perf_counter()
        rows = table(estimate)
        seconds = (time.perf_counter() - began) / len(rows)
        print(f"{estimate.__name__}: {1e3 * seconds:.0f} ms for {DRAWS} draws")
        print(aligned([titles, *rows]), end="\n\n")


if __name__ == "__main__":
    main()
