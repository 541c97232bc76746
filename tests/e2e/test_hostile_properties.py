"""Claims and headers that nobody thought of, against real Envoys.

Whatever a token claims and whatever stands beside it: what a cell sees is what the registry says for the token's
tenant, or the request does not arrive.
"""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.e2e.hostile.ground import HOMELESS, MODERN, OTHER, PLACEMENTS, SUSPENDED, Ground, ground
from tests.e2e.hostile.row import BY_HTTP2, bearer
from tests.e2e.hostile.tokens import LEFT_OUT
from tests.e2e.hostile.upstreams import Headers
from tests.e2e.hostile.verdict import seen_faults
from tests.e2e.hostile.wire import Protocol, Request
from tests.e2e.watching import say

pytestmark = pytest.mark.asyncio(loop_scope="module")

Claim: TypeAlias = object
T = TypeVar("T")

BINDS_TO_NOTHING = (None, "")
"""Cell claims of which Envoy makes no header."""

FEW, MANY = 30, 4 * settings().max_examples
"""Examples, by `make test` and by `make long`.

Each is a request through each of two Envoys: some milliseconds, or a second where Envoy ends the connection.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A token's claims, what stands beside it, and how it is sent."""

    protocol: Protocol
    tenant: Claim
    cell: Claim
    headers: Headers
    trailers: Headers

    @property
    def whose(self) -> str:
        """The tenant that the claim names: a whole number is what it looks like, else nothing but text names any."""
        if isinstance(self.tenant, int | float) and not isinstance(self.tenant, bool):
            return str(int(self.tenant)) if self.tenant in range(2**53) else ""
        return self.tenant if isinstance(self.tenant, str) else ""


_TENANTS = st.sampled_from([*PLACEMENTS, SUSPENDED, HOMELESS, "nobody", "-"])
_CELLS = st.sampled_from([*sorted({*PLACEMENTS.values()}), "cell-nowhere"])
_NOISE = " ,;/|-_.%\t\r\n\0aA"
_LATIN = st.text(st.characters(max_codepoint=255), max_size=12)


def _spoilt(good: st.SearchStrategy[str], noise: str = _NOISE) -> st.SearchStrategy[str]:
    """Something good with something before it or after it, or in another case."""
    around = st.text(st.sampled_from(noise), max_size=3)
    return st.builds(lambda before, text, after: before + text + after, around, good, around) | good.map(str.swapcase)


def _mostly(usual: st.SearchStrategy[T], other: st.SearchStrategy[T]) -> st.SearchStrategy[T]:
    """Three times of four the usual."""
    return st.sampled_from([usual, usual, usual, other]).flatmap(lambda chosen: chosen)


def _claims(good: st.SearchStrategy[str]) -> st.SearchStrategy[Claim]:
    """What a claim may be; often what it should."""
    whatever = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | good,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
        max_leaves=4,
    )
    return _mostly(good, _spoilt(good, _NOISE + "\u0430") | whatever)


def _named(protocol: Protocol) -> st.SearchStrategy[str]:
    """Names of headers that are ours or could be taken for ours; mostly such as the protocol allows."""
    names = ["x-alphaswarm-tenant", "x-alphaswarm-cell", "x-alphaswarm-subject", "x-alphaswarm-", "x-envoy-internal"]
    usual = st.sampled_from([*names, "te", "forwarded", "cookie", "x-forwarded-for"])
    in_case = usual if protocol in BY_HTTP2 else usual | usual.map(str.upper) | usual.map(str.title)
    odd = ["x_alphaswarm_tenant", "x-alphaswarm_cell", "x-alphaswarm-tenant ", "authorization", "connection", "host"]
    return _mostly(in_case, st.sampled_from(odd))


def _headers(protocol: Protocol) -> st.SearchStrategy[Headers]:
    values = _mostly(_TENANTS | _CELLS, _spoilt(_TENANTS) | _LATIN)
    return st.lists(st.tuples(_named(protocol), values), max_size=4).map(tuple)


@st.composite
def _cases(draw: st.DrawFn) -> Case:
    protocol = draw(st.sampled_from(Protocol))
    tenant = draw(_claims(_TENANTS))
    home = PLACEMENTS.get(tenant, MODERN) if isinstance(tenant, str) else MODERN
    return Case(
        protocol=protocol,
        tenant=tenant,
        cell=draw(_mostly(st.sampled_from([LEFT_OUT, home]), _claims(_CELLS))),
        headers=draw(_headers(protocol)),
        trailers=() if protocol.is_websocket else draw(_headers(protocol)),
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[Ground]:
    async with ground() as held:
        yield held


@pytest.fixture(scope="module")
def seen() -> Counter[str]:
    """What became of the requests."""
    return Counter()


async def _hold(running: Ground, seen: Counter[str], case: Case) -> None:
    token = running.forger.token(tenant_id=case.tenant, cell=case.cell)
    request = Request(headers=(bearer(token), *case.headers), trailers=case.trailers)

    replies, arrivals = await running.send(request, case.protocol)

    assert len(arrivals) <= len(replies)
    for arrival in arrivals:
        assert arrival.upstream == PLACEMENTS[case.whose]
        assert case.cell in (LEFT_OUT, *BINDS_TO_NOTHING, arrival.upstream)
        assert list(seen_faults(case.whose, arrival)) == []
    seen.update(["arrived" if arrivals else "refused", *(arrival.upstream for arrival in arrivals)])


@given(case=_cases())
@settings(max_examples=FEW)
async def test_what_a_cell_sees_is_what_the_registry_says_or_the_request_does_not_arrive(
    running: Ground, seen: Counter[str], case: Case
) -> None:
    await _hold(running, seen, case)


async def test_some_of_them_arrived_and_some_were_refused(
    seen: Counter[str], capsys: pytest.CaptureFixture[str]
) -> None:
    _weigh(seen, capsys, FEW)


@pytest.mark.long
@given(case=_cases())
@settings(max_examples=MANY)
async def test_so_it_is_of_many(running: Ground, seen: Counter[str], case: Case) -> None:
    await _hold(running, seen, case)


@pytest.mark.long
async def test_many_of_them_arrived_and_many_were_refused(
    seen: Counter[str], capsys: pytest.CaptureFixture[str]
) -> None:
    _weigh(seen, capsys, MANY)
    assert min(seen[OTHER], seen[MODERN]) > 0


def _weigh(seen: Counter[str], capsys: pytest.CaptureFixture[str], tried: int) -> None:
    say(capsys, f"claims and headers: {seen['arrived']} examples arrived, {seen['refused']} were refused")
    assert seen["arrived"] + seen["refused"] >= tried
    assert min(seen["arrived"], seen["refused"]) >= tried // 20
