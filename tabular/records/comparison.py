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
MOMENT = 1000
#: The goal that this project set itself: at most a third of the baseline's episodes.
TIMES = 3


@dataclass(frozen=True)
class Duel:
    """A model-based run against a model-free one; ``at``, ``base_at``: (episode, mean) compared.

    first, base_first: episode of the first mean of ``GOAL``, or None. higher: the difference of
    the first two means in ``at`` and ``base_at``, Welch's interval.
    """

    run: GreedyRun
    base: GreedyRun
    first: int | None
    base_first: int | None
    at: tuple[int, Mean]
    base_at: tuple[tuple[int, Mean], ...]
    higher: Mean

    @property
    def sooner(self) -> bool:
        """Whether the goal was reached in fewer episodes."""
        if self.first is None:
            return False
        if self.base_first is None:
            return self.first <= self.base.until
        return self.first < self.base_first

    @property
    def above(self) -> bool:
        """Whether the interval lies above each of the baseline's."""
        return all(self.at[1].low > mean.high for _, mean in self.base_at)

    @property
    def below(self) -> bool:
        """Whether it lies below all of them."""
        return all(self.at[1].high < mean.low for _, mean in self.base_at)

    @property
    def a_third(self) -> bool | None:
        """Whether ``TIMES`` the episodes are no more than the baseline's; None: not known.

        A baseline that did not get to ``GOAL`` needs more than its run was long.
        """
        if self.first is None:
            # it needs more than its own run was long
            known = self.base_first is not None and TIMES * self.run.until >= self.base_first
            return False if known else None
        if self.base_first is None:
            return True if TIMES * self.first <= self.base.until else None
        return TIMES * self.first <= self.base_first


def duel(run: GreedyRun, base: GreedyRun) -> Duel | None:
    """The comparison; None where one of them was not evaluated by ``MOMENT``."""
    mine, theirs = run.last_by(MOMENT), base.last_by(MOMENT)
    if mine is None or theirs is None:
        return None
    later = base.first_from(int(run.episodes[mine]))
    compared = [theirs] if later is None or later <= theirs else [theirs, later]

    def at(record: GreedyRun, moment: int) -> tuple[int, Mean]:
        return int(record.episodes[moment]), over_seeds(record.returns[moment])

    return Duel(
        run=run,
        base=base,
        first=run.first(GOAL),
        base_first=base.first(GOAL),
        at=at(run, mine),
        base_at=tuple(at(base, moment) for moment in compared),
        higher=difference(run.returns[mine], base.returns[theirs]),
    )
