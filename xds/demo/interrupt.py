"""Being asked to end: Ctrl-C, SIGTERM, the terminal closed."""

import asyncio
import signal
from collections.abc import Coroutine

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_interruptibly(work: Coroutine[None, None, None]) -> signal.Signals | None:
    """Run `work`; a signal cancels it, and is returned when `work` has then cleaned up.

    Further signals do not hurry the cleaning: every wait in it is bounded.
    """
    return asyncio.run(_supervise(work))


async def _supervise(work: Coroutine[None, None, None]) -> signal.Signals | None:
    loop = asyncio.get_running_loop()
    received: list[signal.Signals] = []
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(work)

            def interrupt(number: signal.Signals) -> None:
                if not received:
                    task.cancel()
                received.append(number)

            for number in _SIGNALS:
                loop.add_signal_handler(number, interrupt, number)
    except ExceptionGroup as failures:  # the group's wrapping of what `work` raised
        raise failures.exceptions[0] from None
    return received[0] if received and task.cancelled() else None
