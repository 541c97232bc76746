"""Who may ask what: operators, by a token with a role; what everybody may ask is listed here, and nothing else is.

Must not know what is behind a path.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address

from aiohttp import web

from xds.http.answers import problem
from xds.operations.operators import Role, RoleNames, subject_of
from xds.settings import Address, HttpAuth
from xds.tokens import Refused, Verifier

OPEN = frozenset({"/healthz", "/readyz", "/token", "/validate", "/.well-known/jwks.json"})
"""What needs no operator's token: probes, and what checks a token or key of its own."""

_FORWARDED = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip")
_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Decides about each request; as it is by default, only this machine may ask."""

    mode: HttpAuth = HttpAuth.LOOPBACK
    verifier: Verifier = field(default_factory=lambda: Verifier(()))
    roles: RoleNames = field(default_factory=RoleNames)
    is_metrics_open: bool = True
    clock: Callable[[], float] = time.time

    def refusal(self, request: web.Request) -> web.Response | None:
        """Why the request is not let through; None if it is."""
        resource = request.match_info.route.resource
        path = resource.canonical if resource is not None else request.path
        if self.mode is HttpAuth.OFF or path in OPEN or (self.is_metrics_open and path == "/metrics"):
            return None
        if self.mode is HttpAuth.LOOPBACK and is_local(request):
            return None
        return self._check(bearer(request), Role.READ if request.method in ("GET", "HEAD") else _role_of(path))

    def caller(self, request: web.Request) -> str:
        """Who asks, of a request that is let through: the token's subject, or from where, if none was needed."""
        outcome = self.verifier.verify(bearer(request), self.clock())
        return f"from {request.remote}" if isinstance(outcome, Refused) else subject_of(outcome)

    def _check(self, token: str, role: Role) -> web.Response | None:
        if not token:
            return _unauthorized("an operator's token is required, in the header Authorization: Bearer …")
        outcome = self.verifier.verify(token, self.clock())
        if isinstance(outcome, Refused):
            return _unauthorized(outcome.reason, error="invalid_token")
        if not self.roles.has(outcome, role):
            return problem(HTTPStatus.FORBIDDEN, f"the token lacks the role to {role}")
        return None


def bearer(request: web.Request) -> str:
    """The bearer token of a request; empty if it has none, or several."""
    values = request.headers.getall("Authorization", [])
    scheme, _, token = values[0].partition(" ") if len(values) == 1 else ("", "", "")
    return token.strip() if scheme.lower() == "bearer" else ""


def is_local(request: web.Request) -> bool:
    """Whether this very machine asks: neither a proxy on it for another, nor a web page by a name that it made up."""
    if any(name in request.headers for name in _FORWARDED):
        return False
    try:
        host = Address.parse(request.host if _has_port(request.host) else f"{request.host}:80").host
        peer = ip_address(request.remote or "")
    except ValueError:
        return False
    mapped = peer.ipv4_mapped if isinstance(peer, IPv6Address) else None
    return host.lower() in _LOCAL_NAMES and (mapped or peer).is_loopback


def _has_port(host: str) -> bool:
    return host.rpartition(":")[2].isdecimal() and not host.endswith("]")


def _role_of(path: str) -> Role:
    """What it takes to ask by another method than GET: /resolve takes a token in its body, and changes nothing."""
    return Role.READ if path == "/resolve" else Role.OPERATE


def _unauthorized(detail: str, *, error: str = "") -> web.Response:
    challenge = 'Bearer realm="alphaswarm-xds"' + (f', error="{error}"' if error else "")
    return problem(HTTPStatus.UNAUTHORIZED, detail, headers={"WWW-Authenticate": challenge})
