"""Train the runs that notebooks 06 and 08 show, and record them in ``data/training``.

Use: python notebooks/record_training.py NAME [--runs FOLDER]
     python notebooks/record_training.py            (the names)

A record is what ``python -m deep train`` and ``evaluate`` wrote of a run: manifest.json (settings,
seeds, versions, state of the code), metrics.csv, summary.json, and evaluation.json, 500 greedy
episodes of every seed. The run itself, with its checkpoints, is in FOLDER/NAME (left out: runs/NAME
here); one that was stopped goes on.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import torch

from bounds.shared.files import write_text
from bounds.shared.numbers import InputError
from deep.agents.actor_critic import ActorCritic
from deep.analysis.drift import drift
from deep.aorpo.rounds import ModelBasedRounds
from deep.commands.main import main
from deep.seeding import streams
from deep.training import checkpoint
from deep.training.run import assemble, reopen, trained

DATA = Path(__file__).parent / "data" / "training"
KEPT = ("manifest.json", "metrics.csv", "summary.json")
EVALUATION = ("--episodes", "500", "--json")

#: Before inputs were made standard: small steps, large batches, and no penalty at first.
_PLAIN = "--no-standardise --alpha-rate 0.001 --batch 1024"
_FREE = "--penalty 0"
_SHORT = "--capacity 15000"
_ALL = "--capacity 1000000"
_SLOW = f"{_PLAIN} --learning-rate 0.001"
_SPEAKER = f"--task speaker-listener --evaluate-every 300 {_SLOW} --updates 10"
_ONCE = (
    "--task speaker-listener --updates 1 --learning-rate 0.003 --evaluate-every 600 "
    f"{_ALL} {_PLAIN}"
)
_SPREAD = f"--task spread --learning-rate 0.003 --capacity 50000 --updates 1 {_PLAIN}"
_CLIMB = (
    f"--task climb --seeds {' '.join(map(str, range(20)))} --evaluate-every 1500 "
    "--record-every 300 --checkpoint-every 6000"
)
#: Seeds on which nothing was chosen: ten for words, five elsewhere.
_TEN = "--seeds 40 41 42 43 44 45 46 47 48 49"
_FIVE = "--seeds 40 41 42 43 44"
_WORDS = "--task speaker-listener --episodes 600 --evaluate-every 30 --checkpoint-every 300"
_NAVIGATION = f"--task spread {_FIVE} --evaluate-every 150 --checkpoint-every 300"
_SCHEDULING = (
    f"--task scheduling {_FIVE} --episodes 600 --signal 1 --evaluate-every 60 "
    "--checkpoint-every 300"
)
#: With one opponent every length is k, however its error is estimated: by mismatch in these.
_MODELLED = f"{_WORDS} --algorithm aorpo --model.opponent-error mismatch"
#: The arguments of ``python -m deep train``.
RUNS = {
    "speaker-listener-masac": (
        "--task speaker-listener --algorithm masac --seeds 0 1 2 --episodes 3000 --updates 10 "
        f"{_SLOW} {_ALL} {_FREE}"
    ),
    "speaker-listener-masac-short": (
        f"{_SPEAKER} --seeds 0 1 2 3 4 5 --episodes 3000 {_SHORT} {_FREE}"
    ),
    "speaker-listener-masac-penalty": f"{_SPEAKER} --seeds 0 1 2 3 4 5 --episodes 3000 {_SHORT}",
    "speaker-listener-masac-1": f"{_ONCE} --seeds 0 1 2 3 4 5 --episodes 12000 {_FREE}",
    "speaker-listener-maddpg": (
        "--task speaker-listener --algorithm maddpg --seeds 0 1 2 --updates 10 "
        "--evaluate-every 300 --no-standardise --learning-rate 0.001 --batch 1024 "
        f"{_SHORT} --episodes 4500"
    ),
    "speaker-listener-maddpg-1": (
        "--task speaker-listener --algorithm maddpg --seeds 0 1 2 --updates 1 --episodes 18000 "
        f"--no-standardise --learning-rate 0.003 --batch 1024 --evaluate-every 600 {_ALL}"
    ),
    "spread-masac-1": f"{_SPREAD} --seeds 0 1 2 --episodes 15000 --evaluate-every 1500 {_FREE}",
    "spread-masac-10": (
        f"--task spread --seeds 0 1 2 --episodes 5000 --updates 10 {_SLOW} "
        "--capacity 30000 --evaluate-every 500"
    ),
    "scheduling-masac-1": (
        "--task scheduling --seeds 0 1 2 --episodes 10000 --evaluate-every 1000 --capacity 50000 "
        f"--updates 1 --learning-rate 0.003 {_PLAIN} {_FREE}"
    ),
    "climb-masac": f"{_CLIMB} --algorithm masac {_FREE}",
    "climb-aorpo": f"{_CLIMB} --algorithm aorpo {_FREE}",
    "words-masac": f"{_WORDS} {_TEN} --algorithm masac",
    "words-aorpo": f"{_MODELLED} {_TEN}",
    "words-aorpo-exact-opponents": f"{_MODELLED} {_FIVE} --model.exact-opponents",
    "words-aorpo-exact": f"{_MODELLED} {_FIVE} --model.exact-opponents --model.exact-dynamics",
    "words-masac-signal": f"{_WORDS} {_TEN} --algorithm masac --signal 1",
    "words-aorpo-signal": f"{_MODELLED} {_TEN} --signal 1",
    "words-masac-1": (
        f"--task speaker-listener {_FIVE} --algorithm masac --updates 1 --episodes 6000 "
        "--evaluate-every 300 --checkpoint-every 3000"
    ),
    "words-maddpg-1": (
        f"--task speaker-listener {_FIVE} --algorithm maddpg --updates 1 --episodes 6000 "
        "--evaluate-every 300 --checkpoint-every 3000"
    ),
    "words-maddpg": f"{_WORDS} {_FIVE} --algorithm maddpg",
    "words-aordpg": f"{_WORDS} {_FIVE} --algorithm aordpg",
    "navigation-masac": f"{_NAVIGATION} --algorithm masac",
    "navigation-aorpo": f"{_NAVIGATION} --algorithm aorpo",
    "navigation-aorpo-known": (
        f"--task spread {_FIVE} --evaluate-every 150 --checkpoint-every 300 --algorithm aorpo "
        "--episodes 1200 --model.reward-source known"
    ),
    "scheduling-masac": f"{_SCHEDULING} --algorithm masac",
    "scheduling-aorpo": f"{_SCHEDULING} --algorithm aorpo",
    "scheduling-aorpo-all-real": f"{_SCHEDULING} --algorithm aorpo --model.scheme all-real",
}


#: Runs whose branches are compared with the world at the end.
DRIFTS = ("navigation-aorpo",)


def record(name: str, runs: Path) -> None:
    """Train, or go on with, the run ``name``, evaluate it, and keep what it wrote."""
    run = runs / name
    if not (run / "manifest.json").exists():
        _done(["train", *RUNS[name].split(), "--out", str(run)])
    elif not (run / "summary.json").exists():
        _done(["resume", str(run)])
    keep(run, name)


def keep(run: Path, name: str) -> None:
    """Evaluate the finished run in the folder ``run`` and copy its record."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        _done(["evaluate", str(run), *EVALUATION])
    found = {"command": f"python -m deep evaluate RUN {' '.join(EVALUATION)}"}
    found |= json.loads(printed.getvalue())
    found["checkpoint"] = Path(found["checkpoint"]).name
    folder = DATA / name
    folder.mkdir(parents=True, exist_ok=True)
    for file in KEPT:
        shutil.copyfile(run / file, folder / file)
    if reopen(run).settings.task == "climb":
        write_text(folder / "climb.json", json.dumps(climb(run)) + "\n", replace=True)
    if name in DRIFTS:
        write_text(folder / "drift.json", json.dumps(drifts(run)) + "\n", replace=True)
    write_text(folder / "evaluation.json", json.dumps(found, indent=2) + "\n", replace=True)


def climb(run: Path, points: int = 41) -> dict[str, Any]:
    """What the agents of Climb learned.

    greedy[seed][state][agent]: the action that is played. q[state][agent][a][b]: the mean over
    twins of the first seed's critics where agent 0 plays a and agent 1 b, both of ``actions``.
    """
    world, learner, _ = trained(reopen(run))
    assert isinstance(learner, ActorCritic)
    seeds = len(learner.policies.stack.parameters)
    states = torch.eye(2)[:, None].expand(2, 2, 2)
    draws = streams(tuple(range(seeds)), "surfaces")
    greedy = learner.act(states.expand(seeds, 2, 2, 2), draws, greedy=True)[..., 0]
    grid = torch.linspace(-1, 1, points)
    actions = torch.cartesian_prod(grid, grid)[:, :, None].expand(seeds, -1, 2, 1)
    surfaces = []
    for state in states:
        seen, played = state.expand(seeds, points**2, 2, 2), actions
        if learner.critics.experience.groups(2) > 1:
            # each agent reads rows of its own: here all read the same
            seen, played = (x.unsqueeze(1).expand(-1, 2, -1, -1, -1) for x in (seen, played))
        q = learner.critics(learner.critics.inputs(seen, played))[0].mean(1)
        surfaces.append(q.view(2, points, points).tolist())
    return {"agents": list(world.agents), "actions": grid.tolist()} | {
        "greedy": greedy.tolist(),
        "q": surfaces,
    }


def drifts(run: Path, longest: int = 15, starts: int = 256) -> dict[str, Any]:
    """Drift of branches by scheme, after training (``deep.analysis.drift``), as lists.

    errors, calls: for each scheme [seed][ego][k − 1]; opponents [seed][ego][opponent]: what the
    scheme adaptive divides.
    """
    trainer = assemble(reopen(run))
    trainer.restore(checkpoint.load(checkpoint.paths(run / "checkpoints")[-1]).tensors)
    learner, rounds = trainer.learner, trainer.rounds
    assert isinstance(learner, ActorCritic)
    assert isinstance(rounds, ModelBasedRounds)
    held_out = rounds.opponent_rows(trainer.replay).held_out
    errors = rounds.estimates(held_out).opponent_error
    world = trainer.environments.world
    draws = streams(trainer.seeds, "drift")
    found = drift(
        world=world,
        learner=learner,
        rounds=rounds,
        errors=errors,
        longest=longest,
        starts=starts,
        streams=draws,
    )
    return {
        "starts": starts,
        "errors": {name: each.tolist() for name, each in found.errors.items()},
        "calls": {name: each.tolist() for name, each in found.calls.items()},
        "opponents": errors.tolist(),
    }


def _done(arguments: list[str]) -> None:
    code = main(arguments)
    if code:
        raise SystemExit(code)


def command(arguments: list[str]) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", nargs="?", help="of the run; left out: the names are printed")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where runs are trained")
    given = parser.parse_args(arguments)
    if given.name is None:
        print("\n".join(RUNS))
        return 0
    if given.name not in RUNS:
        print(f"record_training: {given.name} is not one of {', '.join(RUNS)}", file=sys.stderr)
        return 2
    try:
        record(given.name, given.runs)
    except InputError as error:
        print(f"record_training: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
