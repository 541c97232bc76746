"""What is wrong with what became of a hostile request: its answer, where it arrived, and what was seen there."""

from collections.abc import Iterator, Sequence

from tests.e2e.hostile.ground import CLIENT, CONTROLLER, LEGACY
from tests.e2e.hostile.row import (
    MADE_UP,
    SEEN_BY_CELLS,
    SEEN_BY_THE_CONTROLLER,
    SEEN_OF_ENVOYS,
    SERVED,
    TOLD_TO_CLIENTS,
    Row,
)
from tests.e2e.hostile.tokens import SUBJECT
from tests.e2e.hostile.upstreams import Arrival
from tests.e2e.hostile.wire import Protocol, Reply

_OURS, _ENVOYS = "x-alphaswarm-", "x-envoy-"
_SERVER = "alphaswarm-edge"

SEEN_OF_OURS = {CLIENT: frozenset[str](), CONTROLLER: SEEN_BY_THE_CONTROLLER, LEGACY: SEEN_BY_THE_CONTROLLER}
"""By what upstream, if it is no cell: a cell sees all of them."""

SAID_BY_ENVOY = {
    "connection": "upgrade",
    "upgrade": "websocket",
    "x-forwarded-proto": "http",
}
"""The only values of these."""

NOT_OF_PROXIES = ("x-forwarded-for", "x-forwarded-proto")
"""What Envoy itself says of where a request comes from; no proxy in front is trusted, so nobody else may."""


def answer_faults(row: Row, protocol: Protocol, reply: Reply) -> Iterator[str]:
    """What is wrong with the answer to a row's request, sent so."""
    if row.at and row.statuses == SERVED and protocol.is_websocket and not reply.is_echoed:
        yield f"a websocket that is no use: {reply.status} {reply.body[:100]!r}"
    if reply.all("location") != ([row.location] if row.location else []):
        yield f"expected to be sent to {row.location!r}, was to {reply.all('location')}"
    if reply.status not in row.statuses:
        yield f"expected {sorted(row.statuses)}, got {reply.status} {reply.body[:100]!r}"
    for name, value in reply.headers:
        if _is_internal(name) and name.lower() not in TOLD_TO_CLIENTS:
            yield f"{name}: {value} got out"
        if name.lower() == "server" and value != _SERVER:
            yield f"the server is {value}"


def arrival_faults(row: Row, arrivals: Sequence[Arrival], times: int) -> Iterator[str]:
    """What is wrong with where a row's request arrived, that has been sent so many times, and with what was seen."""
    # A row that is refused for its cell claim says where it would arrive, and must not.
    at = None if row.is_bound and row.statuses != SERVED else row.at
    found = [arrival.upstream for arrival in arrivals]
    if found != ([at] * times if at else []):
        yield f"expected {times} times at {at}, arrived at {found}: {arrivals}"
    for arrival in arrivals:
        yield from seen_faults(row.tenant, arrival)


def seen_faults(tenant: str, arrival: Arrival) -> Iterator[str]:
    """What is wrong with what an upstream saw of a request of that tenant's."""
    allowed = SEEN_OF_ENVOYS | SEEN_OF_OURS.get(arrival.upstream, SEEN_BY_CELLS)
    is_cell = arrival.upstream not in SEEN_OF_OURS
    for name, meant in (("tenant", tenant), ("cell", arrival.upstream), ("subject", SUBJECT)):
        found = arrival.all(f"x-alphaswarm-{name}")
        is_optional = name == "subject" or not is_cell
        if found != [meant] and not (is_optional and found == []):
            yield f"{arrival.upstream} saw the {name} {found}, expected {meant}"
    for name, value in (*arrival.headers, *arrival.trailers):
        if _is_internal(name) and name.lower() not in allowed:
            yield f"{arrival.upstream} saw {name}: {value}"
        if name.lower() in SAID_BY_ENVOY and value.lower() != SAID_BY_ENVOY[name.lower()]:
            yield f"{arrival.upstream} saw {name}: {value}"
        if (_is_of_proxies(name) and name.lower() not in NOT_OF_PROXIES) or MADE_UP in value:
            yield f"{arrival.upstream} saw {name}: {value}"
    if arrival.all("x-envoy-external-address") not in ([], ["127.0.0.1"]):
        yield f"{arrival.upstream} saw another address"


def _is_internal(name: str) -> bool:
    return name.lower().replace("_", "-").strip().startswith((_OURS, _ENVOYS))


def _is_of_proxies(name: str) -> bool:
    folded = name.lower().replace("_", "-").strip()
    return folded.startswith(("x-forwarded-", "x-original-", "x-rewrite-")) or folded in ("forwarded", "x-real-ip")
