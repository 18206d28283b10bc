"""Networks as tables: against what is drawn from them, and through training."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from bounds.shared.numbers import InputError
from deep.analysis import theory_in_the_loop
from deep.analysis.exact_tables import Watched, distributions, policies, read, watched
from deep.analysis.theory_in_the_loop import difference, settings, train, verify
from deep.seeding import streams
from deep.training.presets import preset
from deep.training.run import Run, assemble
from deep.training.settings import Settings
from deep.training.trainer import Trainer
from tabular.games.policy import joint_policy
from tabular.records.theory import FOLDER, load, parse, table
from tabular.records.theory_row import measured

#: Draws of each state, and how many standard errors they may be off.
DRAWS, DEVIATIONS = 20_000, 5


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def small(game: str = "garnet", seeds: tuple[int, ...] = (3, 5), **model: Any) -> Settings:
    """A run of a second or two that has used its models."""
    chosen = settings(game, seeds, epochs=3)
    used = replace(
        chosen.learner.model, **{"rollouts": 64, "k": 3, "rollout_length_epochs": (0, 1)} | model
    )
    return replace(chosen, updates=2, learner=replace(chosen.learner, model=used))


def trainer_of(chosen: Settings) -> Trainer:
    return assemble(Run(Path(), "", chosen, "cpu"))


def trained(chosen: Settings) -> Watched:
    loop = watched(trainer_of(chosen))
    while loop.trainer.episodes < chosen.episodes:
        loop.episode()
    return loop


@pytest.fixture(scope="module", params=["garnet", "coordination"])
def loop(request: pytest.FixtureRequest) -> Watched:
    """Two agents with 2 and 3 actions, and three agents."""
    torch.set_num_threads(1)
    return trained(small(request.param))


def close(found: Any, drawn: Any, count: int = DRAWS) -> bool:
    """Whether shares of ``count`` draws are within ``DEVIATIONS`` standard errors."""
    error = np.sqrt(np.maximum(found * (1 - found), 1e-9) / count)
    return bool((np.abs(found - drawn) <= DEVIATIONS * error + 1e-9).all())


def states(loop: Watched) -> torch.Tensor:
    return torch.eye(loop.game.n_states, dtype=torch.float64)


def test_policies_are_what_is_played(loop: Watched) -> None:
    """Shares of sampled actions, whatever was inferred, in every state and run."""
    n, s = loop.game.n, loop.game.n_states
    seen = states(loop).repeat_interleave(DRAWS, 0)[:, None].expand(2, -1, n, -1)
    acted = loop.trainer.learner.act(seen, streams((3, 5), "test"), greedy=False)
    shares = acted.unflatten(1, (s, DRAWS)).mean(2)  # [run, state, agent, option]
    for run, each in enumerate(policies(loop.trainer)):
        for j, own in enumerate(each):
            assert own.shape == (s, loop.game.actions[j])
            assert close(own, shares[run, :, j, : own.shape[1]].numpy())


def test_policies_are_sums_over_what_is_inferred(loop: Watched) -> None:
    """The same by a plain loop over runs, agents, states and the others' actions."""
    learner: Any = loop.trainer.learner
    rounds: Any = loop.trainer.rounds
    sizes, own = loop.game.actions, rounds.models.inference_opponents
    width, n = max(sizes), loop.game.n
    for run, each in enumerate(policies(loop.trainer)):
        for ego, policy in enumerate(each):
            for s, state in enumerate(states(loop)):
                total = np.zeros(sizes[ego])
                others = [j for j in range(n) if j != ego]
                asked = state.expand(2, n, 1, n, -1)
                about = own.opponents.probabilities(asked)[run, ego, 0]
                for actions in product(*(range(sizes[j]) for j in others)):
                    chance = np.prod(
                        [about[j, a].item() for j, a in zip(others, actions, strict=True)]
                    )
                    ones = functional.one_hot(torch.tensor(actions), width).flatten()
                    row = torch.cat((state, ones.double())).expand(2, n, 1, -1).contiguous()
                    with torch.no_grad():
                        logits = learner.policies.stack(row)[run, ego].flatten()[: sizes[ego]]
                    total += chance * logits.softmax(0).numpy()
                # sums of a dozen products in float64
                assert policy[s] == pytest.approx(total, abs=1e-12)


def test_dynamics_and_opponents_are_what_branches_draw(loop: Watched) -> None:
    rounds: Any = loop.trainer.rounds
    game, models = loop.game, rounds.models
    width, n, s = max(game.actions), game.n, game.n_states
    tables = read(loop.trainer)
    own = list(product(*map(range, game.actions)))
    for a in (0, len(own) - 1):
        rows = states(loop).repeat_interleave(DRAWS, 0)
        seen = rows[:, None].expand(2, n, -1, n, -1)
        played = functional.one_hot(torch.tensor(own[a]), width).double()
        played = played.expand(2, n, len(rows), -1, -1)
        _, following, _ = models.dynamics.step(None, seen, played, streams((3, 5), f"step {a}"))
        shares = following[..., 0, :].unflatten(2, (s, DRAWS)).mean(3)
        for run, found in enumerate(tables):
            for ego in range(n):
                assert found.dynamics[ego].shape == game.transition.shape
                assert close(found.dynamics[ego][:, a], shares[run, ego].numpy())
    drawn = (
        models.played_opponents.sample(seen, streams((3, 5), "sample"))
        .unflatten(2, (s, DRAWS))
        .mean(3)
    )
    for run, found in enumerate(tables):
        for ego in range(n):
            for j, model in enumerate(found.opponents[ego]):
                if j == ego:
                    assert model is None
                else:
                    assert close(model, drawn[run, ego, :, j, : game.actions[j]].numpy())


def test_a_table_that_is_off_is_noticed(loop: Watched) -> None:
    """Power: probabilities moved by 0.03 are outside of what draws allow."""
    n, s = loop.game.n, loop.game.n_states
    seen = states(loop).repeat_interleave(DRAWS, 0)[:, None].expand(2, -1, n, -1)
    acted = loop.trainer.learner.act(seen, streams((3, 5), "test"), greedy=False)
    share = acted.unflatten(1, (s, DRAWS)).mean(2)[0, :, 0, : loop.game.actions[0]].numpy()
    own = policies(loop.trainer)[0][0].copy()
    own[0] += np.where(np.arange(own.shape[1]) == own[0].argmax(), -0.03, 0.03)
    assert not close(own, share)


def test_models_are_none_where_the_truth_is_played() -> None:
    loop = trained(small(exact_dynamics=True, exact_opponents=True, conditioned=False))
    for run in loop.cases():
        for case in run:
            found = measured(case, 3)
            assert found.errors.model_sup == 0
            assert found.errors.opponent_model == (0,)
            assert found.real == found.model
            assert found.errors.policy_shift[0] > 0


def test_who_collected_is_who_acted_before_the_last_round() -> None:
    loop = watched(trainer_of(small()))
    kept: list[Any] = [policies(loop.trainer)]  # after every round, by the plain way
    while len(kept) < 5:
        updates = loop.trainer.updates
        loop.step()
        if loop.trainer.updates > updates:
            kept.append(policies(loop.trainer))
            joint = [[joint_policy(run) for run in each] for each in kept[-2:]]
            assert np.array_equal(joint[0], [joint_policy(run) for run in loop.data])
            assert np.array_equal(joint[1], [joint_policy(run) for run in loop.acting])
            assert not np.array_equal(joint[0], joint[1])


def test_what_cannot_be_watched_is_refused() -> None:
    with pytest.raises(InputError, match="no finite game"):
        watched(trainer_of(replace(preset("laptop", "speaker-listener", "aorpo"), seeds=(0,))))
    game = replace(preset("laptop", "game:garnet", "masac"), seeds=(0,))
    with pytest.raises(InputError, match="no models"):
        watched(trainer_of(game)).cases()
    with pytest.raises(InputError, match="more than one round"):
        watched(trainer_of(replace(small(), update_every=4)))


@pytest.mark.parametrize("off", [1e-4, -1e-3, float("nan")])
def test_rows_that_are_no_distribution_are_refused(off: float) -> None:
    good = torch.tensor([[0.25, 0.75]])
    assert distributions(good + 1e-6).sum() == pytest.approx(1, abs=1e-15)
    with pytest.raises(ValueError, match="sum to 1"):
        distributions(good + off)


def test_calls_of_all_real_are_those_it_would_have_made() -> None:
    """The learner's own counter against Σ(k − nⱼ)M, at every epoch."""
    rows = list(train(small("coordination", (3,), scheme="all-real")))
    assert {line["calls"] == line["calls_all_real"] for line in rows} == {True}
    assert rows[0]["calls"] > 0
    fewer = list(train(small("coordination", (3,))))
    assert all(2 * line["calls"] <= line["calls_all_real"] for line in fewer)
    assert fewer[-1]["calls_all_real"] == rows[-1]["calls_all_real"]


def test_a_seed_does_not_hang_on_those_beside_it() -> None:
    both = [line for line in train(small(seeds=(3, 5))) if line["seed"] == 5]
    assert both == list(train(small(seeds=(5,))))


@pytest.fixture(scope="module")
def one_record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record of one game and a small run."""
    folder = tmp_path_factory.mktemp("theory")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(theory_in_the_loop, "settings", lambda game: small(game, (3, 5)))
        patch.setattr(theory_in_the_loop, "SEEDS", (3, 5))
        theory_in_the_loop.record(folder, ("garnet",))
    return folder


@pytest.fixture
def recorded(one_record: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, with the code's settings likewise."""
    monkeypatch.setattr(theory_in_the_loop, "settings", lambda game: small(game, (3, 5)))
    shutil.copytree(one_record, tmp_path / "record")
    return tmp_path / "record"


def test_a_record_is_verified(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(recorded) == 0
    said = capsys.readouterr().out
    assert "bounds hold" in said
    assert "all agree; on the record's processor and versions" in said


@pytest.mark.parametrize("column", ["real", "opponent_model[0]", "n_adaptive[0]", "calls"])
def test_a_record_with_another_number_is_not(
    recorded: Path,
    column: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = recorded / "garnet.csv"
    heads, first, *rest = path.read_text("utf-8").splitlines()
    # training anew gives what was recorded, as the test above found
    lines = list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))
    monkeypatch.setattr(theory_in_the_loop, "train", lambda _: lines)
    cells = first.split(",")
    place = heads.split(",").index(column)
    cells[place] = str(float(cells[place]) + 1e-5)
    path.write_text("\n".join([heads, ",".join(cells), *rest]) + "\n", "utf-8")
    assert verify(recorded) == 1
    assert column in capsys.readouterr().out


def test_a_record_of_other_settings_is_refused(recorded: Path) -> None:
    path = recorded / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    manifest["settings"]["garnet"]["updates"] += 1
    path.write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(InputError, match="other settings"):
        verify(recorded)


def test_differences_of_tables() -> None:
    lines: list[Any] = list(train(small(seeds=(3,))))
    old = parse("garnet", table(lines), "here")
    assert difference(old, old) == (0.0, "")

    def changed(name: str, change: Callable[[Any], Any]) -> float:
        return difference(old, replace(old, columns={**old.columns, name: change(old[name])}))[0]

    assert changed("model_sup", lambda x: x + 1e-6) == pytest.approx(1e-6)
    assert changed("calls", lambda x: x + 1) == pytest.approx(1 / max(1, old["calls"].max()))
    assert changed("k_coupling", lambda x: x * np.nan) == float("inf")
    missing = {name: values for name, values in old.columns.items() if name != "real"}
    assert difference(old, replace(old, columns=missing))[0] == float("inf")


def test_the_record_is_of_these_settings() -> None:
    manifest, records = load(FOLDER)
    assert [record.game for record in records] == list(theory_in_the_loop.GAMES)
    for record in records:
        assert manifest["settings"][record.game] == json.loads(
            json.dumps(theory_in_the_loop.as_json(settings(record.game)))
        )
        assert record.seeds == theory_in_the_loop.SEEDS
