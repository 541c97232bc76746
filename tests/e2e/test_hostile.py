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
from tests.e2e.hostile.ground import Ground, ground
from tests.e2e.hostile.row import SERVED, Row
from tests.e2e.hostile.upstreams import Arrival
from tests.e2e.hostile.verdict import answer_faults, arrival_faults
from tests.e2e.watching import say

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROWS = (*rows_headers.ROWS, *rows_tokens.ROWS, *rows_operators.ROWS, *rows_paths.ROWS)
MODES = ("enforce", "monitor", "off")
LEAST_ROWS = 60


@dataclass(slots=True)
class Tally:
    """What has been sent, and what of it has arrived where it should."""

    mode: str
    ground: Ground
    passed: Counter[str] = field(default_factory=Counter)
    """Requests, by protocol."""

    accounted: list[Arrival] = field(default_factory=list)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=MODES)
async def tally(request: pytest.FixtureRequest) -> AsyncIterator[Tally]:
    async with ground(CBA_MODE=request.param) as running:
        yield Tally(mode=request.param, ground=running)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_a_hostile_request_comes_to_nothing(tally: Tally, row: Row) -> None:
    expected = row if tally.mode == "enforce" else _unbound(row)
    replies, arrivals = await tally.ground.send(row.make(tally.ground.forger), *row.protocols)
    answered = [
        f"{edge}, {protocol}: {fault}"
        for (edge, protocol), reply in replies.items()
        for fault in answer_faults(expected, reply)
    ]
    assert [*answered, *arrival_faults(expected, arrivals, len(replies))] == []
    tally.accounted += arrivals
    tally.passed.update(protocol for _, protocol in replies)


async def test_every_request_that_arrived_was_meant_to_and_the_table_is_as_large_as_promised(
    tally: Tally, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = sum(len(row.protocols) for row in ROWS) * len(tally.ground.stack.ports.edges)
    passed = ", ".join(f"{count} over {protocol}" for protocol, count in sorted(tally.passed.items()))
    say(capsys, f"CBA_MODE={tally.mode}: {len(ROWS)} hostile rows, {tally.passed.total()} of {sent} passed: {passed}")
    assert tally.ground.log.arrivals == tally.accounted
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert len(ROWS) >= LEAST_ROWS


def _unbound(row: Row) -> Row:
    """What becomes of a row while cells are not compared: a token that is bound elsewhere is served."""
    return replace(row, statuses=SERVED) if row.is_bound else row
