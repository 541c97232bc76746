"""The operator's check: its exit status, its last words, and its end."""

import asyncio
from pathlib import Path

import pytest

from tests.unit.publish.conftest import turn
from xds.publish import checking
from xds.publish.checking import check


def is_alive(pid: int) -> bool:
    """Whether there is such a process; one that only waits to be collected is not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def test_a_check_that_succeeds_says_go() -> None:
    assert await check("echo all is well") == ""


async def test_a_check_that_fails_says_why_in_its_own_words() -> None:
    command = "echo one; echo two >&2; exit 3"

    assert await check(command) == f"the check failed with status 3: {command}: one\ntwo"


async def test_a_check_that_fails_in_silence_is_named() -> None:
    assert await check("false") == "the check failed with status 1: false"


async def test_only_the_last_words_of_many_are_told() -> None:
    fault = await check("head -c 100000 /dev/zero | tr '\\0' x; echo; echo the end; exit 1")

    assert fault.endswith("xxx\nthe end")
    assert len(fault) < 500


async def test_a_check_has_no_input_to_wait_for() -> None:
    assert await check("! read line") == ""


@pytest.mark.parametrize("command", ["exec tail -f /dev/null", "tail -f /dev/null & wait", "tail -f /dev/null &"])
async def test_a_check_that_does_not_end_is_killed_with_what_it_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    monkeypatch.setattr(checking, "CHECK_SECONDS", 0.4)
    noted = tmp_path / "pids"
    command = f"echo $$ > {noted}; {command.replace('&', f'& echo $! >> {noted};')}"

    assert await check(command) == f"the check did not end within 0 s: {command}"
    started = [int(line) for line in noted.read_text(encoding="ascii").split()]
    async with asyncio.timeout(5):
        while any(map(is_alive, started)):
            await turn()
