"""Calls are counted once a row, what was not asked for is not told, and runs do not touch."""

import numpy as np
import pytest
import torch
from torch import Tensor

from bounds.shared.numbers import InputError
from deep.aorpo.communication import Communication, interactions
from deep.seeding import Streams, forked, streams
from tabular.games.policy import random_policies
from tabular.games.random import garnet
from tests.support.table_players import act_of, seen_in

GAME = garnet((2, 3, 2), 4, 2, np.random.default_rng(0))
TABLES = random_policies(GAME.actions, GAME.n_states, np.random.default_rng(1))


def asking(runs: int) -> Communication:
    return Communication(act_of(GAME, TABLES), 3, interactions(runs, 3))


def branches(runs: int, rows: int) -> Tensor:
    """Observations [run, ego, row, agent, number], the same for every run."""
    states = np.random.default_rng(2).integers(GAME.n_states, size=(3, rows))
    return seen_in(GAME, np.broadcast_to(states, (runs, 3, rows)))


def some() -> Tensor:
    """Whom to ask: another pattern in each of two runs."""
    wanted = torch.zeros(2, 3, 3, dtype=torch.bool)
    wanted[0, 0, 1] = wanted[0, 2, 0] = wanted[0, 2, 1] = wanted[1, 1, 0] = True
    return wanted


def test_only_who_is_asked_answers_and_every_row_is_a_call() -> None:
    communication, wanted = asking(2), some()
    for times in (1, 2):
        told = communication.ask(branches(2, 7), wanted, streams([0, 1], "a"))
        assert told.shape == (2, 3, 7, 3, 3)
        answered = wanted[:, :, None, :].expand(-1, -1, 7, -1)
        assert torch.equal(told.isnan().all(-1), ~answered)
        assert torch.equal(told.isnan().any(-1), ~answered)
        assert torch.equal(told[answered].sum(-1), torch.ones(4 * 7, dtype=told.dtype))
        assert torch.equal(communication.interactions.calls, wanted.long() * 7 * times)


def test_answers_are_the_real_policies() -> None:
    """The same numbers as the joint policy gives in these states from the same fork."""
    seen, wanted = branches(2, 5), some()
    told = asking(2).ask(seen, wanted, streams([0, 1], "a"))
    drawing = forked(streams([0, 1], "a"))
    real = act_of(GAME, TABLES)(seen.flatten(1, 2), drawing).unflatten(1, (3, 5))
    at = wanted[:, :, None, :].expand(-1, -1, 5, -1)
    assert torch.equal(told[at], real[at])


def test_nobody_asked_nobody_acts() -> None:
    def fails(observations: Tensor, streams: Streams) -> Tensor:
        raise AssertionError("a real agent was asked")

    communication = Communication(fails, 3, interactions(2, 3))
    none = torch.zeros(2, 3, 3, dtype=torch.bool)
    told = communication.ask(branches(2, 5), none, streams([0, 1], "a"))
    assert told.shape == (2, 3, 5, 3, 3)
    assert bool(told.isnan().all())
    assert not communication.interactions.calls.any()


def test_a_run_does_not_depend_on_whom_others_ask() -> None:
    """Run 1 alone and beside run 0, which asks others or nobody: the same answers and streams."""
    wanted = some()
    both, alone = streams([0, 1], "a"), streams([1], "a")
    for asked in (wanted, wanted.clone()):
        asked[0] &= asked is wanted
        beside = asking(2).ask(branches(2, 5), asked, both)[1:]
        by_itself = asking(1).ask(branches(1, 5), asked[1:], alone)
        torch.testing.assert_close(beside, by_itself, rtol=0, atol=0, equal_nan=True)
        assert torch.equal(both.state()[1:], alone.state())
    # a run in which nobody asks moves its stream on as well
    both, alone = streams([0, 1], "a"), streams([0], "a")
    wanted[0] = False
    asking(2).ask(branches(2, 5), wanted, both)
    asking(1).ask(branches(1, 5), wanted[:1], alone)
    assert torch.equal(both.state()[:1], alone.state())


def test_asking_oneself_is_a_mistake() -> None:
    wanted = torch.eye(3, dtype=torch.bool).expand(2, -1, -1)
    with pytest.raises(ValueError, match="asks itself"):
        asking(2).ask(branches(2, 5), wanted, streams([0, 1], "a"))


def test_interactions_in_the_paper_s_units() -> None:
    """100 steps are 4 episodes; 75 calls among 3 agents are 25 full interactions, one more."""
    counted = interactions(2, 3)
    counted.stepped(60)
    counted.stepped(40)
    counted.calls[1, 0, 1] = 50
    counted.calls[1, 2, 0] = 25
    assert counted.dynamics.tolist() == [4, 4]
    assert counted.normalised.tolist() == [4, 5]


def test_counters_do_not_round() -> None:
    """2⁵³ + 1 calls, which no float64 holds, are counted as such."""
    communication, wanted = asking(1), some()[:1]
    communication.interactions.calls[0, 0, 1] = 2**53
    communication.ask(branches(1, 1), wanted, streams([0], "a"))
    assert int(communication.interactions.calls[0, 0, 1]) == 2**53 + 1


def test_counters_come_back_from_their_state() -> None:
    counted = interactions(2, 3)
    counted.stepped(7)
    counted.calls[0, 1, 2] = 5
    kept = {name: tensor.clone() for name, tensor in counted.state().items()}
    again = interactions(2, 3)
    again.restore(kept)
    assert torch.equal(again.steps, counted.steps)
    assert torch.equal(again.calls, counted.calls)
    with pytest.raises(InputError, match="calls"):
        interactions(2, 4).restore(kept)
