"""CONTRIBUTING's recipes: a scheme, a learner, a particle task is one entry, and all else reads it.

Each recipe is followed in a process of its own, where the entry is added before the command line
is imported, so that all that is built of the tables sees it as it would after the edit.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SCHEME = """
from bounds.planning import schemes

def half(known):
    k = known.errors.k
    return schemes.Lengths(k, (k // 2,) * (known.errors.n - 1))

schemes.SCHEMES["half"] = schemes.Scheme(half)
"""
LEARNER = '''
from dataclasses import dataclass
from typing import Union
from deep.agents.masac import Masac, masac
from deep.training import algorithms

@dataclass(frozen=True)
class Isac(Masac):
    """Every agent a SAC of its own."""

    central: bool = False

algorithms.ALGORITHMS["isac"] = algorithms.Algorithm(Isac, algorithms.model_free(masac))
# as the last lines of the module make it of the table
algorithms.LearnerSettings = Union[tuple(a.settings for a in algorithms.ALGORITHMS.values())]
'''
TASK = """
from deep.envs import observation as see, scenarios
from deep.envs.particle import Body, Scenario
from deep.envs.physics import distances
from deep.envs.scenarios.colours import AGENT, GREY

def gather():
    return Scenario(
        name="gather",
        agents=tuple(Body(f"agent_{i}", 0.05, AGENT) for i in range(2)),
        landmarks=(Body("landmark_0", 0.05, GREY),),
        observed=tuple(see.velocity(i) + see.landmarks(1, i) for i in range(2)),
        reward=lambda state: -distances(state.landmark, state.position).squeeze(-2),
    )

scenarios.SCENARIOS["gather"] = gather
"""
RUN = """
import sys
from deep.commands.main import main
sys.exit(main(sys.argv[1:]))
"""
SMALL = (
    "--episodes 18 --environments 3 --updates 2 --update-every 20 --warm-up 160 --capacity 300 "
    "--batch 8 --hidden 8 --record-every 9 --evaluate-every 9 --evaluation-episodes 2"
)
MODELS = (
    "--model.warmup-episodes 0 --model.rollouts 8 --model.k 2 --model.epoch 6 --model.fit-every 40 "
    "--model.rollout-length-epochs 0 1 --model.dynamics.members 2 --model.dynamics.hidden 8 "
    "--model.dynamics.validation-share 0.4 --model.dynamics.max-epochs 1 "
    "--model.opponents.validation-share 0.35 --model.opponents.max-epochs 1"
)


def trained(entry: str, arguments: list[str], out: Path) -> str:
    """What the command line prints once the code of ``entry`` has run; the run is in ``out``."""
    command = ["train", *arguments, *SMALL.split(), "--out", str(out)]
    run = subprocess.run(
        [sys.executable, "-c", entry + RUN, *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize(
    ("entry", "arguments"),
    [
        (
            SCHEME,
            ["--task", "spread", "--algorithm", "aorpo", "--model.scheme", "half", *MODELS.split()],
        ),
        (LEARNER, ["--task", "spread", "--algorithm", "isac"]),
        (TASK, ["--task", "gather", "--algorithm", "masac"]),
    ],
    ids=["scheme", "learner", "task"],
)
def test_one_entry_is_enough_to_train(entry: str, arguments: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert "18 episodes" in trained(entry, arguments, folder)
    table = (folder / "metrics.csv").read_text(encoding="utf-8")
    assert ",evaluation/agent_0," in table
    if entry is SCHEME:
        steps = [line for line in table.splitlines() if ",model_steps/" in line]
        # n = ⌊k/2⌋ is 0 or 1 where k is 1 or 2
        assert steps
        assert {float(line.rpartition(",")[2]) for line in steps} <= {0.0, 0.5, 1.0}


def test_without_the_entry_the_name_is_refused(tmp_path: Path) -> None:
    arguments = ["train", "--task", "gather", *SMALL.split(), "--out", str(tmp_path / "run")]
    run = subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert "task: 'gather' is not known" in run.stderr
    assert not (tmp_path / "run").exists()
