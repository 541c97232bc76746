"""What a signal does to the work under way."""

import asyncio
import os
import signal

import pytest

from xds.demo.interrupt import run_interruptibly

log: list[str] = []


async def work(*signals: signal.Signals) -> None:
    log.clear()
    try:
        for number in signals:
            os.kill(os.getpid(), number)
        await asyncio.sleep(0.2)
        log.append("done")
    finally:
        await asyncio.sleep(0.05)
        log.append("cleaned up")


def test_work_that_is_left_alone_ends_by_itself() -> None:
    assert run_interruptibly(work()) is None
    assert log == ["done", "cleaned up"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_work_which_cleans_up(number: signal.Signals) -> None:
    assert run_interruptibly(work(number)) is number
    assert log == ["cleaned up"]


def test_a_second_signal_does_not_cut_the_cleaning_short() -> None:
    async def impatient() -> None:
        try:
            await work(signal.SIGINT)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.05)
            log.append("really")

    assert run_interruptibly(impatient()) is signal.SIGINT
    assert log == ["cleaned up", "really"]


def test_a_failure_comes_out_as_it_is() -> None:
    async def failing() -> None:
        await asyncio.sleep(0)
        raise ValueError("as it is")

    with pytest.raises(ValueError, match="as it is"):
        run_interruptibly(failing())
