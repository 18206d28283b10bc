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
# # 8. AORPO on particle tasks and Climb
#
# Recorded runs of AORPO beside the model-free algorithms, read from `data/training`;
# `python notebooks/record_training.py NAME` trains one again. Returns are greedy, one agent's sum
# of rewards over 25 steps, not discounted. A *dynamics interaction* is one episode in the
# environment.
#
# Total variation says nothing about a learned model of these deterministic tasks: whatever its
# density, D_TV(T‖T̂) is 1 (ledger: `tv-bounds-on-deterministic-dynamics`). So model errors are shown
# as compounding errors here, not as ε_m.

# %%
import json
from pathlib import Path

import numpy as np
import show
from matplotlib.figure import Figure

from bounds.plots import curve, new_figure
from deep.plots import learning_curves
from deep.statistics import mean
from tabular.climb import equilibrium
from tabular.run_record import read

DATA = Path("data/training")
GOAL = -8.5


def greedy(name: str, label: str) -> tuple[str, np.ndarray, np.ndarray]:
    """The greedy return of the record ``name`` over episodes."""
    return (label, *read(DATA / name).over_agents("evaluation"))


# %% [markdown]
# ## Cooperative communication: AORPO and MASAC
#
# Both make 30 gradient steps every 100 environment steps here, with the same rates and networks.
# The published comparison gives AORPO ten or twenty steps where its baselines have one; that
# baseline is the third curve. With a single opponent the paper's rule gives n₁ = k: AORPO never
# asks the real opponent, and agent interactions are dynamics interactions.

# %%
LABELS = {
    "speaker-listener-aorpo": "AORPO, 30 updates",
    "speaker-listener-masac-30": "MASAC, 30 updates",
    "speaker-listener-masac-1": "MASAC, 1 update",
}
curves = [greedy(name, label) for name, label in LABELS.items()]
shown = [(label, x[x <= 2000], values[x <= 2000]) for label, x, values in curves]
show.figure(
    learning_curves(shown, "dynamics interactions (episodes of each run)", levels=[("goal", GOAL)]),
    "aorpo-speaker-listener",
)

# %%
rows = []
for label, x, values in curves:
    first = x[np.argmax(values.mean(1) >= GOAL)] if (values.mean(1) >= GOAL).any() else "never"
    at = np.flatnonzero(x <= 1000)[-1]
    found = mean(values[at])
    rows.append(
        [
            label,
            values.shape[1],
            first,
            int(x[at]),
            f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]",
            f"{values[at].min():.2f}",
        ]
    )
show.table(
    [
        "runs",
        "seeds",
        f"first episode with a mean of {GOAL}",
        "episode",
        "mean there, 95 % interval",
        "worst seed there",
    ],
    rows,
)

# %% [markdown]
# The settings of AORPO were chosen on trial runs with seeds 0, 1 and 3, which are among those
# shown, so the intervals leave out what choosing them may have gained. One of MASAC's five seeds is
# stuck in the end: its speaker has one word for two of the landmarks (as in notebook 06).
#
# **What holds AORPO back.** With the world itself in the place of the learned dynamics, all else
# the same, and with the real policies in the place of opponent models too, it learns as follows.
# The difference is what the errors of models cost: something until about 500 episodes, hardly
# anything after that. What AORPO and MASAC share is the plateau of the first 200 to 300 episodes,
# before words mean anything; even exact models hardly shorten it.

# %%
ABLATION = {
    "speaker-listener-aorpo": "AORPO",
    "speaker-listener-aorpo-exact-dynamics": "AORPO with exact dynamics",
    "speaker-listener-aorpo-exact": "AORPO with exact dynamics and opponents",
    "speaker-listener-masac-30": "MASAC",
}
curves = [greedy(name, label) for name, label in ABLATION.items()]
shown = [(label, x[x <= 810], values[x <= 810]) for label, x, values in curves]
show.figure(
    learning_curves(shown, "dynamics interactions (episodes of each run)", levels=[("goal", GOAL)]),
    "aorpo-ablation",
)

# %% [markdown]
# The same on top of MADDPG:

# %%
DETERMINISTIC = {
    "speaker-listener-aordpg": "AORDPG, 30 updates",
    "speaker-listener-maddpg-30": "MADDPG, 30 updates",
    "speaker-listener-maddpg-1": "MADDPG, 1 update",
}
curves = [greedy(name, label) for name, label in DETERMINISTIC.items()]
shown = [(label, x[x <= 1200], values[x <= 1200]) for label, x, values in curves]
show.figure(
    learning_curves(shown, "dynamics interactions (episodes of each run)", levels=[("goal", GOAL)]),
    "aordpg-speaker-listener",
)

# %%
show.table(
    ["runs", "seeds", "episode", "mean, 95 % interval", "worst seed"],
    [
        [
            label,
            values.shape[1],
            int(x[-1]),
            "{0.value:.2f} [{0.low:.2f}, {0.high:.2f}]".format(mean(values[-1])),
            f"{values[-1].min():.2f}",
        ]
        for label, x, values in shown
    ],
)

# %% [markdown]
# How good the models are in these runs: the share of real actions that the opponent model would
# not have drawn, and the dynamics model's error in deviations of what it predicts.

# %%
record = read(DATA / "speaker-listener-aorpo")
figure, axes = new_figure()
for number, (name, label) in enumerate(
    [
        ("opponent_error", "opponent model: mean of 1 − π̂(a|o)"),
        ("dynamics_rmse", "dynamics model: error / deviation"),
    ]
):
    x, values = record.over_agents(name)
    curve(axes, x, values.mean(1), number, label)
axes.set_xlabel("dynamics interactions (episodes of each run)")
axes.set_ylabel("error, mean over seeds and agents")
axes.set_ylim(bottom=0)
axes.legend(fontsize=8)
show.figure(figure, "aorpo-model-errors")

# %% [markdown]
# ## How far branches drift, and what they ask (Fig. 5 in small)
#
# Cooperative navigation, three agents, AORPO after 600 episodes. From real states branches of k
# steps run beside the world itself, everybody greedy: ε_c(k) = 1/k Σ_i ‖s_i − ŝ_i‖² over the joint
# observation, and the calls to real opponents of one branch. Means over agents and 256 states.
#
# After 600 episodes policies are still nearly uniform, so every opponent model misses most actions
# (the estimates below, 1 − π̂(a|o), are all alike), and nⱼ = ⌊k min ε/ε_j⌋ trusts all of them for
# nearly all steps: here the adaptive usage is all models, but for one call. An estimate from one
# action a state cannot tell a policy that is random from a model that is wrong.

# %%
found = json.loads((DATA / "spread-aorpo" / "drift.json").read_text())
figure = Figure(figsize=(10, 4), layout="constrained")
left, right = figure.subplots(1, 2)
for number, name in enumerate(("adaptive", "all models", "all real")):
    errors = np.array(found["errors"][name]).mean(1)
    calls = np.array(found["calls"][name], dtype=float).mean(1)
    k = np.arange(1, errors.shape[1] + 1)
    across = mean(errors.T)
    curve(left, k, across.value, number, name)
    left.fill_between(k, across.low, across.high, color=f"C{number}", alpha=0.15, lw=0)
    curve(right, k, calls.mean(0), number, name)
left.set_ylim(bottom=0)
left.set_ylabel("compounding error ε_c(k)")
right.set_ylabel("calls of a branch")
for axes in (left, right):
    axes.set_xlabel("branch length k")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3, linewidth=0.6)
left.legend(fontsize=8)
show.figure(figure, "aorpo-drift")

# %%
longest = len(found["errors"]["adaptive"][0][0])
show.table(
    ["usage", f"ε_c({longest}), 95 % interval over seeds", f"calls of {longest} steps"],
    [
        [
            name,
            "{0.value:.3f} [{0.low:.3f}, {0.high:.3f}]".format(
                mean(np.array(found["errors"][name])[:, :, -1].mean(1))
            ),
            f"{np.mean(np.array(found['calls'][name])[:, :, -1]):.1f}",
        ]
        for name in ("adaptive", "all models", "all real")
    ],
)

# %%
opponents = np.array(found["opponents"])
others = ~np.eye(opponents.shape[1], dtype=bool)
print(f"estimated errors: {opponents[:, others].min():.3f} to {opponents[:, others].max():.3f}")

# %% [markdown]
# ## Climb: what the critics learned (Fig. 4)
#
# Rows: MASAC and AORPO. Columns: state and agent. Q of agent 0's action a and agent 1's action b,
# the mean of the twin critics of one seed; the cross is the equilibrium, the dots are what all 20
# seeds play.

# %%
CLIMB = {"climb-masac": "MASAC", "climb-aorpo": "AORPO"}


def surfaces(names: dict[str, str]) -> Figure:
    """Contours of Q, a row for each record."""
    figure = Figure(figsize=(11, 2.9 * len(names)), layout="constrained")
    axes = figure.subplots(len(names), 4, squeeze=False, sharex=True, sharey=True)
    for row, (name, label) in zip(axes, names.items(), strict=True):
        found = json.loads((DATA / name / "climb.json").read_text())
        played, grid = np.array(found["greedy"]), np.array(found["actions"])
        for panel, (state, agent) in zip(row, np.ndindex(2, 2), strict=True):
            q = np.array(found["q"])[state, agent]
            drawn = panel.contourf(grid, grid, q.T, levels=12, cmap="Greys_r")
            panel.plot(*played[:, state].T, "o", color="white", markersize=4, mec="black", mew=0.8)
            panel.plot(*map(float, equilibrium(state)), "x", color="black", markersize=9, mew=2)
            panel.set_title(f"{label}, state {state + 1}, agent {agent}", fontsize=9)
            figure.colorbar(drawn, ax=panel, shrink=0.8)
        row[0].set_ylabel("action b of agent 1")
    for panel in axes[-1]:
        panel.set_xlabel("action a of agent 0")
    return figure


show.figure(surfaces(CLIMB), "climb-critics")

# %%
lines = []
for name, label in CLIMB.items():
    played = np.array(json.loads((DATA / name / "climb.json").read_text())["greedy"])
    target = np.array([[float(x) for x in equilibrium(state)] for state in range(2)])
    worst = np.abs(played - target).max((1, 2))
    lines.append([label, len(worst), int((worst <= 0.1).sum()), f"{worst.max():.3f}"])
show.table(["algorithm", "seeds", "within 0.1 in both states", "largest distance"], lines)
