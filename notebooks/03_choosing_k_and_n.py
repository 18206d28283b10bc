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
# # 3. Choosing $k$ and $n_j$
#
# Two questions of whoever trains with a model: how long should a rollout be, and which opponents
# may be played by their models, for how many of its steps? The paper answers both from Theorem 2.
# Notebook 2 showed that the coupling bounds are attained, so they are what the errors cost at
# worst; here is what follows from them. All values are fractions of the trivial bound
# $\operatorname{span}R/(1-\gamma)$; at 1 a bound says nothing.

# %%
import time
from itertools import product

import numpy as np
import show
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure

from bounds import ErrorProfile, find
from bounds.planning.opponent_lengths import allocate, evaluated, paper_rule, pareto
from bounds.planning.rollout_length import curves, plan, sensitivity
from bounds.proofs.rollout_length import expected_form_has_no_inner_optimum
from bounds.proofs.theorems import sup_form_is_monotone_in_k
from bounds.shared.figures import curve, new_figure

# %% [markdown]
# ## The branch length $k$
#
# `python -m bounds plan` does what the next cell does. The setting is that of notebook 2.

# %%
setting = ErrorProfile(
    gamma=0.95,
    policy_shift=(0.05,) * 3,
    opponent_model=(0.02,) * 2,
    model_current=0.02,
    model_sup=0.02,
)
found = plan(setting)
heads = ["rule", "k", "Theorem 2, normalised", "coupling, expected form"]
rows = [
    ["best by Theorem 2", found.k_printed, found.printed_at_printed, found.coupling_at_printed],
    ["shortest within 1 %", found.k_within, found.printed_at_coupling, found.coupling_at_coupling],
    ["without limit", "∞", "∞", found.limit],
]
assert found.k_coupling is None  # longer is never worse
assert found.printed_at_printed > 1
show.table(heads, rows)

# %%
ks = np.arange(1, 101)
printed, expected, _ = curves(setting, "expected", ks)
_, sup, _ = curves(setting, "sup", ks)
figure, axes = new_figure(7.2, 4.4)
axes.axhline(1, color="black", linewidth=1)
axes.annotate("from here up a bound says nothing", (1, 1.05), fontsize=9)
for number, (name, y) in enumerate(
    {
        "Theorem 2, normalised": printed,
        "coupling, expected form": expected,
        "coupling, sup form": sup,
    }.items()
):
    curve(axes, ks, y, number, name)
marks = (
    ("best by Theorem 2", found.k_printed, printed, 0.86),
    ("shortest within 1 % of the best", found.k_within, expected, 1.09),
)
for words, k, y, shift in marks:
    axes.plot([k], [y[k - 1]], "*", color="black", markersize=12)
    axes.annotate(f"{words}: k = {k}", (k + 1, y[k - 1] * shift), fontsize=9)
axes.set_yscale("log")
ticks = [0.5, 1, 2, 5]
axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
axes.set_yticks([], minor=True)
axes.set_xlabel("branch length k (steps in the model)")
axes.set_ylabel("fraction of the trivial bound")
errors = r"$\epsilon_\pi = 0.05$ each, $\epsilon_{\hat\pi} = 0.02$ each, model error $0.02$"
axes.set_title(rf"$\gamma = 0.95$, three agents, {errors}", fontsize=10)
figure.legend(loc="outside lower center", ncols=3, fontsize=9, frameon=False)
show.figure(figure, "planner-over-k")

# %% [markdown]
# Theorem 2 has an inner optimum because it charges $k\epsilon'_m$ where a rollout that is at time
# $t$ can have lost at most $\min(t,k)\epsilon'_m$: the printed bound grows without limit in $k$,
# the discrepancy does not. The coupling bounds have no inner optimum at all: $k=1$ is best, or
# longer is never worse. For the sup form the sign of $\rho-q$ decides, $\rho=\bar
# c(1-\epsilon_{\sup})$: is a step in the model better than a step under the old policies? Both
# statements are proved:

# %%
for prove in (sup_form_is_monotone_in_k, expected_form_has_no_inner_optimum):
    proof = prove()
    assert proof.holds
    print(proof.summary)

# %% [markdown]
# And looked at, over random settings of one to four agents:

# %% tags=["random"]
rng = np.random.default_rng(0)


def drawn() -> ErrorProfile:
    """A random setting: every error from 0.001 to 1, 1/(1 − γ) from 1.3 to 300."""
    n = int(rng.integers(1, 5))
    model = float(10 ** rng.uniform(-3, 0))
    return ErrorProfile(
        gamma=float(1 - 10 ** rng.uniform(-2.5, -0.1)),
        policy_shift=tuple(10 ** rng.uniform(-3, -0.3, n)),
        opponent_model=tuple(10 ** rng.uniform(-3, -0.3, n - 1)),
        model_current=model,
        model_sup=model,
    )


plans = [plan(drawn(), kind=kind) for kind in ("expected", "sup") for _ in range(1000)]
assert {p.k_coupling for p in plans} == {None, 1}
never_worse = [p for p in plans if p.k_coupling is None]
print(f"{len(plans)} settings: k = 1 is best in {len(plans) - len(never_worse)},", end=" ")
print(f"longer is never worse in {len(never_worse)}")
loss = np.array([p.coupling_at_printed / p.best - 1 for p in plans])
assert loss.max() > 0.01
print(
    f"Theorem 2's k is more than 1 % above the best coupling bound in {sum(loss > 0.01)} of them,"
)
print(f"and {loss.max():.0%} above it in the worst")

# %% [markdown]
# So the question is not which $k$ is best. It is how *short* a rollout may be: long ones cost
# time, calls and variance. `plan` gives the shortest $k$ whose bound is within 1 % of the best.
#
# ## When the errors are wrong
#
# The errors are estimates. If every $\epsilon$ used for planning was off by a factor, the plan is
# for another setting. What it costs in the true one:

# %%
factors = tuple(2.0 ** np.arange(-3, 4))
rows = [
    [f"× {s.factor:g}", s.k, s.value, f"{s.regret:.1%}"]
    for s in sensitivity(setting, factors=factors)
]
show.table(["errors used for planning", "k planned", "bound in truth", "above the best"], rows)

# %%
fine = tuple(2.0 ** np.linspace(-3, 3, 25))
figure, axes = new_figure(6.6, 3.8)
for number, (gamma, shift) in enumerate(((0.9, 0.05), (0.95, 0.05), (0.99, 0.05), (0.95, 0.2))):
    at = setting.with_(gamma=gamma, policy_shift=(shift,) * 3)
    regrets = np.array([s.regret for s in sensitivity(at, factors=fine)])
    label = rf"$\gamma$ = {gamma}, $\epsilon_\pi$ = {shift} each"
    curve(axes, np.array(fine), 100 * regrets, number, label)
axes.set_xscale("log", base=2)
ticks = [1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8]
axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
axes.set_xlabel("factor by which all errors were mistaken")
axes.set_ylabel("bound above its best (%)")
axes.set_title(
    r"the other errors as above: $\epsilon_{\hat\pi} = 0.02$ each, model error $0.02$", fontsize=10
)
axes.legend(fontsize=9, frameon=False)
show.figure(figure, "planner-sensitivity")

# %% [markdown]
# Believing the models to be worse than they are costs more: the rollouts get too short. Believing
# them better only makes rollouts longer than they need be, where longer is never worse.
#
# ## A map
#
# The planned $k$ over the model error and the policy shift, everything else as above. Hatched:
# $k=1$ is best, the old policies are closer to the truth than the models.

# %%
count = 48
model_errors, shifts = np.geomspace(1e-3, 0.3, count), np.geomspace(1e-3, 0.3, count)
by_theorem, shortest = np.zeros((2, count, count))
one_is_best = np.zeros((count, count), dtype=bool)
for (row, shift), (column, error) in product(enumerate(shifts), enumerate(model_errors)):
    p = plan(setting.with_(policy_shift=(shift,) * 3, model_current=error))
    by_theorem[row, column], shortest[row, column] = p.k_printed, p.k_within
    one_is_best[row, column] = p.k_coupling == 1

steps = [1, 2, 4, 8, 16, 32, 64, 128]
norm = BoundaryNorm(steps, 256)
figure = Figure(figsize=(9.4, 4.4), layout="constrained")
panels = figure.subplots(1, 2, sharey=True)
for axes, values, title in (
    (panels[0], by_theorem, "best k by Theorem 2"),
    (panels[1], shortest, "shortest k within 1 % of the best coupling bound"),
):
    shade = axes.pcolormesh(model_errors, shifts, values, cmap="Greys", norm=norm, rasterized=True)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(r"model error $\epsilon'_m$ (probability)")
    axes.set_title(title, fontsize=10)
hatched = axes.contourf(
    model_errors, shifts, one_is_best, levels=[0.5, 1.5], colors="none", hatches=["///"]
)
hatched.set_edgecolor("0.6")
panels[0].set_ylabel(r"policy shift $\epsilon_\pi$ of each agent (probability)")
words = r"$\gamma = 0.95$, three agents, $\epsilon_{\hat\pi} = 0.02$ each; hatched: $k = 1$ is best"
figure.suptitle(words, fontsize=10)
figure.colorbar(shade, ax=panels, ticks=steps, label="k, from … to below … (steps)")
show.figure(figure, "planner-map")

# %% [markdown]
# Theorem 2 shortens the rollouts gradually as the policies move less. The coupling bound
# knows two regimes, and within the second one $k$ depends on the errors of the models and on the
# discount.
#
# ## Whom to play by a model: $n_j$
#
# Section 5.1 of the paper plays opponent $j$ by its model in the first $n_j=\lfloor
# k\min_{j'}\epsilon_{\hat\pi}^{j'}/\epsilon_{\hat\pi}^j\rfloor$ of $k$ steps and asks the real
# agent in the rest: $\sum_j(k-n_j)$ calls. For errors 0.1, 0.2, 0.4 and $k=10$:

# %%
three = ErrorProfile(
    gamma=0.95,
    policy_shift=(0.05,) * 4,
    opponent_model=(0.1, 0.2, 0.4),
    model_sup=0.02,
    k=10,
)
rule = evaluated(three, paper_rule(10, three.opponent_model))
best = allocate(three, rule.calls)


def linear(n: tuple[int, ...]) -> float:
    """Σ nⱼ ε_π̂ʲ, the part of Theorem 2's opponent term that the lengths decide."""
    return sum(length * e for length, e in zip(n, three.opponent_model, strict=True))


assert best.calls <= rule.calls
assert best.value < rule.value
assert linear(best.n) < linear(rule.n)
show.table(
    ["", "n", "calls", "Σ nⱼ ε_π̂ʲ", "coupling, sup form"],
    [
        ["paper's rule", rule.n, rule.calls, linear(rule.n), rule.value],
        ["best with as many calls", best.n, best.calls, linear(best.n), best.value],
    ],
)

# %% [markdown]
# Both measures agree: models to the end for the most accurate opponents first, the real agent for
# the others. Under $\sum_jn_j\epsilon_{\hat\pi}^j$ a call is worth the error of the opponent that
# is asked, in whichever step, so the least accurate ones are asked. Under the coupling bound it
# also matters in which step: what is lost early is lost for long. `allocate` solves that exactly,
# by dynamic programming. Here it is against all $11^3$ choices.

# %%
everything = [evaluated(three, n) for n in product(range(11), repeat=3)]
front = pareto(three)
for calls in range(31):
    within = [a for a in front if a.calls <= calls][-1]
    # one bound evaluated in different orders: floats differ in the last digits
    assert within.value <= min(a.value for a in everything if a.calls <= calls) + 1e-12
print(f"{len(front)} of {len(everything)} choices are on the front")

# %%
figure, axes = new_figure(7.2, 4.4)
axes.plot(
    [a.calls for a in everything],
    [a.value for a in everything],
    ".",
    color="0.7",
    markersize=3,
    label="all choices of n",
)
axes.step(
    [a.calls for a in front],
    [a.value for a in front],
    where="post",
    color="black",
    marker="o",
    markersize=4,
    label="Pareto front",
)
axes.plot(
    [rule.calls], [rule.value], "s", color="C3", markersize=9, label="paper's rule, n = (10, 5, 2)"
)
axes.plot(
    [best.calls],
    [best.value],
    "*",
    color="C0",
    markersize=14,
    label=f"best with as many calls, n = {best.n}",
)
axes.set_xlabel("calls to real opponents per rollout")
axes.set_ylabel("coupling-sup / trivial bound")
axes.set_title(
    r"$\epsilon_{\hat\pi}$ = 0.1, 0.2, 0.4, $k = 10$, $\gamma = 0.95$, $\epsilon_\pi = 0.05$ each, "
    r"$\epsilon_{\sup} = 0.02$",
    fontsize=10,
)
axes.legend(fontsize=9, frameon=False)
show.figure(figure, "allocation-front")

# %% [markdown]
# How often is the rule beaten by a choice that needs no more calls? With two opponents seldom and
# by little, where their errors are nearly the same: a model with $n_j=k$ plays the action in the
# last state as well, so that $(k-1,k-1)$ may be better than $(k,k-2)$. With three it is beaten in
# most cases, except where the rule itself leaves all but one opponent to real agents; the more
# opponents, the more often.

# %% tags=["random"]
rows, share = [], {}
for opponents in (2, 3, 4, 6):
    gains = []
    for _ in range(150):
        errors = tuple(float(e) for e in 10 ** rng.uniform(-2, -0.3, opponents))
        at = ErrorProfile(
            gamma=0.95,
            policy_shift=(0.05,) * (opponents + 1),
            opponent_model=errors,
            model_sup=0.02,
            k=10,
        )
        ours = evaluated(at, paper_rule(10, errors))
        gains.append(1 - allocate(at, ours.calls).value / ours.value)
    beaten = sum(gain > 1e-9 for gain in gains)  # more than rounding
    rows.append(
        [opponents, f"{beaten} of {len(gains)}", f"{np.mean(gains):.1%}", f"{max(gains):.1%}"]
    )
    share[opponents] = beaten / len(gains)
assert share[2] < 0.2
assert 0.5 < share[3] < share[4] < share[6]
show.table(["opponents", "rule is beaten", "bound lower by, mean", "at most"], rows)

# %% [markdown]
# ## A grid of a million settings
#
# All bounds take arrays. A thousand branch lengths times a thousand model errors, on one core:

# %%
start = time.perf_counter()
grid = find("coupling-expected", "branched").evaluate(
    setting.with_(k=np.arange(1, 1001)[:, None], model_current=np.linspace(0, 0.2, 1000))
)
seconds = time.perf_counter() - start
took = "less than 10 s" if seconds < 10 else f"{seconds:.0f} s"
print(f"{grid.size:,} values of coupling-expected in {took}")
