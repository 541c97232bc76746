"""What a row of the table of hostile requests is, and by which statuses each kind of them is refused.

The statuses stand here alone: whoever changes an answer of the edge's changes it here.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from tests.e2e.hostile.ground import HOME
from tests.e2e.hostile.tokens import Forger
from tests.e2e.hostile.upstreams import Headers
from tests.e2e.hostile.wire import NO_ANSWER, Protocol, Request

Statuses: TypeAlias = frozenset[int]
Make: TypeAlias = Callable[[Forger], Request]

HTTP1, HTTP2, WEBSOCKET, WEBSOCKET2 = Protocol
EVERY = tuple(Protocol)
PLAIN, WEBSOCKETS = (HTTP1, HTTP2), (WEBSOCKET, WEBSOCKET2)
BY_HTTP1, BY_HTTP2 = (HTTP1, WEBSOCKET), (HTTP2, WEBSOCKET2)

_PATH = "{root}/x"


def _is(*statuses: int) -> Statuses:
    return frozenset(statuses)


SERVED = _is(200, 101)
NO_TOKEN = BAD_TOKEN = _is(401)
WRONG_AUDIENCE = _is(403)
UNKNOWN_TENANT = SUSPENDED_TENANT = _is(403)
NO_TENANT = _is(403)
"""The token is good, and its tenant claim is missing or empty."""

PUBLIC_TENANT_CLAIMED = _is(403)
CELL_MOVED = _is(401)
CELL_NOT_IN_SERVICE = _is(503)
OPERATORS_ONLY = _is(403)
REDIRECTED = _is(307)
MALFORMED = _is(400, NO_ANSWER)
UNKNOWN_ENCODING = _is(501)
TOO_OLD = _is(426)
TOO_LARGE = _is(431, NO_ANSWER)
NO_SUCH_UPGRADE = _is(403, 404)
NO_ROUTE = _is(403, NO_ANSWER)
DECLINED = _is(426)
"""What an upstream says that takes no websocket."""

NO_HEADERS_VALUE = _is(401)
"""A claim has characters that no header may have."""

NO_TRACE = _is(405)

SEEN_BY_CELLS = frozenset({"x-alphaswarm-tenant", "x-alphaswarm-cell", "x-alphaswarm-subject"})
SEEN_BY_THE_CONTROLLER = frozenset({"x-alphaswarm-tenant", "x-alphaswarm-subject"})
"""The headers of ours that they get, and which must be right."""

SEEN_OF_ENVOYS = frozenset({"x-envoy-external-address"})
"""The headers of Envoy's that any upstream gets."""

TOLD_TO_CLIENTS = frozenset({"x-alphaswarm-reason"})
"""The internal headers that an answer of the edge's own may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A hostile request and what must become of it.

    Attributes:
        name: What is tried.
        make: The request.
        statuses: Those it may be answered with.
        at: The only upstream that it may reach, and must; None: none.
        tenant: Whose request the cell there must take it for.
        protocols: Over what it is sent.
        location: Where its answer sends it.
        is_bound: Whether it is refused for its cell claim alone, and so not while CBA_MODE is not `enforce`.
    """

    name: str
    make: Make
    statuses: Statuses
    at: str | None = None
    tenant: str = "acme"
    protocols: tuple[Protocol, ...] = EVERY
    location: str = ""
    is_bound: bool = False


def served(
    name: str,
    make: Make,
    *,
    at: str = HOME,
    tenant: str = "acme",
    on: tuple[Protocol, ...] = EVERY,
    statuses: Statuses = SERVED,
) -> Row:
    """A request that must arrive, as that tenant's and nobody else's."""
    return Row(name=name, make=make, statuses=statuses, at=at, tenant=tenant, protocols=on)


def refused(name: str, make: Make, statuses: Statuses, *, on: tuple[Protocol, ...] = EVERY) -> Row:
    """A request that must not arrive anywhere."""
    return Row(name=name, make=make, statuses=statuses, protocols=on)


def acmes(*headers: tuple[str, str], path: str = _PATH, method: str = "GET") -> Make:
    """A request with a good token of acme's, and these headers after it."""
    return bearing(Forger.token, *headers, path=path, method=method)


def bearing(token: Callable[[Forger], str], *headers: tuple[str, str], path: str = _PATH, method: str = "GET") -> Make:
    """A request with that token."""
    return lambda forger: Request(path=path, method=method, headers=(bearer(token(forger)), *headers))


def nobodys(*headers: tuple[str, str], path: str = _PATH, method: str = "GET") -> Make:
    """A request without a token."""
    return lambda _: Request(path=path, method=method, headers=headers)


def claiming(**claims: object) -> Make:
    """A request with a good token that has these claims."""
    return bearing(lambda forger: forger.token(**claims))


def with_token(request: Request, token: str) -> Request:
    """The request with this token in the place of its own, if it has one."""
    headers = tuple(bearer(token) if name == "authorization" else (name, value) for name, value in request.headers)
    raw = re.sub(rb"(?m)^authorization: Bearer [^\r\n]*", ": ".join(bearer(token)).encode(), request.raw)
    return replace(request, headers=headers, raw=raw)


def bearer(token: str) -> tuple[str, str]:
    """The header that a token stands in."""
    return ("authorization", f"Bearer {token}")


def raw(*lines: str, then: str = "", token: bool = True, answers: int = 1) -> Make:
    """The very bytes of a request of HTTP/1.1: a head of these lines, with acme's token after the first, and the rest.

    A line's end is CRLF.
    """

    def make(forger: Forger) -> Request:
        authorization = [": ".join(bearer(forger.token()))] if token else []
        head = [lines[0], "Host: edge.example", *authorization, *lines[1:], "", ""]
        return Request(raw=("\r\n".join(head) + then).encode("latin-1"), answers=answers)

    return make


def trailed(token: Callable[[Forger], str], *trailers: tuple[str, str]) -> Make:
    """A request with a body and these trailers."""
    return lambda forger: Request(method="POST", headers=(bearer(token(forger)),), body=b"body", trailers=trailers)


SPOOFS: Headers = (("x-alphaswarm-tenant", "globex"), ("x-alphaswarm-cell", "cell-shared-std-eu"))
"""What a client that wants to be somebody else sends."""

MADE_UP = "6.6.6.6"
"""The address that clients say is theirs, and no upstream may see."""
