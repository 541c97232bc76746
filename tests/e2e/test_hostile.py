"""The table of hostile requests, against real Envoys: what each is answered, and that nothing arrives that should not.

Every upstream writes down what reaches it, so a request that is answered as it should be, and arrives all the same, is
seen. In every mode of cell-bound tokens; through both Envoys; over each protocol that a row is about.
"""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import pytest
import pytest_asyncio

from tests.e2e.hostile import rows_headers, rows_operators, rows_paths, rows_tokens
from tests.e2e.hostile.ground import HOME, LEGACY, OLDEN, PLACEMENTS, Ground, ground, session_of
from tests.e2e.hostile.row import SERVED, Row, with_token
from tests.e2e.hostile.upstreams import Arrival
from tests.e2e.hostile.verdict import answer_faults, arrival_faults
from tests.e2e.hostile.wire import Request
from tests.e2e.watching import say

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROWS = (*rows_headers.ROWS, *rows_tokens.ROWS, *rows_operators.ROWS, *rows_paths.ROWS)
MODES = ("enforce", "monitor", "off")
FULL = "off"
"""The mode in which there are a callout and a legacy proxy, too."""

LEAST_ROWS = 60


@dataclass(slots=True)
class Tally:
    """What has been sent, and what of it has arrived where it should."""

    mode: str
    ground: Ground
    passed: Counter[str] = field(default_factory=Counter)
    """Requests, by protocol."""

    accounted: list[Arrival] = field(default_factory=list)

    async def faults(self, row: Row, request: Request) -> list[str]:
        """Send it as the row says: all that is wrong with what becomes of it."""
        replies, arrivals = await self.ground.send(request, *row.protocols)
        self.accounted += arrivals
        answered = [
            f"{edge}, {protocol}: {fault}"
            for (edge, protocol), reply in replies.items()
            for fault in answer_faults(row, protocol, reply)
        ]
        return [*answered, *arrival_faults(row, arrivals, len(replies))]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=MODES)
async def tally(request: pytest.FixtureRequest) -> AsyncIterator[Tally]:
    async with ground(CBA_MODE=request.param, is_full=request.param == FULL) as running:
        yield Tally(mode=request.param, ground=running)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_a_hostile_request_comes_to_nothing(tally: Tally, row: Row) -> None:
    expected = row if tally.mode == "enforce" else _unbound(row)
    assert await tally.faults(expected, row.make(tally.ground.forger)) == []
    tally.passed.update(row.protocols * len(tally.ground.stack.ports.edges))


@pytest.mark.parametrize("tally", [FULL], indirect=True, scope="module")
async def test_headers_pretend_in_vain_beside_a_session_token_and_to_the_legacy_proxy(tally: Tally) -> None:
    forger, faults, before = tally.ground.forger, {}, len(tally.accounted)
    arriving = [row for row in rows_headers.ROWS if row.at in PLACEMENTS.values()]
    for row in arriving:
        faults[row.name, "session"] = await tally.faults(row, with_token(row.make(forger), session_of(row.tenant)))
    assert not [each for each in tally.accounted[before:] if each.all("x-alphaswarm-subject")], "a session has none"
    for row in [each for each in arriving if each.at == HOME]:
        request = with_token(row.make(forger), forger.token(tenant_id=OLDEN))
        faults[row.name, "legacy"] = await tally.faults(replace(row, at=LEGACY, tenant=OLDEN), request)
    assert {which: found for which, found in faults.items() if found} == {}


async def test_every_request_that_arrived_was_meant_to_and_the_table_is_as_large_as_promised(
    tally: Tally, capsys: pytest.CaptureFixture[str]
) -> None:
    passed = ", ".join(f"{count} over {protocol}" for protocol, count in sorted(tally.passed.items()))
    pairs = sum(len(row.protocols) for row in ROWS)
    sent = pairs * len(tally.ground.stack.ports.edges)
    told = f"{len(ROWS)} hostile rows, {pairs} by protocol"
    say(capsys, f"CBA_MODE={tally.mode}: {told}, {tally.passed.total()} of {sent} passed: {passed}")
    assert tally.ground.log.arrivals == tally.accounted
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert len(ROWS) >= LEAST_ROWS


def _unbound(row: Row) -> Row:
    """What becomes of a row while cells are not compared: a token that is bound elsewhere is served."""
    return replace(row, statuses=SERVED) if row.is_bound else row
