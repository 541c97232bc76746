"""Who is an operator, of those that call by gRPC: by certificate, by token, or by being on this very machine.

In plain text a token could be read on its way, so nobody but this machine is let in at all. Must not know what is
behind a method.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from typing import Any
from urllib.parse import unquote

from xds.identities import Access
from xds.operations.operators import Role, RoleNames, subject_of
from xds.server import status
from xds.server.status import Ending
from xds.settingvalues import HttpAuth
from xds.tokens import Refused, Verifier

_FORWARDED = frozenset({"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Operators:
    """Decides about each call; `access` is None on a channel in plain text."""

    access: Access | None
    mode: HttpAuth = HttpAuth.LOOPBACK
    verifier: Verifier = field(default_factory=lambda: Verifier(()))
    roles: RoleNames = field(default_factory=RoleNames)
    clock: Callable[[], float] = time.time

    def admit(self, context: Any, role: Role) -> str | Ending:  # noqa: ANN401 -- grpc has no types
        """The caller's name if it has `role`, else how its call is to end."""
        token = _bearer(context)
        if self.access is None:
            if not _is_local(context):
                return status.forbidden("in plain text, operators are served on loopback only")
            if self.mode is not HttpAuth.TOKEN and not token:
                return f"from {_host(context.peer()) or 'this machine'}"
        else:
            sans = sans_of(context)
            refusal = self.access.refuse_operator(sans)
            if refusal is None:
                return next(san for san in sans if self.access.refuse_operator((san,)) is None)
            if not token:
                return status.forbidden(refusal)
        return self._check(token, role)

    def _check(self, token: str, role: Role) -> str | Ending:
        if not token:
            return status.unauthenticated("an operator's token is required, in the metadata authorization: Bearer …")
        outcome = self.verifier.verify(token, self.clock())
        if isinstance(outcome, Refused):
            return status.unauthenticated(outcome.reason.value)
        if not self.roles.has(outcome, role):
            return status.forbidden(f"the token lacks the role to {role}")
        return subject_of(outcome)


def sans_of(context: Any) -> tuple[str, ...]:  # noqa: ANN401
    """The URI and DNS names in the client's certificate, which gRPC has verified."""
    proven = context.auth_context()
    names = (name for kind in ("peer_uri", "peer_dns") for name in proven.get(kind, ()))
    return tuple(name.decode(errors="backslashreplace") for name in names)


def _bearer(context: Any) -> str:  # noqa: ANN401
    """The bearer token of a call; one that can't be good if it has several, empty if it has none."""
    values = [value for key, value in context.invocation_metadata() or () if key == "authorization"]
    if not values:
        return ""
    scheme, _, token = values[0].partition(" ") if len(values) == 1 else ("", "", "")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else "-"


def _is_local(context: Any) -> bool:  # noqa: ANN401
    """Whether this very machine calls, and not a proxy on it for another."""
    if any(key in _FORWARDED for key, _ in context.invocation_metadata() or ()):
        return False
    peer: str = context.peer()
    try:
        address = ip_address(_host(peer))
    except ValueError:
        return peer.startswith("unix:")
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _host(peer: str) -> str:
    """The address in a peer's name, `ipv4:127.0.0.1:4711` or `ipv6:%5B::1%5D:4711`; empty for a Unix socket's."""
    kind, _, where = unquote(peer).partition(":")
    return where.rpartition(":")[0].strip("[]").partition("%")[0] if kind in ("ipv4", "ipv6") else ""
