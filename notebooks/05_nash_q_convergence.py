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
# # 5. Nash Q-learning, and soft Q as the temperature falls
#
# The paper's convergence claim has three links: model-based MASQL still converges (Theorem 6),
# MASQL leads to Nash Q-learning's solution (Theorem 7), and Nash Q-learning converges (Hu and
# Wellman 2003). This notebook looks at the last two on exact games.

# %%
import json
from pathlib import Path

import numpy as np
import show
from matplotlib.figure import Figure

from bounds.plots import curve, new_figure
from tabular.catalogue import find
from tabular.grid_games import GOALS
from tabular.logit import logit_equilibrium
from tabular.nash_q_grid import equilibrium_table, greedy, learn, published_game, start
from tabular.plots_nash import climb_surfaces, joint_optimal_paths, stage_game_conditions
from tabular.soft_nash import team

# %% [markdown]
# ## How fast Nash Q-values come
#
# Grid game 1: two agents cross a 3×3 grid to opposite corners, 100 at the goal, γ = 0.99. The exact
# values come from Nash value iteration; the learner sees one random move at a time.

# %%
GAME = "grid-game-1"
game, legal = published_game(GAME)
exact = equilibrium_table(GAME, "first")
moves = np.ix_(*(np.flatnonzero(legal[j][start(game)]) for j in range(2)))
best = max(float(x) for x in exact[0][moves].ravel())
print(f"largest equilibrium Q-value at the start: {best:.4f}")
assert 97 < best < 98

# %% tags=["random"]
EPISODES = (25, 50, 100, 200, 400)
RUNS = 20
tables = []
for episodes in EPISODES:
    # the same random numbers: the shorter runs are the beginnings of the longer ones
    learned = learn(GAME, ["first"], np.random.default_rng(0), runs=RUNS, episodes=episodes)
    tables.append(learned.table("first")[:, 0, start(game)][(slice(None), *moves)].max(axis=(1, 2)))
low, middle, high = np.quantile(np.array(tables), [0.1, 0.5, 0.9], axis=1)
drawn, axes = new_figure()
axes.fill_between(EPISODES, low, high, color="0.8", label=f"10 % to 90 % of {RUNS} runs")
curve(axes, np.array(EPISODES), middle, 0, "median of the largest learned Q at the start")
axes.axhline(best, color="black", linewidth=1, linestyle=":", label="exact equilibrium")
axes.set_xscale("log")
axes.set_xticks(EPISODES, [str(e) for e in EPISODES])
axes.minorticks_off()
axes.set_xlabel("episodes")
axes.set_ylabel("Q of agent 0 (un-normalised return)")
axes.legend(fontsize=8, frameon=False, loc="center left")
assert (np.diff(middle) > 0).all()
show.figure(drawn, "nash-q-values")

# %% [markdown]
# The rate of the publication, one over the number of visits, is slow at γ = 0.99: the ledger's row
# `nash-q-rate` proves that the error of even one action falls no faster than
# $\gamma n^{-(1-\gamma)}$.
# Policies come much sooner than values.
#
# ## The path that was learned
#
# Both agents follow the equilibria of their own tables, in the first of the runs above.


# %%
def walk(policies: list[np.ndarray]) -> list[tuple[int, int]]:
    """Cells of both agents from the start, while both play their most likely move."""
    state, cells = start(game), []
    for _ in range(12):
        name = game.states[state]
        if not name.replace(" ", "").isdigit():  # the end: both are at their goals, or one is
            cells.append(GOALS[GAME])
            break
        cells.append(tuple(int(x) for x in name.split()))
        own = [int(policy[state].argmax()) for policy in policies]
        state = int(game.transition[state, own[0] * game.actions[1] + own[1]].argmax())
    return cells


# %% tags=["random"]
policies = [greedy(learned, "first", agent, legal)[0] for agent in range(2)]
path = walk(policies)
drawn = Figure(figsize=(3.6, 3.8), layout="constrained")
axes = drawn.subplots()
for agent, (colour, mark) in enumerate((("C0", "o"), ("C1", "s"))):
    places = np.array([(c[agent] % 3, c[agent] // 3) for c in path]) + 0.5
    places = places + (0.08 if agent else -0.08)
    axes.plot(*places.T, color=colour, marker=mark, label=f"agent {agent}", linewidth=2)
axes.set(xlim=(0, 3), ylim=(0, 3), xticks=range(4), yticks=range(4), aspect="equal")
axes.grid(color="0.6")
axes.tick_params(labelbottom=False, labelleft=False, length=0)
axes.set_title(f"grid game 1 after {EPISODES[-1]} episodes", fontsize=9)
drawn.legend(loc="outside lower center", ncols=2, fontsize=8, frameon=False)
show.figure(drawn, "nash-q-path")

# %% [markdown]
# ## Does the theorem's assumption hold while learning?
#
# Hu and Wellman assume that every stage game met has a global optimum, or every one a saddle point,
# and that this one is used. The monitors of the recorded runs (`notebooks/data/nash_q`, 100 runs of
# 5,000 episodes a game) say how often that was so; and how the pairs of learners play in the end.

# %%
results = json.loads(Path("data/nash_q/results.json").read_text("utf-8"))
show.figure(stage_game_conditions(results), "nash-q-conditions")

# %%
show.figure(joint_optimal_paths(results), "nash-q-paths")

# %% [markdown]
# ## Soft values as α → 0
#
# Where Theorem 7 can hold, soft values are within $\alpha\log|A|/(1-\gamma)$ of the Nash values. In
# games of common payoff, where agents maximise over joint actions, they lie above them: here with
# the rewards of agent 0 as everybody's, over the largest distance of any state.

# %%
alphas = np.logspace(-3, 1, 13)
drawn, axes = new_figure()
for number, name in enumerate(("chicken", "garnet")):
    common = find(name).build()
    tables = (common.transition.astype(float), common.reward[0].astype(float))
    gamma = float(common.gamma)
    nash = np.asarray(team(common.gamma, common.transition, common.reward[0], 0).v, dtype=float)
    gaps = [float((team(gamma, *tables, float(a)).v - nash).max()) for a in alphas]
    limit = alphas * np.log(common.joint_actions) / (1 - gamma)
    # the solver's error, relative to values of at most 10³
    assert all(-1e-9 < gap < most + 1e-9 for gap, most in zip(gaps, limit, strict=True))
    curve(axes, alphas, np.array(gaps), 2 * number, f"{name}: largest V_α − V₀")
    curve(axes, alphas, limit, 2 * number + 1, f"{name}: α log|A|/(1 − γ)")
axes.set(xscale="log", yscale="log", xlabel="temperature α", ylabel="distance of values")
axes.legend(fontsize=8, frameon=False)
show.figure(drawn, "soft-to-nash")

# %% [markdown]
# For independent learners the limit may be another equilibrium than the one Nash Q takes. In the
# stag hunt (3, 0; 2, 2) both agents' global optimum is to hunt the stag, 3 each. The principal
# branch of logit equilibria, which soft learners follow as they cool down, leads to the hare.

# %%
hunt = np.array([[[3.0, 0.0], [2.0, 2.0]], [[3.0, 2.0], [0.0, 2.0]]])
temperatures = (10.0, 3.0, 1.0, 0.5, 0.3, 0.2)
stag = [float(logit_equilibrium(hunt, a)[0][0]) for a in temperatures]
assert stag[-1] < 0.01
show.table(["temperature α", "probability of the stag"], list(zip(temperatures, stag, strict=True)))

# %% [markdown]
# ## Climb
#
# The paper's Climb, in the closed form of `tabular/climb.py`, of which the ledger's row
# `climb-unique-equilibrium` proves that the marked landmark is each state's only equilibrium.

# %%
show.figure(climb_surfaces(), "climb-surfaces")
