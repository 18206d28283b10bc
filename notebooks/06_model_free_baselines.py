# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 6. Model-free baselines: MASAC and MADDPG on particle tasks and Climb
#
# What the model-based agents are compared with. Every curve is a recorded run, read from
# `data/training`; `python notebooks/record_training.py NAME` trains it again. Returns are the sum
# of one agent's reward over an episode of 25 steps, not discounted, in the original rewards
# without self-collision. Greedy: the most probable action. An *update* is one gradient step of all
# agents; a round of updates follows every 100 environment steps of a run.

# %%
import json
from pathlib import Path

import numpy as np
import show
import torch

from deep.analysis.figures import learning_curves
from deep.envs.batch import World
from deep.envs.spaces import random_actions
from deep.envs.tasks import world
from deep.seeding import streams
from tabular.games.climb import equilibrium
from tabular.records.intervals import mean
from tabular.records.runs import Record, read

torch.set_num_threads(1)
DATA = Path("data/training")


def played(task: str, moving: bool, episodes: int = 4000) -> float:
    """Mean return of the agents of ``task`` that act at random, or stand still."""
    place: World = world(task, {})
    drawing = streams((0,), "played")
    state, total = place.reset(drawing, episodes), 0.0
    for _ in range(place.episode_steps):
        actions = random_actions(place.spaces, drawing, episodes)
        if not moving:
            # the first option of every choice: not to move, or the first word
            start = torch.zeros_like(actions)
            start[..., 0] = 1
            actions = start
        state, rewards = place.step(state, actions, drawing)
        total += float(rewards.mean())
    return total


def evaluated(record: Record) -> np.ndarray:
    """Mean greedy return of every seed after training, over agents and 500 episodes."""
    found = json.loads((record.folder / "evaluation.json").read_text())
    assert found["episodes"] == 500
    return np.array([np.mean(list(found["return"][str(s)].values())) for s in record.seeds])


def row(name: str, asked: float) -> list[object]:
    """A line of the table about the record ``name`` and the return that was asked of it."""
    record = read(DATA / name)
    settings = record.manifest["settings"]
    done = json.loads((record.folder / "summary.json").read_text())
    values = evaluated(record)
    found = mean(values)
    return [
        name,
        settings["updates"],
        settings["episodes"],
        len(record.seeds),
        f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]",
        f"{values.min():.2f}",
        f"{asked}",
        "yes" if found.value >= asked and values.min() >= found.value - 1.5 else "no",
        f"{done['seconds'] / 60:.1f}",
    ]


def curve(name: str, label: str) -> tuple[str, np.ndarray, np.ndarray]:
    """The greedy return of the record ``name`` over episodes."""
    return (label, *read(DATA / name).over_agents("evaluation"))


HEADS = ["record", "updates", "episodes", "seeds", "return, 95 % interval", "worst seed", "asked"]
HEADS += ["reached", "minutes"]

# %% [markdown]
# ## What was asked and what was reached
#
# *Asked* is the mean that the project set itself as a goal; a run has reached it if no seed is more
# than 1.5 below the mean either. Minutes are of all seeds together in one process on one core,
# beside other work on the same machine, and bound from above what a quiet one needs.

# %%
ASKED = {
    "speaker-listener-masac": -8.5,
    "speaker-listener-masac-short": -8.5,
    "speaker-listener-masac-penalty": -8.5,
    "speaker-listener-masac-1": -9.0,
    "speaker-listener-maddpg": -8.5,
    "speaker-listener-maddpg-1": -9.0,
    "spread-masac-1": -22.5,
    "spread-masac-10": -24.0,
    "scheduling-masac-1": -45.0,
}
show.table(HEADS, [row(name, asked) for name, asked in ASKED.items()])

# %% [markdown]
# **What was missed.** MADDPG with one update a round reaches the mean, but one of its three seeds
# is far below it: its rate and memory are those that MASAC does well with, and nothing else was
# tried. MASAC with ten updates in navigation ends a hair below what was asked, with one seed well
# below: a memory of 30,000 and a rate of 0.001 were tried, once. One update at a rate of 0.003
# comes further with a third of the gradient steps, in three times the episodes. The aim of −18 in
# navigation was not reached.
#
# Of MASAC's records, `speaker-listener-masac-penalty` and `spread-masac-10` have the penalty on
# logits that is explained below; the others were made before.

# %% [markdown]
# For comparison, the same tasks played at random and by agents that stand still:

# %% tags=["random"]
TASKS = ("speaker-listener", "spread", "scheduling")
show.table(
    ["task", "at random", "standing still"],
    [[task, f"{played(task, True):.1f}", f"{played(task, False):.1f}"] for task in TASKS],
)

# %% [markdown]
# ## Cooperative communication
#
# All curves rest on a plateau near −15 at first: the listener waits in the middle of the landmarks,
# because words mean nothing yet, and words mean nothing because the listener does not heed them.
# A short memory (the newest 15,000 transitions) leaves it sooner than one that keeps everything: in
# an old transition the word that the listener heard was chosen by a speaker that spoke otherwise.

# %%
show.figure(
    learning_curves(
        [
            curve("speaker-listener-masac", "MASAC, 10 updates, all remembered"),
            curve("speaker-listener-masac-short", "MASAC, 10 updates, 15,000 remembered"),
            curve("speaker-listener-maddpg", "MADDPG, 10 updates, 15,000 remembered"),
        ],
        levels=[("asked", -8.5)],
    ),
    "speaker-listener-10",
)

# %%
show.figure(
    learning_curves(
        [
            curve("speaker-listener-masac-1", "MASAC, 1 update"),
            curve("speaker-listener-maddpg-1", "MADDPG, 1 update"),
        ],
        levels=[("asked", -9.0)],
    ),
    "speaker-listener-1",
)

# %% [markdown]
# **A speaker that is stuck.** One of the six seeds with the short memory ends near −11. Its
# speaker has one word for two of the landmarks; the listener waits between the two. The temperature
# does not help: the entropy that it asks for is there already, in the free choice between the two
# words that mean the third landmark. And where the critic comes to prefer another word, the speaker
# is so sure of the old one that its softmax has no gradient left. A small penalty on the logits,
# which MADDPG always had, keeps them within reach; it is MASAC's default now. The same seeds with
# it:

# %%
short, penalty = (read(DATA / f"speaker-listener-masac-{name}") for name in ("short", "penalty"))
show.table(
    ["seed", *map(str, short.seeds)],
    [
        [label, *(f"{value:.2f}" for value in evaluated(record))]
        for label, record in (("without", short), ("with", penalty))
    ],
)

# %%
show.figure(
    learning_curves(
        [
            curve("speaker-listener-masac-short", "MASAC, 10 updates"),
            curve("speaker-listener-masac-penalty", "with a penalty on logits"),
        ],
        levels=[("asked", -8.5)],
    ),
    "speaker-listener-penalty",
)

# %% [markdown]
# ## Cooperative navigation and scheduling

# %%
show.figure(
    learning_curves(
        [
            curve("spread-masac-1", "navigation, MASAC, 1 update"),
            curve("spread-masac-10", "navigation, MASAC, 10 updates"),
            curve("scheduling-masac-1", "scheduling, MASAC, 1 update"),
        ],
        levels=[("asked, navigation", -22.5), ("asked, scheduling", -45.0)],
    ),
    "spread-and-scheduling",
)

# %% [markdown]
# ## Climb
#
# Two agents on [−1, 1], two states, one equilibrium in each: (−1/2, −1/2) and (1/2, 1/2). Distances
# are those of what the agents play in the end, the largest over both states and agents. What is
# left is mostly outward: a policy that draws tanh u about its mean is punished less for its spread
# where tanh is flatter, so tanh μ comes to lie a little beyond the best action.

# %%
played = np.array(json.loads((DATA / "climb-masac" / "climb.json").read_text())["greedy"])
target = np.array([[float(x) for x in equilibrium(state)] for state in range(2)])
apart = np.sort(np.abs(played - target).max((1, 2)))
show.table(
    ["seeds", "within 0.1", "median distance", "largest distance"],
    [[len(apart), int((apart <= 0.1).sum()), f"{np.median(apart):.3f}", f"{apart[-1]:.3f}"]],
)

# %%
episodes, returns = read(DATA / "climb-masac").over_agents("evaluation")
show.figure(learning_curves([("MASAC", episodes, returns)]), "climb-masac")
