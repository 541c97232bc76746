"""Rows: paths that are to be taken for another, and requests that are to be taken for two."""

from dataclasses import replace

from tests.e2e.hostile.ground import CLIENT
from tests.e2e.hostile.row import (
    DECLINED,
    HTTP1,
    HTTP2,
    MALFORMED,
    NO_ROUTE,
    NO_SUCH_UPGRADE,
    NO_TOKEN,
    NO_TRACE,
    OPERATORS_ONLY,
    PLAIN,
    REDIRECTED,
    SPOOFS,
    TOO_OLD,
    UNKNOWN_ENCODING,
    Row,
    acmes,
    bearing,
    nobodys,
    raw,
    refused,
    served,
)
from tests.e2e.hostile.tokens import Forger
from tests.e2e.hostile.upstreams import DECLINES

MANAGE = (
    "/manage",
    "/manage/cells",
    "/manage?x=/static",
    "//manage//cells",
    "/./manage/cells",
    "/api/../manage/cells",
    "/static/../manage/cells",
    "/api/%2e%2e/manage/cells",
    "/api/.%2E/manage/cells",
    "/api/x/../../manage/cells",
    "/..//manage/cells",
    "/%6danage/cells",
    "/%6D%61nage/cells",
    "/api/..\\manage\\cells",
)
"""What is /manage once it is made plain."""

REDIRECTS = {
    "/api/..%2fmanage/cells": "/manage/cells",
    "/api/..%5cmanage/cells": "/manage/cells",
    "/static%2F..%2Fmanage": "/manage",
    "/static/%2e%2e%2fmanage": "/manage",
    "/manage%2fcells": "/manage/cells",
    "/api%2fx": "/api/x",
    "//evil.example%2fx": "/evil.example/x",
    "/%2f%2fevil.example": "/evil.example",
    "/%5c%5cevil.example": "/evil.example",
}
"""Escaped slashes are sent back made plain: whither, and never to another host."""

TENANTS = (
    "/static/../api/x",
    "//api//x",
    "/./api/x",
    "/%61pi/x",
    "/api\\x",
    "/static/%2e%2e/api/x",
    "/healthz/../api/x",
    "/static/../ws/x",
    "/api?x=/static",
)
"""What is /api or /ws once it is made plain."""

NOT_TENANTS = (
    "/API/x",
    "/apiary",
    "/api;a=b/x",
    "/api.",
    "/static/%252e%252e/api/x",
    "/static/..%252fmanage",
    "/MANAGE/cells",
    "/manage;x",
    "/manage%3fx",
    "/managed",
    "/healthz/",
)
"""What looks like them and is not: the web client's."""

WRONG = ("\\manage\\cells", "/api/x%00", "/api/x#/../static", "/static#/../../api/x", "api/x", "", "*")


def _path_rows() -> list[Row]:
    manage = [
        row
        for path in MANAGE
        for row in (
            refused(f"to /manage by {path}", acmes(path=path), OPERATORS_ONLY, on=PLAIN),
            refused(f"to /manage by {path} without a token", nobodys(*SPOOFS, path=path), NO_TOKEN, on=PLAIN),
        )
    ]
    redirects = [
        replace(refused(f"escaped slash: {path}", acmes(path=path), REDIRECTED, on=PLAIN), location=location)
        for path, location in REDIRECTS.items()
    ]
    tenants = [
        refused(f"to a cell by {path} without a token", nobodys(*SPOOFS, path=path), NO_TOKEN, on=PLAIN)
        for path in TENANTS
    ]
    others = [served(f"to a cell by {path}", acmes(*SPOOFS, path=path), at=CLIENT, on=PLAIN) for path in NOT_TENANTS]
    wrong = [refused(f"wrong path {path!r}", acmes(path=path), MALFORMED | NO_ROUTE, on=PLAIN) for path in WRONG]
    return [*manage, *redirects, *tenants, *others, *wrong]


_SMUGGLED = "GET /api/smuggled HTTP/1.1\r\nHost: edge.example\r\nx-alphaswarm-tenant: globex\r\n\r\n"
_POST = "POST /api/x HTTP/1.1"
_UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 7",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
_CHUNKED = f"0\r\n\r\n{_SMUGGLED}"


def _framed(name: str, *headers: str, then: str = _CHUNKED) -> Row:
    return refused(f"smuggling: {name}", raw(_POST, *headers, then=then), MALFORMED | UNKNOWN_ENCODING, on=(HTTP1,))


SMUGGLED = (
    _framed("length and chunks", "Content-Length: 4", "Transfer-Encoding: chunked"),
    _framed("chunks and length", "Transfer-Encoding: chunked", "Content-Length: 4"),
    _framed("blank before the colon", "Transfer-Encoding : chunked"),
    _framed("encoding that looks like chunks", "Transfer-Encoding: xchunked"),
    _framed("chunks, then identity", "Transfer-Encoding: chunked, identity"),
    _framed("chunks, then identity, in two headers", "Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
    _framed("two lengths", "Content-Length: 0", f"Content-Length: {len(_SMUGGLED)}", then=_SMUGGLED),
    _framed("two lengths in one", f"Content-Length: 0, {len(_SMUGGLED)}", then=_SMUGGLED),
    _framed("length with a sign", "Content-Length: +0", then=_SMUGGLED),
    _framed("length below nothing", "Content-Length: -1", then=_SMUGGLED),
    served(
        "smuggling: a request behind another, on its own",
        raw("GET /api/x HTTP/1.1", then=_SMUGGLED, answers=2),
        statuses=NO_TOKEN,
        on=(HTTP1,),
    ),
    served(
        "smuggling: behind a websocket that is declined",
        raw(f"GET /ws{DECLINES} HTTP/1.1", *_UPGRADE, then=_SMUGGLED),
        statuses=DECLINED,
        on=(HTTP1,),
    ),
    served(
        "smuggling: behind one that is declined, with a length",
        raw(f"GET /ws{DECLINES} HTTP/1.1", *_UPGRADE, f"Content-Length: {len(_SMUGGLED)}", then=_SMUGGLED),
        statuses=DECLINED,
        on=(HTTP1,),
    ),
    served("smuggling: into a websocket", raw("GET /ws/x HTTP/1.1", *_UPGRADE, then=_SMUGGLED), on=(HTTP1,)),
    refused(
        "smuggling: behind a websocket without a token",
        raw("GET /ws/x HTTP/1.1", *_UPGRADE, then=_SMUGGLED, token=False),
        NO_TOKEN,
        on=(HTTP1,),
    ),
    refused("smuggling: chunks in HTTP/2", acmes(("transfer-encoding", "chunked")), MALFORMED, on=(HTTP2,)),
    refused("smuggling: length in HTTP/2", acmes(("content-length", "7")), MALFORMED, on=(HTTP2,)),
    refused(
        "smuggling: a head in an HTTP/2 path",
        acmes(path="/api/x HTTP/1.1\r\nx-alphaswarm-tenant: globex\r\nx-a:"),
        MALFORMED,
        on=(HTTP2,),
    ),
    refused("smuggling: a head in an HTTP/2 method", acmes(method="GET /x HTTP/1.1\r\nx-a:"), MALFORMED, on=(HTTP2,)),
    refused("two paths in HTTP/2", nobodys((":path", "/manage")), MALFORMED, on=(HTTP2,)),
    refused("upgrade in HTTP/2, which has none", acmes(("upgrade", "websocket")), MALFORMED, on=(HTTP2,)),
)

_API = "GET /api/x HTTP/1.1"


def _operators(forger: Forger) -> str:
    return forger.token(roles="operator")


ODD = (
    served(
        "upgrade to HTTP/2 in the clear",
        raw(_API, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
        on=(HTTP1,),
    ),
    refused(
        "upgrade to something else", raw(_API, "Connection: Upgrade", "Upgrade: tcp"), NO_SUCH_UPGRADE, on=(HTTP1,)
    ),
    refused(
        "upgrade to two", raw(_API, "Connection: Upgrade", "Upgrade: websocket, tcp"), NO_SUCH_UPGRADE, on=(HTTP1,)
    ),
    refused(
        "CONNECT of another protocol",
        acmes((":protocol", "tcp"), method="CONNECT"),
        MALFORMED | NO_SUCH_UPGRADE,
        on=(HTTP2,),
    ),
    refused("CONNECT", raw("CONNECT edge.example:443 HTTP/1.1"), NO_ROUTE, on=(HTTP1,)),
    refused("CONNECT in HTTP/2", acmes(method="CONNECT"), NO_ROUTE, on=(HTTP2,)),
    refused("TRACE", acmes(method="TRACE"), NO_TRACE, on=PLAIN),
    refused("TRACE without a token", nobodys(*SPOOFS, method="TRACE"), NO_TOKEN, on=PLAIN),
    refused("TRACE to the web client", nobodys(method="TRACE", path="/static/x"), NO_TRACE, on=PLAIN),
    refused("TRACE to the controller", bearing(_operators, method="TRACE", path="/manage/cells"), NO_TRACE, on=PLAIN),
    refused("TRACE in lower case", acmes(method="trace"), MALFORMED, on=(HTTP1,)),
    refused("TRACE in lower case, in HTTP/2", acmes(method="trace"), NO_TRACE, on=(HTTP2,)),
    refused("HTTP/1.0", raw("GET /api/x HTTP/1.0"), TOO_OLD, on=(HTTP1,)),
    refused("HTTP/2.0 in a line", raw("GET /api/x HTTP/2.0"), TOO_OLD, on=(HTTP1,)),
    refused("unknown method", acmes(method="FROB"), MALFORMED, on=(HTTP1,)),
    refused("absolute path", raw("GET http://evil.example/manage/cells HTTP/1.1"), OPERATORS_ONLY, on=(HTTP1,)),
    refused("absolute path in HTTP/2", acmes(path="http://evil.example/manage/cells"), MALFORMED, on=(HTTP2,)),
    refused("websocket to /manage", acmes(path="/ws/../manage/cells"), OPERATORS_ONLY),
    refused("websocket to a cell by /static", nobodys(*SPOOFS, path="/static/../ws/x"), NO_TOKEN),
    served("paths in headers", acmes(("x-original-url", "/manage"), ("x-rewrite-url", "/manage"))),
    served("methods in headers", acmes(("x-http-method-override", "DELETE"), ("x-http-method", "DELETE"))),
)

ROWS = (*_path_rows(), *SMUGGLED, *ODD)
