"""Runs that are killed in the middle of anything end with the same numbers."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from deep.training import checkpoint
from deep.training.run import start, train
from tests.support.runs import last, same, small

#: Runs of a second or two, in which a checkpoint is written every few hundredths of one.
EPISODES = {"masac": 300, "aorpo": 120}


@pytest.mark.parametrize("algorithm", EPISODES)
def test_killed_again_and_again_it_ends_with_the_same_numbers(
    tmp_path: Path, algorithm: str
) -> None:
    torch.set_num_threads(1)
    settings = small(
        algorithm=algorithm,
        episodes=EPISODES[algorithm],
        checkpoint_every=3,
        seeds=(7,),
        evaluate_every=0,
    )
    straight = start(settings, tmp_path / "a" / "run")
    assert train(straight) == 0
    run = start(settings, tmp_path / "b" / "run")
    command = [sys.executable, "-m", "deep", "resume", str(run.folder)]
    rng = np.random.default_rng(0)
    kills, reached = 0, []
    for _ in range(2):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        before = checkpoint.paths(run.checkpoints)[-1:]
        while process.poll() is None and checkpoint.paths(run.checkpoints)[-1:] == before:
            time.sleep(0.002)  # starting takes longer than anything else
        time.sleep(rng.uniform(0, 0.1))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.communicate()
        for path in checkpoint.paths(run.checkpoints):
            checkpoint.load(path)  # whole, whatever the moment was
        reached.append(int(checkpoint.paths(run.checkpoints)[-1].stem))
    assert kills >= 1
    assert reached == sorted(set(reached))
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert same(last(straight), last(run))
    assert (straight.folder / "metrics.csv").read_bytes() == (
        run.folder / "metrics.csv"
    ).read_bytes()
