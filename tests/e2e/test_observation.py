"""Spans and access logs of a real Envoy, sent to a real OTLP receiver and written on its standard output."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.e2e.asking import Reply, ask
from tests.e2e.collector import Collector, collecting
from tests.e2e.watching import execute, is_answered, until
from tests.support.plans import planned
from tests.support.promql import expressions, metrics
from xds.demo.ports import LOOPBACK, free_port
from xds.demo.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

COLLECTOR = free_port()
SETTINGS = {
    "TRACING_COLLECTOR": f"{LOOPBACK}:{COLLECTOR}",
    "TRACING_SAMPLE_PERCENT": "100",
    "ACCESS_LOG": "yes",
    "AUTH_WEBSOCKET_QUERY": "access_token",
    "CBA_GRACE_SECONDS": "0",
}
OUT_OF_SERVICE = "globex"
ELSEWHERE = "cell-dedicated-ent-us"


@dataclass(frozen=True)
class Watched:
    """A stack and what it tells."""

    stack: Stack
    collector: Collector

    async def span(self, reply: Reply) -> dict[str, str]:
        return dict(await self.collector.attributes(request_id(reply)))

    async def line(self, reply: Reply) -> dict[str, Any]:
        """The line of the access log about this request."""
        wanted = request_id(reply)

        async def is_written() -> bool:
            return wanted in self._log()

        await until(is_written, f"an access log line of {wanted}")
        [line] = [line for line in self._log().splitlines() if wanted in line]
        return dict(json.loads(line))

    def _log(self) -> str:
        return "".join(envoy.child.log.read_text() for envoy in self.stack.envoys.values())

    async def ask(self, path: str, *, token: str = "", **headers: str) -> Reply:
        return await ask(self.stack.ports.edges["edge-a"], path, token=token, **headers)


def request_id(reply: Reply) -> str:
    """A refusal's own, or what the cell was told."""
    return str(reply.body["request_id"] if "request_id" in reply.body else reply.body["headers"]["x-request-id"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def watched() -> AsyncIterator[Watched]:
    async with collecting(COLLECTOR) as collector, Stack(await planned(environment=SETTINGS)) as stack:
        cell = stack.placements[OUT_OF_SERVICE]
        await execute(stack, f"UPDATE cells SET state = 'provisioning' WHERE id = '{cell}'")
        await until(lambda: is_answered(stack, OUT_OF_SERVICE, 503), "a cell is out of service")
        yield Watched(stack, collector)


async def test_every_request_has_a_cell_or_is_unresolved(watched: Watched) -> None:
    idp, cells = watched.stack.idp, watched.stack.placements
    acme = cells["acme"]
    cases = {
        "routed": (idp.mint("acme"), 200, acme, "acme"),
        "refused without a token": ("", 401, "unresolved", "unresolved"),
        "refused with a forged one": (idp.mint("acme", forged=True), 401, "unresolved", "unresolved"),
        "unknown tenant": (idp.mint("nobody"), 403, "unresolved", "nobody"),
        "bound to another cell": (idp.mint("acme", cell=ELSEWHERE), 401, acme, "acme"),
        "cell out of service": (idp.mint(OUT_OF_SERVICE), 503, cells[OUT_OF_SERVICE], OUT_OF_SERVICE),
    }
    assert acme not in (ELSEWHERE, cells[OUT_OF_SERVICE])
    # Envoy sends spans every 5 s: all requests first.
    replies = {name: await watched.ask("/api/x?secret=1", token=token) for name, (token, *_) in cases.items()}
    for name, (_, status, cell, tenant) in cases.items():
        reply = replies[name]
        assert reply.status == status, (name, reply.text)
        span, line = await watched.span(reply), await watched.line(reply)
        assert (span["alphaswarm.cell.id"], span["alphaswarm.tenant.id"]) == (cell, tenant), name
        assert span["http.status_code"] == str(status)
        assert (line["cell"], line["status"], line["request_id"]) == (cell, status, request_id(reply)), name
        assert line["tenant"] == (None if tenant == "unresolved" else tenant), name
        assert (line["method"], line["path"]) == ("GET", "/api/x")
        assert line["trace_id"] in {each.trace_id.hex() for each in watched.collector.spans}
    line = await watched.line(replies["unknown tenant"])
    assert (line["flags"], line["upstream"]) == ("NR", None)


async def test_a_line_says_where_a_request_went(watched: Watched) -> None:
    stack = watched.stack
    line = await watched.line(await watched.ask("/api/x", token=stack.idp.mint("acme")))

    cell = stack.placements["acme"]
    assert line["cluster"] == f"{cell}-api"
    assert line["upstream"] == f"{LOOPBACK}:{stack.ports.cells[cell]}"
    assert isinstance(line["duration_ms"], int)


async def test_no_token_is_told(watched: Watched) -> None:
    idp = watched.stack.idp
    forged = idp.mint("acme", forged=True)
    replies = [
        await watched.ask("/api/x", token=idp.mint("acme", sub="in-header")),
        await watched.ask(f"/ws/x?access_token={forged}"),
        await watched.ask(f"/ws/x?access_token={idp.mint('acme')}&b=1"),
        await watched.ask(f"/api/x?access_token={forged}", token=idp.mint("acme")),
    ]
    assert [reply.status for reply in replies] == [200, 401, 200, 200]
    for reply in replies:
        for told in (await watched.span(reply), await watched.line(reply)):
            assert "eyJ" not in json.dumps(told), told
            assert "access_token" not in json.dumps(told), told
    assert (await watched.span(replies[1]))["http.url"].endswith("/ws/x")


async def test_a_client_does_not_choose_what_is_traced(watched: Watched) -> None:
    parent = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"traceparent": f"00-{parent}-00f067aa0ba902b7-00", "tracestate": "a=b", "x_client_trace_id": "x"}
    reply = await watched.ask("/api/x", token=watched.stack.idp.mint("acme"), **headers)

    await watched.span(reply)
    came = str(reply.body["headers"]["traceparent"])
    assert came.split("-")[1] != parent, "the cell is told of our trace"
    assert parent not in {span.trace_id.hex() for span in watched.collector.spans}
    assert {resource["service.name"] for resource in watched.collector.resources} == {"alphaswarm-edge"}


async def test_every_metric_that_alerts_and_dashboards_name_is_there_and_none_is_a_tenants(watched: Watched) -> None:
    stack = watched.stack
    for edge in stack.clients:
        await stack.get(edge, "/api/x", token=stack.idp.mint("acme"))
    told = [(await stack.control_plane.ask("/metrics"))[1]]
    async with aiohttp.ClientSession() as session:
        for envoy in stack.envoys.values():
            async with session.get(f"{envoy.admin}/stats/prometheus") as answer:
                told.append(await answer.text())
    # A counter with a label has no line before it counts, but it has a type.
    lines = [line.removeprefix("# TYPE ") for line in "\n".join(told).splitlines()]
    there = {line.split("{")[0].split(" ")[0] for line in lines}

    named = {place: metrics(expression) for place, expression in expressions().items()}
    assert {place: missing for place, held in named.items() if (missing := held - there)} == {}
    assert not [line for text in told for line in text.splitlines() if any(each in line for each in stack.placements)]
