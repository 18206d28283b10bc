"""A limit on how long something may take, for answers that have to be honest about it."""

from __future__ import annotations

import inspect
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

#: Seconds between two looks at whether the block can be left, once its time is over.
LOOK = 0.01
#: Seconds after which what was raised and lost, in a finaliser for example, is raised again.
AGAIN = 1.0
#: Packages that hold locks while they run: an error raised there would leave them locked for ever.
LOCKING = {"importlib", "_frozen_importlib", "_frozen_importlib_external", "threading", "coverage"}


class OutOfTimeError(BaseException):
    """The time that was given is over.

    No ``Exception``: libraries that catch those and go on would go on for ever.
    """


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raise ``OutOfTimeError`` in the block once ``seconds`` have passed; None: never.

    By an alarm signal, so between any two steps of Python but for those of ``LOCKING``. Where there
    is no such signal (Windows, threads other than the main one) nothing is interrupted.
    """
    main = threading.current_thread() is threading.main_thread()
    if seconds is None or not main or not hasattr(signal, "setitimer"):
        yield
        return
    over, due = False, 0.0
    own = inspect.currentframe()
    outside = own and own.f_back and own.f_back.f_back  # behind contextlib: where the block is

    def stop(_: int, frame: FrameType | None) -> None:
        nonlocal due
        now = time.monotonic()
        if over or now < due or _locking(frame, outside):
            return
        due = now + AGAIN
        raise OutOfTimeError

    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds, LOOK)
        try:
            yield
        finally:
            over = True
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _locking(frame: FrameType | None, outside: FrameType | None) -> bool:
    """Whether ``frame``, called from ``outside``, runs on behalf of one of ``LOCKING``."""
    while frame is not None and frame is not outside:
        if str(frame.f_globals.get("__name__")).partition(".")[0] in LOCKING:
            return True
        frame = frame.f_back
    return False
