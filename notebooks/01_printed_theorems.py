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
# # 1. The printed theorems, and the return they are about
#
# The paper (Zhang et al., IJCAI 2021) bounds how far the return that an agent expects from its
# models can be from the return it gets. Theorem 1 is about rollouts in the model, Theorem 2 about
# short rollouts that branch off from real data. This notebook shows, in exact arithmetic:
#
# 1. with the return that the paper defines, both theorems fail;
# 2. the excess tends to $1/(1-\gamma)$ as the errors shrink;
# 3. read for the *normalised* return $(1-\gamma)\eta$ both hold, and Theorem 2 does not need its
#    third term;
# 4. even so they say nothing in most settings of the size that a practitioner meets;
# 5. how you check your own game.
#
# Every claim below is computed and asserted in the cell after it.

# %%
import json
import tempfile
from dataclasses import replace
from fractions import Fraction as F
from itertools import product
from pathlib import Path

import numpy as np
import show

from bounds import ErrorProfile, find
from bounds.proofs.theorems import theorem1_from_coupling, theorem2_from_coupling
from bounds.shared.figures import curve, new_figure
from bounds.shared.files import write_json
from tabular import verify
from tabular.cases.case import Case
from tabular.cases.check import check
from tabular.cases.files import case_json, parse_case
from tabular.cases.perturb import perturbed_case
from tabular.commands.main import main as tabular
from tabular.extremal.latch_and_lanes import latch
from tabular.games.catalogue import find as game

CERTIFICATES = Path("data/audit/certificates")

# %% [markdown]
# ## Two returns
#
# The paper writes the return of agent $i$ as
#
# $$\eta_i = \mathbb{E}\sum_{t\ge 1}\gamma^t R^i(s_t, a_t).$$
#
# Other texts start the sum at $t=0$, which changes it by a factor $\gamma$ only. Multiplied by
# $1-\gamma$ it becomes the *normalised* return, an average of rewards. The largest possible
# difference of two returns is $\operatorname{span}R/(1-\gamma)$ for the first, and
# $\operatorname{span}R$ for the second; at $\gamma=0.95$ that is a factor of 20. So a bound means
# something only together with the return it is stated for.
#
# Both theorems, from the library. $\epsilon_\pi^j$ is how far agent $j$ has moved from the policy
# that collected the data, $\epsilon_{\hat\pi}^j$ how wrong its model is, both in total variation;
# $\epsilon_m$ and $\epsilon'_m$ are the errors of the dynamics model, expected under the old and
# under the current policies.

# %%
printed1, normalised1 = find("theorem1-printed"), find("theorem1-normalised")
printed2, normalised2 = find("theorem2-printed"), find("theorem2-normalised")
show.formula(printed1)

# %%
show.formula(printed2)

# %% [markdown]
# ## Theorem 1 fails as printed
#
# The audit of this project searched for the smallest exact game that breaks Theorem 1, and
# recorded it as a certificate. Here it is, read back from its file. It has two states and one
# joint action. In reality the game leaves its first state with the probability in `transition`;
# the model says something else. Nobody's policy has moved and nobody's policy is modelled: the
# model error is the only error.


# %%
def recorded(name: str) -> tuple[dict, Case]:
    """The recorded certificate called ``name``, and the case in it."""
    certificate = json.loads((CERTIFICATES / f"{name}.json").read_text("utf-8"))
    return certificate, parse_case(certificate["case"])


certificate1, case1 = recorded("theorem1-printed")
written = certificate1["case"]
for key in ("gamma", "initial", "transition", "model_transition", "reward"):
    print(f"{key:<17} {written[key]}")

# %% [markdown]
# The exact check. The certificate is about the paper's own sum, from $t=1$, so the difference of
# the two returns is multiplied by $\gamma$.

# %%
(verdict,) = check(case1, [printed1]).verdicts
gap1 = case1.gamma * verdict.discrepancy
assert gap1 > verdict.value
assert (str(gap1), str(verdict.value)) == (certificate1["left"], certificate1["right"])
print(f"difference of the returns  {gap1}  = {float(gap1):.4f}")
print(f"Theorem 1 allows           {verdict.value}  = {float(verdict.value):.4f}")
print(f"excess                     {float(gap1 / verdict.value):.2f} times")

# %% [markdown]
# Nothing of this has to be believed of this library: `tabular/verify.py` is one file of rational
# arithmetic without any import from here, and it recomputes both sides from the game.

# %%
left, right = verify.verify(certificate1)
assert left == gap1 > right == verdict.value
print(f"accepted: {left} > {right}")

# %% [markdown]
# ## Theorem 2 fails as printed
#
# The same for the branched return. The real game stays in the state it starts in; after one step
# of the model ($k=1$) the rollout is in the other state.

# %%
certificate2, case2 = recorded("theorem2-printed")
left, right = verify.verify(certificate2)
(verdict,) = check(case2, [printed2]).verdicts
assert left == case2.gamma * verdict.discrepancy > right == verdict.value
print(f"k = {case2.branch_length}, difference {left}, Theorem 2 allows {right}")

# %% [markdown]
# ## How large the excess gets
#
# Take the simplest game: reality stays for ever in a state that pays $+1$; the model leaves it
# with probability $\epsilon$ for a state that pays $-1$ for ever. Then, with the sum from $t=0$,
#
# $$\eta-\hat\eta = 2\sum_t\gamma^t\bigl(1-(1-\epsilon)^t\bigr)
# = \frac{2\gamma\epsilon}{(1-\gamma)(1-\gamma(1-\epsilon))},
# \qquad \text{Theorem 1: } \frac{2\gamma\epsilon}{1-\gamma},$$
#
# so the excess is $1/(1-\gamma(1-\epsilon))$, which tends to $1/(1-\gamma)$ as $\epsilon\to 0$.
# For the paper's sum from $t=1$ it is $\gamma$ times that, and tends to $\gamma/(1-\gamma)$. Where
# the sum starts does not save the theorem.


# %%
def leaving(gamma: F, error: F) -> Case:
    """The game of the text: reality stays at reward 1, the model leaves with ``error`` for −1."""
    stay, model = [[[1, 0]], [[0, 1]]], [[[str(1 - error), str(error)]], [[0, 1]]]
    one = [[[1], [1]]]
    return parse_case(
        {
            "format": "stochastic-game-case/1",
            "gamma": str(gamma),
            "actions": [1],
            "ego": 0,
            "initial": [1, 0],
            "transition": stay,
            "model_transition": model,
            "reward": [[1], [-1]],
            "policies": one,
            "opponent_models": [None],
        }
    )


def excess(gamma: F, error: F) -> F:
    """(η − η̂) / Theorem 1 as printed, sums from t = 0."""
    (verdict,) = check(leaving(gamma, error), [printed1]).verdicts
    return verdict.tightness


rows = []
for gamma in (F(1, 2), F(9, 10), F(19, 20), F(99, 100)):
    ratios = [excess(gamma, F(1, 10**d)) for d in range(1, 7)]
    for d, ratio in enumerate(ratios, 1):
        assert ratio == 1 / (1 - gamma * (1 - F(1, 10**d)))
    assert ratios == sorted(ratios)
    assert ratios[-1] < 1 / (1 - gamma) < ratios[-1] * (1 + F(1, 10**4))
    rows.append([str(gamma), *map(float, ratios), str(1 / (1 - gamma))])
show.table(["γ", *(f"ε = 10⁻{d}" for d in "¹²³⁴⁵⁶"), "1/(1 − γ)"], rows)

# %%
(verdict,) = check(leaving(F(19, 20), F(1, 100)), [printed1]).verdicts
print(f"γ = 0.95, ε = 0.01: difference {float(verdict.discrepancy):.2f} from t = 0,")
print(f"{float(F(19, 20) * verdict.discrepancy):.2f} from t = 1; Theorem 1 allows", end=" ")
print(f"{float(verdict.value):.2f}")
assert F(19, 20) * verdict.discrepancy > verdict.value

# %%
figure, axes = new_figure()
errors = [F(1, 10**d) * m for d in range(6, 0, -1) for m in (1, 2, 5)] + [F(1)]
x = np.array([float(error) for error in errors])
for number, gamma in enumerate((F(1, 2), F(9, 10), F(19, 20), F(99, 100))):
    y = np.array([float(gamma * excess(gamma, error)) for error in errors])
    curve(axes, x, y, number, f"γ = {float(gamma):g}")
    axes.axhline(float(gamma / (1 - gamma)), color=f"C{number}", linewidth=0.7, linestyle=":")
axes.axhline(1, color="black", linewidth=0.8)
axes.annotate("Theorem 1 as printed fails above this line", (1e-6, 1.25), fontsize=8)
axes.set_xscale("log")
axes.set_yscale("log")
axes.set_xlabel("model error ε (probability)")
axes.set_ylabel("difference of returns / Theorem 1 as printed")
axes.set_title("the paper's return, sum from t = 1; dotted: the limit γ/(1 − γ)", fontsize=9)
figure.legend(loc="outside lower center", ncols=4, fontsize=8, frameon=False)
show.figure(figure, "theorem1-excess")

# %% [markdown]
# The game is a counterexample for the paper's sum where $\gamma(2-\epsilon)>1$: never for
# $\gamma\le 1/2$, and at the discounts that people use for all but enormous errors.

# %%
for gamma, error in product((F(1, 2), F(3, 4), F(19, 20)), (F(1, 100), F(1, 2), F(19, 20))):
    assert (gamma * excess(gamma, error) > 1) == (gamma * (2 - error) > 1)
largest = 2 - 1 / F(19, 20)
print(f"γ = 0.95: a counterexample for every ε below {float(largest):.3f}")

# %% [markdown]
# Theorem 2 has the same fault in each of its terms. One error at a time, at $\gamma=0.95$ and
# $k=5$, in a game of notebook 2 that wastes nothing:

# %%
small, none = F(1, 10**6), F(0)
rows = []
for name, shift, hat, model in (
    ("model error", none, none, small),
    ("opponent model", none, small, none),
    ("policy shift", small, none, none),
):
    case = latch(F(19, 20), [shift, none], [hat], model, branch_length=5)
    bad, good = check(case, [printed2, normalised2]).verdicts
    assert bad.refuted
    assert case.gamma * bad.discrepancy > bad.value  # for the sum from t = 1 as well
    assert good.holds
    rows.append([name, float(bad.discrepancy / bad.value), float(good.tightness)])
show.table(["the only error", "difference / as printed", "difference / normalised"], rows)

# %% [markdown]
# ## The normalised theorems hold
#
# Read for $(1-\gamma)\eta$, both right-hand sides are valid. The proof goes through a coupling of
# the real chain with the model chain (notebook 2), and its steps run in SymPy:

# %%
proof = theorem1_from_coupling()
assert proof.holds
for step in proof.steps:
    print("-", step)

# %%
proof = theorem2_from_coupling()
assert proof.holds
for step in proof.steps:
    print("-", step)

# %% [markdown]
# And a test, in case the proof is wrong: exact games from the catalogue with random policies and
# models, and the counterexamples from above. No tolerance is needed, everything is rational.

# %% tags=["random"]
rng = np.random.default_rng(1)
without = find("theorem2-without-third-term")
valid = [normalised1, normalised2, without]
cases = [case1, case2, *(leaving(F(19, 20), F(1, 10**d)) for d in range(4))]
for name in ("chicken", "stag-hunt", "matching-pennies", "two-state-mdp", "river-swim"):
    for error, k in product((F(1, 100), F(1, 5)), (0, 1, 6)):
        cases.append(perturbed_case(game(name).build(), rng, model_error=error, branch_length=k))
worst = {bound.name: F(0) for bound in valid}
for case in cases:
    for verdict in check(case, valid).verdicts:
        assert verdict.holds
        worst[verdict.bound.name] = max(worst[verdict.bound.name], verdict.tightness or F(0))
show.table(
    ["bound", f"largest difference / bound on {len(cases)} exact games"],
    [[name, float(ratio)] for name, ratio in worst.items()],
)

# %% [markdown]
# ## The third term of Theorem 2 is not needed
#
# The second proof above is for Theorem 2 *without*
# $\gamma^{k+1}(\epsilon_\pi^i+\sum_j\epsilon_\pi^j)$. What remains,

# %%
show.formula(without)

# %% [markdown]
# is smaller by a factor of up to $2-\gamma$. That is little, but it is free:

# %%
profile = ErrorProfile(
    gamma=F(19, 20),
    policy_shift=(F(1, 20),) * 3,
    opponent_model=(F(1, 50),) * 2,
    model_current=F(1, 50),
    k=1,
)
rows = []
for k in (1, 2, 5, 10, 20):
    with_it = normalised2.evaluate(profile.with_(k=k))
    less = without.evaluate(profile.with_(k=k))
    assert less < with_it <= less * (2 - profile.gamma)
    rows.append([k, float(with_it), float(less), f"{float(1 - less / with_it):.1%}"])
show.table(["k", "Theorem 2, normalised", "without its third term", "less by"], rows)

# %% [markdown]
# ## What the normalised theorems are worth
#
# No two normalised returns can differ by more than $\operatorname{span}R\le 2r_{\max}$, the
# trivial bound. A bound above that holds, and says nothing. Three agents, discounts and errors
# that a practitioner may meet, and in each setting the branch length $k\ge 1$ that is best for
# Theorem 2:

# %%
SMALL = (0.005, 0.02, 0.05)
ks = np.arange(1, 1001)


def best(gamma: float, shift: float, hat: float, model: float) -> float:
    """Theorem 2, normalised, at its best k, as a fraction of the trivial bound."""
    setting = ErrorProfile(
        gamma=gamma,
        policy_shift=(shift,) * 3,
        opponent_model=(hat,) * 2,
        model_current=model,
        k=ks,
    )
    return float((normalised2.evaluate(setting) / normalised2.largest(setting)).min())


rows, useful, count = [], 0, 0
for gamma, shift in product((0.9, 0.95, 0.99), (0.01, 0.05, 0.1)):
    values = [best(gamma, shift, hat, model) for hat, model in product(SMALL, SMALL)]
    below = sum(value < 1 for value in values)
    useful, count = useful + below, count + len(values)
    rows.append([gamma, shift, min(values), max(values), f"{below} of {len(values)}"])
assert useful < count / 2
show.table(["γ", "policy shift, each", "least / trivial", "largest / trivial", "below 1"], rows)

# %%
paper = best(0.95, 0.05, 0.02, 0.02)
assert paper > 1
print(f"Theorem 2, normalised, says something in {useful} of {count} settings;")
print(f"at γ = 0.95, ε_π = 0.05, ε_π̂ = ε′_m = 0.02 it is {paper:.2f} times the trivial bound")

# %% [markdown]
# Notebook 2 shows what the errors can really cost, and notebook 3 what follows for the choice of
# $k$.
#
# ## Check your own game
#
# A *case file* is one JSON object with the game, its model, and who plays what; README.md lists
# the keys. `python -m tabular check FILE` measures the errors and compares every bound with the
# exact difference. Here with a game of the catalogue (`python -m tabular games` lists them) and
# random policies and models; the call below does what the command does.

# %% tags=["random"]
own = perturbed_case(
    game("unequal-coordination").build(),
    np.random.default_rng(3),
    model_error=F(1, 20),
    branch_length=2,
)
with tempfile.TemporaryDirectory() as folder:
    path = write_json(Path(folder) / "case.json", case_json(own))
    code = tabular(["check", str(path)])
assert code == 0  # 1 if a bound that the library calls valid had failed

# %% [markdown]
# In Python the same numbers are attributes, and parts of the case can be exchanged: with the
# dynamics known, what is left is the fault of the opponent model. It need not be less, as two
# errors may cancel in part; that is why a bound has to be tested on games where they do not.

# %% tags=["random"]
answer = check(own)
assert all(v.holds for v in answer.verdicts if v.bound.valid)
known = check(replace(own, model_transition=own.transition))
assert known.errors.model_sup == 0 < answer.errors.model_sup
print(f"difference                {float(answer.model_discrepancy):+.4f}")
print(f"with the dynamics known   {float(known.model_discrepancy):+.4f}")
