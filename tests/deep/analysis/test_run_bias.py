"""The bias of a run's branches against brute force: model rollouts less real ones."""

import pytest
import torch
from torch import Tensor

from bounds.shared.progress import Progress
from deep.analysis import branch_bias, run_bias
from deep.analysis.branch_bias import MeasuredBias, Model, Segments
from deep.seeding import Streams, streams
from deep.training.run import Run, train
from tests.support.runs import modelled, new, small

#: Segments, and branches of brute force from each of their starts.
SEGMENTS, BRANCHES, K = 300, 8, 4


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    settings = modelled(small("spread", "aorpo", episodes=12, evaluate_every=0))
    begun = new(tmp_path_factory.mktemp("bias"), settings)
    assert train(begun) == 0
    return begun


def brute(model: Model, segments: Segments, drawing: Streams) -> tuple[Tensor, Tensor]:
    """Mean and squared deviation of Ĝ_k − G_k, [run, ego]: nothing is told apart."""
    agents, k = segments.rewards.shape[-1], segments.k
    start = segments.observations[:, :, 0].unsqueeze(1)
    start = start.expand(-1, agents, *start.shape[2:]).contiguous()
    powers = model.gamma ** torch.arange(k, dtype=torch.float64)
    earned = (segments.rewards.double() * powers[:, None]).sum(2).transpose(1, 2)
    promised = torch.stack(
        [branch_bias.value_draw(model, start, 0, k, drawing) for _ in range(BRANCHES)]
    ).mean(0)
    each = promised - earned
    return each.mean(-1), each.var(-1) / each.shape[-1]


@pytest.mark.parametrize("scheme", ["all-models", "all-real", "adaptive"])
def test_it_is_what_brute_force_finds(
    run: Run, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[tuple[Model, Segments]] = []
    usual = run_bias.measured_bias

    def watched(model: Model, segments: Segments, draws: int, drawing: Streams) -> MeasuredBias:
        kept.append((model, segments))
        return usual(model, segments, draws, drawing)

    monkeypatch.setattr(run_bias, "measured_bias", watched)
    (one,) = run_bias.run_bias(
        run=run,
        ks=(K,),
        scheme=scheme,
        segments=SEGMENTS,
        draws=2,
        reward="as trained",
        reward_range=None,
        bar=Progress(),
    )
    model, segments = kept[0]
    assert segments.k == one.k == K
    mean, variance = brute(model, segments, streams(run.settings.seeds, "brute"))
    spread = ((one.found.radius / branch_bias.QUANTILE) ** 2 + variance).sqrt()
    # six egos, each within five deviations; both come from the same segments, so it is less
    assert bool(((one.found.bias - mean).abs() <= 5 * spread).all())
    # it is no trivial agreement: models of a few steps are far off
    assert bool((mean.abs() > 3 * variance.sqrt()).any())
    assert bool((one.found.bias.abs() <= one.found.trivial).all())


def test_segments_are_of_their_episodes() -> None:
    """k steps in a row, from times that differ."""
    times = torch.arange(26.0).view(1, 1, 26, 1, 1).expand(1, 40, -1, 3, 2)
    episodes = Segments(times, times[:, :, :25], times[:, :, :25, :, 0])
    cut = run_bias._cut(episodes, 6, streams([0], "cut"))
    assert cut.observations.shape == (1, 40, 7, 3, 2)
    first = cut.observations[:, :, 0, 0, 0]
    assert len(first.unique()) > 5
    assert float(first.max()) <= 19
    steps = first.unsqueeze(-1) + torch.arange(7.0)
    assert torch.equal(cut.observations[..., 0, 0], steps)
    assert torch.equal(cut.rewards[..., 0], steps[..., :6])
