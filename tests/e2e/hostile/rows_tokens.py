"""Rows: tokens that are missing, stale, forged, misplaced or too many; and what their claims try."""

from dataclasses import replace

from tests.e2e.hostile.ground import COOKIE, HOME, HOMELESS, MODERN, ORIGIN, OTHER, QUERY, RETIRED, SUSPENDED
from tests.e2e.hostile.row import (
    BAD_TOKEN,
    CELL_MOVED,
    CELL_NOT_IN_SERVICE,
    NO_TENANT,
    NO_TOKEN,
    PLAIN,
    PUBLIC_TENANT_CLAIMED,
    SUSPENDED_TENANT,
    TOO_LARGE,
    UNKNOWN_TENANT,
    WEBSOCKETS,
    WRONG_AUDIENCE,
    Make,
    Row,
    acmes,
    bearer,
    bearing,
    claiming,
    nobodys,
    refused,
    served,
)
from tests.e2e.hostile.tokens import LEFT_OUT, Forger
from tests.e2e.hostile.wire import Request

_HOUR = 3600.0


def _given(name: str, value: str) -> Row:
    return refused(name, nobodys(("authorization", value)), BAD_TOKEN)


def _twice(forger: Forger) -> Request:
    return Request(headers=(bearer(forger.token()), bearer(forger.token(tenant_id="globex"))))


def _listed(forger: Forger) -> Request:
    both = f"Bearer {forger.token()}, Bearer {forger.token(tenant_id='globex')}"
    return Request(headers=(("authorization", both),))


def _in_query(forger: Forger) -> Request:
    return Request(path=f"{{root}}/x?{QUERY}={forger.token()}")


def _in_query_too(forger: Forger) -> Request:
    query = f"?{QUERY}={forger.token(tenant_id='globex')}"
    return Request(path=f"{{root}}/x{query}", headers=(bearer(forger.token()),))


def _in_query_twice(forger: Forger) -> Request:
    query = f"?{QUERY}={forger.token()}&{QUERY}={forger.token(tenant_id='globex')}"
    return Request(path=f"{{root}}/x{query}")


_HOME_PAGE = ("origin", ORIGIN)


def _in_cookie(forger: Forger) -> Request:
    return Request(headers=(("cookie", f"{COOKIE}={forger.token()}"), _HOME_PAGE))


def _in_cookie_twice(forger: Forger) -> Request:
    cookies = f"{COOKIE}={forger.token()}; {COOKIE}={forger.token(tenant_id='globex')}"
    return Request(headers=(("cookie", cookies), _HOME_PAGE))


def _from(*origins: str, name: str = "origin") -> Make:
    """A request with a good token in its cookie, from a page of these origins."""
    return lambda forger: replace(
        _in_cookie(forger), headers=(_in_cookie(forger).headers[0], *((name, each) for each in origins))
    )


def _in_cookie_too(forger: Forger) -> Request:
    return replace(_in_query(forger), headers=_in_cookie(forger).headers)


def _in_bad_query_too(forger: Forger) -> Request:
    return replace(_in_cookie(forger), path=f"{{root}}/x?{QUERY}={forger.by_another_key()}")


def _everywhere(forger: Forger) -> Request:
    cookie = ("cookie", f"{COOKIE}={forger.token(tenant_id='initech')}")
    return replace(_in_query_too(forger), headers=(cookie, _HOME_PAGE, bearer(forger.token())))


def _in_bad_header_too(forger: Forger) -> Request:
    return replace(_in_query(forger), headers=(bearer(forger.by_another_key()),))


def _elsewhere(forger: Forger) -> Request:
    token = forger.token()
    others = ("proxy-authorization", "x-authorization", "x-forwarded-authorization", "x-access-token")
    cookie = ("cookie", f"access_token={token}; token={token}; authorization=Bearer {token}")
    return Request(headers=(cookie, *((name, f"Bearer {token}") for name in others)))


def _cut(forger: Forger) -> str:
    return forger.token()[:-4]


def _of_two(forger: Forger) -> str:
    head, payload, _ = forger.token(tenant_id="globex").split(".")
    return ".".join([head, payload, forger.token().split(".")[2]])


MISPLACED = (
    refused("no token", nobodys(), NO_TOKEN),
    _given("no token after Bearer", "Bearer "),
    _given("nothing but Bearer", "Bearer"),
    _given("an empty header", ""),
    _given("another scheme", "Basic YWNtZTphY21l"),
    _given("no JWT", "Bearer acme"),
    _given("dots for a JWT", "Bearer .."),
    _given("JSON for a JWT", 'Bearer {"tenant_id":"acme"}'),
    refused("two tokens in two headers", _twice, BAD_TOKEN),
    refused("two tokens in one header", _listed, BAD_TOKEN),
    refused("token in the query", _in_query, NO_TOKEN, on=PLAIN),
    served("token in the query of a websocket", _in_query, on=WEBSOCKETS),
    served("two tokens in the query of a websocket", _in_query_twice, on=WEBSOCKETS),
    refused("token in the cookie", _in_cookie, NO_TOKEN, on=PLAIN),
    served("token in the cookie of a websocket", _in_cookie, on=WEBSOCKETS),
    served("two tokens in the cookies of a websocket", _in_cookie_twice, on=WEBSOCKETS),
    served("token in the query and the cookie of a websocket", _in_cookie_too, on=WEBSOCKETS),
    refused("token in the cookie, a forged one in the query", _in_bad_query_too, BAD_TOKEN, on=WEBSOCKETS),
    served("tokens of three tenants in three places", _everywhere),
    refused("token in the query, a forged one in the header", _in_bad_header_too, BAD_TOKEN),
    served("another tenant's token in the query, too", _in_query_too),
    refused("token in other cookies and headers", _elsewhere, NO_TOKEN),
    refused("token too large", claiming(padding="y" * 40_000), TOO_LARGE),
)

PAGES = (
    served("cookie from a page of the other origin", _from("https://admin.example:8443"), on=WEBSOCKETS),
    *(
        refused(f"cookie from {name}", make, NO_TOKEN, on=WEBSOCKETS)
        for name, make in {
            "another site's page": _from("https://evil.example"),
            "no page": _from(),
            "a page without an origin": _from("null"),
            "an empty origin": _from(""),
            "a page without TLS": _from(ORIGIN.replace("https", "http")),
            "another port": _from(f"{ORIGIN}:8443"),
            "an origin with something after it": _from(f"{ORIGIN}.evil.example"),
            "an origin with something before it": _from(f"https://evil.example?{ORIGIN}"),
            "an origin with a slash": _from(f"{ORIGIN}/"),
            "an origin in upper case": _from(ORIGIN.upper()),
            "a dot for another letter": _from("https://app-example"),
            "two origins, the good one first": _from(ORIGIN, "https://evil.example"),
            "two origins, the good one last": _from("https://evil.example", ORIGIN),
            "two origins in a list": _from(f"https://evil.example {ORIGIN}"),
            "an origin in another header": _from(ORIGIN, name="referer"),
        }.items()
    ),
    served(
        "token in the header, another tenant's cookie from another site's page beside it",
        acmes(("origin", "https://evil.example"), ("cookie", f"{COOKIE}=a.b.c")),
    ),
)

STALE = (
    refused("expired", bearing(lambda forger: forger.of_time(issued=-2 * _HOUR, expires=-_HOUR)), BAD_TOKEN),
    refused("not yet valid", bearing(lambda forger: forger.of_time(issued=_HOUR, expires=2 * _HOUR)), BAD_TOKEN),
    refused("without an expiry", claiming(exp=LEFT_OUT), BAD_TOKEN),
    refused("expiry that is text", claiming(exp="never"), BAD_TOKEN),
    refused("expiry that is null", claiming(exp=None), BAD_TOKEN),
    refused("expiry at the beginning of time", claiming(exp=0), BAD_TOKEN),
    refused("expiry before the beginning of time", claiming(exp=-1), BAD_TOKEN),
    refused("wrong issuer", claiming(iss="https://elsewhere.example"), BAD_TOKEN),
    refused("issuer with something after it", claiming(iss="https://idp.demo.alpha-swarm.example/"), BAD_TOKEN),
    refused("no issuer", claiming(iss=LEFT_OUT), BAD_TOKEN),
    refused("list of issuers", claiming(iss=["https://idp.demo.alpha-swarm.example"]), BAD_TOKEN),
    refused("wrong audience", claiming(aud="elsewhere"), WRONG_AUDIENCE),
    refused("no audience", claiming(aud=LEFT_OUT), WRONG_AUDIENCE),
    refused("list of other audiences", claiming(aud=["elsewhere", "alphaswarm-dem", ""]), WRONG_AUDIENCE),
)

FORGED = (
    refused("algorithm none", bearing(Forger.unsigned), BAD_TOKEN),
    refused("algorithm None", bearing(lambda forger: forger.unsigned("None")), BAD_TOKEN),
    refused("algorithm nOnE", bearing(lambda forger: forger.unsigned("nOnE")), BAD_TOKEN),
    refused("no algorithm", bearing(lambda forger: forger.unsigned("")), BAD_TOKEN),
    refused("no signature", bearing(lambda forger: forger.unsigned("RS256")), BAD_TOKEN),
    refused("key confusion: HMAC by the public key", bearing(Forger.by_the_public_key), BAD_TOKEN),
    refused(
        "key confusion: under the right algorithm",
        bearing(lambda forger: forger.by_the_public_key(algorithm="RS256")),
        BAD_TOKEN,
    ),
    refused("another algorithm's key under our key id", bearing(Forger.by_another_algorithm), BAD_TOKEN),
    refused("another algorithm named", bearing(lambda forger: forger.signed(forger.claims(), alg="RS512")), BAD_TOKEN),
    refused("another key under our key id", bearing(Forger.by_another_key), BAD_TOKEN),
    refused("another key under its own id", bearing(lambda forger: forger.by_another_key(key_id="mine")), BAD_TOKEN),
    refused("a path for a key id", bearing(lambda forger: forger.by_another_key(key_id="../../dev/null")), BAD_TOKEN),
    refused("its own key in its header", bearing(Forger.with_its_own_key), BAD_TOKEN),
    refused("claims changed after signing", bearing(lambda forger: forger.changed(tenant_id="globex")), BAD_TOKEN),
    refused("another token's signature", bearing(_of_two), BAD_TOKEN),
    refused("signature cut short", bearing(_cut), BAD_TOKEN),
    refused("something after the signature", bearing(lambda forger: forger.token() + ".e30"), BAD_TOKEN),
)


def _unknown(name: str, claim: object) -> Row:
    return refused(f"tenant claim: {name}", claiming(tenant_id=claim), UNKNOWN_TENANT)


TENANTS = (
    refused("tenant claim: missing", claiming(tenant_id=LEFT_OUT), NO_TENANT),
    refused(
        "tenant claim: missing, and spoofed", claiming(tenant_id=LEFT_OUT, **{"x-alphaswarm-tenant": "acme"}), NO_TENANT
    ),
    refused("tenant claim: empty", claiming(tenant_id=""), NO_TENANT),
    refused("tenant claim: null", claiming(tenant_id=None), NO_TENANT),
    refused("tenant claim: reserved", claiming(tenant_id="-"), PUBLIC_TENANT_CLAIMED),
    _unknown("a table's anchor", f"-/{HOME}"),
    _unknown("list", ["acme"]),
    _unknown("list of two", ["acme", "globex"]),
    _unknown("empty list", []),
    _unknown("object", {"id": "acme"}),
    _unknown("fraction", 42.5),
    _unknown("false", claim=False),
    _unknown("list whose base64 looks like an id", ["globe"]),
    served("tenant claim: number, which names the tenant of that text", claiming(tenant_id=42), at=OTHER, tenant="42"),
    _unknown("true", claim=True),
    _unknown("with a comma", "acme,globex"),
    _unknown("with a comma and nothing", "acme,"),
    _unknown("with a semicolon", "acme;globex"),
    _unknown("with a slash", "acme/globex"),
    _unknown("with a pipe", "acme|globex"),
    _unknown("with an equals sign", "tenant=acme"),
    _unknown("with a blank before", " acme"),
    _unknown("with a blank after", "acme "),
    _unknown("with a tab after", "acme\t"),
    _unknown("with a newline and a header", "acme\r\nx-alphaswarm-tenant: globex"),
    _unknown("with a NUL", "acme\0globex"),
    _unknown("in upper case", "ACME"),
    _unknown("with a letter of another alphabet", "\u0430cme"),
    _unknown("with a percent sign", "%61cme"),
    _unknown("a star", "*"),
    _unknown("very long", "a" * 10_000),
    _unknown("a cell's name", HOME),
    _unknown("nobody there", "nobody"),
    refused("tenant claim: suspended", claiming(tenant_id=SUSPENDED), SUSPENDED_TENANT),
    refused("tenant claim: its cell is retired", claiming(tenant_id=HOMELESS), CELL_NOT_IN_SERVICE),
    refused("suspended, with its own cell's token", claiming(tenant_id=SUSPENDED, cell=HOME), SUSPENDED_TENANT),
    refused(
        "unknown, with acme's header",
        lambda forger: Request(headers=(bearer(forger.token(tenant_id="nobody")), ("x-alphaswarm-tenant", "acme"))),
        UNKNOWN_TENANT,
    ),
)


def _bound(name: str, claim: object, tenant: str = "acme", at: str = HOME) -> Row:
    return Row(
        name=f"cell claim: {name}",
        make=claiming(tenant_id=tenant, cell=claim),
        statuses=CELL_MOVED,
        at=at,
        tenant=tenant,
        is_bound=True,
    )


def _rightly_bound(forger: Forger) -> Request:
    return Request(headers=(bearer(forger.token(cell=HOME)), ("x-alphaswarm-cell", OTHER)))


CELLS = (
    _bound("another cell", OTHER),
    _bound("another cell, with HTTP/2", HOME, tenant="initech", at=MODERN),
    _bound("a retired cell", RETIRED),
    _bound("no cell", "cell-nowhere"),
    _bound("number", 1),
    _bound("list with the right one", [HOME]),
    _bound("object", {"cell": HOME}),
    _bound("the right one and more", f"{HOME},{OTHER}"),
    _bound("the right one, cut", HOME[:-1]),
    _bound("the right one in upper case", HOME.upper()),
    _bound("the right one and a blank", f"{HOME} "),
    served("cell claim: the right one, another in a header", _rightly_bound),
    served("cell claim: empty, which binds to nothing", claiming(tenant_id="acme", cell="")),
    served("cell claim: null, which binds to nothing", claiming(tenant_id="acme", cell=None)),
)

ROWS = (*MISPLACED, *PAGES, *STALE, *FORGED, *TENANTS, *CELLS)
