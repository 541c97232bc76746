"""Asking by HTTP, and finding the machines behind a name."""

import asyncio
import socket

import pytest

from tests.integration.evidence.serving import serving
from xds.demo.ports import LOOPBACK, free_port
from xds.errors import EvidenceUnavailable
from xds.evidence import asking
from xds.evidence.asking import Asking, machines


async def test_status_and_text_come_back_and_no_redirect_is_followed() -> None:
    async with serving({"/a": (503, "not yet"), "/b": (302, "go on")}) as url, Asking() as client:
        assert await client.get(f"{url}/a") == (503, "not yet")
        assert await client.get(f"{url}/b") == (302, "go on")


async def test_nobody_there_is_said_in_words() -> None:
    port = free_port()
    async with Asking() as client:
        with pytest.raises(EvidenceUnavailable, match=rf"^http://127.0.0.1:{port}/a: no answer: connection refused$"):
            await client.get(f"http://{LOOPBACK}:{port}/a")


async def test_one_that_is_silent_is_given_up() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:  # it never accepts
        url = f"http://{LOOPBACK}:{server.getsockname()[1]}/"
        async with Asking(seconds=0.2) as client:
            with pytest.raises(EvidenceUnavailable, match=r"no answer in 0\.2 s"):
                await client.get(url)


async def test_an_answer_without_end_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "LARGEST", 1000)
    async with serving({"/a": (200, "x" * 1000), "/b": (200, "x" * 1001)}) as url, Asking() as client:
        assert (await client.get(f"{url}/a"))[1] == "x" * 1000
        with pytest.raises(EvidenceUnavailable, match="larger than 1000 bytes"):
            await client.get(f"{url}/b")


async def test_a_name_with_several_addresses_is_several_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()

    async def answers(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        held = {
            "router": ["10.0.0.2", "10.0.0.1", "2001:db8::1", "10.0.0.1"],
            "six": ["2001:db8::1", "2001:db8::2"],
            "localhost": ["::1", "127.0.0.1"],
        }[host]
        return [(None, None, None, "", (address, port)) for address in held]

    monkeypatch.setattr(loop, "getaddrinfo", answers)
    urls = ["http://router:8080/x", "http://localhost:1", "https://router:8443", "http://localhost:1", "http://six"]
    assert await machines(urls) == (
        "http://10.0.0.1:8080/x",
        "http://10.0.0.2:8080/x",
        "http://localhost:1",
        "https://router:8443",
        "http://[2001:db8::1]",
        "http://[2001:db8::2]",
    )


async def test_a_name_that_nobody_has_is_said() -> None:
    with pytest.raises(EvidenceUnavailable, match=r"^http://nowhere\.invalid:1: its name is not found: "):
        await machines(["http://nowhere.invalid:1"])
