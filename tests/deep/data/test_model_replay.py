"""Private replays against plain lists; what is drawn is the ego's own, in the share that is due."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from bounds.shared.numbers import InputError
from deep.data.batch import Batch
from deep.data.model_replay import ModelReplay, joined, mixed, model_replay
from deep.data.replay import Replay, replay
from deep.envs.spaces import Choices, Shape
from deep.seeding import streams

SHAPE = Shape((2, 3), (Choices((2,)), Choices((4,))))


def noise(*axes: int, seed: int = 0) -> Batch:
    """Transitions, no two of them alike."""
    draw = torch.Generator().manual_seed(seed)
    return Batch(
        torch.randn(*axes, 2, 3, generator=draw),
        torch.randn(*axes, 2, 4, generator=draw),
        torch.randn(*axes, 2, generator=draw),
        torch.randn(*axes, 2, 3, generator=draw),
        (torch.randn(*axes, generator=draw) > 0).float(),
    )


def rows(batch: Batch, *place: int) -> list[dict[str, Tensor]]:
    """The transitions at a place of the axes before the rows'."""
    parts = {name: part[place] for name, part in vars(batch).items()}
    return [{k: v[i] for k, v in parts.items()} for i in range(len(parts["terminated"]))]


def same(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], two[name]) for name in one)


Pieces = st.lists(
    st.tuples(st.integers(0, 9), st.lists(st.booleans(), min_size=4, max_size=4)),
    min_size=1,
    max_size=5,
)


@given(st.integers(1, 12), Pieces)
def test_every_ego_keeps_its_own_last_transitions(
    capacity: int, pieces: list[tuple[int, list[bool]]]
) -> None:
    memory = model_replay(SHAPE, 2, capacity, torch.float32, "cpu")
    known: list[list[list[dict[str, Tensor]]]] = [[[], []], [[], []]]
    for seed, (count, flags) in enumerate(pieces):
        batch, alive = noise(2, 2, count, seed=seed), torch.tensor(flags).view(2, 2)
        memory.add(batch, None if all(flags) else alive)
        for run in range(2):
            for ego in range(2):
                known[run][ego] += rows(batch, run, ego) if alive[run, ego] else []
    for run in range(2):
        for ego in range(2):
            mine = known[run][ego]
            assert int(memory.added[run, ego]) == len(mine)
            assert int(memory.sizes[run, ego]) == min(len(mine), capacity)
            last = range(max(0, len(mine) - capacity), len(mine))
            index = torch.tensor([i % capacity for i in last], dtype=torch.int64)
            found = rows(memory.batch(index.expand(2, 2, -1)), run, ego)
            assert all(same(a, mine[i]) for a, i in zip(found, last, strict=True))


def filled(sizes: list[list[int]], capacity: int = 50) -> ModelReplay:
    """Rewards tell run, ego and place: 100 run + 10 ego and a share of place."""
    memory = model_replay(SHAPE, len(sizes), capacity, torch.float32, "cpu")
    memory.rows.fill_(float("nan"))
    for i in range(max(map(max, sizes))):
        one = noise(len(sizes), 2, 1, seed=i)
        for run in range(len(sizes)):
            for ego in range(2):
                one.rewards[run, ego] = 100 * run + 10 * ego + i / 64
        memory.add(one, torch.tensor(sizes) > i)
    return memory


def test_draws_are_uniform_over_the_ego_s_own() -> None:
    sizes = [[30, 12], [12, 30]]
    count = 40_000
    drawn = filled(sizes).sample(streams([0, 1], "model"), count).rewards[..., 0]
    for run in range(2):
        for ego in range(2):
            places = (drawn[run, ego] - 100 * run - 10 * ego) * 64
            times = torch.bincount(places.long(), minlength=sizes[run][ego])
            assert torch.equal(places, places.round())
            assert len(times) == sizes[run][ego]
            # chi-square with 29 or 11 degrees of freedom; above 78 with probability 2e-6 at most
            expected = count / sizes[run][ego]
            assert float(((times - expected) ** 2 / expected).sum()) < 78


def test_a_run_draws_the_same_beside_others() -> None:
    beside = filled([[3, 9], [7, 5], [12, 2]])
    alone = model_replay(SHAPE, 1, 50, torch.float32, "cpu")
    state = beside.state()
    alone.restore({name: tensor[1:2] for name, tensor in state.items()})
    real, own = real_replay(3), real_replay(1)
    own.rows.copy_(real.rows[1:2])
    batches = (
        mixed(real, beside, 40, 0.25, streams([4, 5, 6], "mix")),
        mixed(own, alone, 40, 0.25, streams([5], "mix")),
    )
    for name, part in vars(batches[0]).items():
        assert torch.equal(part[1:2], getattr(batches[1], name)), name


def real_replay(runs: int, count: int = 20) -> Replay:
    """Rewards of real transitions are 1000 and more; no two are alike."""
    memory = replay(SHAPE, runs, 40, torch.float32, "cpu")
    batch = noise(runs, count, seed=5)
    batch.rewards[...] = 1000 + torch.arange(count).view(-1, 1)
    memory.add(*vars(batch).values())
    return memory


@pytest.mark.parametrize(
    ("share", "true"), [(0.0, 0), (0.5, 4), (1.0, 8), (0.3, 2), (0.0625, 0), (0.1875, 2)]
)
def test_batches_have_the_share_that_is_due(share: float, true: int) -> None:
    real, model = real_replay(2), filled([[5, 9], [7, 5]])
    batch = mixed(real, model, 8, share, streams([0, 1], "mix"))
    assert batch.observations.shape == (2, 2, 8, 2, 3)
    assert batch.terminated.shape == (2, 2, 8)
    assert torch.equal(batch.rewards[..., 0] >= 1000, (torch.arange(8) < true).expand(2, 2, -1))
    made = batch.rewards[:, :, true:, 0]
    assert torch.equal(
        (made / 10).floor(), torch.tensor([[0.0, 1], [10, 11]])[..., None] + 0 * made
    )
    # rows are whole: each is one that was added, with all its parts
    known = rows(Batch(*(p.flatten(0, 1) for p in vars(real.batch(all_of(real))).values())))
    for run in range(2):
        for ego in range(2):
            for row in rows(batch, run, ego)[:true]:
                assert sum(same(row, one) for one in known) == 1


def test_egos_get_real_rows_of_their_own() -> None:
    batch = mixed(real_replay(1), filled([[5, 9]]), 80, 0.5, streams([0], "mix"))
    # of forty draws out of twenty all are equal with probability 20⁻⁴⁰
    assert not torch.equal(batch.rewards[:, 0, :40], batch.rewards[:, 1, :40])


def test_the_largest_number_draws_the_last_row() -> None:
    """⌊size · u⌋ is below the size for all u, as float64, on [0, 1)."""
    u = torch.tensor(1 - 2**-53, dtype=torch.float64)
    sizes = torch.cat((torch.arange(1, 100_000), 2 ** torch.arange(20, 50) + 1))
    assert torch.equal((u * sizes).long(), sizes - 1)


def all_of(memory: Replay) -> Tensor:
    return torch.arange(memory.size).expand(memory.rows.shape[0], -1)


def test_egos_draw_apart_from_the_one_replay() -> None:
    real, count = real_replay(2, 30), 60_000
    batch = real.sample_apart(streams([0, 1], "replay"), 2, count)
    assert batch.actions.shape == (2, 2, count, 2, 4)
    places = batch.rewards[..., 0] - 1000
    for one, other in ((places[0, 0], places[0, 1]), (places[0, 0], places[1, 0])):
        # equal places in about one of thirty draws, within 5 standard errors
        share = float((one == other).double().mean())
        assert abs(share - 1 / 30) < 5 * math.sqrt(1 / 30 * 29 / 30 / count)


def test_joined_rows_come_one_after_the_other() -> None:
    one, two = noise(2, 2, 3), noise(2, 2, 5, seed=1)
    for axes in ((2, 2), (2,)):
        first, second = (
            Batch(*(part[:, 0] if axes == (2,) else part for part in vars(b).values()))
            for b in (one, two)
        )
        both = joined(first, second)
        place = (1,) * len(axes)
        expected = rows(first, *place) + rows(second, *place)
        assert all(same(a, b) for a, b in zip(rows(both, *place), expected, strict=True))


def test_state_and_restore() -> None:
    memory = filled([[5, 9], [0, 3]], capacity=7)
    other = model_replay(SHAPE, 2, 7, torch.float32, "cpu")
    other.rows.fill_(float("nan"))
    state = {name: tensor.clone() for name, tensor in memory.state().items()}
    assert state["rows"].shape[2] == 7
    assert bool(state["rows"].isfinite().all())
    other.restore(state)
    for one in (memory, other):
        one.add(noise(2, 2, 3, seed=9), torch.tensor([[True, False], [True, True]]))
    for name, tensor in memory.state().items():
        assert torch.equal(tensor, other.state()[name]), name
    drawn = [one.sample(streams([0, 1], "model"), 30).actions for one in (memory, other)]
    assert torch.equal(*drawn)
    memory.clear()
    assert memory.state()["rows"].shape[2] == 0
    with pytest.raises(InputError, match=r"^replay: 7 rows do not fit into 2; give more capacity"):
        model_replay(SHAPE, 2, 2, torch.float32, "cpu").restore(other.state())


def test_bad_input() -> None:
    memory = filled([[5, 9], [7, 0]])
    with pytest.raises(InputError, match=r"^replay: that of agent 1 in run 1 is empty; add"):
        memory.sample(streams([0, 1], "model"), 3)
    with pytest.raises(InputError, match=r"^share: 1.5 is not in \[0, 1\]"):
        mixed(real_replay(2), memory, 8, 1.5, streams([0, 1], "mix"))
    # what is not asked for may be empty
    assert mixed(real_replay(2), memory, 8, 1.0, streams([0, 1], "mix")).rewards.shape == (
        2,
        2,
        8,
        2,
    )
    with pytest.raises(InputError, match=r"^capacity: 0 is not a whole number, 1 or more"):
        model_replay(SHAPE, 1, 0, torch.float32, "cpu")


@pytest.mark.parametrize("added", [7, 50, 73, 120])
def test_only_the_newest_rows_are_drawn(added: int) -> None:
    """Wherever in the ring they are, and as many as each ego is to draw from."""
    memory, batch = model_replay(SHAPE, 1, 50, torch.float32, "cpu"), noise(1, 2, added)
    for part in range(0, added, 13):
        memory.add(Batch(*(x[:, :, part : part + 13] for x in vars(batch).values())))
    memory.drawn.copy_(torch.tensor([[5, 1000]]))
    drawn = memory.sample(streams([0], "draw"), 4000)
    for ego, most in enumerate((5, 50)):
        wanted = batch.rewards[0, ego, -min(most, added) :, 0]
        found = drawn.rewards[0, ego, :, 0].unique()
        assert set(found.tolist()) == set(wanted.tolist())
    again = model_replay(SHAPE, 1, 50, torch.float32, "cpu")
    again.restore({name: each.clone() for name, each in memory.state().items()})
    assert again.drawn.tolist() == [[5, 1000]]
