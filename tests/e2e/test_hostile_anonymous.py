"""Headers that pretend, where no token is needed: the request is the anonymous tenant's, whatever it says."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from tests.e2e.hostile import rows_headers
from tests.e2e.hostile.ground import CLIENT, CONTROLLER, PLACEMENTS, Ground, ground
from tests.e2e.hostile.row import NO_TOKEN, SERVED, Row, bearer
from tests.e2e.hostile.verdict import answer_faults, arrival_faults
from tests.e2e.hostile.wire import Request

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANONYMOUS = "initech"
"""Its cell speaks HTTP/2, and so gets trailers."""

ROWS = tuple(row for row in rows_headers.ROWS if row.at not in (None, CLIENT, CONTROLLER) and row.statuses == SERVED)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["optional", "off"])
async def running(request: pytest.FixtureRequest) -> AsyncIterator[tuple[str, Ground]]:
    async with ground(AUTH_MODE=request.param, AUTH_ANONYMOUS_TENANT=ANONYMOUS) as held:
        yield request.param, held


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_a_request_without_a_token_is_the_anonymous_tenants(running: tuple[str, Ground], row: Row) -> None:
    _, held = running
    expected = replace(row, at=PLACEMENTS[ANONYMOUS], tenant=ANONYMOUS)
    assert await _faults(held, expected, _without_token(row.make(held.forger))) == []


async def test_a_bad_token_makes_nobody_anonymous_unless_none_is_looked_at(running: tuple[str, Ground]) -> None:
    mode, held = running
    request = Request(headers=(bearer(held.forger.by_another_key()), ("x-alphaswarm-tenant", "acme")))
    row = Row(name="a bad token", make=lambda _: request, statuses=NO_TOKEN)
    if mode == "off":
        row = replace(row, statuses=SERVED, at=PLACEMENTS[ANONYMOUS], tenant=ANONYMOUS)
    assert await _faults(held, row, request) == []


async def _faults(held: Ground, row: Row, request: Request) -> list[str]:
    replies, arrivals = await held.send(request, *row.protocols)
    answered = [fault for (_, way), reply in replies.items() for fault in answer_faults(row, way, reply)]
    return [*answered, *arrival_faults(row, arrivals, len(replies))]


def _without_token(request: Request) -> Request:
    headers = tuple(each for each in request.headers if each[0] != "authorization")
    return replace(request, headers=headers, raw=re.sub(rb"authorization: [^\r\n]*\r?\n", b"", request.raw))
