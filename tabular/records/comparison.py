"""Two recorded runs compared: episodes until a goal, and greedy returns after some episodes.

Means are over seeds, with Student's intervals at 95 %:

- the first evaluation with a mean of ``GOAL`` or more. It is the first passage of a noisy mean,
  no finer than the evaluations are apart, and has no interval.
- the mean after ``MOMENT`` episodes, at the last evaluation by then. Where the baseline's was
  earlier than the other's, so that it had fewer episodes, its next one is compared too.

Intervals that do not meet ask for more than a test of the difference at 5 %; for that there is
Welch's interval.
"""

from __future__ import annotations

from dataclasses import dataclass

from tabular.records.greedy_returns import GreedyRun
from tabular.records.intervals import Mean, difference, over_seeds

#: Greedy return that is to be reached, of one agent and one episode, not discounted.
GOAL = -8.5
#: Episodes after which returns are compared.
MOMENT = 300
#: The goal that this project set itself: at most a third of the baseline's episodes.
TIMES = 3


@dataclass(frozen=True)
class Comparison:
    """A model-based run against a model-free baseline.

    first, baseline_first: episode of the first mean of ``GOAL``, or None. mean, baseline_means: the
    (episode, mean) that are compared. difference_of_means: of the first two of these, with Welch's
    interval.
    """

    run: GreedyRun
    baseline: GreedyRun
    first: int | None
    baseline_first: int | None
    mean: tuple[int, Mean]
    baseline_means: tuple[tuple[int, Mean], ...]
    difference_of_means: Mean

    @property
    def sooner(self) -> bool:
        """Whether the goal was reached in fewer episodes."""
        if self.first is None:
            return False
        if self.baseline_first is None:
            return self.first <= self.baseline.last_evaluation
        return self.first < self.baseline_first

    @property
    def above(self) -> bool:
        """Whether the interval lies above each of the baseline's."""
        return all(self.mean[1].low > mean.high for _, mean in self.baseline_means)

    @property
    def below(self) -> bool:
        """Whether it lies below all of them."""
        return all(self.mean[1].high < mean.low for _, mean in self.baseline_means)

    @property
    def within_a_third(self) -> bool | None:
        """Whether ``TIMES`` the episodes are no more than the baseline's; None: not known.

        A baseline that did not get to ``GOAL`` needs more than its run was long.
        """
        if self.first is None:
            # it needs more than its own run was long
            known = (
                self.baseline_first is not None
                and TIMES * self.run.last_evaluation >= self.baseline_first
            )
            return False if known else None
        if self.baseline_first is None:
            return True if TIMES * self.first <= self.baseline.last_evaluation else None
        return TIMES * self.first <= self.baseline_first


def compare(run: GreedyRun, baseline: GreedyRun) -> Comparison | None:
    """The comparison; None where one of them was not evaluated by ``MOMENT``."""
    mine, theirs = run.moment_by(MOMENT), baseline.moment_by(MOMENT)
    if mine is None or theirs is None:
        return None
    later = baseline.moment_from(int(run.episodes[mine]))
    compared = [theirs] if later is None or later <= theirs else [theirs, later]

    def at(record: GreedyRun, moment: int) -> tuple[int, Mean]:
        return int(record.episodes[moment]), over_seeds(record.returns[moment])

    return Comparison(
        run=run,
        baseline=baseline,
        first=run.first(GOAL),
        baseline_first=baseline.first(GOAL),
        mean=at(run, mine),
        baseline_means=tuple(at(baseline, moment) for moment in compared),
        difference_of_means=difference(run.returns[mine], baseline.returns[theirs]),
    )
