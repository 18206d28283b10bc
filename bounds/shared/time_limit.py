"""A limit on how long something may take, for answers that have to be honest about it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

#: Seconds after which the alarm rings again, if the block still runs.
AGAIN = 1.0


class OutOfTimeError(BaseException):
    """The time that was given is over.

    No ``Exception``: libraries that catch those and go on would go on for ever.
    """


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raise ``OutOfTimeError`` in the block once ``seconds`` have passed; None: never.

    By an alarm signal, so between any two steps of Python; again every ``AGAIN`` seconds, since an
    error that is raised in a finaliser is lost. Where there is no such signal (Windows, threads
    other than the main one) nothing is interrupted.
    """
    main = threading.current_thread() is threading.main_thread()
    if seconds is None or not main or not hasattr(signal, "setitimer"):
        yield
        return
    over = False

    def stop(*_: Any) -> None:
        if not over:
            raise OutOfTimeError

    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
        try:
            yield
        finally:
            over = True
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
