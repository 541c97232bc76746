"""Which key gives a token, and which token."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.edge import cell, tenant, topology
from tests.support.keystore import MemoryKeys
from xds.model import Topology
from xds.names import CellId, TenantId
from xds.operations import Author, create_key, revoke_key
from xds.operations.apikeys import NewKey
from xds.operations.exchanging import Denied, Granted, exchange
from xds.tokens import Signer, Verified, Verifier, read_signing_key

NOW = datetime(2027, 1, 1, tzinfo=UTC)
PEM = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
SIGNER = Signer(
    [read_signing_key(PEM)],
    issuer="https://ours",
    audiences=("api",),
    life_seconds=300,
    tenant_claim="tenant_id",
    cell_claim="cell",
)
HERE = topology(cell("cell-a"), tenant("acme", "cell-a"), tenant("globex", "cell-a", suspended=True))


@pytest.fixture
def store() -> MemoryKeys:
    return MemoryKeys(["acme", "globex", "unknown"])


async def make(store: MemoryKeys, tenant_id: str = "acme", *, days: float = 1) -> NewKey:
    expires_at = NOW + timedelta(days=days)
    return await create_key(store, TenantId(tenant_id), "ci", by=Author("me"), now=NOW, expires_at=expires_at)


async def present(
    store: MemoryKeys, text: str, *, at: datetime = NOW, bind_cell: bool = False, where: Topology = HERE
) -> Granted | Denied:
    return await exchange(store, SIGNER, where, text, bind_cell=bind_cell, now=at.timestamp())


def read(granted: Granted | Denied) -> Verified:
    assert isinstance(granted, Granted), granted
    outcome = Verifier([SIGNER.issuer]).verify(granted.issued.token, NOW.timestamp())
    assert isinstance(outcome, Verified), outcome
    return outcome


async def test_a_good_key_gives_a_token_for_its_tenant(store: MemoryKeys) -> None:
    new = await make(store)
    granted = await present(store, new.text)
    token = read(granted)
    assert (token.tenant, token.cell, token.claims["sub"]) == ("acme", None, new.key.id)
    (key,) = await store.listed(None)
    assert key.last_used_at == NOW


async def test_a_token_is_bound_to_the_tenants_cell_if_that_is_asked_for(store: MemoryKeys) -> None:
    new = await make(store)
    assert read(await present(store, new.text, bind_cell=True)).cell == CellId("cell-a")
    moved = topology(cell("cell-b"), tenant("acme", "cell-b"))
    assert read(await present(store, new.text, bind_cell=True, where=moved)).cell == CellId("cell-b")


async def test_a_token_does_not_outlive_its_key(store: MemoryKeys) -> None:
    new = await make(store, days=10 / 86_400)
    granted = await present(store, new.text)
    assert isinstance(granted, Granted)
    assert granted.issued.expires_in == 10


async def _revoked(store: MemoryKeys) -> str:
    new = await make(store)
    await revoke_key(store, new.key.id, now=NOW)
    return new.text


async def _expired(store: MemoryKeys) -> str:
    return (await make(store, days=-0.5 / 86_400 + 1)).text


async def _of(store: MemoryKeys, tenant_id: str) -> str:
    return (await make(store, tenant_id, days=2)).text


@pytest.mark.parametrize(
    ("prepare", "why"),
    [
        (_revoked, "revoked"),
        (_expired, "expired"),
        (lambda store: _of(store, "globex"), "tenant not active"),
        (lambda store: _of(store, "unknown"), "tenant unknown"),
    ],
)
async def test_a_right_key_that_is_not_good_gives_nothing(
    store: MemoryKeys, prepare: Callable[[MemoryKeys], "object"], why: str
) -> None:
    text = await prepare(store)  # type: ignore[misc]
    denied = await present(store, text, at=NOW + timedelta(days=1))
    assert isinstance(denied, Denied)
    assert denied.why == why
    assert all(key.last_used_at is None for key in await store.listed(None))


async def test_a_wrong_key_is_wrong_whatever_there_is_under_its_id(store: MemoryKeys) -> None:
    new = await make(store)
    for text in (new.text[:-1] + ("A" if new.text[-1] != "A" else "B"), f"ask_{'f' * 16}_{'A' * 43}", ""):
        denied = await present(store, text)
        assert isinstance(denied, Denied)
        assert denied.why == "wrong"
