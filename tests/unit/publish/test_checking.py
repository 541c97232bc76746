"""The operator's check: its exit status, its last words, and its end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.unit.publish.conftest import run_beside, turn
from xds.publish.checking import GO, NOT_YET, Answer, Check, Verdict, check


def is_alive(pid: int) -> bool:
    """Whether there is such a process; one that only waits to be collected is not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


async def test_a_check_that_succeeds_says_go() -> None:
    assert await check("echo all is well", 5) == GO


async def test_a_check_that_fails_says_why_in_its_own_words() -> None:
    command = "echo one; echo two >&2; exit 4"

    assert await check(command, 5) == Verdict(Answer.STOP, f"the check failed with status 4: {command}: one\ntwo")


async def test_a_check_that_cannot_tell_says_neither() -> None:
    expected = Verdict(Answer.WAIT, "the check cannot tell: echo too few; exit 3: too few")

    assert await check("echo too few; exit 3", 5) == expected


async def test_a_check_that_fails_in_silence_is_named() -> None:
    assert (await check("false", 5)).reason == "the check failed with status 1: false"


async def test_only_the_last_words_of_many_are_told() -> None:
    fault = (await check("head -c 100000 /dev/zero | tr '\\0' x; echo; echo the end; exit 1", 5)).reason

    assert fault.endswith("xxx\nthe end")
    assert len(fault) < 500


async def test_a_check_has_no_input_to_wait_for() -> None:
    assert await check("! read line", 5) == GO


@pytest.mark.parametrize("command", ["exec tail -f /dev/null", "tail -f /dev/null & wait", "tail -f /dev/null &"])
async def test_a_check_that_does_not_end_is_killed_with_what_it_started(tmp_path: Path, command: str) -> None:
    noted = tmp_path / "pids"
    command = f"echo $$ > {noted}; {command.replace('&', f'& echo $! >> {noted};')}"

    assert await check(command, 0.4) == Verdict(Answer.STOP, f"the check did not end within 0.4 s: {command}")
    await are_gone(noted)


def noted_in(file: Path) -> list[int]:
    """The processes that have noted their ids there so far."""
    return [int(line) for line in file.read_text(encoding="ascii").split()] if file.exists() else []


async def are_gone(noted: Path) -> None:
    """Wait until no process that is noted there lives."""
    started = noted_in(noted)
    assert started
    async with asyncio.timeout(5):
        while any(map(is_alive, started)):
            await turn()


@asynccontextmanager
async def running(command: str, *, every: float = 0.0) -> AsyncIterator[Check]:
    """A check that is run whenever a wave soaks."""
    asked = Check(command, seconds=5, every=every)
    async with run_beside(asked.run(), lambda: asked.verdict(None)):
        yield asked


async def said(asked: Check, wave: object) -> Verdict:
    """What it says of a wave, once it says something."""
    async with asyncio.timeout(5):
        while (verdict := asked.verdict(wave)) == NOT_YET:
            await turn()
    return verdict


async def test_a_wave_that_soaks_is_asked_about_and_no_other_one(tmp_path: Path) -> None:
    noted = tmp_path / "runs"
    async with running(f"echo run >> {noted}; cat {noted}; exit 3", every=600) as asked:
        assert asked.verdict(None) == NOT_YET
        assert asked.verdict("first") == NOT_YET, "nobody waits for it"
        assert (await said(asked, "first")).reason.endswith(": run")
        assert asked.verdict("second") == NOT_YET, "it has said nothing of that one"
        assert (await said(asked, "second")).reason.endswith(": run\nrun")
        assert asked.verdict(None) == NOT_YET


async def test_it_is_asked_again_while_the_wave_soaks(tmp_path: Path) -> None:
    second = tmp_path / "second"
    async with running(f"test ! -e {second} || exit 1; touch {second}") as asked:
        assert await said(asked, "wave") == GO
        async with asyncio.timeout(5):
            while asked.verdict("wave").answer is not Answer.STOP:
                await turn()


@pytest.mark.parametrize("next_wave", ["another", None])
async def test_a_check_of_a_wave_that_soaks_no_longer_is_killed(tmp_path: Path, next_wave: object) -> None:
    noted = tmp_path / "pids"
    async with running(f"echo $$ >> {noted}; exec tail -f /dev/null") as asked:
        asked.verdict("wave")
        async with asyncio.timeout(5):
            while not noted_in(noted):
                await turn()
            (first,) = noted_in(noted)
            asked.verdict(next_wave)
            while is_alive(first):
                await turn()


async def test_without_a_command_all_is_well() -> None:
    async with running("") as asked:
        assert asked.verdict("wave") == GO
