"""The audit's rows about sample efficiency, from recorded runs in speaker-listener.

The paper's Fig. 3 has AORPO and AORDPG learn from fewer episodes than MASAC and MADDPG. There the
model-based ones make ten or twenty updates for each one of their baselines. So there are two
rows: against baselines as published, with one update a round, and against baselines with as many
updates as AORPO makes.

``tabular.records.comparison`` says what is compared, and how.

A row is *tested* where AORPO gets to the goal in fewer episodes and its interval lies above all of
its baseline's that are compared. Otherwise it is *open* and says what the record shows: no
certificate could refute a claim about training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bounds.shared.checkout import not_recorded
from bounds.shared.claims import Claim
from tabular.records.comparison import GOAL, MOMENT, TIMES, Comparison, compare
from tabular.records.greedy_returns import FOLDER, GreedyRun, made_by, recorded
from tabular.records.intervals import Mean

_SOURCE = "Zhang et al., IJCAI 2021, Section 6 and Fig. 3"
AORPO = "words-aorpo"
AORDPG = "words-aordpg"
Pairs = tuple[tuple[str, str], ...]
#: (model-based, model-free); the first must be there, the others are shown where they are.
PUBLISHED: Pairs = ((AORPO, "words-masac-1"), (AORPO, "words-maddpg-1"))
EQUAL: Pairs = (
    (AORPO, "words-masac"),
    (AORPO, "speaker-listener-masac-penalty"),
    ("words-aorpo-signal", "words-masac-signal"),
    (AORDPG, "words-maddpg"),
)
#: Settings that do not change what is learned in an episode, or that the text names.
BOOKKEEPING = {
    "algorithm",
    "checkpoint_every",
    "episodes",
    "evaluate_every",
    "record_every",
    "seeds",
    "updates",
}


def sample_claims(folder: Path = FOLDER) -> list[Claim]:
    """Both rows; open where a record is missing, as in an installed package."""
    names = {name for pair in (*PUBLISHED, *EQUAL) for name in pair}
    runs = {name: recorded(name, folder) for name in sorted(names)}
    there = {name: run for name, run in runs.items() if run is not None}
    return claims_of(there)


def claims_of(runs: Mapping[str, GreedyRun]) -> list[Claim]:
    """The rows that ``runs``, by name, support."""
    return [
        _claim(
            "aorpo-sample-efficiency",
            "speaker-listener, this project's settings: AORPO gets to a mean greedy return of "
            f"{GOAL} in fewer episodes than baselines with one update a round, as published, and "
            f"has a higher one after {MOMENT:,} episodes",
            PUBLISHED,
            runs,
            lambda run, base: base.rounds[0] == 1,
            third=False,
        ),
        _claim(
            "aorpo-advantage-at-equal-updates",
            "speaker-listener, this project's settings: AORPO gets to a mean greedy return of "
            f"{GOAL} in fewer episodes than MASAC with as many updates as AORPO, and has a higher "
            f"one after {MOMENT:,} episodes",
            EQUAL,
            runs,
            lambda run, base: base.rounds == run.rounds,
            third=True,
        ),
    ]


def _claim(
    name: str,
    statement: str,
    pairs: Pairs,
    runs: Mapping[str, GreedyRun],
    fair: Callable[[GreedyRun, GreedyRun], bool],
    *,
    third: bool,
) -> Claim:
    """fair: whether a pair is one that the row is about; others are shown and not judged."""
    missing = [each for each in pairs[0] if each not in runs]
    if missing:
        ways = "; ".join(made_by(each) for each in missing)
        summary = f"{', '.join(missing)}: {not_recorded(ways)}"
        return Claim(
            id=name,
            statement=statement,
            source=_SOURCE,
            status="open",
            evidence={"summary": summary, "missing": missing},
        )
    judged: list[Comparison] = []
    words: list[str] = []
    found: dict[str, Any] = {}
    shown: dict[str, GreedyRun] = {}
    for model_based, model_free in pairs:
        if model_based not in runs or model_free not in runs:
            continue
        run, base = runs[model_based], runs[model_free]
        shown |= {model_based: run, model_free: base}
        each = compare(run, base)
        if each is None:
            words.append(f"{label(run)} or {label(base)}: no evaluation by episode {MOMENT:,}")
            continue
        counts = model_based == AORPO and fair(run, base)
        judged += [each] if counts else []
        words.append(_words(each, third=third and counts) + ("" if counts else " (not judged)"))
        found[f"{model_based} / {model_free}"] = _evidence(each, judged=counts)
    first = (runs[pairs[0][0]], runs[pairs[0][1]])
    doubts = [doubt for each in judged for doubt in _doubts(each)]
    # without the pair that it stands on the row says nothing
    if first not in [(each.run, each.baseline) for each in judged]:
        doubts.append(f"{first[1].name} is not what this row compares with")
    holds = not doubts
    verdict = "supported" if holds else f"not shown ({', '.join(doubts)})"
    summary = f"{verdict}: {'; '.join([*map(_brief, judged), 'notebook 08'])}"
    evidence = {
        "summary": summary,
        "details": [*words, *_asked(shown), _made(shown)],
        "pairs": found,
        "runs": {name: _run(run) for name, run in shown.items()},
    }
    return Claim(
        id=name,
        statement=statement,
        source=_SOURCE,
        status="tested" if holds else "open",
        evidence=evidence,
    )


def label(run: GreedyRun, beside: GreedyRun | None = None) -> str:
    """The algorithm, its updates, how many seeds, and its replay where ``beside`` has another."""
    updates, replay = run.rounds[0], run.settings.get("capacity")
    other = replay if beside is None else beside.settings.get("capacity")
    return (
        f"{_algorithm(run)} ({updates} update{'s' if updates > 1 else ''} a round, "
        f"{'' if replay == other else f'replay of {replay:,}, '}{run.returns.shape[1]} seeds)"
    )


def _algorithm(run: GreedyRun) -> str:
    return str(run.settings["algorithm"]).upper()


def _doubts(each: Comparison) -> list[str]:
    """What of the claim the pair does not show."""
    found = []
    base = label(each.baseline, each.run)
    if each.first is None:
        found.append(f"{GOAL} was not reached")
    elif not each.sooner:
        found.append(f"no sooner than {base}")
    if each.below:
        found.append(f"lower than {base}")
    elif not each.above:
        found.append(f"interval meets that of {base}")
    return found


def _brief(each: Comparison) -> str:
    """The two numbers of a pair that count."""

    def first(episode: int | None, until: int) -> str:
        return f"over {until:,}" if episode is None else f"{episode:,}"

    run, baseline, before = each.run, each.baseline, each.baseline_means[0]
    return (
        f"{label(run)} to {GOAL} in {first(each.first, run.last_evaluation)} episodes, "
        f"{label(baseline, run)} in {first(each.baseline_first, baseline.last_evaluation)}; "
        f"{_interval(each.mean[1])} after {each.mean[0]:,} against {_interval(before[1])} after "
        f"{before[0]:,}"
    )


def _words(each: Comparison, *, third: bool) -> str:
    run, baseline = each.run, each.baseline

    def reached(run: GreedyRun, first: int | None) -> str:
        return f"not by {run.last_evaluation:,}" if first is None else f"at {first:,}"

    def mean(at: tuple[int, Mean]) -> str:
        return f"{_interval(at[1])} at {at[0]:,}"

    ratio = ""
    if each.first is not None:
        over = "over " if each.baseline_first is None else ""
        longest = each.baseline_first or baseline.last_evaluation
        ratio = f", {over}{longest / each.first:.1f} times"
    goal = ""
    if third:
        state = {True: "reached", False: "missed", None: "not decided by these runs"}
        goal = f"; goal of 1/{TIMES} of the episodes: {state[each.within_a_third]}"
    differing = [key for key in _differing(each) if key not in BOOKKEEPING]
    return (
        f"{label(run)} against {label(baseline, run)}: a mean of {GOAL} first "
        f"{reached(run, each.first)} against {reached(baseline, each.baseline_first)} episodes"
        f"{ratio} (evaluated every {run.evaluate_every:,} and {baseline.evaluate_every:,}){goal}; "
        f"by {MOMENT:,} episodes {mean(each.mean)} against "
        f"{' and '.join(map(mean, each.baseline_means))}, "
        f"difference {_interval(each.difference_of_means)}; other settings that differ: "
        f"{', '.join(differing) or 'none'}"
    )


def _asked(runs: Mapping[str, GreedyRun]) -> list[str]:
    """What the model-based runs asked of real opponents."""
    found = []
    for run in runs.values():
        model = run.settings["learner"].get("model")
        if model is None:
            continue
        calls = float(run.calls.mean())
        meaning = "so normalised agent interactions are dynamics interactions, the episodes"
        if calls:
            meaning = f"{run.normalised:,.0f} normalised agent interactions"
        found.append(
            f"{_algorithm(run)} with lengths {model['scheme']} and {run.agents - 1} opponent"
            f"{'s' if run.agents > 2 else ''} made {calls:,.0f} calls a run, {meaning}"
        )
    return found


def _interval(mean: Mean) -> str:
    return f"{mean.value:.2f} ({mean.low:.2f} to {mean.high:.2f})"


def _evidence(each: Comparison, *, judged: bool) -> dict[str, Any]:
    return {
        "judged": judged,
        "sooner": each.sooner,
        "above": each.above,
        "below": each.below,
        "first": each.first,
        "first_of_baseline": each.baseline_first,
        "first_by_seed": each.run.first_by_seed(GOAL),
        "first_by_seed_of_baseline": each.baseline.first_by_seed(GOAL),
        "a_third": each.within_a_third,
        "at": {"episode": each.mean[0], **vars(each.mean[1])},
        "baseline_at": [{"episode": at, **vars(mean)} for at, mean in each.baseline_means],
        "difference": vars(each.difference_of_means),
        "settings_that_differ": _differing(each),
    }


def _differing(each: Comparison) -> dict[str, list[Any]]:
    """Settings that both have, and not alike: of the one and of the other."""
    mine, theirs = _flat(each.run.settings), _flat(each.baseline.settings)
    both = sorted(mine.keys() & theirs.keys())
    return {key: [mine[key], theirs[key]] for key in both if mine[key] != theirs[key]}


def _flat(settings: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        name = f"{above}{key}"
        flat |= _flat(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return flat


def _run(run: GreedyRun) -> dict[str, Any]:
    kept = ("seeds", "versions", "device_name", "git")
    return {
        "command": made_by(run.name),
        **{key: run.manifest.get(key) for key in kept},
        **{key: run.summary.get(key) for key in ("episodes", "updates", "seconds", "finished")},
        "calls": run.calls.tolist(),
        "normalised_interactions": run.normalised,
    }


def _made(runs: Mapping[str, GreedyRun]) -> str:
    """When, with what and by which commands the runs were trained."""
    days = sorted({str(run.summary["finished"]).split(" ")[0] for run in runs.values()})
    torch = sorted({str(run.manifest["versions"]["torch"]) for run in runs.values()})
    return (
        f"one task, 95 % intervals over seeds, trained {' and '.join(days)}, "
        f"torch {' and '.join(torch)}: {made_by('NAME')}, {', '.join(runs)}"
    )
