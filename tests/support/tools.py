"""Programs that a test needs and set-up does not bring."""

import os
import shutil

import pytest

NO_SKIPS = "XDS_TEST_NO_SKIPS"
"""If this variable is set, as CI does, a program that is missing fails the test that needs it."""


def needed(program: str, hint: str = "") -> str:
    """The program's path; skips the test where it is not installed, or fails it."""
    found = shutil.which(program)
    if found is None:
        missing(f"{program} is not installed{f' ({hint})' if hint else ''}")
    assert found is not None
    return found


def missing(what: str) -> None:
    """Skip the test for want of something, or fail it."""
    if os.environ.get(NO_SKIPS):
        pytest.fail(f"{what}, and {NO_SKIPS} is set")
    pytest.skip(what)
