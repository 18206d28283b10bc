"""For all tests: how hard Hypothesis looks, and assertions in tests/support that say what differs.

Its profiles: dev by hand, ci in make test (the same examples every time), nightly.
"""

import os
import signal

import pytest
from hypothesis import settings

pytest.register_assert_rewrite("tests.support")
settings.register_profile("dev", deadline=None)
settings.register_profile("ci", max_examples=60, derandomize=True, deadline=None, print_blob=True)
settings.register_profile("nightly", max_examples=2000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))
# a shell's background jobs ignore Ctrl-C, and what they start does too: tests send it to processes
signal.signal(signal.SIGINT, signal.default_int_handler)
