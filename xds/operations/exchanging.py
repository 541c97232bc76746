"""The exchange of an API key for a short-lived token.

Whoever asks learns nothing but whether the key is good now; the reason is for our log. Must not know how keys and
tokens come and go.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from xds.model import KeyState, Topology
from xds.names import KeyId
from xds.operations.apikeys import KeyStore, present_key
from xds.tokens import Issued, Signer, id_of

Why = Literal["wrong", "revoked", "expired", "tenant unknown", "tenant not active"]


@dataclass(frozen=True, slots=True)
class Granted:
    """A token for a key."""

    key_id: KeyId
    issued: Issued


@dataclass(frozen=True, slots=True)
class Denied:
    """No token. `key_id` is what was claimed; `why` is never told to who asked."""

    key_id: KeyId
    why: Why


async def exchange(
    store: KeyStore, signer: Signer, topology: Topology, text: str, *, bind_cell: bool, now: float
) -> Granted | Denied:
    """A token for the key that `text` is, bound to its tenant's cell if that is asked for."""
    key = await present_key(store, text)
    if key is None:
        return Denied(id_of(text), "wrong")
    at = datetime.fromtimestamp(now, UTC)
    state = key.state(at)
    if state is not KeyState.VALID:
        return Denied(key.id, "revoked" if state is KeyState.REVOKED else "expired")
    tenant = topology.tenants.get(key.tenant)
    if tenant is None:
        return Denied(key.id, "tenant unknown")
    if not tenant.state.is_let_in:
        return Denied(key.id, "tenant not active")
    await store.note_use(key.id, at)
    cell = tenant.cell if bind_cell else None
    until = key.expires_at.timestamp()
    return Granted(key.id, signer.issue(tenant.id, key.id, now=now, until=until, cell=cell))
