"""`alphaswarm-xds tenants explain`: without a server, and asking one that answers, lags, or is no such thing."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from aiohttp import web

from tests.integration.cli.conftest import Run


class Replica:
    """A server that answers /resolve with what a test says, on a loopback port; in a thread of its own."""

    def __init__(self) -> None:
        self.status = 200
        self.tokens: list[str] = []
        self.answer: dict[str, Any] = {
            "revision": 10_000,
            "snapshot": 7,
            "cell": {"id": "cell-b"},
            "state": "active",
            "envoys": [{"node_id": "edge-1", "progress": "acked"}],
            "why": [],
        }
        self.url = ""

    async def respond(self, request: web.Request) -> web.Response:
        assert request.query["tenant"] == "acme"
        self.tokens.append(request.headers.get("authorization", ""))
        return web.json_response(self.answer, status=self.status)


@pytest.fixture
def replica() -> Iterator[Replica]:
    served = Replica()
    loop = asyncio.new_event_loop()
    started: Future[asyncio.Event] = Future()

    async def serve() -> None:
        app = web.Application()
        app.router.add_get("/resolve", served.respond)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        served.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        stopping = asyncio.Event()
        started.set_result(stopping)
        await stopping.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    stopping = started.result(timeout=10)
    yield served
    loop.call_soon_threadsafe(stopping.set)
    thread.join(timeout=10)
    loop.close()


@pytest.fixture
def seeded(xds: Run) -> Run:
    for cell in ("cell-a", "cell-b"):
        assert xds("cells", "add", cell, "--state", "active").status == 0
    assert xds("tenants", "add", "acme", "--cell", "cell-a").status == 0
    assert xds("tenants", "move", "acme", "--to", "cell-b", "--actor", "anna", "-m", "closer").status == 0
    return xds


def test_the_registry_says_where_and_why(seeded: Run) -> None:
    told = seeded("tenants", "explain", "acme")
    assert told.status == 0, told.err
    placed, goes, came, last = told.out.splitlines()
    assert placed == "The registry has tenant acme in cell-b, active."
    assert goes == "So its requests go to cell-b, which is active."
    assert came == "It came from cell-a last."
    assert last.startswith("The last thing done to it was 'tenants move' by anna at 20")
    assert last.endswith(": closer.")


def test_an_override_a_move_and_a_cell_out_of_service_are_told(seeded: Run) -> None:
    seeded("tenants", "override", "set", "acme", "--cell", "cell-a", "--expires", "1h", "--reason", "x", "--owner", "o")
    told = seeded("tenants", "explain", "acme", "--json").json
    assert (told["cell"], told["placed"], told["override"]["owner"]) == ("cell-a", "cell-b", "o")
    assert "An override (testing) keeps it in cell-a until " in told["why"][1]
    assert told["why"][2] == "So its requests go to cell-a, which is active."
    seeded("tenants", "override", "clear", "acme")
    seeded("tenants", "move", "acme", "--to", "cell-a", "--hold", "--verify", "--server", "http://127.0.0.1:1")
    told = seeded("tenants", "explain", "acme").out
    assert "A move from cell-b to cell-a is under way: held." in told
    assert "So its requests go to cell-b, which is active. Its writes get a 503 meanwhile." in told
    seeded("tenants", "abort-move", "acme")
    seeded("tenants", "set-state", "acme", "suspended")
    assert "It is suspended: its requests get a 403." in seeded("tenants", "explain", "acme").out


def test_a_replica_and_its_envoys_are_asked(seeded: Run, replica: Replica) -> None:
    told = seeded("tenants", "explain", "acme", "--server", f"{replica.url}/", "--token", "t0k")
    assert told.status == 0, told.err
    assert f"{replica.url}: snapshot 7, of revision 10000, has it in cell-b, active." in told.out
    assert f"{replica.url}: 1 of 1 Envoys have acknowledged it." in told.out
    assert replica.tokens == ["Bearer t0k"]


def test_one_that_is_behind_is_status_1(seeded: Run, replica: Replica) -> None:
    replica.answer["envoys"].append({"node_id": "edge-2", "progress": "nacked"})
    told = seeded("tenants", "explain", "acme", "--server", replica.url)
    assert told.status == 1
    assert "1 of 2 Envoys have acknowledged it; not yet: edge-2 (nacked)." in told.out
    del replica.answer["envoys"][1]
    replica.answer["revision"] = 1
    told = seeded("tenants", "explain", "acme", "--server", replica.url, "--json")
    assert (told.status, told.json["agrees"]) == (1, False)
    assert told.json["witnessed"][0]["envoys"] == {"edge-1": "acked"}


@pytest.mark.parametrize(("status", "words"), [(401, ": answered 401 Unauthorized"), (503, ": answered 503 ")])
def test_one_that_does_not_answer_is_one_line(seeded: Run, replica: Replica, status: int, words: str) -> None:
    replica.status = status
    told = seeded("tenants", "explain", "acme", "--server", replica.url)
    assert (told.status, told.out) == (1, "")
    assert words in told.err
    replica.status, replica.answer = 200, {"no": "answer"}
    assert "expected an answer about acme" in seeded("tenants", "explain", "acme", "--server", replica.url).err


def test_a_tenant_that_is_not_there(seeded: Run) -> None:
    assert seeded("tenants", "explain", "nobody").err == "alphaswarm-xds: tenant nobody: no such tenant\n"
