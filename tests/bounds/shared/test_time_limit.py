"""The time limit ends what runs too long, whatever that catches, and leaves no alarm behind."""

import signal
import threading
import time
import types
from contextlib import suppress

import pytest

from bounds.shared.time_limit import OutOfTimeError, time_limit


class Swallows:
    """Errors raised in a finaliser are printed and lost."""

    def __del__(self) -> None:
        time.sleep(0.3)


def for_ever() -> None:
    while True:
        time.sleep(0.001)


def test_it_ends_what_runs_on() -> None:
    with pytest.raises(OutOfTimeError), time_limit(0.05):
        for_ever()


def test_it_ends_what_catches_every_exception() -> None:
    def stubborn() -> None:
        while True:
            with suppress(Exception):
                time.sleep(0.01)

    with pytest.raises(OutOfTimeError), time_limit(0.05):
        stubborn()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_alarm_that_is_lost_rings_again() -> None:
    def finalises() -> None:
        Swallows()  # the first alarm rings in its finaliser
        for_ever()

    with pytest.raises(OutOfTimeError), time_limit(0.1):
        finalises()


def test_locks_are_not_left_locked() -> None:
    """coverage takes and frees a lock by hand: what is raised between would lock it for ever."""
    lock, measuring = threading.Lock(), dict(globals())
    measuring["__name__"] = "coverage.collector"

    def measured() -> None:
        lock.acquire()
        time.sleep(0.3)
        lock.release()

    in_coverage = types.FunctionType(measured.__code__, measuring, closure=measured.__closure__)

    def work() -> None:
        in_coverage()
        for_ever()

    with pytest.raises(OutOfTimeError), time_limit(0.05):
        work()
    assert not lock.locked()


@pytest.mark.parametrize("ends", ["in time", "too late", "in an error"])
def test_no_alarm_is_left(ends: str) -> None:
    before = signal.getsignal(signal.SIGALRM)
    if ends == "in time":
        with time_limit(30):
            pass
    elif ends == "too late":
        with pytest.raises(OutOfTimeError), time_limit(0.01):
            time.sleep(5)
    else:
        with pytest.raises(ZeroDivisionError), time_limit(30):
            raise ZeroDivisionError
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert signal.getsignal(signal.SIGALRM) == before


def test_no_limit_and_other_threads_are_left_alone() -> None:
    with time_limit(None):
        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    seen = []

    def work() -> None:
        with time_limit(0.001):
            time.sleep(0.05)
            seen.append(signal.getitimer(signal.ITIMER_REAL))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(0, 0)]
