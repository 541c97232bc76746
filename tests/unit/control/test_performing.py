"""What is asked is checked before it is done, has an end, and leaves the registry to others too."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from xds.control.operation import Operation, Parts
from xds.control.performing import Control
from xds.control.shapes import Answer, Request
from xds.errors import Conflict, RegistryUnavailable, RequestError


class Asked(Request):
    """What the test asks."""

    a: int = 0
    b: int = 0
    token: str = ""


class Told(Answer):
    """What it is told."""

    by: str


def operation(run: Any, method: Any = "POST") -> Operation[Asked, Told]:
    return Operation(name="Test", summary="", method=method, path="/manage/test", request=Asked, answer=Told, run=run)


def control(**options: float) -> Control:
    parts: Any = None
    return Control(parts, **options)


async def tell(_parts: Parts, _request: Asked, by: str) -> Told:
    return Told(by=by)


async def test_it_is_told_who_asks() -> None:
    assert (await control().perform(operation(tell), {"a": 1}, "olga")).by == "olga"


async def test_every_fault_is_named_and_nothing_is_done() -> None:
    async def never(_parts: Parts, _request: Asked, _by: str) -> Told:
        raise AssertionError

    with pytest.raises(RequestError) as refused:
        await control().perform(operation(never), {"a": "x", "b": None, "c": 1}, "olga")
    for name in ("a: ", "b: ", "c: extra"):
        assert name in str(refused.value)


async def test_many_faults_are_cut_short() -> None:
    with pytest.raises(RequestError, match="and 15 more"):
        await control().perform(operation(tell), {f"x{number}": 1 for number in range(20)}, "olga")


async def test_what_takes_too_long_is_ended() -> None:
    async def hang(_parts: Parts, _request: Asked, _by: str) -> Told:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(RegistryUnavailable, match="Test: not done in 0 s"):
        await control(seconds=0.01).perform(operation(hang), {}, "olga")


async def test_no_more_than_two_are_done_at_once() -> None:
    running, most = 0, 0

    async def count(_parts: Parts, _request: Asked, by: str) -> Told:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(3):
            await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=0)
        running -= 1
        return Told(by=by)

    shared = control()
    await asyncio.gather(*(shared.perform(operation(count), {}, "olga") for _ in range(10)))
    assert most == 2


async def test_what_needs_no_registry_waits_for_nobody_who_does() -> None:
    both, free = asyncio.Event(), asyncio.Event()
    waiting = 0

    async def wait(_parts: Parts, _request: Asked, by: str) -> Told:
        nonlocal waiting
        waiting += 1
        if waiting == 2:
            both.set()
        await free.wait()
        return Told(by=by)

    shared = control()
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        for _ in range(2):
            tasks.create_task(shared.perform(operation(wait), {}, "rita"))
        await both.wait()
        told = await shared.perform(replace(operation(tell), needs_registry=False), {}, "olga")
        free.set()
    assert told.by == "olga"


async def test_what_was_changed_is_in_the_log_without_secrets_and_what_was_not_is_not() -> None:
    async def refuse(_parts: Parts, _request: Asked, _by: str) -> Told:
        raise Conflict("no")

    with capture_logs() as logs:
        await control().perform(operation(tell), {"a": 1, "token": "s3cret"}, "olga")
        await control().perform(operation(tell, "GET"), {}, "rita")
        with pytest.raises(Conflict):
            await control().perform(operation(refuse), {}, "olga")
    assert [(line["event"], line["by"]) for line in logs] == [("operation.performed", "olga")]
    assert "s3cret" not in str(logs)
