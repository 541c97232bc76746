"""Rows: headers and trailers that pretend, repeat, break out or name others."""

from dataclasses import replace

from tests.e2e.hostile.ground import CLIENT, CONTROLLER, MODERN
from tests.e2e.hostile.row import (
    BY_HTTP1,
    BY_HTTP2,
    HTTP1,
    HTTP2,
    MADE_UP,
    MALFORMED,
    NO_TOKEN,
    PLAIN,
    SERVED,
    SPOOFS,
    TOO_LARGE,
    WEBSOCKET,
    Make,
    acmes,
    bearing,
    nobodys,
    raw,
    refused,
    served,
    trailed,
)
from tests.e2e.hostile.tokens import Forger
from tests.e2e.hostile.upstreams import HINTS
from tests.e2e.hostile.wire import Request

_TENANT, _CELL = SPOOFS
_API = "GET /api/x HTTP/1.1"
_WS = "GET /ws/x HTTP/1.1"
_UPGRADE = ("Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
_OURS = "x-alphaswarm-tenant, x-alphaswarm-cell"
_MANY = 60
"""Of the limit of 100 headers."""

_TRUSTED = (
    ("x-envoy-peer-metadata", "root"),
    ("x-envoy-attempt-count", "9"),
    ("x-envoy-original-path", "/manage"),
    ("x-envoy-original-host", "evil.example"),
    ("x-envoy-anything", "root"),
)
_STEERING = (
    ("x-envoy-retry-on", "5xx"),
    ("x-envoy-max-retries", "100"),
    ("x-envoy-upstream-rq-timeout-ms", "1"),
    ("x-envoy-upstream-rq-per-try-timeout-ms", "1"),
    ("x-envoy-upstream-alt-stat-name", "evil"),
    ("x-envoy-decorator-operation", "evil"),
    ("x-envoy-force-trace", "true"),
    ("x-envoy-ip-tags", "evil"),
)
_HOSTS = tuple(
    (name, "evil.example")
    for name in ("x-forwarded-host", "x-forwarded-server", "x-original-host", "x-forwarded-anything", "x-real-ip")
)
_PATHS = tuple(
    (name, "/manage")
    for name in ("x-forwarded-prefix", "x-forwarded-uri", "x-original-url", "x-original-uri", "x-rewrite-url")
)
_PROXIES = (
    ("forwarded", f"for={MADE_UP};host=evil.example;proto=https"),
    ("Forwarded", "by=_proxy"),
    ("x-forwarded-port", "443"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-for", f"7.7.7.7, {MADE_UP}"),
)


def _initech(forger: Forger) -> str:
    """A token of a tenant whose cell speaks HTTP/2."""
    return forger.token(tenant_id="initech")


def _naming(connection: str, make: Make) -> Make:
    """The request with a `Connection` header that names headers as hop-by-hop."""
    return lambda forger: replace(make(forger), connection=connection)


def _line_feeds(forger: Forger) -> Request:
    crlf = raw(_API, "x-alphaswarm-tenant: globex")(forger)
    return replace(crlf, raw=crlf.raw.replace(b"\r\n", b"\n"))


def _announced(forger: Forger) -> Request:
    request = trailed(_initech, *SPOOFS)(forger)
    return replace(request, headers=(*request.headers, ("trailer", "x-alphaswarm-tenant"), ("te", "trailers")))


def _untrailed(forger: Forger) -> Request:
    return replace(trailed(Forger.token, *SPOOFS)(forger), headers=())


SPOOFED = (
    served("spoofed tenant", acmes(_TENANT)),
    served("spoofed cell", acmes(_CELL)),
    served("spoofed tenant and cell", acmes(*SPOOFS)),
    served("another header under our prefix", acmes(("x-alphaswarm-subject", "root"), ("x-alphaswarm-", "x"))),
    served("spoofed tenant, doubled", acmes(_TENANT, ("x-alphaswarm-tenant", "initech"))),
    served("spoofed tenant, doubled with our own value", acmes(("x-alphaswarm-tenant", "acme"), _TENANT)),
    served("spoofed tenant as a list", acmes(("x-alphaswarm-tenant", "acme,globex"))),
    served("spoofed tenant, empty", acmes(("x-alphaswarm-tenant", ""), ("x-alphaswarm-cell", ""))),
    served("spoofed public tenant", acmes(("x-alphaswarm-tenant", "-"))),
    served("spoofed tenant, many times", acmes(*[_TENANT] * _MANY)),
    served("spoofed tenant in upper case", acmes(("X-ALPHASWARM-TENANT", "globex")), on=BY_HTTP1),
    refused("spoofed tenant in upper case, which HTTP/2 has not", acmes(("X-Tenant", "x")), MALFORMED, on=BY_HTTP2),
    served("spoofed tenant in mixed case", acmes(("x-AlphaSwarm-Tenant", "globex")), on=BY_HTTP1),
    refused("underscores for dashes", acmes(("x_alphaswarm_tenant", "globex")), MALFORMED),
    refused("one underscore among dashes", acmes(("x-alphaswarm_tenant", "globex")), MALFORMED),
    refused("underscores in upper case", acmes(("X_ALPHASWARM_CELL", "globex")), MALFORMED, on=BY_HTTP1),
    refused("underscores without a token", nobodys(("x_alphaswarm_tenant", "acme")), MALFORMED),
    refused("spoofed tenant instead of a token", nobodys(*SPOOFS), NO_TOKEN),
    refused(
        "spoofed tenant on a CORS preflight",
        nobodys(
            *SPOOFS, ("origin", "https://evil.example"), ("access-control-request-method", "GET"), method="OPTIONS"
        ),
        NO_TOKEN,
        on=PLAIN,
    ),
    served(
        "spoofed tenant on a CORS preflight with a token",
        acmes(*SPOOFS, ("origin", "https://evil.example"), ("access-control-request-method", "GET"), method="OPTIONS"),
        on=PLAIN,
    ),
    served("spoofed tenant where no token is needed", nobodys(*SPOOFS, path="/static/x"), at=CLIENT, on=PLAIN),
    served("spoofed tenant and a token where none is needed", acmes(*SPOOFS, path="/static/x"), at=CLIENT, on=PLAIN),
    refused("spoofed tenant for the controller", nobodys(*SPOOFS, path="/manage/cells"), NO_TOKEN, on=PLAIN),
    refused("spoofed tenant for an answer of the edge's own", nobodys(*SPOOFS, path="/healthz"), SERVED, on=PLAIN),
)

BROKEN_OUT = (
    refused("newline in a value", acmes(("x-a", "b\r\nx-alphaswarm-tenant: globex")), MALFORMED, on=BY_HTTP2),
    refused("newline in a name", acmes(("x-a: b\r\nx-alphaswarm-tenant", "globex")), MALFORMED, on=BY_HTTP2),
    served(
        "newline in a value, which is a header of its own",
        acmes(("x-a", "b\r\nx-alphaswarm-tenant: globex")),
        on=BY_HTTP1,
    ),
    served("bare line feed in a value", acmes(("x-a", "b\nx-alphaswarm-tenant: globex")), on=BY_HTTP1),
    served("bare carriage return in a value", acmes(("x-a", "b\rx-alphaswarm-tenant: globex")), on=BY_HTTP1),
    served("folded line", acmes(("x-a", "b\r\n x-alphaswarm-tenant: globex")), on=BY_HTTP1),
    served("line feeds alone", _line_feeds, on=(HTTP1,)),
    refused("NUL in a value", acmes(("x-a", "b\0x-alphaswarm-tenant: globex")), MALFORMED),
    refused("blank before the colon", raw(_API, "x-alphaswarm-tenant : globex"), MALFORMED, on=(HTTP1,)),
    refused("tab before the colon", raw(_API, "x-alphaswarm-tenant\t: globex"), MALFORMED, on=(HTTP1,)),
    refused("no-break space before the colon", raw(_API, "x-alphaswarm-tenant\xa0: globex"), MALFORMED, on=(HTTP1,)),
    refused("blank in the name", acmes(("x alphaswarm-tenant", "globex")), MALFORMED),
    refused("empty name", acmes(("", "globex")), MALFORMED),
    refused("pseudo header after the others", acmes((":path", "/manage")), MALFORMED, on=BY_HTTP2),
    refused("too many headers", acmes(*((f"x-{number}", "y") for number in range(101))), TOO_LARGE),
    refused("a header too large", acmes(("x-a", "y" * 40_000)), TOO_LARGE),
    refused("a path too long", acmes(path="{root}/" + "y" * 40_000), TOO_LARGE),
)

NAMED = (
    served("hop-by-hop: ours named in Connection", _naming(_OURS, acmes()), on=BY_HTTP1),
    served("hop-by-hop: ours named, and spoofed", _naming(_OURS, acmes(*SPOOFS)), on=BY_HTTP1),
    served("hop-by-hop: close and ours", _naming(f"close, {_OURS}", acmes()), on=(HTTP1,)),
    served("hop-by-hop: Connection twice", _naming("keep-alive", acmes(("connection", _OURS))), on=BY_HTTP1),
    refused(
        "hop-by-hop: the token named, which is then dropped", _naming("authorization", acmes()), NO_TOKEN, on=(HTTP1,)
    ),
    served("hop-by-hop: the token named by a websocket", _naming("authorization", acmes()), on=(WEBSOCKET,)),
    refused("hop-by-hop: Connection in HTTP/2, which has none", _naming(_OURS, acmes()), MALFORMED, on=BY_HTTP2),
    served(
        "hop-by-hop: to a cell with HTTP/2", _naming(_OURS, bearing(_initech)), at=MODERN, tenant="initech", on=BY_HTTP1
    ),
    served(
        "hop-by-hop: without Upgrade being first", raw(_WS, *_UPGRADE, f"Connection: {_OURS}, Upgrade"), on=(HTTP1,)
    ),
)

TRAILERS = (
    served("spoofed tenant in a trailer", trailed(Forger.token, *SPOOFS), on=PLAIN),
    served("spoofed tenant in a trailer to HTTP/2", trailed(_initech, *SPOOFS), at=MODERN, tenant="initech", on=PLAIN),
    served(
        "Envoy's own in a trailer",
        trailed(_initech, ("x-envoy-internal", "true")),
        at=MODERN,
        tenant="initech",
        on=PLAIN,
    ),
    served("spoofed tenant in a trailer, announced", _announced, at=MODERN, tenant="initech", on=PLAIN),
    served(
        "trailer in upper case",
        trailed(_initech, ("X-AlphaSwarm-Tenant", "a")),
        at=MODERN,
        tenant="initech",
        on=(HTTP1,),
    ),
    refused("trailer in upper case, which HTTP/2 has not", trailed(_initech, ("X-A", "a")), MALFORMED, on=(HTTP2,)),
    refused("underscores in a trailer", trailed(_initech, ("x_alphaswarm_tenant", "a")), MALFORMED, on=(HTTP2,)),
    served(
        "underscores in a trailer, which HTTP/1.1 drops",
        trailed(Forger.token, ("x_alphaswarm_tenant", "a")),
        on=(HTTP1,),
    ),
    refused("spoofed tenant in a trailer without a token", _untrailed, NO_TOKEN, on=PLAIN),
)

ENVOYS = (
    served("Envoy's own: internal", acmes(("x-envoy-internal", "true"))),
    served("Envoy's own: another address", acmes(("x-envoy-external-address", MADE_UP))),
    served("Envoy's own: those that an upstream may trust", acmes(*_TRUSTED)),
    served("Envoy's own: those that steer the router", acmes(*_STEERING)),
    served("another's certificate", acmes(("x-forwarded-client-cert", "By=spiffe://a;Hash=b"))),
    served("the address of somebody else", acmes(("x-forwarded-for", MADE_UP), ("x-forwarded-proto", "https"))),
    served("an informational answer", acmes(path=f"{{root}}{HINTS}"), on=PLAIN),
)

FORWARDED = (
    served("forwarded: another host", acmes(*_HOSTS)),
    served("forwarded: another path", acmes(*_PATHS)),
    served("forwarded: by proxies that there are not", acmes(*_PROXIES), on=BY_HTTP1),
    served("forwarded: by such proxies, in HTTP/2", acmes(_PROXIES[0], *_PROXIES[2:]), on=BY_HTTP2),
    served("forwarded: in upper case, twice", acmes(("X-FORWARDED-HOST", "a"), ("X-Forwarded-Host", "b")), on=BY_HTTP1),
    served("forwarded: to the web client", nobodys(*_HOSTS, *_PATHS, path="/static/x"), at=CLIENT, on=PLAIN),
    served(
        "forwarded: to the controller",
        bearing(lambda forger: forger.token(roles="operator"), *_HOSTS, *_PATHS, path="/manage/cells"),
        at=CONTROLLER,
        on=PLAIN,
    ),
)

ROWS = (*SPOOFED, *BROKEN_OUT, *NAMED, *TRAILERS, *ENVOYS, *FORWARDED)
