"""Rows: who would be an operator, and what a token's subject may be."""

from tests.e2e.hostile.ground import CONTROLLER, HOME, SUSPENDED
from tests.e2e.hostile.row import (
    BAD_TOKEN,
    NO_HEADERS_VALUE,
    OPERATORS_ONLY,
    PLAIN,
    SPOOFS,
    UNKNOWN_TENANT,
    Make,
    Row,
    bearing,
    claiming,
    refused,
    served,
)
from tests.e2e.hostile.tokens import LEFT_OUT

_CLAIMED = ("x-alphaswarm-claimed-tenant", "globex")
_SAID = (("roles", "operator"), ("x-roles", "operator"), ("x-alphaswarm-roles", "operator"))


def _to_manage(*headers: tuple[str, str], path: str = "/manage/cells", **claims: object) -> Make:
    return bearing(lambda forger: forger.token(**claims), *headers, path=path)


def _no_role(name: str, role: object) -> Row:
    return refused(f"role: {name}", _to_manage(roles=role), OPERATORS_ONLY, on=PLAIN)


ROLES = (
    served("operator, spoofed tenant", _to_manage(*SPOOFS, _CLAIMED, roles="operator"), at=CONTROLLER, on=PLAIN),
    served(
        "operator of no tenant, spoofed tenant",
        _to_manage(*SPOOFS, _CLAIMED, roles=["operator"], tenant_id=LEFT_OUT),
        at=CONTROLLER,
        on=PLAIN,
    ),
    served(
        "operator of a suspended tenant",
        _to_manage(*SPOOFS, roles=["operator"], tenant_id=SUSPENDED),
        at=CONTROLLER,
        tenant=SUSPENDED,
        on=PLAIN,
    ),
    served(
        "operator, by another path",
        _to_manage(path="/static/..//manage/./cells", roles="operator"),
        at=CONTROLLER,
        on=PLAIN,
    ),
    refused("operator, forged", bearing(lambda forger: forger.changed(roles="operator"), path="/manage"), BAD_TOKEN),
    refused("operator of nobody's, to a cell", claiming(roles="operator", tenant_id="nobody"), UNKNOWN_TENANT),
    refused("role in headers", _to_manage(*_SAID), OPERATORS_ONLY, on=PLAIN),
    _no_role("in upper case", "OPERATOR"),
    _no_role("with a blank", "operator "),
    _no_role("among others in a text", "user,operator"),
    _no_role("cut", "operato"),
    _no_role("in a list of lists", [["operator"]]),
    _no_role("as a key", {"operator": True}),
    _no_role("true", role=True),
    _no_role("null", None),
    _no_role("of another kind", ["user", "viewer"]),
)

SUBJECTS = (
    refused("subject with a newline", claiming(sub="a\r\nx-alphaswarm-tenant: globex"), NO_HEADERS_VALUE),
    refused("subject with a line feed", claiming(sub="a\nx-alphaswarm-tenant: globex"), NO_HEADERS_VALUE),
    refused("subject with a request in it", claiming(sub="a\r\n\r\nGET /api/x HTTP/1.1\r\n\r\n"), NO_HEADERS_VALUE),
    refused("subject with a NUL", claiming(sub="a\0b"), NO_HEADERS_VALUE),
    refused("subject with a DEL", claiming(sub="a\x7fb"), NO_HEADERS_VALUE),
    refused("subject that ends in a line feed", claiming(sub="user@acme\n"), NO_HEADERS_VALUE),
    refused("subject that is a line feed", claiming(sub="\n"), NO_HEADERS_VALUE),
    refused(
        "operator whose subject has a line feed", _to_manage(roles="operator", sub="a\nb"), NO_HEADERS_VALUE, on=PLAIN
    ),
    refused(
        "operator whose tenant has a line feed",
        _to_manage(roles="operator", tenant_id="acme\nx-a: b"),
        NO_HEADERS_VALUE,
        on=PLAIN,
    ),
    refused(
        "operator whose tenant has a NUL", _to_manage(roles="operator", tenant_id="a\0b"), NO_HEADERS_VALUE, on=PLAIN
    ),
    refused("subject that is a list", claiming(sub=["user@acme"]), BAD_TOKEN),
    refused("subject that is a number", claiming(sub=1), BAD_TOKEN),
    served(
        "no subject, a spoofed one",
        bearing(lambda forger: forger.token(sub=LEFT_OUT), ("x-alphaswarm-subject", "root")),
    ),
    served(
        "right cell and a spoofed subject",
        bearing(lambda forger: forger.token(cell=HOME), ("x-alphaswarm-subject", "root")),
    ),
)

ROWS = (*ROLES, *SUBJECTS)
